"""How fast the scenario `pricing` runs beside the same shop written as plain Mesa objects.

User turns per CPU second of the ticks alone, people drawn and imports done before, with one price for
everybody and no record on either side: the engine with compiled kernels at 100,000 people, the twin with
as many `mesa.Agent`s as there is patience for, since its rate does not grow with more of them. Then it is
checked that both lived through the same.

    python benchmarks/pricing_vs_mesa.py [--users N] [--twin-users N] [--ticks N]

Beside it, sellers who learn prices by Q-learning in a duopoly: periods per CPU second of
`rehearse.environments.pricing.learn` and of two Mesa agents with tables of lists.

Exit code 1: the two shops do not agree within 3 %.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from typing import Any

import mesa

PRICES = [4.0 + number for number in range(17)]
COST, ASKED, FAIR = 4.0, 10.0, 14.0
MEMORY, GAIN, LOSS = 0.8, 0.2, 0.4
TOLERANCE = 0.03
Sums = Counter[str]


class Buyer(mesa.Agent):  # type: ignore[misc]
    """A person of the scenario `pricing`, as one would write it."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        luck = model.random
        student = luck.random() < 0.3
        self.worth = max(luck.gauss(10.0, 2.0) if student else luck.gauss(14.0, 3.0), 2.0)
        self.used_to = max(luck.gauss(11.0, 1.0), 4.0)
        self.taste = max(luck.gauss(0.8, 0.15), 0.3)
        self.trust = self.satisfaction = 0.5
        self.here = True
        self.wish = 3 if luck.random() < 0.3 else 0

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
        sums = self.model.sums
        chances = [1.0 / (1.0 + math.exp(-self.taste * self.value(price))) for price in PRICES]
        profits = [(price - COST) * chance for price, chance in zip(PRICES, chances, strict=True)]
        at = PRICES.index(ASKED)
        sums["turns"] += 1
        sums["regret"] += max(profits) - profits[at]
        if luck.random() < chances[at]:
            logit = self.taste * self.value(ASKED)
            good = 1.0 / (1.0 + math.exp(-0.5 * (logit + luck.gauss(0.0, 0.5))))
            self.satisfaction += 0.3 * (1.0 / (1.0 + math.exp(-logit)) - self.satisfaction)
            self.satisfaction += 0.3 * (good - self.satisfaction)
            self.trust += 0.1 * (good - self.trust)
            sums["bought"] += 1
            sums["reward"] += ASKED - COST
            sums["harm"] += max(ASKED - FAIR, 0.0)
            self.wish = 0
        else:
            self.satisfaction += 0.3 * (0.25 - self.satisfaction)
        self.used_to = MEMORY * self.used_to + (1.0 - MEMORY) * ASKED


class Shop(mesa.Model):  # type: ignore[misc]
    """The shop of the scenario `pricing`, asking one price."""

    def __init__(self, users: int) -> None:
        super().__init__(rng=7)
        self.sums: Sums = Counter()
        for _ in range(users):
            Buyer(self)

    def step(self) -> None:
        """Let a day pass."""
        self.agents.do("step")


def twin(users: int, ticks: int) -> tuple[float, Sums]:
    """Return the CPU seconds of the Mesa twin, and what it came to."""
    shop = Shop(users)
    start = time.process_time()
    for _ in range(ticks):
        shop.step()
    return time.process_time() - start, shop.sums


class Counting:
    """A watcher that sums up the turns."""

    def __init__(self) -> None:
        self.sums: Sums = Counter()

    def on_turn(self, exchange: Any) -> None:
        """Add a turn of a block."""
        outcomes = exchange.outcomes
        self.sums["turns"] += len(exchange.turn)
        self.sums["regret"] += float(outcomes.regret.sum())
        self.sums["bought"] += int(outcomes.label.sum())
        self.sums["reward"] += float(outcomes.reward.sum())

    def on_tick(self, tick: int, users: Any) -> None:
        """Do nothing."""


