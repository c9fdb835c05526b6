"""Intervals hold what they promise: over replicas, over people, for shares that hardly vary, for pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rehearse.chance import Chance
from rehearse.errors import ContractError
from rehearse.experiments.intervals import (
    Counts,
    Sample,
    interval,
    linearised,
    linearised_quantile,
    paired,
    signed_gap,
    t_interval,
    widest_gap,
    wilson,
)
from rehearse.experiments.pairing import variance_ratio

CHECKS = Path(__file__).parents[3] / "shared" / "checks" / "science.json"


def normal(name, shape, seed=1):
    """Return standard normal numbers of a shape, the same in every run."""
    return Chance(seed).normal(name, 0, np.arange(int(np.prod(shape))))[:, 0].reshape(shape)


def uniform(name, shape, seed=1):
    """Return uniform numbers of a shape, the same in every run."""
    return Chance(seed).uniform(name, 0, np.arange(int(np.prod(shape))))[:, 0].reshape(shape)


def expected(check):
    """Return what science.json expects of a check; skips where the file is not there."""
    if not CHECKS.is_file():
        pytest.skip("shared/checks/science.json is not here")
    return next(c["expected"] for c in json.loads(CHECKS.read_text()) if c["id"] == check)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(0.51, 0.999))
def test_the_interval_over_replicas_is_students(values, confidence):
    """Mean and bounds equal those of scipy's t interval."""
    sample = Sample.of_replicas(np.array(values))
    found = t_interval(sample, confidence)
    error = stats.sem(values)
    low, high = (
        np.mean(values) + s * stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * error for s in (-1, 1)
    )
    assert found.low == pytest.approx(low, abs=1e-7)
    assert found.high == pytest.approx(high, abs=1e-7)
    assert found.n == len(values)


def test_a_replica_without_anything_is_left_out():
    """NaN is not a value: the interval rests on the replicas that have one."""
    found = t_interval(Sample.of_replicas(np.array([1.0, np.nan, 3.0])), 0.95)
    assert (found.estimate, found.n) == (2.0, 2)


def test_one_unit_gives_an_estimate_and_no_bounds():
    """A single replica has a mean; how far it may be off is not known."""
    found = interval(Sample.of_replicas(np.array([0.7])), 0.95)
    assert found.estimate == 0.7
    assert not found.known


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=3, max_size=40),
    st.integers(0, 50),
)
def test_people_without_turns_do_not_sharpen_a_ratio(pairs, strangers):
    """The interval of a ratio depends on the people who have something to count, and on nobody else."""
    over = np.array([min(a, b) for a, b in pairs], dtype=float)
    under = np.array([b for _, b in pairs], dtype=float)
    alone = t_interval(linearised(over, under), 0.95)
    padding = np.zeros(strangers)
    beside = t_interval(linearised(np.concatenate([over, padding]), np.concatenate([under, padding])), 0.95)
    assert alone.estimate == pytest.approx(over.sum() / under.sum())
    assert beside.low == pytest.approx(alone.low)
    assert beside.high == pytest.approx(alone.high)


def test_the_linearised_error_is_the_textbook_one():
    """The standard error of a ratio is sqrt(n/(n-1) · Σ(over − θ·under)²) / Σ under (Cochran 1977, 6.13)."""
    over, under = np.array([1.0, 0.0, 3.0, 2.0]), np.array([2.0, 1.0, 3.0, 4.0])
    residuals = over - 0.6 * under
    assert linearised(over, under).error == pytest.approx(np.sqrt(4 / 3 * (residuals**2).sum()) / 10.0)


def test_people_as_units_cover_where_turns_as_units_do_not():
    """With 20 alike turns a person, the interval over people covers the truth, that over turns far less."""
    taste = uniform("taste", (400, 60))
    turns = uniform("turn", (400, 60, 20)) < taste[:, :, None]
    by_people = by_turns = 0
    for run in turns:
        people = interval(linearised(run.sum(axis=1).astype(float), np.full(60, 20.0)), 0.95)
        by_people += people.low <= 0.5 <= people.high
        reach = 1.96 * np.sqrt(run.mean() * (1 - run.mean()) / run.size)
        by_turns += abs(run.mean() - 0.5) <= reach
    assert 0.92 <= by_people / 400 <= 0.98
    assert by_turns / 400 < 0.6


def test_a_quantile_of_people_is_covered():
    """The linearised interval of a 95th percentile covers the true one about as often as it says."""
    draws = np.exp(normal("latency", (300, 200, 5)))
    truth, covered = float(np.exp(stats.norm.ppf(0.95))), 0
    for run in draws:
        value = float(np.quantile(run, 0.95))
        near, far = np.quantile(run, [0.93, 0.97])
        sample = linearised_quantile(
            (run <= value).sum(axis=1) * 1.0, np.full(200, 5.0), value, 0.04 / (far - near)
        )
        found = interval(sample, 0.95)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 300 <= 0.98


