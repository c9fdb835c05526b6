"""Models trained again after every tick: what they learn from content, friends and company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from rehearse.contract import NOTHING, Feedback, Network, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.policies.content import nonnegative
from rehearse.policies.interleaving import mixed
from rehearse.testing import made_requests

ITEMS = 8
STAGE = Stage(
    items=tuple(f"item-{i}" for i in range(ITEMS)),
    features=(),
    groups=("all",),
    replicas=np.array([0], dtype=np.int32),
    slate=3,
    people=4,
    # Person 0 listens to 1 and 2, person 1 to 0; nobody else listens to anybody.
    ties=Network(np.array([0, 2, 3, 3, 3]), np.array([1, 2, 0])),
)


def told(user, choice, tick=0):
    """Return feedback that these people took these items."""
    n = len(user)
    return Feedback(
        features=np.zeros((n, 0), np.float32),
        slate=np.array(choice, np.int32)[:, None],
        choice=np.array(choice, np.int32),
        reward=np.ones(n, np.float32),
        propensity=np.full(n, np.nan, np.float32),
        replica=np.zeros(n, np.int32),
        user=np.array(user),
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        tick=tick,
    )


def asked(catalogue=None, available=None, tick=1):
    """Return the requests of the four people."""
    requests = made_requests(STAGE, 4)
    return replace(requests, catalogue=catalogue, available=available, tick=tick)


def test_content_fits_profiles_as_non_negative_least_squares_does():
    """Scores are those of scipy's nnls on what was taken; items rank by them."""
    items = np.random.default_rng(1).integers(0, 5, (ITEMS, 3)) / 4.0
    policy = load("content-v1?k=8", STAGE, {"close": 1e-10})
    policy.learn(told([0, 0, 0, 1], [1, 1, 4, 6]))
    answer = policy.decide(asked(items))
    for user, counts in ((0, {1: 2, 4: 1}), (1, {6: 1})):
        wanted = np.zeros(ITEMS)
        wanted[list(counts)] = list(counts.values())
        scores = items @ nnls(items, wanted)[0]
        assert scores[answer.slate[user]] == pytest.approx(np.sort(scores)[::-1], abs=1e-5)
        assert answer.score[user] == pytest.approx(scores.max(), abs=1e-5)


