"""Memory is a ring that fades; it changes what people do next, in stated directions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.agents import memory
from rehearse.agents.crowd import Crowd
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, End, Fault, Offer, Outcomes, Turn
from rehearse.scenario.people import GoalSpec, People

MANY = 4000
events = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1, width=32)), max_size=20)


def crowd_of(n=MANY, behaviour=None, **spec):
    """Return people who want something for ever, and like both items (worth 0) as well as nothing."""
    traits = {"patience": 5.0, "noise": 1.0, "trust": 0.5, "susceptibility": 1.0, "threshold": 0.3}
    columns = {name: np.full(n, value, dtype=np.float32) for name, value in traits.items()}
    columns |= {"user": np.arange(n), "replica": np.zeros(n, dtype=np.int32)}
    columns |= {"group": np.zeros(n, dtype=np.int8), "segment": np.zeros(n, dtype=np.int8)}
    columns |= {"opinion": np.zeros(n, dtype=np.float32), "taste": np.ones((n, 1), dtype=np.float32)}
    goal = GoalSpec(name="use", at_start=1, rate=1, need=1000, deadline=1000, strength=0.0)
    scenario = People(count=n, goals=(goal,), memory=spec, behaviour=behaviour or {})
    return Crowd(scenario, Columns(columns), chance=Chance(8), items=("a", "b"))


def meet(crowd, *, item=0, tick=0, turn=0, experience=0.5, worth=0.0, fault=Fault.NONE):
    """Let everybody take a turn in which one item is proposed; return the responses."""
    rows = np.arange(crowd.columns.length)
    now = Turn(rows, crowd.columns["replica"], crowd.columns["user"], tick, turn, Chance(8))
    offer = Offer(np.full((2, 1), worth), np.zeros((len(rows), 0), dtype=np.float32))
    slate = np.full((len(rows), 1), -1 if fault else item, dtype=np.int32)
    decisions = Decisions.of(slate, fault=fault)
    responses = crowd.respond(now, offer, decisions)
    lived = np.where(responses.choice >= 0, experience, np.nan).astype(np.float32)
    nothing = np.zeros(len(rows), dtype=np.float32)
    outcomes = Outcomes(nothing, lived, responses.choice, nothing, np.zeros(len(rows), dtype=np.int8))
    crowd.remember(now, decisions, responses, outcomes)
    return responses


def taken_again(experience, item=0, ticks=0, **spec):
    """Return how many take an item after everybody took item 0 with some experience."""
    behaviour = spec.pop("behaviour", {})
    crowd = crowd_of(behaviour=behaviour, **({"trust_rate": 0.0} | spec))
    meet(crowd, worth=50.0, experience=experience)
    for tick in range(ticks):
        crowd.live(tick)
    return (meet(crowd, item=item, tick=ticks, turn=1).choice >= 0).mean()


@given(events, st.integers(1, 5))
@settings(max_examples=50)
def test_the_ring_holds_the_latest_events(happened, size):
    """Whatever happened, the last k events are remembered, each with full weight."""
    columns = Columns(length=1)
    memory.add_columns(columns, size)
    for item, value in happened:
        memory.push(columns, np.array([0]), np.array([item], dtype=np.int32), np.array([value]))
    held = sorted(zip(columns["memory_item"][0].tolist(), columns["memory_value"][0].tolist(), strict=True))
    latest = happened[-size:]
    empty = [(-1, 0.0)] * (size - len(latest))
    assert held == sorted([*latest, *empty])
    assert columns["memory_weight"].sum() == len(latest)


def test_memories_fade_by_the_tick():
    """After t ticks an event weighs decay to the t."""
    crowd = crowd_of(3, decay=0.5)
    meet(crowd, worth=50.0)
    for tick in range(3):
        crowd.live(tick)
    assert crowd.columns["memory_weight"][:, 0].tolist() == [0.125] * 3


def test_good_memories_bring_people_back_to_an_item_and_bad_ones_keep_them_away():
    """With memory on, more take what was good and fewer what was bad; with it off nothing changes."""
    neutral = taken_again(0.5, weight=3.0)
    good, bad = taken_again(1.0, weight=3.0), taken_again(0.0, weight=3.0)
    assert bad < neutral - 0.2
    assert good > neutral + 0.2
    assert taken_again(1.0, weight=3.0, on=False) == taken_again(0.0, weight=3.0, on=False)


def test_a_memory_is_about_its_item_only():
    """What was bad about one item says nothing about another."""
    assert taken_again(0.0, item=1, weight=3.0) == taken_again(1.0, item=1, weight=3.0)


def test_what_faded_weighs_less():
    """A bad memory keeps fewer people away after ten ticks than at once."""
    assert taken_again(0.0, weight=3.0, ticks=10, decay=0.7) > taken_again(0.0, weight=3.0) + 0.1


def test_boredom_tires_people_of_what_they_took():
    """An item remembered as taken is worth less, however good it was; not so with memory off."""
    bored = taken_again(0.5, behaviour={"boredom": 2.0})
    assert bored < taken_again(0.5) - 0.2
    assert taken_again(0.5, behaviour={"boredom": 2.0}, on=False) == taken_again(0.5, on=False)


def test_trust_moves_towards_each_experience():
    """By trust' = trust + rate · (experience − trust); an error counts as the worst."""
    crowd = crowd_of(1, trust_rate=0.2)
    meet(crowd, worth=50.0, experience=1.0)
    assert crowd.columns["trust"][0] == pytest.approx(0.6)
    meet(crowd, turn=1, fault=Fault.RAISED)
    assert crowd.columns["trust"][0] == pytest.approx(0.48)


