"""Choice models against closed forms, published values and laws that must hold for any utilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rehearse import exact
from rehearse.agents.choice import (
    cascade_choice,
    cascade_probabilities,
    dbn_probabilities,
    inclusive_value,
    logit_choice,
    logit_probabilities,
    possible,
    take_chances,
    worth,
)
from rehearse.chance import Chance

ALPHA = np.array([[0.3, 0.2, 0.5, 0.1, 0.4]])
NO_OUTSIDE = -np.inf
GRID = (np.arange(4000) + 0.5) / 4000

utilities = hnp.arrays(np.float64, (6, 4), elements=st.floats(-30.0, 30.0, allow_subnormal=False))
uniforms = hnp.arrays(np.float64, 6, elements=st.floats(1e-9, 1.0 - 1e-9))


@pytest.mark.science
@pytest.mark.parametrize(
    ("u", "outside", "expected"),
    [
        ((1.0, 0.96), NO_OUTSIDE, (0.5099986668799655, 0.4900013331200346)),
        ((1.0, 0.96), 1.0, (0.3377477596942189, 0.32450448061156223, 0.3377477596942189)),
        ((0.0, 0.0), NO_OUTSIDE, (0.5, 0.5)),
        ((0.0, 0.0, 0.0), NO_OUTSIDE, (1 / 3, 1 / 3, 1 / 3)),
        ((2.0, 1.0, 0.0), 0.0, (0.6102956854136, 0.2245152356993, 0.0825945394435, 0.0825945394435)),
    ],
)
def test_the_logit_gives_published_probabilities(u, outside, expected):
    """McFadden's logit gives the values of RecSim's tests and of the red and blue buses."""
    found = logit_probabilities(np.array([u]), outside)[0]
    assert found[: len(expected)] == pytest.approx(expected, abs=1e-9)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.science
def test_the_cascade_gives_published_probabilities():
    """Craswell's cascade has its closed form, and RecSim's where attention .8 thins every click."""
    plain = cascade_probabilities(ALPHA)[0]
    assert plain == pytest.approx((0.3, 0.14, 0.28, 0.028, 0.1008, 0.1512), abs=1e-9)
    thinned = cascade_probabilities(0.8 * ALPHA)[0]
    recsim = (0.24, 0.1216, 0.25536, 0.0306432, 0.112766976, 0.239629824)
    assert thinned == pytest.approx(recsim, abs=1e-9)


@pytest.mark.science
def test_the_dynamic_bayesian_network_gives_published_probabilities():
    """Chapelle and Zhang's network has its closed form of looking and clicking."""
    satisfaction = np.array([[0.5, 0.5, 0.7, 0.2, 0.6]])
    looked, clicked = dbn_probabilities(ALPHA, satisfaction, 0.9)
    assert looked[0] == pytest.approx((1.0, 0.765, 0.61965, 0.36249525, 0.3197208105), abs=1e-9)
    assert clicked[0] == pytest.approx((0.3, 0.153, 0.309825, 0.036249525, 0.1278883242), abs=1e-9)
    assert clicked.sum() == pytest.approx(0.9269628492, abs=1e-9)


@given(
    hnp.arrays(np.float64, (6, 4), elements=st.floats(-800.0, 800.0) | st.just(-np.inf)),
    st.floats(-800.0, 800.0),
    st.floats(0.0, 5.0),
    st.floats(0.0, 1.0),
)
def test_probabilities_are_parts_of_one(u, outside, noise, attention):
    """However far apart utilities are, what is taken, or nothing, is taken with chances that sum to one."""
    for found in (
        logit_probabilities(u, outside, noise),
        cascade_probabilities(take_chances(u, outside, noise), attention),
    ):
        assert ((found >= -1e-12) & (found <= 1.0)).all()
        assert found.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-12)


@given(utilities, st.floats(-5.0, 5.0), st.floats(0.1, 5.0))
def test_the_ratio_of_two_items_does_not_depend_on_a_third(u, outside, noise):
    """The logit is independent of irrelevant alternatives."""
    all_items = logit_probabilities(u, outside, noise)
    without_last = logit_probabilities(u[:, :3], outside, noise)
    left = all_items[:, 0] * without_last[:, 1]
    right = all_items[:, 1] * without_last[:, 0]
    assert left == pytest.approx(right, rel=1e-9, abs=1e-300)


def test_logit_choices_are_as_frequent_as_their_probabilities():
    """Inversion gives each place its share of the unit interval, to the width of the grid."""
    u = np.tile([1.0, -0.5, 0.3], (len(GRID), 1))
    taken = logit_choice(u, 0.2, 0.7, GRID)
    shares = [(taken == place).mean() for place in (0, 1, 2, -1)]
    assert shares == pytest.approx(logit_probabilities(u[:1], 0.2, 0.7)[0], abs=1.01 / len(GRID))
    border = logit_choice(np.zeros((1, 2)), NO_OUTSIDE, 1.0, np.array([0.5]))
    assert border[0] == 1


