"""What a scenario writes under `world.settings` of `pricing-v1`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.environments.consequences import Experience
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Positive, Share, Strict

Price = Annotated[float, Field(ge=0.0)]


class Grid(Strict):
    """Prices at equal distances."""

    low: Price
    """The lowest price."""
    high: Price
    """The highest price."""
    count: Annotated[int, Field(ge=2, le=1000)]
    """How many prices, both ends among them."""


class Discounts(Strict):
    """A list price and what may be taken off it."""

    list_price: Positive
    """In units of money."""
    discounts: Annotated[tuple[Share, ...], Field(min_length=1)]
    """Parts of the list price; 0 is the list price itself."""


class Reference(Strict):
    """People compare prices with what they are used to (Kalyanaram and Winer, 1995)."""

    memory: Share = 0.8
    """What is left of the old reference price after each visit; the rest comes from the prices seen."""
    gain: NotNegative = 0.2
    """What a unit of money below the reference price adds to the worth of buying, in units of money."""
    loss: NotNegative = 0.4
    """What a unit of money above it takes away; larger than `gain`: losses loom larger."""


class Learner(Strict):
    """How a rival learns its prices by Q-learning."""

    rate: Share = 0.15
    """How far a worth moves to what was earned (alpha)."""
    decay: Positive = 0.01
    """Exploration falls as e^(−decay · days)."""
    discount: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.95
    """What a unit earned in the next tick counts now (gamma)."""
    start: float = 0.0
    """What every price is thought to be worth before anything is known."""


class Rival(Strict):
    """Another seller, and how it sets its price from one tick to the next."""

    rule: Literal["fixed", "match", "undercut", "q-learning"] = "fixed"
    """`match`: the mean price that was offered here in the last tick with customers; `undercut`: `by`
    below it, but not below cost; `q-learning`: learns on the world's own prices."""
    price: Price
    """Its price; what it begins with where the rule moves it."""
    quality: float = 0.0
    """What buying there is worth beyond the reservation price, in units of money."""
    cost: NotNegative | None = None
    """What a unit costs it; None: what it costs here, drift and all."""
    by: Positive = 0.5
    """How far below (`undercut`), in units of money."""
    learner: Learner = Learner()


class Stock(Strict):
    """Units in store, filled up at intervals."""

    level: Annotated[int, Field(ge=1)]
    """Units at the start, and after each delivery."""
    every: Annotated[int, Field(ge=1)] = 7
    """Ticks from one delivery to the next; it comes before the first customer."""
    holding: NotNegative = 0.0
    """What a unit in store costs at the start of a tick."""


class Fair(Strict):
    """What price does no harm: either `price` or `markup`."""

    price: Price | None = None
    """In units of money."""
    markup: NotNegative | None = None
    """Above cost, as a part of cost."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.price is None) == (self.markup is None):
            problem = "give either price or markup"
            raise ValueError(problem)
        return self


class Settings(Strict):
    """What a scenario writes under `world.settings`; money is in one unit throughout."""

    prices: Annotated[tuple[Price, ...], Field(min_length=2)] | Grid | Discounts
    """The prices that may be offered; an item is named after its price."""
    cost: NotNegative = 0.0
    """What a unit costs the seller."""
    quality: float = 0.0
    """What buying here is worth beyond the reservation price."""
    reference: Reference | None = None
    """None: a price is judged by itself."""
    rivals: dict[Name, Rival] = Field(default={})
    stock: Stock | None = None
    """None: there is always enough."""
    sales: Literal["drawn", "expected"] = "drawn"
    """What earns: each sale; or the chance of it, as if each person stood for many."""
    truth: Literal["profit", "welfare"] = "profit"
    """What the right price makes most of: the expected profit from the person, or that and what the
    person gains together."""
    experience: Experience = Experience(of="utility", sensitivity=0.5)
    harm: Fair | None = None
    tolerance: NotNegative = 0.0
    """Regret up to which a price is right."""
    table: Literal["data"] | None = None
    """`data`: people come from the table that the run is given (`people.source.table: world`)."""

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        asked = self.asked()
        problem = ""
        if len(set(self.items())) < len(asked) or (np.diff(asked) <= 0.0).any():
            problem = "prices must differ and ascend"
        elif self.sales == "expected" and self.stock is not None:
            problem = "sales: expected are parts of a unit, of which no stock can be kept"
        elif self.experience.delay is not None:
            problem = "experience.delay: nothing is late in this world"
        if problem:
            raise ValueError(problem)
        return self

    def asked(self) -> Floats:
        """Return the prices that may be offered, ascending, shape (m,)."""
        if isinstance(self.prices, Grid):
            return np.linspace(self.prices.low, self.prices.high, self.prices.count)
        if isinstance(self.prices, Discounts):
            return np.sort(self.prices.list_price * (1.0 - np.array(self.prices.discounts)))
        return np.array(self.prices)

    def items(self) -> tuple[str, ...]:
        """Return the names of the prices."""
        return tuple(f"{price:.10g}" for price in self.asked())
