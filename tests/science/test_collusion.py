"""Sellers who learn prices by Q-learning collude: Calvano, Calzolari, Denicolò and Pastorello, AER 2020."""

from __future__ import annotations

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


@pytest.mark.slow
def test_two_sellers_that_learn_collude_without_being_told():
    """20 sessions: a mean profit gain of .845 ± .11, each above .4, after some two million periods.

    The reference is an independent run of 30 sessions: mean .845, standard deviation .121, 1.93 million
    periods.
    """
    pytest.importorskip("numba", reason="forty million periods take minutes without numba")
    rule = QLearning(rate=0.15, decay=4e-6, discount=0.95, prices=15, stable=100_000)
    sessions = learn(DUOPOLY, rule, sessions=20)
    assert sessions.rested.all()
    assert sessions.gain.mean() == pytest.approx(0.845, abs=0.11)
    assert sessions.gain.min() > 0.4
    assert sessions.periods.mean() == pytest.approx(1.93e6, rel=0.2)
