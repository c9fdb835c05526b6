"""Changes in steps, again and again or with the seasons hold as much as their shape says, and no more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.errors import ScenarioError
from rehearse.scenario.drift import Moves, factors, sentences, sine, weight
from rehearse.scenario.model import Drift

SHAPES = st.one_of(
    st.builds(dict, shape=st.just("sudden")),
    st.builds(dict, shape=st.just("gradual"), over=st.integers(1, 9)),
    st.builds(dict, shape=st.just("recurring"), period=st.integers(4, 9), lasts=st.integers(1, 3)),
    st.builds(
        dict, shape=st.just("seasonal"), period=st.integers(2, 9), phase=st.sampled_from([0.0, 0.25, 0.5])
    ),
)
"""Any shape, with what describes it."""


def change(**described) -> Drift:
    """Return a change of the price by 10 from tick 5 on."""
    return Drift(**{"tick": 5, "what": "price", "add": 10.0} | described)


def weights(drift: Drift, ticks: int = 20) -> list[float]:
    """Return how much of a change holds at the first ticks."""
    return [weight(drift, tick) for tick in range(ticks)]


@given(st.floats(-50.0, 50.0))
def test_the_sine_is_the_sine(turns):
    """Our own sine agrees with the library's to 1e-12, and is exact at the quarters of the circle."""
    assert abs(sine(turns) - math.sin(2.0 * math.pi * turns)) < 1e-12
    assert [sine(t) for t in (0.0, 0.25, 0.5, 0.75)] == pytest.approx([0.0, 1.0, 0.0, -1.0], abs=1e-15)


def test_a_sudden_change_is_there_at_once():
    """All of it from its tick until another, which is what changes always did."""
    assert weights(change(until=8), 10) == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert factors(change(times=3.0), 7) == (3.0, 10.0)
    assert factors(change(times=3.0), 4) == (1.0, 0.0)


def test_a_gradual_change_comes_in_equal_steps():
    """Over 4 ticks a quarter of it is added with each, and then all of it holds."""
    assert weights(change(shape="gradual", over=4), 11) == [0, 0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1]


def test_a_recurring_change_holds_in_every_period():
    """For 2 of every 5 ticks from its first on."""
    assert weights(change(shape="recurring", period=5, lasts=2), 13) == [0] * 5 + [1, 1, 0, 0, 0, 1, 1, 0]


def test_a_season_takes_as_much_as_it_gives():
    """The sine of the period: up, down, and nothing in the mean of a whole one; phase shifts it."""
    season = change(shape="seasonal", period=8)
    assert weights(season, 13)[5:] == pytest.approx([math.sin(math.pi * t / 4) for t in range(8)], abs=1e-12)
    assert sum(weights(season, 21)[5:]) == pytest.approx(0.0, abs=1e-12)
    assert weight(change(shape="seasonal", period=8, phase=0.25), 5) == pytest.approx(1.0)


@given(SHAPES, st.integers(0, 12), st.integers(1, 30))
def test_no_change_holds_outside_its_time(shape, tick, lasting):
    """Before its tick and from `until` on the number is what it was, to the bit; in between −1 ≤ w ≤ 1."""
    drift = change(**shape, tick=tick, until=tick + lasting)
    for t in range(60):
        inside = tick <= t < tick + lasting
        assert -1.0 <= weight(drift, t) <= 1.0
        assert inside or factors(drift, t) == (1.0, 0.0)


@given(SHAPES, st.integers(0, 12))
def test_a_number_moves_only_where_it_is_said_to(shape, tick):
    """What `Moves` makes of a number differs between two ticks only if `changes` says so."""
    moves = Moves((change(**shape, tick=tick, times=2.0),), ("price",))
    values = []
    for t in range(40):
        moves.enter(t)
        values.append(moves.now("price", 1.5))
        assert t == 0 or values[-1] == values[-2] or moves.changes(t - 1, t)


def test_changes_of_one_number_build_on_one_another():
    """New = old · times + add, in the order of ticks and not of the list; arrays move like numbers."""
    moves = Moves((change(tick=6, add=0.0, times=3.0), change(tick=2)), ("price", "fee"))
    moves.enter(6)
    assert moves.now("price", 1.0) == 33.0
    assert moves.now("price", np.array([1.0, 2.0])).tolist() == [33.0, 36.0]
    assert moves.now("fee", 1.0) == 1.0


def test_a_star_stands_for_any_part():
    """`*` moves all numbers whose names fit."""
    moves = Moves((change(what="price.*"),), ("price.bread", "price.salt", "fee"))
    moves.enter(5)
    assert [moves.now(name, 1.0) for name in ("price.bread", "price.salt", "fee")] == [11.0, 11.0, 1.0]


def test_numbers_go_on_from_a_state():
    """Restored, the numbers are what they were at the tick, whatever was entered since."""
    moves = Moves((change(shape="gradual", over=4),), ("price",))
    moves.enter(6)
    kept, then = moves.state(), moves.now("price", 1.0)
    moves.enter(30)
    moves.restore(kept)
    assert moves.now("price", 1.0) == then != 11.0


@pytest.mark.parametrize(("known", "hint"), [(("price", "fee"), "'price'"), ((), "nothing here can change")])
def test_an_unknown_number_is_answered(known, hint):
    """The error names the path and the nearest number that there is, or that there is none."""
    with pytest.raises(ScenarioError) as caught:
        Moves((change(what="prise"),), known)
    assert "'prise'" in caught.value.problem
    assert hint in caught.value.remedy


def test_each_change_is_said_when_it_begins_is_complete_and_ends():
    """A ramp is told twice, what comes again only once, each with its note."""
    ramp = change(shape="gradual", over=4, until=12, note="fuel")
    assert sentences([ramp], 5) == ["price + 10, over 4 ticks: fuel"]
    assert sentences([ramp], 8) == ["price + 10 is complete: fuel"]
    assert sentences([ramp], 12) == ["price + 10 is over: fuel"]
    again = [change(shape="recurring", period=7, lasts=2), change(shape="seasonal", period=28)]
    assert sentences(again, 5) == [
        "price + 10, for 2 of every 7 ticks",
        "price + 10, up and down every 28 ticks",
    ]
    assert not any(
        sentences([*again, ramp], tick) for tick in (*range(5), 6, 7, *range(9, 12), *range(13, 40))
    )


@pytest.mark.parametrize(
    "described",
    [
        {"shape": "gradual"},
        {"shape": "recurring", "period": 7},
        {"shape": "recurring", "period": 7, "lasts": 7},
        {"shape": "seasonal"},
        {"over": 3},
        {"shape": "gradual", "over": 3, "phase": 0.5},
        {"among": "young"},
    ],
)
def test_a_change_that_is_half_described_is_refused(described):
    """Each shape needs what describes it and nothing else; only people have groups."""
    with pytest.raises(ValueError, match=r"needs|lasts|phase|among"):
        change(**described)
