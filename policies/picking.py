"""Picking the best items that a person can have and was not shown yet, for many people at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Flags, Ints, Requests, Singles
from rehearse.exact import Floats

FAR = np.int32(1 << 30)
"""Pads lists of item numbers: beyond any of them, however far it is moved down."""
TILE = 256
"""So many rows of 1,000 scores stay in the cache."""
LONG = 32
"""Slates longer than this are sorted, not picked one place after another."""
Ties = Literal["number", "random"]
"""Which of equal items comes first: the one with the lower number, or one drawn for each person and turn."""
Score = Callable[[Rows], Array]
"""Given positions in the batch, the scores of all items: (t, m), or (m,) where all rows share them."""


class Picker:
    """Takes the best k items of each row by k passes of argmax over one small buffer, or by sorting.

    Items that a person cannot have are never taken; items shown earlier in the session are passed
    over if `avoid_shown`, unless nothing else is left. Scores are compared in single precision.
    """

    def __init__(self, items: int, k: int, *, avoid_shown: bool, ties: Ties = "number") -> None:
        self.k = k
        self.avoid_shown = avoid_shown
        self.ties = ties
        self._buffer = np.empty((TILE, items), dtype=np.float32)

    def best(self, requests: Requests, score: Score) -> tuple[Ints, Singles]:
        """Return the slates (n, k), padded with -1, and the score of each first item."""
        slate = np.empty((len(requests), self.k), dtype=np.int32)
        first = np.empty(len(requests), dtype=np.float32)
        for start in range(0, len(requests), TILE):
            rows = np.arange(start, min(start + TILE, len(requests)), dtype=np.int64)
            self._tile(requests, rows, score, slate[start : start + TILE], first[start : start + TILE])
        return slate, first

    def _tile(self, requests: Requests, rows: Rows, score: Score, slate: Ints, first: Singles) -> None:
        scores = self._buffer[: len(rows)]
        scores[:] = score(rows)
        if requests.available is not None:
            scores[~requests.available[rows[0] : rows[-1] + 1]] = -np.inf
        if self.avoid_shown:
            _pass_over(scores, requests.shown[rows[0] : rows[-1] + 1], requests.available is None)
        if self.ties == "random" or self.k > LONG:
            _sort(scores, self._luck(requests, rows), slate, first)
            return
        every = np.arange(len(rows))
        for place in range(self.k):
            item = scores.argmax(axis=1)
            value = scores[every, item]
            slate[:, place] = np.where(np.isneginf(value), NOTHING, item)
            scores[every, item] = -np.inf
            if place == 0:
                first[:] = np.where(np.isneginf(value), np.float32(np.nan), value)

    def _luck(self, requests: Requests, rows: Rows) -> NDArray[np.uint32]:
        """Return what decides between equal items, the lower first: (t, m) or (m,)."""
        items = self._buffer.shape[1]
        if self.ties == "number":
            return np.arange(items, dtype=np.uint32)
        drawn = requests.take(rows).uniform("ties", items) * 2.0**32
        return drawn.astype(np.uint32)


def _sort(scores: Singles, luck: NDArray[np.uint32], slate: Ints, first: Singles) -> None:
    """Fill slates (t, k) with the items in the order of falling scores, equals by luck."""
    bits = (scores + np.float32(0.0)).view(np.int32).astype(np.int64)  # -0 becomes 0
    # Numbers of IEEE 754 without their sign are in the order of their bits; below 0 the other way round.
    falling = np.where(bits < 0, bits & 0x7FFFFFFF, -bits)
    keys = (falling << 32) + luck.astype(np.int64)
    k = min(slate.shape[1], keys.shape[1])
    order = np.argpartition(keys, k - 1, axis=1)[:, :k] if k < keys.shape[1] // 4 else None
    if order is None:
        order = np.argsort(keys, axis=1)[:, :k]
    else:
        order = np.take_along_axis(order, np.take_along_axis(keys, order, axis=1).argsort(axis=1), axis=1)
    value = np.take_along_axis(scores, order, axis=1)
    slate[:, k:] = NOTHING
    slate[:, :k] = np.where(np.isneginf(value), NOTHING, order)
    first[:] = np.where(np.isneginf(value[:, 0]), np.float32(np.nan), value[:, 0])


def _pass_over(scores: Singles, shown: Ints, everything: bool) -> None:  # noqa: FBT001 - one caller
    """Set what was shown to minus infinity, but leave rows alone where nothing else could be had."""
    row, place = np.nonzero(shown >= 0)
    if not len(row):
        return
    item = shown[row, place]
    if everything and shown.shape[1] < scores.shape[1]:  # not all can have been shown
        scores[row, item] = -np.inf
        return
    kept = scores[row, item]
    scores[row, item] = -np.inf
    spent = np.isneginf(scores[np.arange(len(scores)), scores.argmax(axis=1)])
    back = spent[row]
    scores[row[back], item[back]] = kept[back]


def had(item: Ints, available: Flags | None) -> Ints:
    """Return one item each: what was meant where it can be had, else the first that can (-1: nothing)."""
    if available is None:
        return item
    can = available[np.arange(len(item)), item]
    first = np.where(available.any(axis=1), available.argmax(axis=1), NOTHING)
    return np.where(can, item, first).astype(np.int32)


def passed_over(requests: Requests, *, avoid_shown: bool) -> Ints:
    """Return the items not to be offered, as `excluded` does; one shown counts while others are left."""
    items = len(requests.items)
    barred = np.empty((len(requests), 0), dtype=np.int32)
    if requests.available is not None:
        barred = np.where(requests.available, np.int32(NOTHING), np.arange(items, dtype=np.int32))
        barred = excluded(barred, barred)
    if not avoid_shown or not (requests.shown >= 0).any():
        return barred
    both = np.column_stack([requests.shown, np.where(barred < items, barred, np.int32(NOTHING))])
    taken = excluded(both, both)
    barred = np.pad(barred, ((0, 0), (0, max(0, taken.shape[1] - barred.shape[1]))), constant_values=FAR)
    return np.where((left(taken, items) > 0)[:, None], taken, barred[:, : taken.shape[1]])


def open_to(requests: Requests, *, avoid_shown: bool) -> Flags:
    """Return which items may be offered to each person, shape (n, m)."""
    items = len(requests.items)
    can = np.ones((len(requests), items), dtype=np.bool_)
    barred = passed_over(requests, avoid_shown=avoid_shown)
    row, place = np.nonzero(barred < items)
    can[row, barred[row, place]] = False
    return can


def one_hot(item: Ints, items: int) -> Floats:
    """Return chances (n, m) that are 1 for one item each, and 0 everywhere for nobody's item (-1)."""
    return np.asarray(np.arange(items) == item[:, None], dtype=np.float64)


