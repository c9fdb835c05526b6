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

from rehearse.errors import UserError
from rehearse.exact import Floats, normal_from_uniform

Words = NDArray[np.uint32]

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = np.uint64(0xFFFFFFFF)
THIRTY_TWO = np.uint64(32)
LIMIT_16 = 1 << 16


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
        ids = np.asarray(user, dtype=np.uint64)
        c2 = (np.asarray(replica, dtype=np.uint64) << np.uint64(16)) | (ids >> THIRTY_TWO)
        key = key_of(self.seed, purpose)
        words = [philox4x32((ids & LOW, tick, c2, (turn << 16) | b), key) for b in range(blocks)]
        return np.concatenate(words, axis=-1)[..., :count] if blocks > 1 else words[0][..., :count]

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
