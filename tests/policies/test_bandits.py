"""Bandits, and chances written down: what they choose by, how often, and that they say so truly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import NOTHING, Feedback, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.policies import load
from rehearse.testing import made_requests

STAGE = Stage(
    items=("a", "b", "c"),
    features=("context", "x"),
    groups=("all",),
    replicas=np.array([2, 5], dtype=np.int32),
)
TABLE = {"chances": [[0.6, 0.3, 0.1], {"c": 1.0}]}
EVERY = {
    "ucb-v1": {},
    "thompson-v1": {},
    "epsilon-v1": {"epsilon": 0.3},
    "group-epsilon-v1": {"epsilon": 0.3},
    "random-v1": {},
    "table-v1": TABLE,
    "linucb-v1": {},
    "online-logistic-v1": {"epsilon": 0.3},
    "linear-v1": {"weights": {"a": {"x": 1.0}}, "temperature": 0.5},
}


def told(action, reward, replica=2):
    """Return feedback about turns in which these items were taken."""
    n = len(action)
    return Feedback(
        features=np.zeros((n, 2), np.float32),
        slate=np.array(action, np.int32).reshape(n, 1),
        choice=np.array(action, np.int32),
        reward=np.array(reward, np.float32),
        propensity=np.ones(n, np.float32),
        replica=np.full(n, replica, np.int32),
        user=np.arange(n),
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        tick=0,
    )


def asked(n, context=0):
    """Return requests of people in one context, before anything was shown."""
    requests = made_requests(STAGE, n)
    features = requests.features.copy()
    features[:, 0] = context
    nothing = np.full((n, 1), NOTHING, np.int32)
    return replace(requests, features=features, shown=nothing, available=None)


def test_every_item_is_tried_before_bounds_count():
    """UCB1 goes through the items once; then the highest mean + √(2 ln t / n) comes first."""
    policy = load("ucb-v1", STAGE)
    tried = []
    for _ in range(3):
        tried.append(int(policy.decide(asked(8)).action[0]))
        policy.learn(told([tried[-1]], [1.0]))
    assert tried == [0, 1, 2]
    policy.learn(told([0] * 7 + [1] * 4 + [2], [1.0] * 6 + [0.0] + [1.0, 1.0, 1.0, 0.0] + [0.0]))
    shown, mean = np.array([8, 5, 2]), np.array([7 / 8, 4 / 5, 1 / 2])
    bounds = mean + np.sqrt(2.0 * np.log(15) / shown)
    answer = policy.decide(asked(8))
    mine = answer.action[asked(8).replica == 2]
    assert (mine == bounds.argmax()).all()
    assert answer.score[asked(8).replica == 2] == pytest.approx(bounds.max())


@pytest.mark.parametrize(
    ("good", "shown"), [((0, 0, 0), (0, 0, 0)), ((1, 3, 2), (4, 4, 4)), ((900, 85, 2), (1000, 100, 9))]
)
def test_thompson_draws_by_the_chance_to_be_the_best(good, shown):
    """Each item's propensity is the chance that its beta variable is the largest, to 3 SE of draws."""
    policy = load("thompson-v1", STAGE)
    action = np.repeat(np.arange(3), shown)
    reward = np.concatenate([np.arange(n) < g for g, n in zip(good, shown, strict=True)])
    policy.learn(told(action, reward))
    rng = np.random.default_rng(5)
    size = 200_000
    luck = rng.beta(1 + np.array(good), 1 + np.array(shown) - np.array(good), size=(size, 3))
    often = np.bincount(luck.argmax(axis=1), minlength=3) / size
    mine = asked(8).replica == 2
    assert policy.probabilities(asked(8))[mine][0] == pytest.approx(often, abs=3 * 0.5 / np.sqrt(size))


def test_thompson_leaves_out_what_cannot_be_had():
    """Two equal items of three share the chance, and the third is never given."""
    policy = load("thompson-v1", STAGE)
    can = np.tile([True, False, True], (600, 1))
    requests = replace(asked(600), available=can)
    answer = policy.decide(requests)
    assert answer.propensity == pytest.approx(0.5, abs=1e-6)
    assert set(answer.action.tolist()) == {0, 2}


@pytest.mark.parametrize("name", EVERY)
def test_a_policy_answers_as_often_as_it_says(name):
    """`probabilities` are those of the answers, and the propensity is that of the answer given."""
    policy = load(name, STAGE, EVERY[name])
    if hasattr(policy, "learn"):
        policy.learn(told([0, 0, 1, 2, 1], [1.0, 0.0, 1.0, 0.0, 1.0]))
    requests = asked(6000)
    features = np.zeros_like(requests.features)
    requests = replace(requests, features=features, replica=np.full(6000, 2, np.int32))
    chances = policy.probabilities(requests)
    answer = policy.decide(requests)
    often = np.bincount(answer.action, minlength=3) / 6000
    assert chances.sum(axis=1) == pytest.approx(np.ones(6000))
    assert often == pytest.approx(chances[0], abs=4 * 0.5 / np.sqrt(6000))
    assert answer.propensity == pytest.approx(chances[np.arange(6000), answer.action], rel=1e-6)


