"""A domain: its slots, the values that they take, and the entities that can be found and booked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rehearse.dialogue.acts import (
    DONTCARE,
    NO_SLOT,
    NO_VALUE,
    OTHER,
    Act,
    Acts,
    DialogueAct,
    act_of,
    code,
    slot_of,
    value_of,
)
from rehearse.dialogue.phrases import Wording
from rehearse.errors import ContractError, did_you_mean

Values = NDArray[np.int16]
"""Value codes by slot, shape (n, slots): -1 nothing, ANY whatever."""
ANY = -2
"""In `Values`: told that it may be anything."""
NAME = "name"
ACT_BY_WORD = {act.word: act for act in Act}


@dataclass(frozen=True)
class Domain:
    """Slots in the order constraints, booking, other, name; a value is a position in its slot's values."""

    title: str
    slots: tuple[str, ...]
    constraints: int
    """The first so many slots are what people choose by."""
    booking: int
    """So many slots after them are told for a booking: for how many, on which day."""
    requestable: NDArray[np.bool_]
    """Which slots people may ask about, shape (slots,)."""
    values: tuple[tuple[str, ...], ...]
    table: Values
    """The value of each entity, shape (entities, slots); -1 for booking slots."""
    phrases: Wording
    texts: dict[int, str] = field(default_factory=dict)
    """What assistants said in words of their own, by key."""

    @property
    def name(self) -> int:
        """Return the slot of names: its values are the entities."""
        return len(self.slots) - 1

    @property
    def informable(self) -> int:
        """Return how many slots people tell: constraints, then those of a booking."""
        return self.constraints + self.booking

    @property
    def entities(self) -> tuple[str, ...]:
        """Return the names of the entities."""
        return self.values[-1]

    def fits(self, wanted: Values) -> NDArray[np.bool_]:
        """Return which entities (n, entities) have what is wanted (n, slots); below 0 anything will do."""
        found = np.ones((len(wanted), len(self.table)), dtype=np.bool_)
        for slot in range(self.constraints):
            asked = wanted[:, slot]
            if (asked >= 0).any():
                found &= (asked[:, None] < 0) | (asked[:, None] == self.table[None, :, slot])
        return found

    def fit(self, wanted: Values, entity: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Tell whether one entity each has what is wanted; none (-1) has not."""
        has = self.table[np.maximum(entity, 0), : self.constraints]
        asked = wanted[:, : self.constraints]
        return np.asarray((entity >= 0) & ((asked < 0) | (asked == has)).all(axis=1))

    # ── Numbers and words ──

    def slot(self, name: str) -> int:
        """Return a slot by name; raise ContractError that names the nearest ones."""
        if name not in self._slot_numbers:
            problem = f"{self.title} has no slot {name!r}."
            raise ContractError(problem, did_you_mean(name, self.slots))
        return self._slot_numbers[name]

    def value(self, slot: int, word: str) -> int:
        """Return the number of a value: OTHER for one that the domain does not know."""
        plain = " ".join(str(word).lower().split())
        if not plain:
            return NO_VALUE
        return DONTCARE if plain == "dontcare" else self._value_numbers[slot].get(plain, OTHER)

    def word(self, slot: int, value: int) -> str:
        """Return a value in words; empty where there is none."""
        if value in {NO_VALUE, -1}:
            return ""
        special = {DONTCARE: "dontcare", ANY: "dontcare", OTHER: "something else"}
        return special.get(value) or self.values[slot][value]

    def told(self, codes: Iterable[int]) -> tuple[DialogueAct, ...]:
        """Return acts in words."""
        return tuple(self._told(int(c)) for c in codes if c >= 0)

    def number(self, act: DialogueAct) -> int:
        """Return an act as a number; raise ContractError for an intent or a slot that is none."""
        if act.intent not in ACT_BY_WORD:
            problem = f"there is no dialogue act {act.intent!r}."
            raise ContractError(problem, did_you_mean(act.intent, ACT_BY_WORD))
        slot = self.slot(act.slot) if act.slot else NO_SLOT
        value = self.value(slot, act.value) if slot != NO_SLOT and act.value else NO_VALUE
        return int(code(ACT_BY_WORD[act.intent], slot, value))

    def text(self, codes: Iterable[int], by: str = "user") -> str:
        """Return acts as a sentence, from the templates of `user` or `assistant`."""
        return self.phrases.text(self.told(codes), by)

    def read(self, text: str, by: str = "user") -> list[int]:
        """Return the acts of a text that the templates could have made; others are passed over."""
        return [self.number(act) for act in self.phrases.read(text, by)]

    def keep(self, text: str) -> int:
        """Keep a text; return its key, which is the same on every machine and at least 0."""
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
        self.texts[key] = text
        return key

    def call(self, codes: Iterable[int]) -> list[dict[str, object]]:
        """Return tool calls as plain values: the tool, what it was given, what it found."""
        calls: list[dict[str, object]] = []
        for number in (int(c) for c in codes if c >= 0):
            act, slot, value = act_of_one(number)
            if act in {Act.FIND, Act.LOOK_UP, Act.BOOK, Act.CANCEL}:
                calls.append({"tool": act.word, "with": {}})
                if slot != NO_SLOT:
                    calls[-1]["with"] = {self.slots[slot]: self.word(slot, value)}
            elif calls and act is Act.INFORM:
                given = calls[-1]["with"]
                calls[-1]["with"] = {**given, self.slots[slot]: self.word(slot, value)}  # type: ignore[dict-item]
            elif calls:
                calls[-1]["result"] = value if act is Act.FOUND else act.word
        return calls

    def _told(self, number: int) -> DialogueAct:
        act, slot, value = act_of_one(number)
        if slot == NO_SLOT:
            return DialogueAct(act.word)
        return DialogueAct(act.word, self.slots[slot], self.word(slot, value))

    @cached_property
    def _slot_numbers(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.slots)}

    @cached_property
    def _value_numbers(self) -> tuple[Mapping[str, int], ...]:
        return tuple({v.lower(): place for place, v in enumerate(values)} for values in self.values)


def act_of_one(number: int) -> tuple[Act, int, int]:
    """Return act, slot and value of a number that is an act."""
    return Act(number >> 24), number >> 16 & 0xFF, number & 0xFFFF


def as_values(codes: Acts) -> Values:
    """Return what acts say as value codes: -1 for nothing and for what the domain does not know."""
    value = value_of(codes)
    return np.where(value == DONTCARE, ANY, np.where(value >= OTHER, -1, value)).astype(np.int16)


__all__ = ["ANY", "NAME", "Domain", "Values", "act_of", "as_values", "slot_of"]
