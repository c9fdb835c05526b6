"""Sellers that learn prices by Q-learning, against one another, until their strategies rest.

Each seller i has a table of values Q_i(s, a) of its prices a in every state s, the state being the
prices that all asked in the last period (memory 1). In a period t

    explore   with chance e^(−βt) a price drawn at random, else the best by Q_i(s, ·), the lowest if many
    profit    π_i of the market at the prices asked
    learn     Q_i(s, a) ← (1 − α) Q_i(s, a) + α [π_i + δ max_a' Q_i(s', a')]

Tables begin with the discounted profit against rivals who price at random: Q_i(s, a) = mean of
π_i(a, ·) / (1 − δ). A session is over once no seller's best price in any state has changed for
`stable` periods. Then prices follow from the strategies alone and run into a cycle, whose means are
what the session came to. The profit gain is (π − π_Nash) / (π_monopoly − π_Nash), means over
sellers: 0 is competition, 1 perfect collusion. Everything follows Calvano, Calzolari, Denicolò and
Pastorello (AER 110, 2020), but that a session may be given up much earlier than they do.

Sessions are independent of one another: each draws by its own number, whatever runs beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance, key_of, philox4x32, philox_block
from rehearse.compiled import expect, twin_of
from rehearse.environments.pricing.market import LogitMarket
from rehearse.errors import UserError
from rehearse.exact import Floats, exp, exp_one

PURPOSE = "pricing/q-learning"
MOST_CELLS = 50_000_000
Whole = NDArray[np.int64]
ZERO, TWO_TO_32, SIXTEEN = np.uint64(0), 2.0**-32, np.uint64(16)


@dataclass(frozen=True, slots=True)
class QLearning:
    """How sellers learn; the defaults are the ones that Calvano and others show most of."""

    rate: float = 0.15
    """α, the part of a value that is new."""
    decay: float = 4e-6
    """β: exploration falls as e^(−βt)."""
    discount: float = 0.95
    """δ, what a period later is worth."""
    prices: int = 15
    """How many prices each can ask."""
    beyond: float = 0.1
    """How far prices reach beyond Nash and monopoly prices, in distances of the two."""
    stable: int = 100_000
    """A session rests after so many periods without change."""
    longest: int = 10_000_000
    """A session is given up after so many periods."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """What some sessions came to; R sessions, n sellers, S = prices**n states."""

    market: LogitMarket
    grid: Floats
    """The prices of each seller, shape (n, prices)."""
    strategy: Whole
    """The number of the price that each asks in each state, shape (R, n, S)."""
    state: Whole
    """The last state, shape (R,): the sellers' price numbers as the digits of one number."""
    periods: Whole
    """How long each session took, shape (R,)."""
    rested: NDArray[np.bool_]
    """Whether the strategies came to rest, shape (R,)."""
    prices: Floats
    """The mean price of each seller in the cycle that the strategies lead to, shape (R, n)."""
    profits: Floats
    """The mean profit of each seller in that cycle, for each buyer and period, shape (R, n)."""

    @property
    def gain(self) -> Floats:
        """Return the profit gain of each session: 0 is Nash, 1 the joint maximum; shape (R,)."""
        nash = self.market.profits(self.market.nash()).mean()
        best = self.market.profits(self.market.monopoly()).mean()
        return np.asarray((self.profits.mean(axis=1) - nash) / (best - nash))

    def path(self, periods: int, *, deviates: int | None = None) -> Floats:
        """Return the prices that follow from the strategies, shape (R, periods, n), learning no more.

        `deviates` is a seller who, in the first period only, asks the price that would earn it most in
        that period; all others answer by what they have learned.
        """
        digits = _digits(self.grid)
        sellers, state = np.arange(len(self.grid)), self.state.copy()
        found = np.empty((len(state), periods, len(sellers)))
        for period in range(periods):
            asked = self.strategy[np.arange(len(state))[:, None], sellers, state[:, None]]
            if period == 0 and deviates is not None:
                asked[:, deviates] = self._best_now(asked, deviates)
            found[:, period] = self.grid[sellers, asked]
            state = asked @ digits
        return found

    def _best_now(self, asked: Whole, seller: int) -> Whole:
        """Return the number of the price that earns a seller most in a period, given what others ask."""
        prices = np.repeat(self.grid[np.arange(len(self.grid)), asked][:, None], self.grid.shape[1], axis=1)
        prices[:, :, seller] = self.grid[seller]
        return np.asarray(self.market.profits(prices)[:, :, seller].argmax(axis=1), dtype=np.int64)