def test_noise_flattens_choice_and_its_absence_takes_the_best():
    """With more noise the best item is taken less; with none it is taken for certain."""
    u = np.array([[1.0, 0.0]])
    best = [logit_probabilities(u, NO_OUTSIDE, noise)[0, 0] for noise in (0.0, 0.5, 1.0, 4.0)]
    assert best == sorted(best, reverse=True)
    assert best[0] == 1.0


@given(utilities, hnp.arrays(np.bool_, (6, 4)), uniforms)
def test_what_cannot_be_had_is_never_taken(u, there, uniform):
    """An item of utility minus infinity has probability 0 in both models, whatever the draw."""
    offered = np.where(there, u, -np.inf)
    assert (logit_probabilities(offered, 0.0)[:, :4][~there] == 0.0).all()
    take = take_chances(offered, 0.0)
    assert (cascade_probabilities(take)[:, :4][~there] == 0.0).all()
    draws = np.repeat(uniform[:, None], 4, axis=1)
    for taken in (logit_choice(offered, 0.0, 1.0, uniform), cascade_choice(take, 0.9, draws)):
        rows = np.flatnonzero(taken >= 0)
        assert there[rows, taken[rows]].all()


@given(utilities, uniforms)
def test_a_row_chooses_alike_alone_and_in_company(u, uniform):
    """One person's choice has the same bits whoever stands beside them."""
    together = logit_choice(u, 0.5, 1.3, uniform)
    alone = [logit_choice(u[i : i + 1], 0.5, 1.3, uniform[i : i + 1])[0] for i in range(len(u))]
    assert together.tolist() == alone
    shares = logit_probabilities(u, 0.5, 1.3)
    assert np.array_equal(shares[2], logit_probabilities(u[2:3], 0.5, 1.3)[0])


def test_cascade_choices_are_as_frequent_as_their_probabilities():
    """Walking down the slate with one draw a place gives the closed form, within four standard errors."""
    n = 40_000
    draws = Chance(5).uniform("test", 0, np.arange(n), count=5)
    taken = cascade_choice(np.tile(ALPHA, (n, 1)), 0.7, draws)
    shares = np.array([(taken == place).mean() for place in (0, 1, 2, 3, 4, -1)])
    expected = cascade_probabilities(ALPHA, 0.7)[0]
    assert (np.abs(shares - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / n)).all()


def test_less_attention_leaves_lower_places_less():
    """The first place is looked at in any case; each later one depends on attention."""
    little, much = cascade_probabilities(ALPHA, 0.5)[0], cascade_probabilities(ALPHA, 0.9)[0]
    assert little[0] == much[0]
    assert (little[1:5] < much[1:5]).all()
    assert little[5] > much[5]


def test_the_chance_to_take_grows_with_the_surplus_over_the_outside_option():
    """An item as good as nothing is taken half the time; a better one more often, more so without noise."""
    chances = take_chances(np.array([[0.0, 1.0, -1.0]]), 0.0)[0]
    assert chances == pytest.approx((0.5, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))), abs=1e-12)
    assert take_chances(np.array([[1.0]]), 0.0, 0.2) > take_chances(np.array([[1.0]]), 0.0, 2.0)


@pytest.mark.parametrize("d", [0, 1, 2, 3, 7, 16])
def test_worth_is_the_tree_sum_of_taste_times_attribute(d):
    """What an item is worth has the bits of `exact.total`, for shared and for personal attributes."""
    chance, n, m, k = Chance(2), 300, 9, 4
    taste = chance.normal("taste", 0, np.arange(n), count=max(d, 1))[:, :d].astype(np.float32)
    shared = chance.normal("item", 0, np.arange(m), count=max(d, 1))[:, :d]
    personal = np.repeat(shared[None], n, axis=0) * np.arange(1.0, n + 1.0)[:, None, None]
    places = (chance.bits("slate", 0, np.arange(n), count=k) % m).astype(np.int32).T
    for attributes in (shared, personal):
        chosen = shared[places] if attributes is shared else personal[np.arange(n), places]
        expected = exact.total(taste.astype(np.float64) * chosen)
        assert np.array_equal(worth(taste, attributes, places), expected)


def test_the_inclusive_value_is_the_log_of_the_sum_of_exponentials():
    """It is at least the best item, has its closed form, and counts only what can be had."""
    u = np.array([[2.0, 2.0], [1.0, -np.inf], [0.0, -np.inf]])
    found = inclusive_value(u, np.array([1.0, 1.0]))
    assert found == pytest.approx((np.log(np.exp(2) + np.exp(1) + 1.0), 2.0), abs=1e-12)
    scaled = inclusive_value(u[:, :1], np.array([0.5]))
    assert scaled == pytest.approx(0.5 * np.log(np.exp(4) + np.exp(2) + 1.0), abs=1e-12)


def test_empty_unavailable_and_repeated_places_hold_nothing():
    """Of a slate only the first standing of each available item can be taken."""
    slate = np.array([[3, 3, -1, 0, 1]], dtype=np.int32)
    available = np.array([[True, False, True, True]])
    assert possible(slate.T, None)[:, 0].tolist() == [True, False, False, True, True]
    assert possible(slate.T, available)[:, 0].tolist() == [True, False, False, True, False]
