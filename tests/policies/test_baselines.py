"""The built-in baselines: what they choose, with what chance, and that tiles change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.contract import NOTHING, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.policies.asked import Asked
from rehearse.policies.picking import FAR, excluded, free_number, left
from rehearse.testing import made_requests

ANSWER = ("slate", "score", "propensity", "rationale", "version", "fault")


def stage_of(items, features=3):
    """Return a stage with so many items and features, and two societies."""
    return Stage(
        items=tuple(f"item-{i}" for i in range(items)),
        features=tuple(f"x{i}" for i in range(features)),
        groups=("all",),
        replicas=np.arange(2, dtype=np.int32),
    )


def with_shown(requests, *shown):
    """Return the requests with the same items shown to everybody before."""
    return replace(requests, shown=np.tile(np.array(shown, np.int32), (len(requests), 1)))


def same(one, other):
    """Tell whether two answers agree in every bit that is not a measurement."""
    return all(
        np.array_equal(getattr(one, c), getattr(other, c), equal_nan=c in {"score", "propensity"})
        for c in ANSWER
    )


@pytest.mark.parametrize("name", ["random-v1", "greedy-v1", "popular-v1", "epsilon-v1", "constant-v1"])
@pytest.mark.parametrize("limited", [False, True])
def test_tiles_change_nothing(name, limited):
    """Tiles of 1, 7 and 4,096 give the same bits."""
    stage = stage_of(40)
    requests = made_requests(stage, 300, limited=limited, truth=True)
    policy = load(name, stage, {} if name == "constant-v1" else {"k": 5})
    whole = Asked(policy, stage, 4096).decide(requests)
    for tile in (1, 7):
        assert same(Asked(policy, stage, tile).decide(requests), whole)


def test_greedy_takes_the_truly_best():
    """The oracle ranks by true utility, and its score is that utility."""
    stage = stage_of(50)
    requests = made_requests(stage, 600, truth=True)
    truth = requests.truth(np.arange(600))
    answer = load("greedy-v1?k=5", stage).decide(requests)
    assert np.array_equal(answer.slate, np.argsort(-truth, axis=1)[:, :5])
    assert np.allclose(answer.score, truth.max(axis=1))
    assert (answer.propensity == 1.0).all()


def test_greedy_proposes_the_next_best_after_a_refusal():
    """What was shown is passed over; when everything was shown, the best comes again."""
    stage = stage_of(4)
    requests = made_requests(stage, 30, truth=True)
    order = np.argsort(-requests.truth(np.arange(30)), axis=1).astype(np.int32)
    policy = load("greedy-v1", stage)
    after_best = replace(requests, shown=order[:, :1])
    after_all = replace(requests, shown=order)
    assert np.array_equal(policy.decide(after_best).action, order[:, 1])
    assert np.array_equal(policy.decide(after_all).action, order[:, 0])
    stubborn = load("greedy-v1?avoid_shown=false", stage)
    assert np.array_equal(stubborn.decide(after_best).action, order[:, 0])


@pytest.mark.parametrize(
    "name", ["greedy-v1", "popular-v1", "random-v1?avoid_shown=true", "epsilon-v1?epsilon=1"]
)
def test_what_a_person_cannot_have_is_never_offered(name):
    """Unavailable items stay out even when all others were shown; a slate too long is padded."""
    stage = stage_of(5)
    requests = with_shown(made_requests(stage, 200, truth=True), 0, 1, 2)
    available = np.tile([True, True, True, False, False], (200, 1))
    answer = load(f"{name}{'&' if '?' in name else '?'}k=5", stage).decide(
        replace(requests, available=available)
    )
    assert set(answer.slate[:, :3].ravel().tolist()) == {0, 1, 2}
    assert (answer.slate[:, 3:] == NOTHING).all()
    barred = replace(requests, available=np.zeros((200, 5), bool))
    assert (load(name, stage).decide(barred).slate == NOTHING).all()


@pytest.mark.parametrize("limited", [False, True])
def test_random_is_uniform_over_what_can_be_had(limited):
    """Each item is drawn as often as its propensity says."""
    stage = stage_of(4)
    requests = made_requests(stage, 8000, limited=limited)
    answer = load("random-v1?avoid_shown=true&k=2", stage).decide(requests)
    free = 2 if limited else 4
    assert np.allclose(answer.propensity, 1.0 / free)
    assert (np.bincount(answer.action, minlength=4) > 0.9 * 8000 / 4).all()
    assert (answer.slate[:, 0] != answer.slate[:, 1]).all()
    if limited:
        rows = np.arange(8000)
        assert not (answer.slate == requests.shown[:, :1]).any()
        assert requests.available[rows[:, None], answer.slate].all()


def test_random_draws_are_addressed():
    """A person's draw does not depend on who else asks, but on the turn."""
    stage = stage_of(9)
    requests = made_requests(stage, 60)
    policy = load("random-v1", stage)
    whole = policy.decide(requests).action
    assert np.array_equal(policy.decide(requests.take(np.arange(10, 20))).action, whole[10:20])
    assert not np.array_equal(policy.decide(replace(requests, turn=1)).action, whole)


