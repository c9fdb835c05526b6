"""Cuts that are learned, freely or under a condition of fairness."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.contract import Feedback, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.testing import check_policy, made_requests

STAGE = Stage(
    items=("refuse", "grant"),
    features=("score",),
    groups=("a", "b"),
    replicas=np.arange(1, dtype=np.int32),
)
GRID = {"low": 0, "high": 6, "step": 1}
GYM = (0.1, 0.2, 0.45, 0.6, 0.65, 0.7, 0.7)
"""The chance to repay at scores 0 to 6 in ml-fairness-gym."""
POOLS = ((0, 0.1, 0.1, 0.2, 0.3, 0.3, 0), (0.1, 0.1, 0.2, 0.3, 0.3, 0, 0))
LEARNERS = ("max-utility-v1", "equal-opportunity-v1", "demographic-parity-v1")


def applied(scores, groups, label=None):
    """Return feedback of people with these scores and groups."""
    n = len(scores)
    return Feedback(
        features=np.asarray(scores, np.float32)[:, None],
        slate=np.ones((n, 1), np.int32),
        choice=np.ones(n, np.int32),
        reward=np.zeros(n, np.float32),
        propensity=np.ones(n, np.float32),
        replica=np.zeros(n, np.int32),
        user=np.arange(n),
        turn=np.zeros(n, np.int16),
        group=np.asarray(groups, np.int8),
        label=np.full(n, -1, np.int8) if label is None else np.asarray(label, np.int8),
        tick=0,
    )


def crowd(pools, size=1000):
    """Return feedback of groups that are spread over the scores as their pools say."""
    parts = [np.repeat(np.arange(len(pool)), np.rint(np.array(pool) * size).astype(int)) for pool in pools]
    return applied(np.concatenate(parts), np.repeat(np.arange(len(pools)), [len(part) for part in parts]))


def rates(policy, pools, chances):
    """Return each group's selection rate, true positive rate and worth under the learned cuts."""
    state, found = policy.state(), []
    for group, pool in enumerate(pools):
        at, lot = state["at"][0, group], state["lot"][0, group]
        value, mass = np.arange(len(pool)), np.array(pool, dtype=float)
        yes = np.where(value > at, 1.0, np.where(value == at, lot, 0.0))
        good = mass * chances
        worth = (mass * yes * (2 * np.array(chances) - 1)).sum()
        found.append(((mass * yes).sum() / mass.sum(), (good * yes).sum() / good.sum(), worth))
    return found


def test_the_most_useful_cut_of_the_gym_is_three():
    """With a unit gained and a unit lost, lending pays from score 3 on (ml-fairness-gym, r = 1)."""
    policy = load("max-utility-v1", STAGE, {"grid": GRID, "chances": GYM, "pooled": True})
    policy.learn(crowd(POOLS))
    assert policy.published()["threshold.score"].tolist() == [[3.0, 3.0]]


@pytest.mark.parametrize(("name", "which"), [("equal-opportunity-v1", 1), ("demographic-parity-v1", 0)])
def test_fair_cuts_have_equal_rates_and_none_are_more_useful(name, which):
    """The common rate is met to the last digit, and no other on a fine grid of rates is better."""
    policy = load(name, STAGE, {"grid": GRID, "chances": GYM})
    policy.learn(crowd(POOLS))
    one, other = rates(policy, POOLS, GYM)
    assert one[which] == pytest.approx(other[which], abs=1e-12)
    best = one[2] + other[2]
    for rate in np.linspace(0.0, 1.0, 101):
        assert sum(worth_at(rate, pool, which) for pool in POOLS) <= best + 1e-9


