"""Gamma and beta draws with addresses of their own, for pairs of a person and an item.

A gamma variable of shape a ≥ 1 is drawn by rejection (Marsaglia and Tsang, "A simple method for generating
gamma variables", ACM TOMS 26, 2000): with d = a − 1/3, c = 1 / √(9d), x normal and v = (1 + c x)³, d · v is
taken if v > 0 and ln u < x²/2 + d (1 − v + ln v). Below 1, one of shape a + 1 times u^(1/a) has shape a.
Try number t of a pair has draws of its own, so a pair's value depends on nothing but its address.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Rows
from rehearse.contract import Ints
from rehearse.exact import Floats, exp, log, normal_from_uniform

TRIES = 64
"""Each is taken with more than nineteen in twenty."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of a person and an item, and the luck that they draw from."""

    chance: Chance
    replica: Ints
    user: Rows
    item: Rows

    def uniform(self, purpose: str, some: Rows | slice = slice(None), attempt: int = 0) -> Floats:
        """Return a uniform number for each of some pairs."""
        replica, user, item = (a[some] for a in (self.replica, self.user, self.item))
        return self.chance.between(purpose, replica, user, item, tick=attempt)


def beta(pairs: Pairs, purpose: str, a: Floats, b: Floats) -> Floats:
    """Return a beta variable for each pair, with shapes above 0; the mean where both round to nothing."""
    one, other = gamma(pairs, f"{purpose}/a", a), gamma(pairs, f"{purpose}/b", b)
    whole = one + other
    return np.where(whole > 0.0, one / np.where(whole > 0.0, whole, 1.0), a / (a + b))


def gamma(pairs: Pairs, purpose: str, shape: Floats) -> Floats:
    """Return a gamma variable of scale 1 for each pair, with shapes above 0."""
    small = shape < 1.0
    d = np.where(small, shape + 1.0, shape) - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    found = d.copy()
    left = np.arange(len(shape))
    for attempt in range(TRIES):
        if not len(left):
            break
        x = normal_from_uniform(pairs.uniform(f"{purpose}/x", left, attempt))
        u = pairs.uniform(f"{purpose}/u", left, attempt)
        root = 1.0 + c[left] * x
        v = np.maximum(root, 1e-300) * root * root
        fits = (root > 0.0) & (log(u) < 0.5 * x * x + d[left] * (1.0 - v + log(np.maximum(v, 1e-300))))
        found[left[fits]] = (d[left] * v)[fits]
        left = left[~fits]
    lower = np.flatnonzero(small)
    if len(lower):
        found[lower] *= exp(log(pairs.uniform(f"{purpose}/less", lower)) / shape[lower])
    return found
