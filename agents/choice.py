"""Choice: which of the items in a slate a person takes, if any.

With u_i the utility of item i, o that of the outside option (taking nothing) and s the person's
noise (the scale of what nobody can know about them):

    logit     P(i) = e^(u_i/s) / (e^(o/s) + Σ_j e^(u_j/s))                 McFadden (1974)
    always    the first that can be had
    cascade   from the top; an item looked at is taken with a_i = 1 / (1 + e^-((u_i − o)/s));
              after one that is not, the next is looked at with chance γ    Craswell et al. (2008)

An item that cannot be had has the utility −∞ and the probability 0. A choice is a place of the
slate, or -1 for nothing. Shapes: utilities (n, k); outside, noise (n,). Every row stands alone.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse import exact
from rehearse.agents.blocks import chunks, fold, fold_one, tree_sum, turned
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Codes, Flags, Ints
from rehearse.exact import Floats

NOISE_FLOOR = 1e-6
"""Less noise than this is this much: the best item is taken for certain."""
LONG = 24
"""In slates longer than this, what stands twice is found by sorting."""
GATHERED = 1 << 16
"""How many attributes are gathered at once: half a megabyte stays in the cache."""


def logit_probabilities(utilities: Floats, outside: ArrayLike, noise: ArrayLike = 1.0) -> Floats:
    """Return the probability of each place and, last, of taking nothing: shape (n, k + 1)."""
    weights = _weights(utilities, outside, noise)
    return (weights / tree_sum(weights)).T


def logit_choice(utilities: Floats, outside: ArrayLike, noise: ArrayLike, uniform: Floats) -> Codes:
    """Return the place taken by each person, by inversion of one uniform number each."""
    return weighted_choice(_weights(utilities, outside, noise), uniform)


def weighted_choice(weights: Floats, uniform: Floats) -> Codes:
    """Return the place taken by each person, given weights with those of taking nothing last: (k + 1, n)."""
    position = np.zeros(len(uniform), dtype=position_type(len(weights) - 1))
    _pick(weights, uniform, position)
    return position


def anything(utilities: Floats, noise: ArrayLike, uniform: Floats) -> Ints:
    """Return which of any number of items each person picks by a logit; -1 where there is none.

    `utilities` has the items first, shape (m, n); −∞ for what cannot be had.
    """
    there = utilities.max(axis=0) > -np.inf
    picked = np.zeros(len(uniform), dtype=np.int32)
    _pick(_weights(np.where(there, utilities, 0.0).T, -np.inf, noise), uniform, picked)
    return np.where(there, picked, np.int32(NOTHING))


def _pick_plainly(weights: Floats, uniform: Floats, position: Codes | Ints) -> None:
    target = uniform * tree_sum(weights)
    reached = np.zeros(len(target))
    for weight in weights[:-1]:
        reached += weight
        position += reached <= target
    position[position == len(weights) - 1] = NOTHING


@twin_of(_pick_plainly)
def _pick(weights: Floats, uniform: Floats, position: Codes | Ints) -> None:
    options = len(weights)
    parts = np.empty(options)
    for i in range(len(uniform)):
        for option in range(options):
            parts[option] = weights[option, i]
        target, reached, place = uniform[i] * fold_one(parts, options), 0.0, 0
        for option in range(options - 1):
            reached += weights[option, i]
            place += reached <= target
        position[i] = NOTHING if place == options - 1 else place


def take_chances(utilities: Floats, outside: ArrayLike, noise: ArrayLike = 1.0) -> Floats:
    """Return with what chance an item is taken once it is looked at: shape (n, k)."""
    above = utilities.T - np.asarray(outside, dtype=np.float64)
    chance = exact.sigmoid(above / np.maximum(noise, NOISE_FLOOR))
    return np.where(np.isneginf(utilities.T), 0.0, chance).T


def cascade_probabilities(take: Floats, attention: float = 1.0) -> Floats:
    """Return the probability of each place and, last, of taking nothing: shape (n, k + 1)."""
    _, taken = dbn_probabilities(take, np.ones_like(take), attention)
    nothing = np.ones(len(taken))
    for place in taken.T:
        nothing -= place
    return np.concatenate([taken, nothing[:, None]], axis=1)


def cascade_choice(take: Floats, attention: float, uniforms: Floats) -> Codes:
    """Return the place taken by each person, with one uniform number for each place (n, k).

    At a place looked at, the lowest part of [0, 1) means to take, the next to go on, the rest to stop.
    """
    position = np.full(len(take), NOTHING, dtype=position_type(take.shape[1]))
    looking = np.ones(len(take), dtype=np.bool_)
    for place, (chance, uniform) in enumerate(zip(take.T, uniforms.T, strict=True)):
        position[looking & (uniform < chance)] = place
        looking &= (uniform >= chance) & (uniform < chance + (1.0 - chance) * attention)
    return position


def first_choice(utilities: Floats) -> Codes:
    """Return the first place of each slate that holds something, whatever it is worth."""
    position = np.full(len(utilities), NOTHING, dtype=position_type(utilities.shape[1]))
    for place in reversed(range(utilities.shape[1])):
        position[utilities[:, place] > -np.inf] = place
    return position


def attention_choice(utilities: Floats, exponent: float) -> Codes:
    """Return the place with the largest utility times its rank (from 1) to a power; nothing if none holds."""
    rank = np.arange(1.0, utilities.shape[1] + 1.0)
    seen = utilities * exact.exp(exponent * exact.log(rank))
    best = seen.argmax(axis=1)
    there = seen[np.arange(len(seen)), best] > -np.inf
    return np.where(there, best, NOTHING).astype(position_type(utilities.shape[1]))


def position_type(places: int) -> type[np.int8]:
    """Return the type of a place in slates so long: one byte where that is enough."""
    return np.int8 if places <= np.iinfo(np.int8).max else cast("type[np.int8]", np.int16)


def dbn_probabilities(attraction: Floats, satisfaction: Floats, perseverance: float) -> tuple[Floats, Floats]:
    """Return the chances that each place is looked at, and clicked, in a dynamic Bayesian network.

    P(look 1) = 1, P(look i + 1) = γ · P(look i) · (1 − a_i s_i), P(click i) = P(look i) · a_i
    (Chapelle and Zhang 2009). With all s_i = 1 this is the cascade.
    """
    looked = np.ones_like(attraction)
    for place in range(1, attraction.shape[1]):
        before = place - 1
        going_on = 1.0 - attraction[:, before] * satisfaction[:, before]
        looked[:, place] = perseverance * looked[:, before] * going_on
    return looked, looked * attraction


def inclusive_value(utilities: Floats, noise: Floats) -> Floats:
    """Return s · ln Σ e^(u/s) over the items: what a choice among all of them is worth, shape (n,).

    `utilities` has the items first, shape (m, n); −∞ where there are none.
    """
    scale = np.maximum(noise, NOISE_FLOOR)
    best = utilities.max(axis=0)
    there = np.where(best > -np.inf, best, 0.0)
    weights = exact.exp((utilities - there) / scale)
    weights *= utilities > -np.inf
    return np.asarray(there + scale * exact.log(tree_sum(weights)))


def worth(taste: NDArray[np.floating], attributes: NDArray[np.floating], places: Ints) -> Floats:
    """Return Σ_d taste_d · attribute_d of the item in each place, places first: shape (k, n).

    `taste` is (n, d); `attributes` (m, d), or (n, m, d) where each person faces their own;
    `places` (k, n). The sum is that of `exact.total`. Empty places get some number.
    """
    result = np.empty(places.shape)
    weigh = _weigh if attributes.ndim == 2 else _weigh_plainly
    weigh(taste, np.asarray(attributes, dtype=np.float64), places, result)
    return result


def _weigh_plainly(taste: NDArray[np.floating], attributes: Floats, places: Ints, result: Floats) -> None:
    size = attributes.shape[-1]
    table = np.ascontiguousarray(attributes.reshape(math.prod(attributes.shape[:-1]), size).T, np.float64)
    own = np.arange(places.shape[1]) * attributes.shape[1] if attributes.ndim == 3 else 0
    index = np.maximum(places, 0) + own
    for piece in chunks(places.shape[1], max(1, GATHERED // max(size, 1))):
        weights = turned(taste[piece])[:, None]
        for some in chunks(len(places), max(1, GATHERED // max(size * weights.shape[2], 1))):
            products = table.take(index[some, piece], axis=1)
            products *= weights
            result[some, piece] = fold(products)


@twin_of(_weigh_plainly)
def _weigh(taste: NDArray[np.floating], attributes: Floats, places: Ints, result: Floats) -> None:
    size = attributes.shape[1]
    parts = np.empty(size)
    for place in range(len(places)):
        for i in range(places.shape[1]):
            item = max(places[place, i], 0)
            for d in range(size):
                parts[d] = attributes[item, d] * taste[i, d]
            result[place, i] = fold_one(parts, size)


def possible(places: Ints, available: Flags | None) -> Flags:
    """Return which places, (k, n), hold an item that can be had and stands nowhere above."""
    fits = places >= 0
    if len(places) > LONG:
        order = places.argsort(axis=0, kind="stable")
        again = np.diff(np.take_along_axis(places, order, axis=0), axis=0) == 0
        np.put_along_axis(fits, order[1:], np.take_along_axis(fits, order[1:], axis=0) & ~again, axis=0)
    else:
        for place in range(1, len(places)):
            for above in range(place):
                fits[place] &= places[place] != places[above]
    if available is not None:
        own = np.arange(places.shape[1]) * available.shape[1]
        fits &= available.reshape(-1).take(np.maximum(places, 0) + own)
    return fits


def _weights(utilities: Floats, outside: ArrayLike, noise: ArrayLike) -> Floats:
    """Return e^((u − best)/s) with the outside option last, options first: shape (k + 1, n)."""
    options = np.empty((utilities.shape[1] + 1, len(utilities)))
    options[:-1], options[-1] = utilities.T, outside
    there = options > -np.inf
    options -= options.max(axis=0)
    options /= np.maximum(noise, NOISE_FLOOR)
    return np.asarray(exact.exp(options) * there)
