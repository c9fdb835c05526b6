"""Bounds: a run that took enough stops at the end of a tick, says so, and can be gone on with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import rehearse
from rehearse.errors import PolicyHungError, ScenarioError, UserError
from rehearse.experiments.bounds import Taken, reached
from rehearse.experiments.cli import main
from rehearse.scenario.bounds import Bounds

SMALL = {"users": 12, "ticks": 2, "replicas": 2}


def bounded(tmp_path, name="r", **bounds):
    """Return a small run within bounds."""
    settings = {f"bounds.{key}": value for key, value in bounds.items()}
    return rehearse.run("travel", policy="random-v1", out=tmp_path / name, settings=settings, **SMALL)


def test_a_bound_stops_a_run_which_is_a_marked_part_and_resumes_to_the_same_digest(tmp_path):
    """Manifest, verdict and report say so; it replays, and goes on for as much again."""
    whole = bounded(tmp_path, "whole")
    part = bounded(tmp_path, user_turns=1)
    assert part.verdict == "not completed"
    assert part.turns.manifest["status"] == "stopped"
    assert part.turns.manifest["stopped"]["bound"] == "user_turns"
    assert part.turns.manifest["stopped"]["tick"] == part.turns.manifest["tick"] < SMALL["ticks"]
    assert "Stopped after" in part.turns.verdict["sentence"]
    assert "Not completed" in (part.folder / "report.html").read_text()
    assert rehearse.replay(part.folder).same
    part = rehearse.resume(part.folder)
    assert part.digest == whole.digest
    assert part.verdict == whole.verdict
    assert part.turns.manifest["status"] == "finished"
    assert "stopped" not in part.turns.manifest
    assert part.turns.query("SELECT count(*) AS n FROM turns")["n"].tolist() == [whole.user_turns]


def test_the_command_line_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    """The exit code is 4, the table ends with why, and the command to resume stands below."""
    monkeypatch.chdir(tmp_path)
    small = ("--users", "12", "--ticks", "2", "--replicas", "2", "--policy", "random-v1")
    code = main(["run", "travel", *small, "--set", "bounds.wall_s=0.000001", "--out", "r"])
    said = " ".join(capsys.readouterr().out.split())
    assert code == 4
    assert "NOT COMPLETED: Stopped after 1 of 2 ticks" in said
    assert "rehearse resume r" in said


def test_a_model_that_leaves_the_sandbox_stops_the_run_in_shards_too(tmp_path):
    """`refusals: 0` forgives none; what was refused in shards is known when the run is gone on with."""
    model = tmp_path / "model.py"
    model.write_text(
        "def decide(person):\n    import socket\n    socket.getaddrinfo('example.invalid', 80)\n"
    )
    settings = {"bounds.refusals": 0}
    asked = {"policy": f"{model}:decide", "out": tmp_path / "r", "settings": settings, "shards": 2}
    part = rehearse.run("travel", **asked, **SMALL)
    assert part.verdict == "not completed"
    assert part.turns.manifest["stopped"]["bound"] == "refusals"
    assert part.turns.query("SELECT max(tick) AS t FROM turns")["t"].tolist() == [0]
    done = rehearse.resume(part.folder)
    assert sum(done.turns.manifest["sandbox"]["refused"].values()) == done.user_turns


@pytest.mark.parametrize(
    ("bounds", "bound"),
    [
        ({"harm": 2.0}, "harm"),
        ({"harm": 3.0}, None),
        ({"memory_mb": 50.0}, "memory_mb"),
        ({"memory_mb": 50.5}, None),
        ({"refusals": 1}, None),
        ({"money": 0.5}, "money"),
        ({"money": 0.6}, None),
        ({"wall_s": 9.0, "user_turns": 100}, "user_turns"),
    ],
)
def test_what_is_held_against_bounds_is_what_was_taken_since(bounds, bound):
    """Memory counts as it is; of the rest what came since the run began or was resumed."""
    began, now = Taken(100, 5.0, 40.0, 1.0, 7.0, 3), Taken(200, 10.0, 50.0, 1.5, 10.0, 4)
    found = reached(Bounds(**bounds), now.since(began), 3, 30)
    assert (found and found["bound"]) == bound


def test_harm_is_added_up_over_the_run(tmp_path):
    """The sum is that of the record."""
    done = rehearse.run("lending", out=tmp_path / "whole", users=60, ticks=3, replicas=2)
    by_tick = done.turns.query("SELECT tick, sum(harm) AS harm FROM turns GROUP BY tick ORDER BY tick")
    total = by_tick["harm"].cumsum()
    assert total[-1] > 0.0
    most = float(total[-1]) / 3
    settings = {"bounds.harm": most}
    part = rehearse.run("lending", out=tmp_path / "part", users=60, ticks=3, replicas=2, settings=settings)
    first = int(by_tick["tick"][int((total > most).argmax())])
    stopped = part.turns.manifest.get("stopped", {"tick": 3})
    assert stopped["tick"] == first + 1


def test_a_bound_on_what_is_not_recorded_is_a_mistake():
    """It could never be reached."""
    for bound, column in (("harm", "harm"), ("money", "spent")):
        with pytest.raises(ScenarioError, match=f"needs the column '{column}'"):
            rehearse.load("travel", settings={f"bounds.{bound}": 1.0, "columns": ["action"]})


def test_a_stopped_run_is_forked_and_not_compared_with_a_longer_one(tmp_path):
    """A fork takes for itself what the bound allows; what was lived before it is its parent's."""
    whole, part = bounded(tmp_path, "whole"), bounded(tmp_path, user_turns=1)
    tick = part.turns.manifest["tick"]
    assert tick < SMALL["ticks"]
    with pytest.raises(UserError, match=f"holds {tick} ticks, the other {SMALL['ticks']}.*rehearse resume"):
        rehearse.compare(part.folder, whole.folder)
    fork = rehearse.fork(part.folder, tick, policy="greedy-v1", out=tmp_path / "fork")
    assert fork.turns.manifest["tick"] > tick
    assert rehearse.replay(fork.folder).same


