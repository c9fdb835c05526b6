"""Finding the rows of an answer that cannot be used, and saying why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Codes, Decisions, Fault, Flags, Ints, Requests
from rehearse.errors import did_you_mean
from rehearse.policies.complaints import Complaints

UNKNOWN = -2
"""In place of an item number: the model named something that is no item."""
NOT_A_NUMBER = -3
"""In place of an item number: the model gave NaN or infinity."""
Places = NDArray[np.int64]
Sentence = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Judge:
    """Marks the first fault of each row in `fault`, and tells the complaints."""

    fault: Codes
    complaints: Complaints

    def find(self, wrong: Flags, code: Fault, sentence: Sentence) -> None:
        """Give rows that are wrong and had no fault yet this one; `sentence` words the first of them."""
        rows = np.flatnonzero(wrong & (self.fault == Fault.NONE))
        if len(rows):
            self.fault[rows] = code
            self.complaints.note(code, sentence(int(rows[0])))

    def number(self, name: str, column: Array, right: Flags) -> None:
        """Find the rows whose score, propensity or latency is not what it must be."""
        self.find(~right, Fault.NOT_A_NUMBER, lambda row: f"gave the {name} {column[row]}")

    def slates(self, places: Places, raw: Array, requests: Requests) -> None:
        """Find the rows whose slate has no first item, or an item unknown, there twice or not to be had.

        Where a person can have nothing at all, no first item and no item that can be had is no fault.
        """
        able: Flags = np.ones(len(places), dtype=np.bool_)
        if requests.available is not None:
            able = np.asarray(requests.available.any(axis=1))

        def worded(row: int) -> str:
            return _no_item(raw[row][int(np.argmin(places[row]))], requests.items)

        def out_of_reach(row: int) -> str:
            item = places[row][_missing(places, requests.available)[row]][0]  # type: ignore[arg-type]
            return f"named {requests.items[item]!r}, which this person cannot have"

        self.find((places == NOT_A_NUMBER).any(axis=1), Fault.NOT_A_NUMBER, worded)
        self.find((places == UNKNOWN).any(axis=1), Fault.UNKNOWN_ACTION, worded)
        self.find(able & (places[:, 0] == NOTHING), Fault.UNKNOWN_ACTION, lambda _: "named no item")
        if places.shape[1] > 1:
            self.find(_repeats(places), Fault.WRONG_SHAPE, lambda _: "named an item twice in one slate")
        if requests.available is not None:
            missing = _missing(places, requests.available)
            self.find(able & missing.any(axis=1), Fault.UNKNOWN_ACTION, out_of_reach)


def _in_order(slate: Ints, items: int) -> bool:
    if slate.min() < 0 or slate.max() >= items:
        return False
    pairs = combinations(range(slate.shape[1]), 2)
    return not any((slate[:, one] == slate[:, other]).any() for one, other in pairs)


@twin_of(_in_order)
def in_order(slate: Ints, items: int) -> bool:
    """Tell whether all slates (n, k) are full, of known items, none of them twice in one."""
    for i in range(slate.shape[0]):
        for place in range(slate.shape[1]):
            item = slate[i, place]
            if item < 0 or item >= items:
                return False
            for before in range(place):
                if slate[i, before] == item:
                    return False
    return True


def failed(decisions: Decisions, rows: Flags, fault: Fault) -> Decisions:
    """Return the decisions with a fault where there was none yet."""
    codes: Codes = np.where(rows & (decisions.fault == Fault.NONE), np.int8(fault), decisions.fault)
    return emptied(replace(decisions, fault=codes))


def emptied(decisions: Decisions) -> Decisions:
    """Return the decisions with nothing in the slates of rows that have a fault."""
    broken = decisions.fault != Fault.NONE
    if not broken.any():
        return decisions
    return replace(
        decisions,
        slate=np.where(broken[:, None], np.int32(NOTHING), decisions.slate),
        score=np.where(broken, np.float32(np.nan), decisions.score),
        propensity=np.where(broken, np.float32(np.nan), decisions.propensity),
        rationale=np.where(broken, np.int8(NOTHING), decisions.rationale),
    )


def _repeats(places: Places) -> Flags:
    ordered = np.sort(places, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    return np.asarray(twice.any(axis=1))


def _missing(places: Places, available: Flags) -> Flags:
    can = np.take_along_axis(available, np.maximum(places, 0), axis=1)
    return np.asarray((places >= 0) & ~can)


def _no_item(value: object, items: tuple[str, ...]) -> str:
    if isinstance(value, str):
        return f"answered {value!r:.80}, which is no item. {did_you_mean(value, items)}"
    return f"answered {value}, which is no item: they are numbered 0 to {len(items) - 1}"
