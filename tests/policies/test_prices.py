"""Baselines that set prices: one price, a markup, bandits by group, and a Q-learner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import Feedback, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.testing.policies import check_policy, made_requests

STAGE = Stage(
    items=("2", "4", "6"),
    features=("cost", "own_price", "price_rival"),
    groups=("regular", "student"),
    replicas=np.arange(2, dtype=np.int32),
    seed=4,
)


def told(policy, requests, reward, group=None):
    """Let a policy learn that all took what they were offered, and what each earned."""
    slate = policy.decide(requests).slate
    policy.learn(
        Feedback(
            features=requests.features,
            slate=slate,
            choice=slate[:, 0],
            reward=np.asarray(reward, dtype=np.float32),
            propensity=np.ones(len(slate), dtype=np.float32),
            replica=requests.replica,
            user=requests.user,
            turn=np.zeros(len(slate), dtype=np.int16),
            group=requests.group if group is None else group,
            tick=requests.tick,
        )
    )
    return slate[:, 0]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("posted-price-v1", {"price": 4.4}),
        ("posted-price-v1", {"price": {"regular": 6, "student": 2}}),
        ("markup-v1", {}),
        ("group-epsilon-v1", {}),
        ("q-learning-v1", {}),
    ],
)
def test_they_keep_to_the_contract(name, settings):
    """No rule of a policy is broken."""
    assert check_policy(load(name, STAGE, settings=settings), STAGE) == []


def test_the_nearest_price_is_posted_for_each_group():
    """One price for everybody or one a group; the nearest of the world's prices is asked."""
    requests = replace(made_requests(STAGE), group=(np.arange(24) % 2).astype(np.int8))
    one = load("posted-price-v1", STAGE, settings={"price": 4.9})
    two = load("posted-price-v1", STAGE, settings={"price": {"regular": 60, "student": 1}})
    assert one.decide(requests).action.tolist() == [1] * 24
    assert two.decide(requests).action.tolist() == [2, 0] * 12


def test_a_markup_is_on_top_of_cost():
    """Cost 2 and a markup of a half and of one ask 2 (nearest to 3, the lower) and 4."""
    requests = made_requests(STAGE)
    features = requests.features.copy()
    features[:, 0] = 2.0
    for markup, asked in ((0.5, 0), (1.0, 1)):
        policy = load("markup-v1", STAGE, settings={"markup": markup})
        assert set(policy.decide(replace(requests, features=features)).action.tolist()) == {asked}


def test_a_bandit_learns_a_price_for_each_group():
    """What earns with one group is offered to that group and not to the other."""
    policy = load("group-epsilon-v1", STAGE, settings={"epsilon": 0.0, "prior": 10.0})
    requests = replace(made_requests(STAGE), group=(np.arange(24) % 2).astype(np.int8))
    for _ in range(4):
        offered = policy.decide(requests).action
        told(policy, requests, np.where(offered == np.where(requests.group == 0, 2, 0), 9.0, 1.0))
    assert policy.decide(requests).action.tolist() == [2, 0] * 12


def test_a_q_learner_asks_one_price_of_a_society_and_finds_the_best():
    """Everybody of a society is asked the same in a tick; in the end it is the price that earns most."""
    policy = load("q-learning-v1", STAGE, settings={"rate": 0.5, "decay": 0.05, "discount": 0.0})
    requests = made_requests(STAGE)
    features = np.full((24, 3), 4.0, dtype=np.float32)
    for tick in range(150):
        now = replace(requests, features=features, tick=tick)
        action = told(policy, now, np.array([1.0, 3.0, 2.0])[policy.decide(now).action])
        assert all(len(set(action[requests.replica == r].tolist())) == 1 for r in (0, 1))
    assert set(action.tolist()) == {1}


def test_a_q_learner_values_where_prices_lead():
    """With two prices and a world that answers, it learns Q(s, a) = r + δ max Q(s', ·)."""
    stage = replace(STAGE, items=("2", "4"), features=("own_price",), replicas=np.zeros(1, dtype=np.int32))
    policy = load("q-learning-v1", stage, settings={"rate": 1.0, "decay": 1e-9, "discount": 0.5})
    requests = made_requests(stage, rows=1)
    price, wanted, earned, before = 2.0, np.zeros((2, 2)), 0.0, (0, 0)
    for tick in range(60):
        now = replace(requests, features=np.array([[price]], dtype=np.float32), tick=tick)
        state, action = int(price == 4.0), int(policy.decide(now).action[0])
        if tick:
            wanted[before] = earned + 0.5 * wanted[state].max()
        earned, before = (1.0 if action else 0.5), (state, action)
        told(policy, now, [earned])
        price = 4.0 if action else 2.0
    assert policy.state()["values"][0] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("name", "settings", "change", "said"),
    [
        ("posted-price-v1", {"price": {"regular": 3}}, {}, "says nothing of the group 'student'"),
        ("posted-price-v1", {"price": {"pupil": 3}}, {}, "names the group 'pupil', which is not there"),
        ("posted-price-v1", {"price": 3}, {"items": ("tea", "cake")}, "tea"),
        ("markup-v1", {}, {"features": ("x",)}, "cost"),
        ("q-learning-v1", {"state": ["prize"]}, {}, "prize"),
        ("q-learning-v1", {}, {"items": tuple(str(i) for i in range(1100))}, "too many states"),
    ],
)
def test_what_does_not_fit_is_refused(name, settings, change, said):
    """A group without a price, items that are no prices, and features that are not there are named."""
    with pytest.raises(PolicyLoadError, match=said):
        load(name, replace(STAGE, **change), settings=settings)
