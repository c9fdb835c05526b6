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

import numpy as np
from numpy.typing import DTypeLike

from rehearse import exact
from rehearse.agents.blocks import fold, raw, turned
from rehearse.columns import Columns, Rows
from rehearse.contract import NOTHING, Flags, Ints
from rehearse.exact import Floats

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
    item = turned(raw(columns, "memory_item").take(rows, axis=0), np.int32)
    same = item == places[:, None]
    effect = np.zeros(places.shape)
    bitter = np.zeros(len(rows), dtype=np.bool_)
    some = np.flatnonzero(same.any(axis=(0, 1)))
    if len(some):
        # Where people recall nothing of a slate, nothing is added up.
        same = same.take(some, axis=2)
        fresh = turned(raw(columns, "memory_weight").take(rows.take(some), axis=0))
        beyond = turned(raw(columns, "memory_value").take(rows.take(some), axis=0)) - 0.5
        strength = fresh * (weight * beyond - boredom)
        for place, about in enumerate(same):
            effect[place, some] = fold(about * strength)
        bitter[some] = fold(same[0] * (fresh * beyond)) <= BITTER
    return Recalled(effect, bitter)


def push(columns: Columns, rows: Rows, item: Ints, value: Floats) -> None:
    """Let people remember one more event, in place of the oldest."""
    size = columns["memory_item"].shape[1]
    slot = raw(columns, "memory_next").take(rows)
    columns["memory_item"][rows, slot] = item
    columns["memory_value"][rows, slot] = value
    columns["memory_weight"][rows, slot] = 1.0
    columns["memory_next"][rows] = (slot + 1) % size


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