def drawn(chances: Floats, uniform: Floats) -> Ints:
    """Return the item into whose part of [0, 1) each draw falls; the last possible one at the very end."""
    ends = np.cumsum(chances, axis=1)
    beyond = ends > uniform[:, None]
    last = chances.shape[1] - 1 - np.argmax(chances[:, ::-1] > 0.0, axis=1)
    return np.asarray(np.where(beyond.any(axis=1), beyond.argmax(axis=1), last), dtype=np.int32)


def used_width(shown: Ints) -> int:
    """Return how many columns there are up to the last that holds any item."""
    used = np.flatnonzero((shown >= 0).any(axis=0))
    return int(used[-1]) + 1 if len(used) else 0


def excluded(some: Ints, numbers: Ints) -> Ints:
    """Return the numbers of some items, ascending, each once, padded with FAR: (n, s).

    `some` holds items, padded with -1; `numbers` what each goes by: the item itself, or its rank.
    """
    width = used_width(some)
    taken = np.where(some[:, :width] >= 0, numbers[:, :width], FAR)
    taken.sort(axis=1)
    if width > 1:
        again = taken[:, 1:] == taken[:, :-1]
        taken[:, 1:][again] = FAR
        taken.sort(axis=1)
    return taken


def free_number(taken: Ints, nth: Ints) -> Ints:
    """Return the nth (from 0) whole number that is not among the taken ones of its row: (n,).

    `taken` ascends without repeats; the i-th taken number t lies at or below the result exactly if
    t - i <= nth, so counting those says how far the result is pushed up.
    """
    number = nth.astype(np.int32)
    for place in range(taken.shape[1]):
        number += taken[:, place] - np.int32(place) <= nth
    return number


def insert(taken: Ints, number: Ints) -> None:
    """Put a number into each row where it ascends, in place; the last of each row, FAR, makes room."""
    for place in range(taken.shape[1]):
        larger = np.maximum(taken[:, place], number)
        taken[:, place] = np.minimum(taken[:, place], number)
        number = larger


def left(taken: Ints, items: int) -> Ints:
    """Return how many numbers below `items` are not taken in each row: (n,)."""
    return np.asarray(items - (taken < items).sum(axis=1), dtype=np.int32)


def nth_of(uniform: Floats, count: Ints) -> Ints:
    """Return a whole number below `count` for each uniform draw; all are equally likely."""
    return np.minimum((uniform * count).astype(np.int32), count - 1).astype(np.int32)
