"""Metrics are read off the record as they are defined."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.chance import Chance
from rehearse.errors import ScenarioError
from rehearse.experiments.metrics import METRICS, Measures, Part, check, find, series
from rehearse.experiments.metrics.consumption import concentration, gini, homogeneity, mean_overlap
from rehearse.experiments.metrics.emergence import at_end
from rehearse.experiments.metrics.society import (
    action_drift,
    jensen_shannon,
    psi,
)
from rehearse.scenario.model import Criterion

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

ROWS = [
    # A first session of user 0: refused, then took the train; met the goal at the second turn.
    {"action": 0, "choice": -1, "regret": 1.0, "right": 0, "latency": 100.0, "satisfaction": 0.4},
    {
        "turn": 1,
        "action": 1,
        "choice": 1,
        "latency": 300.0,
        "satisfaction": 0.9,
        "end": "goal_met",
        "reward": 2.0,
    },
    # User 1 gave up after an answer that failed through the model.
    {"user": 1, "action": -1, "right": -1, "regret": math.nan, "fault": "raised", "end": "none", "ideal": -1},
    {"user": 1, "turn": 1, "action": 2, "regret": 3.0, "right": 0, "satisfaction": 0.1, "end": "abandoned"},
    # User 2 was cut off by the infrastructure, user 3 by an injected fault.
    {"user": 2, "action": 0, "choice": 0, "satisfaction": 0.7, "end": "infra_error"},
    {"user": 3, "action": -1, "right": -1, "regret": math.nan, "fault": "injected", "end": "policy_error"},
]
EXPECTED = {
    "goal_completion": 1 / 3,
    "acceptance": 2 / 4,
    "regret": (1.0 + 0.0 + 3.0 + 0.0) / 4,
    "rightness": 2 / 4,
    "satisfaction": (0.9 + 0.1 + 0.5) / 3,
    "abandonment": 1 / 3,
    "turns_to_goal": 2.0,
    "error_rate": 1 / 4,
    "fault_rate": 2 / 6,
    "reward": 2.0 / 6,
    "return_rate": 4 / 8,
}


@pytest.fixture
def record():
    """Return a record of four people in one replica over two ticks."""
    return maker.Made(maker.turns_of(ROWS), maker.people(1, 4), maker.society(1, 2))


def value(record, name, part=None):
    """Return a metric's estimate."""
    return Measures(record).interval(find(name), 0.95, part).estimate


@pytest.mark.parametrize("coupled", [True, False])
def test_means_are_what_their_definition_says(record, coupled):
    """Each mean over turns equals the one counted by hand, whatever the unit."""
    record.manifest["coupled"] = coupled
    measures = Measures(record)
    found = {name: measures.sample(METRICS[name]).mean for name in EXPECTED}
    assert found == pytest.approx(EXPECTED)


def test_a_group_is_its_own_people(record):
    """Users 0 and 2 are `low`, 1 and 3 `high`: completion 1 of 1 and 0 of 2."""
    assert value(record, "goal_completion", Part("group", "low")) == 1.0
    assert value(record, "goal_completion", Part("group", "high")) == 0.0
    assert value(record, "gap:goal_completion") == 1.0


def test_latency_is_a_percentile_of_turns(record):
    """Half of the six turns took 100 ms, one took 300."""
    assert value(record, "latency_p50") == 100.0
    assert value(record, "latency_p99") == pytest.approx(np.percentile([100.0] * 5 + [300.0], 99))


def test_sessions_are_counted_over_the_ticks_that_people_were_here(record):
    """Where people come and go, four sessions in six ticks of being here are two a three ticks."""
    record.users["ticks_here"] = np.array([2, 1, 2, 1])
    assert value(record, "return_rate") == pytest.approx(4 / 6)


def test_who_never_came_is_not_counted(record):
    """Of four people drawn three were ever here."""
    record.users["ticks_here"] = np.array([2, 1, 2, 0])
    assert Measures(record).people() == 3
    assert Measures(record).people(Part("group", "high")) == 1


def test_churn_retention_and_growth_are_read_off_lives(record):
    """Churn is leavings a tick here, retention those here of those who were, growth last over first."""
    record.users["ticks_here"] = np.array([2, 1, 2, 0])
    record.users["times_left"] = np.array([0, 1, 1, 0])
    record.users["alive"] = np.array([True, False, True, False])
    ticks = record.ticks
    record.ticks["here"], record.ticks["left"] = np.linspace(2, 3, ticks.length), np.zeros(ticks.length)
    assert value(record, "churn") == pytest.approx(2 / 5)
    assert value(record, "churn", Part("group", "high")) == 1.0
    assert value(record, "gap:churn") == pytest.approx(0.75)
    assert value(record, "retention") == pytest.approx(2 / 3)
    assert value(record, "growth") == pytest.approx(1.5)


