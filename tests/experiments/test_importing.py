"""Logs of sessions that were held elsewhere, and what metrics read off them."""

from __future__ import annotations

import json
import math
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rehearse
from rehearse.columns import Columns
from rehearse.errors import DataError, RehearseError
from rehearse.experiments.cli import main
from rehearse.experiments.metrics import Measures, Part, fairness, find, repeats

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "import.md"
TURNS = Columns(
    {
        "who": np.array(["ann", "bob", "ann", "ann", "bob"]),
        "talk": np.array([7, 1, 7, 9, 1]),
        "said": np.array(["train", "bus", "bus", "train", "bus"]),
        "took": np.array(["", "bus", "bus", "", ""]),
        "ok": np.array([0, 0, 1, 0, 0]),
        "ms": np.array([10.0, 20.0, 30.0, 40.0, np.nan]),
    }
)
AS = {
    "user": "who", "session": "talk", "action": "said", "choice": "took", "success": "ok", "latency": "ms",
}  # fmt: skip


def value(log, name, part=None):
    """Return the estimate of a metric."""
    return Measures(log).interval(find(name), 0.95, part).estimate


def trials(*successes, **more):
    """Return a log of tasks, each a list of successes."""
    rows = [(task, ok) for task, row in enumerate(successes) for ok in row]
    table = Columns({"task": np.array([t for t, _ in rows]), "ok": np.array([ok for _, ok in rows])})
    return rehearse.read_log(table, {"user": "task", "success": "ok"} | more)


def test_turns_are_put_in_their_sessions():
    """Turns of one session stand together in their order, numbered, and the last says how it ended."""
    log = rehearse.read_log(TURNS, AS)
    found = log.query('SELECT "user", session, turn, action, choice, "end" FROM turns')
    assert found["user"].tolist() == [0, 0, 0, 1, 1]
    assert found["session"].tolist() == [0, 0, 1, 0, 0]
    assert found["turn"].tolist() == [0, 1, 0, 0, 1]
    assert [log.items[i] for i in found["action"]] == ["train", "bus", "train", "bus", "bus"]
    assert found["end"].tolist() == ["none", "goal_met", "unknown", "none", "unknown"]
    assert log.query("SELECT name FROM users")["name"].tolist() == ["ann", "bob"]


def test_metrics_read_a_log_as_they_read_a_run():
    """Goals, turns, acceptance and latency come out as counted by hand."""
    log = rehearse.read_log(TURNS, AS)
    assert value(log, "goal_completion") == pytest.approx(1 / 3)
    assert value(log, "turns_to_goal") == 2
    assert value(log, "acceptance") == pytest.approx(2 / 5)
    assert value(log, "mean:latency") == 25


def test_what_a_log_does_not_tell_is_not_known():
    """Without ends nothing is said of goals, without faults nothing of errors."""
    log = rehearse.read_log(TURNS, {"user": "who"})
    for name in ("goal_completion", "error_rate", "fault_rate", "regret"):
        assert math.isnan(value(log, name)), name


def test_a_file_is_read_as_the_same_table(tmp_path):
    """JSON, JSON Lines and CSV give the same turns; objects within objects have dotted names."""
    rows = [
        {"who": "a", "at": {"n": 1}, "steps": [{"x": 2}, {"x": 3}]},
        {"who": "b", "at": {"n": 2}, "steps": []},
    ]
    (tmp_path / "log.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "log.csv").write_text('who,"at.n",steps\na,1,2\nb,2,0\n', encoding="utf-8")
    for name in ("log.json", "log.jsonl", "log.csv"):
        log = rehearse.read_log(tmp_path / name, {"user": "who", "n": '"at.n"', "steps": "steps"})
        assert log.query("SELECT n, steps FROM turns ORDER BY n")["steps"].tolist() == [2, 0]
    spread = rehearse.read_log(tmp_path / "log.json", {"user": "who", "x": '"steps.x"'}, each="steps")
    assert spread.query("SELECT x FROM turns")["x"].tolist() == [2, 3]


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 9))
def test_the_estimator_is_the_share_of_choices(successes, k):
    """C(c, k) / C(n, k) is the share of all choices of k sessions in which all (any) succeed."""
    n, c = len(successes), sum(successes)
    chosen = list(combinations(successes, k))
    if not chosen:
        assert math.isnan(repeats.pass_all(n, c, k))
        assert math.isnan(repeats.pass_any(n, c, k))
        return
    assert repeats.pass_all(n, c, k) == pytest.approx(np.mean([all(x) for x in chosen]))
    assert repeats.pass_any(n, c, k) == pytest.approx(np.mean([any(x) for x in chosen]))


def test_k_goes_up_to_the_fewest_sessions():
    """Where one task was tried twice, pass^3 is not known, unless it is asked of those tried three times."""
    log = trials([1, 1, 0], [1, 1])
    assert value(log, "pass^2") == pytest.approx((1 / 3 + 1) / 2)
    assert math.isnan(value(log, "pass^3"))
    assert value(log, "pass^3:returning") == 0
    assert repeats.table(log)["k"].tolist() == [1, 2]


