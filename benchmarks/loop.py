"""How fast the feedback loop runs: T-RECS's setting with a model, everything else in the scenario.

    python benchmarks/loop.py --users 100000 --policy popular-v1

People are shown 5 of 1,000 items of 16 attributes and take the largest utility · rank^-.8; tastes turn by
2 % of the angle towards what was taken, and the model is trained again after every tick: what
`peers/trecs_content.py` does with T-RECS, which there is not trained between steps. Every turn is digested,
none is written. The first tick, in which true ideals are found, is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from rehearse.experiments.api import load
from rehearse.experiments.build import assemble

ITEMS, TASTES, SLATE = 1000, 16, 5
SETTINGS = {
    "world.settings": {
        "items": {"count": ITEMS},
        "attributes": {"vector": {"normal": {"sd": 0.25}, "dims": TASTES}},
        "catalogue": ["vector"],
    },
    "people.tastes": {"each": {"normal": {"sd": 0.5}}},
    "people.behaviour": {"visit_trust": 0.0, "quits": False},
    "people.memory.on": False,
    "people.laws": {
        "choice": {"attention": {"exponent": -0.8}},
        "tastes": {"slerp": {"of": "vector", "part": 0.02}},
    },
    "people.goals": [{"name": "use", "rate": 1.0, "at_start": 1.0, "strength": 0.0}],
    "people.churn": None,
    "people.society": {"graph": {"kind": "watts_strogatz", "degree": 10}},
    "slate": SLATE,
    "criteria": [],
    "latency": [],
}


def main() -> int:
    """Run once and print what a tick took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run the feedback loop.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=4)
    parser.add_argument("--policy", default="popular-v1")
    asked = parser.parse_args()
    own = {
        "policy": {"name": asked.policy, "settings": {}},
        "time": {"ticks": asked.ticks, "max_turns": 1},
    }
    assembly = assemble(load("feed", users=asked.users, replicas=1, settings=SETTINGS | own))
    assembly.simulation.watchers.append(assembly.new_recorder())
    assembly.simulation.advance()
    began = time.process_time()
    for _ in range(asked.ticks - 1):
        assembly.simulation.advance()
    spent = time.process_time() - began
    turns = asked.users * (asked.ticks - 1)
    print(
        json.dumps({"policy": asked.policy, "turns": turns, "cpu_s": spent, "turns_a_cpu_s": turns / spent})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
