"""The two decision models of workload W, as a team would hand theirs over: files with classes.

    rehearse run workload --policy benchmarks/w_models.py:Linear

They are foreign to the engine: it gives them tiles of one shape and checks each answer, as any model's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import bare
from workload import TASTES, Catalogue, catalogue

from rehearse.chance import Chance
from rehearse.contract import Decisions, Requests, Stage
from rehearse.environments.workload import Settings, Workload


def items_of(seed: int) -> Catalogue:
    """Return the items of a run with this seed, and the models' weights over them."""
    items = Workload(Settings(), Chance(seed)).table_of_items
    vectors = np.ascontiguousarray(items[:, :TASTES], dtype=np.float32)
    return Catalogue(vectors, items[:, TASTES].astype(np.float32), catalogue().weights)


class Linear:
    """Scores all items by what it sees, and shows the best five."""

    model = "linear"

    def __init__(self, stage: Stage) -> None:
        self._slates = bare.MODELS[self.model](items_of(stage.seed))

    def decide(self, requests: Requests) -> Decisions:
        """Answer a batch."""
        return Decisions.of(self._slates(requests.features))


class Cheap(Linear):
    """Shows one of two slates by a logistic score of eight numbers."""

    model = "cheap"
