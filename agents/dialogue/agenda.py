"""The agenda: a stack of what a person is going to say, as ranks.

Schatzmann and others, "Agenda-based user simulation for bootstrapping a POMDP dialogue system", 2007. A
person's agenda holds no item twice, so it can be a row of numbers, one an item: 0 where the item is not
on it, and the higher the nearer to the top. To push is to give an item one more than the highest; what
was there moves up by that, which is how duplicates are cleaned away. Items carry no values: they are
looked up when the item is said, so that an agenda never contradicts the goal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Rows
from rehearse.dialogue.acts import DONTCARE, Act, Acts, code
from rehearse.dialogue.domain import ANY, Domain, Values

Ranks = NDArray[np.int16]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BARE = (Act.REQALTS, Act.BOOK, Act.NEGATE, Act.AFFIRM, Act.THANK, Act.HELLO, Act.BYE)
"""Items besides `inform SLOT` and `request SLOT`."""


def items(domain: Domain) -> int:
    """Return how many items there are."""
    return 2 * len(domain.slots) + len(BARE)


@dataclass(frozen=True, slots=True)
class Agenda:
    """The agendas of some people; what is done to them is done in place."""

    ranks: Ranks
    """Shape (n, items)."""
    slots: int

    def bare(self, act: Act) -> int:
        """Return the item of an act without a slot."""
        return 2 * self.slots + BARE.index(act)

    def push(self, rows: Rows, item: NDArray[np.integer] | int) -> None:
        """Put an item each on top, or move it there."""
        if len(rows):
            self.ranks[rows, item] = self.ranks[rows].max(axis=1) + 1

    def push_where(self, where: Flags, item: NDArray[np.integer] | int) -> None:
        """Do the same for a mask of people; items are given for all."""
        rows = np.flatnonzero(where)
        self.push(rows, item if isinstance(item, int) else item[rows])

    def tuck(self, rows: Rows, item: NDArray[np.integer]) -> None:
        """Put an item each just over the goodbye, where it is not on the agenda."""
        self.ranks[rows, item] = np.maximum(self.ranks[rows, item], 1)

    def drop(self, rows: Rows, item: NDArray[np.integer] | int) -> None:
        """Take an item each off, wherever it is."""
        self.ranks[rows, item] = 0

    def top(self) -> Ints:
        """Return the item on top of each; -1 where there is none."""
        return np.where(self.ranks.max(axis=1) > 0, self.ranks.argmax(axis=1), -1)

    def has(self, item: int) -> Flags:
        """Tell whose agenda holds an item."""
        return self.ranks[:, item] > 0

    def clear(self, rows: Rows) -> None:
        """Empty agendas, all but for the goodbye."""
        self.ranks[rows] = 0
        self.ranks[rows, self.bare(Act.BYE)] = 1


def kind_of(item: Ints, slots: int) -> Ints:
    """Return 0 for `inform`, 1 for `request`, 2 for what has no slot, -1 for nothing."""
    return np.where(item < 0, -1, np.minimum(item // slots, 2))


def as_acts(item: Ints, want: Values, slots: int) -> Acts:
    """Return items as acts, with the values that are wanted now."""
    kind, slot = kind_of(item, slots), np.where(item >= 0, item % slots, 0)
    value = want[np.arange(len(item)), slot].astype(np.int32)
    informs = code(Act.INFORM, slot, np.where(value < 0, DONTCARE, value))
    bare = np.array([int(act) for act in BARE])[np.clip(item - 2 * slots, 0, len(BARE) - 1)]
    return np.select(
        [kind == 0, kind == 1, kind == 2], [informs, code(Act.REQUEST, slot), code(bare)], -1
    ).astype(np.int32)


__all__ = ["ANY", "Agenda", "as_acts", "items", "kind_of"]
