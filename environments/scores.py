"""True utilities, and the best item for each person, computed so that every machine agrees.

The true utility of item i for a person is u_i = Σ_a taste_a · attribute_ia. Two ways lead there:

`OwnScores`, where each person faces attributes of their own: products added in a fixed tree.

`SharedScores`, where all face the same (m, d) table: tastes and table lie on the grid of
`rehearse.exact.matmul`, so that every sum is exact in whatever order. Finding the best of many
items is the dearest thing a world does, so `IdealFinder` finds it without computing every utility
exactly, and proves each answer:

1. A float32 product scores a tile of people. Numbers on the grid are float32 numbers, so only the
   d products and sums are rounded: no score is off by more than (d + 2) · 2⁻²⁴ · |taste| · |item|
   (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, equation 3.5, with Cauchy's
   inequality). If the best leads the second by more than twice that, it is the best; else that
   person's utilities are computed exactly.
2. The lead is remembered with the taste it was found for. When tastes have moved by Δ since, no
   difference of two utilities has changed by more than 2 · |Δ| · max |item|: as long as that is
   less than the lead, the best item is still the best, and nothing need be computed. Tastes are
   remembered in steps of 2⁻¹², two bytes each; how far they were rounded is taken off the lead.

3. Items that differ only in attributes for which nobody has a taste are one: the first of them.

All steps only save work: the answer is always the exact one, ties going to the first item.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Rows
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Flags, Ints, Singles
from rehearse.exact import Floats, grid_limit, on_grid, total

SCORES = 2**18
"""How many utilities are worked out at once, in single precision: a mebibyte stays in the cache."""
MOST = 1024
"""People scored at once at most."""
PRODUCTS = 2**17
"""Products held at once where they are added one by one: a mebibyte."""
ROUNDING = 2.0**-24
STEP = 2.0**-12
MOST_STEPS = 2.0**15 - 1.0
SLACK = 1.0 + 2.0**-20
"""Covers the rounding of the bounds themselves."""


class Scores(Protocol):
    """The true utilities of a block of people."""

    ideal: Ints
    """The best item that can be had, shape (n,); -1 where there is none."""

    def of(self, item: Ints) -> Floats:
        """Return each person's utility of one item, shape (n,); NaN for item -1."""
        ...


class OwnScores:
    """Utilities where each person faces attributes of their own (or where the grid is too small)."""

    __slots__ = ("_utility", "ideal")

    def __init__(self, utility: Floats, available: Flags | None) -> None:
        """Take utilities (n, m), and what can be had (n, m)."""
        self._utility = utility
        offered = utility if available is None else np.where(available, utility, -np.inf)
        best = offered.argmax(axis=1).astype(np.int32)
        none = np.zeros(len(best), dtype=bool) if available is None else ~available.any(axis=1)
        self.ideal: Ints = np.where(none, np.int32(NOTHING), best)

    def of(self, item: Ints) -> Floats:
        """Return each person's utility of one item, shape (n,); NaN for item -1."""
        places = np.maximum(item, 0)[:, None]
        return np.where(item < 0, np.nan, np.take_along_axis(self._utility, places, axis=1)[:, 0])


class SharedScores:
    """Utilities where all people face the same table."""

    __slots__ = ("_finder", "_tastes", "ideal")

    def __init__(self, finder: IdealFinder, rows: Rows, tastes: Floats) -> None:
        """Take tastes (n, d) of the people in these rows of the population."""
        self._finder, self._tastes = finder, on_grid(tastes, finder.limit)
        self.ideal: Ints = finder.find(rows, self._tastes)

    def of(self, item: Ints) -> Floats:
        """Return each person's utility of one item, shape (n,); NaN for item -1."""
        found = np.empty(len(item))
        _weigh(self._tastes, self._finder.table, item, found)
        return found