@dataclass(slots=True)
class _Tables:
    """What a session is at a period, over R sessions."""

    values: Floats
    """Q, shape (R, n, S, prices)."""
    best: Whole
    """The best price in each state, shape (R, n, S)."""
    state: Whole
    still: Whole
    """Periods since a strategy changed last, shape (R,)."""
    period: Whole


def learn(
    market: LogitMarket, rule: QLearning | None = None, *, sessions: int = 20, seed: int = 1
) -> Sessions:
    """Let all sellers of a market learn prices from one another, in independent sessions.

    With numba (extra `fast`) a session of the default rule takes a fraction of a second; without, all
    sessions together take minutes, and come to the same to the last bit. Raises UserError where the
    tables would be too large.
    """
    rule = rule or QLearning()
    grid = market.grid(rule.prices, rule.beyond)
    states = rule.prices ** len(market)
    if sessions < 1 or states * rule.prices * len(market) * sessions > MOST_CELLS:
        problem = f"{sessions} sessions of {len(market)} sellers with {rule.prices} prices were asked for."
        raise UserError(problem, "Take at least one session, and fewer prices or sellers where that is many.")
    profits = _profits(market, grid)
    tables = _begin(profits, rule, sessions, seed)
    expect(sessions * rule.stable)
    numbers = np.array([rule.rate, rule.decay, rule.discount])
    key = key_of(seed, PURPOSE)
    _play(*_parts(tables), profits, numbers, rule.stable, rule.longest, np.array(key, dtype=np.uint64))
    prices, earned = _cycles(tables, profits, grid)
    rested = tables.still >= rule.stable
    return Sessions(market, grid, tables.best, tables.state, tables.period, rested, prices, earned)


def _profits(market: LogitMarket, grid: Floats) -> Floats:
    """Return what each seller earns in each state, shape (n, S)."""
    numbers = np.indices((grid.shape[1],) * len(grid)).reshape(len(grid), -1)
    asked = np.take_along_axis(grid, numbers, axis=1)
    return np.ascontiguousarray(market.profits(asked.T).T)


def _begin(profits: Floats, rule: QLearning, sessions: int, seed: int) -> _Tables:
    sellers, states = profits.shape
    cube = profits.reshape(sellers, *(rule.prices,) * sellers)
    values = np.empty((sessions, sellers, states, rule.prices))
    for seller in range(sellers):
        others = tuple(place for place in range(sellers) if place != seller)
        values[:, seller] = cube[seller].mean(axis=others) / (1.0 - rule.discount)
    drawn = Chance(seed).uniform(f"{PURPOSE}/start", np.arange(sessions), 0)[:, 0]
    return _Tables(
        values=values,
        best=values.argmax(axis=-1).astype(np.int64),
        state=(drawn * states).astype(np.int64),
        still=np.zeros(sessions, dtype=np.int64),
        period=np.zeros(sessions, dtype=np.int64),
    )


def _parts(tables: _Tables) -> tuple[Floats, Whole, Whole, Whole, Whole]:
    return tables.values, tables.best, tables.state, tables.still, tables.period


