"""Comparing two runs of the same people with the same luck."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rehearse.chance import Chance
from rehearse.errors import UserError
from rehearse.experiments.compare import Comparison, compare
from rehearse.experiments.pairing import holm, pairing

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

SHAPE = (8, 40, 5)
LUCK = Chance(4).uniform("luck", 0, np.arange(int(np.prod(SHAPE))))[:, 0].reshape(SHAPE)
SOCIETY = 0.15 * Chance(4).normal("society", 0, np.arange(8))[:, 0].reshape(8, 1, 1)


def run(share, *, coupled=True, version="1", **columns):
    """Return a run whose sessions meet the goal when luck is below a share that varies by replica."""
    goal = share + SOCIETY > LUCK
    record = maker.sessions_of_one_turn(goal=goal, replicas=8, count=40, ticks=5, **columns)
    record.manifest |= {"coupled": coupled, "policy": {"name": "model", "version": version}}
    return record


def row(found, metric, group=None):
    """Return the difference in one metric."""
    return next(d for d in (*found.differences, *found.groups) if (d.metric, d.group) == (metric, group))


@pytest.fixture(scope="module")
def found():
    """Return the comparison of a model with one that is a little better."""
    return compare(run(0.55), run(0.6, version="2"))


def test_the_same_run_differs_in_nothing():
    """A run compared with itself has differences of 0 and no winner."""
    same = compare(run(0.5), run(0.5))
    assert {d.difference for d in same.differences} == {0.0}
    assert {d.change for d in same.differences} == {"no clear difference"}
    assert same.gained == same.lost == ()


def test_pairing_finds_what_two_samples_would_miss(found):
    """Replicas differ far more than the models do; paired, the difference is found with the same runs."""
    completion = row(found, "goal_completion")
    assert completion.change == "better"
    assert completion.low <= completion.difference <= completion.high
    assert completion.low > 0.0
    assert completion.correlation > 0.9
    assert completion.variance_ratio > 10.0
    unpaired = np.sqrt(completion.variance_ratio) * (completion.high - completion.low) / 2
    assert unpaired > completion.difference


def test_better_depends_on_the_metric(found):
    """Less regret and less abandonment are better."""
    assert row(found, "regret").difference < 0.0
    assert row(found, "regret").change == row(found, "abandonment").change == "better"


def test_groups_are_compared_by_themselves(found):
    """Each group has its own difference, and together they make up the whole."""
    whole = row(found, "goal_completion").difference
    parts = [row(found, "goal_completion", group).difference for group in ("low", "high")]
    assert np.mean(parts) == pytest.approx(whole)


def test_strangers_are_paired_one_by_one():
    """Where nothing couples people the pairs are people: 320 of them instead of 8 replicas."""
    found = compare(run(0.55, coupled=False), run(0.6, coupled=False))
    completion = row(found, "goal_completion")
    assert (found.unit, found.n, completion.n) == ("users", 320, 320)
    assert completion.change == "better"
    assert completion.difference == pytest.approx(
        row(compare(run(0.55), run(0.6)), "goal_completion").difference
    )


def test_a_learner_is_compared_by_replicas():
    """If one model couples people (it learns) and the other does not, replicas are the pairs."""
    found = compare(run(0.55, coupled=False), run(0.6, coupled=True))
    assert (found.unit, row(found, "goal_completion").unit) == ("replicas", "replicas")


def test_it_names_who_gained_and_lost():
    """The person who was made happier, and the one who was made unhappier, come first."""
    before = np.full(SHAPE, 0.5, dtype=np.float32)
    after = before.copy()
    after[2, 3], after[5, 6] = 0.9, 0.1
    found = compare(run(0.5, satisfaction=before), run(0.5, satisfaction=after))
    assert [(p.replica, p.user, p.group) for p in found.gained] == [(2, 3, "high")]
    assert [(p.replica, p.user, p.group) for p in found.lost] == [(5, 6, "low")]
    assert found.gained[0].satisfaction == pytest.approx(0.4, abs=1e-6)


def test_what_is_measured_once_has_no_interval(found):
    """CPU time is one number a run: its difference is told without bounds or a winner."""
    cpu = row(found, "policy_cpu_per_1000")
    assert (cpu.unit, cpu.low, cpu.change) == ("run", None, "no clear difference")


@pytest.mark.parametrize("key", ["seed", "people_digest"])
def test_other_people_or_luck_are_refused(key):
    """Runs that did not meet the same people with the same luck are not compared."""
    a, b = run(0.5), run(0.5)
    b.manifest[key] = "another"
    with pytest.raises(UserError, match=r"cannot be paired.*same --seed"):
        compare(a, b)


def test_the_table_is_readable(found):
    """The table names both models, aligns its columns and says which is better."""
    lines = found.table().splitlines()
    assert lines[:2] == ["A  model 1", "B  model 2"]
    completion = next(line for line in lines if line.startswith("goal completion"))
    assert completion.endswith("better")
    assert "points" in completion
    assert "low:" in lines


def test_the_comparison_goes_to_json_and_back(found):
    """What is written is what was compared."""
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_words_are_corrected_for_how_many_were_looked_at(found):
    """No corrected p is below its own, the least is multiplied by their number, and words go by them."""
    lot = [d for d in found.differences if d.p is not None]
    least = min(lot, key=lambda d: d.p)
    assert least.p_corrected == pytest.approx(min(1.0, least.p * len(lot)))
    assert all(d.p_corrected >= d.p for d in lot)
    for difference in lot:
        assert (difference.change == "no clear difference") == (difference.p_corrected >= 0.05)
    assert "(Holm)" in found.table()


def test_equal_models_seldom_seem_to_differ():
    """Of 200 lots of twenty true nothings, one false word in about 5 of 100; uncorrected in 64 of 100."""
    values = Chance(9).normal("none", 0, np.arange(200 * 20), count=12).reshape(200, 20, 12)
    ps = np.array([[pairing(np.zeros(12), v).p for v in lot] for lot in values])
    assert (ps.min(axis=1) < 0.05).mean() > 0.5
    assert np.mean([np.nanmin(holm(lot)) < 0.05 for lot in ps]) == pytest.approx(0.05, abs=0.03)


def test_other_people_are_two_samples():
    """Across scenarios with other seeds nothing is paired; the interval and the chance are Welch's."""
    a, b = run(0.5), run(0.7)
    b.manifest["seed"] = 2
    for side, name in ((a, "calm"), (b, "storm")):
        side.manifest["scenario"] = {"name": name}
    found = compare(a, b, across=True)
    completion = row(found, "goal_completion")
    assert (found.paired, found.b, found.gained) == (False, "model 1 in storm", ())
    assert completion.variance_ratio is None
    means = [
        [np.mean(side.turns["end"][side.turns["replica"] == r] == "goal_met") for r in range(8)]
        for side in (a, b)
    ]
    test = stats.ttest_ind(means[1], means[0], equal_var=False)
    bounds = test.confidence_interval(0.95)
    assert (completion.low, completion.high) == pytest.approx((bounds.low, bounds.high), abs=1e-6)
    assert completion.p == pytest.approx(test.pvalue, rel=1e-6)
