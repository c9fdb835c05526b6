"""Metrics on logs of sessions that others held: published numbers from published files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import rehearse
from rehearse.experiments.metrics import Measures, Part, fairness, find, repeats

pytestmark = pytest.mark.science

DATA = Path(__file__).parents[3] / "shared" / "data"
TAU = DATA / "taubench_gpt-4o-airline.json"
COMPAS = DATA / "compas-scores-two-years.csv"
TRIALS = {"user": "task_id", "session": "trial", "success": "reward = 1"}
SCORES = {
    "user": "id",
    "group": "race",
    "selected": "score_text <> 'Low'",
    "qualified": "two_year_recid",
}

needs_tau = pytest.mark.skipif(
    not TAU.is_file(), reason=f"needs {TAU.name} in shared/data beside the project"
)
needs_compas = pytest.mark.skipif(not COMPAS.is_file(), reason=f"needs {COMPAS.name} in shared/data")


@pytest.fixture(scope="module")
def trials():
    """Return 50 tasks of an airline's desk, four trials each, as a record."""
    return rehearse.read_log(TAU, TRIALS)


@needs_tau
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pass^1", 0.42),
        ("pass^2", 0.2733333333333333),
        ("pass^3", 0.22),
        ("pass^4", 0.2),
        ("pass@1", 0.42),
        ("pass@2", 0.5666666666666667),
        ("pass@3", 0.66),
        ("pass@4", 0.72),
    ],
)
def test_reliability_is_that_of_tau_bench(trials, name, value):
    """gpt-4o on τ-bench's airline: .420/.273/.220/.200 (its README), to 1e-12 from the trajectories."""
    found = Measures(trials).interval(find(name), 0.95)
    assert found.estimate == pytest.approx(value, abs=1e-12)
    assert found.low < value < found.high
    assert found.n == 50


@needs_tau
def test_nothing_is_said_beyond_four_trials(trials):
    """With four trials a task, pass^5 is not known, and the table ends at 4."""
    assert math.isnan(Measures(trials).interval(find("pass^5"), 0.95).estimate)
    assert repeats.table(trials)["k"].tolist() == [1, 2, 3, 4]


@needs_tau
def test_every_message_of_a_dialogue_can_be_a_turn():
    """Read by the messages of the users, a dialogue has 7.45 turns and a message 18.2 words (to .1)."""
    words = {"words": "length(\"traj.content\") - length(replace(\"traj.content\", ' ', '')) + 1"}
    log = rehearse.read_log(TAU, TRIALS | words, each="traj", where="\"traj.role\" = 'user'")
    assert log.manifest["user_turns"] / 200 == 7.45
    assert Measures(log).interval(find("mean:words"), 0.95).estimate == pytest.approx(18.2, abs=0.1)


@needs_compas
def test_who_was_held_to_be_a_risk_is_propublicas_table():
    """COMPAS: counts exactly and rates to 1e-4 of ProPublica's table (Larson and others, 2016)."""
    found = fairness.table(rehearse.read_log(COMPAS, SCORES))
    counts = {
        "all": (7214, 2035, 1216, 1282, 2681),
        "African-American": (3696, 1369, 532, 805, 990),
        "Caucasian": (2454, 505, 461, 349, 1139),
    }
    rates = {
        "all": (0.32349230381024474, 0.3740387573054445, 0.6135061802833887),
        "African-American": (0.44846796657381616, 0.27985270910047344, 0.6297148114075437),
        "Caucasian": (0.23454301075268819, 0.4772256728778468, 0.5913348946135831),
    }
    for group, numbers in counts.items():
        assert tuple(found[group][name] for name in ("n", "TP", "FN", "FP", "TN")) == numbers
        told = tuple(found[group][name] for name in ("FPR", "FNR", "PPV"))
        assert told == pytest.approx(rates[group], abs=1e-4)


@needs_compas
def test_rows_can_be_left_out():
    """ProPublica's own filter leaves 6,172 people."""
    filtered = (
        "days_b_screening_arrest BETWEEN -30 AND 30 AND is_recid <> -1 "
        "AND c_charge_degree <> 'O' AND score_text <> 'N/A'"
    )
    assert rehearse.read_log(COMPAS, SCORES, where=filtered).manifest["user_turns"] == 6172


@needs_compas
def test_groups_are_measured_as_those_of_a_run_are():
    """The rates of the table are those of the metrics that judge a run."""
    log = rehearse.read_log(COMPAS, SCORES)
    found = fairness.table(log)["Caucasian"]
    told = Measures(log).interval(find("false_positive_rate"), 0.95, Part("group", "Caucasian"))
    assert told.estimate == pytest.approx(found["FPR"], abs=1e-12)
