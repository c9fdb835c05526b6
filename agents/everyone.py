"""Everybody knows everybody: ties that are never written out.

A complete graph of n people has n(n − 1) ties. What rules ask of ties (sums over friends, how many
there are, who they are) is known without them, so a complete graph costs no more than its people.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse import exact
from rehearse.agents.ties import EDGES_AT_A_TIME, Index, Numbers, Ties
from rehearse.columns import Rows
from rehearse.errors import ScenarioError
from rehearse.exact import Floats

MOST_WRITTEN_OUT = 1 << 26
"""Ties of a complete graph that may be written out for a rule that must see each of them."""


class Everyone(Ties):
    """Complete graphs: `replicas` societies of `count` people each, who know all others of their own.

    It answers what `Ties` answers; what looks at single ties (`around`, `indices`) writes them out, up to
    `MOST_WRITTEN_OUT` of them.
    """

    __slots__ = ("count", "replicas", "rows")

    count: int
    replicas: int
    rows: Rows

    def __init__(self, count: int, replicas: int = 1, rows: Rows | None = None) -> None:
        everybody = np.arange(count * replicas, dtype=np.int64)
        for name, value in (
            ("count", count),
            ("replicas", replicas),
            ("rows", everybody if rows is None else rows),
            ("weights", None),
            ("mutual", True),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def degree(self) -> NDArray[np.int64]:
        """Return how many friends each row has: all others."""
        return np.full(len(self), self.count - 1, dtype=np.int64)

    @property
    def indptr(self) -> NDArray[np.int64]:
        """Return where each row's friends would begin in `indices`."""
        return np.arange(len(self) + 1, dtype=np.int64) * (self.count - 1)

    @property
    def indices(self) -> Index:
        """Return all ties written out; raise ScenarioError where they are too many."""
        return self.around()[1]

    def neighbours(self, row: int) -> Index:
        """Return the rows of one row's friends, ascending."""
        return self.of(np.array([row])).around()[1]

    def of(self, rows: Rows | slice) -> Everyone:
        """Return the ties of some rows alone."""
        return Everyone(self.count, self.replicas, self.rows[rows])

    def around(self, rows: Rows | None = None) -> tuple[Rows, Rows, Floats | None]:
        """Return the ties of some rows, each written out; raise ScenarioError where they are too many."""
        some = self.rows if rows is None else self.rows.take(rows)
        ties = len(some) * (self.count - 1)
        if ties > MOST_WRITTEN_OUT:
            problem = f"{ties:,} ties of a complete graph of {self.count:,} people are too many to write out."
            raise ScenarioError(problem, "Use fewer people, another graph, or a rule that only needs sums.")
        owner = np.repeat(np.arange(len(some)), self.count - 1)
        friend = np.tile(np.arange(self.count - 1, dtype=np.int64), len(some))
        friend += friend >= np.repeat(some % self.count, self.count - 1)
        return owner, friend + np.repeat(some // self.count * self.count, self.count - 1), None

    def total(self, values: Numbers, rows: Rows | None = None) -> Numbers:
        """Return the sum of all others' values: that of everybody (in a fixed tree) less one's own."""
        some = self.rows if rows is None else self.rows.take(rows)
        societies = np.asarray(values, dtype=np.float64).reshape(self.replicas, self.count, *values.shape[1:])
        sums = exact.total(np.moveaxis(societies, 1, -1))
        return np.asarray(sums.take(some // self.count, axis=0) - values.take(some, axis=0), values.dtype)

    def mass(self, rows: Rows | None = None) -> Floats:
        """Return how many friends each of some rows has."""
        return np.full(len(self) if rows is None else len(rows), self.count - 1.0)

    def pick(self, rows: Rows, uniform: Floats) -> Rows:
        """Return any other person for each of some rows; -1 where there is no other."""
        mine = self.rows.take(rows)
        place = (uniform * (self.count - 1)).astype(np.int64)
        other = place + (place >= mine % self.count) + mine // self.count * self.count
        return np.where(self.count > 1, other, -1)

    def among(self, here: NDArray[np.bool_], everybody: NDArray[np.bool_] | None = None) -> Ties:
        """Return the ties of which both ends are here, written out where somebody is not."""
        if (here if everybody is None else everybody).all():
            return self
        bounds = self.indptr.astype(np.int64)
        return Ties(bounds, self.indices).among(here, everybody)

    def friendly(self) -> Everyone:
        """Return the same ties: there are no foes."""
        return self

    def unweighted(self) -> Everyone:
        """Return the same ties: all are as strong."""
        return self

    def strength(self, rows: Rows, friends: Rows) -> Floats:
        """Return the weight of some ties: 1."""
        del friends
        return np.ones(len(rows))

    def slices(self) -> Iterator[slice]:
        """Go over all rows in slices."""
        # Each slice sums up everybody anew: few large ones, but for small societies.
        size = EDGES_AT_A_TIME
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def both_ways(self) -> Everyone:
        """Return the same ties: they are mutual."""
        return self

    def within(self, values: Floats, reach: float, rows: Rows | None = None) -> tuple[Floats, Floats]:
        """Return the sum and the number of values (n,) within reach of one's own, one's own included.

        Sorted, those within reach stand side by side, so a sum is the difference of two running sums.
        Running sums are whole numbers, which add without rounding: what is returned is the sum itself,
        rounded once, whatever the order.
        """
        some = self.rows if rows is None else self.rows.take(rows)
        sums, numbers = np.empty(len(some)), np.empty(len(some))
        for society in np.unique(some // self.count).tolist():
            here = some // self.count == society
            own = values[society * self.count : (society + 1) * self.count]
            sums[here], numbers[here] = _within(own, values.take(some[here]), reach)
        return sums, numbers


def _within(values: Floats, mine: Floats, reach: float) -> tuple[Floats, Floats]:
    ordered = np.sort(values)
    first, last = _near(ordered, mine, reach)
    largest = float(np.abs(ordered).max(initial=0.0))
    scale = 2.0 ** (25 - int(np.frexp(largest)[1]))
    high = np.rint(ordered * scale)
    low = np.rint((ordered - high / scale) * scale * 2.0**27)
    sums = [_running(part, first, last) for part in (high, low)]
    return np.asarray(sums[0] / scale + sums[1] / scale / 2.0**27), (last - first).astype(np.float64)


def _near(ordered: Floats, mine: Floats, reach: float) -> tuple[Rows, Rows]:
    """Return where values with |value − mine| <= reach begin and end, by that very comparison."""
    first = np.searchsorted(ordered, mine - reach)
    last = np.searchsorted(ordered, mine + reach, side="right")
    # mine − reach is rounded, and so may be a value or two off.
    while (more := _is_near(ordered, first - 1, mine, reach)).any():
        first = np.where(more, np.searchsorted(ordered, ordered.take(first - 1, mode="clip")), first)
    while (less := ~_is_near(ordered, first, mine, reach)).any():
        first = np.where(less, np.searchsorted(ordered, ordered.take(first), side="right"), first)
    while (more := _is_near(ordered, last, mine, reach)).any():
        last = np.where(more, np.searchsorted(ordered, ordered.take(last, mode="clip"), side="right"), last)
    while (less := ~_is_near(ordered, last - 1, mine, reach)).any():
        last = np.where(less, np.searchsorted(ordered, ordered.take(last - 1)), last)
    return first, last


def _is_near(ordered: Floats, place: Rows, mine: Floats, reach: float) -> NDArray[np.bool_]:
    inside = (place >= 0) & (place < len(ordered))
    return inside & (np.abs(ordered.take(place, mode="clip") - mine) <= reach)


def _running(parts: Floats, first: Rows, last: Rows) -> NDArray[Any]:
    sums = np.concatenate([[0], np.cumsum(parts.astype(np.int64))])
    return np.asarray(sums.take(last) - sums.take(first), dtype=np.float64)
