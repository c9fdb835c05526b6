"""Workload W as a plain Mesa model: one `mesa.Agent` a person, written as a Mesa user would.

    python benchmarks/w_mesa.py --users 3000 --ticks 5 --model linear --policy batch

With `--policy batch` the decision model is asked for all active people of a turn together, which is
the fairest; with `row` each person asks alone. People and friends are made before the clock starts;
it stops when every turn is in Parquet.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import mesa
import networkx as nx
import numpy as np
from bare import MODELS, Model
from workload import (
    COVARIATES,
    FEATURES,
    FRIENDS,
    LEAVE_BASE,
    LEAVE_SLOPE,
    MAX_TURNS,
    MEMORY,
    NOTHING_TAKEN,
    NOTHING_WORTH,
    POSITION_BIAS,
    REWIRE,
    SATISFACTION,
    SATISFACTION_RATE,
    SLATE,
    SOCIAL_WEIGHT,
    TASTE_CHANGE,
    TASTE_WEIGHT,
    TASTES,
    Catalogue,
    catalogue,
    crowd,
)

NAMES = (
    "user",
    "session",
    "turn",
    *(f"slate_{i}" for i in range(SLATE)),
    "choice",
    "outcome",
    "satisfaction",
)
"""What is recorded of a turn."""


class Person(mesa.Agent):  # type: ignore[misc]
    """Somebody who is shown slates."""

    model: Society

    def __init__(self, model: Society, taste: Any, patience: int, covariates: Any) -> None:
        super().__init__(model)
        self.taste, self.covariates = taste, covariates
        self.patience_max, self.patience = patience, patience
        self.satisfaction, self.last = SATISFACTION, 0.0
        self.items = [0] * MEMORY
        self.outcomes = [0.0] * MEMORY
        self.next_memory = 0
        self.turn = 0
        self.friends: list[Person] = []

    def begin(self) -> None:
        """Open a session."""
        self.turn, self.patience = 0, self.patience_max

    def observe(self) -> Any:
        """Return what the model may see: 32 numbers."""
        seen = np.empty(FEATURES, dtype=np.float32)
        outcomes = np.array(self.outcomes, dtype=np.float32)
        seen[:TASTES] = outcomes @ self.model.items.vectors[self.items] / MEMORY
        seen[TASTES : TASTES + MEMORY] = outcomes
        seen[-COVARIATES - 4 : -COVARIATES] = (
            self.turn / MAX_TURNS,
            self.model.tick,
            self.last,
            self.patience,
        )
        seen[-COVARIATES:] = self.covariates
        return seen

    def take_turn(self, slate: Any) -> bool:
        """Respond to a slate and live with what follows; return whether to go on."""
        place = self.choose(slate)
        if place < SLATE:
            impression = self.last
        else:
            self.last, impression = 0.0, NOTHING_TAKEN
        self.satisfaction += SATISFACTION_RATE * (impression - self.satisfaction)
        self.patience -= 1
        seen = (self.unique_id, self.model.tick, self.turn, *slate.tolist(), place, self.last)
        self.model.turns.append((*seen, self.satisfaction))
        self.turn += 1
        leaving = sigmoid(LEAVE_BASE + LEAVE_SLOPE * (1.0 - self.satisfaction))
        return self.model.random.random() >= leaving and self.patience > 0

    def choose(self, slate: Any) -> int:
        """Take an item by multinomial logit and find out how good it is, or take nothing."""
        items, uniform = self.model.items, self.model.random.random
        vectors = items.vectors[slate]
        worth = (TASTE_WEIGHT * (vectors @ self.taste) + items.quality[slate]).tolist()
        worth = [value - POSITION_BIAS * place for place, value in enumerate(worth)]
        weights = [math.exp(value) for value in worth]
        target = uniform() * (sum(weights) + math.exp(NOTHING_WORTH - self.satisfaction))
        for place, weight in enumerate(weights):
            target -= weight
            if target < 0.0:
                outcome = sigmoid(worth[place] + uniform() - 0.5)
                self.taste = self.taste + TASTE_CHANGE * outcome * (vectors[place] - self.taste)
                self.items[self.next_memory] = int(slate[place])
                self.outcomes[self.next_memory] = outcome
                self.next_memory = (self.next_memory + 1) % MEMORY
                self.last = outcome
                return place
        return SLATE

    def listen(self) -> None:
        """Hear what friends like; nobody moves yet."""
        heard = sum([friend.taste for friend in self.friends[1:]], self.friends[0].taste)
        self.next_taste = (1.0 - SOCIAL_WEIGHT) * self.taste + SOCIAL_WEIGHT / len(self.friends) * heard

    def move(self) -> None:
        """Come to like what was heard."""
        self.taste = self.next_taste


class Society(mesa.Model):  # type: ignore[misc]
    """People, items and the decision model."""

    def __init__(self, people: int, model: str, *, by_row: bool = False, seed: int = 1) -> None:
        super().__init__(rng=seed)
        self.items: Catalogue = catalogue()
        self.decide: Model = MODELS[model](self.items)
        self.by_row, self.tick = by_row, 0
        self.turns: list[tuple[Any, ...]] = []
        drawn = crowd(people)
        told = zip(drawn.tastes, drawn.patience.tolist(), drawn.covariates, strict=True)
        persons = [Person(self, *each) for each in told]
        graph = nx.watts_strogatz_graph(people, FRIENDS, REWIRE, seed=seed)
        for number, person in enumerate(persons):
            person.friends = [persons[friend] for friend in graph[number]]

    def step(self) -> None:
        """Let a tick pass: a session for everybody, then what friends say."""
        active = list(self.agents)
        self.agents.do("begin")
        while active:
            active = [p for p, slate in zip(active, self.slates(active), strict=True) if p.take_turn(slate)]
        self.agents.do("listen")
        self.agents.do("move")
        self.tick += 1

    def slates(self, active: list[Person]) -> Any:
        """Ask the decision model, for all together or for each alone."""
        if self.by_row:
            return (self.decide(person.observe()[None])[0] for person in active)
        return self.decide(np.stack([person.observe() for person in active]))

    def write(self, path: Path) -> None:
        """Write the turns to Parquet."""
        table = {
            name: np.array(each) for name, each in zip(NAMES, zip(*self.turns, strict=True), strict=True)
        }
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.register("source", table)
            connection.execute(f"COPY (SELECT * FROM source) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


LIVED = f"""
    SELECT avg(satisfaction) AS satisfaction, avg(outcome) FILTER (choice < {SLATE}) AS outcome,
        avg(CAST(choice = {SLATE} AS INT)) AS "nothing taken",
        count(*) / count(*) FILTER (turn = 0) AS "turns a session"
    FROM source
