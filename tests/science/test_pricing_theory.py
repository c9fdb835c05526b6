"""What theory says of sellers and buyers, in runs of `pricing-v1`."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.environments.pricing import LogitMarket

pytestmark = pytest.mark.science


def shop(*, prices, rivals=None, price, people=None, ticks=1, **world):
    """Return a scenario of buyers worth 2 each at μ = .25 and cost 1: Calvano's market, with any rivals."""
    drains = {"turn": 0.0, "repeat": 0.0, "contradiction": 0.0, "bad_offer": 0.0}
    traits = {"reservation_price": 2.0, "reference_price": 2.0}
    return {
        "name": "market",
        "world": {
            "name": "pricing-v1",
            "settings": {"prices": prices, "cost": 1.0, "rivals": rivals or {}} | world,
        },
        "people": {
            "count": 1,
            "tastes": {"surplus": 4.0},
            "traits": traits,
            "behaviour": {"quits": False, "drains": drains, "visit_trust": 0.0},
            "memory": {"on": False},
            "goals": [{"name": "buy", "rate": 1.0, "at_start": 1.0, "strength": 0.0}],
        }
        | (people or {}),
        "policy": {"name": "posted-price-v1", "settings": {"price": price}},
        "time": {"ticks": ticks, "max_turns": 1},
        "replicas": 1,
        "seed": 5,
        "assumptions": ["A logit market."],
        "limitations": ["Theory."],
    }


def turns(scenario, folder, policy=None):
    """Return the recorded turns of a run, in order."""
    done = rehearse.run(scenario, policy=policy, out=folder)
    return done.turns.query("SELECT * FROM turns ORDER BY tick, user")


def test_the_price_of_competition_is_the_best_reply_to_itself(tmp_path):
    """Best replies to best replies, each read off a run as `ideal`, end at 1.472927 ± half a step of .005."""
    asked, grid = 1.5, {"low": 1.0, "high": 2.5, "count": 301}
    for step in range(4):
        rival = {"other": {"price": asked}}
        found = turns(shop(prices=grid, rivals=rival, price=1.5), tmp_path / str(step))
        asked = 1.0 + 0.005 * int(found["ideal"][0])
    assert asked == pytest.approx(1.472926660030622, abs=0.0026)


def test_buyers_are_dealt_to_sellers_as_a_logit_says(tmp_path):
    """20,000 buyers among three sellers and nothing: shares within three standard errors of the logit's."""
    rivals = {"dear": {"price": 1.8, "quality": 0.1}, "cheap": {"price": 1.2, "quality": -0.2}}
    scenario = shop(prices=[1.0, 1.5], rivals=rivals, price=1.5, people={"count": 20_000})
    seller = turns(scenario, tmp_path / "run")["seller"]
    market = LogitMarket((2.0, 2.1, 1.8), (1.0, 1.0, 1.0))
    share = market.demand([1.5, 1.8, 1.2])
    found = np.array([(seller == code).mean() for code in range(3)])
    assert (np.abs(found - share) < 3.0 * np.sqrt(share * (1.0 - share) / 20_000)).all()
    assert (seller == -1).mean() == pytest.approx(1.0 - share.sum(), abs=0.01)


def test_a_reference_price_follows_what_is_asked(tmp_path):
    """At a constant price p the reference price is p + memory**t · (r_0 − p) after t visits, to 1e-5."""
    reference = {"memory": 0.8, "gain": 0.3, "loss": 0.6}
    scenario = shop(prices=[1.0, 1.5], price=1.5, ticks=12, reference=reference, people={"count": 3})
    found = turns(scenario, tmp_path / "run")
    told = found["reference_price"].reshape(12, 3)
    assert told == pytest.approx(np.tile(1.5 + 0.5 * 0.8 ** np.arange(1, 13)[:, None], 3), abs=1e-5)


def test_a_rise_of_price_costs_more_buyers_than_a_fall_brings(tmp_path):
    """Buyers used to 2.0 answer to 2.2 and 1.8 with the logits of losses and of gains (20,000 each, 3 SE)."""
    reference = {"memory": 0.5, "gain": 0.5, "loss": 1.0}
    for price, felt in ((2.2, -0.2 * 1.0), (1.8, 0.2 * 0.5)):
        scenario = shop(prices=[1.8, 2.2], price=price, reference=reference, people={"count": 20_000})
        bought = turns(scenario, tmp_path / str(price))["label"].mean()
        share = 1.0 / (1.0 + np.exp(-4.0 * (2.0 - price + felt)))
        assert bought == pytest.approx(share, abs=3.0 * (share * (1.0 - share) / 20_000) ** 0.5)


@pytest.mark.parametrize("law", ["uniform", "exponential"])
def test_one_price_earns_most_where_theory_says(tmp_path, law):
    """Reservation prices uniform on 0 to 20: (20 + c) / 2 = 12; exponential of mean 5: c + 5 = 9 (c = 4).

    10,000 buyers who buy whenever it is worth it, and a posted price: profits within three standard errors.
    """
    worth = {"uniform": {"low": 0.0, "high": 20.0}} if law == "uniform" else {"exponential": {"mean": 5.0}}
    best = 12.0 if law == "uniform" else 9.0
    traits = {"reservation_price": worth, "noise": 0.001}
    crowd = {"count": 10_000, "traits": traits, "tastes": {"surplus": 1.0}}
    prices = [best - 3.0, best, best + 3.0]
    scenario = shop(prices=prices, price=best, people=crowd, ticks=3, cost=4.0)
    found = turns(scenario, tmp_path / "run", policy=lambda requests: np.full(len(requests), requests.tick))
    earned = found["reward"].reshape(3, -1)
    share = [(20.0 - p) / 20.0 if law == "uniform" else np.exp(-p / 5.0) for p in prices]
    for price, chance, got in zip(prices, share, earned, strict=True):
        error = (price - 4.0) * np.sqrt(chance * (1.0 - chance) / 10_000)
        assert abs(got.mean() - (price - 4.0) * chance) < 3.0 * error
    assert earned.mean(axis=1).argmax() == 1


def test_a_newsvendor_earns_what_the_level_of_stock_allows(tmp_path):
    """100 people who each want one with chance 1/2, price 10, a unit worthless by the evening costs 6.

    Profit of a day at level S: 10 · E[min(D, S)] − 6 · S with D binomial, within four standard errors; and
    sales are never more than there is.
    """
    stats = pytest.importorskip("scipy.stats", reason="the binomial distribution is scipy's")
    crowd = {
        "count": 100,
        "traits": {"reservation_price": 100.0, "noise": 0.001},
        "behaviour": {"quits": False, "visit_rate": 0.5, "visit_trust": 0.0},
    }
    stock = {"level": 48, "every": 1, "holding": 6.0}
    scenario = shop(prices=[5.0, 10.0], price=10.0, people=crowd, ticks=30, cost=0.0, stock=stock)
    done = rehearse.run(scenario | {"replicas": 15}, out=tmp_path / "run")
    days = done.turns.query(
        "SELECT sum(reward) AS profit, sum(label) AS sold FROM turns GROUP BY replica, tick"
    )
    demand = np.arange(101)
    expected = (stats.binom.pmf(demand, 100, 0.5) * (10.0 * np.minimum(demand, 48) - 6.0 * 48)).sum()
    profit = days["profit"]
    assert profit.mean() == pytest.approx(expected, abs=4.0 * profit.std() / np.sqrt(len(profit)))
    assert days["sold"].max() == 48
