"""Forks: the same society from some tick on under changed conditions."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from rehearse.errors import OutputError, RehearseError, UserError
from rehearse.experiments import api
from rehearse.experiments.folder import RunFolder
from rehearse.experiments.forking import fork
from rehearse.experiments.journey import tell
from rehearse.experiments.journey.telling import NOT_THE_RECORD
from rehearse.record.reading import RunRecord
from rehearse.tables import query, write_table

SMALL = {"users": 50, "ticks": 8, "replicas": 2}
KEYS = 'replica, tick, "user", turn'
DRIFT = {"tick": 6, "what": "items.*.quality", "add": 1.0}


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """Return a run with ties, a learner and states kept at ticks 3 and 6."""
    return api.run("feed", out=tmp_path_factory.mktemp("runs") / "parent", keep_checkpoints=3, **SMALL)


@pytest.fixture(scope="module")
def bold(parent):
    """Return a fork of it at tick 4 in which people have more to do elsewhere."""
    changes = {"people.behaviour.outside": 2.5}
    return api.fork(parent.folder, 4, settings=changes, out=parent.folder.parent / "bold")


def turns(folder, where="true"):
    """Return turns of a run in a fixed order, without what is measured."""
    found = RunRecord(folder).query(f"SELECT * FROM turns WHERE {where} ORDER BY {KEYS}")
    return {name: found[name] for name in found if name != "measured_ms"}


def same(one, other):
    """Tell whether two tables are equal in every bit; a column that one does not fill is not compared."""
    return all(one[name].tobytes() == other[name].tobytes() for name in one.keys() & other.keys())


@pytest.mark.parametrize("tick", [0, 4, 6])
def test_a_fork_with_nothing_changed_has_the_digest_of_its_parent(parent, tick, tmp_path):
    """Going on as it was is what was: from the start, between kept states, at a kept state."""
    assert api.fork(parent.folder, tick, out=tmp_path / "same").digest == parent.digest


def test_before_the_tick_everything_is_the_same_bit_for_bit(parent, bold):
    """A fork differs from its parent from its tick on, and only from there."""
    assert same(turns(parent.folder, "tick < 4"), turns(bold.folder, "tick < 4"))
    assert not same(turns(parent.folder, "tick = 4"), turns(bold.folder, "tick = 4"))


def test_a_kept_state_is_only_a_short_cut(parent, bold, tmp_path):
    """Without kept states the parent is lived again from its first tick, to the same fork."""
    bare = tmp_path / "bare"
    shutil.copytree(parent.folder, bare)
    shutil.rmtree(bare / "states")
    again = api.fork(bare, 4, settings={"people.behaviour.outside": 2.5}, out=tmp_path / "again")
    assert again.digest == bold.digest
    assert same(turns(again.folder), turns(bold.folder))


def test_the_record_of_a_fork_is_whole(parent, bold):
    """Ticks and turns of the time before the fork stand in its own folder."""
    found = RunRecord(bold.folder)
    assert found.query("SELECT DISTINCT tick FROM ticks").length == SMALL["ticks"]
    assert found.query("SELECT DISTINCT tick FROM turns").length == SMALL["ticks"]
    assert found.manifest["user_turns"] == found.query("SELECT * FROM turns").length
    assert found.manifest["forks"][0]["run"] == str(parent.folder.resolve())
    assert found.manifest["forks"][0]["changes"] == {"people.behaviour.outside": 2.5}
    assert (bold.folder / "report.html").is_file()


def test_a_fork_is_replayed_without_its_parent(bold, tmp_path):
    """The folder of a fork holds all that is needed to live it again."""
    moved = tmp_path / "moved"
    shutil.copytree(bold.folder, moved)
    assert api.replay(moved).same


def test_a_fork_can_fork_again(parent, bold, tmp_path):
    """What is changed back at the same tick leaves no trace; later it is another fork, and replays."""
    back = {"people.behaviour.outside": 2.0}
    assert api.fork(bold.folder, 4, settings=back, out=tmp_path / "back").digest == parent.digest
    later = api.fork(bold.folder, 6, settings=back, out=tmp_path / "later")
    assert same(turns(later.folder, "tick < 6"), turns(bold.folder, "tick < 6"))
    assert later.digest not in {bold.digest, parent.digest}
    assert api.replay(later.folder).same


@pytest.mark.parametrize(
    "changes",
    [
        {"latency": [{"median_ms": 3000.0}]},
        {"faults": [{"kind": "error", "rate": 0.3}]},
        {"drift": [DRIFT]},
        {"guards": [{"name": "none", "forbid": ["item_1"]}]},
        {"people.society.influences": []},
        {"people.goals.0.need": 2.0},
        {"people.memory.weight": 0.0},
        {"people.society.rules": [{"name": "voter-v1", "settings": {"column": "trust"}}]},
        {"people.churn.rate": 0.4},
        {"people.goals+": [{"name": "learn", "rate": 0.5}]},
        {"slate": 3},
        {"time.max_turns": 3},
        {"world.settings.experience": {"of": "utility", "centre": 2.0, "noise": 0.5}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_may_change_does(parent, changes, tmp_path):
    """Each condition that may change at a tick makes another society of it, and replays."""
    path = next(iter(changes))
    if path == "guards":
        first = turns(parent.folder, "tick = 5 AND action >= 0")["action"][0]
        name = RunRecord(parent.folder).items[int(first)]
        changes = {"guards": [{"name": "none", "forbid": [name]}]}
    done = api.fork(parent.folder, 5, settings=changes, out=tmp_path / "fork")
    assert done.digest != parent.digest
    assert same(turns(parent.folder, "tick < 5"), turns(done.folder, "tick < 5"))
    assert api.replay(done.folder).same


def test_another_policy_takes_over(parent, tmp_path):
    """From the tick on another model answers, under its own name and words; comparing pairs the users."""
    done = fork(parent.folder, 5, policy="random-v1", out=tmp_path / "random")
    compared = api.compare(parent.folder, done.folder)
    assert (compared.a, compared.b) == ("epsilon-v1 1", "random-v1 1")
    words = [set(turns(done.folder, f"tick {side} 5")["rationale"].tolist()) for side in ("<", ">=")]
    assert words[0] == set(turns(parent.folder, "tick < 5")["rationale"].tolist())
    assert words[0] != words[1]
    assert RunRecord(done.folder).manifest["policy"]["name"] == "random-v1"
    told = tell(RunRecord(done.folder), 3, 0)
    assert told.note != NOT_THE_RECORD


def test_a_longer_time_goes_on_where_the_parent_ended(parent, tmp_path):
    """A fork may outlast its parent: what both lived is the same."""
    done = api.fork(parent.folder, 5, settings={"time.ticks": 10}, out=tmp_path / "longer")
    assert same(turns(parent.folder), turns(done.folder, "tick < 8"))
    assert RunRecord(done.folder).query("SELECT DISTINCT tick FROM turns").length == 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"people.count": 60}, "people.count cannot be changed at tick 5"),
        ({"seed": 8}, "seed cannot be changed at tick 5"),
        ({"replicas": 3}, "replicas cannot be changed at tick 5"),
        ({"people.memory.size": 4}, "people.memory.size cannot be changed"),
        ({"people.traits.patience": 3.0}, "people.traits.patience.constant cannot be changed"),
        ({"people.society.graph.degree": 4}, "people.society.graph.degree cannot be changed"),
        ({"world.settings.items": {"count": 9}}, "world.settings.items.count cannot be changed"),
        ({"people.goals.0.name": "rest"}, "people.goals.0.name cannot be changed"),
        ({"people.goals.0.at_start": 0.1}, "people.goals.0.at_start cannot be changed"),
        ({"time.ticks": 5}, "time.ticks is 5, and the fork begins at tick 5"),
    ],
    ids=str,
)
def test_what_is_settled_cannot_change(parent, changes, said, tmp_path):
    """Who lives, who knows whom and what luck they have is settled before the first tick."""
    with pytest.raises(UserError, match=said):
        api.fork(parent.folder, 5, settings=changes, out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_the_tick_must_be_one_that_the_run_has(parent, bold, tmp_path):
    """Neither after the end, nor before the tick at which the parent forked off itself."""
    with pytest.raises(UserError, match="it has the ticks 0 to 7"):
        api.fork(parent.folder, 8, out=tmp_path / "no")
    with pytest.raises(UserError, match="is itself a fork at tick 4"):
        api.fork(bold.folder, 3, out=tmp_path / "no")


def test_a_parent_that_cannot_be_lived_again_is_refused(parent, tmp_path):
    """A record that was edited before the tick gives no fork, and no folder that looks like one."""
    edited = tmp_path / "edited"
    shutil.copytree(parent.folder, edited)
    shutil.rmtree(edited / "states")
    part = min((edited / "turns").glob("*.parquet"))
    found = query("SELECT * REPLACE (reward + 1 AS reward) FROM part", part=part)
    write_table(part, found)
    with pytest.raises(UserError, match="cannot be lived again"):
        api.fork(edited, 4, out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_a_policy_that_was_an_object_is_given_again(tmp_path):
    """A fork of such a run needs the model once more, as a replay does."""

    def first(requests):
        return np.zeros(len(requests), dtype=int)

    run = api.run("travel", policy=first, out=tmp_path / "run", users=20, ticks=4, replicas=2)
    with pytest.raises(UserError, match="given as a Python object"):
        api.fork(run.folder, 2, out=tmp_path / "no")
    done = api.fork(run.folder, 2, out=tmp_path / "same", parent_policy=first)
    assert done.digest == run.digest
    other = api.fork(run.folder, 2, policy="random-v1", out=tmp_path / "other", parent_policy=first)
    assert same(turns(run.folder, "tick < 2"), turns(other.folder, "tick < 2"))


PROGRAM = """
from pathlib import Path
from rehearse.experiments import folder
from rehearse.experiments.folder import RunFolder
from rehearse.experiments.forking import fork
folder.CHECKPOINT_SECONDS = 0.02
folder.CHECKPOINT_SHARE = 1.0
fork(Path(parent), 4, settings={"people.behaviour.outside": 2.5}, out=Path(out))
"""


@pytest.mark.parametrize("wait", [0.0, 0.15, 0.3])
def test_a_killed_fork_is_resumed_to_the_same_digest(parent, bold, wait, tmp_path):
    """SIGKILL before or after the tick leaves a fork that resumes to the digest it would have had."""
    folder = tmp_path / "fork"
    context = multiprocessing.get_context("forkserver")  # from where all is loaded: that is not the point
    context.set_forkserver_preload(["rehearse.experiments.running", "rehearse.agents.model"])
    names = {"parent": str(parent.folder), "out": str(folder)}
    process = context.Process(target=exec, args=(PROGRAM, names))
    process.start()
    began = time.monotonic()
    while not (folder / "manifest.json").exists() and process.is_alive():
        time.sleep(0.005)
        assert time.monotonic() - began < 120
    time.sleep(wait)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert api.resume(folder).digest == bold.digest
    assert api.replay(folder).same


def test_states_are_kept_every_so_many_ticks_as_plain_arrays(parent):
    """Kept states are there for the ticks asked for, and hold numbers only."""
    kept = sorted(Path(parent.folder / "states").glob("*.npz"))
    assert [path.stem for path in kept] == ["tick-0000003", "tick-0000006"]
    with np.load(kept[0], allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind != "O" for name in arrays.files)


def test_states_are_kept_at_least_every_tick(tmp_path):
    """A number of ticks below 1 is refused before anything is written."""
    with pytest.raises(RehearseError, match="every 0 ticks"):
        api.run("travel", users=10, ticks=2, keep_checkpoints=0, out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_a_fork_that_breaks_off_can_be_gone_on_with(parent, tmp_path, monkeypatch):
    """A full disk in the middle of a fork leaves a run that resumes to what the fork would have been."""
    straight = fork(parent.folder, 4, sets=["people.behaviour.outside=3"], out=tmp_path / "straight")
    monkeypatch.setattr(RunFolder, "keep", _full_from(5))
    with pytest.raises(OutputError, match="no space"):
        fork(parent.folder, 4, sets=["people.behaviour.outside=3"], out=tmp_path / "broken")
    monkeypatch.undo()
    assert api.resume(tmp_path / "broken").digest == straight.digest


def test_a_fork_that_is_gone_on_with_is_still_held_against_its_parent(parent, tmp_path, monkeypatch):
    """Where the parent says something else by then, the fork is refused when it is resumed."""
    other = shutil.copytree(parent.folder, tmp_path / "parent")
    monkeypatch.setattr(RunFolder, "keep", _full_from(0))
    with pytest.raises(OutputError, match="no space"):
        fork(other, 2, out=tmp_path / "broken")
    monkeypatch.undo()
    part = min((other / "turns").glob("*.parquet"))
    write_table(part, query("SELECT * REPLACE (reward + 1 AS reward) FROM part", part=part))
    with pytest.raises(UserError, match="cannot be lived again"):
        api.resume(tmp_path / "broken")


def _full_from(tick):
    """Return what keeps a tick on a disk that is full from some tick on."""
    keep = RunFolder.keep

    def kept(self, now, turns, society):
        if now >= tick:
            problem = "no space is left."
            raise OutputError(problem, "Make room.")
        keep(self, now, turns, society)

    return kept