def test_an_abandoned_session_costs_trust():
    """Leaving in vain is an experience of the model; leaving content is none."""
    crowd = crowd_of(2, trust_rate=0.2)
    turn = Turn(np.arange(2), crowd.columns["replica"], crowd.columns["user"], 0, 0, Chance(8))
    crowd.close(turn, np.array([End.ABANDONED, End.USER_STOP], dtype=np.int8))
    assert crowd.columns["trust"].tolist() == pytest.approx([0.4, 0.5])


def test_trust_lends_to_what_is_proposed():
    """Those who trust take more of the same; with memory off trust plays no part."""
    shares = {}
    for on in (True, False):
        for trust in (0.0, 1.0):
            crowd = crowd_of(trust_weight=2.0, on=on)
            crowd.columns["trust"][:] = trust
            shares[on, trust] = (meet(crowd).choice >= 0).mean()
    assert shares[True, 1.0] > shares[True, 0.0] + 0.3
    assert shares[False, 1.0] == shares[False, 0.0]


def visits(trust, *, habit=0.0, on=True, **behaviour):
    """Return the share of people who open a session in a tick."""
    by_habit = behaviour.pop("habit_weight", 0.0)
    crowd = crowd_of(behaviour=behaviour, on=on, habit_weight=by_habit)
    crowd.columns["trust"][:] = trust
    crowd.columns["habit"][:] = habit
    return len(crowd.open(0)) / MANY


def test_distrust_keeps_people_away():
    """The chance to come is visit_rate · trust**visit_trust; with memory off it is visit_rate."""
    assert visits(0.5, visit_rate=0.8) == pytest.approx(0.4, abs=0.03)
    assert visits(0.5, visit_rate=0.8, visit_trust=2.0) == pytest.approx(0.2, abs=0.03)
    assert visits(0.0, visit_rate=0.8) == 0.0
    assert visits(0.0, visit_rate=0.8, visit_trust=0.0) == pytest.approx(0.8, abs=0.03)
    assert visits(0.0, on=False, visit_rate=0.8) == pytest.approx(0.8, abs=0.03)


def test_habit_can_make_up_for_distrust():
    """Full habit with weight 1 brings everybody; without weight it brings nobody."""
    assert visits(0.0, habit=1.0, habit_weight=1.0) == 1.0
    assert visits(0.0, habit=1.0) == 0.0


def test_habit_grows_with_sessions_and_fades_with_those_passed_over():
    """Opening moves habit towards 1, passing over towards 0, by habit_rate."""
    crowd = crowd_of(2, habit_rate=0.25)
    crowd.columns["trust"][:] = [1.0, 0.0]
    crowd.columns["habit"][:] = 0.4
    assert crowd.open(0).tolist() == [0]
    assert crowd.columns["habit"].tolist() == pytest.approx([0.55, 0.3])


def test_memory_lasts_across_sessions():
    """What was taken in one session is still remembered when the next one opens."""
    crowd = crowd_of(1)
    crowd.columns["trust"][:] = 1.0
    for tick in range(2):
        assert crowd.open(tick).tolist() == [0]
        meet(crowd, tick=tick, item=tick, worth=50.0, experience=0.9)
        crowd.live(tick)
    assert crowd.columns["memory_item"][0, :2].tolist() == [0, 1]


def test_proposing_again_what_served_badly_contradicts_the_person():
    """Patience drains by a contradiction for a bad memory, not for a good one, nor with memory off."""
    lost = {}
    for experience, on in ((0.0, True), (1.0, True), (0.0, False)):
        drains = {"repeat": 0.0, "bad_offer": 0.0, "contradiction": 2.0}
        crowd = crowd_of(1, behaviour={"drains": drains, "recovery": 0.0}, on=on)
        meet(crowd, worth=50.0, experience=experience)
        meet(crowd, turn=1, worth=50.0)
        lost[experience, on] = 5.0 - float(crowd.columns["patience"][0])
    assert lost == {(0.0, True): 2.0, (1.0, True): 0.0, (0.0, False): 0.0}


def test_power_agrees_with_its_definition():
    """base**exponent, with 0**0 = 1 and 0 to any other exponent 0."""
    base = np.array([0.0, 0.25, 0.5, 1.0])
    for exponent in (0.0, 0.5, 1.0, 2.0, 3.7):
        assert memory.power(base, exponent) == pytest.approx(base**exponent, rel=1e-14)