def ours(users: int, ticks: int) -> tuple[float, Sums]:
    """Return the CPU seconds of the engine, and what it came to."""
    from rehearse.experiments.api import load
    from rehearse.experiments.build import assemble

    settings = {"policy": {"name": "posted-price-v1", "settings": {"price": ASKED}}}
    warm = load("pricing", users=users, replicas=1, ticks=ticks, settings=settings)
    assemble(warm).simulation.advance()  # compiles the kernels
    simulation, counting = assemble(warm).simulation, Counting()
    simulation.watchers.append(counting)
    start = time.process_time()
    for _ in range(ticks):
        simulation.advance()
    return time.process_time() - start, counting.sums


class Seller(mesa.Agent):  # type: ignore[misc]
    """A seller that learns by Q-learning, as one would write it."""

    def __init__(self, model: Any, number: int) -> None:
        super().__init__(model)
        self.number, self.asked = number, 0
        self.values = [[0.0] * 15 for _ in range(225)]

    def step(self) -> None:
        """Ask a price."""
        luck, row = self.model.random, self.values[self.model.state]
        explores = luck.random() < self.model.exploring
        self.asked = luck.randrange(15) if explores else row.index(max(row))

    def learn(self) -> None:
        """Learn what it was worth."""
        model = self.model
        row, future = self.values[model.state], max(self.values[model.after])
        earned = model.profits[self.number][model.after]
        row[self.asked] = 0.85 * row[self.asked] + 0.15 * (earned + 0.95 * future)


class Duopoly(mesa.Model):  # type: ignore[misc]
    """Two sellers that learn from one another."""

    def __init__(self, profits: list[list[float]]) -> None:
        super().__init__(rng=7)
        self.profits, self.state, self.after, self.period = profits, 0, 0, 0
        for number in range(2):
            Seller(self, number)

    def step(self) -> None:
        """Let a period pass."""
        self.exploring = math.exp(-4e-6 * self.period)
        self.agents.do("step")
        one, two = self.agents
        self.after = one.asked * 15 + two.asked
        self.agents.do("learn")
        self.state, self.period = self.after, self.period + 1


def learning() -> dict[str, float]:
    """Return the periods per CPU second of learning sellers here and as Mesa agents."""
    from rehearse.environments.pricing import LogitMarket, QLearning, learn

    market = LogitMarket()
    learn(market, QLearning(longest=1000), sessions=2)  # compiles the kernel
    start = time.process_time()
    periods = learn(market, sessions=4).periods.sum()
    engine = periods / (time.process_time() - start)
    grid = market.grid()[0]
    profits = [[float(market.profits([one, two])[k]) for one in grid for two in grid] for k in range(2)]
    duopoly = Duopoly(profits)
    start = time.process_time()
    for _ in range(50_000):
        duopoly.step()
    return {"engine": engine, "mesa": 50_000 / (time.process_time() - start)}


def main() -> int:
    """Measure both, print the ratio, and say whether they agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--twin-users", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=20)
    given = parser.parse_args()
    arms = {"engine": ours(given.users, given.ticks), "mesa": twin(given.twin_users, given.ticks)}
    rates = {name: sums["turns"] / spent for name, (spent, sums) in arms.items()}
    for name, rate in rates.items():
        print(f"{name:8} {rate:12,.0f} user turns per CPU second")
    print(f"ratio    {rates['engine'] / rates['mesa']:12.1f}")
    parts = ("bought", "reward", "regret")
    lived = {name: {part: sums[part] / sums["turns"] for part in parts} for name, (_, sums) in arms.items()}
    lived["engine"]["visits"] = arms["engine"][1]["turns"] / given.users
    lived["mesa"]["visits"] = arms["mesa"][1]["turns"] / given.twin_users
    apart = {part: lived["mesa"][part] / value - 1.0 for part, value in lived["engine"].items()}
    print("the twin differs by", ", ".join(f"{part} {value:+.1%}" for part, value in apart.items()))
    for name, rate in (learned := learning()).items():
        print(f"{name:8} {rate:12,.0f} periods of two learning sellers per CPU second")
    print(f"ratio    {learned['engine'] / learned['mesa']:12.1f}")
    return int(max(map(abs, apart.values())) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
