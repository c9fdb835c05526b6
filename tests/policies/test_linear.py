"""The linear policy: its scores, shared weights and softmax."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus"),
    features=("gc_air", "gc_train", "gc_bus", "hinc", "turn"),
    groups=("all",),
    replicas=np.arange(1, dtype=np.int32),
)


def scores(requests, gc, hinc, constants):
    """Return the scores that the weights should give."""
    x = requests.features.astype(float)
    return gc * x[:, :3] + np.outer(x[:, 3], hinc) + constants


def test_weights_may_be_shared_and_by_item():
    """A number under an attribute weighs each item's own feature; a mapping adds to one item."""
    weights = {"gc": -0.5, "air": {"1": 0.25, "hinc": 2.0}, "bus": {"1": -1.0}}
    requests = made_requests(STAGE, 200)
    answer = load("linear-v1", STAGE, {"weights": weights, "k": 2}).decide(requests)
    expected = scores(requests, -0.5, [2.0, 0, 0], [0.25, 0, -1.0])
    assert np.array_equal(answer.slate, np.argsort(-expected, axis=1)[:, :2])
    assert np.allclose(answer.score, expected.max(axis=1), atol=1e-5)
    assert (answer.propensity == 1).all()


def test_a_temperature_draws_by_softmax():
    """The share of each item is its softmax chance, which is the propensity given."""
    settings = {"weights": {"air": {"1": 1.0}, "train": {"1": 0.0}, "bus": {"1": -1.0}}, "temperature": 2.0}
    answer = load("linear-v1", STAGE, settings).decide(made_requests(STAGE, 20_000))
    chance = np.exp([0.5, 0.0, -0.5]) / np.exp([0.5, 0.0, -0.5]).sum()
    assert np.allclose(np.bincount(answer.action) / 20_000, chance, atol=0.015)
    assert np.allclose(answer.propensity, chance[answer.action])


def test_the_softmax_leaves_out_what_may_not_be_offered():
    """What was shown or cannot be had has no chance, and the others share it."""
    settings = {"weights": {"air": {"1": 1.0}}, "temperature": 1.0, "k": 3}
    requests = made_requests(STAGE, 400)
    requests = replace(
        requests,
        shown=np.zeros((400, 1), np.int32),
        available=np.tile([True, True, False], (400, 1)),
    )
    answer = load("linear-v1", STAGE, settings).decide(requests)
    assert answer.slate.tolist() == [[1, -1, -1]] * 400
    assert (answer.propensity == 1).all()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"plane": {"hinc": 1.0}}, ["weights.plane", "no item", "air"]),
        ({"air": {"hink": 1.0}}, ["weights.air", "'hink'", "Did you mean 'hinc'"]),
        ({"gd": 1.0}, ["weights.gd", "gd_ITEM", "gc."]),
        ({"air": {"hinc": "much"}}, ["weights.air", "much"]),
        ({"air": {"hinc": float("inf")}}, ["weights.air", "inf"]),
    ],
)
def test_weights_that_name_nothing_are_refused(weights, words):
    """Each wrong weight is one message with its place and the nearest that there is."""
    with pytest.raises(PolicyLoadError) as caught:
        load("linear-v1", STAGE, {"weights": weights})
    assert all(word in str(caught.value) for word in words), str(caught.value)
