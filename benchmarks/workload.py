"""Workload W: its numbers, its items and its people, for all who run it.

People with tastes over 1,000 items hold one session a tick with a decision model. A turn: the model
sees 32 numbers and returns a slate of 5; a multinomial logit decides what is taken, if anything; what
was taken turns out well or not, draws tastes towards it and is remembered; satisfaction follows,
patience drains, and some leave. After the session tastes mix with those of friends.

Nothing but numpy is needed here, so that peers with environments of their own can read it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

TASTES, ITEMS, SLATE, MEMORY, FEATURES, COVARIATES = 16, 1000, 5, 8, 32, 4
FRIENDS, REWIRE, MAX_TURNS, LEAST_PATIENCE = 10, 0.1, 10, 5
TASTE_WEIGHT, POSITION_BIAS, NOTHING_WORTH = 2.0, 0.1, 1.0
TASTE_CHANGE, SATISFACTION_RATE, SATISFACTION, NOTHING_TAKEN = 0.02, 0.1, 0.6, 0.3
LEAVE_BASE, LEAVE_SLOPE, SOCIAL_WEIGHT = -3.5, 3.0, 0.1
TASTE_SD, QUALITY_SD = 0.25, 0.3
SEED = 20261123


@dataclass(frozen=True)
class Catalogue:
    """The items, and the weights of the decision models over them."""

    vectors: Any
    """What items are like, (items, tastes), float32."""
    quality: Any
    """What all agree on, (items,), float32."""
    weights: Any
    """From the 32 numbers that a model sees to a point among the items, (features, tastes), float32."""


@dataclass(frozen=True)
class Crowd:
    """What people start with."""

    tastes: Any
    """(n, tastes), float32."""
    patience: Any
    """Turns, (n,), int."""
    covariates: Any
    """What a model may know of them, (n, 4), float32."""


def catalogue(seed: int = SEED) -> Catalogue:
    """Draw the items and the models' weights."""
    rng = np.random.default_rng([seed, 1])
    vectors = rng.normal(0.0, TASTE_SD, (ITEMS, TASTES)).astype(np.float32)
    quality = rng.normal(0.0, QUALITY_SD, ITEMS).astype(np.float32)
    weights = rng.normal(0.0, 0.05, (FEATURES, TASTES)).astype(np.float32)
    weights[:TASTES] += 4.0 * np.eye(TASTES, dtype=np.float32)
    return Catalogue(vectors, quality, weights)


def crowd(people: int, seed: int = SEED) -> Crowd:
    """Draw the people."""
    rng = np.random.default_rng([seed, 2])
    return Crowd(
        tastes=rng.normal(0.0, TASTE_SD, (people, TASTES)).astype(np.float32),
        patience=rng.integers(LEAST_PATIENCE, MAX_TURNS + 1, people),
        covariates=rng.normal(0.0, 1.0, (people, COVARIATES)).astype(np.float32),
    )