def test_a_table_has_a_row_for_each_context():
    """The context chooses the row; what cannot be had leaves its share to the others."""
    policy = load("table-v1", STAGE, TABLE)
    assert (policy.decide(asked(200, context=1)).action == 2).all()
    half = replace(asked(4, context=0), available=np.tile([True, True, False], (4, 1)))
    assert policy.probabilities(half)[0] == pytest.approx([2 / 3, 1 / 3, 0.0])
    bare = replace(asked(4, context=1), available=np.tile([True, True, False], (4, 1)))
    assert policy.probabilities(bare)[0] == pytest.approx([0.5, 0.5, 0.0])
    with pytest.raises(ContractError, match=r"rows for contexts 0 to 1, and was shown 2"):
        policy.decide(asked(4, context=2))


def test_a_table_whose_chances_do_not_add_up_is_refused():
    """The message names the row and its sum."""
    with pytest.raises(PolicyLoadError, match=r"chances\.1: the chances add up to 0\.9"):
        load("table-v1", STAGE, {"chances": [[1.0, 0.0, 0.0], [0.6, 0.2, 0.1]]})


def test_linucb_is_a_ridge_regression_with_a_bound():
    """Scores are θ · x + α √(xᵀ A⁻¹ x) of the turns told, item by item."""
    policy = load("linucb-v1", STAGE, {"alpha": 0.7, "ridge": 2.0, "k": 1, "avoid_shown": False})
    rng = np.random.default_rng(3)
    lesson = told(rng.integers(0, 3, 60), rng.random(60))
    lesson = replace(lesson, features=rng.normal(size=(60, 2)).astype(np.float32))
    policy.learn(lesson)
    requests = replace(asked(20), replica=np.full(20, 2, np.int32))
    x = np.column_stack([requests.features, np.ones(20)]).astype(np.float64)
    scores = np.empty((20, 3))
    for item in range(3):
        mine = lesson.slate[:, 0] == item
        z = np.column_stack([lesson.features[mine], np.ones(mine.sum())]).astype(np.float64)
        inverse = np.linalg.inv(2.0 * np.eye(3) + z.T @ z)
        theta = inverse @ (z.T @ lesson.reward[mine].astype(np.float64))
        scores[:, item] = x @ theta + 0.7 * np.sqrt(np.einsum("ni,ij,nj->n", x, inverse, x))
    answer = policy.decide(requests)
    assert answer.action.tolist() == scores.argmax(axis=1).tolist()
    assert answer.score == pytest.approx(scores.max(axis=1), rel=1e-5)


def test_online_logistic_takes_a_step_a_turn():
    """The weights are those of AdaGrad's steps taken one by one, in the order of the feedback."""
    policy = load("online-logistic-v1", STAGE, {"rate": 0.3})
    rng = np.random.default_rng(4)
    lesson = told(rng.integers(0, 3, 50), rng.integers(0, 2, 50).astype(float))
    lesson = replace(lesson, features=rng.normal(size=(50, 2)).astype(np.float32))
    policy.learn(lesson)
    weights, squares = np.zeros((3, 3)), np.full((3, 3), 1e-8)
    for seen, item, reward in zip(lesson.features, lesson.slate[:, 0], lesson.reward, strict=True):
        x = np.append(seen.astype(np.float64), 1.0)
        slope = (1.0 / (1.0 + np.exp(-weights[item] @ x)) - reward) * x
        squares[item] += slope * slope
        weights[item] -= 0.3 * slope / np.sqrt(squares[item])
    assert policy.state()["weights"][0] == pytest.approx(weights, rel=1e-9)
    assert not policy.state()["weights"][1].any()


@pytest.mark.parametrize("name", ["linucb-v1", "online-logistic-v1"])
def test_contextual_bandits_find_what_each_context_wants(name):
    """Where a pays in one context and b in the other, both come to be served right."""
    policy = load(name, STAGE, {"features": ["context"]})
    for tick in range(15):
        context = np.arange(80) % 2
        requests = replace(asked(80, context=context), tick=tick, replica=np.full(80, 2, np.int32))
        answer = policy.decide(requests)
        lesson = told(answer.action, (answer.action == context).astype(float))
        policy.learn(replace(lesson, features=requests.features))
    last = policy.decide(requests).action
    assert (last == context).mean() > 0.85


@pytest.mark.parametrize("name", ["ucb-v1", "thompson-v1", "linucb-v1", "online-logistic-v1"])
def test_a_bandit_restored_goes_on_as_if_nothing_had_been(name):
    """State taken, given to a fresh copy, gives the same answers after the same lessons."""
    lesson = told([0, 1, 2, 1], [1.0, 0.0, 1.0, 1.0])
    policy, fresh = load(name, STAGE), load(name, STAGE)
    policy.learn(lesson)
    fresh.restore({key: np.array(a) for key, a in policy.state().items()})
    for learner in (policy, fresh):
        learner.learn(told([2, 2], [0.0, 1.0], replica=5))
    one, other = policy.decide(asked(40)), fresh.decide(asked(40))
    assert np.array_equal(one.slate, other.slate)
    assert np.array_equal(one.propensity, other.propensity)
    assert np.array_equal(one.version, other.version)
