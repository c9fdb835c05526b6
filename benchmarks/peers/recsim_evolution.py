"""The nearest that RecSim has to workload W: interest evolution; runs on Python 3.7, on its own.

    python benchmarks/peers/recsim_evolution.py --users 1000 --ticks 10

Many users at once (RecSim's quicker way), each shown 5 of the same 1,000 candidates, which are not drawn
again between steps. The model scores all candidates by the interests that RecSim shows it and takes the
best five, for everybody together; `--model fixed` shows everybody the same five. Nothing is recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from recsim.choice_model import MultinomialLogitChoiceModel
from recsim.environments import interest_evolution
from recsim.simulator import environment
from workload import ITEMS, SLATE


def society(people: int, candidates: int, slate: int) -> Any:
    """Make the people, the candidates and what joins them."""
    users = [
        interest_evolution.IEvUserModel(slate, choice_model_ctor=MultinomialLogitChoiceModel, seed=number)
        for number in range(people)
    ]
    videos = interest_evolution.UtilityModelVideoSampler(seed=1)
    return environment.MultiUserEnvironment(users, videos, candidates, slate, resample_documents=False)


def best(interests: Any, candidates: Any) -> Any:
    """Return the exact best five candidates of everybody, best first."""
    scores = np.stack(interests) @ candidates
    every, slates = np.arange(len(scores)), np.empty((len(scores), SLATE), dtype=np.int64)
    for place in range(SLATE):
        slates[:, place] = scores.argmax(axis=1)
        scores[every, slates[:, place]] = -np.inf
    return slates


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run RecSim's interest evolution with many users.")
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--ticks", type=int, default=10)
    parser.add_argument("--model", choices=("best", "fixed"), default="best")
    parser.add_argument("--candidates", type=int, default=ITEMS)
    parser.add_argument("--slate", type=int, default=SLATE)
    asked = parser.parse_args()
    made = society(asked.users, asked.candidates, asked.slate)
    interests, documents = made.reset()
    candidates = np.stack(list(documents.values())).T
    fixed = np.tile(np.arange(asked.slate), (asked.users, 1))
    began, turns = time.process_time(), 0
    for _ in range(asked.ticks):
        turns += sum(not user.is_terminal() for user in made.user_model)
        slates = best(interests, candidates) if asked.model == "best" else fixed
        interests, _, _, done = made.step(slates.tolist())
        if done:
            break
    print(json.dumps({"turns": turns, "cpu_s": time.process_time() - began}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