DEAR = """
def decide(person):
    return {"action": "car", "spent": 0.25}
"""


@pytest.mark.parametrize("shards", [1, 2])
def test_money_stops_a_run_and_all_that_was_spent_is_told(shards, tmp_path):
    """Manifest and report say what answers cost, over a resume too; the digest does not hang on it."""
    (tmp_path / "model.py").write_text(DEAR)
    policy = f"{tmp_path / 'model.py'}:decide"
    whole = rehearse.run("travel", policy=policy, out=tmp_path / "whole", **SMALL)
    assert whole.turns.manifest["spent"] == whole.user_turns / 4
    part = rehearse.run(
        "travel",
        policy=policy,
        out=tmp_path / "part",
        settings={"bounds.money": 0.25},
        shards=shards,
        **SMALL,
    )
    assert part.turns.manifest["stopped"]["bound"] == "money"
    done = rehearse.resume(part.folder)
    assert (done.digest, done.turns.manifest["spent"]) == (whole.digest, whole.turns.manifest["spent"])
    assert "spent on answers" in (done.folder / "report.html").read_text()
    assert done.turns.query("SELECT sum(spent) AS s FROM turns")["s"].tolist() == [
        done.turns.manifest["spent"]
    ]


def test_a_model_that_never_returns_is_written_down(tmp_path):
    """Log and manifest of the run that broke off say why."""

    def model(person):
        time.sleep(60)

    with pytest.raises(PolicyHungError):
        rehearse.run("travel", policy=model, out=tmp_path / "r", settings={"time.wall_limit_s": 0.2}, **SMALL)
    assert (
        "gave no answer"
        in json.loads(Path(tmp_path / "r" / "manifest.json").read_text())["broke_off"]["problem"]
    )
    assert "not_completed" in (tmp_path / "r" / "log.jsonl").read_text()
