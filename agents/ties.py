"""Ties: who knows whom, frozen to the rows of a population.

The neighbours of all rows lie one after another in one array (compressed sparse rows), so that what
friends say is gathered without a loop over people. Sums over friends are added one by one in
ascending order of the friend's row, whatever rows are asked for together: the same bits in any blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Rows
from rehearse.exact import Floats

Index = NDArray[np.int32] | NDArray[np.int64]

EDGES_AT_A_TIME = 1 << 16
"""Ties looked at together, so that what lies in between stays small; it changes no result."""


@dataclass(frozen=True, slots=True)
class Ties:
    """Who listens to whom among n rows; made by `freeze`, `rehearse.agents.graph` or a test."""

    indptr: NDArray[np.int64]
    """Where each row's friends begin in `indices`, shape (n + 1,)."""
    indices: Index
    """The friends' rows, ascending within a row."""
    weights: Floats | None = None
    """How strong each tie is; None: all the same."""
    mutual: bool = True
    """True where everybody listens to those who listen to them."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.indptr) - 1

    @property
    def degree(self) -> NDArray[np.int64]:
        """Return how many friends each row has, shape (n,)."""
        return np.diff(self.indptr)

    def neighbours(self, row: int) -> Index:
        """Return the rows of one row's friends, ascending."""
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def around(self, rows: Rows) -> tuple[Rows, Rows, Floats | None]:
        """Return the ties of some rows: for each, a position in `rows`, the friend's row, the weight."""
        starts, counts = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        places = np.arange(len(owner)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)
        weights = None if self.weights is None else self.weights.take(places)
        return owner, self.indices.take(places).astype(np.int64), weights

    def total(self, values: Floats, rows: Rows) -> Floats:
        """Return the (weighted) sum of friends' values (n,) or (n, d), added in the order of their rows."""
        if self.weights is not None:
            owner, friend, weights = self.around(rows)
            return sum_of(owner, values.take(friend, axis=0), weights, len(rows))
        from scipy.sparse import csr_array

        # A product with a matrix of ones adds one by one, in the order of the row, as sum_of does.
        starts, stops = self.indptr.take(rows), self.indptr.take(rows + 1)
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
            friend = np.asarray(self.indices[starts[0] : stops[-1]])
            bounds = np.append(starts, stops[-1]) - starts[0]
        else:
            friend = np.asarray(self.around(rows)[1])
            bounds = np.concatenate([[0], np.cumsum(stops - starts)])
        bounds = bounds.astype(self.indices.dtype)
        friend = friend.astype(self.indices.dtype, copy=False)
        ones = csr_array((np.ones(len(friend)), friend, bounds), shape=(len(rows), len(self)))
        return np.asarray(ones @ values)

    def mass(self, rows: Rows) -> Floats:
        """Return how much all friends of each of some rows count together."""
        if self.weights is not None:
            owner, _, weights = self.around(rows)
            return mass_of(owner, weights, len(rows))
        return (self.indptr.take(rows + 1) - self.indptr.take(rows)).astype(np.float64)

    def mean(self, values: NDArray[np.generic], rows: Rows | None = None) -> Floats:
        """Return the (weighted) mean of friends' values (n,) or (n, d); NaN for those without friends."""
        asked = self.everybody() if rows is None else rows
        owner, friend, weights = self.around(asked)
        heard = np.asarray(values).take(friend, axis=0).astype(np.float64)
        return mean_of(owner, heard, weights, len(asked))

    def everybody(self) -> Rows:
        """Return all rows."""
        return np.arange(len(self), dtype=np.int64)

    def parts(self) -> Iterator[Rows]:
        """Go over all rows in parts with about as many ties each."""
        marks = np.arange(0, self.indptr[-1] + EDGES_AT_A_TIME, EDGES_AT_A_TIME)
        bounds = np.unique([0, *np.searchsorted(self.indptr[:-1], marks), len(self)])
        for start, stop in pairwise(bounds.tolist()):
            yield np.arange(start, stop, dtype=np.int64)

    def both_ways(self) -> Self:
        """Return the ties with everybody listening also to those who listen to them, unweighted."""
        if self.mutual:
            return self
        owner, friend, _ = self.around(self.everybody())
        return type(self)(*_compressed(len(self), *_there_and_back(owner, friend)))


def freeze(
    count: int, one: Rows, other: Rows, weights: Floats | None = None, *, directed: bool = False
) -> Ties:
    """Make ties among `count` rows from pairs; of a directed pair, `one` listens to `other`.

    Ties to oneself are dropped; a tie that is given twice counts once, with the sum of its weights.
    """
    apart = one != other
    one, other = one[apart], other[apart]
    weights = None if weights is None else weights[apart]
    if not directed:
        one, other = _there_and_back(one, other)
        weights = None if weights is None else np.concatenate([weights, weights])
    return Ties(*_compressed(count, one, other, weights), mutual=not directed)


def mean_of(owner: Rows, values: Floats, weights: Floats | None, count: int) -> Floats:
    """Return the mean of values (e,) or (e, d) by owner, in the order given; NaN for owners of none."""
    total = sum_of(owner, values, weights, count)
    mass = mass_of(owner, weights, count)
    with np.errstate(invalid="ignore"):
        return total / (mass if total.ndim == 1 else mass[:, None])


def mass_of(owner: Rows, weights: Floats | None, count: int) -> Floats:
    """Return the sum of weights by owner; without weights each counts 1."""
    return np.bincount(owner, weights=weights, minlength=count).astype(np.float64, copy=False)


def sum_of(owner: Rows, values: Floats, weights: Floats | None, count: int) -> Floats:
    """Return the (weighted) sum of values (e,) or (e, d) by owner, added in the order given."""
    if values.ndim == 2:
        columns = [sum_of(owner, values[:, i], weights, count) for i in range(values.shape[1])]
        return np.stack(columns, axis=1) if columns else np.zeros((count, 0))
    amounts = values if weights is None else values * weights
    return np.bincount(owner, weights=amounts, minlength=count).astype(np.float64, copy=False)


def _there_and_back(one: Rows, other: Rows) -> tuple[Rows, Rows]:
    return np.concatenate([one, other]), np.concatenate([other, one])


def _distinct(keys: Rows) -> Rows:
    # np.unique hashes whole numbers: on some millions of keys it takes ten times as long.
    ordered = np.sort(keys, kind="stable")
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def _compressed(
    count: int, one: Rows, other: Rows, weights: Floats | None = None
) -> tuple[NDArray[np.int64], Index, Floats | None]:
    keys = one.astype(np.int64) * count + other
    if weights is None:
        distinct, merged = _distinct(keys), None
    else:
        distinct, place = np.unique(keys, return_inverse=True)
        merged = sum_of(place, weights, None, len(distinct))
    owner, friend = np.divmod(distinct, max(count, 1))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))]).astype(np.int64)
    small = count <= np.iinfo(np.int32).max
    return indptr, friend.astype(np.int32) if small else friend, merged
