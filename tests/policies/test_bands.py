"""A triage rule looks up the band of one feature."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies import load
from rehearse.testing import check_policy, made_requests

STAGE = Stage(
    items=("now", "soon", "late"),
    features=("urgency", "age"),
    groups=("all",),
    replicas=np.arange(1, dtype=np.int32),
)


def test_each_band_has_its_item():
    """A value equal to a cut belongs to the band above; items may be named in any order."""
    policy = load("bands-v1", STAGE, {"feature": "age", "cuts": [-0.5, 0.5], "items": ["late", 0, "soon"]})
    requests = made_requests(STAGE, 100)
    requests.features[:3, 1] = [-0.5, 0.5, 0.0]
    expected = np.array([2, 0, 1])[(requests.features[:, 1:] >= [[-0.5, 0.5]]).sum(axis=1)]
    assert policy.decide(requests).action.tolist() == expected.tolist()
    assert set(expected) == {0, 1, 2}


def test_what_cannot_be_had_is_replaced_by_the_first_that_can():
    """Who cannot have the item of their band gets the first one that they can."""
    policy = load("bands-v1", STAGE, {"feature": "age", "cuts": [], "items": ["soon"]})
    requests = made_requests(STAGE, 30, limited=True)
    there = requests.available[:, 1]
    assert policy.decide(requests).action.tolist() == np.where(there, 1, 0).tolist()
    assert not there.all()


def test_it_keeps_the_contract():
    """`check_policy` finds nothing to say of it."""
    assert check_policy(load("bands-v1", STAGE, {"feature": "urgency", "cuts": [0.0]}), STAGE) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"feature": "urgence", "cuts": [0.0]}, "'urgence'"),
        ({"feature": "age", "cuts": [1.0, 0.0]}, "ascend"),
        ({"feature": "age", "cuts": [0.0], "items": ["now"]}, "1 items for 1 cuts"),
        ({"feature": "age", "cuts": [0.0], "items": ["now", "never"]}, "'never'"),
    ],
)
def test_wrong_settings_are_answered(settings, said):
    """The error names the setting and what is wrong with it."""
    with pytest.raises(PolicyLoadError) as caught:
        load("bands-v1", STAGE, settings)
    assert said in caught.value.problem