def test_constant_gives_its_slate_without_what_cannot_be_had():
    """The slate closes up over what is missing, and falls back to the first item to be had."""
    stage = stage_of(4)
    requests = made_requests(stage, 3)
    policy = load("constant-v1", stage, {"slate": ["item-2", "item-1"]})
    assert policy.decide(requests).slate.tolist() == [[2, 1]] * 3
    available = np.array([[True, True, False, True], [False, True, True, True], [False, False, False, True]])
    answer = policy.decide(replace(requests, available=available))
    assert answer.slate.tolist() == [[1, NOTHING], [2, 1], [3, NOTHING]]


@given(
    st.lists(st.lists(st.integers(-1, 11), min_size=6, max_size=6), min_size=1, max_size=8),
    st.integers(0, 11),
)
@settings(max_examples=200, deadline=None)
def test_the_nth_free_number_is_found(shown, nth):
    """Counting those taken below gives the nth number that is not taken, whatever was."""
    table = np.array(shown, dtype=np.int32)
    taken = excluded(table, table)
    for row, (found, count) in enumerate(
        zip(free_number(taken, np.full(len(table), nth, np.int32)), left(taken, 12), strict=True)
    ):
        free = [i for i in range(12) if i not in shown[row]]
        assert count == len(free)
        assert found == free[nth] if nth < len(free) else found >= 12
    assert ((taken[:, 1:] > taken[:, :-1]) | (taken[:, 1:] == FAR)).all()


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("random-v1?k=0", ["policy.settings.k", "0"]),
        ("random-v1?k=9", ["policy.settings.k is 9", "4 items"]),
        ("greedy-v1?avoid_shwon=true", ["policy.settings.avoid_shwon", "Did you mean 'avoid_shown'"]),
        ("constant-v1?slate=item-7", ["'item-7'", "no item", "item-2"]),
        ("constant-v1?slate=9", ["9", "0 to 3"]),
        ("constant-v1?slate=[1,1]", ["[1, 1]", "none twice"]),
        ("constant-v1?slate=[]", ["at least one"]),
        ("epsilon-v1?epsilon=1.5", ["policy.settings.epsilon", "1.5"]),
        ("epsilon-v1?epsilon=NaN", ["policy.settings.epsilon", "nan"]),
        ("linear-v1", ["policy.settings.weights"]),
    ],
)
def test_wrong_settings_name_their_place(reference, words):
    """A setting that is misspelt or out of range is one message with its path."""
    with pytest.raises(PolicyLoadError) as caught:
        load(reference, stage_of(4))
    assert all(word in str(caught.value) for word in words), str(caught.value)
