"""Chance: Philox as published, and draws that are uniform, independent and addressed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rehearse.chance import Chance, philox4x32
from rehearse.errors import UserError

# Known-answer vectors of Random123 1.14 (kat_vectors, philox4x32 10 rounds).
FULL = 0xFFFFFFFF
VECTORS = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((FULL, FULL, FULL, FULL), (FULL, FULL), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
USERS = np.arange(20_000)


@pytest.mark.parametrize(("counter", "key", "words"), VECTORS)
def test_philox_gives_the_published_words(counter, key, words):
    """The generator is Philox4x32-10, to the published known answers."""
    assert [f"{word:08x}" for word in philox4x32(counter, key)] == words.split()


def test_draws_are_uniform():
    """Draws fill a thousand equal bins evenly, in every one of the four lanes and beyond."""
    draws = Chance(3).uniform("evenness", 0, USERS, count=6)
    for lane in draws.T:
        counts, _ = np.histogram(lane, bins=1000, range=(0, 1))
        assert stats.chisquare(counts).pvalue > 1e-4


def test_every_bit_is_fair():
    """Each of the 32 bits is set half of the time."""
    words = Chance(5).bits("bits", 0, np.arange(50_000))[:, 0]
    shares = ((words[:, None] >> np.arange(32)) & 1).mean(axis=0)
    assert np.abs(shares - 0.5).max() < 4.5 * 0.5 / np.sqrt(50_000)


NEIGHBOURS = {
    "users": lambda c: (c.uniform("a", 0, USERS), c.uniform("a", 0, USERS + 1)),
    "turns": lambda c: (c.uniform("a", 0, USERS, turn=3), c.uniform("a", 0, USERS, turn=4)),
    "ticks": lambda c: (c.uniform("a", 0, USERS, tick=3), c.uniform("a", 0, USERS, tick=4)),
    "replicas": lambda c: (c.uniform("a", 0, USERS), c.uniform("a", 1, USERS)),
    "purposes": lambda c: (c.uniform("a", 0, USERS), c.uniform("b", 0, USERS)),
    "draws": lambda c: (c.uniform("a", 0, USERS, count=2)[:, :1], c.uniform("a", 0, USERS, count=2)[:, 1:]),
    "seeds": lambda c: (c.uniform("a", 0, USERS), Chance(c.seed + 1).uniform("a", 0, USERS)),
}


@pytest.mark.parametrize("between", NEIGHBOURS)
def test_neighbouring_addresses_are_independent(between):
    """Draws at addresses that differ by one step are uncorrelated and jointly uniform."""
    x, y = (draws[:, 0] for draws in NEIGHBOURS[between](Chance(7)))
    assert abs(np.corrcoef(x, y)[0, 1]) < 4.5 / np.sqrt(len(x))
    joint, _, _ = np.histogram2d(x, y, bins=20, range=[[0, 1], [0, 1]])
    assert stats.chisquare(joint.ravel()).pvalue > 1e-4


def test_normal_draws_are_standard_normal():
    """Normal draws pass a Kolmogorov-Smirnov test against the standard normal."""
    assert stats.kstest(Chance(11).normal("n", 0, USERS)[:, 0], "norm").pvalue > 1e-4


@given(
    seed=st.integers(0, 2**63 - 1),
    users=st.lists(st.integers(0, 2**40), min_size=1, max_size=20),
    tick=st.integers(0, 10**6),
    turn=st.integers(0, 1000),
    count=st.integers(1, 9),
)
def test_a_draw_depends_on_its_address_alone(seed, users, tick, turn, count):
    """Whoever else draws, and however many numbers are drawn, the same address gives the same number."""
    chance = Chance(seed)
    together = chance.uniform("p", 2, np.array(users), tick=tick, turn=turn, count=count)
    for user, row in zip(users, together, strict=True):
        alone = chance.uniform("p", 2, user, tick=tick, turn=turn, count=count + 3)
        assert np.array_equal(alone[:count], row)
    assert ((together > 0) & (together < 1)).all()


def test_user_ids_above_32_bits_have_luck_of_their_own():
    """Two users whose ids agree in the lower 32 bits do not share their luck."""
    low, high = Chance(1).uniform("p", 0, np.array([5, 5 + 2**32]))
    assert low != high


def test_a_negative_seed_is_refused_with_its_value():
    """A seed below zero is the caller's mistake, and the message shows it."""
    with pytest.raises(UserError, match="-4"):
        Chance(-4)
