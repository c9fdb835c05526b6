"""Chance as a function: every draw is addressed, none depends on another.

A draw is determined by (root seed, purpose, replica, user, tick, turn, draw number) through the
counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
easy as 1, 2, 3", SC 2011). Seed and purpose make the key; the rest makes the counter:

    key      two words of SHA-256(seed, purpose)
    counter  (user, tick, replica << 16 | user >> 32, turn << 16 | draw number // 4)

So two policies meet the same people with the same luck, whoever else is there and in whatever
order they are served.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.columns import Array
from rehearse.compiled import inlined, twin_of
from rehearse.errors import UserError
from rehearse.exact import Floats, normal_from_uniform

Words = NDArray[np.uint32]

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
STEP_0, STEP_1 = np.uint64(KEY_STEPS[0]), np.uint64(KEY_STEPS[1])
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
THIRTY_TWO = np.uint64(32)
SIXTEEN = np.uint64(16)
LIMIT_16 = 1 << 16
TOGETHER = 1 << 13
"""Draws that are made at once where they are many for each person: they stay in the cache."""


def philox4x32(counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]) -> Words:
    """Return the four output words of Philox4x32-10 for each counter: shape (n, 4), uint32."""
    shape = np.broadcast_shapes(*(np.shape(c) for c in counter))
    state = np.empty((6, *shape), dtype=np.uint64)
    for place, word in enumerate(counter):
        state[place] = word
    x0, x1, x2, x3, p0, p1 = (state[place, ...] for place in range(6))
    k0, k1 = key
    for _ in range(ROUNDS):
        np.multiply(x0, MULTIPLIERS[0], out=p0)
        np.multiply(x2, MULTIPLIERS[1], out=p1)
        np.right_shift(p1, THIRTY_TWO, out=x0)
        x0 ^= x1
        x0 ^= np.uint64(k0)
        np.right_shift(p0, THIRTY_TWO, out=x2)
        x2 ^= x3
        x2 ^= np.uint64(k1)
        np.bitwise_and(p1, LOW, out=x1)
        np.bitwise_and(p0, LOW, out=x3)
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    words = np.empty((*x0.shape, 4), dtype=np.uint32)
    for place, word in enumerate((x0, x1, x2, x3)):
        words[..., place] = word
    return words


Four = tuple[np.uint64, np.uint64, np.uint64, np.uint64]


@inlined
def _round(c: Four, k0: np.uint64, k1: np.uint64) -> Four:
    p0, p1 = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
    return (p1 >> THIRTY_TWO) ^ c[1] ^ k0, p1 & LOW, (p0 >> THIRTY_TWO) ^ c[3] ^ k1, p0 & LOW


@inlined
def philox_block(c: Four, k0: np.uint64, k1: np.uint64) -> Four:
    """Return the four output words of one counter, for compiled loops over few."""
    for _ in range(ROUNDS):
        c = _round(c, k0, k1)
        k0, k1 = (k0 + STEP_0) & LOW, (k1 + STEP_1) & LOW
    return c


def _plainly(
    ids: Array, replica: Array, tick: int, place: int, k0: int, k1: int, words: NDArray[np.uint32]
) -> None:
    user = ids.astype(np.uint64)
    c2 = (replica.astype(np.uint64) << SIXTEEN) | (user >> THIRTY_TWO)
    step = max(1, TOGETHER // max(len(ids), 1))
    for first in range(0, len(words), step):  # many draws of few people are made together
        blocks = np.arange(first, min(first + step, len(words)))[:, None]
        drawn = philox4x32((user & LOW, tick, c2, place | blocks), (k0, k1))
        words[first : first + step] = drawn.transpose(0, 2, 1)


@twin_of(_plainly)
def draw(
    ids: Array, replica: Array, tick: int, place: int, k0: int, k1: int, words: NDArray[np.uint32]
) -> None:
    """Fill words (blocks, 4, n) with the draws of these people at a place `turn << 16`."""
    rounds, when = np.arange(ROUNDS).astype(np.uint64), np.uint64(tick)
    first, second = (np.uint64(k0) + rounds * STEP_0) & LOW, (np.uint64(k1) + rounds * STEP_1) & LOW
    for block in range(len(words)):
        where = np.uint64(place | block)
        zero, one, two, three = words[block, 0], words[block, 1], words[block, 2], words[block, 3]
        # Nothing here depends on another i: with the keys worked out before, eight go at a time.
        for i in range(len(ids)):
            user = np.uint64(ids[i])
            c = (user & LOW, when, (np.uint64(replica[i]) << SIXTEEN) | (user >> THIRTY_TWO), where)
            for number in range(ROUNDS):
                c = _round(c, first[number], second[number])
            zero[i], one[i], two[i], three[i] = c


@lru_cache(maxsize=1024)
def key_of(seed: int, purpose: str) -> tuple[int, int]:
    """Return the two key words of a root seed and a purpose."""
    digest = hashlib.sha256(f"{seed}\x1f{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


class Chance:
    """The luck of one run: draws addressed by purpose, person and moment."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        """Take the root seed, any whole number from 0."""
        if seed < 0:
            problem = f"seed must be a whole number from 0, got {seed}."
            raise UserError(problem, "Choose 0 or more.")
        self.seed = seed

    def bits(
        self,
        purpose: str,
        replica: ArrayLike,
        user: ArrayLike,
        *,
        tick: int = 0,
        turn: int = 0,
        count: int = 1,
    ) -> Words:
        """Return uniform 32-bit words of shape (n, count)."""
        blocks = -(-count // 4)
        if max(turn, blocks) >= LIMIT_16:
            problem = f"turn {turn} or {count} draws a turn is more than 65,535 turns or 262,140 draws."
            raise UserError(problem, "Use a separate purpose, or fewer turns.")
        ids, societies = np.asarray(user), np.asarray(replica)
        if ids.shape != societies.shape:
            ids, societies = (np.ascontiguousarray(a) for a in np.broadcast_arrays(ids, societies))
        words = np.empty((blocks, 4, ids.size), dtype=np.uint32)
        key = key_of(self.seed, purpose)
        draw(ids.reshape(-1), societies.reshape(-1), tick, turn << 16, *key, words)
        return words.reshape(4 * blocks, ids.size)[:count].T.reshape(*ids.shape, count)

    def uniform(
        self,
        purpose: str,
        replica: ArrayLike,
        user: ArrayLike,
        *,
        tick: int = 0,
        turn: int = 0,
        count: int = 1,
    ) -> Floats:
        """Return uniform numbers strictly between 0 and 1, shape (n, count), steps of 2**-32."""
        words = self.bits(purpose, replica, user, tick=tick, turn=turn, count=count)
        numbers = words.astype(np.float64)
        numbers += 0.5
        numbers *= 2.0**-32
        return numbers

    def normal(
        self,
        purpose: str,
        replica: ArrayLike,
        user: ArrayLike,
        *,
        tick: int = 0,
        turn: int = 0,
        count: int = 1,
    ) -> Floats:
        """Return standard normal numbers by inversion, shape (n, count)."""
        return normal_from_uniform(self.uniform(purpose, replica, user, tick=tick, turn=turn, count=count))

    def between(
        self, purpose: str, replica: ArrayLike, one: ArrayLike, other: ArrayLike, *, tick: int = 0
    ) -> Floats:
        """Return one uniform number strictly between 0 and 1 for each pair of people, shape (n,).

        It is addressed by (purpose, tick, replica, one, other): the two directions of a pair differ.
        """
        c2 = np.asarray(replica, dtype=np.uint64) << np.uint64(16)
        words = philox4x32((one, other, c2, 0), key_of(self.seed, f"{purpose}\x1e{tick}"))
        return (words[..., 0].astype(np.float64) + 0.5) * 2.0**-32
