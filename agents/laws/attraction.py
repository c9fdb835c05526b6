"""Attraction: what the utility u of an item makes of it, with s the person's noise.

    exponential      e^(u/s)                                   McFadden (1974): with it, shares are a logit
    linear           max(u + shift, 0)                         RecSim's proportional choice (shift = −min)
    sigmoid          σ(u/s)                                    a yes or no to each item by itself
    double-sigmoid   σ(5 σ(2 σ(.3 u) − 2) − 6)                 RecoGym's click rate, about 2 % (Rohde and
                                                               others, "RecoGym", arXiv:1808.00720, 2018)

What cannot be had (utility −∞) attracts nobody: 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rehearse.agents.choice import NOISE_FLOOR
from rehearse.exact import Floats, exp, sigmoid
from rehearse.scenario.laws import Attraction


def attraction(of: Attraction, utilities: Floats, noise: ArrayLike = 1.0, shift: float = 0.0) -> Floats:
    """Return the attraction of items by their utilities, of any shape that `noise` fits."""
    there = utilities > -np.inf
    u = np.where(there, utilities, 0.0)
    scale = np.maximum(noise, NOISE_FLOOR)
    if of == "linear":
        found = np.maximum(u + shift, 0.0)
    elif of == "double-sigmoid":
        found = click_rate(u)
    else:
        found = exp(u / scale) if of == "exponential" else sigmoid(u / scale)
    return np.asarray(found * there)


def click_rate(u: Floats) -> Floats:
    """Return σ(5 σ(2 σ(.3 u) − 2) − 6), between .0045 and .0293."""
    return sigmoid(5.0 * sigmoid(2.0 * sigmoid(0.3 * u) - 2.0) - 6.0)
