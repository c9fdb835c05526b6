"""Ties: who knows whom, frozen to the rows of a population.

The neighbours of all rows lie one after another in one array (compressed sparse rows), so that what
friends say is gathered without a loop over people. Sums over friends are added one by one in
ascending order of the friend's row, whatever rows are asked for together: the same bits in any blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Rows
from rehearse.exact import Floats

Index = NDArray[np.integer[Any]]
Flags = NDArray[np.bool_]
Numbers = NDArray[Any]
"""Values of people, float32 or float64: shape (n,) or (n, d)."""

EDGES_AT_A_TIME = 1 << 17
"""Ties looked at together, so that what lies in between stays small; it changes no result."""


@dataclass(frozen=True, slots=True)
class Ties:
    """Who listens to whom: one row for each of n people; made by `freeze`, `graph` or a test.

    Friends are positions in the whole population, so `of(rows)` is again `Ties`: those of some people.
    """

    indptr: NDArray[np.int64]
    """Where each row's friends begin in `indices`, shape (n + 1,)."""
    indices: Index
    """The friends' rows, ascending within a row."""
    weights: Floats | None = None
    """How strong each tie is, below 0 for foes; None: all the same."""
    mutual: bool = True
    """True where everybody listens to those who listen to them."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.indptr) - 1

    @property
    def degree(self) -> NDArray[np.int64]:
        """Return how many friends each row has, shape (n,)."""
        return np.diff(self.indptr)

    @property
    def signed(self) -> bool:
        """Tell whether some tie is one of dislike (a weight below 0)."""
        return self.weights is not None and bool((self.weights < 0.0).any())

    def neighbours(self, row: int) -> Index:
        """Return the rows of one row's friends, ascending."""
        return self.indices[self.indptr[row] : self.indptr[row + 1]]

    def of(self, rows: Rows | slice) -> Ties:
        """Return the ties of some rows alone; of a slice of them without copying any."""
        if isinstance(rows, slice):
            bounds = self.indptr[rows.start : rows.stop + 1]
            some = slice(int(bounds[0]), int(bounds[-1]))
            weights = None if self.weights is None else self.weights[some]
            return Ties(bounds - bounds[0], self.indices[some], weights, self.mutual)
        starts, counts = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        bounds = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(bounds[-1]) + np.repeat(starts - bounds[:-1], counts)
        weights = None if self.weights is None else self.weights.take(places)
        return Ties(bounds, self.indices.take(places), weights, self.mutual)

    def around(self, rows: Rows | None = None) -> tuple[Rows, Rows, Floats | None]:
        """Return the ties of some rows: for each, a position in `rows`, the friend's row, the weight."""
        some = self if rows is None else self.of(rows)
        owner = np.repeat(np.arange(len(some)), some.degree)
        return owner, some.indices.astype(np.int64), some.weights

    def total(self, values: Numbers, rows: Rows | None = None) -> Numbers:
        """Return the (weighted) sum of friends' values (n,) or (n, d), added in the order of their rows.

        Sums are made in the type of the values: float32 or float64.
        """
        some = self if rows is None else self.of(rows)
        if some.weights is None:
            return _sum(some.indptr, some.indices, values)
        heard = values.take(some.indices, axis=0)
        heard *= beside(some.weights, heard).astype(values.dtype)
        return _sum(some.indptr, np.arange(len(heard), dtype=some.indices.dtype), heard)

    def mass(self, rows: Rows | None = None) -> Floats:
        """Return how much all friends of each of some rows count together, foes as much as friends."""
        some = self if rows is None else self.of(rows)
        if some.weights is None:
            return np.asarray(some.degree, dtype=np.float64)
        return np.asarray(_sum(some.indptr, np.arange(len(some.indices)), np.abs(some.weights)), np.float64)

    def mean(self, values: NDArray[np.generic], rows: Rows | None = None) -> Floats:
        """Return the (weighted) mean of friends' values (n,) or (n, d); NaN for those without friends."""
        total = self.total(np.asarray(values, dtype=np.float64), rows)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / beside(self.mass(rows), total), dtype=np.float64)

    def friendly(self) -> Ties:
        """Return the ties without those below 0."""
        if not self.signed or self.weights is None:
            return self
        owner, _, _ = self.around()
        weights = self.weights
        kept = weights > 0.0
        counts = np.bincount(owner[kept], minlength=len(self))
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Ties(bounds, self.indices[kept], weights[kept], self.mutual)

    def among(self, here: Flags, everybody: Flags | None = None) -> Ties:
        """Return the ties of which both ends are here; the others are silent.

        `here` says so of the rows; `everybody` of the whole population, where the rows are not all of it.
        """
        friends = here if everybody is None else everybody
        speaks = np.repeat(here, self.degree) & friends.take(self.indices)
        before = np.concatenate([[0], np.cumsum(speaks)])
        weights = None if self.weights is None else self.weights[speaks]
        return Ties(before.take(self.indptr), self.indices[speaks], weights, self.mutual)

    def unweighted(self) -> Ties:
        """Return the same ties, all as strong."""
        return self if self.weights is None else replace(self, weights=None)

    def strength(self, rows: Rows, friends: Rows) -> Floats:
        """Return the weight of the ties from some rows to friends of theirs, one each."""
        if self.weights is None:
            return np.ones(len(rows))
        some = self.of(rows)
        owner, friend, _ = some.around()
        return np.asarray(np.asarray(some.weights)[friend == friends[owner]], dtype=np.float64)

    def pick(self, rows: Rows, uniform: Floats) -> Rows:
        """Return a friend of each of some rows, drawn by how strong the tie is; -1 for who has none."""
        starts, stops = self.indptr[rows], self.indptr[rows + 1]
        if self.weights is None:
            places = starts + (uniform * (stops - starts)).astype(np.int64)
        else:
            reached = np.concatenate([[0.0], np.cumsum(np.abs(self.weights))])
            aim = reached[starts] + uniform * (reached[stops] - reached[starts])
            places = np.clip(np.searchsorted(reached, aim, side="right") - 1, starts, stops - 1)
        friends = np.append(self.indices, -1).take(np.where(stops > starts, places, -1))
        return friends.astype(np.int64)

    def everybody(self) -> Rows:
        """Return all rows."""
        return np.arange(len(self), dtype=np.int64)

    def parts(self) -> Iterator[Rows]:
        """Go over all rows in parts with about as many ties each."""
        for part in self.slices():
            yield np.arange(part.start, part.stop, dtype=np.int64)

    def slices(self) -> Iterator[slice]:
        """Go over all rows in slices with about as many ties each."""
        marks = np.arange(0, self.indptr[-1] + EDGES_AT_A_TIME, EDGES_AT_A_TIME)
        bounds = np.unique([0, *np.searchsorted(self.indptr[:-1], marks), len(self)])
        for start, stop in pairwise(bounds.tolist()):
            yield slice(start, stop)

    def both_ways(self) -> Ties:
        """Return the ties with everybody listening also to those who listen to them, unweighted."""
        if self.mutual:
            return self
        owner, friend, _ = self.around()
        return Ties(*_compressed(len(self), _keys(len(self), owner, friend, directed=False)))


