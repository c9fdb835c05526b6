"""Two sellers that learn prices by Q-learning: compiled sessions beside two Mesa agents with tables of lists.

python benchmarks/sellers.py       periods per CPU second of both, and how many times the first is the second
"""

from __future__ import annotations

import math
import time
from typing import Any

import mesa

PERIODS = 50_000
"""How long the agents learn here."""


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


def measure() -> dict[str, float]:
    """Return periods per CPU second of learning sellers here and as Mesa agents, and the ratio."""
    from rehearse.environments.pricing import LogitMarket, QLearning, learn

    market = LogitMarket()
    learn(market, QLearning(longest=1000), sessions=2)  # compiles the kernel
    start = time.process_time()
    periods = learn(market, sessions=4).periods.sum()
    engine = float(periods / (time.process_time() - start))
    grid = market.grid()[0]
    profits = [[float(market.profits([one, two])[k]) for one in grid for two in grid] for k in range(2)]
    duopoly = Duopoly(profits)
    start = time.process_time()
    for _ in range(PERIODS):
        duopoly.step()
    objects = PERIODS / (time.process_time() - start)
    return {"engine": engine, "objects": objects, "x_mesa_sellers": engine / objects}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:16} {value:14,.1f}")
