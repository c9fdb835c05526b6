"""Sweeps: one table from many runs, whatever was killed in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.errors import DataError, OutputError, UserError
from rehearse.experiments.cli import main

TRAVEL = {
    "scenario": "travel",
    "set": {"people.count": 30, "time.ticks": 2, "replicas": 2},
    "axes": {"policy": ["greedy-v1", "random-v1"]},
    "seeds": [1, 2],
}
RESUMED = "import sys, rehearse; rehearse.sweep(sys.argv[1], out=sys.argv[2], jobs=2, resume=True)"
SLOW = """
import os, time

def slow(x, seed):
    time.sleep(0.04)
    return {"sum": x + seed, "product": x * seed}

def deadly(x):
    if x == 2:
        os.kill(os.getpid(), 9)
    if x == 3:
        raise ValueError("three")
    if x == 4:
        time.sleep(60)
    return x
"""


def _lines(folder: Path) -> Counter[str]:
    """Return how many lines each run has: how often it was made."""
    files = (folder / "done").glob("*.jsonl")
    return Counter(json.loads(line)["run"] for path in files for line in path.read_text().splitlines())


@pytest.fixture(scope="module")
def travel(tmp_path_factory):
    """Return a sweep of four small runs, made in this process."""
    return rehearse.sweep(TRAVEL, out=tmp_path_factory.mktemp("sweep") / "s", jobs=0)


def test_a_sweep_gives_a_row_a_run_and_metric(travel):
    """Every run has its axes, its seed and the figures that the run alone would have, at every metric."""
    table = travel.table()
    assert {"run", "point", "policy", "seed", "metric", "estimate", "low", "high", "n", "unit"} <= set(table)
    here = "policy = 'random-v1' AND seed = 2"
    found = travel.query(f"SELECT * FROM results WHERE {here} ORDER BY metric")
    alone = rehearse.run(
        "travel", policy="random-v1", users=30, ticks=2, replicas=2, seed=2, out=travel.folder.parent / "one"
    )
    told = {m["metric"]: m for m in alone.turns.verdict["measures"]}
    rows = zip(*(found[name].tolist() for name in ("metric", "estimate", "low", "high")), strict=True)
    overall = {metric: numbers for metric, *numbers in rows}
    assert len(overall) > 20
    judged = {c["metric"] for c in alone.turns.verdict["criteria"]}
    for metric in overall.keys() - judged:
        expected = [told[metric][name] for name in ("estimate", "low", "high")]
        np.testing.assert_equal(overall[metric], [np.nan if e is None else e for e in expected])
    digests = travel.query(f"SELECT digest FROM runs WHERE {here}")["digest"].tolist()
    assert digests == [alone.digest]


def test_the_best_point_and_frames(travel):
    """`best` names the point with the best mean over seeds, and the table is there as a frame of pandas."""
    best = travel.best("regret")
    assert best["policy"] == "greedy-v1"
    assert best["seeds"] == 2
    frame = travel.table("pandas")
    assert frame[(frame.metric == "regret") & (frame.policy == "greedy-v1")].estimate.mean() == best["mean"]
    with pytest.raises(UserError, match="regret"):
        travel.best("regrets")
    with pytest.raises(DataError, match="results"):
        travel.query("SELECT nothing FROM results")


def test_workers_give_the_same_table_and_nothing_is_made_twice(travel, tmp_path):
    """Two workers, two shards merged by copying, and a second sweep with nothing left: the same bytes."""
    same = (travel.folder / "results.parquet").read_bytes()
    for i in (1, 2):
        rehearse.sweep(TRAVEL, out=tmp_path / str(i), jobs=1, shard=(i, 2))
        assert sum(_lines(tmp_path / str(i)).values()) == 2
    for path in (tmp_path / "2" / "done").iterdir():
        path.rename(tmp_path / "1" / "done" / path.name)
    again = rehearse.sweep(TRAVEL, out=tmp_path / "1", jobs=2, resume=True)
    assert again.tally.made == 0
    assert (tmp_path / "1" / "results.parquet").read_bytes() == same
    with pytest.raises(OutputError, match="resume"):
        rehearse.sweep(TRAVEL, out=tmp_path / "1")


def test_kept_records_are_asked_in_sql_and_logged_to_mlflow(tmp_path):
    """With `keep: runs` the turns of all runs are one view; MLflow has a parent and a run each below it."""
    pytest.importorskip("mlflow", reason="tracking needs the extra `mlflow`")
    found = rehearse.sweep(TRAVEL | {"seeds": [1], "keep": "runs"}, out=tmp_path / "kept", jobs=0)
    turns = found.query("SELECT run, count(*) AS n FROM turns GROUP BY run ORDER BY run")
    told = found.query("SELECT run, user_turns AS n FROM runs ORDER BY run")
    assert [turns[name].tolist() for name in ("run", "n")] == [told[name].tolist() for name in ("run", "n")]
    logged = found.track(f"sqlite:///{tmp_path}/store.db", experiment="sweeps")
    assert len(logged.children) == 2


def test_seeds_go_on_until_the_evidence_decides(tmp_path):
    """Every point has as many seeds as `rehearse decide` takes, whoever works, and no more in the table."""
    judged = {"criteria": [{"metric": "acceptance", "at_least": 0.1}]}
    small = {"people.count": 150, "time.ticks": 2, "replicas": 1}
    plan = {"scenario": "travel", "set": judged | small, "seeds": "until decided", "most_seeds": 6}
    plan |= {"axes": {"policy": ["greedy-v1", "random-v1"]}}
    found = rehearse.sweep(plan, out=tmp_path / "here", jobs=0)
    counts = found.query("SELECT point, count(*) AS n FROM runs GROUP BY point ORDER BY point")
    alone = rehearse.decide("travel", policy="greedy-v1", settings=judged | small, most=6, out=tmp_path / "d")
    told = found.query("SELECT * FROM decisions ORDER BY point")
    assert counts["n"][0] == len(alone.runs) == told["runs"][0]
    assert 2 < len(alone.runs) < 6
    for name in ("verdict", "estimate", "low", "high"):
        assert told[name][0] == getattr(alone.criteria[0], name)
    assert told["group"].tolist() == ["", ""]
    rehearse.sweep(plan, out=tmp_path / "there", jobs=2)
    one, other = ((tmp_path / name / "results.parquet").read_bytes() for name in ("here", "there"))
    assert one == other


def test_a_sweep_that_is_killed_goes_on_where_it_was(tmp_path, capsys):
    """Killed twice and resumed, a sweep gives the table of one that was not, and makes no run twice."""
    (tmp_path / "model.py").write_text(SLOW)
    axes = {"x": {"range": [0, 1], "steps": 10}}
    plan = tmp_path / "plan.yaml"
    plan.write_text(json.dumps({"run": "model.py:slow", "axes": axes, "seeds": 4}))
    whole = rehearse.sweep(plan, out=tmp_path / "whole", jobs=0)
    command = [sys.executable, "-c", RESUMED, str(plan), str(tmp_path / "killed")]
    for enough in (6, 20):
        process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 60
        while sum(_lines(tmp_path / "killed").values()) < enough and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert sum(_lines(tmp_path / "killed").values()) < 40
    asked = ["sweep", str(plan), "--out", str(tmp_path / "killed"), "--jobs", "0", "--resume", "--json"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == {"done": 40}
    assert set(_lines(tmp_path / "killed").values()) == {1}
    one, other = (tmp_path / name / "results.parquet" for name in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()
    assert whole.query("SELECT count(*) AS n FROM results")["n"][0] == 80


def test_a_run_that_fails_is_recorded_and_the_others_are_made(tmp_path):
    """A run that raises, one that kills its worker and one that does not end fail; the sweep does not."""
    (tmp_path / "model.py").write_text(SLOW)
    plan = {"run": f"{tmp_path}/model.py:deadly", "axes": {"x": [1, 2, 3, 4, 5]}, "limit_s": 2}
    found = rehearse.sweep(plan, out=tmp_path / "s", jobs=2)
    status = found.query("SELECT x, status, error FROM runs ORDER BY x")
    assert status["status"].tolist() == ["done", "failed", "failed", "failed", "done"]
    for error, why in zip(status["error"].tolist()[1:4], ("died", "three", "limit_s"), strict=True):
        assert why in error
    assert found.query("SELECT x FROM results ORDER BY x")["x"].tolist() == [1, 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"axes": {"people.cuont": [1]}}, "axes.people.cuont.*count"),
        ({"axes": {"people.count": [10, -3]}}, "axes.people.count.*at least 1"),
        ({"axes": {"people.count": {"range": [9, 3]}}}, "axes.people.count.*not up"),
        ({"axes": {"people.count": {"range": [1, 3]}}}, "axes.people.count.*steps"),
        ({"axes": {"policy": ["gredy-v1"]}}, "gredy-v1.*greedy-v1"),
        ({"axes": {"estimate": [1]}}, "axes.estimate.*column"),
        ({"axes": {"seed": [1, 2], "replicas": [2]}, "design": {"kind": "zip"}, "seeds": 1}, "seed 2"),
        ({"axes": {"seed": [1, 2]}}, "seed is an axis"),
        ({"design": {"kind": "sobl"}}, "sobol"),
        ({"design": {"kind": "sobol"}}, "needs n"),
        ({"scenario": "travle"}, "travel"),
        ({"run": "math:hypot"}, "run evaluates a function"),
    ],
)
def test_a_plan_that_makes_no_sense_is_told_so_before_anything_is_run(change, said, tmp_path):
    """A mistake in a plan is a UserError that names its place, and nothing is written."""
    with pytest.raises(UserError, match=f"(?s){said}"):
        rehearse.sweep(TRAVEL | change, out=tmp_path / "s", jobs=0)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("wrong", [{"shard": (3, 2)}, {"on": "mars"}, {"jobs": -1}])
def test_a_place_that_there_is_not_is_told_so_before_anything_is_written(wrong, tmp_path):
    """A shard or a cluster that cannot be leaves no folder that would then have to be resumed."""
    with pytest.raises(UserError, match=r"shard 3/2|on mars|jobs: -1"):
        rehearse.sweep({"run": "statistics:fmean", "axes": {"data": [[1]]}}, out=tmp_path / "s", **wrong)
    assert not (tmp_path / "s").exists()


def test_points_of_designs(tmp_path):
    """Ranges, logs, steps and whole numbers become the points that they say; seeds are shared or not."""
    (tmp_path / "model.py").write_text("def f(**given):\n    return 0.0\n\n\ndef g(b):\n    return b\n")
    plan = {
        "run": f"{tmp_path}/model.py:f",
        "axes": {
            "a": {"range": [0, 1], "step": 0.25},
            "b": {"log": [1, 100], "steps": 3, "whole": True},
            "c": ["x", "y"],
        },
        "seeds": 2,
        "common_random_numbers": False,
    }
    found = rehearse.sweep(plan, out=tmp_path / "product", jobs=0)
    with pytest.raises(UserError, match=r"cannot be called with a: .*'b'"):
        rehearse.sweep({"run": f"{tmp_path}/model.py:g", "axes": {"a": [1]}}, out=tmp_path / "g", jobs=0)
    with pytest.raises(UserError, match="highest=True"):
        found.best("value")
    assert found.best("value", highest=True)["point"] == 0
    rows = found.query("SELECT a, b, c, seed FROM runs")
    assert len(set(zip(*(rows[name].tolist() for name in "abc"), strict=True))) == 5 * 3 * 2
    assert sorted(set(rows["a"].tolist())) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert sorted(set(rows["b"].tolist())) == [1, 10, 100]
    assert len(set(rows["seed"].tolist())) == 60
    drawn = plan | {"design": {"kind": "sobol", "n": 16}, "seeds": [7]} | {"common_random_numbers": True}
    rows = rehearse.sweep(drawn, out=tmp_path / "sobol", jobs=0).query("SELECT a, c, seed FROM runs")
    assert np.histogram(rows["a"], bins=16, range=(0, 1))[0].tolist() == [1] * 16
    assert Counter(rows["c"].tolist()) == {"x": 8, "y": 8}
    assert set(rows["seed"].tolist()) == {7}
