"""The determinism promise: same scenario, same seed, same bits, however the work is cut up."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.composition import with_policy
from rehearse.experiments.running import resume, run

SMALL = {"users": 60, "ticks": 8, "replicas": 3}


def watched(scenario, props=None):
    """Return the digest and all turns of a scenario that is run in memory."""
    assembly = assemble(scenario, props or Props())
    pages: list[Columns] = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(scenario.time.ticks):
        assembly.simulation.advance()
    filled = [page for page in pages if page.length]
    return recorder.digest, Columns({n: np.concatenate([p[n] for p in filled]) for n in filled[0]})


@pytest.fixture(scope="module")
def travel():
    """Return a small rehearsal with ties, drift and a policy of several turns."""
    return load("travel", **SMALL)


@pytest.fixture(scope="module")
def feed():
    """Return a small rehearsal of slates over many items."""
    return load("feed", users=80, ticks=4, replicas=2)


@pytest.mark.parametrize("name", ["travel", "feed"])
def test_the_same_run_twice_has_the_same_digest(name, request):
    """Two runs of one scenario and seed agree in every bit."""
    scenario = request.getfixturevalue(name)
    assert watched(scenario)[0] == watched(scenario)[0]


def test_another_seed_is_another_run(travel):
    """The digest depends on the seed."""
    other = travel.model_copy(update={"seed": travel.seed + 1})
    assert watched(travel)[0] != watched(other)[0]


@pytest.mark.parametrize("block", [1, 7, 256, 16_384])
@pytest.mark.parametrize("name", ["travel", "feed"])
def test_blocks_leave_no_trace(name, block, request):
    """People worked on one by one, by 256 or all at once live the same lives."""
    scenario = request.getfixturevalue(name)
    assert watched(scenario, Props(block=block))[0] == watched(scenario)[0]


@pytest.mark.parametrize("policy", ["greedy-v1", "epsilon-v1", "popular-v1", "random-v1", None])
@pytest.mark.parametrize("tile", [1, 7, 4096])
def test_tiles_leave_no_trace_with_built_in_policies(feed, policy, tile):
    """A built-in policy answers the same in tiles of 1, 7 and 4,096."""
    scenario = with_policy(feed, policy)
    assert watched(scenario, Props(tile=tile))[0] == watched(scenario)[0]


def test_strangers_change_nothing():
    """The first people live the same lives when more people come whom they never meet."""
    settings = {"people.society.graph.kind": "none", "people.source.use": "resample"}
    few = load("travel", users=1000, ticks=4, replicas=2, settings=settings)
    many = load("travel", users=1100, ticks=4, replicas=2, settings=settings)
    _, small = watched(few)
    _, large = watched(many)
    known = large.take(np.flatnonzero(large["user"] < 1000))
    assert small.length == known.length
    for name in small:
        if name != "measured_ms":
            assert small[name].tobytes() == known[name].tobytes(), name


def test_a_replica_lives_the_same_alone(travel):
    """A society that is run alone is the one that it was among others."""
    _, together = watched(travel)
    _, alone = watched(travel, Props(replicas=[1]))
    same = together.take(np.flatnonzero(together["replica"] == 1))
    assert all(same[n].tobytes() == alone[n].tobytes() for n in alone if n != "measured_ms")


def test_a_foreign_model_gets_tiles_of_one_shape(travel):
    """A model from outside always sees the same number of rows, and that number is in the manifest."""
    seen: set[int] = set()

    def decide(requests):
        seen.add(len(requests))
        return np.zeros(len(requests), dtype=int)

    watched(with_policy(travel, decide), Props(policy=decide, tile=32))
    assert seen == {32}


PROGRAM = """
from pathlib import Path
from rehearse.experiments import folder
from rehearse.experiments.api import load
from rehearse.experiments.running import run
folder.CHECKPOINT_SECONDS = 0.05
folder.CHECKPOINT_SHARE = 1.0
run(load("travel", users=60, ticks=40, replicas=3), policy="epsilon-v1", out=Path(out))
"""


ALL_TURNS = 'SELECT * EXCLUDE measured_ms FROM turns ORDER BY replica, tick, "user", turn'
MOMENTS = [round(float(u), 3) for u in np.random.default_rng(20261123).random(10)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_is_resumed_to_the_same_digest(moment, tmp_path, whole_run):
    """SIGKILL at any moment leaves a run that resumes to the same digest, or nothing."""
    ended_early_and_resumed(tmp_path / "run", signal.SIGKILL, moment, whole_run)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_is_resumed_to_the_same_digest(told, tmp_path, whole_run):
    """Ctrl-C and a polite SIGTERM leave a folder that can be gone on with, as SIGKILL does."""
    ended_early_and_resumed(tmp_path / "run", told, 0.5, whole_run)


def ended_early_and_resumed(folder, told, moment, whole_run):
    """End a run by a signal at a part of its time, resume it, and hold it against the whole run."""
    digest, turns, seconds = whole_run
    context = multiprocessing.get_context("forkserver")  # from where all is loaded: that is not the point
    context.set_forkserver_preload(["rehearse.experiments.running", "rehearse.agents.model"])
    process = context.Process(target=exec, args=(PROGRAM, {"out": str(folder)}))
    process.start()
    began = time.monotonic()
    while not (folder / "manifest.json").exists() and process.is_alive():
        time.sleep(0.005)
        assert time.monotonic() - began < 120
    time.sleep(moment * seconds)
    if process.is_alive():
        os.kill(process.pid, told)
    process.join()
    done = resume(folder)
    assert done.digest == digest
    assert not list(folder.rglob(".*.part"))
    stored = done.turns.query(ALL_TURNS)
    assert all(np.array_equal(stored[n], turns[n], equal_nan=stored[n].dtype.kind == "f") for n in turns)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """Return the digest and the turns of the run that the tests kill, and how long it takes."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    scenario = load("travel", users=60, ticks=40, replicas=3)
    done = run(scenario, policy="epsilon-v1", out=folder)
    return done.digest, done.turns.query(ALL_TURNS), done.seconds
