"""People whom a schedule changes: whom it names, as much as it says, beside what they live through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import load
from rehearse.agents.drifting import Drifting
from rehearse.errors import ScenarioError
from rehearse.experiments.build import assemble

SEGMENTS = {"people.segments": [{"name": "young", "share": 0.4, "tastes": {"quality": 2.0}}]}


def people(*drifts, **changes):
    """Return the people of a small feed within a schedule, before their first tick."""
    scenario = load(
        "feed", users=200, replicas=2, ticks=9, settings=SEGMENTS | changes | {"drift": [*drifts]}
    )
    return assemble(scenario).simulation.users


def change(**described):
    """Return a change of everybody's taste for quality, as a scenario writes it."""
    return {"tick": 2, "what": "people.tastes.quality", "add": 1.0} | described


def quality(users):
    """Return everybody's taste for quality, which is the last attribute of a feed."""
    return users.columns["taste"][:, -1].copy()


def test_tastes_move_on_time_for_as_long_as_said():
    """At the tick and not before, by so much; after `until` they are as before, but for rounding."""
    users = people(change(times=0.5, until=4))
    before, path = quality(users), {}
    for tick in range(5):
        users.open(tick)
        path[tick] = quality(users)
    assert path[1].tobytes() == before.tobytes()
    assert np.allclose(path[2], 0.5 * before + 1.0, atol=1e-6)
    assert path[3].tobytes() == path[2].tobytes()
    assert np.allclose(path[4], before, atol=1e-6)


def test_only_those_named_change():
    """`among` names a segment or a group; all others keep their tastes to the bit."""
    for among, column, code in (("young", "segment", 1), ("patient", "group", 1)):
        users = people(change(among=among))
        before = quality(users)
        users.open(2)
        meant = users.columns[column] == code
        assert 0 < meant.sum() < len(meant)
        assert np.allclose(quality(users)[meant], before[meant] + 1.0, atol=1e-6)
        assert quality(users)[~meant].tobytes() == before[~meant].tobytes()


def test_what_people_live_through_comes_on_top():
    """A taste that grew by itself while a change held keeps what it grew by when the change ends."""
    users = people(change(until=4))
    before = quality(users)
    users.open(2)
    users.columns["taste"][:, -1] += np.float32(0.25)
    users.open(4)
    assert np.allclose(quality(users), before + 0.25, atol=1e-6)


def test_a_trait_moves_and_the_model_sees_it():
    """A visible trait that a schedule moves is what the model is told."""
    changes = {"people.traits": {"age": {"uniform": {"low": 20.0, "high": 60.0}}}, "people.visible": ["age"]}
    users = people(change(what="people.traits.age", add=5.0), **changes)
    before = users.columns["age"].copy()
    users.open(2)
    assert np.allclose(users.columns["age"], before + 5.0, atol=1e-5)
    assert users.feature_names[0] == "age"


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_the_mix_of_those_who_come_is_as_asked(times):
    """Of a segment whose visits are multiplied so many come, of the others as many as ever."""
    usual, fewer = people(), people(change(tick=0, what="people.visits", add=0.0, times=times, among="young"))
    young = usual.columns["segment"] == 1
    came, come = (np.isin(np.arange(400), users.open(0)) for users in (usual, fewer))
    assert (came[~young] == come[~young]).all()
    assert not (come & ~came).any()
    assert abs(come[young].sum() - times * came[young].sum()) <= 4.0 * np.sqrt(
        young.sum() * times * (1 - times)
    )


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 2.0]), st.integers(-3, 3)), max_size=3))
@settings(max_examples=10, deadline=None)
def test_several_changes_build_on_one_another(moves):
    """New = old · times + add, one after the other."""
    users = people(*(change(tick=i, times=times, add=float(add)) for i, (times, add) in enumerate(moves)))
    expected = quality(users).astype(np.float64)
    for tick, (times, add) in enumerate(moves):
        users.open(tick)
        expected = expected * times + add
    assert np.allclose(quality(users), expected, atol=1e-4)


def test_people_without_a_schedule_are_themselves():
    """Nothing is put round people where no drift is of people."""
    assert not isinstance(people(), Drifting)
    assert not isinstance(people({"tick": 1, "what": "items.*.quality", "add": 1.0}), Drifting)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"what": "people.tastes.qualty"}, "people.tastes.quality"),
        ({"what": "people.traits.trust"}, "people."),
        ({"what": "people.visit"}, "people.visits"),
        ({"among": "yung"}, "young"),
    ],
)
def test_what_people_do_not_have_is_answered(wrong, hint):
    """The error names the path or the group, and the nearest that there is; moods cannot be scheduled."""
    with pytest.raises(ScenarioError) as caught:
        people(change(**wrong))
    assert repr(next(iter(wrong.values()))) in caught.value.problem
    assert hint in caught.value.remedy
