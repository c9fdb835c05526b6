"""Shards on one machine: the same digest however a run is dealt, whatever happens to a shard."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from rehearse.errors import NotCompletedError, UserError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props
from rehearse.experiments.composition import with_policy
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.replaying import replay
from rehearse.experiments.running import resume, run
from rehearse.experiments.shards import Spread, assembled, ensemble
from rehearse.experiments.shards.deal import deal
from rehearse.experiments.shards.local import SHARED_MEMORY

LEARNER = "epsilon-v1"


@pytest.fixture(scope="module")
def societies():
    """Return a scenario of three small societies with ties, influences and drift."""
    return load("travel", users=60, ticks=6, replicas=3)


@pytest.fixture(scope="module")
def digest(societies):
    """Return the digest of the scenario in one process, with a policy that learns."""
    return recorded(societies)


def recorded(scenario, spread=None, policy=LEARNER, during=None):
    """Return the digest of a scenario that is run in memory; `during` is called before each tick."""
    leg = Leg(0, with_policy(scenario, policy), Props())
    with assembled([leg], spread or Spread()) as assembly:
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        for tick in range(scenario.time.ticks):
            if during is not None:
                during(tick, assembly)
            assembly.simulation.advance()
        return recorder.digest


def lose(assembly, shard):
    """Kill the process of a shard."""
    os.kill(assembly.simulation.ensemble.room.processes()[shard], signal.SIGKILL)


def test_societies_live_the_same_lives_in_shards(societies, digest):
    """Whole societies dealt to three processes have the digest of one process."""
    assert recorded(societies, Spread(3)) == digest


def test_every_society_and_person_is_dealt_once():
    """No row is in two shards or in none, whatever the numbers."""
    for shards, count, replicas in [(2, 9000, 1), (4, 9000, 1), (3, 20_000, 2), (2, 10, 5), (5, 10, 5)]:
        dealt = deal(shards=shards, count=count, replicas=tuple(range(replicas)), together="")
        rows = np.concatenate([dealt.rows_of(shard) for shard in range(dealt.shards)])
        assert sorted(rows.tolist()) == list(range(count * replicas))
        assert all(len(dealt.rows_of(shard)) for shard in range(dealt.shards))


def test_people_who_queue_together_are_not_parted():
    """A society whose people meet within a tick is refused, with a way out."""
    with pytest.raises(UserError, match="joins the people") as refused:
        deal(shards=4, count=10_000, replicas=(0, 1), together="the world 'queue-v1'")
    assert "--shards 2" in refused.value.remedy


def test_a_lost_shard_begins_again(societies, digest):
    """Processes that are killed in the middle of a run leave no trace in the digest."""

    def during(tick, assembly):
        if tick == 2:
            assembly.simulation.state()
        if tick in {1, 4}:
            lose(assembly, tick % 2)

    assert recorded(societies, Spread(2), during=during) == digest


def test_shards_that_are_always_lost_end_the_run(societies, monkeypatch):
    """After some shards were lost in vain the run ends with an error that says so."""
    monkeypatch.setattr(ensemble, "RESTARTS", 2)
    with pytest.raises(NotCompletedError, match="3 times"):
        recorded(societies, Spread(2), during=lambda _tick, assembly: lose(assembly, 0))


def test_a_mistake_that_shards_find_is_told_as_in_one_process():
    """What only a shard can find wrong reaches the caller as the error that it is."""
    wrong = load("travel", users=60, replicas=2, settings={"people.society.graph.kind": "karate"})
    with pytest.raises(UserError) as alone:
        recorded(wrong)
    with pytest.raises(type(alone.value), match="34"):
        recorded(wrong, Spread(2))


def test_a_policy_that_cannot_travel_is_refused(societies):
    """A policy given as an object that no other process can have is refused before the run."""
    policy = lambda requests: np.zeros(len(requests), dtype=int)  # noqa: E731 - a lambda cannot be pickled
    with pytest.raises(UserError, match="other processes"):
        run(societies, policy=policy, spread=Spread(2))


def test_what_is_wrong_with_answers_is_heard_from_shards(tmp_path):
    """The problems of a run are the same in shards: what a shard says in the log is passed on."""
    model = tmp_path / "model.py"
    model.write_text("def decide(person):\n    return 'plane'\n")
    scenario = load("travel", users=20, ticks=1, replicas=2)
    finished = run(scenario, policy=f"{model}:decide", out=tmp_path / "run", spread=Spread(2), record="none")
    assert [problem.partition(",")[0] for problem in finished.problems] == ["answered 'plane'"]


def test_a_recorded_run_in_shards_reads_like_any_other(societies, tmp_path):
    """A run in shards is judged, replayed and told like a run in one process."""
    plain = run(societies, policy=LEARNER, out=tmp_path / "plain")
    dealt = run(societies, policy=LEARNER, out=tmp_path / "dealt", spread=Spread(2))
    assert dealt.digest == plain.digest
    assert (dealt.user_turns, dealt.verdict) == (plain.user_turns, plain.verdict)
    for table in ("turns", "users", "ticks", "ties"):
        columns = "* EXCLUDE (measured_ms)" if table == "turns" else "*"
        sql = f"SELECT {columns} FROM {table} ORDER BY ALL"
        one, other = (found.turns.query(sql) for found in (plain, dealt))
        assert sorted(one) == sorted(other)
        assert all(one[name].tobytes() == other[name].tobytes() for name in one), table
    assert replay(tmp_path / "dealt").same
    assert replay(tmp_path / "plain", spread=Spread(2)).same
    told = {"number": 2, "dealt": "replicas", "on": "local", "begun_again": 0}
    assert dealt.turns.manifest["shards"] == told


PROGRAM = """
import sys
from pathlib import Path
from rehearse.experiments import folder
from rehearse.experiments.api import load
from rehearse.experiments.running import run
from rehearse.experiments.shards import Spread
folder.CHECKPOINT_SECONDS = 0.05
folder.CHECKPOINT_SHARE = 1.0
scenario = load("travel", users=60, ticks=30, replicas=3)
run(scenario, policy="epsilon-v1", out=Path(sys.argv[1]), spread=Spread(int(sys.argv[2])))
"""


@pytest.fixture(scope="module", params=[signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def ended(request, tmp_path_factory):
    """Return a run in two shards that was ended early: its folder, its number, and its processes."""
    folder = tmp_path_factory.mktemp("ended") / "run"
    process = begun(folder, 2)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(request.param)
    process.wait(30)
    return folder, process.pid, children


def test_shards_end_with_the_run_and_leave_nothing_behind(ended):
    """However a run ends, its processes end within seconds and shared memory is empty again."""
    _, number, children = ended
    assert children
    _, left = psutil.wait_procs(children, timeout=5)
    assert not left
    assert not list(SHARED_MEMORY.glob(f"rehearse-{number}-*"))


def test_a_run_that_ended_early_is_finished_by_any_number_of_shards(ended, tmp_path):
    """A run that was ended is resumed with more shards than before, or in one process."""
    folder, _, _ = ended
    whole = recorded(load("travel", users=60, ticks=30, replicas=3))
    for shards in (3, 1):
        copy = shutil.copytree(folder, tmp_path / str(shards))
        assert resume(copy, spread=Spread(shards)).digest == whole


def begun(folder: Path, shards: int) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own, and wait for its first checkpoint."""
    command = [sys.executable, "-c", PROGRAM, str(folder), str(shards)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if any((folder / "checkpoint").glob("tick-*.npz")):
            return process
        time.sleep(0.01)
    process.kill()
    pytest.fail(f"no checkpoint was written: {process.stderr.read().decode()}")