def test_where_nobody_comes_or_goes_there_is_no_churn(record):
    """Churn, retention and growth do not apply to a society that stays as it is."""
    assert not any(Measures(record).applies(find(name)) for name in ("churn", "retention", "growth"))


def test_resources_come_from_the_manifest(record):
    """CPU and memory of the policy are measured once a run."""
    found = Measures(record).interval(find("policy_cpu_per_1000"), 0.95)
    assert (found.estimate, found.n, found.unit) == (0.25, 1, "run")


def test_what_a_record_does_not_hold_does_not_apply(record):
    """Harm needs a column, CPU a figure in the manifest."""
    record.manifest["resources"] = {}
    measures = Measures(record)
    assert not measures.applies(find("harm"))
    assert not measures.applies(find("policy_cpu_per_1000"))
    assert math.isnan(measures.interval(find("harm"), 0.95).estimate)


def test_one_group_has_no_gap(record):
    """Where all people are of one group there is no gap to measure."""
    record.users["group"] = np.full(4, "low")
    assert not Measures(record).applies(find("gap:goal_completion"))


def test_units_are_people_only_where_nothing_couples_them():
    """The same record gives one value a replica when coupled, one a person when not."""
    met = Chance(1).uniform("met", 0, np.arange(60))[:, 0].reshape(3, 20, 1) < 0.5
    made = maker.sessions_of_one_turn(goal=met, replicas=3, count=20, ticks=1)
    over_replicas = Measures(made).sample(METRICS["goal_completion"])
    made.manifest["coupled"] = False
    over_people = Measures(made).sample(METRICS["goal_completion"])
    assert (over_replicas.unit, over_replicas.size) == ("replicas", 3)
    assert over_replicas.values == pytest.approx(met.mean(axis=(1, 2)))
    assert (over_people.unit, over_people.size) == ("users", 60)
    assert over_people.mean == pytest.approx(met.mean())


def test_a_percentile_over_people_has_an_interval():
    """For uncoupled people the 95th percentile of latency comes with bounds that hold it."""
    waits = 100.0 * np.exp(Chance(1).normal("wait", 0, np.arange(2000))[:, 0]).reshape(1, 400, 5)
    made = maker.sessions_of_one_turn(
        goal=True, replicas=1, count=400, ticks=5, latency=waits.astype(np.float32)
    )
    made.manifest["coupled"] = False
    found = Measures(made).interval(find("latency_p95"), 0.95)
    assert found.low < 100.0 * np.exp(1.6449) < found.high
    assert found.estimate == pytest.approx(np.quantile(waits, 0.95), rel=1e-4)
    assert found.high - found.low < 0.4 * found.estimate


def test_a_percentile_beside_a_long_tail_is_never_negative():
    """With one slow person in twenty the bounds are latencies that occurred, not a symmetric guess."""
    waits = np.where(np.arange(100) % 20 == 0, 10_000.0, 200.0 + np.arange(100)).reshape(1, 100, 1)
    made = maker.sessions_of_one_turn(
        goal=True, replicas=1, count=100, ticks=4, latency=waits.astype(np.float32)
    )
    made.manifest["coupled"] = False
    found = Measures(made).interval(find("latency_p95"), 0.95)
    assert 200.0 < found.low <= found.estimate <= found.high <= 10_000.0


def test_series_tell_each_tick():
    """Tick by tick the means are those of the turns in it, with how many there were."""
    met = np.zeros((2, 4, 3), dtype=bool)
    met[:, :2, 1] = True
    made = maker.sessions_of_one_turn(goal=met, replicas=2, count=4, ticks=3)
    found = series(made, [find("goal_completion")])
    assert found["goal_completion"].tolist() == [0.0, 0.5, 0.0] * 2
    assert found["goal_completion_n"].tolist() == [4] * 6
    with pytest.raises(TypeError, match="no mean over turns"):
        series(made, [find("latency_p95")])


@pytest.mark.parametrize(
    ("name", "hint"),
    [("goal_completed", "goal_completion"), ("gap:regrets", "gap:regret"), ("satisfacton", "satisfaction")],
)
def test_a_misspelt_metric_is_answered(name, hint):
    """An unknown name is a ScenarioError that names the nearest metric."""
    with pytest.raises(ScenarioError, match=hint.removeprefix("gap:")):
        find(name)


def test_criteria_are_checked_before_anything_runs():
    """Unknown groups, and groups of what has none, are refused with the remedy."""
    check(
        [Criterion(metric="gap:regret", at_most=1.0), Criterion(metric="regret", group="low", at_most=1.0)],
        ("low",),
    )
    with pytest.raises(ScenarioError, match="Did you mean 'low'"):
        check([Criterion(metric="regret", group="lwo", at_most=1.0)], ("low", "high"))
    with pytest.raises(ScenarioError, match="cannot be taken of one group"):
        check([Criterion(metric="gap:regret", group="low", at_most=1.0)], ("low", "high"))
    with pytest.raises(ScenarioError, match="cannot be taken of one group"):
        find("gap:polarisation")


