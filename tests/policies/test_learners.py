"""Policies that learn: what they learn, each society alone, and that they resume."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import NOTHING, Feedback, Stage
from rehearse.policies import load
from rehearse.testing import made_requests

STAGE = Stage(
    items=tuple(f"item-{i}" for i in range(6)),
    features=("x",),
    groups=("all",),
    replicas=np.array([2, 5], dtype=np.int32),
)


def told(slate, choice, reward, replica):
    """Return feedback about turns that were served these slates."""
    n = len(choice)
    return Feedback(
        features=np.zeros((n, 1), np.float32),
        slate=np.array(slate, np.int32).reshape(n, -1),
        choice=np.array(choice, np.int32),
        reward=np.array(reward, np.float32),
        propensity=np.full(n, np.nan, np.float32),
        replica=np.array(replica, np.int32),
        user=np.arange(n),
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        tick=0,
    )


def favourites(policy, k=3):
    """Return what each society is offered first: by society number."""
    requests = made_requests(STAGE, 12)
    answer = policy.decide(requests)
    return {int(r): answer.slate[requests.replica == r][0, :k].tolist() for r in STAGE.replicas}


def test_popular_ranks_by_what_was_taken_in_each_society():
    """Societies learn from their own people only; ties go to the lower number."""
    policy = load("popular-v1?k=3", STAGE)
    assert favourites(policy) == {2: [0, 1, 2], 5: [0, 1, 2]}
    policy.learn(told([4, 4, 3, 5], [4, 4, 3, NOTHING], [1, 1, 1, 0], [2, 2, 2, 5]))
    assert favourites(policy) == {2: [4, 3, 0], 5: [0, 1, 2]}
    policy.learn(told([5], [5], [1], [5]))
    assert favourites(policy)[5] == [5, 0, 1]


def test_versions_count_how_often_a_learner_learned():
    """Each learning is a new version, so that policy drift shows in the record."""
    for name in ("popular-v1", "epsilon-v1"):
        policy = load(name, STAGE)
        requests = made_requests(STAGE, 4)
        versions = []
        for _ in range(3):
            versions.append(int(policy.decide(requests).version[0]))
            policy.learn(told([1], [1], [1], [2]))
        assert versions == [0, 1, 2]


def test_epsilon_estimates_are_mean_rewards():
    """An estimate is the sum of rewards over the number of times shown, with the prior as one more."""
    policy = load("epsilon-v1?epsilon=0&prior=0.5&prior_weight=2", STAGE)
    policy.learn(told([3, 3, 3, 1], [3, 3, NOTHING, 1], [1.0, 0.5, 0.0, 0.25], [5, 5, 5, 2]))
    assert policy.estimates[1, 3] == pytest.approx((0.5 * 2 + 1.5) / 5)
    assert policy.estimates[0, 1] == pytest.approx((0.5 * 2 + 0.25) / 3)
    assert policy.estimates[0, 3] == 0.5
    assert policy.decide(made_requests(STAGE, 4)).action.tolist() == [0, 0, 0, 0]


def test_the_item_taken_earns_the_reward_of_a_slate():
    """The others of the slate were shown in vain; where nothing was taken all share the disappointment."""
    policy = load("epsilon-v1?prior_weight=0", STAGE)
    policy.learn(told([[1, 2, NOTHING], [3, 4, 5]], [2, NOTHING], [1.0, -0.5], [2, 2]))
    assert policy.estimates[0].tolist() == [0.0, 0.0, 1.0, -0.5, -0.5, -0.5]


def test_epsilon_explores_as_often_as_it_says():
    """The share of explorers is epsilon, and each propensity is the chance of that action."""
    policy = load("epsilon-v1?epsilon=0.3", STAGE)
    policy.learn(told([2, 2], [2, 2], [1, 1], [2, 5]))
    requests = made_requests(STAGE, 20_000)
    answer = policy.decide(requests)
    exploring = answer.rationale == 1
    assert abs(exploring.mean() - 0.3) < 0.015
    assert (answer.action[~exploring] == 2).all()
    assert np.allclose(answer.propensity[answer.action == 2], 0.7 + 0.3 / 6)
    assert np.allclose(answer.propensity[answer.action != 2], 0.3 / 6)
    assert abs((answer.action == 2).mean() - 0.75) < 0.015


def test_an_explored_item_moves_the_others_down():
    """A slate keeps its order behind the explored item and never holds it twice."""
    policy = load("epsilon-v1?epsilon=1&k=3", STAGE)
    slates = policy.decide(made_requests(STAGE, 500)).slate
    assert all(len(set(slate)) == 3 for slate in slates.tolist())
    for first, *rest in slates.tolist():
        assert rest == [i for i in range(6) if i != first][:2]


def test_epsilon_finds_the_best_item():
    """Told honest rewards, it comes to offer the best item to nearly everybody."""
    worth = np.array([0.2, 0.3, 0.9, 0.1, 0.4, 0.5])
    policy = load("epsilon-v1?epsilon=0.2&prior=1", STAGE)
    for tick in range(12):
        requests = replace(made_requests(STAGE, 200), tick=tick)
        action = policy.decide(requests).action
        policy.learn(told(action, action, worth[action], requests.replica))
    assert (policy.decide(requests).action == 2).mean() > 0.75


@pytest.mark.parametrize("name", ["popular-v1", "epsilon-v1?epsilon=0.5&prior=0.3"])
def test_a_learner_restored_goes_on_as_if_nothing_had_been(name):
    """State taken, given to a fresh copy, gives the same answers after the same lessons."""
    lesson = told([1, 4, 4], [1, 4, NOTHING], [0.3, 0.7, 0.1], [2, 5, 5])
    policy, fresh = load(name, STAGE), load(name, STAGE)
    policy.learn(lesson)
    fresh.restore({key: np.array(a) for key, a in policy.state().items()})
    for learner in (policy, fresh):
        learner.learn(lesson)
    requests = made_requests(STAGE, 40)
    one, other = policy.decide(requests), fresh.decide(requests)
    assert np.array_equal(one.slate, other.slate)
    assert np.array_equal(one.version, other.version)
    assert np.array_equal(one.propensity, other.propensity)


def test_one_society_learns_the_same_alone():
    """What a society learns does not depend on which others are there."""
    both = told([1, 4, 3], [1, 4, 3], [0.3, 0.7, 0.2], [2, 5, 5])
    own = told([4, 3], [4, 3], [0.7, 0.2], [5, 5])
    alone = load("epsilon-v1", replace(STAGE, replicas=np.array([5], np.int32)))
    together = load("epsilon-v1", STAGE)
    together.learn(both)
    alone.learn(own)
    assert np.array_equal(together.estimates[1], alone.estimates[0])
