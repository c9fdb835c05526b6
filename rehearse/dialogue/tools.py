"""The tools of an assistant: a database of which every dialogue has its own copy, made when it is written.

A call gives its result at once; what it changes is kept with the answer and takes hold when the world
settles the turn. So a call that is made for a row that only pads a tile, or by a model that then
fails, leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rehearse.dialogue.acts import CALLED, Act, code
from rehearse.dialogue.domain import Domain
from rehearse.errors import ContractError, did_you_mean

WRITES = (Act.BOOK, Act.CANCEL)
"""Calls that change something: they are always kept."""


class Tools:
    """What an assistant may call for one person in one turn."""

    def __init__(self, domain: Domain, booked: int) -> None:
        self._domain = domain
        self._booked = booked
        self._made: list[list[int]] = []

    @property
    def calls(self) -> list[int]:
        """Return the calls so far, as numbers; where they are many, bookings and the latest."""
        kept: list[list[int]] = []
        left = CALLED
        for writes in (True, False):
            for call in reversed(self._made):
                if (call[0] >> 24 in WRITES) is writes and len(call) <= left:
                    kept.append(call)
                    left -= len(call)
        return [number for call in self._made if any(call is k for k in kept) for number in call]

    @property
    def booked(self) -> str | None:
        """Return the name of what is booked for this person, or None."""
        return self._domain.entities[self._booked] if self._booked >= 0 else None

    def find(self, **constraints: str) -> list[dict[str, str]]:
        """Return the entities that have these values; `dontcare` fits all."""
        domain = self._domain
        wanted = np.full((1, len(domain.slots)), -1, dtype=np.int16)
        given = self._given(constraints)
        impossible = False
        for slot, value in given.items():
            known = value < len(domain.values[slot])
            wanted[0, slot] = value if known else -1
            impossible |= not known and domain.word(slot, value) != "dontcare"
        found = [] if impossible else np.flatnonzero(domain.fits(wanted)[0]).tolist()
        self._note([code(Act.FIND), *self._told(given), code(Act.FOUND, value=len(found))])
        return [self._entry(entity) for entity in found]

    def look_up(self, name: str) -> dict[str, str] | None:
        """Return the entity of a name, or None."""
        entity = self._entity(name)
        self._note([code(Act.LOOK_UP, self._domain.name, entity)])
        return None if entity < 0 else self._entry(entity)

    def book(self, name: str, **details: str) -> bool:
        """Book an entity for this person instead of whatever is booked; tell whether that worked."""
        entity, given = self._entity(name), self._given(details)
        done = Act.BOOKED if entity >= 0 else Act.NOBOOK
        self._note([code(Act.BOOK, self._domain.name, entity), *self._told(given), code(done)])
        self._booked = entity if entity >= 0 else self._booked
        return entity >= 0

    def cancel(self) -> bool:
        """Cancel what is booked; tell whether there was anything."""
        there, self._booked = self._booked >= 0, -1
        self._note([code(Act.CANCEL)])
        return there

    def _note(self, codes: Iterable[Any]) -> None:
        self._made.append([int(c) for c in codes])

    def _entity(self, name: str) -> int:
        value = self._domain.value(self._domain.name, name)
        return value if value < len(self._domain.entities) else -1

    def _entry(self, entity: int) -> dict[str, str]:
        domain = self._domain
        row = domain.table[entity].tolist()
        return {
            name: domain.word(slot, row[slot]) for slot, name in enumerate(domain.slots) if row[slot] >= 0
        }

    def _given(self, named: Mapping[str, str]) -> dict[int, int]:
        known = {slot.replace(" ", "_"): number for number, slot in enumerate(self._domain.slots)}
        for name in named:
            if name.replace(" ", "_") not in known:
                problem = f"a tool was given {name!r}, which is no slot."
                raise ContractError(problem, did_you_mean(name, known))
        slots = {known[name.replace(" ", "_")]: word for name, word in named.items()}
        return {slot: self._domain.value(slot, word) for slot, word in slots.items()}

    def _told(self, given: Mapping[int, int]) -> list[Any]:
        return [code(Act.INFORM, slot, value) for slot, value in given.items()]
