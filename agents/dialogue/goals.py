"""Goals: constraints that some entities have, questions about the one that is found, a booking.

All pairs of an entity and a choice of slots are gone through once; those with 1 to 3 entities that have
the same values are the goals. A goal is drawn among those of a drawn number of constraints, which is
what drawing and throwing away (PyDial draws up to 2,000 times) comes to in the end. Who is to want something
impossible first gets a goal in which one value can be replaced so that no entity is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.dialogue.behaviour import Goals
from rehearse.columns import Columns, Rows
from rehearse.contract import Turn
from rehearse.dialogue.domain import Domain, Values
from rehearse.errors import ScenarioError
from rehearse.exact import Floats

WANT, ASK = "goal_", "ask_"
"""What columns of a table of people are called that hold goals: a value's number by slot; 1 where asked."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Drawn:
    """The goals of n people."""

    want: Values
    """Shape (n, slots): -1 where anything will do."""
    spare: Values
    """What is wanted instead, where what is wanted is not to be had; -1 where there is no such thing."""
    asks: Flags
    books: Flags


class GoalMaker:
    """Draws goals for people, each for itself."""

    def __init__(self, domain: Domain, goals: Goals) -> None:
        """Go through all goals that there can be; ScenarioError where there is none."""
        self._domain, self._goals = domain, goals
        sizes = range(min(len(goals.constraints), domain.constraints + 1))
        self._possible = {
            size: _possible(domain, size, goals.matches) for size in sizes if goals.constraints[size]
        }
        self._possible = {size: found for size, found in self._possible.items() if len(found)}
        if not self._possible:
            low, high = goals.matches
            problem = (
                f"people.settings.goals: no constraints in {domain.title} leave {low} to {high} entities."
            )
            raise ScenarioError(problem, "Allow more matches, or other numbers of constraints.")
        able = {size: found[self._vain(found).any(axis=1)] for size, found in self._possible.items()}
        self._twistable = {size: found for size, found in able.items() if len(found)} or self._possible

    def draw(self, turn: Turn, people: Columns) -> Drawn:
        """Return goals for these people: those of their own rows of data, or drawn ones."""
        u = turn.uniform("goal", 8 + len(self._domain.slots))
        if f"{ASK}{self._domain.slots[-2]}" in people or f"{WANT}{self._domain.slots[0]}" in people:
            want, asks = self._recorded(people, turn.rows)
        else:
            want, asks = self._want(self._possible, u[:, 0], u[:, 1]), self._asks(u[:, 2], u[:, 8:])
            vain = np.flatnonzero(u[:, 4] < self._goals.impossible)
            want[vain] = self._want(self._twistable, u[vain, 0], u[vain, 1])
        books = (u[:, 3] < self._goals.booking) & (self._domain.booking > 0)
        self._details(want, books, turn.uniform("goal/booking", max(self._domain.booking, 1)))
        spare = np.full_like(want, -1)
        self._twist(want, spare, u[:, 4:8])
        return Drawn(want, spare, asks, books)

    def _recorded(self, people: Columns, rows: Rows) -> tuple[Values, Flags]:
        n, slots = len(rows), self._domain.slots
        want, asks = np.full((n, len(slots)), -1, np.int16), np.zeros((n, len(slots)), np.bool_)
        for slot, name in enumerate(slots):
            if f"{WANT}{_bare(name)}" in people:
                want[:, slot] = people.numbers(f"{WANT}{_bare(name)}", rows)
            if f"{ASK}{_bare(name)}" in people:
                asks[:, slot] = people.numbers(f"{ASK}{_bare(name)}", rows) > 0
        return want, asks

    def _want(self, among: dict[int, Values], size: Floats, which: Floats) -> Values:
        kinds = list(among)
        weights = np.cumsum([self._goals.constraints[k] for k in kinds])
        drawn = np.searchsorted(weights, size * weights[-1], side="right")
        want = np.empty((len(size), len(self._domain.slots)), dtype=np.int16)
        for place, kind in enumerate(kinds):
            rows = np.flatnonzero(np.minimum(drawn, len(kinds) - 1) == place)
            found = among[kind]
            want[rows] = found[(which[rows] * len(found)).astype(np.int64)]
        return want

    def _asks(self, size: Floats, which: Floats) -> Flags:
        can = np.flatnonzero(self._domain.requestable)
        weights = np.cumsum(self._goals.requests)
        count = np.searchsorted(weights, size * weights[-1], side="right")
        rank = np.argsort(np.argsort(which[:, can], axis=1, kind="stable"), axis=1, kind="stable")
        asks = np.zeros(which.shape, dtype=np.bool_)
        asks[:, can] = rank < count[:, None]
        return asks

    def _details(self, want: Values, books: Flags, u: Floats) -> None:
        first = self._domain.constraints
        for place in range(self._domain.booking):
            drawn = (u[:, place] * len(self._domain.values[first + place])).astype(np.int16)
            want[:, first + place] = np.where(books, drawn, -1)

    def _twist(self, want: Values, spare: Values, u: Floats) -> None:
        """Let some first want a value that nothing has besides what else they want, each as likely."""
        rows = np.flatnonzero(u[:, 0] < self._goals.impossible)
        vain = self._vain(want[rows])
        rows, chosen = rows[vain.any(axis=1)], pick(vain, u[rows, 1])[vain.any(axis=1)]
        slot, value = self._pairs[chosen].T
        spare[rows, slot] = want[rows, slot]
        want[rows, slot] = value

    def _vain(self, want: Values) -> Flags:
        """Tell which slot with which value (`_pairs`) in place of a constraint of a goal leaves no entity."""
        vain = np.zeros((len(want), len(self._pairs)), dtype=np.bool_)
        for slot in range(self._domain.constraints):
            other = want.copy()
            other[:, slot] = -1
            rows, entities = np.nonzero(self._domain.fits(other))
            has = np.zeros((len(want), len(self._domain.values[slot])), dtype=np.bool_)
            has[rows, self._domain.table[entities, slot]] = True
            vain[:, self._pairs[:, 0] == slot] = (want[:, slot] >= 0)[:, None] & ~has
        return vain

    @cached_property
    def _pairs(self) -> NDArray[np.int64]:
        """The constraints with each of their values, a row each."""
        told = enumerate(self._domain.values[: self._domain.constraints])
        return np.array([(slot, value) for slot, values in told for value in range(len(values))])


def pick(among: Flags, u: Floats) -> NDArray[np.int64]:
    """Return one of the true places of each row (n, k), all as likely; -1 where there is none."""
    count = among.sum(axis=1)
    nth = (u * count).astype(np.int64)
    found = (among & (np.cumsum(among, axis=1) == (nth + 1)[:, None])).argmax(axis=1)
    return np.where(count > 0, found, -1)


def _bare(name: str) -> str:
    return name.replace(" ", "_")


def _possible(domain: Domain, size: int, matches: tuple[int, int]) -> Values:
    found: list[NDArray[Any]] = []
    for slots in combinations(range(domain.constraints), size):
        wanted = np.full(domain.table.shape, -1, dtype=np.int16)
        wanted[:, slots] = domain.table[:, slots]
        count = domain.fits(wanted).sum(axis=1)
        found.append(wanted[(count >= matches[0]) & (count <= matches[1])])
    return np.concatenate(found) if found else np.zeros((0, len(domain.slots)), np.int16)
