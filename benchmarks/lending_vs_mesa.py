"""How fast lending runs beside the same loop written as plain Mesa objects.

    python benchmarks/lending_vs_mesa.py                100,000 applicants, 5 ticks
    python benchmarks/lending_vs_mesa.py --users 10000

Applicants with a score ask for a loan every tick; a cut decides; a loan is repaid with a chance that
follows from the score, and moves it (ml-fairness-gym's lending and Liu's delayed impact have this loop).
User-turns per CPU second, people made beforehand. Both must come to the same mean score, or the exit
code is 1: else they would not be twins.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

CUT, LOW, HIGH = 600.0, 300.0, 850.0
SCORES, CHANCES = (300, 400, 500, 600, 700, 850), (0.02, 0.1, 0.4, 0.75, 0.93, 0.99)
MEAN, SD, UP, DOWN = 600.0, 100.0, 75.0, -150.0


def ours(users: int, ticks: int) -> tuple[float, float]:
    """Return user-turns per CPU second in the engine, and the mean score at the end."""
    import rehearse
    from rehearse.scenario.model import Scenario

    curve = {"scores": SCORES, "chances": CHANCES, "between": "linear"}
    change = {"repaid": UP, "default": DOWN, "low": LOW, "high": HIGH}
    written: dict[str, Any] = {
        "name": "lending-bench",
        "world": {"name": "lending-v1", "settings": {"repayment": {"curve": curve}, "change": change}},
        "people": {
            "count": users,
            "traits": {"score": {"normal": {"mean": MEAN, "sd": SD}, "low": LOW, "high": HIGH}},
            "tastes": {"each": 0.0},
            "visible": ["score"],
            "behaviour": {"choice": "always", "visit_trust": 0.0},
            "memory": {"on": False},
            "goals": [{"name": "borrow", "rate": 1.0, "at_start": 1.0, "deadline": 1}],
        },
        "policy": {"name": "threshold-v1", "settings": {"at": CUT}},
        "time": {"ticks": ticks, "max_turns": 1},
        "replicas": 1,
        "assumptions": ["A benchmark."],
        "limitations": ["A benchmark."],
    }
    model = rehearse.model(Scenario.model_validate(written))
    began = time.process_time()
    while model.running:
        model.step()
    return users * ticks / (time.process_time() - began), float(model.people["score"].mean())


def objects(users: int, ticks: int) -> tuple[float, float]:
    """Return the same of plain Mesa objects: each lives through the five steps, a turn is a dict."""
    import mesa

    def decide(seen: dict[str, float]) -> dict[str, float]:
        """Say yes from the cut on."""
        return {"action": int(seen["score"] >= CUT), "score": seen["score"], "propensity": 1.0}

    class Applicant(mesa.Agent):
        """Somebody with a score, a wish, patience and satisfaction."""

        def __init__(self, model: mesa.Model) -> None:
            super().__init__(model)
            self.score = min(max(model.rng.normal(MEAN, SD), LOW), HIGH)
            self.patience, self.satisfaction, self.session, self.goals_met = 5.0, 0.5, 0, 0

        def step(self) -> None:
            """Ask for a loan, and repay it or not."""
            rng = self.model.rng
            self.session += 1
            before = {"patience_before": self.patience, "satisfaction_before": self.satisfaction}
            answer = decide({"score": self.score, "turn": 0.0, "refusals": 0.0})
            granted = answer["action"] == 1
            would = rng.random() < float(np.interp(self.score, SCORES, CHANCES))
            reward = (0.3 if would else -1.0) if granted else 0.0
            changed = min(max(self.score + (UP if would else DOWN), LOW), HIGH) if granted else self.score
            impression = 0.5 if granted else 0.3
            self.patience = self.patience if granted else max(0.0, self.patience - 0.5)
            self.satisfaction += 0.3 * (impression - self.satisfaction)
            end = "goal_met" if granted else "turn_cap"
            if not granted and rng.random() < (1.0 - self.patience / 5.0) ** 2:
                end = "abandoned"
            self.goals_met += granted
            turn = {"user": self.unique_id, "session": self.session, "reward": reward, "end": end}
            turn |= before | answer | {"label": int(would) if granted else -1, "qualified": int(would)}
            turn |= {"ideal": int(would), "regret": max(0.3 if would else 0.0, 0.0) - reward}
            turn |= {"score_change": changed - self.score, "harm": float(granted and not would)}
            turn |= {"patience": self.patience, "satisfaction": self.satisfaction}
            self.score = changed
            self.patience += 0.5 * (5.0 - self.patience)
            self.model.turns.append(turn)

    model = mesa.Model(rng=1)
    model.turns = []
    Applicant.create_agents(model, users)
    began = time.process_time()
    for _ in range(ticks):
        model.agents.do("step")
    spent = time.process_time() - began
    return users * ticks / spent, float(np.mean([agent.score for agent in model.agents]))


def main() -> int:
    """Measure both and say how they compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=5)
    asked = parser.parse_args()
    ours(1000, 1)  # loads what is loaded once
    fast, score = ours(asked.users, asked.ticks)
    slow, same = objects(min(asked.users, 20_000), asked.ticks)
    print(f"rehearse {fast:,.0f} user-turns a CPU second, plain Mesa {slow:,.0f}: {fast / slow:.0f} times")
    print(f"mean score at the end {score:.1f} and {same:.1f}")
    return 0 if abs(score - same) < 4.0 else 1


if __name__ == "__main__":
    sys.exit(main())
