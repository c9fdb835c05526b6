"""Creators: who makes the items, when they come out, and how makers follow what is taken.

All items that there will ever be are drawn at the start. Of m items, `start` can be had from the first
tick on and `each_tick` more come out with every tick, the first included, in the order of their numbers.
Item i is made by creator i mod `count`. With x_i what was drawn for the item, and p_c the profile of a
creator, which begins as the first of the creator's items was drawn,

    item       y_i = own · x_i + (1 − own) · p_c              when it comes out, and for good
    following  p_c ← p_c + follows · (ȳ − p_c)                after each tick

where ȳ is the mean of the attributes of what was taken in the tick, of this creator's items or of all
(`watches`); who sees nothing taken stays. T-RECS has creators that people extend in this way (Lucherini
and others, arXiv:2107.08959); there profiles are chances of attributes and add up what was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.columns import Array
from rehearse.contract import Flags, Ints
from rehearse.exact import Floats, total
from rehearse.scenario.base import Share, Strict


class Creators(Strict):
    """Who makes the items, and when they come out."""

    start: Annotated[int, Field(ge=0)] = 0
    """Items that are there before the first tick."""
    each_tick: Annotated[int, Field(ge=0)] = 1
    """Items that come out with each tick."""
    count: Annotated[int, Field(ge=0)] = 0
    """How many creators there are; 0: items come out as they were drawn."""
    own: Share = 0.5
    """How much of an item is its own, and not its creator's."""
    follows: Share = 0.0
    """How far a creator moves in a tick towards what was taken."""
    watches: Literal["own", "all"] = "own"
    """Whose items a creator looks at to see what was taken."""

    def out(self, tick: int, items: int) -> Flags:
        """Return which of so many items have come out by a tick."""
        return np.arange(items) < self.start + self.each_tick * (tick + 1)


class Shelves:
    """The items of each society as they came out, and the creators as they have become."""

    def __init__(self, law: Creators, drawn: Floats) -> None:
        """Take what was drawn for items, shape (m, d)."""
        self._law, self._drawn, self._first = law, drawn, drawn[: law.count]
        self._maker = np.arange(len(drawn)) % law.count
        self.begin(np.zeros(1, dtype=np.int32))

    def begin(self, replicas: Ints) -> None:
        """Hear which societies there are."""
        self._replicas = np.sort(replicas)
        self._out = 0
        count = len(replicas)
        self._profiles: Floats = np.repeat(self._first[None], count, axis=0)
        self._tables: Floats = np.repeat(self._drawn[None], count, axis=0)
        self._taken: NDArray[np.int64] = np.zeros((count, len(self._drawn)), dtype=np.int64)

    def society(self, replica: Ints) -> int:
        """Return the place of the one society that these people belong to."""
        return int(np.searchsorted(self._replicas, replica[0])) if len(replica) else 0

    @property
    def tables(self) -> Floats:
        """Return the attributes of each society's items, shape (societies, m, d)."""
        return self._tables

    def note(self, society: int, item: Ints) -> None:
        """Hear what was taken."""
        self._taken[society] += np.bincount(item, minlength=len(self._drawn))

    def publish(self, tick: int) -> None:
        """Let creators follow what was taken in the last tick, and the next items come out."""
        for society in np.flatnonzero(self._taken.any(axis=1)):
            self._follow(int(society))
        self._taken[:] = 0
        out = int(self._law.out(tick, len(self._drawn)).sum())
        new = slice(min(self._out, out), out)
        own = self._law.own
        made = own * self._drawn[new] + (1.0 - own) * self._profiles[:, self._maker[new]]
        self._tables = self._tables.copy()
        self._tables[:, new] = made
        self._out = out

    def _follow(self, society: int) -> None:
        taken, table = self._taken[society], self._tables[society]
        for creator in range(len(self._first)):
            seen = taken if self._law.watches == "all" else taken * (self._maker == creator)
            if seen.any():
                mean = total((seen[:, None] * table).T) / seen.sum()
                old = self._profiles[society, creator]
                self._profiles[society, creator] = old + self._law.follows * (mean - old)

    def state(self) -> dict[str, Array]:
        """Return the creators, the items and what was taken, a row a society."""
        names = ("profiles", "tables", "taken")
        return {name: getattr(self, f"_{name}").copy() for name in names}

    def restore(self, state: Mapping[str, Array], tick: int) -> None:
        """Take back what `state` gave."""
        self._profiles = np.array(state["profiles"], dtype=np.float64)
        self._tables = np.array(state["tables"], dtype=np.float64)
        self._taken = np.array(state["taken"], dtype=np.int64)
        self._out = int(self._law.out(tick, len(self._drawn)).sum())
