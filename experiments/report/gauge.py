"""A criterion as a small drawing: the interval of its metric against the threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearse.experiments.metrics import Metric
from rehearse.experiments.sentences import amount

MARGIN = 0.35
"""How much wider than what it shows the drawing is, on either side."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """Positions along the drawing in percent of its width."""

    low: float
    high: float
    at: float
    threshold: float
    good_from: float
    good_to: float
    ends: tuple[str, str]
    """What the left and the right edge of the drawing stand for."""
    threshold_said: str
    known: bool
    """False where there is an estimate and no interval."""


def gauge(criterion: Mapping[str, Any], metric: Metric) -> Gauge | None:
    """Place a criterion's interval and threshold, or return None where there is no estimate."""
    threshold, estimate = float(criterion["threshold"]), criterion["estimate"]
    if estimate is None:
        return None
    known = criterion["low"] is not None and criterion["high"] is not None
    low, high = (criterion["low"], criterion["high"]) if known else (estimate, estimate)
    left, right = edges(min(low, threshold), max(high, threshold), bounded=metric.bounded)

    def place(value: float) -> float:
        return round(100.0 * (value - left) / (right - left), 2)

    at_least = criterion["direction"] == "at_least"
    return Gauge(
        low=place(low),
        high=place(high),
        at=place(estimate),
        threshold=place(threshold),
        good_from=place(threshold) if at_least else 0.0,
        good_to=100.0 if at_least else place(threshold),
        ends=(amount(left, metric.scale), amount(right, metric.scale)),
        threshold_said=f"{'at least' if at_least else 'at most'} {amount(threshold, metric.scale)}",
        known=known,
    )


def edges(low: float, high: float, *, bounded: bool) -> tuple[float, float]:
    """Return round numbers a little beyond low and high; within 0 and 1 where the metric is bounded."""
    reach = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-6)
    step = 10.0 ** math.floor(math.log10(reach))
    left = math.floor((low - MARGIN * reach) / step) * step
    right = math.ceil((high + MARGIN * reach) / step) * step
    if low >= 0.0:
        left = max(0.0, left)
    return left, min(1.0, right) if bounded else right
