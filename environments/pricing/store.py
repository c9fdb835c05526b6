"""Stock: units in store in every society, sold in a stated order, filled up at intervals.

On every `every`-th tick, before the first customer, the store is filled up to `level` (a periodic
review, order-up-to policy). People decide in a turn all at once, by what was there at its start;
where more want a unit than there are, they are served in an order drawn for the turn, and the rest
go without. Units sold never exceed units in store. What it costs to hold them is told with the rewards
of the customers of a tick, an equal part each; a tick without customers costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Flags, Turn
from rehearse.environments.pricing.settings import Stock
from rehearse.exact import Floats
from rehearse.qlearning import Whole


class Store:
    """What is in store in each of R societies."""

    def __init__(self, law: Stock) -> None:
        """Take the rule, for one society until `begin` says otherwise."""
        self.law = law
        self.begin(1)

    def begin(self, societies: int) -> None:
        """Fill the stores of so many societies."""
        self.units: Whole = np.full(societies, self.law.level, dtype=np.int64)

    def enter(self, tick: int) -> None:
        """Begin a tick: take a delivery if one is due."""
        if tick % self.law.every == 0:
            self.units[:] = np.maximum(self.units, self.law.level)

    def sell(self, turn: Turn, society: Whole, wants: Flags) -> Flags:
        """Hand out units to those who want one, as far as there are any; return who got one."""
        asked = np.flatnonzero(wants)
        order = asked[np.lexsort((turn.take(asked).uniform("world/stock")[:, 0], society[asked]))]
        line = society[order]
        first = np.searchsorted(line, line)  # where each society's line begins
        served = np.zeros(len(wants), dtype=np.bool_)
        served[order] = np.arange(len(order)) - first < self.units[line]
        self.units -= np.bincount(society[served], minlength=len(self.units))
        return served

    def holding(self, society: Whole) -> Floats:
        """Return each customer's part of what it costs to hold the units of their society now."""
        customers = np.bincount(society, minlength=len(self.units))
        return np.asarray(self.law.holding * self.units[society] / customers[society])

    def state(self) -> dict[str, Array]:
        """Return what is in store."""
        return {"units": self.units.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self.units = np.array(state["units"], dtype=np.int64)