@given(st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_profiles_are_least_squares_under_the_bound(seed, width):
    """No profile has a negative number, and none is beaten by scipy's."""
    rng = np.random.default_rng(seed)
    table, counts = rng.random((12, width)), rng.integers(0, 4, (5, 12)).astype(float)
    found = nonnegative(table.T @ table, counts @ table, 1e-9)
    assert (found >= 0.0).all()
    for row, wanted in zip(found, counts, strict=True):
        assert np.linalg.norm(table @ row - wanted) == pytest.approx(nnls(table, wanted)[1], abs=1e-4)


def test_content_says_what_it_lacks():
    """Without a catalogue there is nothing to fit."""
    with pytest.raises(PolicyLoadError, match=r"world\.settings\.catalogue"):
        load("content-v1", STAGE).decide(asked())


def test_social_counts_what_friends_took():
    """Friends' choices count by number, one's own by `own`, strangers' not at all."""
    policy = load("social-v1?k=2", STAGE)
    policy.learn(told([1, 2, 2, 3, 0], [5, 5, 6, 7, 2]))
    answer = policy.decide(asked())
    assert answer.slate[0].tolist() == [5, 6]
    assert answer.score[0] == 2.0
    assert answer.slate[1].tolist() == [2, 0]
    own = load("social-v1?k=2&own=3", STAGE)
    own.learn(told([1, 2, 2, 3, 0], [5, 5, 6, 7, 2]))
    assert own.decide(asked()).slate[0].tolist() == [2, 5]


def test_social_needs_a_graph():
    """Where nobody knows anybody the error names the setting."""
    with pytest.raises(PolicyLoadError, match=r"society\.graph"):
        load("social-v1", replace(STAGE, ties=None)).decide(asked())


def test_factors_rank_first_what_company_took():
    """Of two circles with tastes of their own, each is offered what its own circle took."""
    stage = replace(STAGE, people=40, ties=None)
    policy = load("factors-v1", stage, {"k": 4, "dims": 3, "sweeps": 5})
    rng = np.random.default_rng(3)
    user = np.repeat(np.arange(40), 3)
    choice = rng.integers(0, 4, len(user)) + 4 * (user % 2)
    policy.learn(told(user, choice))
    slate = policy.decide(made_requests(stage, 40)).slate
    assert (slate[::2] < 4).mean() > 0.95
    assert (slate[1::2] >= 4).mean() > 0.95


def test_factors_minimise_what_they_say():
    """After many sweeps the gradient of the weighted loss vanishes for people."""
    stage = replace(STAGE, people=6, ties=None)
    policy = load("factors-v1", stage, {"dims": 2, "sweeps": 3, "confidence": 2.0, "ridge": 0.3})
    user, choice = np.array([0, 0, 1, 2, 3, 4, 5, 5]), np.array([0, 0, 1, 2, 3, 0, 1, 4])
    policy.learn(told(user, choice))
    state = policy.state()
    people, items = state["people"][0], state["items"][0]
    counts = np.zeros((6, ITEMS))
    np.add.at(counts, (user, choice), 1)
    error = (1.0 + 2.0 * counts) * ((counts > 0) - people @ items.T)
    assert error @ items == pytest.approx(0.3 * people, abs=1e-9)


@pytest.mark.parametrize("name", ["content-v1", "social-v1", "factors-v1", "popular-v1"])
def test_a_trained_model_resumes(name):
    """What `state` gave makes another one answer alike, now and after learning more."""
    catalogue = np.eye(ITEMS)[:, :4]
    one, other = load(name, STAGE), load(name, STAGE)
    one.learn(told([0, 1, 2], [3, 3, 4]))
    other.restore({key: np.array(array) for key, array in one.state().items()})
    for policy in (one, other):
        policy.learn(told([1, 2, 3], [5, 1, 1], tick=1))
    left, right = one.decide(asked(catalogue)), other.decide(asked(catalogue))
    assert left.slate.tolist() == right.slate.tolist()
    assert left.score.tobytes() == right.score.tobytes()


@pytest.mark.parametrize("k", [3, 6])
def test_random_ties_are_drawn_evenly(k):
    """With nothing to choose between them every item comes first as often; with something, it leads."""
    stage = replace(STAGE, people=4000)
    policy = load("popular-v1", stage, {"k": k, "ties": "random"})
    requests = made_requests(stage, 4000)
    first = np.bincount(policy.decide(requests).slate[:, 0], minlength=ITEMS)
    assert abs(first - 500).max() < 4.5 * np.sqrt(500 * 7 / 8)
    policy.learn(told([0], [4]))
    assert (policy.decide(requests).slate[:, 0] == 4).all()


def test_long_slates_hold_every_item_in_order():
    """A slate of all items is sorted by score, equals by number; what cannot be had is left out."""
    stage = replace(STAGE, items=tuple(f"i{n}" for n in range(60)), slate=60)
    policy = load("popular-v1", stage)
    policy.learn(told([0, 1, 2, 0], [50, 50, 40, 59]))
    slate = policy.decide(made_requests(stage, 2)).slate
    assert slate[0].tolist() == [50, 40, 59, *[i for i in range(60) if i not in {50, 40, 59}]]
    available = np.ones((4, 60), dtype=bool)
    available[:, 50:] = False
    limited = replace(made_requests(stage, 4), available=available)
    slate = policy.decide(limited).slate
    assert slate[0, 0] == 40
    assert (slate[:, 50:] == NOTHING).all()


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_mixing_keeps_every_item_once_and_the_order_of_the_ranked(seed, count, k):
    """Fresh items and ranked ones each stand once, the ranked in their order, nothing else."""
    rng = np.random.default_rng(seed)
    ranked = np.array([rng.permutation(7)[:k] for _ in range(6)], dtype=np.int32)
    fresh = np.array([rng.permutation(7)[:count] for _ in range(6)], dtype=np.int32).reshape(6, count)
    for row, slate in enumerate(mixed(ranked, fresh, rng.random((6, k)))):
        there = slate[slate >= 0].tolist()
        kept = [i for i in ranked[row].tolist() if i not in fresh[row]]
        assert len(set(there)) == len(there) == min(k, count + len(kept))
        assert set(fresh[row][:k].tolist()) <= set(there)
        rest = [i for i in there if i not in fresh[row]]
        assert rest == kept[: len(rest)]


def test_new_items_are_shown_first_and_later_mixed_in():
    """In the start-up phase only new items are shown; later so many stand among those ranked."""
    given_settings = {"policy": "popular-v1", "count": 1, "of": "newest", "startup": 1}
    policy = load("interleaved-v1", STAGE, given_settings)
    there = np.zeros((4, ITEMS), dtype=bool)
    there[:, :4] = True
    slate = policy.decide(asked(available=there, tick=0)).slate
    assert all(set(row) <= {0, 1, 2, 3} for row in slate.tolist())
    there = there.copy()
    there[:, 4] = True
    policy.learn(told([0], [2]))
    slate = policy.decide(asked(available=there, tick=1)).slate
    assert ((slate == 4).sum(axis=1) == 1).all()
    assert all([i for i in row if i != 4][:1] == [2] for row in slate.tolist())
    there[:, 5] = True
    again = load("interleaved-v1", STAGE, given_settings)
    again.restore(policy.state())
    slate = again.decide(asked(available=there, tick=2)).slate
    assert ((slate == 5).sum(axis=1) == 1).all()


def test_the_start_up_phase_ends_early_where_nothing_new_comes_out():
    """Who can have nothing new is served by the model, also in the first ticks."""
    policy = load("interleaved-v1", STAGE, {"policy": "popular-v1", "of": "newest", "startup": 5})
    policy.decide(asked(tick=0))
    policy.learn(told([0], [6]))
    assert (policy.decide(asked(tick=1)).slate[:, 0] == 6).all()


@pytest.mark.parametrize("of", ["any", "newest"])
def test_what_is_mixed_in_does_not_depend_on_company(of):
    """Asked one by one people get what they get together."""
    given_settings = {"policy": "popular-v1", "count": 2, "of": of}
    there = np.arange(ITEMS)[None, :] < np.array([[4], [6], [8], [8]])
    together = load("interleaved-v1", STAGE, given_settings)
    alone = load("interleaved-v1", STAGE, given_settings)
    whole = together.decide(asked(available=there, tick=0)).slate
    requests = asked(available=there, tick=0)
    assert [alone.decide(requests.take(np.array([i]))).slate[0].tolist() for i in range(4)] == whole.tolist()


def test_only_built_in_models_are_mixed_into():
    """A model from outside is refused by name."""
    with pytest.raises(PolicyLoadError, match=r"no built-in policy 'mine\.py:decide'"):
        load("interleaved-v1", STAGE, {"policy": "mine.py:decide"})
