"""Peeking, planned looks and pairing save and cost what is published; sequences hold at every look."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.errors import UserError
from rehearse.experiments.looks import obrien_fleming, peeking_error, pocock
from rehearse.experiments.pairing import pairing
from rehearse.experiments.sequences import bounded_bounds, mean_bounds, share_bounds

PEEKING = {1: 0.05, 2: 0.08312, 3: 0.10726, 4: 0.12617, 5: 0.14169, 10: 0.19336, 20: 0.24791, 50: 0.32045}
POCOCK = {2: 2.17827, 3: 2.28948, 4: 2.36130, 5: 2.41318, 10: 2.55501}
OBRIEN_FLEMING = {2: 1.97743, 3: 2.00404, 4: 2.02430, 5: 2.04007, 10: 2.08650}
LIVES, LOOKS = 1000, 100

pytestmark = pytest.mark.science


def ever_missed(bounds, truth):
    """Return whether a sequence of bounds misses the truth at one look at least."""
    return bool(((bounds[:, 0] > truth) | (bounds[:, 1] < truth)).any())


def test_peeking_and_its_limits_are_as_published():
    """Armitage 1969, Pocock 1977, O'Brien and Fleming 1979, to four digits after the point."""
    for looks, error in PEEKING.items():
        assert peeking_error(looks) == pytest.approx(error, abs=1e-5)
    for looks, limit in POCOCK.items():
        assert pocock(looks) == pytest.approx(limit, abs=1e-5)
    for looks, limit in OBRIEN_FLEMING.items():
        assert obrien_fleming(looks) == pytest.approx(limit, abs=1e-5)
    with pytest.raises(UserError, match="0 looks"):
        peeking_error(0)


def test_who_looks_after_every_value_is_wrong_no_more_often_than_was_said():
    """A t interval taken anew at every look alarms in far more than 5 %; a confidence sequence does not."""
    values = Chance(7).normal("values", 0, np.arange(LIVES), count=LOOKS)
    missed = np.mean([ever_missed(mean_bounds(life), 0.0) for life in values])
    assert 0.005 < missed <= 0.05
    n = np.arange(1, LOOKS + 1)
    z = np.abs(np.cumsum(values, axis=1)) / np.sqrt(n)
    naive = np.mean((z > 1.959964).any(axis=1))
    assert naive > 0.3


def test_bounded_values_and_shares_are_held_at_every_look():
    """Values that are mostly 0 and sometimes 1 are held by both."""
    hits = Chance(8).uniform("hits", 0, np.arange(300), count=200) < 0.1
    missed = np.mean([ever_missed(bounded_bounds(life.astype(float)), 0.1) for life in hits])
    assert missed <= 0.05
    counts = np.cumsum(hits, axis=1)
    looks = np.arange(10, 201, 10)
    bounds = [np.array([share_bounds(int(life[n - 1]), int(n)) for n in looks]) for life in counts[:100]]
    assert np.mean([ever_missed(b, 0.1) for b in bounds]) <= 0.05
    assert share_bounds(0, 0) == (0.0, 1.0)


def test_the_bounds_of_a_mean_are_those_of_the_test_they_come_from():
    """At a bound, the t statistic's Bayes factor with a normal prior of variance 10 is 1 / α."""
    values = np.array([0.3, 0.9, 1.4, 0.2, 0.8, 1.1])
    low, high = mean_bounds(values, 0.9)[-1]
    n, nu, r = 6, 5, 61.0
    for bound in (low, high):
        t2 = n * (values.mean() - bound) ** 2 / values.var(ddof=1)
        factor = ((1 + t2 / nu) / (1 + t2 / (nu * r))) ** (n / 2) / np.sqrt(r)
        assert factor == pytest.approx(10.0)
    assert np.isinf(mean_bounds(values)[1]).all()


def test_common_random_numbers_save_what_is_worked_out():
    """The newsvendor with 50 or 55 papers and N(50, 10) asked for, price 10, cost 6: 17.16 times as few days.

    And two who buy with chances .5 and .55: 10.47 times. Both within 15 % and 5 %, on 40,000 days.
    """
    luck, days = Chance(1), np.arange(40_000)
    asked = 50.0 + 10.0 * luck.normal("demand", 0, days)[:, 0]
    few, many = (10.0 * np.minimum(asked, papers) - 6.0 * papers for papers in (50.0, 55.0))
    found = pairing(few, many)
    assert found.variance_ratio == pytest.approx(17.163, rel=0.15)
    assert found.correlation == pytest.approx(0.9695, abs=0.005)
    assert (found.mean_a, found.mean_b) == pytest.approx((160.106, 150.220), abs=1.2)
    draw = luck.uniform("buy", 0, days)[:, 0]
    assert pairing(draw < 0.5, draw < 0.55).variance_ratio == pytest.approx(10.474, rel=0.05)
