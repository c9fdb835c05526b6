"""Keeping track: what an assistant can know of a dialogue from what it heard and said.

It is the plain tracker of the field: the last value heard for a slot holds. It belongs to the house, so
that a model which answers with an item of the menu, and one which answers in acts, know the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns, Rows
from rehearse.dialogue.acts import NO_SLOT, Act, Acts, act_of, says, slot_of, value_of
from rehearse.dialogue.domain import Domain, Values, as_values

Flags = NDArray[np.bool_]
KEPT = {"known": "belief_known", "asked": "belief_asked", "venue": "belief_venue", "booked": "booked"}
"""The columns of people that hold it between turns."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What is known of n dialogues, a row each."""

    known: Values
    """What was heard last of each slot, shape (n, slots): -1 nothing, -2 whatever."""
    asked: Flags
    """Which slots were asked about and not answered yet, shape (n, slots)."""
    venue: NDArray[np.int16]
    """The entity that was recommended last, or -1."""
    booked: NDArray[np.int16]
    """The entity that is booked, or -1: what this dialogue's copy of the database holds."""
    heard: NDArray[np.int32]
    """Which acts were heard in this turn, as bits by `Act`, shape (n,)."""

    def __len__(self) -> int:
        """Return how many dialogues there are."""
        return len(self.venue)

    @classmethod
    def new(cls, n: int, domain: Domain) -> Self:
        """Return what is known before anything was said."""
        slots = len(domain.slots)
        nothing = np.full(n, -1, dtype=np.int16)
        return cls(
            known=np.full((n, slots), -1, dtype=np.int16),
            asked=np.zeros((n, slots), dtype=np.bool_),
            venue=nothing,
            booked=nothing,
            heard=np.zeros(n, dtype=np.int32),
        )

    def take(self, index: Rows) -> Belief:
        """Return what is known of some dialogues."""
        return Belief(**{f.name: getattr(self, f.name).take(index, axis=0) for f in fields(self)})

    @classmethod
    def of(cls, columns: Columns, rows: Rows) -> Belief:
        """Return what people's columns (`KEPT`) hold of some rows."""
        kept = {name: _raw(columns, column).take(rows, axis=0) for name, column in KEPT.items()}
        return cls(**kept, heard=np.zeros(len(rows), dtype=np.int32))

    def did(self, act: Act) -> Flags:
        """Tell who was heard to do something in this turn."""
        return np.asarray(self.heard >> int(act) & 1 == 1)

    def hear(self, said: Acts, domain: Domain) -> Belief:
        """Return what is known once this was heard."""
        known, asked = self.known.copy(), self.asked.copy()
        acts, slots, values = act_of(said), slot_of(said), as_values(said)
        heard = np.zeros(len(said), dtype=np.int32)
        for place in range(said.shape[1]):
            act, slot, value = acts[:, place], slots[:, place], values[:, place]
            heard |= np.where(act >= 0, np.int32(1) << np.maximum(act, 0), 0).astype(np.int32)
            tells = np.flatnonzero((act == Act.INFORM) & (slot < domain.informable) & (value != -1))
            known[tells, slot[tells]] = value[tells]
            asks = np.flatnonzero((act == Act.REQUEST) & (slot != NO_SLOT))
            asked[asks, slot[asks]] = True
        return replace(self, known=known, asked=asked, heard=heard)

    def say(self, said: Acts, domain: Domain) -> Belief:
        """Return what is known once the assistant has said this."""
        asked, venue = self.asked.copy(), self.venue.copy()
        acts, slots, values = act_of(said), slot_of(said), value_of(said)
        for place in range(said.shape[1]):
            act, slot = acts[:, place], slots[:, place]
            tells = np.flatnonzero((act == Act.INFORM) & (slot != NO_SLOT))
            asked[tells, slot[tells]] = False
            names = np.flatnonzero((act == Act.INFORM) & (slot == domain.name))
            entity = values[names, place]
            venue[names] = np.where(entity < len(domain.entities), entity, -1)
        return replace(self, asked=asked, venue=venue)


def _raw(columns: Columns, name: str) -> NDArray[Any]:
    return columns[name]


def silent(said: Acts) -> Flags:
    """Tell who was heard to say nothing."""
    return np.asarray(~(said >= 0).any(axis=1))


__all__ = ["Belief", "says", "silent"]
