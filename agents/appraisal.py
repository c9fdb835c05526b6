"""Appraisal: how people see what is proposed to them, in utilities.

    u_i = Σ_d taste_d · attribute_id + what stands beside   the item as such
        + strength of the goal pursued                      a strong wish takes more readily
        + trust_weight · (trust − .5)                       trust lends to all that is proposed
        + Σ memories of i: w · (weight · (e − .5) − boredom)
        − position_bias · place

    o   = outside + reservation (+ s · ln Σ_j e^(u_j/s) of the items as such)
        − relax · refusals − markdown near the deadline

The terms of trust and memory stand only with memory on. What is proposed is the same for people
who see it alike; nothing here draws chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse.agents import had, memory
from rehearse.agents.blocks import chunks, raw, turned
from rehearse.agents.choice import inclusive_value, possible, worth
from rehearse.agents.goals import Goals
from rehearse.columns import Columns
from rehearse.contract import Decisions, Flags, Ints, Offer, Turn
from rehearse.exact import Floats
from rehearse.scenario.people import People

UTILITIES_AT_ONCE = 1 << 16
"""How many items of everybody's are weighed together for an inclusive value."""


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What n people think of slates of k, places first."""

    places: Ints
    """The slates, shape (k, n)."""
    utilities: Floats
    """Shape (k, n); −∞ for what cannot be had, stands above already, or is no item."""
    outside: Floats
    """Shape (n,)."""
    noise: Floats
    """Shape (n,)."""
    bitter: Flags
    """Whose action is one that they remember as bad, shape (n,)."""

    @property
    def best(self) -> Floats:
        """Return the utility of the best item of each slate."""
        return np.asarray(self.utilities.max(axis=0))


def appraise(
    turn: Turn,
    offer: Offer,
    decisions: Decisions,
    *,
    people: People,
    goals: Goals,
    refusals: Ints | None = None,
) -> Appraisal:
    """See the slates as these people see them; `refusals` are items that give nothing."""
    columns = goals.columns
    places: Ints = turned(decisions.slate, np.int32)
    utilities = worth(raw(columns, "taste").take(turn.rows, axis=0), offer.attributes, places)
    if offer.beside is not None:
        utilities += offer.beside[np.arange(len(turn)), np.maximum(places, 0)]
    utilities += goals.strength(turn.rows)
    bitter = np.zeros(len(turn), dtype=np.bool_)
    if people.memory.on:
        trust = columns.numbers("trust", turn.rows)
        utilities += people.memory.trust_weight * (trust - 0.5)
        recalled = memory.recall(
            columns, turn.rows, places, weight=people.memory.weight, boredom=people.behaviour.boredom
        )
        utilities += recalled.effect
        bitter = recalled.bitter
    if people.behaviour.position_bias > 0.0:
        utilities -= people.behaviour.position_bias * np.arange(float(len(places)))[:, None]
    utilities[~possible(places, offer.available)] = -np.inf
    if not people.behaviour.repeats:
        utilities[had.before(columns, turn.rows, places)] = -np.inf
    for item in () if refusals is None else refusals:
        utilities[places == item] = -np.inf
    noise = columns.numbers("noise", turn.rows)
    outside = _outside(turn, offer, noise, people=people, goals=goals)
    return Appraisal(places, utilities, outside, noise, bitter)


def _outside(turn: Turn, offer: Offer, noise: Floats, *, people: People, goals: Goals) -> Floats:
    behaviour, columns = people.behaviour, goals.columns
    outside = np.full(len(turn), behaviour.outside)
    if "reservation" in columns:
        outside += columns.numbers("reservation", turn.rows)
    if behaviour.reservation == "logsum":
        outside += _everything(turn, offer, columns, noise)
    if behaviour.relax > 0.0:
        outside -= behaviour.relax * columns.numbers("refusals", turn.rows)
    if goals.agenda.revision.any():
        outside -= goals.markdown(turn.rows, turn.tick)
    return outside


def _everything(turn: Turn, offer: Offer, columns: Columns, noise: Floats) -> Floats:
    """Return the inclusive value of all items that can be had; the lowest number where there is none."""
    count = offer.attributes.shape[-2]
    result = np.empty(len(turn))
    for piece in chunks(len(turn), max(1, UTILITIES_AT_ONCE // max(count, 1))):
        rows = turn.rows[piece]
        places = np.repeat(np.arange(count, dtype=np.int32)[:, None], len(rows), axis=1)
        own = offer.attributes if offer.attributes.ndim == 2 else offer.attributes[piece]
        utilities = worth(raw(columns, "taste").take(rows, axis=0), own, places)
        if offer.beside is not None:
            utilities += offer.beside[piece].T
        if offer.available is not None:
            utilities[~offer.available[piece].T] = -np.inf
        result[piece] = inclusive_value(utilities, noise[piece])
    return np.maximum(result, np.finfo(np.float64).min)
