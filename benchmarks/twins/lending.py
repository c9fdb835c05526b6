"""Lending with a fixed cut, as plain Mesa objects: ml-fairness-gym's loop with the scores of Liu and others.

Applicants with a score ask for a loan every tick; a cut decides; a loan is repaid with a chance that
follows from the score, and moves it.
"""

from __future__ import annotations

from typing import Any

import mesa
import numpy as np
from twins.plain import Twin

CUT, LOW, HIGH = 600.0, 300.0, 850.0
SCORES, CHANCES = (300, 400, 500, 600, 700, 850), (0.02, 0.1, 0.4, 0.75, 0.93, 0.99)
MEAN, SD, UP, DOWN = 600.0, 100.0, 75.0, -150.0
GAIN, LOSS = 0.3, 1.0


def scenario(users: int, ticks: int) -> dict[str, Any]:
    """Return the same loop as a scenario."""
    curve = {"scores": SCORES, "chances": CHANCES, "between": "linear"}
    change = {"repaid": UP, "default": DOWN, "low": LOW, "high": HIGH}
    terms = {"grant": {"amount": 1.0, "rate": GAIN, "gain": GAIN, "loss": LOSS}}
    return {
        "world": {
            "name": "lending-v1",
            "settings": {"repayment": {"curve": curve}, "change": change, "terms": terms},
        },
        "people": {
            "count": users,
            "traits": {"score": {"normal": {"mean": MEAN, "sd": SD}, "low": LOW, "high": HIGH}},
            "tastes": {"each": 0.0},
            "visible": ["score"],
            "behaviour": {"choice": "always", "visit_trust": 0.0, "visit_rate": 1.0},
            "memory": {"on": False},
            "goals": [{"name": "borrow", "rate": 1.0, "at_start": 1.0, "deadline": 1}],
        },
        "policy": {"name": "threshold-v1", "settings": {"at": CUT}},
        "time": {"ticks": ticks, "max_turns": 1},
    }


def decide(seen: dict[str, float]) -> tuple[int, float, float]:
    """Say yes from the cut on: action, score and propensity."""
    return int(seen["score"] >= CUT), seen["score"], 1.0


class Applicant(mesa.Agent):  # type: ignore[misc]
    """Somebody with a score, a wish, patience and satisfaction."""

    model: Bank

    def __init__(self, model: Bank) -> None:
        super().__init__(model)
        self.score = min(max(model.random.gauss(MEAN, SD), LOW), HIGH)
        self.patience, self.satisfaction, self.session = 5.0, 0.5, -1

    def step(self) -> None:
        """Ask for a loan, and repay it or not."""
        bank, uniform = self.model, self.model.random.random
        self.session += 1
        before = self.patience, self.satisfaction
        action, told, propensity = decide({"score": self.score, "turn": 0.0, "refusals": 0.0})
        granted = action == 1
        chance = float(np.interp(self.score, SCORES, CHANCES))
        would = uniform() < chance
        reward = (GAIN if would else -LOSS) if granted else 0.0
        changed = min(max(self.score + (UP if would else DOWN), LOW), HIGH) if granted else self.score
        self.patience = self.patience if granted else max(0.0, self.patience - 0.5)
        self.satisfaction += 0.3 * ((0.5 if granted else 0.3) - self.satisfaction)
        end = 1 if granted else 3
        if not granted and uniform() < (1.0 - self.patience / 5.0) ** 2:
            end = 2
        regret = (GAIN if would else 0.0) - reward
        bank.note(reward, regret)
        if bank.keeps:
            label = int(would) if granted else -1
            who = self.unique_id, bank.tick, self.session, 0, 0.0, 0, action, told, propensity
            after = granted - 1, self.satisfaction, self.patience, float(granted), reward
            judged = GAIN * (granted and would), float(granted and not would), label, int(would), regret
            rest = int(regret <= 0.0), end, int(would), int(granted), chance, changed - self.score
            bank.rows.append((*who, *before, *after, *judged, *rest))
        self.score = changed
        self.patience += 0.5 * (5.0 - self.patience)


class Bank(Twin):
    """Applicants, and a cut."""

    names = (
        *("user", "tick", "session", "turn", "sim_time", "intent", "action", "score", "propensity"),
        *("patience_before", "satisfaction_before"),
        *("choice", "satisfaction", "patience", "progress", "reward"),
        *("cost", "harm", "label", "ideal", "regret"),
        *("right", "end", "qualified", "selected", "chance", "score_change"),
    )

    def __init__(self, users: int, ticks: int = 1, *, keeps: bool) -> None:
        del ticks  # people live on as long as they are let
        super().__init__(keeps=keeps)
        for _ in range(users):
            Applicant(self)
