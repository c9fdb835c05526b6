"""The conditional logit: what choices say about tastes.

With attributes x_pi of option i for person p and tastes β,

    P(p takes i) = exp(β·x_pi) / Σ_j exp(β·x_pj),   log-likelihood = Σ_p ln P(p takes what p took)

(McFadden, "Conditional logit analysis of qualitative choice behavior", 1974), which is concave in β, so
that Newton's method finds its only maximum. An option that a person cannot have has probability 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.contract import Flags
from rehearse.errors import DataError
from rehearse.exact import Floats

STEPS = 50
CLOSE = 1e-10


@dataclass(frozen=True, slots=True)
class Fit:
    """Tastes estimated by maximum likelihood."""

    names: tuple[str, ...]
    estimates: Floats
    errors: Floats
    """Standard errors, from the inverse of the information matrix."""
    log_likelihood: float


def fit(
    faced: Floats, chosen: NDArray[np.intp], names: tuple[str, ...], available: Flags | None = None
) -> Fit:
    """Estimate tastes over d named attributes from what n people faced, (n, m, d), and chose, (n,).

    Raises DataError where the choices do not identify the tastes.
    """
    taken = np.take_along_axis(faced, chosen[:, None, None], axis=1)[:, 0]
    tastes = np.zeros(len(names))
    for _ in range(STEPS):
        likely = chances(faced, tastes, available)
        mean = np.einsum("nm,nmd->nd", likely, faced)
        gradient = (taken - mean).sum(axis=0)
        spread = faced - mean[:, None]
        information = np.einsum("nm,nmd,nme->de", likely, spread, spread)
        step = _solve(information, gradient, names)
        tastes = tastes + step
        if float(gradient @ step) < CLOSE:
            break
    at_last = np.take_along_axis(chances(faced, tastes, available), chosen[:, None], axis=1)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return Fit(names, tastes, errors, float(np.log(at_last).sum()))


def chances(faced: Floats, tastes: Floats, available: Flags | None = None) -> Floats:
    """Return how likely each person takes each option, shape (n, m)."""
    utility = faced @ tastes
    if available is not None:
        utility = np.where(available, utility, -np.inf)
    weight = np.exp(utility - utility.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _solve(information: Floats, gradient: Floats, names: tuple[str, ...]) -> Floats:
    # Numbers of very different size (dollars beside constants) need not mean an unsolvable system.
    size = np.sqrt(np.diag(information))
    scaled = information / np.maximum(np.outer(size, size), np.finfo(float).tiny)
    if not np.isfinite(scaled).all() or np.linalg.cond(scaled) > 1.0 / CLOSE:
        problem = f"the choices do not identify the tastes for {', '.join(names)}."
        raise DataError(problem, "Give people who differ in what they faced and in what they took.")
    return np.asarray(np.linalg.solve(information, gradient))
