"""The same units under two conditions: what pairing saves, how likely a difference is chance.

    from rehearse.experiments.pairing import pairing

    pairing(a, b).variance_ratio  # how many times as many units it would have taken, not paired

`a` and `b` hold one value a unit (a replica, a person, a draw), in the same order. Units that met the
same luck under both conditions have a difference that varies less: Var(B − A) = Var A + Var B − 2 Cov.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rehearse.experiments.intervals import Floats, Interval, Sample, paired, t_quantile


@dataclass(frozen=True, slots=True)
class Pairing:
    """What the same units say of the difference B − A."""

    n: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    confidence: float
    p: float
    """The chance of a difference so large where there is none."""
    correlation: float
    """Between the units' values under A and B."""
    variance: float
    """Of a unit's difference."""
    variance_unpaired: float
    """Of the difference of two units that have nothing in common: Var A + Var B."""
    variance_ratio: float
    """The second divided by the first; NaN where no unit differs from another."""


def pairing(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Pairing:
    """Return what pairing the values of the same units gives; raises ContractError for other lengths."""
    before, after = (Sample.of_replicas(np.asarray(side, dtype=np.float64)) for side in (a, b))
    found = paired(after, before, confidence)
    return Pairing(
        n=found.n,
        mean_a=before.mean,
        mean_b=after.mean,
        difference=found.estimate,
        low=found.low,
        high=found.high,
        confidence=confidence,
        p=p_value(found),
        correlation=correlation(after, before),
        variance=after.minus(before).variance,
        variance_unpaired=before.variance + after.variance,
        variance_ratio=variance_ratio(after, before),
    )


def variance_ratio(after: Sample, before: Sample) -> float:
    """Return (var A + var B) / var(B − A): what pairing the same units saves; NaN where nothing differs."""
    together = after.minus(before).variance
    return (before.variance + after.variance) / together if together > 0.0 else math.nan


def correlation(after: Sample, before: Sample) -> float:
    """Return the correlation of the units' values, NaN where one side does not vary."""
    both = np.isfinite(after.values) & np.isfinite(before.values)
    x, y = before.values[both], after.values[both]
    if len(x) < 3 or x.std() == 0.0 or y.std() == 0.0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def unpaired(after: Sample, before: Sample, confidence: float) -> Interval:
    """Return the interval of the difference of two means that have nothing in common (Welch 1947)."""
    estimate, parts = after.mean - before.mean, (after.error**2, before.error**2)
    whole, sizes = sum(parts), (after.size, before.size)
    if min(sizes) < 2 or not math.isfinite(whole):
        return Interval(estimate, math.nan, math.nan, confidence, min(sizes), after.unit)
    slack = sum(part**2 / (n - 1) for part, n in zip(parts, sizes, strict=True))
    freedom = whole**2 / slack if slack > 0.0 else min(sizes) - 1
    reach = t_quantile(freedom, confidence) * math.sqrt(whole)
    low, high = estimate - reach, estimate + reach
    return Interval(estimate, low, high, confidence, min(sizes), after.unit, freedom)


def p_value(found: Interval) -> float:
    """Return the two-sided p of a difference of 0, from the interval; NaN where there are no bounds."""
    from scipy.special import stdtr

    if not found.known or found.n < 2:
        return math.nan
    nearer = found.estimate - found.low if found.estimate > 0.0 else found.high - found.estimate
    if nearer <= 0.0:
        return 1.0 if found.estimate == 0.0 else 0.0
    freedom = found.n - 1 if found.freedom is None else found.freedom
    t = abs(found.estimate) * t_quantile(freedom, found.confidence) / nearer
    return float(2.0 * stdtr(freedom, -t))


def holm(ps: Sequence[float]) -> Floats:
    """Return p values corrected for how many there are (Holm 1979): one alarm in `ps` at its level.

    Where the least of them is at most α only with probability α, whichever differences are truly none
    and however they depend on one another. NaN stays NaN and counts for nothing.
    """
    given = np.asarray(ps, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    scaled = given[order] * (len(order) - np.arange(len(order)))
    found = np.full(len(given), math.nan)
    found[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return found
