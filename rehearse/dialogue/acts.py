"""Dialogue acts as numbers: what is done (an `Act`), about which slot, with which value.

An act is one whole number, `act << 24 | slot << 16 | value`, so that what people and assistants say is a
column of numbers like any other; -1 stands for no act. `Domain` says what slots and values are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.columns import Array

Acts = NDArray[np.int32]
"""Acts of n people, a row each, shape (n, k); -1 pads."""

NO_ACT = -1
NO_SLOT = 0xFF
NO_VALUE = 0xFFFF
DONTCARE = 0xFFFE
"""The value of a slot that may be anything."""
OTHER = 0xFFFD
"""A value that the domain does not know."""
SPOKEN = 6
"""Acts in an utterance, at most."""
CALLED = 16
"""Numbers that tell the tool calls of a turn, at most."""


class Act(IntEnum):
    """What is done with words (a subset of DSTC's and CUED's acts), or with a tool (from FIND on)."""

    HELLO = 0
    INFORM = 1
    """Says the value of a slot; of `name`: recommends."""
    REQUEST = 2
    """Asks for the value of a slot."""
    CONFIRM = 3
    """Asks whether a slot has a value."""
    AFFIRM = 4
    NEGATE = 5
    REQALTS = 6
    """Asks for something else."""
    BOOK = 7
    """Asks to book what was recommended."""
    THANK = 8
    BYE = 9
    NOOFFER = 10
    """Says that nothing fits."""
    BOOKED = 11
    NOBOOK = 12
    REQMORE = 13
    """Asks whether there is anything else to be done."""
    REPEAT = 14
    """Asks for what was said to be said again."""
    TRANSFER = 15
    """Hands over to somebody else."""
    FIND = 16
    FOUND = 17
    """The number of entities that FIND found, as its value."""
    LOOK_UP = 18
    CANCEL = 19

    @property
    def word(self) -> str:
        """Return the name as it is written in records and given to models."""
        return self.name.lower()


BY_USER = (
    *(Act.HELLO, Act.INFORM, Act.REQUEST, Act.AFFIRM, Act.NEGATE),
    *(Act.REQALTS, Act.BOOK, Act.THANK, Act.BYE),
)
"""What people do; noise takes one of these for another."""


@dataclass(frozen=True, slots=True)
class DialogueAct:
    """One act in words; slot and value are empty where the act has none."""

    intent: str
    slot: str = ""
    value: str = ""

    def __str__(self) -> str:
        """Return it as `inform(area=north)`."""
        return f"{self.intent}({'='.join(part for part in (self.slot, self.value) if part)})"


def code(act: ArrayLike, slot: ArrayLike = NO_SLOT, value: ArrayLike = NO_VALUE) -> Acts:
    """Return acts as numbers; whatever is below 0 is taken for no act, no slot, no value."""
    acts, slots, values = (np.asarray(x, dtype=np.int64) for x in (act, slot, value))
    slots = np.where(slots < 0, NO_SLOT, slots)
    values = np.where(values < 0, NO_VALUE, values)
    return np.where(acts < 0, NO_ACT, acts << 24 | slots << 16 | values).astype(np.int32)


def act_of(codes: Acts) -> Acts:
    """Return which `Act` each number is; -1 where there is none."""
    return codes >> 24


def slot_of(codes: Acts) -> Acts:
    """Return which slot each number is about; NO_SLOT where it is about none."""
    return codes >> 16 & 0xFF


def value_of(codes: Acts) -> Acts:
    """Return which value each number says; NO_VALUE where it says none."""
    return codes & 0xFFFF


def silence(n: int, width: int = SPOKEN) -> Acts:
    """Return nothing said by n people."""
    return np.full((n, width), NO_ACT, dtype=np.int32)


def packed(codes: Acts, width: int = SPOKEN) -> Acts:
    """Return the acts of each row moved to the front, in their order, cut or padded to a width."""
    out, count = silence(len(codes), width), np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        rows = np.flatnonzero((column >= 0) & (count < width))
        out[rows, count[rows]] = column[rows]
        count[rows] += 1
    return out


def says(codes: Acts, act: Act) -> NDArray[np.bool_]:
    """Tell which rows hold an act, shape (n,)."""
    return anywhere(act_of(codes) == act)


def anywhere(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which rows of (n, few) hold anything true; numpy is slow along a short last axis."""
    return np.asarray(np.ascontiguousarray(flags.T).any(axis=0))


def columns_of(prefix: str, codes: Acts) -> dict[str, Array]:
    """Return acts as columns `prefix_0`, `prefix_1`, …, for a record."""
    from rehearse.columns import everywhere

    return {
        f"{prefix}_{i}": column
        if (column := codes[:, i]).max(initial=NO_ACT) >= 0
        else everywhere(NO_ACT, len(codes), np.int32)
        for i in range(codes.shape[1])
    }
