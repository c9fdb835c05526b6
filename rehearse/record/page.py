"""A page: the turns of one block of people, laid out in the order of the record.

A block holds its session turn by turn, all people at once; the record tells it person by person.
Where each turn belongs follows from how many turns each person had. A column that holds one value
all along stays one value (an array with stride 0) and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns, Rows, everywhere
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Codes, End

Small = NDArray[np.int16]
KEYS = ("replica", "tick", "user", "session", "turn")
"""What names a turn; the first four are the same in all turns of a session."""
ITEMS = ("action", "choice")
"""Columns that name items, besides the places of the slate."""


def names_items(name: str) -> bool:
    """Tell whether a column names items."""
    return name in ITEMS or name.startswith("slate_")


@dataclass(slots=True)
class Page:
    """The turns of one block, in the order in which they were held."""

    item: np.dtype[Any] | None = None
    """How columns that name items are laid out, narrow enough for the cache; None: as they come."""
    turns: list[dict[str, Array]] = field(default_factory=list)
    at: list[Rows] = field(default_factory=list)
    """For each turn, the positions in the block of those who had it."""
    _still_here: Rows | None = None

    def add(self, columns: dict[str, Array], end: Codes) -> None:
        """Keep one turn; `end` says who will not have another."""
        at = np.arange(len(end)) if self._still_here is None else self._still_here
        self.turns.append(columns)
        self.at.append(at)
        self._still_here = at[end == End.NONE]

    def laid_out(self) -> Columns:
        """Return the turns as columns in the order (replica, user, turn)."""
        counts = np.zeros(len(self.at[0]), dtype=np.int64)
        for number, at in enumerate(self.at, start=1):
            counts[at] = number
        starts = np.cumsum(counts) - counts
        length = int(counts.sum())
        first = self.turns[0]
        columns = {name: _repeated(first[name], counts, length) for name in KEYS[:-1]}
        numbers = np.empty(length, dtype=np.int16)
        number_each(counts, numbers)
        columns["turn"] = numbers
        places = [starts.take(at) + number for number, at in enumerate(self.at)]
        for name in dict.fromkeys(name for turn in self.turns for name in turn):
            if name not in columns:
                columns[name] = self._placed(name, places, length)
        return Columns(columns, length=length)

    def _placed(self, name: str, places: list[Rows], length: int) -> Array:
        parts = [turn.get(name) for turn in self.turns]
        kind = next(part.dtype for part in parts if part is not None)
        kind = self.item if self.item is not None and names_items(name) else kind
        said = _one_value(parts)
        if said is not None:
            return everywhere(said, length, kind)
        whole = np.empty(length, dtype=kind)
        for place, part in zip(places, parts, strict=True):
            # A narrower slate in one turn (a model that failed there, say) has no further places.
            scatter(whole, place, np.full(len(place), NOTHING, kind) if part is None else part)
        return whole


def joined(pages: list[Columns]) -> Columns:
    """Return pages one below the other, blocks in ascending order of their people.

    The pages are used up: a column is let go as soon as it is joined, so that turns are not held twice.
    """
    if len(pages) < 2:
        return pages[0] if pages else Columns(length=0)
    names = dict.fromkeys(name for page in pages for name in page)
    lengths = [page.length for page in pages]
    found = [dict(page) for page in pages]
    pages.clear()
    return Columns({name: _joined(name, found, lengths) for name in names}, length=sum(lengths))


def _joined(name: str, pages: list[dict[str, Array]], lengths: list[int]) -> Array:
    parts = [page.pop(name, None) for page in pages]
    length = sum(lengths)
    said = _one_value(parts)
    if said is not None:
        return everywhere(said, length, said.dtype)
    kind = next(part.dtype for part in parts if part is not None)
    return np.concatenate(
        [
            np.full(rows, NOTHING, kind) if part is None else part
            for rows, part in zip(lengths, parts, strict=True)
        ]
    )


def _repeated(values: Array, counts: NDArray[np.int64], length: int) -> Array:
    alike = values.strides == (0,) or bool(values[0] == values[-1] and (values == values[0]).all())
    return everywhere(values[0], length, values.dtype) if alike else values.repeat(counts)


def _one_value(parts: list[Array | None]) -> Any:
    """Return the value that all parts hold throughout, as far as their strides tell; None if they do not."""
    filled = [part for part in parts if part is None or len(part)]
    if not filled or any(part is None or part.strides != (0,) for part in filled):
        return None
    values = [part[0] for part in filled if part is not None]
    return values[0] if len({value.tobytes() for value in values}) == 1 else None


def _scatter(whole: Array, place: Rows, values: Array) -> None:
    whole[place] = values


@twin_of(_scatter)
def scatter(whole: Array, place: Rows, values: Array) -> None:
    """Put values where they belong."""
    for i in range(len(place)):
        whole[place[i]] = values[i]


def _number_each(counts: NDArray[np.int64], numbers: Small) -> None:
    starts = np.cumsum(counts) - counts
    numbers[:] = np.arange(len(numbers)) - starts.repeat(counts)


@twin_of(_number_each)
def number_each(counts: NDArray[np.int64], numbers: Small) -> None:
    """Give each person's turns their numbers from 0, one person after another."""
    at = 0
    for count in counts:
        for number in range(count):
            numbers[at + number] = number
        at += count
