"""The scenario `pricing` with one price for all, as plain Mesa objects."""

from __future__ import annotations

import math
import random
from typing import Any

import mesa
from twins.plain import Twin, sigmoid

PRICES = [4.0 + number for number in range(17)]
COST, ASKED, FAIR = 4.0, 10.0, 14.0
AT = PRICES.index(ASKED)
MEMORY, GAIN, LOSS = 0.8, 0.2, 0.4


def scenario(users: int, ticks: int) -> Any:
    """Return the scenario, with one price."""
    from rehearse.experiments.api import load

    settings = {"policy": {"name": "posted-price-v1", "settings": {"price": ASKED}}}
    return load("pricing", users=users, ticks=ticks, replicas=1, settings=settings)


class Buyer(mesa.Agent):  # type: ignore[misc]
    """A person of the scenario, as one would write it."""

    model: Shop

    def __init__(self, model: Shop) -> None:
        super().__init__(model)
        luck = model.random
        student = luck.random() < 0.3
        self.worth = max(luck.gauss(10.0, 2.0) if student else luck.gauss(14.0, 3.0), 2.0)
        self.used_to = max(luck.gauss(11.0, 1.0), 4.0)
        self.taste = max(luck.gauss(0.8, 0.15), 0.3)
        self.trust = self.satisfaction = 0.5
        self.here = True
        self.wish, self.session = (3 if luck.random() < 0.3 else 0), -1

    def value(self, price: float) -> float:
        """Return what buying at a price is worth, in money."""
        below = self.used_to - price
        return self.worth - price + (GAIN * below if below > 0.0 else LOSS * below)

    def step(self) -> None:
        """Live through a day: perhaps visit the shop."""
        luck = self.model.random
        if not self.here:
            return
        if self.wish and luck.random() < 0.9 * math.sqrt(self.trust):
            self.visit(luck)
        self.wish = max(self.wish - 1, 0)
        if luck.random() < 0.01 * (1.0 - self.trust):
            self.here = False
        elif not self.wish and luck.random() < 0.3:
            self.wish = 3

    def visit(self, luck: random.Random) -> None:
        """Be asked a price, buy or not, and be judged what would have been best."""
        self.session += 1
        before, logit = self.satisfaction, self.taste * self.value(ASKED)
        chances = [1.0 / (1.0 + math.exp(-self.taste * self.value(price))) for price in PRICES]
        profits = [(price - COST) * chance for price, chance in zip(PRICES, chances, strict=True)]
        best = max(profits)
        regret, good, bought = best - profits[AT], math.nan, luck.random() < chances[AT]
        if bought:
            good = sigmoid(0.5 * (logit + luck.gauss(0.0, 0.5)))
            self.satisfaction += 0.3 * (sigmoid(logit) - self.satisfaction)
            self.satisfaction += 0.3 * (good - self.satisfaction)
            self.trust += 0.1 * (good - self.trust)
            self.wish = 0
        else:
            self.satisfaction += 0.3 * (0.25 - self.satisfaction)
        reward = ASKED - COST if bought else 0.0
        self.used_to = MEMORY * self.used_to + (1.0 - MEMORY) * ASKED
        self.model.note(reward, regret)
        if self.model.keeps:
            who = self.unique_id, self.model.tick, self.session, AT, AT if bought else -1, 0 if bought else -1
            felt = logit if bought else math.nan, before, self.satisfaction, float(bought)
            judged = reward, max(ASKED - FAIR, 0.0) * bought, int(bought), good, profits.index(best), regret
            rest = int(regret <= 0.0), 1 if bought else 3, ASKED, ASKED if bought else math.nan, self.used_to
            self.model.rows.append((*who, *felt, *judged, *rest))


class Shop(Twin):
    """A shop that asks one price."""

    names = (
        *("user", "tick", "session", "action", "choice", "position", "utility", "satisfaction_before"),
        *("satisfaction", "progress", "reward", "harm", "label", "experience", "ideal", "regret"),
        *("right", "end", "offered", "paid", "reference_price"),
    )

    def __init__(self, users: int, ticks: int = 1, *, keeps: bool) -> None:
        del ticks  # people live on as long as they are let
        super().__init__(keeps=keeps)
        for _ in range(users):
            Buyer(self)
