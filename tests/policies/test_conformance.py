"""The conformance tests themselves: they pass what keeps the contract and name what breaks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import Decisions, Network, Stage
from rehearse.policies import load
from rehearse.registry import entries
from rehearse.testing import check_policy, made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("gc_air", "gc_train", "gc_bus", "gc_car", "hinc"),
    groups=("low", "high"),
    replicas=np.arange(3, dtype=np.int32),
    people=24,
    ties=Network(np.arange(73), (np.arange(72) + 1) % 72),
)
SETTINGS = {
    "linear-v1": {"weights": {"gc": -0.5, "air": {"1": 0.3, "hinc": 0.2}}},
    "refitted-v1": {"estimator": "sklearn.linear_model:LinearRegression"},
    "table-v1": {"chances": [[0.4, 0.3, 0.2, 0.1]]},
    "bands-v1": {"feature": "hinc", "cuts": [-1.0, 0.0, 1.0]},
    "interleaved-v1": {"policy": "popular-v1"},
    "split-v1": {"champion": "popular-v1", "challenger": "epsilon-v1", "share": 0.5},
    "rollback-v1": {
        "current": "epsilon-v1",
        "previous": "popular-v1",
        "at_least": 0.9,
        "ticks": 1,
        "turns": 1,
    },
    "guard-v1": {"policy": "epsilon-v1", "items": ["air"], "at_most": 1, "then": "replace", "replace": "bus"},
    "fallback-v1": {"first": "epsilon-v1", "then": "popular-v1"},
    "circuit-breaker-v1": {"policy": "epsilon-v1"},
    "cache-v1": {"policy": "popular-v1", "digits": 0},
    "faulty-v1": {"policy": "popular-v1", "faults": [{"kind": "stale_features", "rate": 1.0}]},
    "delayed-v1": {"policy": "popular-v1"},
    "load-v1": {"policy": "epsilon-v1", "background": 15},
    "rate-limit-v1": {"policy": "epsilon-v1", "society": 4},
    "shadow-v1": {"live": "epsilon-v1", "candidate": "popular-v1"},
    "threshold-v1": {"feature": "hinc", "at": 0.5},
    "max-utility-v1": {"feature": "hinc", "grid": {"low": -1, "high": 1, "step": 0.5}},
    "equal-opportunity-v1": {"feature": "hinc", "grid": {"low": -1, "high": 1, "step": 0.5}},
    "demographic-parity-v1": {"feature": "hinc", "grid": {"low": -1, "high": 1, "step": 0.5}},
}
ONE_ITEM = {
    "bands-v1",
    "logistic-v1",
    "table-v1",
    "refitted-v1",
    "split-v1",
    "shadow-v1",
    "rollback-v1",
    "guard-v1",
    "faulty-v1",
    "load-v1",
    "delayed-v1",
    "rate-limit-v1",
    "fallback-v1",
    "circuit-breaker-v1",
    "cache-v1",
    "threshold-v1",
    "max-utility-v1",
    "equal-opportunity-v1",
    "demographic-parity-v1",
}
"""Policies that answer with one item, or are made of others, and have no setting `k`."""
PRICES = {"posted-price-v1", "markup-v1", "q-learning-v1"}
"""Policies whose items must be prices: `test_prices` tries them."""
PLACES = {"allocation-v1"}
"""Policies whose items must be places: `test_triage_sites` tries them."""
SPEAKING = {"slot-filling-v1", "forgetful-v1"}
"""Policies that answer in a dialogue: the tests of dialogues try them."""
BUILT_IN = [
    name
    for name, entry in entries("policies").items()
    if entry.target.startswith("rehearse.") and name not in PRICES | PLACES | SPEAKING
]


class Sound:
    """A policy that keeps to everything."""

    name = "sound"
    version = "1"

    def decide(self, requests):
        scores = requests.features[:, :4].copy()
        if requests.available is not None:
            scores[~requests.available] = -np.inf
        return Decisions.of(scores.argmax(axis=1))


def rules(policy):
    """Return the names of the rules that a policy breaks."""
    return {sentence.partition(":")[0] for sentence in check_policy(policy, STAGE)}


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("k", [1, 3])
def test_built_in_policies_keep_the_contract(name, k):
    """Every built-in policy passes its own conformance test."""
    settings = {"slate": ["bus", "car", "air"][:k]} if name == "constant-v1" else {"k": k}
    settings = {} if name in ONE_ITEM else settings
    policy = load(name, STAGE, SETTINGS.get(name, {}) | settings)
    assert check_policy(policy, STAGE) == []


@pytest.mark.parametrize("name", ["linear-v1", "random-v1", "epsilon-v1"])
def test_policies_of_chance_keep_the_contract(name):
    """Drawing an answer breaks no rule, since draws are addressed."""
    drawn = {
        "linear-v1": {"temperature": 0.7},
        "random-v1": {"avoid_shown": True},
        "epsilon-v1": {"epsilon": 0.5},
    }
    policy = load(name, STAGE, SETTINGS.get(name, {}) | drawn[name])
    assert check_policy(policy, STAGE) == []


def test_a_sound_policy_passes():
    """A class of somebody else that keeps to the contract breaks no rule."""
    assert check_policy(Sound(), STAGE) == []
    assert check_policy(load(Sound(), STAGE), STAGE) == []


def changed(**answer):
    """Return a policy whose answers have some columns replaced."""

    class Changed(Sound):
        def decide(self, requests):
            right = super().decide(requests)
            return replace(right, **{name: make(right, requests) for name, make in answer.items()})

    return Changed()


@pytest.mark.parametrize(
    ("rule", "policy"),
    [
        ("shape", changed(score=lambda d, r: d.score[1:])),
        ("shape", changed(slate=lambda d, r: d.slate[:, 0])),
        ("shape", changed(slate=lambda d, r: d.slate.astype(float))),
        ("items", changed(slate=lambda d, r: d.slate + 4)),
        ("items", changed(slate=lambda d, r: np.full_like(d.slate, -1))),
        ("items", changed(slate=lambda d, r: np.repeat(d.slate, 2, axis=1))),
        ("available", changed(slate=lambda d, r: ((r.user[:, None] + 1) % 4).astype(np.int32))),
        ("finite", changed(score=lambda d, r: np.full_like(d.score, np.inf))),
        ("finite", changed(propensity=lambda d, r: np.full_like(d.score, 2.0))),
        ("finite", changed(latency=lambda d, r: np.full_like(d.score, -1.0))),
        ("answers", changed(fault=lambda d, r: np.ones_like(d.fault))),
        ("faults", changed(fault=lambda d, r: np.ones_like(d.fault))),
        ("independence", changed(score=lambda d, r: r.features[:, 0] - r.features[:, 0].mean())),
        ("independence", changed(score=lambda d, r: np.arange(len(r), dtype=np.float32))),
    ],
)
def test_each_broken_rule_is_named(rule, policy):
    """A policy that breaks one rule is told which."""
    assert rule in rules(policy)


def test_a_policy_that_changes_its_inputs_is_found():
    """Writing into the requests is a broken rule."""

    class Careless(Sound):
        def decide(self, requests):
            answer = super().decide(requests)
            requests.features[:] = 0
            return answer

    assert "mutation" in rules(Careless())


def test_a_policy_that_answers_differently_each_time_is_found():
    """Answers that move from call to call break determinism."""

    class Restless(Sound):
        calls = 0

        def decide(self, requests):
            self.calls += 1
            return replace(super().decide(requests), score=np.full(len(requests), self.calls, np.float32))

    assert "determinism" in rules(Restless())


def test_a_learner_that_forgets_is_found():
    """A policy that learns must give its state back, and take it."""

    class Forgetful(Sound):
        def __init__(self):
            self.learned = 0

        def learn(self, feedback):
            self.learned += 1

        def decide(self, requests):
            return replace(super().decide(requests), score=np.full(len(requests), self.learned, np.float32))

    class Deaf(Forgetful):
        def state(self):
            return {"learned": np.array([self.learned])}

        def restore(self, state):
            pass

    assert rules(Forgetful()) == {"state"}
    assert rules(Deaf()) == {"state"}


def test_what_is_no_policy_is_said():
    """A thing without name, version or decide is told what it lacks; one that raises, what it raised."""

    class Raising(Sound):
        def decide(self, requests):
            raise ValueError("out of ideas")

    assert check_policy(object(), STAGE) == ["names: the policy has no name and no version and no decide."]
    assert check_policy(Raising(), STAGE) == ["raises: it raised ValueError: out of ideas"]


def test_made_requests_have_the_shapes_of_the_contract():
    """The requests that the tests make up fit the stage, whatever the number of rows."""
    for rows in (1, 5, 40):
        requests = made_requests(STAGE, rows, limited=True)
        assert requests.features.shape == (rows, 5)
        assert requests.available.shape == (rows, 4)
        assert requests.available.sum(axis=1).tolist() == [3] * rows
        assert set(requests.replica.tolist()) <= {0, 1, 2}
