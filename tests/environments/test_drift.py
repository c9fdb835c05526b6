"""What is scheduled to change changes on time, for as long as it is said to, and is spelt right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse import load
from rehearse.environments.consequences import Experience
from rehearse.environments.drift import Schedule
from rehearse.errors import ScenarioError
from rehearse.experiments.build import assemble
from rehearse.scenario.model import Drift

ITEMS = ("air", "train")
ATTRIBUTES = ("price", "wait")


def schedule(*drifts: Drift) -> Schedule:
    """Return the schedule of a world of two items with two attributes."""
    return Schedule(drifts, ITEMS, ATTRIBUTES)


def test_a_change_holds_from_its_tick_until_another() -> None:
    """The attribute is scaled and shifted from `tick` to the tick before `until`, and only there."""
    planned = schedule(Drift(tick=3, until=5, what="items.train.price", times=2.0, add=1.0))
    for tick, (scale, shift) in {2: (1.0, 0.0), 3: (2.0, 1.0), 4: (2.0, 1.0), 5: (1.0, 0.0)}.items():
        levers = planned.at(tick)
        assert (levers.scale[1, 0], levers.shift[1, 0]) == (scale, shift)
        assert levers.moved == (scale != 1.0)
        assert (levers.scale[0] == 1.0).all()


def test_later_changes_build_on_earlier_ones() -> None:
    """New = old · times + add, in the order of ticks and not of the list."""
    planned = schedule(
        Drift(tick=5, what="items.air.wait", times=3.0),
        Drift(tick=1, what="items.air.wait", add=10.0),
    )
    levers = planned.at(5)
    assert 2.0 * levers.scale[0, 1] + levers.shift[0, 1] == (2.0 + 10.0) * 3.0


def test_a_star_means_every_item() -> None:
    """`*` in the place of an item changes all items, delays and availability alike."""
    planned = schedule(
        Drift(tick=0, what="items.*.wait", add=1.0),
        Drift(tick=0, what="delay.*", times=4.0),
        Drift(tick=0, what="available.*", times=0.0),
    )
    levers = planned.at(0)
    assert levers.shift[:, 1].tolist() == [1.0, 1.0]
    assert levers.delay_scale.tolist() == [4.0, 4.0]
    assert levers.open.tolist() == [False, False]


def test_only_the_named_item_closes() -> None:
    """Availability below one half closes an item and leaves the other open."""
    assert schedule(Drift(tick=0, what="available.train", add=-1.0)).at(0).open.tolist() == [True, False]


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("items.tran.price", "'train'"),
        ("items.train.prise", "'price'"),
        ("item.train.price", "'items'"),
        ("delays.train", "'delay'"),
        ("items.train", "Known"),
        ("experience.center", "experience.centre"),
        ("available.bus", "Known"),
        ("", "Known"),
    ],
)
def test_an_unknown_path_is_answered(what: str, hint: str) -> None:
    """The error names the path, the part that is unknown and what comes near it."""
    with pytest.raises(ScenarioError) as caught:
        schedule(Drift(tick=0, what="delay.air"), Drift(tick=1, what=what))
    assert repr(what) in caught.value.problem
    assert hint in caught.value.remedy


def test_names_may_hold_dots() -> None:
    """An item's name with a dot in it is found, since attributes come last."""
    planned = Schedule((Drift(tick=0, what="items.v1.5.price", add=2.0),), ("v1.5",), ("price",))
    assert planned.at(0).shift.tolist() == [[2.0]]


def test_each_change_is_said_when_it_begins_and_ends() -> None:
    """The sentences give the path, the arithmetic and the note, at the two ticks and no others."""
    planned = schedule(Drift(tick=2, until=4, what="items.air.price", times=1.5, add=-3.0, note="a sale"))
    assert planned.sentences(2) == ["items.air.price × 1.5 − 3: a sale"]
    assert planned.sentences(4) == ["items.air.price × 1.5 − 3 is over: a sale"]
    assert planned.sentences(3) == []
    assert planned.changes(1, 2)
    assert not planned.changes(2, 3)
    assert planned.changes(2, 9)


def test_how_things_turn_out_changes_too() -> None:
    """The centre of experience moves with the schedule, noise never below nothing; all else stays."""
    planned = schedule(
        Drift(tick=2, what="experience.centre", add=0.5),
        Drift(tick=2, what="experience.noise", add=-3.0),
        Drift(tick=4, what="items.air.price", add=1.0),
    )
    law = Experience(of="utility", centre=1.0, noise=2.0)
    assert planned.experience(law, 1) == law
    assert planned.experience(law, 2) == law.model_copy(update={"centre": 1.5, "noise": 0.0})
    assert planned.sentences(2) == ["experience.centre + 0.5", "experience.noise − 3"]
    assert planned.changes(1, 2)
    assert not planned.changes(2, 3)


@given(
    st.lists(
        st.builds(
            Drift,
            tick=st.integers(0, 9),
            what=st.sampled_from(["items.air.price", "items.*.price", "delay.air"]),
            times=st.sampled_from([0.5, 1.0, 2.0]),
            add=st.integers(-4, 4).map(float),
        ),
        max_size=5,
    )
)
def test_nothing_changes_between_the_ticks_that_are_scheduled(drifts: list[Drift]) -> None:
    """What holds at a tick is what held the tick before, unless `changes` says otherwise."""
    planned = schedule(*drifts)
    for tick in range(1, 12):
        before, now = planned.at(tick - 1), planned.at(tick)
        same = np.array_equal(before.scale, now.scale) and np.array_equal(before.shift, now.shift)
        assert same or planned.changes(tick - 1, tick)


def test_a_drift_of_outcomes_reaches_the_people() -> None:
    """From its tick on what people took turns out worse, though nothing about the items has changed."""
    drift = [{"tick": 1, "what": "experience.centre", "add": 3.0}]
    simulation = assemble(load("feed", users=150, ticks=2, replicas=1, settings={"drift": drift})).simulation
    felt: list[float] = []
    for tick in range(2):
        simulation.world.drift(tick)
        asked = simulation.open(simulation.users.open(tick))
        exchange = simulation.follow(asked, simulation.policy.decide(asked.requests))
        felt.append(float(np.nanmean(exchange.outcomes.experience)))
    assert felt[1] < felt[0] - 0.3
