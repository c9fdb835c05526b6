"""A model in a process of its own against the same model here: what the way there and back takes.

Two models: a function asked a batch at a time that does next to nothing, which shows the whole price of the
way, and scikit-learn's logistic regression, which is as light as models get. Wall-clock time of the seam
for 2,048 people in tiles of 256, best of nine, in turn.

    python benchmarks/piece.py isolation
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

PEOPLE = 2048
TILE = 256


def measure(*, quick: bool = False) -> dict[str, float]:
    """Return the ratio of each model, and microseconds that a call of 256 people takes longer."""
    from rehearse.policies import load
    from rehearse.policies.asked import Asked
    from rehearse.policies.sandbox import walled
    from rehearse.scenario.sandbox import Sandbox

    stage, requests = _asked()
    found: dict[str, float] = {}
    for name, model in _models(requests).items():
        with walled(Sandbox()):
            here = Asked(load(model, stage), stage)
        with walled(Sandbox(isolate=True)):
            there = Asked(load(model, stage), stage)
        took: dict[Asked, list[float]] = {here: [], there: []}
        for _ in range(2 if quick else 9):
            for seam, seconds in took.items():
                began = time.perf_counter()
                seam.decide(requests)
                seconds.append(time.perf_counter() - began)
        near, far = min(took[here]), min(took[there])
        found |= {f"{name}_isolated_over_here": far / near}
        found |= {f"{name}_call_us_longer": (far - near) / (PEOPLE / TILE) * 1e6}
    return found


def _asked() -> tuple[Any, Any]:
    from rehearse.contract import Stage
    from rehearse.testing import made_requests

    features = tuple(f"x{i}" for i in range(16))
    stage = Stage(("no", "yes"), features, ("all",), np.arange(2, dtype=np.int32))
    return stage, made_requests(stage, PEOPLE)


def _models(requests: Any) -> dict[str, Any]:
    def nothing(requests: Any) -> Any:
        return np.zeros(len(requests), dtype=np.int32)

    models: dict[str, Any] = {"nothing": nothing}
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return models
    values = requests.features.astype(np.float64)
    chosen = (values.sum(axis=1) > 0.0).astype(int)
    return models | {"logistic": LogisticRegression().fit(values, chosen)}
