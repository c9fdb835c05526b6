"""The nearest that T-RECS has to workload W: content filtering; runs on Python 3.8, on its own.

    python benchmarks/peers/trecs_content.py --users 2000 --ticks 10

Everybody is shown 5 of 1,000 items of 16 attributes in every step and takes one; tastes drift towards
what was taken (by .02), attention falls with the place. The model is not trained again between steps,
which is the quicker way. Nothing is recorded but the number of interactions. With `--model random` items
are shown at random, the cheapest model that there is.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from trecs.components import Users
from trecs.metrics import InteractionMeasurement
from trecs.models import ContentFiltering
from trecs.models.random import RandomRecommender
from workload import ITEMS, SEED, SLATE, TASTE_CHANGE, TASTE_SD, TASTES


def model(people: int, kind: str) -> Any:
    """Make people, items and the recommender."""
    rng = np.random.default_rng(SEED)
    tastes = rng.normal(0.0, TASTE_SD, (people, TASTES))
    items = rng.normal(0.0, TASTE_SD, (TASTES, ITEMS))
    users = Users(
        actual_user_profiles=tastes, num_users=people, drift=TASTE_CHANGE, attention_exp=-0.8, seed=1
    )
    world: dict[str, Any] = {
        "num_users": people,
        "num_items": ITEMS,
        "actual_item_representation": items,
        "actual_user_representation": users,
        "num_items_per_iter": SLATE,
        "seed": 1,
    }
    if kind == "random":
        made: Any = RandomRecommender(**world)
    else:
        made = ContentFiltering(num_attributes=TASTES, item_representation=items, **world)
    made.add_metrics(InteractionMeasurement())
    return made


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run T-RECS content filtering.")
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--ticks", type=int, default=10)
    parser.add_argument("--model", choices=("content", "random"), default="content")
    asked = parser.parse_args()
    made = model(asked.users, asked.model)
    began = time.process_time()
    made.run(timesteps=asked.ticks, train_between_steps=False, disable_tqdm=True)
    spent = time.process_time() - began
    print(json.dumps({"turns": asked.users * asked.ticks, "cpu_s": spent}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
