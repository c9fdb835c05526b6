"""A queue of cases as plain Mesa objects and a heap of events: three workers, three classes."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import mesa
from twins.plain import Twin

RATE, WORKERS, ERROR = 2.4, 3, 0.5
CUTS = (0.5, 1.5)
COMFORT, UNDER, OVER = 1.0, 1.0, 1.0


def scenario(users: int, ticks: int) -> dict[str, Any]:
    """Return the same queue as a scenario."""
    return {
        "world": {
            "name": "triage-v1",
            "settings": {
                "classes": ["urgent", "soon", "late"],
                "workers": WORKERS,
                "span": users / RATE / ticks + 1.0,
                "arrivals": {"rate": RATE},
                "error": ERROR,
                "loss": {"under": UNDER, "over": OVER},
            },
        },
        "people": {
            "model": "cases-v1",
            "count": users,
            "traits": {
                "urgency": {"discrete": {"values": [0, 1, 2]}},
                "service": {"exponential": {"mean": 1.0}},
            },
        },
        "policy": {"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": list(CUTS)}},
        "time": {"ticks": ticks, "max_turns": 1},
    }


class Case(mesa.Agent):  # type: ignore[misc]
    """Somebody who waits."""

    model: Queue

    def __init__(self, model: Queue, arrival: float) -> None:
        super().__init__(model)
        luck = model.random
        self.arrival = arrival
        self.urgency = luck.randrange(3)
        self.seen = self.urgency + luck.gauss(0.0, ERROR)
        self.service = luck.expovariate(1.0)
        self.wait, self.server = -1.0, -1
        self.satisfaction, self.session = 0.5, -1

    def rank(self) -> int:
        """Return the class that its band has."""
        return sum(self.seen >= cut for cut in CUTS)


class Queue(Twin):
    """Cases, workers, and a heap of what happens next."""

    names = (
        *("user", "tick", "session", "sim_time", "action", "score", "choice", "satisfaction_before"),
        *("satisfaction", "reward", "label", "ideal", "regret", "right", "end"),
        *("status", "wait", "server", "arrival", "service", "served", "urgency"),
    )

    def __init__(self, users: int, ticks: int, *, keeps: bool) -> None:
        super().__init__(keeps=keeps)
        self.number = 0
        self.workers = list(range(WORKERS))
        self.line: list[Any] = []
        self.events: list[Any] = []
        self.span, clock = users / RATE / ticks + 1.0, 0.0
        for _ in range(users):
            clock += self.random.expovariate(RATE)
            case = Case(self, clock)
            self.plan(clock, case, -1)
        self.began: list[Case] = []
        self.asked: dict[int, Case] = {}

    def plan(self, moment: float, case: Case | None, worker: int) -> None:
        """Let something happen at a moment: a case comes, or (None) a worker has done."""
        self.number += 1
        heappush(self.events, (moment, self.number, worker, case))

    def step(self) -> None:
        """Let a tick pass event by event, then say what became of whoever was there."""
        until = self.span * (self.tick + 1)
        there = [entry[-1] for entry in self.line]  # asked about again
        while self.events and self.events[0][0] < until:
            now, _, worker, case = heappop(self.events)
            if case is None:
                self.workers.append(worker)
            else:
                there.append(case)
                heappush(self.line, (case.rank(), case.arrival, self.number, case))
            while self.workers and self.line:
                taken = heappop(self.line)[-1]
                taken.wait, taken.server = now - taken.arrival, self.workers.pop()
                self.plan(now + taken.service, None, taken.server)
        for case in there:
            self.settle(case)
        self.tick += 1

    def settle(self, case: Case) -> None:
        """Judge a turn: the class given, and whether the case was served."""
        case.session += 1
        action = case.rank()
        apart = action - case.urgency
        regret = UNDER * apart if apart > 0 else -OVER * apart
        served, before = case.wait >= 0.0, case.satisfaction
        if served:
            comfort = COMFORT / (COMFORT + case.wait)
            case.satisfaction += 0.3 * (comfort - case.satisfaction)
        reward = float(served)
        self.note(reward, regret)
        if self.keeps:
            begun = max(case.arrival - self.span * self.tick, 0.0)
            who = case.unique_id, self.tick, case.session, begun, action, case.seen, action if served else -1
            label = int(case.urgency == 0) if served else -1
            judged = before, case.satisfaction, reward, label, case.urgency, regret, int(apart == 0)
            rest = int(served), 2 if served else 0, case.wait, case.server, case.arrival, case.service
            self.rows.append((*who, *judged, *rest, float(served), case.urgency))
