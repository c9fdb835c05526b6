"""Measures of consumption are what their definitions say, tick by tick and over a run."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.chance import Chance
from rehearse.experiments.metrics import Measures, Part, find
from rehearse.experiments.metrics.consumption import (
    courses,
    gini,
    herfindahl,
    mean_overlap,
    random_pairs,
    top_share,
)

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

COUNTS = st.lists(st.integers(0, 100), min_size=1, max_size=30).filter(any)


def test_gini_of_known_counts():
    """Equal counts have 0, one that has all (m − 1) / m, and 1, 2, 3, 4 have 1/4."""
    assert gini([5, 5, 5]) == pytest.approx(0.0, abs=1e-15)
    assert gini([0, 0, 0, 9]) == pytest.approx(0.75)
    assert gini([1, 2, 3, 4]) == pytest.approx(0.25)
    assert np.isnan(gini([0, 0]))


@given(COUNTS, st.integers(1, 9))
def test_concentration_keeps_its_bounds_and_ignores_the_unit(counts, times):
    """Every index stays the same when all counts are multiplied, or put in another order."""
    m = len(counts)
    least = {gini: 0.0, herfindahl: 1.0 / m, top_share: 1.0 / m}
    for measure, low in least.items():
        found = float(measure(counts))
        assert low - 1e-12 <= found <= 1.0 + 1e-12
        assert float(measure([times * n for n in reversed(counts)])) == pytest.approx(found)


def test_indices_of_known_counts():
    """Shares of .5, .3, .2 have a Herfindahl index of .38; 2 of 200 items hold the top percent."""
    assert herfindahl([5, 3, 2]) == pytest.approx(0.38)
    counts = np.ones(200)
    counts[[7, 99]] = [60, 42]
    assert top_share(counts) == pytest.approx(102 / 300)
    assert top_share([3, 1]) == pytest.approx(0.75)


def test_rows_are_measured_apart():
    """A table of counts gives what each of its lines gives."""
    counts = np.array([[1, 2, 3], [9, 0, 0], [0, 0, 0]])
    for measure in (gini, herfindahl, top_share):
        assert measure(counts) == pytest.approx([float(measure(line)) for line in counts], nan_ok=True)


@given(st.integers(0, 10**6))
def test_overlap_is_the_mean_over_all_pairs(seed):
    """It equals a loop over pairs of Python sets; those who took nothing are left out."""
    taken = Chance(seed).uniform("taken", 0, np.arange(12), count=8) < 0.2
    sets = [set(np.flatnonzero(row).tolist()) for row in taken]
    found = [len(a & b) / len(a | b) for a, b in combinations(sets, 2) if a and b]
    assert mean_overlap(taken) == pytest.approx(np.mean(found) if found else np.nan, nan_ok=True)


def test_random_pairs_estimate_the_mean_over_all():
    """Pairs are of two people, the same ones every time, and many of them come near all."""
    taken = Chance(2).uniform("taken", 0, np.arange(300), count=20) < 0.3
    pairs = random_pairs(300, 4000, Chance(5))
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert (pairs == random_pairs(300, 4000, Chance(5))).all()
    assert np.bincount(pairs.ravel(), minlength=300).min() > 0
    assert mean_overlap(taken, pairs) == pytest.approx(mean_overlap(taken), abs=0.01)


def some_record():
    """Return a record in which three replicas of 30 people take one of four items, or none, 5 times."""
    drawn = Chance(8).uniform("choice", 0, np.arange(3 * 30 * 5))[:, 0].reshape(3, 30, 5)
    choice = np.where(drawn < 0.3, -1, (drawn * 4).astype(np.int32)).astype(np.int32)
    return maker.sessions_of_one_turn(goal=True, replicas=3, count=30, ticks=5, choice=choice), choice


def test_courses_follow_everything_taken_so_far():
    """At each tick they are the measures of what was counted by hand up to it."""
    record, choice = some_record()
    found = courses(record)
    assert found["tick"].tolist() == np.repeat(np.arange(5), 3).tolist()
    for replica, tick in ((0, 0), (1, 2), (2, 4)):
        here = tick * 3 + replica
        taken = choice[replica, :, : tick + 1]
        counts = np.bincount(taken[taken >= 0], minlength=4)
        assert found["concentration"][here] == pytest.approx(float(gini(counts)))
        assert found["herfindahl"][here] == pytest.approx(float(herfindahl(counts)))
        assert found["top_share"][here] == pytest.approx(counts.max() / counts.sum())
        sets = np.stack([[(row == item).any() for item in range(4)] for row in taken])
        assert found["homogeneity_of_choices"][here] == pytest.approx(mean_overlap(sets))


def test_the_last_tick_has_what_the_verdict_says():
    """Each course ends in its metric of the whole run, replica by replica; groups can be asked for."""
    record, choice = some_record()
    last = courses(record).take(np.arange(12, 15))
    measures = Measures(record)
    for column in ("concentration", "herfindahl", "top_share", "homogeneity_of_choices"):
        metric = find(column.replace("_of_", ":"))
        assert measures.sample(metric).values == pytest.approx(last[column])
    low = choice[:, ::2]
    counts = [np.bincount(of[of >= 0], minlength=4) for of in low]
    assert measures.sample(find("herfindahl"), Part("group", "low")).values == pytest.approx(
        [float(herfindahl(c)) for c in counts]
    )


def test_before_anything_was_taken_there_is_nothing_to_measure():
    """A tick in which nobody has taken anything yet has NaN, not 0."""
    choice = np.full((1, 4, 2), -1)
    choice[0, :, 1] = 2
    record = maker.sessions_of_one_turn(goal=True, replicas=1, count=4, ticks=2, choice=choice)
    found = courses(record)
    assert np.isnan(found["concentration"][0])
    assert np.isnan(found["homogeneity_of_choices"][0])
    assert found["homogeneity_of_choices"][1] == 1.0
