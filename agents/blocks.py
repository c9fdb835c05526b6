"""Small tools for blocks of rows: pieces that fit the cache, and sums in a fixed tree.

Where a person has several numbers (places of a slate, slots of a memory, attributes), the
arithmetic runs with that axis first and the people last: every operation then goes along the
people, contiguously, and the order of a sum is written in the code instead of left to numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rehearse.columns import Columns
from rehearse.compiled import inlined
from rehearse.exact import Floats

CHUNK = 16384
"""Rows worked on at once where a whole population passes by."""


def chunks(length: int, size: int = CHUNK) -> Iterator[slice]:
    """Yield slices that cover a length, each at most `size` long."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def raw(columns: Columns, name: str) -> NDArray[Any]:
    """Return a column, itself and in its own type."""
    return columns[name]


def tree_sum(parts: Floats) -> Floats:
    """Return the sum over the first axis, added in the tree of `exact.total`."""
    return fold(parts.copy())


def fold(parts: Floats) -> Floats:
    """Return the same as `tree_sum`, adding up in place: `parts` is used up."""
    if not len(parts):
        return np.zeros(parts.shape[1:])
    count = len(parts)
    while count > 1:
        half = count // 2
        parts[:half] += parts[half : 2 * half]
        if count % 2:
            parts[half] = parts[count - 1]
        count -= half
    return np.asarray(parts[0])


@inlined
def fold_one(parts: Floats, count: int) -> float:
    """Return the sum of the first numbers of one row in the same tree, for compiled loops; uses them up."""
    left = count
    while left > 1:
        half = left // 2
        for i in range(half):
            parts[i] += parts[half + i]
        if left > 2 * half:
            parts[half] = parts[left - 1]
        left -= half
    whole: float = parts[0]
    return whole


def turned(rows: NDArray[Any], kind: DTypeLike = np.float64) -> NDArray[Any]:
    """Return (n, k) as contiguous (k, n) of another type: the people last."""
    return np.array(rows.T, dtype=kind, order="C")


def moved(value: Floats, towards: Floats | float, rate: float) -> Floats:
    """Return values moved part of the way: value + rate · (towards − value)."""
    return np.asarray(value + rate * (towards - value))
