"""Sellers who learn prices by Q-learning collude: Calvano, Calzolari, Denicolò and Pastorello, AER 2020."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.environments.pricing import LogitMarket, QLearning, learn

pytestmark = pytest.mark.science

DUOPOLY = LogitMarket(quality=(2.0, 2.0), cost=(1.0, 1.0), outside=0.0, scale=0.25)


def test_best_replies_lead_to_the_price_of_competition():
    """Best-response dynamics end at 1.472927 ± 1e-5, with a profit of .222927 each."""
    assert DUOPOLY.nash() == pytest.approx([1.472926660030622] * 2, abs=1e-5)
    assert DUOPOLY.profits(DUOPOLY.nash()) == pytest.approx([0.2229266600306224] * 2, abs=1e-6)


def test_the_joint_maximum_is_the_price_of_monopoly():
    """The sum of profits is largest at 1.924981 ± 1e-5, with a profit of .337490 each."""
    assert DUOPOLY.monopoly() == pytest.approx([1.9249809189583458] * 2, abs=1e-5)
    assert DUOPOLY.profits(DUOPOLY.monopoly()) == pytest.approx([0.3374904595088809] * 2, abs=1e-6)


@pytest.fixture(scope="module")
def sessions():
    """Return 20 sessions with the parameters of the reference."""
    pytest.importorskip("numba", reason="forty million periods take minutes without numba")
    rule = QLearning(rate=0.15, decay=4e-6, discount=0.95, prices=15, stable=100_000)
    return learn(DUOPOLY, rule, sessions=20)


@pytest.mark.slow
def test_two_sellers_that_learn_collude_without_being_told(sessions):
    """20 sessions: a mean profit gain of .845 ± .11, each above .4, after some two million periods.

    The reference is an independent run of 30 sessions: mean .845, standard deviation .121, 1.93 million
    periods.
    """
    assert sessions.rested.all()
    assert sessions.gain.mean() == pytest.approx(0.845, abs=0.11)
    assert sessions.gain.min() > 0.4
    assert sessions.periods.mean() == pytest.approx(1.93e6, rel=0.2)


@pytest.mark.slow
def test_who_leaves_the_high_price_is_punished_and_forgiven(sessions):
    """A cut of price is answered by a cut, does not pay, and is over within some 15 periods.

    So the paper has it (section IV.C: punishment, then a gradual return); here for all of 20 sessions but
    for the first answer, which is a cut in at least three of four.
    """
    calm, cut = sessions.path(60), sessions.path(60, deviates=0)
    earned = [DUOPOLY.profits(path)[:, :, 0] @ 0.95 ** np.arange(60) for path in (calm, cut)]
    assert (cut[:, 0, 0] < calm[:, 0, 0]).all()
    assert (cut[:, 1, 1] < calm[:, 1, 1]).mean() > 0.75
    assert (earned[1] < earned[0]).all()
    assert cut[:, 15:].mean(axis=(0, 1)) == pytest.approx(sessions.prices.mean(axis=0), abs=0.01)
