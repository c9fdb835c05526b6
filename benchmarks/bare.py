"""The decision models of workload W on their own: no people, no record. This is the floor.

    python benchmarks/bare.py --model linear --rows 102400

`linear` scores all items, (obs @ weights) @ items, and takes the exact best five in order, in blocks of
512 rows whose scores stay in the cache: five passes of argmax beat a partition. `cheap` is a logistic
scorer on eight features that chooses one of two slates.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from workload import FEATURES, ITEMS, SEED, SLATE, Catalogue, catalogue

BLOCK = 512
SLATES = ((1, 2, 3, 4, 5), (11, 12, 13, 14, 15))
"""What `cheap` chooses between."""
SEEN = 8
"""How many features `cheap` looks at."""

Model = Callable[[Any], Any]
"""From what is seen of n people (n, 32) to slates (n, 5)."""


def linear(items: Catalogue) -> Model:
    """Return the linear model: exact top five of (obs @ weights) @ items."""
    columns = np.ascontiguousarray(items.vectors.T)
    scores = np.empty((BLOCK, ITEMS), dtype=np.float32)
    every = np.arange(BLOCK)

    def decide(seen: Any) -> Any:
        towards = seen @ items.weights
        slates = np.empty((len(seen), SLATE), dtype=np.int64)
        for start in range(0, len(seen), BLOCK):
            some = towards[start : start + BLOCK]
            block = np.matmul(some, columns, out=scores[: len(some)])
            rows = every[: len(some)]
            for place in range(SLATE):
                best = block.argmax(axis=1)
                slates[start : start + BLOCK, place] = best
                block[rows, best] = -np.inf
        return slates

    return decide


def cheap(items: Catalogue) -> Model:
    """Return the cheap model: a logistic scorer on eight features."""
    weights, slates = items.weights[:SEEN, 0].copy(), np.array(SLATES)

    def decide(seen: Any) -> Any:
        likely = np.float32(1.0) / (np.float32(1.0) + np.exp(-(seen[:, :SEEN] @ weights)))
        return slates.take((likely > 0.5).astype(np.intp), axis=0)

    return decide


MODELS: dict[str, Callable[[Catalogue], Model]] = {"linear": linear, "cheap": cheap}


def observations(rows: int) -> Any:
    """Return what a model might see of people: numbers of the size that a run has."""
    rng = np.random.default_rng([SEED, 3])
    seen = rng.normal(0.0, 0.1, (rows, FEATURES)).astype(np.float32)
    seen[:, 16:24] = rng.random((rows, 8), dtype=np.float32)
    return seen


def measure(model: str, seen: Any, repeats: int = 3) -> dict[str, float]:
    """Return nanoseconds of CPU a row, the best of some passes over the same observations."""
    decide = MODELS[model](catalogue())
    passes = 1 if model == "linear" else 20
    decide(seen[:BLOCK])
    spent = [_pass(decide, seen, passes) for _ in range(repeats)]
    return {"ns": min(spent) / len(seen) / passes * 1e9, "rows": float(len(seen))}


def _pass(decide: Model, seen: Any, passes: int) -> float:
    began = time.process_time()
    for _ in range(passes):
        decide(seen)
    return time.process_time() - began


def main() -> int:
    """Measure one model and print what came of it as a line of JSON."""
    parser = argparse.ArgumentParser(description="Time a decision model of workload W on its own.")
    parser.add_argument("--model", choices=tuple(MODELS), default="linear")
    parser.add_argument("--rows", type=int, default=102_400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seen", type=Path, default=None, help="an .npy of what a run's model saw")
    asked = parser.parse_args()
    there = asked.seen is not None and asked.seen.is_file()
    seen = np.load(asked.seen)[: asked.rows] if there else observations(asked.rows)
    print(json.dumps(measure(asked.model, seen, asked.repeats)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
