"""Monitors that a scenario names ring after what it scheduled, say why, and change nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.chance import Chance
from rehearse.detect import CUSUM
from rehearse.errors import ScenarioError, UserError
from rehearse.experiments.metrics import Measures, find
from rehearse.experiments.monitor import alarms, watch
from rehearse.experiments.streams import HOW_FAR, stream, values_of

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

WATCHED = [
    {"series": "actions", "detector": {"name": "cusum", "h": 10}},
    {"series": "psi:actions", "detector": {"name": "ewma", "L": 5}},
    {"series": "score"},
    {"series": "goal_completion", "detector": {"name": "page-hinkley", "threshold": 30}},
]
CALM = {"drift": [], "latency": [], "faults": [], "monitors": WATCHED}
DEARER = {"tick": 14, "what": "items.train.gc", "times": 3.0, "note": "fares triple"}
QUIET = {"metric": "alarms", "at_most": 0}


def rehearsed(folder, **settings):
    """Return travel, small and without anything scheduled but what is given."""
    small = {"users": 100, "ticks": 26, "replicas": 5}
    return rehearse.run("travel", out=folder, settings=CALM | {"criteria": [QUIET]} | settings, **small)


def test_detectors_ring_after_a_scheduled_change_and_name_it(tmp_path):
    """Dearer trains ring in answers and scores from their tick on; a calm run is quiet; lives are alike."""
    calm, drifted = rehearsed(tmp_path / "calm"), rehearsed(tmp_path / "drifted", drift=[DEARER])
    assert calm.alarms == []
    assert calm.verdict == "pass"
    assert drifted.verdict == "fail"
    assert "number of alarms that rang was" in drifted.criteria[0]["sentence"]
    rang = {alarm["series"]: alarm for alarm in drifted.alarms}
    assert {"actions", "psi:actions", "score"} <= set(rang)
    assert all(alarm["tick"] >= 14 and alarm["onset"] >= 13 for alarm in drifted.alarms)
    assert all("fares triple" in alarm["cause"] for alarm in rang.values())
    assert rang["actions"]["detector"] == "cusum"
    assert rang["actions"]["size"] == pytest.approx(rang["actions"]["after"] - rang["actions"]["before"])
    unwatched = rehearsed(tmp_path / "unwatched", drift=[DEARER], monitors=[])
    assert unwatched.digest == drifted.digest
    rows = unwatched.series("acceptance")
    assert rows.shape == (5, 26)
    assert CUSUM(reference=10, h=8).rings(rows).shape == (5, 26)


@pytest.mark.parametrize(
    ("monitor", "said"),
    [
        ({"series": "acceptanc"}, "no metric named 'acceptanc'.*'acceptance'"),
        ({"series": "latency_p95"}, "no mean over turns"),
        ({"series": "reward", "detector": "cusun"}, "must have a 'name' among 'cusum'"),
        ({"series": "reward", "detector": {"name": "cusum", "kk": 1}}, "detector.kk is not a known key"),
    ],
)
def test_a_monitor_that_cannot_be_is_refused_before_the_run(monitor, said, tmp_path):
    """The message names what was wrong and what there is."""
    with pytest.raises(ScenarioError, match=said):
        rehearse.run("travel", out=tmp_path / "run", settings={"monitors": [monitor]})
    assert not (tmp_path / "run").exists()


def test_alarms_of_what_nobody_watches_or_what_is_no_number_do_not_pass(tmp_path):
    """The first is refused before the run; a mean of words is unsure, and the run has its verdict."""
    unwatched = {"criteria": [{"metric": "alarms:acceptanc", "at_most": 0}]}
    with pytest.raises(ScenarioError, match=r"no monitor watches.*'acceptance'"):
        rehearse.run("travel", out=tmp_path / "run", settings=unwatched)
    words = {
        "monitors": [{"series": "psi:fault"}],
        "criteria": [{"metric": "alarms", "at_most": 0}, {"metric": "mean:fault", "at_most": 0}],
    }
    size = {"users": 20, "ticks": 4, "replicas": 2}
    found = rehearse.run("travel", out=tmp_path / "run", settings=words, **size)
    assert [one["verdict"] for one in found.criteria] == ["unsure", "unsure"]


def scored(ticks=24, at=16, people=400):
    """Return a record of scores that are true chances until a tick, and .4 too high from it on."""
    shape = (3, people, ticks)
    chance, luck = Chance(4).uniform("scored", 0, np.arange(int(np.prod(shape))), count=2).T
    late = np.arange(ticks) >= at
    score = (0.6 * chance.reshape(shape) + 0.4 * late).astype(np.float32)
    label = (luck.reshape(shape) < 0.6 * chance.reshape(shape)).astype(np.int8)
    goal = np.where(late & (np.arange(people) % 2 == 0)[:, None], 0, 1).astype(bool)
    return maker.sessions_of_one_turn(
        goal=goal, replicas=3, count=people, ticks=ticks, score=score, label=label
    )


def test_calibration_gaps_and_divergences_are_what_they_are_defined_to_be():
    """Scores that come to be .4 too high: ECE .4, Brier .06 + .16, KS distance 2/3, PSI by hand; gap 1."""
    record = scored()
    late = slice(16, None)
    assert values_of(record, "ece")[0, :16].max() < 0.06
    assert values_of(record, "ece")[0, late].mean() == pytest.approx(0.4, abs=0.02)
    brier = values_of(record, "brier")
    assert brier.shape == (3, 24)
    assert brier[:, late].mean() - brier[:, :16].mean() == pytest.approx(0.16, abs=0.02)
    assert values_of(record, "ks:score")[0, late].mean() == pytest.approx(2 / 3, abs=0.03)
    assert values_of(record, "gap:acceptance")[0].tolist() == [0.0] * 16 + [1.0] * 8
    measured = Measures(record)
    assert measured.interval(find("ece"), 0.95).estimate == pytest.approx(8 / 24 * 0.4, abs=0.02)
    told = watch(record).divergence
    assert set(told) == {f"{how}_{what}" for how in HOW_FAR for what in ("actions", "outcomes", "score")}
    assert np.array(told["js_score"])[late].min() > 0.3
    assert np.array(told["js_score"])[:16].max() < 0.05


def test_an_alarm_of_calibration_names_the_version_that_was_deployed():
    """Where nothing was scheduled, a new version is the likely cause; a series that is not there is said."""
    record = scored()
    record.turns = type(record.turns)(dict(record.turns) | {"version": (record.turns["tick"] >= 16) * 1})
    named = ("ece", "brier", "gap:acceptance", "ks:score", "mean:absent")
    record.manifest["monitors"] = [{"series": name, "detector": None} for name in named]
    found = alarms(record)
    assert {(a.series, a.tick, a.onset) for a in found} == {(name, 16, 16) for name in named[:4]}
    assert {a.cause for a in found} == {"version 1 of the model was deployed"}
    assert watch(record).missing == ("mean:absent",)
    assert stream(record, "mean:absent") is None
    with pytest.raises(UserError, match="was not recorded"):
        values_of(record, "mean:absent")
    assert find("alarms:ece").measure.measure(record) == 1.0
    assert np.isnan(find("alarms:mean:absent").measure.measure(record))
    assert np.isnan(find("alarms").measure.measure(record))