def test_failures_of_the_infrastructure_count_for_nothing():
    """A session that the infrastructure failed is no trial, so k goes no further than the others."""
    table = Columns({"task": np.zeros(3, int), "ok": np.array([1, 0, 1]), "down": np.array([0, 1, 0])})
    log = rehearse.read_log(table, {"user": "task", "success": "ok", "infra_error": "down"})
    assert value(log, "pass^2") == 1
    assert math.isnan(value(log, "pass^3"))


def test_intervals_draw_whole_tasks():
    """Many trials of few tasks say no more than the tasks do."""
    few = Measures(trials(*[[1] * 50, [0] * 50] * 5)).interval(find("pass^1"), 0.95)
    many = Measures(trials(*[[1] * 50, [0] * 50] * 50)).interval(find("pass^1"), 0.95)
    assert few.n == 10
    assert few.high - few.low > 0.5
    assert 0.15 < many.high - many.low < 0.25


def test_runs_have_repeated_sessions_too(tmp_path):
    """In a run a person's sessions are the trials; coupled people have intervals over replicas."""
    done = rehearse.run("travel", users=30, ticks=12, replicas=4, out=tmp_path / "run")
    measures = Measures(done.turns)
    found = measures.interval(find("pass^2:returning"), 0.95)
    assert found.unit == "replicas"
    assert found.low < found.estimate < found.high
    once = measures.interval(find("pass@2:returning"), 0.95)
    assert found.estimate < once.estimate
    pooled = measures.interval(find("pass^2:replicas"), 0.95)
    assert math.isnan(pooled.low)
    assert 0 < pooled.estimate < 1


def test_decisions_are_told_by_group():
    """Counts and rates of yes and no, of all and of each group; a rate of nothing is NaN."""
    table = Columns(
        {
            "id": np.arange(6),
            "who": np.array(["x", "x", "x", "y", "y", "y"]),
            "yes": np.array([1, 1, 0, 0, 0, 1]),
            "right": np.array([1, 0, 1, 0, 0, -1]),
        }
    )
    log = rehearse.read_log(table, {"user": "id", "group": "who", "selected": "yes", "qualified": '"right"'})
    found = fairness.table(log)
    assert list(found) == ["all", "x", "y"]
    assert found["all"] == {
        "n": 5, "TP": 1, "FN": 1, "FP": 1, "TN": 2, "FPR": 1 / 3, "FNR": 0.5, "PPV": 0.5,
    }  # fmt: skip
    assert found["y"]["n"] == 2
    assert math.isnan(found["y"]["PPV"])
    assert value(log, "false_positive_rate", Part("group", "x")) == 1


@pytest.mark.parametrize(
    ("columns", "more", "said"),
    [
        ({}, {}, "columns say nothing of `user`"),
        ({"user": "whom"}, {}, "whom"),
        ({"user": "who"}, {"where": "talk > 99"}, "no rows"),
        ({"user": "who", "tick": "-1"}, {}, "whole numbers"),
    ],
)
def test_wrong_mappings_are_said(columns, more, said):
    """What cannot be read is refused in words."""
    with pytest.raises(DataError, match=said):
        rehearse.read_log(TURNS, columns, **more)


@pytest.mark.parametrize(
    ("name", "text", "each"),
    [("a.json", "{", None), ("b.json", "{}", None), ("c.json", "[]", None), ("d.csv", "x\n1\n", "steps"),
     ("e.json", '[{"steps": 3}]', "steps"), ("f.json", None, None)],
)  # fmt: skip
def test_wrong_files_are_said(name, text, each, tmp_path):
    """Files that hold no list of objects are refused with their name or their fields."""
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(RehearseError):
        rehearse.read_log(tmp_path / name, {"user": "x"}, each=each)


def test_the_command_prints_what_a_log_can_answer(tmp_path, capsys):
    """`rehearse import` measures a file; what is asked for by name stands there even if it is not known."""
    (tmp_path / "log.csv").write_text("task,ok\n1,1\n1,0\n2,1\n2,1\n", encoding="utf-8")
    words = ["import", str(tmp_path / "log.csv"), "--as", "user=task", "--as", "success=ok"]
    assert main(words) == 0
    assert "goal_completion" in capsys.readouterr().out
    assert main([*words, "--metric", "pass^2", "--json"]) == 0
    ((name, estimate, *_),) = json.loads(capsys.readouterr().out)["rows"]
    assert (name, estimate) == ("pass^2", 0.5)
    assert main([*words, "--as", "nothing"]) == 2


def test_the_programs_of_the_page_run(tmp_path, monkeypatch, capsys):
    """The Python of docs/howto/import.md runs on files such as it speaks of."""
    rows = [
        {"task_id": task, "trial": trial, "reward": (task + trial) % 2}
        for task in range(4)
        for trial in range(3)
    ]
    (tmp_path / "trajectories.json").write_text(json.dumps(rows), encoding="utf-8")
    people = "".join(f"{i},{'AB'[i % 2]},{'Low' if i % 3 else 'High'},{i % 5 > 1:d}\n" for i in range(40))
    (tmp_path / "scores.csv").write_text(f"id,race,score,reoffended\n{people}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    pieces = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec("\n".join(pieces), {})  # noqa: S102 - the page is ours
    assert "Interval(estimate=0.0" in capsys.readouterr().out
