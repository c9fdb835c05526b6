"""Patience drains, runs out and comes back; satisfaction follows what a turn offers."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.agents.patience import (
    Setbacks,
    drained,
    impression,
    leaves,
    quit_chance,
    reasons,
    recovered,
)
from rehearse.contract import End, Fault
from rehearse.scenario.people import Drains

NONE = Drains(repeat=0, contradiction=0, bad_offer=0, error=0, wait_per_second=0)
NO, YES = np.array([False]), np.array([True])
SOON = np.zeros(1, dtype=np.float32)


def setbacks(**happened):
    """Return setbacks of one person."""
    return Setbacks(**{"repeat": NO, "contradiction": NO, "bad_offer": NO, "error": NO} | happened)


@pytest.mark.parametrize("name", ["repeat", "contradiction", "bad_offer", "error"])
def test_each_setback_drains_its_own_amount(name):
    """What goes wrong costs what the scenario says, and only that."""
    drains = NONE.model_copy(update={name: 1.5})
    assert drained(np.array([5.0]), setbacks(**{name: YES}), SOON, drains) == 3.5
    others = {n: YES for n in ("repeat", "contradiction", "bad_offer", "error") if n != name}
    assert drained(np.array([5.0]), setbacks(**others), SOON, drains) == 5.0


@pytest.mark.parametrize("name", ["repeat", "contradiction", "bad_offer", "error"])
def test_what_drains_nothing_is_no_setback(name):
    """A setback is felt only where it costs patience."""
    assert setbacks(**{name: YES}).felt(NONE.model_copy(update={name: 0.1}))[0]
    assert not setbacks(**{name: YES}).felt(NONE)[0]


def test_every_turn_drains_what_a_turn_costs():
    """The cost of a turn falls due with nothing having gone wrong."""
    assert drained(np.array([5.0]), setbacks(), SOON, NONE.model_copy(update={"turn": 0.5})) == 4.5


def test_waiting_drains_by_the_second_beyond_the_free_time():
    """Latency within the free time costs nothing, each second beyond it its price."""
    drains = NONE.model_copy(update={"wait_per_second": 0.2, "free_wait_ms": 1000.0})
    latency = np.array([0.0, 1000.0, 3500.0], dtype=np.float32)
    many = Setbacks(*[np.zeros(3, dtype=np.bool_)] * 4)
    assert drained(np.full(3, 5.0), many, latency, drains) == pytest.approx([5.0, 5.0, 4.5])


def test_patience_never_falls_below_nothing():
    """More cannot be lost than there is."""
    assert drained(np.array([0.3]), setbacks(error=YES), SOON, Drains()) == 0.0


def test_the_chance_to_quit_is_the_square_of_the_share_lost():
    """(1 − p/P)²: none for the rested, one for the exhausted, a quarter at half."""
    chances = quit_chance(np.array([4.0, 2.0, 0.0, 0.0]), np.array([4.0, 4.0, 4.0, 0.0]))
    assert chances.tolist() == [0.0, 0.25, 1.0, 1.0]


def test_people_leave_after_a_setback_or_with_no_patience_left():
    """Without a setback only those leave whose patience is used up."""
    patience, uniform = np.array([2.0, 2.0, 2.0, 0.0]), np.array([0.2, 0.2, 0.3, 0.9])
    setback = np.array([True, False, True, False])
    assert leaves(patience, 0.25, setback, uniform).tolist() == [True, False, False, True]


def test_a_tick_gives_back_a_part_of_what_was_lost():
    """Recovery moves patience towards the personal most."""
    assert recovered(np.array([1.0, 5.0]), np.array([5.0, 5.0]), 0.5).tolist() == [3.0, 5.0]


def test_the_weightiest_reason_is_the_one_recorded():
    """Infeasible before met, met before leaving, who failed before plain impatience, all before content."""
    rows = 7
    no, model, network = Fault.NONE, Fault.RAISED, Fault.UNREACHED
    end = reasons(
        content=np.array([True] * 6 + [False]),
        leaves=np.array([True] * 5 + [False] * 2),
        fault=np.array([model, model, model, network, no, no, no], dtype=np.int8),
        progress=np.array([1.0, 1.0, 0.5, 0.5, 0.0, 0.9, 0.9]),
        available=np.arange(rows)[:, None] > 0,
    )
    failed = End.POLICY_ERROR, End.INFRA_ERROR
    expected = (End.INFEASIBLE, End.GOAL_MET, *failed, End.ABANDONED, End.USER_STOP, End.NONE)
    assert end.tolist() == [int(e) for e in expected]


def test_an_impression_grows_with_the_surplus_and_an_error_makes_the_worst():
    """Taken with surplus > taken at par > nothing taken > no answer."""
    surplus = np.array([2.0, 0.0, np.nan, np.nan])
    found = impression(surplus, np.array([True, True, False, False]), np.array([False, False, False, True]))
    assert found == pytest.approx([0.8807970779778823, 0.5, 0.3, 0.0], abs=1e-12)