def worth_at(rate, pool, which):
    """Return what a group is worth if so much of it hears yes, from the top."""
    left, worth = rate, 0.0
    whole = sum(m * (p if which else 1.0) for m, p in zip(pool, GYM, strict=True))
    for m, p in list(zip(pool, GYM, strict=True))[::-1]:
        weight = m * (p if which else 1.0) / whole
        part = min(1.0, left / weight) if weight > 0 else 0.0
        left -= part * weight
        worth += part * m * (2 * p - 1)
    return worth


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(LEARNERS),
    pools=st.lists(st.lists(st.integers(0, 9), min_size=7, max_size=7), min_size=2, max_size=2),
    chances=st.lists(st.floats(0, 1), min_size=7, max_size=7),
)
def test_no_pools_break_a_learner_and_chances_stay_chances(name, pools, chances):
    """Empty groups, groups of whom nobody repays, chances that do not ascend: cuts are there for all."""
    policy = load(name, STAGE, {"grid": GRID, "chances": tuple(chances)})
    parts = [np.repeat(np.arange(7), pool) for pool in pools]
    policy.learn(applied(np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])))
    state = policy.state()
    assert not np.isnan(state["at"]).any()
    assert ((state["lot"] >= 0) & (state["lot"] <= 1 + 1e-12)).all()


def test_it_learns_the_chances_from_labels():
    """Without being told, it finds the cut from what came out; before that everybody hears yes."""
    rng = np.random.default_rng(1)
    scores, groups = rng.integers(0, 7, 7000), rng.integers(0, 2, 7000)
    label = rng.random(7000) < np.array(GYM)[scores]
    policy = load("max-utility-v1", STAGE, {"grid": GRID, "burn_in": 2})
    requests = replace(made_requests(STAGE, rows=50), available=None)
    policy.learn(applied(scores, groups, label))
    assert set(policy.decide(requests).action.tolist()) == {1}
    assert policy.published() == {}
    policy.learn(applied(scores, groups, label))
    assert policy.published()["threshold.score"].tolist() == [[3.0, 3.0]]


def test_a_frozen_cut_stays_and_a_margin_is_added():
    """A static jury stops after one training; a robust one asks for more by a margin for each group."""
    given = {"grid": {"low": 0, "high": 1, "step": 0.05}, "stops": 1, "margin": {"a": 0.2, "b": 0.1}}
    policy = load("max-utility-v1", STAGE, given)
    scores = np.linspace(0, 1, 401)
    both = np.concatenate([scores, scores]), np.repeat([0, 1], 401)
    policy.learn(applied(*both, both[0] >= 0.55))
    asked = policy.published()["threshold.score"][0]
    assert asked == pytest.approx([0.75, 0.65], abs=1e-9)
    policy.learn(applied(*both, both[0] >= 0.1))
    assert policy.published()["threshold.score"][0] == pytest.approx(asked)
    requests = replace(made_requests(STAGE, rows=401), available=None)
    for group, cut in enumerate(asked.tolist()):
        those = replace(
            requests,
            features=scores[:, None].astype(np.float32),
            group=np.full(401, group, np.int8),
            replica=np.zeros(401, np.int32),
        )
        yes = scores[policy.decide(those).action == 1]
        assert yes.min() == pytest.approx(cut, abs=0.003)


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_keep_the_contract_and_resume(name):
    """No rule is broken; a restored learner goes on the same."""
    given = {"grid": {"low": -3, "high": 3, "step": 0.5}, "explore": 0.1, "keep": 0.5}
    assert check_policy(load(name, STAGE, given), STAGE) == []
    one, other = load(name, STAGE, given), load(name, STAGE, given)
    one.learn(crowd(POOLS))
    other.restore(one.state())
    for each in (one, other):
        each.learn(crowd(POOLS[::-1]))
    for (key, array), again in itertools.zip_longest(one.state().items(), other.state().values()):
        assert np.array_equal(array, again), key


@pytest.mark.parametrize(
    ("name", "given", "word"),
    [
        ("equal-opportunity-v1", {"grid": GRID, "pooled": True}, "pooled"),
        ("max-utility-v1", {"grid": GRID, "chances": (0.5,)}, "7 numbers"),
        ("max-utility-v1", {"grid": {"low": 3, "high": 1, "step": 1}}, "no values"),
        ("max-utility-v1", {"grid": GRID, "margin": {"a": 1.0}}, "'b'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name, given, word):
    """The message says what was found and what is needed."""
    with pytest.raises(PolicyLoadError, match=word):
        load(name, STAGE, given)
