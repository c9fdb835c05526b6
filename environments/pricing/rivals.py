"""Rivals: other sellers, one set of them in each society, who move their prices between ticks.

A society's market day is a tick in which it had customers. After it each rival moves, at the start of
the next tick, by its rule: with p the mean price that was offered here on that day,

    fixed       keeps its price (a drift may move it)
    match       asks p
    undercut    asks p − by, at least its cost
    q-learning  state: the world's price nearest to p, and its own; reward: (its price − its cost) times
                its expected share of the customers, a mean over them; see `rehearse.qlearning`

What people do on days to come depends on what was offered to others: societies are coupled by rivals
that move. A day without customers moves nothing, so that a society is the same whatever others do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array
from rehearse.contract import Ints
from rehearse.environments.pricing.settings import Rival
from rehearse.exact import Floats
from rehearse.qlearning import QTables, Rule, Whole
from rehearse.scenario.drift import Moves


class Rivals:
    """The rivals of every society, k of them in each of R."""

    def __init__(self, rivals: Mapping[str, Rival], grid: Floats, cost: float, chance: Chance) -> None:
        """Take their rules, for one society until `begin` says otherwise."""
        self.names = tuple(rivals)
        self._rules = tuple(rivals.values())
        self._grid, self._chance = grid, chance
        self.quality = np.array([rival.quality for rival in self._rules])
        self._cost_here = cost
        self.moving = any(rival.rule != "fixed" for rival in self._rules)
        """Whether any of them answers to what is offered here."""
        self._given: Floats | None = None
        self.begin(np.zeros(1, dtype=np.int32))

    def __len__(self) -> int:
        """Return how many there are in a society."""
        return len(self.names)

    def begin(self, societies: Ints) -> None:
        """Set out in these societies."""
        self.societies = np.asarray(societies, dtype=np.int32)
        count, m = len(societies), len(self._grid)
        self.prices: Floats = np.tile([float(rival.price) for rival in self._rules], (count, 1))
        self.cost: Floats = self._costs(self._cost_here)
        """What a unit costs each of them today, shape (k,)."""
        self.last: Floats = self.prices.copy()
        """Their prices on the last market day."""
        self.offered: Floats = np.full(count, self._grid[m // 2])
        """The mean price that was offered here on the last market day, at first the middle one."""
        self._posted: Whole = np.zeros((count, m), dtype=np.int64)
        self._shares: Floats = np.zeros((count, len(self)))
        self._customers: Whole = np.zeros(count, dtype=np.int64)
        self._tables = {
            name: QTables(_rule(rival), count, m * m, m, rival.learner.start)
            for name, rival in zip(self.names, self._rules, strict=True)
            if rival.rule == "q-learning"
        }

    def place(self, replica: Ints) -> Whole:
        """Return the position of each society in the arrays kept here."""
        return np.searchsorted(self.societies, replica)

    def note(self, society: Whole, offered: Floats, shares: Floats) -> None:
        """Note the prices offered (NaN: none), and with what chance each buys from each rival (n, k)."""
        count, some = len(self.societies), np.flatnonzero(~np.isnan(offered))
        np.add.at(self._posted, (society[some], nearest(self._grid, offered[some])), 1)
        self._customers += np.bincount(society, minlength=count)
        for rival, share in enumerate(shares.T):
            self._shares[:, rival] += np.bincount(society, weights=share, minlength=count)

    def ask(self, prices: Floats) -> None:
        """Have the rivals of each society ask these prices (R, k) from the next tick on, by no rule."""
        self._given = np.array(prices, dtype=np.float64)

    def expected(self) -> Floats:
        """Return the part of the last customers that each rival could expect, shape (R, k)."""
        return np.asarray(self._shares / np.maximum(self._customers, 1)[:, None])

    def enter(self, moves: Moves) -> None:
        """Begin a tick: move prices where the last tick was a market day."""
        open_for = np.flatnonzero(self._customers)
        self._offer_noted(open_for)
        self.last[open_for] = self.prices[open_for]
        today = self._costs(moves.now("cost", self._cost_here))
        for number, (name, rival) in enumerate(zip(self.names, self._rules, strict=True)):
            if self._given is not None:
                self.prices[:, number] = self._given[:, number]
            elif rival.rule == "fixed":
                self.prices[:, number] = moves.now(f"price.{name}", rival.price)
            elif len(open_for):
                self.prices[open_for, number] = self._next(number, rival, open_for, today)
        self.cost = today
        self._posted[open_for] = self._customers[open_for] = 0
        self._shares[open_for] = 0.0

    def state(self) -> dict[str, Array]:
        """Return all that is kept, as arrays."""
        kept: dict[str, Array] = {
            "rivals/societies": self.societies.copy(),
            "rivals/prices": self.prices.copy(),
            "rivals/cost": self.cost.copy(),
            "rivals/last": self.last.copy(),
            "rivals/offered": self.offered.copy(),
            "rivals/posted": self._posted.copy(),
            "rivals/shares": self._shares.copy(),
            "rivals/customers": self._customers.copy(),
        }
        for name, tables in self._tables.items():
            kept |= {f"rivals/{name}/{part}": array for part, array in tables.state().items()}
        return kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self.begin(np.asarray(state["rivals/societies"], dtype=np.int32))
        self.prices = np.array(state["rivals/prices"], dtype=np.float64)
        self.cost = np.array(state["rivals/cost"], dtype=np.float64)
        self.last = np.array(state["rivals/last"], dtype=np.float64)
        self.offered = np.array(state["rivals/offered"], dtype=np.float64)
        self._posted = np.array(state["rivals/posted"], dtype=np.int64)
        self._shares = np.array(state["rivals/shares"], dtype=np.float64)
        self._customers = np.array(state["rivals/customers"], dtype=np.int64)
        for name, tables in self._tables.items():
            tables.restore({part: state[f"rivals/{name}/{part}"] for part in tables.state()})

    def _offer_noted(self, some: Whole) -> None:
        """Work out the mean price offered in some societies; where nothing was, it stays."""
        posted = self._posted[some]
        count = posted.sum(axis=1)
        mean = (posted * self._grid).sum(axis=1) / np.maximum(count, 1)
        self.offered[some] = np.where(count > 0, mean, self.offered[some])

    def _costs(self, here: float) -> Floats:
        return np.array([here if rival.cost is None else rival.cost for rival in self._rules])

    def _next(self, number: int, rival: Rival, some: Whole, today: Floats) -> Floats:
        if rival.rule == "match":
            return self.offered[some]
        if rival.rule == "undercut":
            return np.asarray(np.maximum(self.offered[some] - rival.by, today[number]))
        return self._learned(number, some)

    def _learned(self, number: int, some: Whole) -> Floats:
        name, m = self.names[number], len(self._grid)
        tables, own = self._tables[name], self.prices[some, number]
        state = nearest(self._grid, self.offered[some]) * m + nearest(self._grid, own)
        days = tables.period[some]
        earned = (own - self.cost[number]) * self.expected()[some, number]
        tables.earned[some] = earned
        best = tables.best(some, state)
        drawn = self._chance.uniform(f"world/rival/{name}", self.societies[some], days, count=2)
        explores = drawn[:, 0] < tables.exploring(some)
        action = np.where(explores, (drawn[:, 1] * m).astype(np.int64), best)
        tables.move(some, state, action, np.zeros(len(some)))
        asked: Floats = self._grid[action]
        return asked


def nearest(grid: Floats, prices: Floats) -> Whole:
    """Return the number of the price of a grid that is nearest to each; the lower one of two."""
    between = 0.5 * (grid[1:] + grid[:-1])
    return np.searchsorted(between, prices, side="left")


def _rule(rival: Rival) -> Rule:
    return Rule(rival.learner.rate, rival.learner.decay, rival.learner.discount)
