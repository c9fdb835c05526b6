"""Looks planned beforehand: what peeking does, and the limits that make up for it.

At K looks, equally spaced, the sums of what came in are S_k = X_1 + … + X_k with z_k = S_k / √k normal
where nothing differs. The chance that some |z_k| passes its limit follows by carrying the density of S_k
from look to look over those that passed none (Armitage, McPherson and Rowe, "Repeated significance tests
on accumulating data", 1969). Limits that hold it at α: the same z at every look (Pocock 1977), or
z √(K / k), strict at first (O'Brien and Fleming 1979). Where the number of looks is not planned, use the
confidence sequences of `rehearse.experiments.sequences`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rehearse.errors import UserError
from rehearse.experiments.intervals import Floats, z_quantile

NODES, CLOSER = 32, 6
"""Points at which the density is carried on: so many, and so many more a standard deviation to go."""
MOST_LOOKS = 200
LARGEST = 8.0
"""A limit of z beyond which nothing ever lies."""


def peeking_error(looks: int, alpha: float = 0.05) -> float:
    """Return the chance of a false alarm for who tests at level `alpha` at each of so many looks."""
    return crossing(np.full(_looks(looks), z_quantile(1.0 - alpha)))


def pocock(looks: int, alpha: float = 0.05) -> float:
    """Return the z that holds the false alarms of so many looks at `alpha`: the same at every look."""
    shape = np.ones(_looks(looks))
    return _limit(lambda z: crossing(z * shape) - alpha)


def obrien_fleming(looks: int, alpha: float = 0.05) -> float:
    """Return the z of the last look; that of look k is √(looks / k) times as large."""
    shape = np.sqrt(looks / np.arange(1, _looks(looks) + 1))
    return _limit(lambda z: crossing(z * shape) - alpha)


def crossing(limits: Floats) -> float:
    """Return the chance that |z| passes its limit at one of equally spaced looks, where nothing differs."""
    widest = float(np.max(limits * np.sqrt(np.arange(1, len(limits) + 1))))
    nodes, weights = np.polynomial.legendre.leggauss(NODES + int(CLOSER * widest))
    sums, mass = np.zeros(1), np.ones(1)
    for look, limit in enumerate(limits.tolist(), start=1):
        reach = limit * math.sqrt(look)
        here = reach * nodes
        density = np.exp(-0.5 * (here[:, None] - sums[None, :]) ** 2) @ mass / math.sqrt(2.0 * math.pi)
        sums, mass = here, reach * weights * density
    return float(1.0 - mass.sum())


def _limit(excess: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    return float(brentq(excess, 0.1, LARGEST, xtol=1e-8))


def _looks(looks: int) -> int:
    if not 1 <= looks <= MOST_LOOKS:
        problem = f"{looks} looks: the error is worked out for 1 to {MOST_LOOKS}."
        raise UserError(problem, "For more looks, or not planned ones, use a confidence sequence.")
    return looks
