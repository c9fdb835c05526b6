"""Attention that falls down a slate, tastes that turn, and things that nobody takes twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.agents.choice import attention_choice, possible
from rehearse.agents.laws.rotation import turned
from rehearse.contract import NOTHING, Offer
from rehearse.experiments.api import load
from rehearse.experiments.build import assemble


def test_attention_weighs_utility_by_rank():
    """The largest u · r^α is taken, the first of equals, and nothing only where nothing can be had."""
    utilities = np.array([[0.5, 0.8, 1.0], [0.5, 0.9, 0.1], [-np.inf, 0.1, 0.1], [-np.inf] * 3])
    assert attention_choice(utilities, -0.8).tolist() == [0, 1, 1, NOTHING]
    assert attention_choice(utilities, 0.0).tolist() == [2, 1, 1, NOTHING]


def test_a_place_far_down_a_long_slate_has_its_number():
    """Slates longer than a byte counts keep the place."""
    utilities = np.full((1, 400), 0.1)
    utilities[0, 300] = 1e6
    assert attention_choice(utilities, -0.8).tolist() == [300]


@given(st.integers(0, 2**32))
def test_what_stands_twice_counts_once_in_slates_of_any_length(seed):
    """Sorting finds the same repeats as comparing place by place."""
    places = np.random.default_rng(seed).integers(-1, 40, (30, 4)).astype(np.int32)
    found = possible(places, None)
    for column, flags in zip(places.T.tolist(), found.T.tolist(), strict=True):
        assert flags == [item >= 0 and item not in column[:place] for place, item in enumerate(column)]


@given(st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_tastes_turn_by_a_part_of_the_angle_and_keep_their_length(seed, part):
    """The result is the textbook's spherical interpolation."""
    rng = np.random.default_rng(seed)
    taste, towards = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    length = np.linalg.norm(taste, axis=1, keepdims=True)
    one, other = taste / length, towards / np.linalg.norm(towards, axis=1, keepdims=True)
    angle = np.arccos((one * other).sum(axis=1, keepdims=True))
    ways = np.sin((1 - part) * angle) * one + np.sin(part * angle) * other
    assert turned(taste, towards, part) == pytest.approx(length * ways / np.sin(angle), abs=1e-9)


def test_who_has_no_taste_or_nowhere_to_turn_stays():
    """A length of 0, the same direction and the very opposite leave tastes as they are."""
    taste = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    towards = np.array([[1.0, 0.0], [2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
    assert turned(taste, towards, 0.5).tolist() == taste.tolist()


def test_nobody_takes_a_thing_twice():
    """With `repeats: false` all that a person took differs, until nothing is left to take."""
    settings = {
        "world.settings.items": {"count": 6},
        "people.behaviour.repeats": False,
        "people.laws": {"choice": {"attention": {"exponent": 0.0}}},
        "time.max_turns": 1,
        "people.goals": [{"name": "use", "rate": 1.0, "at_start": 1.0}],
        "people.behaviour.visit_rate": 1.0,
        "people.behaviour.visit_trust": 0.0,
        "criteria": [],
        "slate": 6,
    }
    scenario = load("feed", users=20, ticks=8, replicas=1, settings=settings)
    simulation = assemble(scenario).simulation
    taken = []

    class Heard:
        def on_turn(self, exchange):
            taken.extend(zip(exchange.turn.user.tolist(), exchange.responses.choice.tolist(), strict=True))

        def on_tick(self, tick, users):
            pass

    simulation.watchers.append(Heard())
    for _ in range(8):
        simulation.advance()
    real = [pair for pair in taken if pair[1] >= 0]
    assert len(real) == len(set(real)) == 20 * 6
    assert len(taken) > len(real)


def test_what_stands_beside_is_expected_too():
    """`Offer.beside` goes with the person through taking a part of a block."""
    offer = Offer(np.zeros((2, 1)), np.zeros((3, 0), np.float32), beside=np.arange(6.0).reshape(3, 2))
    part = offer.take(np.array([2, 0]))
    assert part.beside is not None
    assert part.beside.tolist() == [[4.0, 5.0], [0.0, 1.0]]
