"""Policies that say yes from a cut on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.testing import check_policy, made_requests

STAGE = Stage(
    items=("refuse", "grant"),
    features=("score", "turn"),
    groups=("blue", "orange"),
    replicas=np.arange(2, dtype=np.int32),
)


def asked(scores, groups):
    """Return requests of people with these scores and groups."""
    requests = made_requests(STAGE, rows=len(scores))
    features = np.column_stack([scores, np.zeros(len(scores))]).astype(np.float32)
    n = len(scores)
    return replace(
        requests,
        features=features,
        group=np.array(groups, dtype=np.int8),
        replica=np.zeros(n, dtype=np.int32),
        user=np.arange(n, dtype=np.int64),
        available=None,
    )


def test_each_group_has_its_own_cut_and_whoever_reaches_it_is_granted():
    """The cut itself counts as reached, though it is no 32-bit number."""
    policy = load("threshold-v1", STAGE, {"at": {"blue": 557.291, "orange": 600.0}})
    decisions = policy.decide(asked([557.291, 557.2, 599.0, 600.0], [0, 0, 1, 1]))
    assert decisions.action.tolist() == [1, 0, 0, 1]
    assert policy.published()["threshold.score"].tolist() == [[557.291, 600.0]] * 2


def test_people_at_the_cut_are_drawn_by_lot_with_that_propensity():
    """A share `at_cut` of those exactly at the cut hears yes; nobody else is drawn."""
    policy = load("threshold-v1", STAGE, {"at": 3.0, "at_cut": 0.25})
    decisions = policy.decide(asked([3.0] * 4000 + [4.0] * 10 + [2.0] * 10, [0] * 4020))
    assert decisions.action[:4000].mean() == pytest.approx(0.25, abs=0.03)
    assert decisions.action[4000:].tolist() == [1] * 10 + [0] * 10
    said = decisions.action[:4000]
    assert np.array_equal(decisions.propensity[:4000], np.where(said == 1, 0.25, 0.75).astype(np.float32))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"at": {"blue": 1.0}}, "orange"),
        ({"at": {"blue": 1.0, "orange": 1.0, "green": 2.0}}, "green"),
        ({"feature": "income"}, "income"),
        ({"yes": "refuse"}, "two items"),
    ],
)
def test_unknown_groups_features_and_items_are_refused(settings, word):
    """What is not there is named, with what there is."""
    with pytest.raises(PolicyLoadError, match=word):
        load("threshold-v1", STAGE, settings)


def test_it_keeps_to_the_contract():
    """No rule of the contract is broken, also where items cannot be had."""
    assert check_policy(load("threshold-v1", STAGE, {"at": 0.5}), STAGE) == []