"""
"""What it came to, the same for all who run W."""


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e**-x)."""
    return 1.0 / (1.0 + math.exp(-x))


def measure(users: int, ticks: int, model: str, *, by_row: bool) -> dict[str, Any]:
    """Run it all once."""
    began = time.process_time()
    society = Society(users, model, by_row=by_row)
    seated, wall = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turns.parquet"
        for _ in range(ticks):
            society.step()
        society.write(path)
        cpu_s, wall_s = time.process_time() - seated, time.perf_counter() - wall
        row = duckdb.execute(LIVED.replace("FROM source", f"FROM '{path}'")).fetchall()[0]
    lived = dict(zip(("satisfaction", "outcome", "nothing taken", "turns a session"), row, strict=True))
    spent = {"turns": len(society.turns), "cpu_s": cpu_s, "wall_s": wall_s, "setup_cpu_s": seated - began}
    return spent | {"lived": lived}


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run workload W with plain Mesa objects.")
    parser.add_argument("--users", type=int, default=3000)
    parser.add_argument("--ticks", type=int, default=5)
    parser.add_argument("--model", choices=tuple(MODELS), default="linear")
    parser.add_argument("--policy", choices=("batch", "row"), default="batch")
    asked = parser.parse_args()
    by_row = asked.policy == "row"
    print(json.dumps(measure(asked.users, asked.ticks, asked.model, by_row=by_row)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
