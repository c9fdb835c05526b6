"""A market of sellers: shares, best replies, the prices of theory, and sellers that learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import compiled
from rehearse.environments.pricing import LogitMarket, QLearning, learn
from rehearse.errors import UserError

QUICK = QLearning(prices=5, decay=2e-3, stable=200, longest=3_000)


@st.composite
def markets(draw):
    """Return a market of one to four sellers, and prices of theirs."""
    count = draw(st.integers(1, 4))
    numbers = st.lists(st.floats(0.0, 5.0), min_size=count, max_size=count)
    quality, cost, prices = (draw(numbers) for _ in range(3))
    scale, outside = draw(st.floats(0.05, 2.0)), draw(st.floats(-2.0, 2.0))
    return LogitMarket(tuple(quality), tuple(cost), outside, scale), np.array(prices)


@given(markets())
def test_shares_are_parts_of_one(drawn):
    """Shares lie between 0 and 1, and those of the sellers leave something for buying nothing."""
    market, prices = drawn
    share = market.demand(prices)
    assert (share >= 0.0).all()
    assert share.sum() <= 1.0 + 1e-12
    weight = np.exp((np.append(np.array(market.quality) - prices, market.outside)) / market.scale)
    assert share == pytest.approx(weight[:-1] / weight.sum(), rel=1e-9)


@settings(max_examples=60)
@given(markets(), st.floats(-0.5, 0.5))
def test_nobody_gains_by_leaving_a_nash_price(drawn, step):
    """Nash prices are a fixed point of best replies, and no single seller earns more at another price."""
    market, _ = drawn
    nash = market.nash()
    assert market.best_replies(nash) == pytest.approx(nash, abs=1e-9)
    for seller in range(len(market)):
        other = nash.copy()
        other[seller] += step
        assert market.profits(other)[seller] <= market.profits(nash)[seller] + 1e-12


@settings(max_examples=60)
@given(markets(), st.integers(0, 3), st.floats(-0.5, 0.5))
def test_no_price_earns_all_more_than_the_joint_maximum(drawn, seller, step):
    """At monopoly prices the sum of profits cannot be raised, and is at least that of Nash prices."""
    market, _ = drawn
    best = market.profits(market.monopoly()).sum()
    other = market.monopoly()
    other[seller % len(market)] += step
    assert market.profits(other).sum() <= best + 1e-12
    assert market.profits(market.nash()).sum() <= best + 1e-12


def test_one_seller_alone_is_a_monopoly():
    """Where nobody competes, the Nash price is the monopoly price."""
    alone = LogitMarket((2.0,), (1.0,))
    assert alone.nash() == pytest.approx(alone.monopoly(), abs=1e-12)


def test_a_grid_reaches_beyond_both_prices():
    """Fifteen prices lie evenly from a tenth of the distance below Nash to as much above monopoly."""
    market = LogitMarket()
    low, high = market.nash()[0], market.monopoly()[0]
    grid = market.grid(15, 0.1)
    assert grid.shape == (2, 15)
    assert grid[0, 0] == pytest.approx(low - 0.1 * (high - low))
    assert grid[1, -1] == pytest.approx(high + 0.1 * (high - low))
    assert np.ptp(np.diff(grid, axis=1)) < 1e-12


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"cost": (1.0,)}, {"quality": (), "cost": ()}])
def test_a_market_that_cannot_be_is_refused(bad):
    """A scale of 0, sellers without a cost, and no sellers at all are named in words."""
    with pytest.raises(UserError, match="market"):
        LogitMarket(**bad)


def test_tables_that_would_be_too_large_are_refused():
    """A hundred prices for each of four sellers are more states than a machine holds."""
    with pytest.raises(UserError, match="4 sellers with 100 prices"):
        learn(LogitMarket((2.0,) * 4, (1.0,) * 4), QLearning(prices=100))


@pytest.mark.parametrize("sellers", [1, 2, 3])
def test_compiled_sessions_and_their_twins_have_the_same_bits(sellers, monkeypatch):
    """What sellers learn is the same to the last bit with numba and without."""
    pytest.importorskip("numba", reason="there is nothing to compare without numba")
    market = LogitMarket((2.0,) * sellers, (1.0,) * sellers)
    found = []
    for switch in ("0", "1"):
        monkeypatch.setenv(compiled.SWITCH, switch)
        found.append(learn(market, QUICK, sessions=3, seed=5))
    plain, fast = found
    for name in ("strategy", "state", "periods", "prices", "profits"):
        assert np.array_equal(getattr(plain, name), getattr(fast, name)), name


def test_a_session_does_not_depend_on_how_many_there_are():
    """The second of two sessions is the second of four."""
    two, four = (learn(LogitMarket(), QUICK, sessions=count, seed=3) for count in (2, 4))
    assert np.array_equal(two.strategy, four.strategy[:2])
    assert two.gain.tolist() == four.gain[:2].tolist()


def test_a_seller_alone_learns_the_price_that_earns_most():
    """Without rivals Q-learning finds the best price of its grid, and says that it came to rest."""
    market = LogitMarket((2.0,), (1.0,))
    alone = learn(market, QLearning(prices=7, decay=1e-3, stable=2000), sessions=4)
    assert alone.rested.all()
    assert (alone.periods < 50_000).all()
    best = alone.grid[0, market.profits(alone.grid.T)[:, 0].argmax()]
    assert alone.prices[:, 0] == pytest.approx(best)


def test_strategies_lead_into_the_cycle_that_was_told():
    """Without a deviation the path's means are the prices told; with one, only the deviator moves first."""
    sessions = learn(LogitMarket(), QUICK, sessions=3, seed=8)
    calm, cut = sessions.path(5000), sessions.path(2, deviates=1)
    assert calm.mean(axis=1) == pytest.approx(sessions.prices, abs=2e-3)
    assert (cut[:, 0, 0] == calm[:, 0, 0]).all()
    market = sessions.market
    for session in range(3):
        asked = np.stack([np.full(5, cut[session, 0, 0]), sessions.grid[1]], axis=1)
        assert cut[session, 0, 1] == sessions.grid[1, market.profits(asked)[:, 1].argmax()]
