"""One person's luck in one thing on one tick, as a generator with the methods of `random.Random`.

The same numbers as `Chance`, drawn one by one in plain Python: for the few draws of one person that
is much quicker than arrays of one.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 -- for its methods: what it draws is addressed
from typing import Any

from rehearse.chance import KEY_STEPS, MULTIPLIERS, ROUNDS, key_of

_WORD = 0xFFFFFFFF
_TIMES = tuple(int(factor) for factor in MULTIPLIERS)


class Luck(Random):
    """Addressed draws: `uniform`, `choice`, `shuffle`, `sample`, `gauss` and the rest, as in `random`."""

    def __init__(self, seed: int, purpose: str, replica: int, user: int, tick: int) -> None:
        """Take the address: root seed, purpose, person and moment."""
        self._key = key_of(seed, purpose)
        self._counter = (user & _WORD, tick, replica << 16 | user >> 32)
        self._block = 0
        self._words: list[int] = []
        super().__init__(0)

    def random(self) -> float:
        """Return the next number strictly between 0 and 1, the one that `Chance.uniform` gives."""
        return (self._word() + 0.5) * 2.0**-32

    def getrandbits(self, k: int, /) -> int:
        """Return a whole number of k random bits."""
        if k < 0:
            problem = "number of bits must be non-negative"
            raise ValueError(problem)
        words, rest = divmod(k, 32)
        value = 0
        for place in range(words):
            value |= self._word() << 32 * place
        return value | (self._word() >> 32 - rest) << 32 * words if rest else value

    def seed(self, *_: Any) -> None:
        """Do nothing: the address says it all."""

    def _word(self) -> int:
        if not self._words:
            self._words = _philox((*self._counter, self._block), self._key)[::-1]
            self._block += 1
        return self._words.pop()


def _philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Return the four words of Philox4x32-10, as `chance.philox4x32` does for arrays."""
    (a, b, c, d), (k, j) = counter, key
    for _ in range(ROUNDS):
        p, q = a * _TIMES[0], c * _TIMES[1]
        a, b, c, d = (q >> 32) ^ b ^ k, q & _WORD, (p >> 32) ^ d ^ j, p & _WORD
        k, j = (k + KEY_STEPS[0]) & _WORD, (j + KEY_STEPS[1]) & _WORD
    return [a, b, c, d]
