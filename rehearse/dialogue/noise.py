"""Noise between what is said and what is heard: acts are dropped, or taken for other acts, slots, values.

Each act is hit apart from all others, by one cause at most in the order drop, intent, slot, value. A
slot that is told is taken for another one that people tell, with a value of that slot, and one that is
asked about for another that can be asked about; a value for another of the same slot. These are the
error models of speech recognition in PyDial, Plato and TC-Bot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.dialogue.acts import (
    BY_USER,
    DONTCARE,
    NO_ACT,
    NO_VALUE,
    Act,
    Acts,
    act_of,
    code,
    packed,
    slot_of,
    value_of,
)
from rehearse.dialogue.domain import Domain
from rehearse.exact import Floats

DRAWS = 3
"""Uniform numbers that an act needs."""


@dataclass(slots=True)
class Channel:
    """The chances that an act is lost or taken for another one; a world may change them from tick to tick."""

    drop: float = 0.0
    intent: float = 0.0
    slot: float = 0.0
    value: float = 0.0

    @property
    def clear(self) -> bool:
        """Tell whether everything comes through as it was said."""
        return not (self.drop or self.intent or self.slot or self.value)

    def heard(self, said: Acts, domain: Domain, draws: Floats) -> Acts:
        """Return what comes through, given uniform draws of shape (n, k · DRAWS)."""
        if self.clear:
            return said
        u = draws.reshape(len(said), -1, DRAWS)
        cause, pick, other = u[..., 0], u[..., 1], u[..., 2]
        bounds = np.cumsum([self.drop, self.intent, self.slot, self.value])
        act, slot, value = act_of(said), slot_of(said), value_of(said)
        hit = np.searchsorted(bounds, cause, side="right")
        tells = (act == Act.INFORM) & (slot < domain.informable)
        asks = act == Act.REQUEST
        heard = np.where((hit == 0) & (said >= 0), NO_ACT, said)
        heard = np.where((hit == 1) & (said >= 0), _other_act(act, pick), heard)
        slots = np.where(tells, _another(slot, domain.informable, pick), _other_asked(domain, slot, pick))
        values = np.where(tells, _value(domain, slots, other), NO_VALUE)
        heard = np.where((hit == 2) & (tells | asks), code(act, slots, values), heard)
        swaps = (hit == 3) & tells & (value < DONTCARE)
        fresh = _another_value(domain, slot, value, other)
        return packed(np.where(swaps, code(act, slot, fresh), heard), said.shape[1])


def _other_act(act: Acts, pick: Floats) -> Acts:
    bare = np.array([a for a in BY_USER if a not in (Act.INFORM, Act.REQUEST)])
    drawn = bare[(pick * len(bare)).astype(np.int64)]
    following = bare[((pick * len(bare)).astype(np.int64) + 1) % len(bare)]
    return code(np.where(drawn == act, following, drawn))


def _another(number: Acts, count: int, pick: Floats) -> Acts:
    step = 1 + (pick * max(count - 1, 1)).astype(np.int32)
    return np.asarray((number + step) % max(count, 1), dtype=np.int32)


def _other_asked(domain: Domain, slot: Acts, pick: Floats) -> Acts:
    known = np.flatnonzero(domain.requestable).astype(np.int32)
    place = np.searchsorted(known, slot).astype(np.int32) % len(known)
    return known[_another(place, len(known), pick)]


def _sizes(domain: Domain, slots: Acts) -> NDArray[np.int64]:
    sizes = np.array([len(values) for values in domain.values])
    return sizes[np.minimum(slots, len(sizes) - 1)]


def _value(domain: Domain, slots: Acts, pick: Floats) -> Acts:
    return (pick * _sizes(domain, slots)).astype(np.int32)


def _another_value(domain: Domain, slots: Acts, value: Acts, pick: Floats) -> Acts:
    size = _sizes(domain, slots)
    step = 1 + (pick * np.maximum(size - 1, 1)).astype(np.int32)
    return np.asarray((value + step) % size, dtype=np.int32)
