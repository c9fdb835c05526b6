"""A market of several learning sellers: PettingZoo's own test, and the market that theory knows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pettingzoo", reason="pettingzoo is not installed (extra gym)")

from pettingzoo.test import parallel_api_test, parallel_seed_test

from rehearse.environments.pricing import LogitMarket
from rehearse.errors import UserError
from rehearse.experiments.gym.sellers import Sellers

SHOPS = {"scenario": "pricing-rivals", "users": 40, "ticks": 6}


@pytest.mark.parametrize("given", [{"scenario": "duopoly", "ticks": 20}, SHOPS])
def test_it_passes_the_test_of_pettingzoo(given):
    """PettingZoo's own tests of parallel environments and of their seeds find nothing."""
    parallel_api_test(Sellers(**given), num_cycles=40)
    parallel_seed_test(lambda: Sellers(**given))


def test_rewards_are_the_profits_of_the_market():
    """In the duopoly each seller earns what the logit market says of the prices asked."""
    env, market = Sellers("duopoly", ticks=30), LogitMarket()
    seen, _ = env.reset(seed=3)
    assert env.possible_agents == ["here", "rival"]
    for one, two in [(0, 0), (4, 0), (1, 3), (2, 2)]:
        seen, rewards, *_, infos = env.step({"here": one, "rival": two})
        asked = env.prices[[one, two]]
        assert seen["rival"] == pytest.approx(asked)
        assert list(rewards.values()) == pytest.approx(market.profits(asked), rel=1e-6)
        assert [told["share"] for told in infos.values()] == pytest.approx(market.demand(asked), rel=1e-6)


def test_money_and_people_are_accounted_for():
    """Shares are parts of the visitors, and who asks more than anybody is willing to pay sells nothing."""
    env = Sellers(**SHOPS)
    env.reset(seed=1)
    dear = {name: len(env.prices) - 1 for name in env.agents} | {"learner": 6}
    while env.agents:
        _, rewards, terminated, truncated, infos = env.step(dear)
        told = list(infos.values())
        assert 0.0 <= sum(one["share"] for one in told) <= 1.0
        if told[0]["visitors"]:
            assert rewards["learner"] == pytest.approx(infos["learner"]["share"] * (10.0 - 4.0))
        assert not any(terminated.values())
    assert all(truncated.values())


def test_another_episode_is_another_society():
    """The same seed begins again; without one, the next society follows."""
    env = Sellers(**SHOPS)
    lives = []
    for seed in (5, None, 5):
        env.reset(seed=seed)
        lives.append([env.step(dict.fromkeys(env.agents, 5))[1] for _ in range(4)])
    assert lives[0] == lives[2] != lives[1]


def test_a_market_of_one_is_refused():
    """A scenario without rivals, or of another world, has no sellers to train."""
    for name in ("pricing", "feed"):
        with pytest.raises(UserError, match="no market"):
            Sellers(name)


def test_two_bandits_that_learn_by_themselves_end_near_competition():
    """Sellers that see nothing of one another and take the best mean so far ask less than a monopoly."""
    env, chance = Sellers("duopoly", ticks=600), np.arange(600) % 7 == 0
    env.reset(seed=2)
    total, count = np.zeros((2, len(env.prices))), np.full((2, len(env.prices)), 1e-9)
    for tick in range(600):
        best = (total / count).argmax(axis=1)
        asked = np.array([(tick // 7) % 5, (tick // 35) % 5]) if chance[tick] else best
        rewards = env.step(dict(zip(env.possible_agents, asked.tolist(), strict=True)))[1]
        total[[0, 1], asked] += list(rewards.values())
        count[[0, 1], asked] += 1.0
    market = LogitMarket()
    assert env.prices[best].max() < market.monopoly()[0]
