"""Memory: what happened to people, how it fades, and what it makes them do next.

A person remembers the last k items taken, each with its experience e (0 to 1, .5 as expected) and
a weight w that begins at 1 and is multiplied by `decay` with every tick. Memory lasts across
sessions. What an item is worth to somebody changes by

    Σ over memories of that item   w · (weight · (e − .5) − boredom)

Two running summaries go with it, each moved part of the way by every event: trust in the model
(towards the experience) and the habit of using it (towards 1 for a session, 0 for one passed over).
With memory off nothing is kept and nothing here has an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rehearse import exact
from rehearse.agents.blocks import fold, fold_one, raw, turned
from rehearse.columns import Columns, Rows
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Codes, Flags, Ints
from rehearse.exact import Floats

Ring = NDArray[Any]
"""One number a slot of memory, shape (n, k)."""
RING = ("item", "value", "weight")
BITTER = -0.1
"""From this sum of w · (e − .5) down, an item is remembered as having served badly."""


def add_columns(columns: Columns, size: int, number: DTypeLike = np.int32) -> None:
    """Give people an empty memory of so many events; `number` is a type that holds item ids."""
    n = columns.length
    columns["memory_item"] = np.full((n, size), NOTHING, dtype=number)
    columns["memory_value"] = np.zeros((n, size), dtype=np.float32)
    columns["memory_weight"] = np.zeros((n, size), dtype=np.float32)
    columns["memory_next"] = np.zeros(n, dtype=np.int8)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the memories of n people say about slates of p places."""

    effect: Floats
    """What they add to the utility of the item in each place, shape (p, n)."""
    bitter: Flags
    """Whose first item is one that served them badly, shape (n,)."""


def recall(columns: Columns, rows: Rows, places: Ints, *, weight: float, boredom: float) -> Recalled:
    """Let people remember what they know of the items in places (p, n)."""
    effect = np.zeros(places.shape)
    bitter = np.zeros(len(rows), dtype=np.bool_)
    item, value, fresh = (raw(columns, f"memory_{name}") for name in RING)
    _recall(rows, places, item, value, fresh, weight, boredom, effect, bitter)
    return Recalled(effect, bitter)


def _recall_plainly(
    rows: Rows, places: Ints, item: Ring, value: Ring, fresh: Ring, weight: float, boredom: float,
    effect: Floats, bitter: Flags,
) -> None:  # fmt: skip
    same = turned(item.take(rows, axis=0), np.int32) == places[:, None]
    some = np.flatnonzero(same.any(axis=(0, 1)))
    if len(some):
        # Where people recall nothing of a slate, nothing is added up.
        same = same.take(some, axis=2)
        still = turned(fresh.take(rows.take(some), axis=0))
        beyond = turned(value.take(rows.take(some), axis=0)) - 0.5
        strength = still * (weight * beyond - boredom)
        for place, about in enumerate(same):
            effect[place, some] = fold(about * strength)
        bitter[some] = fold(same[0] * (still * beyond)) <= BITTER


@twin_of(_recall_plainly)
def _recall(
    rows: Rows, places: Ints, item: Ring, value: Ring, fresh: Ring, weight: float, boredom: float,
    effect: Floats, bitter: Flags,
) -> None:  # fmt: skip
    slots = item.shape[1]
    parts = np.empty(slots)
    for i in range(len(rows)):
        row, known = rows[i], False
        for place in range(len(places)):
            for slot in range(slots):
                known = known or item[row, slot] == places[place, i]
        if known:
            for place in range(len(places)):
                for slot in range(slots):
                    beyond = value[row, slot] - 0.5
                    about = 1.0 if item[row, slot] == places[place, i] else 0.0
                    parts[slot] = about * (fresh[row, slot] * (weight * beyond - boredom))
                effect[place, i] = fold_one(parts, slots)
            for slot in range(slots):
                about = 1.0 if item[row, slot] == places[0, i] else 0.0
                parts[slot] = about * (fresh[row, slot] * (value[row, slot] - 0.5))
            bitter[i] = fold_one(parts, slots) <= BITTER


def push(columns: Columns, rows: Rows, item: Ints, value: Floats) -> None:
    """Let people remember one more event, in place of the oldest."""
    what, worth, fresh, following = (raw(columns, f"memory_{name}") for name in (*RING, "next"))
    _push(rows, item, value, what, worth, fresh, following)


def _push_plainly(
    rows: Rows, what: Ints, worth: Floats, item: Ring, value: Ring, fresh: Ring, following: Codes
) -> None:
    slot = following.take(rows)
    item[rows, slot] = what
    value[rows, slot] = worth
    fresh[rows, slot] = 1.0
    following[rows] = (slot + 1) % item.shape[1]


@twin_of(_push_plainly)
def _push(
    rows: Rows, what: Ints, worth: Floats, item: Ring, value: Ring, fresh: Ring, following: Codes
) -> None:
    for i in range(len(rows)):
        row = rows[i]
        slot = following[row]
        item[row, slot] = what[i]
        value[row, slot] = worth[i]
        fresh[row, slot] = 1.0
        following[row] = (slot + 1) % item.shape[1]


def forget(columns: Columns, rows: Rows) -> None:
    """Let people forget everything."""
    for name, nothing in (("item", NOTHING), ("value", 0), ("weight", 0)):
        columns[f"memory_{name}"][rows] = nothing


def fade(columns: Columns, piece: slice, decay: float) -> None:
    """Let a tick pass over the memories of a piece of the population."""
    weight = raw(columns, "memory_weight")
    weight[piece] = weight[piece].astype(np.float64) * decay


def visit_chance(trust: Floats, habit: Floats, *, rate: float, by_trust: float, by_habit: float) -> Floats:
    """Return the chance to come in a tick: rate · (t + by_habit · habit · (1 − t)), t = trust**by_trust."""
    willing = power(trust, by_trust)
    return np.asarray(rate * (willing + by_habit * habit * (1.0 - willing)))


def power(base: Floats, exponent: float) -> Floats:
    """Return base**exponent for a base of 0 or more and an exponent of 0 or more; 0**0 is 1."""
    if exponent == 0.0:
        return np.ones_like(base)
    if exponent == 1.0:
        return base
    positive = np.where(base > 0.0, base, 1.0)
    return np.where(base > 0.0, exact.exp(exponent * exact.log(positive)), 0.0)