def test_every_metric_says_what_it_is():
    """Every metric has a sentence, a phrase with a place for the value, and a title in words."""
    for metric in METRICS.values():
        assert metric.meaning.endswith(".")
        assert metric.phrase.count("{}") == 1
        assert "_" not in metric.title


@given(st.lists(st.integers(0, 100), min_size=2, max_size=30).filter(any))
def test_gini_is_the_mean_difference_over_twice_the_mean(counts):
    """Gini equals Σ|x − y| / (2 n² mean), its definition."""
    x = np.array(counts, dtype=float)
    direct = np.abs(x[:, None] - x[None, :]).sum() / (2 * len(x) ** 2 * x.mean())
    assert gini(x) == pytest.approx(direct, abs=1e-12)


def test_concentration_counts_items_nobody_took():
    """All choices on one of four items: (4 − 1) / 4; evenly on all: 0."""
    one = maker.sessions_of_one_turn(goal=True, replicas=1, count=8, ticks=1)
    even = maker.sessions_of_one_turn(
        goal=True, replicas=1, count=8, ticks=1, choice=np.arange(8).reshape(1, 8, 1) % 4
    )
    assert concentration(one) == {0: 0.75}
    assert concentration(even) == {0: 0.0}


def test_overlap_is_jaccards():
    """{a, b} and {b, c} share one of three, {a, b} and {d} none of three, {b, c} and {d} none."""
    shown = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool)
    assert mean_overlap(shown) == pytest.approx((1 / 3 + 0 + 0) / 3)


def test_homogeneity_looks_at_whole_slates():
    """Two people who share one of three items in their slates overlap by a third, in each replica."""
    rows = [{"replica": r, "user": u, "action": u, "end": "goal_met"} for r in range(2) for u in range(2)]
    turns = maker.turns_of(rows)
    turns["slate_1"] = np.array([1, 2, 1, 2], dtype=np.int32)
    found = homogeneity(maker.Made(turns, maker.people(2, 2), maker.society(2, 1)))
    assert found == pytest.approx({0: 1 / 3, 1: 1 / 3})


def test_polarisation_is_that_of_the_last_tick():
    """The society's own measure is taken at the end."""
    made = maker.sessions_of_one_turn(goal=True, replicas=2, count=2, ticks=5)
    assert at_end("polarisation")(made) == {0: 0.04, 1: 0.04}


def test_psi_of_a_known_shift():
    """From 50:50 to 70:30 the index is .2 · ln(7/3) = .169."""
    found = psi(np.array([5e6, 5e6]), np.array([7e6, 3e6]), corrected=False)
    assert found == pytest.approx(0.2 * math.log(7 / 3), rel=1e-4)


def test_psi_of_no_drift_is_0_on_average():
    """Two samples of one mix differ by chance; the correction takes the mean of that off."""
    draws = Chance(1).uniform("mix", 0, np.arange(200 * 400))[:, 0].reshape(200, 400)
    kinds = (draws * 8).astype(int)
    found = [
        psi(*(np.bincount(half, minlength=8).astype(float) for half in np.split(row, 2))) for row in kinds
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(200) + 0.002
    raw = [
        psi(*(np.bincount(h, minlength=8).astype(float) for h in np.split(row, 2)), corrected=False)
        for row in kinds
    ]
    assert np.mean(raw) > 0.06


def test_drift_compares_the_last_quarter_with_the_first():
    """A mix that changes only in the last quarter has a large index; a steady one none."""
    action = np.zeros((1, 200, 8), dtype=np.int32)
    action[:, 100:] = 1
    steady = maker.sessions_of_one_turn(goal=True, replicas=1, count=200, ticks=8, action=action)
    later = action.copy()
    later[:, :, 6:] = 1
    moved = maker.sessions_of_one_turn(goal=True, replicas=1, count=200, ticks=8, action=later)
    assert action_drift(steady)[0] == pytest.approx(0.0, abs=0.01)
    assert action_drift(moved)[0] > 1.0
    assert action_drift(moved, Part("group", "low"))[0] > 1.0


def test_jensen_shannon_runs_from_0_to_1_bit():
    """Alike mixes are 0 apart, mixes with nothing in common 1 bit."""
    assert jensen_shannon(np.array([3.0, 1.0]), np.array([6.0, 2.0])) == pytest.approx(0.0)
    assert jensen_shannon(np.array([5.0, 0.0]), np.array([0.0, 2.0])) == pytest.approx(1.0)
