"""Among: how people who are held here hear of the others of their population.

One process holds everybody. A shard holds some people of each society, in whole leaves of ids, and
what it must know of others it is told: all shards ask for the same columns at the same moment, and
each gives those of its own people. Positions in ties are positions in the whole population.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.ties import Ties
from rehearse.columns import Array, Columns, Rows

Exchange = Callable[[Mapping[str, Array]], Sequence[Mapping[str, Array]]]
"""Gives columns of one's own people to all shards; returns what each gave, in the order of the shards."""


LAYERS = 8
"""Ties whose part here is remembered."""


class Among:
    """Everybody is here."""

    def heard(self, people: Columns, names: Sequence[str]) -> Mapping[str, Array]:
        """Return these columns of everybody, to be read only."""
        del names
        return people

    def whole(self, people: Columns) -> Columns:
        """Return everybody's columns: what is written there stays until `bring`."""
        return people

    def bring(self, people: Columns, whole: Columns) -> None:
        """Let the people here have what was written into `whole`."""

    def of(self, ties: Ties) -> Ties:
        """Return the ties of the people here, given everybody's."""
        return ties

    def part(self, count: int) -> tuple[Rows, slice | None]:
        """Return the positions of the people here, given their number; as a slice too if they are one."""
        return np.arange(count, dtype=np.int64), slice(0, count)

    def mine(self, people: Columns) -> Mapping[str, Array]:
        """Return the columns that are held only for the people here."""
        del people
        return {}


EVERYBODY = Among()


class Some(Among):
    """The people at some positions are here.

    `parts` are the positions in each shard, this one's included; `still` are the columns of everybody
    that are known without asking, user and replica at least.
    """

    def __init__(
        self, shard: int, parts: Sequence[Rows], still: Mapping[str, Array], exchange: Exchange
    ) -> None:
        self.rows = parts[shard]
        self.slice = _as_slice(self.rows)
        self._parts = [_as_slice(rows) or rows for rows in parts]
        self._count = sum(len(rows) for rows in parts)
        self._exchange = exchange
        self._still = dict(still)
        self._heard: dict[str, NDArray[Any]] = {}
        self._ties: dict[int, tuple[Ties, Ties]] = {}

    def heard(self, people: Columns, names: Sequence[str]) -> Mapping[str, Array]:
        """Return these columns of everybody, and who they are; they stand until they are heard again."""
        asked = [name for name in names if name not in self._still]
        told = self._exchange({name: people[name] for name in asked}) if asked else []
        return self._still | {name: self._placed(name, [each[name] for each in told]) for name in asked}

    def whole(self, people: Columns) -> Columns:
        """Return everybody's columns, each fetched when it is first read, by all shards alike."""
        return Whole(people, self, self._count)

    def bring(self, people: Columns, whole: Columns) -> None:
        """Take the rows of the people here out of every column of `whole` that was looked at."""
        for name in whole.fetched() if isinstance(whole, Whole) else ():
            mine = whole[name].take(self.rows, axis=0)
            if name not in people or not _same(people[name], mine):
                people[name] = mine

    def of(self, ties: Ties) -> Ties:
        """Return the ties of the people here."""
        if id(ties) not in self._ties:
            self._ties = dict(list(self._ties.items())[-LAYERS:]) | {id(ties): (ties, ties.of(self.rows))}
        return self._ties[id(ties)][1]

    def part(self, count: int) -> tuple[Rows, slice | None]:
        """Return the positions of the people here."""
        del count
        return self.rows, self.slice

    def mine(self, people: Columns) -> Mapping[str, Array]:
        """Return the columns of the people here: others are not held."""
        return people

    def _placed(self, name: str, parts: Sequence[Array]) -> Array:
        shape, kind = (self._count, *parts[0].shape[1:]), parts[0].dtype
        placed = self._heard.get(name)
        if placed is None or placed.shape != shape or placed.dtype != kind:
            # Fresh memory would cost more than what is written into it.
            placed = self._heard[name] = np.empty(shape, dtype=kind)
        for at, part in zip(self._parts, parts, strict=True):
            placed[at] = part
        return placed


class Whole(Columns):
    """Everybody's columns as a shard sees them: fetched from all shards when they are first read."""

    __slots__ = ("_among", "_people")

    def __init__(self, people: Columns, among: Some, count: int) -> None:
        super().__init__(length=count)
        self._people = people
        self._among = among

    def __getitem__(self, name: str) -> Array:
        """Return a column of everybody."""
        if name not in self._arrays and name in self._people:
            self._arrays[name] = self._among.heard(self._people, (name,))[name]
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        """Tell whether people have such a column."""
        return name in self._arrays or name in self._people

    def __iter__(self) -> Iterator[str]:
        """Go over the names of all columns."""
        return iter(dict.fromkeys((*self._people, *self._arrays)))

    def fetched(self) -> tuple[str, ...]:
        """Return the names of the columns that were read or written."""
        return tuple(self._arrays)


def _as_slice(rows: Rows) -> slice | None:
    in_a_row = len(rows) > 0 and int(rows[-1]) - int(rows[0]) == len(rows) - 1
    return slice(int(rows[0]), int(rows[-1]) + 1) if in_a_row else None


def _same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
