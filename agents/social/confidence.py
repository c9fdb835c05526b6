"""Bounded confidence: people listen to those only whose views are not too far from their own."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from rehearse.agents.everyone import Everyone
from rehearse.agents.social.averaging import SUSCEPTIBILITY, as_numbers, towards, weight_of
from rehearse.agents.social.meetings import Meeting, Met
from rehearse.agents.social.rule import Moves, Rule, View
from rehearse.agents.ties import EDGES_AT_A_TIME, Numbers, beside, sums_of
from rehearse.columns import Rows
from rehearse.exact import Floats, total
from rehearse.scenario.base import Name, Positive, Share


class HegselmannKrause(Rule):
    """All move at once to the mean of those within reach, themselves included (Hegselmann, Krause 2002).

    x_i' = (1 − w) · x_i + w · mean of x_j over i and all friends with |x_i − x_j| <= reach (Euclidean
    where a view has several components). Ties count by their strength, oneself counts 1; what foes (ties
    below 0) think is not heard. On a complete graph a view of one number costs n log n, not n².
    """

    title: ClassVar[str] = "hegselmann-krause-v1"
    order: Literal["synchronous", "node-sequential"] = "synchronous"
    column: Name = "opinion"
    """The column that holds opinions."""
    reach: Positive = 0.2
    """How far apart views may lie and still count; exactly as far counts too."""
    weight: Share = 1.0
    """How far people move, times their susceptibility where they have one (at most 1)."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the one column that is averaged."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    def move(self, view: View) -> Moves:
        """Return where bounded confidence takes those shown."""
        mine = as_numbers(view.own(self.column)).astype(np.float64)
        values = view.numbers(self.column)
        if isinstance(view.ties, Everyone) and values.ndim == 1:
            among, mass = view.ties.within(values.astype(np.float64), self.reach)
        elif isinstance(view.ties, Everyone):
            size = max(1, EDGES_AT_A_TIME // view.ties.count)
            parts = [slice(i, min(i + size, len(mine))) for i in range(0, len(mine), size)]
            found = [self._among_friends(view.where(part), mine[part], values) for part in parts]
            among, mass = (np.concatenate(side) for side in zip(*found, strict=True))
        else:
            among, mass = self._among_friends(view, mine, values)
        goal = among / beside(mass, among)
        return {self.column: towards(mine, goal, weight_of(view, self.weight))}

    def _among_friends(self, view: View, mine: Floats, values: Numbers) -> tuple[Floats, Floats]:
        owner, friend, strength = view.ties.around()
        heard = values.take(friend, axis=0).astype(np.float64)
        near = _distance(heard, mine.take(owner, axis=0)) <= self.reach
        if strength is not None:
            near &= strength > 0.0
            heard *= beside(strength, heard)
        counted = np.bincount(owner[near], None if strength is None else strength[near], len(mine))
        return sums_of(owner[near], heard[near], len(mine)) + mine, np.asarray(
            counted + 1.0, dtype=np.float64
        )


class DeffuantWeisbuch(Meeting):
    """Random pairs meet, and come closer if they are close enough (Deffuant et al. 2000).

    In a meeting of i and j with |x_i − x_j| < reach, x_i moves by weight · (x_j − x_i) and x_j by
    weight · (x_i − x_j). The one is drawn among all, the other among friends; where ties are directed
    only the one who listens moves, and of foes (ties below 0) nobody does.
    """

    title: ClassVar[str] = "deffuant-weisbuch-v1"
    order: Literal["pair-sequential"] = "pair-sequential"
    column: Name = "opinion"
    """The column that holds opinions."""
    reach: Positive = 0.2
    """How near views must lie: exactly as far is too far."""
    weight: Share = 0.5
    """How far each moves towards the other (μ), times their susceptibility where they have one."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the one column that is averaged."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    def meet(self, view: View, one: Rows, other: Rows) -> Met:
        """Return what comes of some meetings of people of whom nobody meets twice."""
        values = view.numbers(self.column)
        a, b = (values.take(side, axis=0).astype(np.float64) for side in (one, other))
        near = _distance(a, b) < self.reach
        if view.ties.signed:
            near &= view.ties.strength(one, other) > 0.0
        steps = [near * self._weight(view, side) for side in (one, other)]
        moved_a, moved_b = a + beside(steps[0], a) * (b - a), b + beside(steps[1], b) * (a - b)
        return {self.column: (moved_a, moved_b if self.both(view) else None)}

    def _weight(self, view: View, rows: Rows) -> Floats | float:
        if not view.has(SUSCEPTIBILITY):
            return self.weight
        return np.clip(self.weight * view.heard(SUSCEPTIBILITY).take(rows).astype(np.float64), 0.0, 1.0)


def _distance(one: Floats, other: Floats) -> Floats:
    gap = one - other
    return np.abs(gap) if gap.ndim == 1 else np.sqrt(total(gap * gap))