class IdealFinder:
    """Finds the best item of each person in a table that all share; see the module's docstring."""

    def __init__(self, attributes: Floats, open_items: NDArray[np.bool_]) -> None:
        """Take the attributes (m, d) and which items can be had (m,)."""
        self.limit = grid_limit(attributes.shape[1])
        self.table = on_grid(attributes, self.limit)
        self._open = np.flatnonzero(open_items).astype(np.int32)
        self._columns = np.ascontiguousarray(self.table.T)
        self._longest = float(_length(self.table).max(initial=0.0))
        self._keep(0)
        self._tell_apart(np.zeros(attributes.shape[1], dtype=np.bool_))

    @property
    def bytes_per_user(self) -> int:
        """Return the bytes that it takes to remember a person."""
        return 2 * len(self._columns) + 8

    def find(self, rows: Rows, tastes: Floats) -> Ints:
        """Return the best item that can be had for people with these tastes (on the grid), or -1."""
        if len(self._open) == 0:
            return np.full(len(rows), NOTHING, dtype=np.int32)
        if len(rows) and rows.max() >= len(self._lead):
            self._keep(max(int(rows.max()) + 1, 2 * len(self._lead)))
        if not self._matters.all() and tastes[:, ~self._matters].any():
            self._tell_apart(self._matters | tastes.any(axis=0))
        doubtful = _doubtful(rows, tastes, self._tastes, self._lead, 2.0 * self._longest * SLACK)
        for start in range(0, len(doubtful), self._tile):
            some = doubtful[start : start + self._tile]
            self._search(rows.take(some), tastes.take(some, axis=0))
        return self._ideal.take(rows)

    def all(self, tastes: Floats) -> Floats:
        """Return the utility of every item, whether it can be had or not, shape (n, m)."""
        return np.asarray(np.matmul(on_grid(tastes, self.limit), self._columns))

    def _keep(self, size: int) -> None:
        """Make room to remember what was found for so many people, keeping what there is."""
        known = len(self._lead) if size else 0
        kept = (self._tastes, self._ideal, self._lead) if known else None
        self._tastes: NDArray[np.int16] = np.zeros((size, len(self._columns)), dtype=np.int16)
        self._ideal: Ints = np.full(size, NOTHING, dtype=np.int32)
        self._lead: Singles = np.zeros(size, dtype=np.float32)
        if kept is not None:
            self._tastes[:known], self._ideal[:known], self._lead[:known] = kept

    def _tell_apart(self, matters: Flags) -> None:
        """Search only the first of items that differ in no attribute for which anybody has a taste."""
        self._matters = matters
        table = self.table.take(self._open, axis=0)[:, matters]
        first = np.unique(table, axis=0, return_index=True)[1] if matters.any() else np.arange(1)
        self._searched = self._open[np.sort(first)] if len(self._open) else self._open
        self._exact = np.ascontiguousarray(self._columns.take(self._searched, axis=1))
        self._single = self._exact.astype(np.float32)
        self._tile = min(MOST, max(1, SCORES // max(len(self._searched), 1)))
        self._scores = np.empty((self._tile, len(self._searched)), dtype=np.float32)
        self._lead[:] = 0.0  # those found before led others than these

    def _search(self, rows: Rows, tastes: Floats) -> None:
        """Find the best items of at most a tile of people and remember them."""
        single = tastes.astype(np.float32)
        everyone = np.arange(len(rows))
        scores = np.matmul(single, self._single, out=self._scores[: len(rows)])
        place = scores.argmax(axis=1)
        best = scores[everyone, place].astype(np.float64)
        scores[everyone, place] = -np.inf
        second = scores[everyone, scores.argmax(axis=1)]  # `argmax` takes half the time of `max`
        length, rounded = np.empty(len(rows)), np.empty(len(rows))
        _remember(rows, tastes, self._tastes, length, rounded)
        error = (tastes.shape[1] + 2) * ROUNDING * self._longest * length
        lead = best - second - 2.0 * SLACK * error
        close = np.flatnonzero(lead <= 0.0)
        place[close] = np.matmul(tastes.take(close, axis=0), self._exact).argmax(axis=1)
        lead[close] = 0.0
        lead -= 2.0 * SLACK * self._longest * rounded
        self._ideal[rows] = self._searched.take(place)
        self._lead[rows] = np.nextafter(lead.astype(np.float32), np.float32(-np.inf))


def _weigh_plainly(tastes: Floats, table: Floats, item: Ints, found: Floats) -> None:
    chosen = table.take(np.maximum(item, 0), axis=0)
    found[:] = np.where(item < 0, np.nan, np.einsum("nd,nd->n", tastes, chosen))


@twin_of(_weigh_plainly)
def _weigh(tastes: Floats, table: Floats, item: Ints, found: Floats) -> None:
    """Tell what one item is worth to each person: on the grid sums are exact in any order."""
    for i in range(len(item)):
        found[i] = 0.0 if item[i] >= 0 else np.nan
        for d in range(tastes.shape[1] if item[i] >= 0 else 0):
            found[i] += tastes[i, d] * table[item[i], d]


def _remember_plainly(
    rows: Rows, tastes: Floats, kept: NDArray[np.int16], length: Floats, rounded: Floats
) -> None:
    steps = np.clip(np.rint(tastes / STEP), -MOST_STEPS, MOST_STEPS)
    kept[rows] = steps
    length[:], rounded[:] = _length(tastes), _length(tastes - steps * STEP)


@twin_of(_remember_plainly)
def _remember(rows: Rows, tastes: Floats, kept: NDArray[np.int16], length: Floats, rounded: Floats) -> None:
    """Keep tastes in steps; tell how long they are, and how far they were rounded."""
    for i in range(len(rows)):
        square, off = 0.0, 0.0
        for d in range(tastes.shape[1]):
            taste = tastes[i, d]
            steps = min(max(np.rint(taste / STEP), -MOST_STEPS), MOST_STEPS)
            kept[rows[i], d] = np.int16(steps)
            square += taste * taste
            off += (taste - steps * STEP) * (taste - steps * STEP)
        length[i], rounded[i] = np.sqrt(square), np.sqrt(off)


def _doubtful_plainly(
    rows: Rows, tastes: Floats, kept: NDArray[np.int16], lead: Singles, reach: float
) -> Rows:
    moved = _length(tastes - kept.take(rows, axis=0) * STEP)
    return np.flatnonzero(~(moved * reach < lead.take(rows)))


@twin_of(_doubtful_plainly)
def _doubtful(rows: Rows, tastes: Floats, kept: NDArray[np.int16], lead: Singles, reach: float) -> Rows:
    """Return the positions of those whose tastes have moved by more than their lead allows."""
    found = np.empty(len(rows), dtype=np.int64)
    count = 0
    for i in range(len(rows)):
        row, square = rows[i], 0.0
        for d in range(tastes.shape[1]):
            gap = tastes[i, d] - kept[row, d] * STEP
            square += gap * gap
        if not np.sqrt(square) * reach < lead[row]:
            found[count] = i
            count += 1
    return found[:count]


def utilities(tastes: Floats, attributes: Floats) -> Floats:
    """Return tree sums of tastes (n, d) times attributes (n, m, d) or (m, d), some rows at a time."""
    out = np.empty((len(tastes), attributes.shape[-2]))
    step = max(1, PRODUCTS // attributes.shape[-2] // attributes.shape[-1])
    for start in range(0, len(tastes), step):
        some = slice(start, start + step)
        faced = attributes if attributes.ndim == 2 else attributes[some]
        out[some] = total(tastes[some, None, :] * faced)
    return out


def _length(vectors: Floats) -> Floats:
    """Return the Euclidean length of each row."""
    return np.asarray(np.sqrt(np.einsum("nd,nd->n", vectors, vectors)))
