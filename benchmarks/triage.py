"""Throughput of the queue of `triage-v1` beside the same queue as plain Mesa objects and a heap of events.

    python benchmarks/triage.py --cases 100000

Both see the same law of cases (three workers, exponential services, three classes by what is seen of their
urgency) and give each case the class of its band. CPU seconds are the best of three; compiling is not timed.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import mesa

from rehearse.experiments.build import assemble
from rehearse.scenario.model import Scenario

RATE, WORKERS, TICKS = 2.4, 3, 20
CUTS = (0.5, 1.5)


class Case(mesa.Agent):
    """A case as an object."""

    def __init__(self, model: Queue, arrival: float) -> None:
        super().__init__(model)
        self.arrival = arrival
        self.urgency = model.luck.randrange(3)
        self.seen = self.urgency + model.luck.gauss(0.0, 0.5)
        self.service = model.luck.expovariate(1.0)
        self.wait = -1.0

    def rank(self) -> int:
        """Return the class that its band has."""
        return sum(self.seen >= cut for cut in CUTS)


class Queue(mesa.Model):
    """Cases, workers and a heap of what happens next."""

    def __init__(self, cases: int, seed: int = 1) -> None:
        super().__init__(rng=seed)
        self.luck, self.free, self.number = random.Random(seed), WORKERS, 0
        self.line: list[Any] = []
        self.events: list[Any] = []
        clock = 0.0
        for _ in range(cases):
            clock += self.luck.expovariate(RATE)
            self.plan(clock, Case(self, clock))
        self.span = clock / TICKS + 1.0

    def plan(self, moment: float, case: Case | None) -> None:
        """Let something happen at a moment: a case comes, or (None) a service ends."""
        self.number += 1
        heappush(self.events, (moment, self.number, case))

    def step(self) -> None:
        """Let a tick pass, event by event."""
        until = self.span * (self.steps + 1)
        while self.events and self.events[0][0] < until:
            now, _, case = heappop(self.events)
            if case is None:
                self.free += 1
            else:
                heappush(self.line, (case.rank(), case.arrival, self.number, case))
            while self.free and self.line:
                taken = heappop(self.line)[3]
                taken.wait = now - taken.arrival
                self.free -= 1
                self.plan(now + taken.service, None)


def scenario(cases: int) -> Scenario:
    """Return the same queue as a scenario."""
    return Scenario.model_validate(
        {
            "name": "throughput",
            "world": {
                "name": "triage-v1",
                "settings": {
                    "classes": ["urgent", "soon", "late"],
                    "workers": WORKERS,
                    "span": cases / RATE / TICKS + 1.0,
                    "arrivals": {"rate": RATE},
                    "error": 0.5,
                },
            },
            "people": {
                "model": "cases-v1",
                "count": cases,
                "traits": {
                    "urgency": {"discrete": {"values": [0, 1, 2]}},
                    "service": {"exponential": {"mean": 1.0}},
                },
            },
            "policy": {"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": list(CUTS)}},
            "time": {"ticks": TICKS, "max_turns": 1},
            "replicas": 1,
            "assumptions": ["A benchmark."],
            "limitations": ["It is one."],
        }
    )


def in_columns(cases: int, *, recorded: bool) -> tuple[float, float, int]:
    """Live through the queue in columns; return CPU seconds of drawing and of living, and the turns."""
    begun = time.process_time()
    simulation = (assembly := assemble(scenario(cases))).simulation
    if recorded:
        simulation.watchers.append(assembly.new_recorder())
    drawn = time.process_time()
    for _ in range(TICKS):
        simulation.advance()
    lived = time.process_time() - drawn
    return drawn - begun, lived, int(simulation.users.columns["sessions"].sum())


def in_objects(cases: int) -> tuple[float, float, int]:
    """Live through the queue in objects; return CPU seconds of drawing and of living, and the cases."""
    begun = time.process_time()
    model = Queue(cases)
    drawn = time.process_time()
    for _ in range(TICKS):
        model.step()
    return drawn - begun, time.process_time() - drawn, cases


def main() -> None:
    """Print user-turns per CPU second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    cases = parser.parse_args().cases
    rows: dict[str, Callable[[], tuple[float, float, int]]] = {
        "triage-v1": lambda: in_columns(cases, recorded=False),
        "triage-v1, every turn digested": lambda: in_columns(cases, recorded=True),
        "Mesa objects and a heap": lambda: in_objects(cases),
    }
    in_columns(1000, recorded=True)  # compiles
    for name, work in rows.items():
        drawn, lived, turns = min((work() for _ in range(3)), key=lambda found: found[0] + found[1])
        rates = turns / lived, turns / (drawn + lived)
        print(f"{name:32}{rates[0]:12,.0f} turns a CPU second, {rates[1]:12,.0f} with drawing")


if __name__ == "__main__":
    main()