def _play_plainly(
    values: Floats,
    best: Whole,
    state: Whole,
    still: Whole,
    period: Whole,
    profits: Floats,
    rule: Floats,
    stable: int,
    longest: int,
    key: NDArray[np.uint64],
) -> None:
    rate, decay, discount = rule.tolist()
    sellers, prices = values.shape[1], values.shape[3]
    digits = prices ** np.arange(sellers - 1, -1, -1)
    seller = np.arange(sellers)
    while len(going := np.flatnonzero((still < stable) & (period < longest))):
        now, r = int(period[going[0]]), going[:, None]  # sessions still going are all as old
        uniform = _drawn(going, seller, now, key)
        seen = state[going][:, None]
        explores = uniform[0] < float(exp(-decay * now))
        asked = np.where(explores, (uniform[1] * prices).astype(np.int64), best[r, seller, seen])
        state[going] = asked @ digits
        after = state[going][:, None]
        future = values[r, seller, after, best[r, seller, after]]
        old = values[r, seller, seen, asked]
        values[r, seller, seen, asked] = (1.0 - rate) * old + rate * (
            profits[seller, after] + discount * future
        )
        better = values[r, seller, seen].argmax(axis=-1)
        changed = (better != best[r, seller, seen]).any(axis=1)
        best[r, seller, seen] = better
        still[going] = np.where(changed, 0, still[going] + 1)
        period[going] += 1


def _drawn(sessions: Whole, sellers: Whole, tick: int, key: NDArray[np.uint64]) -> Floats:
    """Return two uniform draws for each session and seller: shape (2, R, n)."""
    place = (sessions.astype(np.uint64) << SIXTEEN)[:, None]
    words = philox4x32((sellers, tick, place, 0), (int(key[0]), int(key[1])))
    return np.moveaxis((words[..., :2].astype(np.float64) + 0.5) * TWO_TO_32, -1, 0)


@twin_of(_play_plainly)
def _play(
    values: Floats,
    best: Whole,
    state: Whole,
    still: Whole,
    period: Whole,
    profits: Floats,
    rule: Floats,
    stable: int,
    longest: int,
    key: NDArray[np.uint64],
) -> None:
    sellers, prices = values.shape[1], values.shape[3]
    asked = np.zeros(sellers, dtype=np.int64)
    for r in range(len(state)):
        society = np.uint64(r) << SIXTEEN
        while still[r] < stable and period[r] < longest:
            seen, after = state[r], 0
            exploring = exp_one(-rule[1] * period[r])
            for i in range(sellers):
                words = philox_block((np.uint64(i), np.uint64(period[r]), society, ZERO), key[0], key[1])
                asked[i] = best[r, i, seen]
                if (float(words[0]) + 0.5) * TWO_TO_32 < exploring:
                    asked[i] = int((float(words[1]) + 0.5) * TWO_TO_32 * prices)
                after = after * prices + asked[i]
            changed = False
            for i in range(sellers):
                future = values[r, i, after, best[r, i, after]]
                row = values[r, i, seen]
                row[asked[i]] = (1.0 - rule[0]) * row[asked[i]] + rule[0] * (
                    profits[i, after] + rule[2] * future
                )
                top = 0
                for a in range(1, prices):
                    if row[a] > row[top]:
                        top = a
                changed |= top != best[r, i, seen]
                best[r, i, seen] = top
            state[r] = after
            still[r] = 0 if changed else still[r] + 1
            period[r] += 1


def _cycles(tables: _Tables, profits: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """Return the mean prices and profits of the cycles that the strategies lead to, each (R, n)."""
    sellers, states = profits.shape
    digits = _digits(grid)
    found = np.zeros((2, len(tables.state), sellers))
    for r, last in enumerate(tables.state.tolist()):
        following = digits @ tables.best[r]
        path = [last]
        for _ in range(states):  # by then it is in its cycle
            path.append(int(following[path[-1]]))
        cycle = path[-1:]
        while (further := int(following[cycle[-1]])) != path[-1]:
            cycle.append(further)
        asked = (np.array(cycle) // digits[:, None]) % grid.shape[1]
        found[0, r] = np.take_along_axis(grid, asked, axis=1).mean(axis=1)
        found[1, r] = profits[:, cycle].mean(axis=1)
    return found[0], found[1]


def _digits(grid: Floats) -> Whole:
    """Return what each seller's price number counts in the number of a state, shape (n,)."""
    return np.asarray(grid.shape[1] ** np.arange(len(grid) - 1, -1, -1), dtype=np.int64)