def freeze(
    count: int, one: Rows, other: Rows, weights: Floats | None = None, *, directed: bool = False
) -> Ties:
    """Make ties among `count` rows from pairs; of a directed pair, `one` listens to `other`.

    Ties to oneself are dropped. A tie that is given twice counts once, with the sum of its weights; one
    whose weights come to 0 is none. Who stands in no pair is alone.
    """
    apart = one != other
    if not apart.all():
        one, other = one[apart], other[apart]
        weights = None if weights is None else weights[apart]
    if weights is None:
        return Ties(*_compressed(count, _keys(count, one, other, directed=directed)), mutual=not directed)
    keys, place = np.unique(_keys(count, one, other, directed=directed), return_inverse=True)
    amounts = weights if directed else np.concatenate([weights, weights])
    summed = np.bincount(place, weights=amounts, minlength=len(keys))
    return Ties(*_compressed(count, keys[summed != 0.0]), summed[summed != 0.0], mutual=not directed)


def untied(ties: Ties, one: Rows, other: Rows) -> Ties:
    """Return ties without those between pairs of rows, whichever of the two listens."""
    owner = np.repeat(np.arange(len(ties), dtype=np.int64), ties.degree)
    keys = owner * len(ties) + ties.indices
    gone = np.isin(keys, np.concatenate([one * len(ties) + other, other * len(ties) + one]))
    fewer = np.bincount(owner[gone], minlength=len(ties))
    indptr = ties.indptr - np.concatenate([[0], np.cumsum(fewer)])
    weights = None if ties.weights is None else ties.weights[~gone]
    return Ties(indptr, ties.indices[~gone], weights, ties.mutual)


