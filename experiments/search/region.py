"""The region in which a model fails: which fields matter, and where each turns, the others as found.

`matters` is the share of the variance of the margins' ranks that goes with a field (the correlation ratio η²
over quarters of the points, or over the values of a list): about 3 / points where it does not matter. A
searcher looks where it expects failure, so that shares of a random search are the plainest to read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.experiments.search.space import Point, Room, Values
from rehearse.experiments.sweep.designs import value_at

STEPS = 4
"""Bisections of the way from what was found to the end of a range: to a sixteenth of it."""
BINS = 4
Fails = Callable[[Sequence[Values]], list[bool]]
"""Tells of some points whether they fail."""
Tried = Sequence[tuple[Point, float | None]]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the space at the worst point."""

    name: str
    matters: float
    """The share of the margins' variance that goes with it."""
    found: Any
    written: Any
    """Its value in the scenario as it is written."""
    low: Any
    """The least value at which it was seen to fail, the others as found; of a list: all such values."""
    high: Any
    """The greatest; None of a list."""
    ends: tuple[bool, bool] = (False, False)
    """Whether these are the ends of its range, so that nothing turns there."""

    def data(self) -> dict[str, Any]:
        """Return the field as plain data."""
        return {
            name: getattr(self, name)
            for name in ("name", "matters", "found", "written", "low", "high", "ends")
        }

    def row(self) -> list[str]:
        """Return the field as a row to print; an end of its range has a bar."""
        low = ("|" if self.ends[0] else "") + shown(self.low)
        high = "" if self.high is None else shown(self.high) + ("|" if self.ends[1] else "")
        return [self.name, f"{100 * self.matters:.0f} %", shown(self.found), shown(self.written), low, high]


def shown(value: Any) -> str:
    """Return a value of a field as it is printed."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def region(space: Room, tried: Tried, worst: Point, fails: Fails) -> tuple[Field, ...]:
    """Return the fields, those that matter most first."""
    shares = matters(space, tried)
    turns = _turns(space, worst, fails)
    found = space.values(worst)
    fields = [
        Field(name, share, found[name], space.written(name), *turns[name])
        for name, share in zip(space.axes, shares, strict=True)
    ]
    return tuple(sorted(fields, key=lambda field: -field.matters))


def matters(space: Room, tried: Tried) -> list[float]:
    """Return the share of the variance of the margins' ranks that goes with each field."""
    known = [(point, margin) for point, margin in tried if margin is not None]
    if len(known) < 2 * BINS:
        return [0.0] * len(space.axes)
    points = np.array([point for point, _ in known])
    margins = np.array([margin for _, margin in known])
    ranks = np.searchsorted(np.sort(margins), margins).astype(np.float64)
    return [_share(_places(points[:, i], n), ranks) for i, n in enumerate(space.choices)]


def _places(column: NDArray[np.float64], choices: int) -> NDArray[np.int64]:
    if choices:
        return np.minimum((column * choices).astype(np.int64), choices - 1)
    order = np.argsort(np.argsort(column, kind="stable"), kind="stable")
    return order * BINS // len(column)


def _share(places: NDArray[np.int64], ranks: NDArray[np.float64]) -> float:
    whole = float(ranks.var())
    parts = [ranks[places == place] for place in np.unique(places)]
    between = sum(len(part) * float(part.mean() - ranks.mean()) ** 2 for part in parts) / len(ranks)
    return between / whole if whole > 0.0 else 0.0


def _turns(space: Room, worst: Point, fails: Fails) -> dict[str, tuple[Any, Any, tuple[bool, bool]]]:
    """Return for each field between which values it fails, and whether these are the ends of its range."""
    found: dict[str, tuple[Any, Any, tuple[bool, bool]]] = {}
    sides = [(i, end) for i, n in enumerate(space.choices) if not n for end in (0.0, 1.0)]
    reached = _reached(space, worst, sides, fails)
    for i, (name, axis) in enumerate(space.axes.items()):
        n = space.choices[i]
        if n:
            held = fails([_with(space, worst, i, (k + 0.5) / n) for k in range(n)])
            values = [value_at(axis, (k + 0.5) / n) for k, failing in enumerate(held) if failing]
            found[name] = (values, None, (False, False))
        else:
            low, high = reached[i, 0.0], reached[i, 1.0]
            found[name] = (value_at(axis, low), value_at(axis, high), (low == 0.0, high == 1.0))
    return found


def _reached(
    space: Room, worst: Point, sides: list[tuple[int, float]], fails: Fails
) -> dict[tuple[int, float], float]:
    """Return how far towards each end it still fails; every step asks for all sides at once."""
    at_ends = fails([_with(space, worst, i, end) for i, end in sides])
    held = {
        side: side[1] if failing else worst[side[0]] for side, failing in zip(sides, at_ends, strict=True)
    }
    open_ends = {side: side[1] for side, failing in zip(sides, at_ends, strict=True) if not failing}
    for _ in range(STEPS):
        middles = {side: (held[side] + beyond) / 2.0 for side, beyond in open_ends.items()}
        failing = fails([_with(space, worst, i, at) for (i, _), at in middles.items()])
        for (side, at), yes in zip(middles.items(), failing, strict=True):
            (held if yes else open_ends)[side] = at
    return held


def _with(space: Room, point: Point, which: int, share: float) -> Values:
    return space.values((*point[:which], share, *point[which + 1 :]))
