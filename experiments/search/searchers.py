"""Who proposes points. A searcher is asked for some, and told how far each was from failing.

The same seed and the same answers give the same points, whoever makes the runs. With the same seed all begin
with the same points at random, so that searchers can be compared in pairs. `None` is told for a point
at which there is no scenario, or nothing to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.errors import NotFoundError, did_you_mean
from rehearse.experiments.search.space import Point

Floats = NDArray[np.float64]
FIRST = 12
"""Points at random with which every searcher begins."""
Margins = Sequence[float | None]


class Searcher(Protocol):
    """Proposes points in the unit cube, whose sides are the fields in their order."""

    def ask(self, count: int) -> list[Point]:
        """Return so many points to be tried."""
        ...

    def tell(self, points: Sequence[Point], margins: Margins) -> None:
        """Hear how far the points that were asked for last are from failing; below 0 they fail."""
        ...


class AtRandom:
    """Points drawn uniformly and independently: what every other searcher has to beat."""

    def __init__(self, choices: Sequence[int], seed: int) -> None:
        """Take how many values each field is one of (0: a range), and the root of the draws."""
        self._sides, self._chance, self._asked = len(choices), Chance(seed), 0

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        self._asked += count
        return [self.point(number) for number in range(self._asked - count, self._asked)]

    def point(self, number: int) -> Point:
        """Return a point by its number, from 0."""
        drawn = self._chance.uniform("search/random", 0, np.array([number]), count=self._sides)
        return _point(drawn[0])

    def tell(self, points: Sequence[Point], margins: Margins) -> None:
        """Learn nothing."""


class Evolution:
    """A plain (μ + λ) evolution: two of the best are crossed, and some fields of the child moved.

    The first points are drawn at random. A parent is one of the μ best so far, better ones likelier. The
    child has each field from either parent, moved with chance max(1/d, 0.3) by a normal step whose length is
    drawn from `STEPS` for each child; one child in ten is drawn at random. At a border it turns back.
    """

    BEST = 6
    STEPS = (0.3, 0.1, 0.03)
    STRAYS = 0.1

    def __init__(self, choices: Sequence[int], seed: int) -> None:
        """Take how many values each field is one of (0: a range), and the root of the draws."""
        self._lists = np.array(choices, dtype=np.int64) > 0
        self._random = AtRandom(choices, seed)
        self._chance, self._asked = Chance(seed), 0
        self._heard: list[tuple[float, int, Point]] = []

    def ask(self, count: int) -> list[Point]:
        """Return the next children."""
        numbers = range(self._asked, self._asked + count)
        self._asked += count
        best = [np.array(point) for _, _, point in sorted(self._heard)[: self.BEST]]
        return [self._child(number, best) for number in numbers]

    def tell(self, points: Sequence[Point], margins: Margins) -> None:
        """Remember those points at which something could be measured."""
        for point, margin in zip(points, margins, strict=True):
            if margin is not None:
                self._heard.append((margin, len(self._heard), point))

    def _child(self, number: int, best: list[Floats]) -> Point:
        sides = len(self._lists)
        drawn = self._chance.uniform("search/evolution", 0, np.array([number]), count=4 + 2 * sides)[0]
        taken, moved = drawn[4:].reshape(2, sides)
        stray = self._random.point(number)
        if number < FIRST or not best or drawn[0] < self.STRAYS:
            return stray
        # The square of a uniform number is small more often than not: better parents are likelier.
        one, other = (best[int(u * u * len(best))] for u in drawn[1:3])
        child = np.where(taken < 0.5, one, other)
        step = self.STEPS[int(drawn[3] * len(self.STEPS))]
        normal = self._chance.normal("search/step", 0, np.array([number]), count=sides)[0]
        moves = moved < max(1.0 / sides, 0.3)
        child = np.where(moves, np.where(self._lists, stray, _reflected(child + step * normal)), child)
        return _point(child)


def _reflected(at: Floats) -> Floats:
    there: Floats = np.abs(at)
    there = np.where(there > 1.0, 2.0 - there, there)
    return np.clip(there, 0.0, 1.0)


def _point(row: Floats) -> Point:
    return tuple(float(f"{u:.9g}") for u in row.tolist())


def _tpe(choices: Sequence[int], seed: int) -> Searcher:
    from rehearse.experiments.search.bayes import Bayes

    return Bayes(choices, seed)


SEARCHERS: dict[str, Callable[[Sequence[int], int], Searcher]] = {
    "tpe": _tpe,
    "evolution": Evolution,
    "random": AtRandom,
}


def searcher(name: str, choices: Sequence[int], seed: int) -> Searcher:
    """Return a searcher by name; raises NotFoundError where there is none, or its library is missing."""
    if name not in SEARCHERS:
        problem = f"there is no searcher {name!r}."
        raise NotFoundError(problem, did_you_mean(name, SEARCHERS))
    return SEARCHERS[name](choices, seed)


def best_installed() -> str:
    """Return the searcher that is taken where nobody names one."""
    return "tpe" if find_spec("optuna") else "evolution"