def side_by_side(parts: Sequence[Ties]) -> Ties:
    """Return the unweighted ties of societies of their own as those of one population, in their order."""
    if len(parts) == 1:
        return parts[0]
    people = np.cumsum([0, *(len(part) for part in parts)])
    ends = np.cumsum([0, *(len(part.indices) for part in parts)])
    kind = _index_type(int(people[-1]))
    indptr = [part.indptr[:-1] + start for part, start in zip(parts, ends, strict=False)]
    indices: Index = np.empty(int(ends[-1]), dtype=kind)
    for part, start, end in zip(parts, people, ends, strict=False):
        indices[end : end + len(part.indices)] = part.indices + start
    return Ties(np.concatenate([*indptr, ends[-1:]]), indices, mutual=all(part.mutual for part in parts))


def sums_of(owner: Rows, values: Numbers, count: int) -> Floats:
    """Return the sum of values (e,) or (e, d) by owner (ascending), added in the order given."""
    indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))]).astype(np.int64)
    return np.asarray(_sum(indptr, np.arange(len(owner)), values), dtype=np.float64)


def beside(column: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return one number a row in a shape that broadcasts against values (n,) or (n, d)."""
    return column if values.ndim == 1 else column[:, None]


def _sum(indptr: NDArray[np.int64], indices: Index, values: Numbers) -> Numbers:
    """Return the sums of values over rows of positions, added one by one in the order given."""
    from scipy.sparse import csr_array

    # A product with ones adds exactly: multiplying by 1 rounds nothing, fused or not.
    ones = np.ones(len(indices), dtype=values.dtype)
    bounds = indptr.astype(indices.dtype, copy=False)
    matrix = csr_array((ones, indices, bounds), shape=(len(indptr) - 1, len(values)))
    return np.asarray(matrix @ values)


def _keys(count: int, one: Rows, other: Rows, *, directed: bool) -> Rows:
    """Return a number for each tie, listener · count + friend; undirected, the ways back come after."""
    ties = len(one)
    keys = np.empty(ties if directed else 2 * ties, dtype=np.int64)
    for way, (listener, friend) in enumerate([(one, other)] if directed else [(one, other), (other, one)]):
        some = keys[way * ties : (way + 1) * ties]
        np.multiply(listener, count, out=some)
        some += friend
    return keys


def _compressed(count: int, keys: Rows) -> tuple[NDArray[np.int64], Index]:
    """Return where each row's friends begin, and the friends, of ties by their keys, which are used up."""
    keys.sort()  # in place: graphs are what takes most memory before a run
    twice = keys[1:] == keys[:-1]
    if twice.any():
        keys = keys[np.concatenate([[True], ~twice])]
    indptr = np.searchsorted(keys, np.arange(count + 1, dtype=np.int64) * count)
    if count:
        np.remainder(keys, count, out=keys)
    return indptr, keys.astype(_index_type(count))


def _index_type(count: int) -> type[np.int32 | np.int64]:
    return np.int32 if count <= np.iinfo(np.int32).max else np.int64
