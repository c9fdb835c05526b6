"""Choosing: which item of a slate is taken, by laws besides the logit and the cascade of `agents.choice`.

With a_i the attraction of the item in place i, o the outside option (`behaviour.outside`):

    proportional   P(i) = a_i / (a_o + Σ_j a_j)
    sequential     P(i | looked at) = attention · scale · a_i, at most 1; else on to the next place
    attention      the largest u_i · r^α, r the rank from 1; something is always taken, chance has no part
    each           reaction b to place i with chance max(0, σ(u_i + shift_b) − ρ · c_i), all by themselves;
                   taken is the first place whose feedback f_i = Σ_b weight_b · y_ib is above 0

Proportional with linear attraction and sequential with attention .65 and scale .05 are the choice
models of RecSim (Ie and others, arXiv:1909.04847, 2019); `each` is KuaiSim's immediate response (Zhao
and others, arXiv:2309.12645, 2023), c_i being the mean cosine of item i's attributes with those of the
other items of the slate; the column `feedback` holds the mean of f_i over the slate. Attention is the
choice of Chaney, Stewart and Engelhardt (RecSys 2018) and of T-RECS (Lucherini and others,
arXiv:2107.08959, 2021); utilities should be positive.
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.appraisal import Appraisal
from rehearse.agents.choice import (
    cascade_choice,
    first_choice,
    logit_choice,
    take_chances,
    weighted_choice,
)
from rehearse.agents.laws.attraction import attraction
from rehearse.contract import NOTHING, Codes, Offer
from rehearse.exact import Floats, sigmoid, total
from rehearse.scenario.laws import Choice, Each, Proportional, Sequential
from rehearse.scenario.people import Behaviour


def draws(law: Choice | None, behaviour: Behaviour, places: int) -> int:
    """Return how many uniform numbers a choice from so many places takes; without a law, the usual one."""
    if law is None:
        return places if behaviour.choice == "cascade" else 1
    if law.each is not None:
        return places * len(law.each.reactions)
    return places if law.sequential is not None else 1


def usual(behaviour: Behaviour, seen: Appraisal, uniforms: Floats) -> Codes:
    """Return the place that each person takes by what `behaviour.choice` says, or -1."""
    if behaviour.choice == "cascade":
        take = take_chances(seen.utilities.T, seen.outside, seen.noise)
        return cascade_choice(take, behaviour.attention, uniforms)
    if behaviour.choice == "always":
        return first_choice(seen.utilities.T)
    return logit_choice(seen.utilities.T, seen.outside, seen.noise, uniforms[:, 0])


def proportional(law: Proportional, seen: Appraisal, uniforms: Floats) -> Codes:
    """Return the place taken by each person, or -1."""
    if law.of == "exponential":
        return logit_choice(seen.utilities.T, seen.outside, seen.noise, uniforms[:, 0])
    weights = np.empty((len(seen.utilities) + 1, len(seen.outside)))
    weights[:-1] = attraction(law.of, seen.utilities, seen.noise, law.shift)
    weights[-1] = attraction(law.of, seen.outside, seen.noise, law.shift)
    return weighted_choice(weights, uniforms[:, 0])


def sequential(law: Sequential, seen: Appraisal, uniforms: Floats) -> Codes:
    """Return the place taken by each person, or -1."""
    take = law.attention * law.scale * attraction(law.of, seen.utilities, seen.noise, law.shift)
    return cascade_choice(np.minimum(take, 1.0).T, 1.0, uniforms)


def each(law: Each, seen: Appraisal, offer: Offer, uniforms: Floats) -> tuple[Codes, Floats]:
    """Return the place taken by each person, or -1, and the mean feedback of each slate."""
    there = seen.utilities > -np.inf
    worth = np.where(there, seen.utilities, 0.0)
    alike = law.similarity * likeness(offer, seen) if law.similarity > 0.0 else 0.0
    feedback = np.zeros(worth.shape)
    for number, reaction in enumerate(law.reactions.values()):
        chance = (sigmoid(worth + reaction.shift) - alike) * there
        feedback += reaction.weight * (uniforms.T[number :: len(law.reactions)] < chance)
    pleases = feedback > 0.0
    position = np.where(pleases.any(axis=0), pleases.argmax(axis=0), NOTHING).astype(np.int8)
    return position, total(feedback.T) / np.maximum(there.sum(axis=0), 1)


def likeness(offer: Offer, seen: Appraisal) -> Floats:
    """Return the mean cosine of each place's item with the other items of the slate, shape (k, n).

    0 where an item stands alone, cannot be had, or has no attribute but 0.
    """
    attributes = offer.of(seen.places.T)
    length = np.sqrt(total(attributes * attributes))
    lengthened = np.where((length > 0.0) & (-np.inf < seen.utilities.T), length, np.inf)
    unit = attributes / lengthened[:, :, None]
    others = np.maximum((seen.utilities > -np.inf).sum(axis=0) - 1, 1)
    alike = np.zeros(seen.utilities.shape)
    for one in range(len(alike)):
        for other in range(len(alike)):
            if one != other:
                alike[one] += total(unit[:, one] * unit[:, other])
    return np.asarray(alike / others)
