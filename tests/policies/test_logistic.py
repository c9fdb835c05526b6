"""Logistic regression that is trained again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.contract import Feedback, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.policies import load
from rehearse.policies.newton import fit
from rehearse.testing import check_policy, made_requests

STAGE = Stage(
    items=("refuse", "grant"),
    features=("age", "income", "turn", "refusals"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)


def told(features, label, replica=0, tick=0):
    """Return feedback of one society."""
    n = len(label)
    return Feedback(
        features=np.column_stack([features, np.zeros((n, 2))]).astype(np.float32),
        slate=np.ones((n, 1), np.int32),
        choice=np.ones(n, np.int32),
        reward=np.zeros(n, np.float32),
        propensity=np.ones(n, np.float32),
        replica=np.full(n, replica, np.int32),
        user=np.arange(n),
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        label=np.asarray(label, np.int8),
        tick=tick,
    )


def some(n=300, seed=0):
    """Return features and labels that go together."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2))
    return features, (features @ [1.0, -2.0] + rng.normal(size=n) > 0.3).astype(np.int8)


def test_the_fit_is_the_optimum_that_scikit_learn_finds():
    """The same loss, with the constant without a penalty, has the same minimum."""
    linear_model = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is optional")
    features, label = some()
    for penalty in (1e-3, 0.1, 10.0):
        found = fit(features, label.astype(float), penalty)
        theirs = linear_model.LogisticRegression(C=1 / (penalty * len(label)), tol=1e-12, max_iter=10_000)
        theirs.fit(features, label)
        assert found.weights == pytest.approx(theirs.coef_[0], abs=1e-5)
        assert found.constant == pytest.approx(theirs.intercept_[0], abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), penalty=st.floats(1e-4, 10.0), scale=st.floats(0.01, 100.0))
def test_at_the_optimum_nothing_pulls(seed, penalty, scale):
    """The gradient is zero for any data and penalty, copies of a feature included."""
    features, label = some(60, seed)
    features = np.column_stack([features * scale, features[:, 0] * scale])
    label[:2] = 0, 1
    found = fit(features, label.astype(float), penalty)
    chance = 1 / (1 + np.exp(-(features @ found.weights + found.constant)))
    slope = features.T @ (chance - label) / len(label) + penalty * found.weights
    assert np.abs(slope).max() < 1e-6 * max(scale, 1.0)
    assert abs((chance - label).mean()) < 1e-6


def test_each_society_trains_its_own_model_and_says_which_version_answers():
    """The first version says yes to all; training one society leaves the other as it was."""
    policy = load("logistic-v1", STAGE, {})
    requests = replace(made_requests(STAGE, rows=40), available=None)
    before = policy.decide(requests)
    assert set(before.action.tolist()) == {1}
    assert policy.published() == {}
    policy.learn(told(*some(), replica=1))
    after = policy.decide(requests)
    first = requests.replica == 0
    assert set(after.action[first].tolist()) == {1}
    assert np.array_equal(after.action[~first] == 1, after.score[~first] >= 0.5)
    assert set(after.version.tolist()) == {1}
    assert policy.published() == {}
    policy.learn(told(*some(seed=1), replica=0, tick=1))
    assert sorted(policy.published()) == ["constant", "weight.age", "weight.income"]


def test_a_restored_model_goes_on_as_if_nothing_had_happened():
    """With a window of two ticks, what was seen is kept and forgotten the same way."""
    policy = load("logistic-v1", STAGE, {"window": 2})
    for tick in range(3):
        policy.learn(told(*some(seed=tick), tick=tick))
    other = load("logistic-v1", STAGE, {"window": 2})
    other.restore(policy.state())
    for each in (policy, other):
        each.learn(told(*some(seed=3), tick=3))
    one, two = policy.state(), other.state()
    assert sorted(one) == sorted(two)
    assert all(np.array_equal(one[name], two[name], equal_nan=True) for name in one)
    assert len(one["seen/0/label"]) == 600


def test_unknown_labels_teach_nothing_and_a_world_without_labels_is_refused():
    """Labels of -1 are left out; labels of one kind leave the model as it is."""
    policy = load("logistic-v1", STAGE, {})
    features, label = some()
    policy.learn(told(features, np.where(label == 1, 1, -1)))
    assert policy.published() == {}
    with pytest.raises(ContractError, match="labels"):
        policy.learn(replace(told(features, label), label=None))


def test_it_stops_learning_when_told_to():
    """After `stops` trainings the weights stay."""
    policy = load("logistic-v1", STAGE, {"stops": 1})
    policy.learn(told(*some(seed=0)))
    kept = policy.state()["weights"]
    policy.learn(told(*some(seed=1), tick=1))
    assert np.array_equal(policy.state()["weights"], kept)


def test_weights_may_be_given_and_must_be_known():
    """A model to begin with decides from the first turn on."""
    policy = load("logistic-v1", STAGE, {"features": ["age"], "weights": {"age": 1.0, "1": -0.5}})
    requests = replace(made_requests(STAGE, rows=40), available=None)
    assert np.array_equal(policy.decide(requests).action == 1, requests.features[:, 0] >= 0.5)
    assert policy.published()["weight.age"].tolist() == [1.0, 1.0]
    with pytest.raises(PolicyLoadError, match="size"):
        load("logistic-v1", STAGE, {"weights": {"size": 1.0}})
    assert check_policy(policy, STAGE) == []
