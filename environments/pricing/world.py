"""The world `pricing-v1`: buyers with reservation prices meet a seller's pricing model.

The items are prices: the model answers with the price that a person is offered. Money is in one unit
throughout; v, e and the chance to buy stand in `buyers`, what rivals do in `rivals`, stock in `store`.

    choice      σ((b/s) · (v_pi − e_p)) for price i, the logit between this seller, its rivals and nothing
    elsewhere   who does not buy here buys from rival j with the chance that j has among all else
    reference   r_p ← memory · r_p + (1 − memory) · mean of the prices that p saw     Kalyanaram and Winer
    reward      p_i − cost for a unit sold, less the person's part of the cost of holding stock;
                or (p_i − cost) times the chance to buy (sales: expected)
    truth       (p_i − cost) · P(p buys at i): the profit expected of the person; with truth: welfare
                also what the person gains, (s/b) · ln(1 + e^((b/s) · (v_pi − e_p)))
    ideal       the price with the largest truth, the lowest of several: perfect price discrimination
    regret      truth of the ideal price − truth of the price offered ≥ 0, in money
    harm        what was paid above a fair price, in money
    experience  σ(sensitivity · (b · v_pi − centre + noise · ε)) for what was bought; 0 where it was gone
    label       1 if the person bought here, 0 if not
    missed      who chose a price and was not served, since others had the last units; they end `infeasible`

Winer, "A reference price model of brand choice for frequently purchased products", Journal of Consumer
Research 13 (1986); Kalyanaram and Winer, "Empirical generalizations from reference price research",
Marketing Science 14 (1995). The reward is in the same money as the truth: the best that a model can
do on average is to leave no regret. It departs from the field in that the truth counts today's profit
only, not what a price does to reference prices or teaches rivals, and no stock that runs out; and in
that what people add of their own to a choice (a wish's strength, trust, memories) does not enter it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import Codes, Decisions, End, Flags, Ints, Offer, Outcomes, Responses, Singles, Turn
from rehearse.environments import consequences
from rehearse.environments.consequences import Taken
from rehearse.environments.pricing.buyers import REFERENCE, RESERVATION, Buyers
from rehearse.environments.pricing.judging import judge, worth
from rehearse.environments.pricing.rivals import Rivals
from rehearse.environments.pricing.settings import Settings
from rehearse.environments.pricing.store import Store
from rehearse.errors import ScenarioError, UserError
from rehearse.exact import Floats
from rehearse.qlearning import Whole
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

HERE, NOBODY = 0, -1
"""Codes of the column `seller`; rivals are numbered from 1."""


def build(
    settings: Mapping[str, Any], *, data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> Pricing:
    """Return the world; `data` is a table of buyers. Settings that make no sense are a ScenarioError."""
    checked = check(Settings, dict(settings), under="world.settings")
    if data is None:
        return Pricing(checked, None, drift, chance)
    if checked.table is None:
        problem = f"the data file {str(data)!r} was given to a world that reads none."
        raise ScenarioError(problem, "Set world.settings.table: data, and people.source.table: world.")
    from rehearse.tables import read_table

    return Pricing(checked, read_table(data), drift, chance)


class Pricing:
    """Buyers, prices, rivals and stock; see the module's docstring."""

    name = "pricing-v1"
    attributes = ("surplus",)
    may_change = ("cost", "quality", "sales", "truth", "experience", "harm", "tolerance")
    """Settings that may differ from some tick on, where a run forks off."""

    def __init__(
        self, settings: Settings, table: Columns | None, drift: tuple[Drift, ...], chance: Chance
    ) -> None:
        """Take checked settings and the buyers' table, if there is one."""
        self.items = settings.items()
        self.grid = settings.asked()
        """The prices, shape (m,)."""
        self.rivals = Rivals(settings.rivals, self.grid, settings.cost, chance)
        self.store = None if settings.stock is None else Store(settings.stock)
        self.coupled = self.rivals.moving or self.store is not None
        remembers = () if settings.reference is None else (REFERENCE,)
        self.needs = (RESERVATION, "noise", *remembers)
        self.features = self._seen()
        self._settings, self._table = settings, table
        fixed = [f"price.{name}" for name, rival in settings.rivals.items() if rival.rule == "fixed"]
        self._moves = Moves(drift, ("cost", "quality", RESERVATION, *fixed), "the world pricing-v1")

    def begin(self, replicas: Ints) -> None:
        """Hear which societies there are: each has rivals and a store of its own."""
        self.rivals.begin(np.sort(replicas))
        if self.store is not None:
            self.store.begin(len(replicas))

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out what every price is worth to these people beyond all else that they can have."""
        society, buyers = self.rivals.place(turn.replica), self._buyers(turn, people)
        beyond = buyers.value(self._quality, self.grid)
        if len(self.rivals):
            beyond -= buyers.inclusive(self._of_rivals(buyers, society))[:, None]
        return Offer(beyond[:, :, None], self._features(society), self._available(society))

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what is expected of offering each price to each person, in money, shape (n, m)."""
        welfare = self._settings.truth == "welfare"
        return worth(self._buyers(turn, people), _beyond(offer), self._margin, welfare=welfare)

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Sell, see who bought elsewhere, and work out how good the price was."""
        self._once(turn)
        buyers, action = self._buyers(turn, people), decisions.action
        welfare = self._settings.truth == "welfare"
        judged = judge(buyers, _beyond(offer), self._margin, action, welfare=welfare)
        offered = np.where(action >= 0, self.grid[np.maximum(action, 0)], np.nan)
        sale = self._sell(turn, buyers, responses.choice >= 0, offered, judged.likely)
        return Outcomes(
            reward=sale.reward,
            experience=self._experience(turn, buyers, responses.choice, sale.sold),
            ideal=judged.ideal,
            regret=judged.regret.astype(np.float32),
            right=np.where(action >= 0, judged.regret <= self._settings.tolerance, -1).astype(np.int8),
            harm=self._harm(sale.paid),
            label=sale.sold.astype(np.int8),
            missed=sale.missed,
            end=_ends(sale.missed),
            becomes=self._becomes(turn, buyers, offered),
            detail={"offered": offered.astype(np.float32), "paid": sale.paid, **sale.more},
        )

    def table(self) -> Columns | None:
        """Return the buyers of the data file, a row a person, or None."""
        return self._table

    def drift(self, tick: int) -> list[str]:
        """Begin a tick: what is scheduled, rivals' prices, deliveries; say what was scheduled."""
        said = self._moves.enter(tick)
        self.rivals.enter(self._moves)
        if self.store is not None:
            self.store.enter(tick)
        return said

    def state(self) -> dict[str, Array]:
        """Return the tick, the rivals and the stock."""
        store = {} if self.store is None else self.store.state()
        return {**self._moves.state(), **self.rivals.state(), **store}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)
        self.rivals.restore(state)
        if self.store is not None:
            self.store.restore(state)

    @property
    def cost(self) -> float:
        """Return what a unit costs now."""
        return float(self._moves.now("cost", self._settings.cost))

    @property
    def _margin(self) -> Floats:
        return self.grid - self.cost

    @property
    def _quality(self) -> float:
        return float(self._moves.now("quality", self._settings.quality))

    def _seen(self) -> tuple[str, ...]:
        own = ("own_price",) if self.rivals.moving else ()
        stock = () if self.store is None else ("stock",)
        return ("cost", *own, *(f"price_{name}" for name in self.rivals.names), *stock)

    def _features(self, society: Whole) -> Singles:
        seen = np.empty((len(society), len(self.features)), dtype=np.float32)
        seen[:, 0] = self.cost
        place = 1
        if self.rivals.moving:
            seen[:, 1], place = self.rivals.offered[society], 2
        seen[:, place : place + len(self.rivals)] = self.rivals.last[society]
        if self.store is not None:
            seen[:, -1] = self.store.units[society]
        return seen

    def _available(self, society: Whole) -> Flags | None:
        if self.store is None or self.store.units[society].all():
            return None
        return np.repeat(self.store.units[society, None] > 0, len(self.grid), axis=1)

    def _buyers(self, turn: Turn, people: Columns) -> Buyers:
        buyers = Buyers.of(people, turn.rows, self._settings.reference)
        return replace(buyers, reservation=self._moves.now(RESERVATION, buyers.reservation))

    def _of_rivals(self, buyers: Buyers, society: Whole) -> Floats:
        return buyers.value(self.rivals.quality, self.rivals.prices[society])

    def _sell(self, turn: Turn, buyers: Buyers, chosen: Flags, offered: Floats, likely: Floats) -> _Sale:
        """Sell to those who chose a price, as far as there is stock; see where the others go."""
        society, sold = self.rivals.place(turn.replica), chosen
        more: dict[str, Array] = {}
        holding: Floats | float = 0.0
        if self.store is not None:
            more["stock"] = self.store.units[society].astype(np.int32)
            holding = 0.0 if turn.turn else self.store.holding(society)
            sold = self.store.sell(turn, society, chosen)
        if len(self.rivals):
            more["seller"] = self._sellers(turn, buyers, sold, offered, likely)
        units = sold if self._settings.sales == "drawn" else likely
        earned = np.nan_to_num(offered - self.cost) * units
        paid = np.where(sold, offered, np.nan).astype(np.float32)
        missed = None if self.store is None else chosen & ~sold
        return _Sale(sold, missed, paid, (earned - holding).astype(np.float32), more)

    def _sellers(
        self, turn: Turn, buyers: Buyers, sold: Flags, offered: Floats, likely: Floats
    ) -> NDArray[np.int8]:
        """Return whom everybody bought from, and let rivals note what they could expect."""
        society = self.rivals.place(turn.replica)
        shares = buyers.shares(self._of_rivals(buyers, society))
        if self.coupled:
            self.rivals.note(society, offered, shares * (1.0 - likely)[:, None])
        passed = (turn.uniform("world/rival") >= np.cumsum(shares, axis=1)).sum(axis=1)
        elsewhere = np.where(passed < len(self.rivals), passed + 1, NOBODY)
        return np.where(sold, HERE, elsewhere).astype(np.int8)

    def _experience(self, turn: Turn, buyers: Buyers, choice: Ints, sold: Flags) -> Singles:
        felt = np.where(choice >= 0, np.float32(0.0), np.float32(np.nan))  # gone before their turn came
        bought = np.flatnonzero(sold)
        some, item = buyers.take(bought), choice.take(bought)
        value = some.taste * some.value(self._quality, self.grid[item, None])[:, 0]
        taken = Taken(turn.take(bought), item, value, value)
        felt[bought] = consequences.experience(self._settings.experience, taken, np.zeros(len(bought)))
        return felt

    def _harm(self, paid: Singles) -> Singles | None:
        law = self._settings.harm
        if law is None:
            return None
        fair = law.price if law.price is not None else self.cost * (1.0 + (law.markup or 0.0))
        return np.where(np.isnan(paid), 0.0, np.maximum(paid - fair, 0.0)).astype(np.float32)

    def _becomes(self, turn: Turn, buyers: Buyers, offered: Floats) -> dict[str, Array]:
        law, old = self._settings.reference, buyers.reference
        if law is None or old is None:
            return {}
        met = ~np.isnan(offered)
        seen, count = np.where(met, offered, 0.0), met.astype(np.float64)
        for price in self.rivals.prices[self.rivals.place(turn.replica)].T:
            seen, count = seen + price, count + 1.0
        mean = np.where(count > 0.0, seen / np.maximum(count, 1.0), old)
        return {REFERENCE: (law.memory * old + (1.0 - law.memory) * mean).astype(np.float32)}

    def _once(self, turn: Turn) -> None:
        if turn.turn and len(self.rivals):
            problem = "the world pricing-v1 has rivals, and people came to a second turn in a session."
            raise UserError(problem, "Set time.max_turns to 1: who does not buy here may have bought there.")


@dataclass(frozen=True, slots=True)
class _Sale:
    """Who bought here in a turn, and what it brought; n rows."""

    sold: Flags
    missed: Flags | None
    """Who chose a price when the last unit had gone; None: there is always enough."""
    paid: Singles
    """NaN where nothing was sold."""
    reward: Singles
    more: dict[str, Array]
    """Columns for the record that only some markets have."""


def _ends(missed: Flags | None) -> Codes | None:
    if missed is None:
        return None
    return np.where(missed, End.INFEASIBLE, End.NONE).astype(np.int8)


def _beyond(offer: Offer) -> Floats:
    return np.asarray(offer.attributes[:, :, 0], dtype=np.float64)