def test_no_event_among_many_people_is_not_certainty():
    """Ten replicas without one event: the interval ends where n agreeing people leave off, about 3.8 / n."""
    sample = Sample.of_replicas(np.zeros(10), bounded=True, counts=Counts(1000, 0, 1000))
    found = interval(sample, 0.95)
    assert found.low == 0.0
    assert found.high == pytest.approx(3.84 / 1000, rel=0.01)


def test_replicas_that_agree_by_chance_leave_room():
    """Two replicas with the same share of few people do not make the share certain."""
    found = interval(Sample.of_replicas(np.array([0.5, 0.5]), bounded=True, counts=Counts(20, 10, 10)), 0.95)
    assert (found.low, found.high) == pytest.approx(wilson(0.5, 20, 0.95))


def test_a_share_stays_between_0_and_1():
    """Bounds of a share are clipped to what a share can be."""
    found = interval(
        Sample.of_replicas(np.array([0.9, 1.0, 1.0]), bounded=True, counts=Counts(90, 90, 9)), 0.95
    )
    assert found.high == 1.0


def test_wilson_agrees_with_scipy():
    """The score interval equals scipy's."""
    theirs = stats.binomtest(3, 40).proportion_ci(0.95, method="wilson")
    assert wilson(3 / 40, 40, 0.95) == pytest.approx((theirs.low, theirs.high))


def test_the_widest_of_equal_groups_is_no_finding():
    """Among six groups without a difference, the gap's interval excludes 0 in at most about 5 of 100 runs."""
    draws = normal("groups", (600, 6, 10))
    false = sum(widest_gap([Sample.of_replicas(g) for g in run], 0.95).low > 0.0 for run in draws)
    assert false / 600 <= 0.06


def test_a_real_gap_is_found():
    """A group that differs by ten standard errors is found: the gap lies in the interval, with its sign."""
    values = normal("gap", (3, 10)) * 0.1
    values[2] += 1.0
    found = widest_gap([Sample.of_replicas(v) for v in values], 0.95)
    assert 0.5 < found.low <= found.estimate <= found.high < 1.5
    signed = signed_gap([Sample.of_replicas(v) for v in values[1:]], 0.95)
    assert -1.5 < signed.low <= signed.estimate <= signed.high < -0.5


def test_two_groups_without_events_may_still_differ():
    """Where neither group saw an event, the gap is 0 and its interval is as wide as their sizes allow."""
    small, large = (Sample.of_replicas(np.zeros(5), bounded=True, counts=Counts(n, 0, n)) for n in (50, 5000))
    found = widest_gap([small, large], 0.95)
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(wilson(0.0, 50, 0.95)[1], rel=0.02)


def test_pairing_other_units_is_refused():
    """Values of other units have no differences."""
    with pytest.raises(ContractError, match="cannot be paired"):
        Sample.of_replicas(np.zeros(3)).minus(Sample.of_replicas(np.zeros(4)))


@pytest.mark.parametrize("replicas", [3, 10])
def test_two_equal_models_differ_in_5_of_100_comparisons(replicas):
    """The paired interval at 95 % excludes 0 in 5 of 100 comparisons of equals."""
    luck = normal("luck", (2000, 1, replicas), replicas) * 3.0
    values = luck + normal("own", (2000, 2, replicas), replicas)
    false = 0
    for a, b in values:
        found = paired(Sample.of_replicas(b), Sample.of_replicas(a), 0.95)
        false += not found.low <= 0.0 <= found.high
    assert false / 2000 == pytest.approx(0.05, abs=0.015)


@pytest.mark.science
def test_common_luck_saves_as_much_as_published_for_the_newsvendor():
    """Ordering 50 or 55 papers (sold at 10, bought at 6) under one demand: variance ratio 17.16."""
    crn = expected("experiment_statistics")["crn"]
    demand = 50.0 + 10.0 * normal("demand", (200_000,))
    less, more = (Sample.of_replicas(10.0 * np.minimum(demand, q) - 6.0 * q) for q in (50.0, 55.0))
    assert less.mean == pytest.approx(crn["mean50"], abs=0.5)
    assert variance_ratio(more, less) == pytest.approx(crn["variance_ratio"], rel=0.05)
    assert more.minus(less).variance == pytest.approx(crn["var_diff_crn"], rel=0.05)


@pytest.mark.science
def test_common_luck_saves_as_much_as_published_for_two_shares():
    """Shares of .5 and .55 from the same uniform draws: variance ratio 10.47."""
    crn = expected("experiment_statistics")["crn_bernoulli"]
    luck = uniform("luck", (400_000,))
    a, b = (Sample.of_replicas((luck < p).astype(float)) for p in (crn["pA"], crn["pB"]))
    assert b.minus(a).variance == pytest.approx(crn["var_crn"], rel=0.03)
    assert variance_ratio(b, a) == pytest.approx(crn["ratio"], rel=0.03)
