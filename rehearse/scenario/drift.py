"""What a scheduled change makes of a number at a tick: a function of the schedule and the tick alone.

A change has a weight w at every tick, 0 before its first and from `until` on:

    sudden      w = 1
    gradual     w = min((t − tick + 1) / over, 1)
    recurring   w = 1 in the first `lasts` ticks of every period, else 0
    seasonal    w = sin(2π · ((t − tick) / period + phase))

and new = old · (1 + (times − 1) · w) + add · w. Several changes of the same thing follow one another in
the order of their ticks. A resumed run needs to know only the tick.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from rehearse.columns import Array
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.model import Drift

EVERY = "*"
BEFORE = -1
"""The tick before the first: nothing has changed yet."""
TWO_PI = 6.283185307179586
TERMS = 11
"""Of the series of the sine: what is left out is below 1e-18 on a quarter of the circle."""

Number = TypeVar("Number", float, Floats)


def weight(drift: Drift, tick: int) -> float:
    """Return how much of a change holds at a tick: from 0 to 1, or −1 to 1 for a seasonal one."""
    since = tick - drift.tick
    if since < 0 or (drift.until is not None and tick >= drift.until):
        return 0.0
    if drift.shape == "gradual":
        return min((since + 1) / (drift.over or 1), 1.0)
    if drift.shape == "recurring":
        return float(since % (drift.period or 1) < (drift.lasts or 1))
    if drift.shape == "seasonal":
        period = drift.period or 1
        return sine((since % period) / period + drift.phase)
    return 1.0


def factors(drift: Drift, tick: int) -> tuple[float, float]:
    """Return what a change makes of a number at a tick: new = old · first + second."""
    w = weight(drift, tick)
    if w == 1.0:
        return drift.times, drift.add
    return 1.0 + (drift.times - 1.0) * w, drift.add * w


def matching(path: str, names: Iterable[str]) -> list[str]:
    """Return the names that are meant, where `*` stands for any part of a name."""
    pattern = re.compile(".*".join(re.escape(part) for part in path.split(EVERY)))
    return [name for name in names if pattern.fullmatch(name)]


def sine(turns: float) -> float:
    """Return sin(2π · turns), to the last bits the same on any machine (Taylor's series)."""
    part = turns % 1.0
    sign, half = (1.0, part) if part < 0.5 else (-1.0, part - 0.5)
    angle = TWO_PI * (half if half <= 0.25 else 0.5 - half)
    square, total = angle * angle, 1.0
    for term in range(TERMS, 0, -1):
        total = 1.0 - square / (2.0 * term * (2.0 * term + 1.0)) * total
    return sign * angle * total


def in_order(drifts: Iterable[Drift]) -> list[Drift]:
    """Return changes in the order in which they build on one another."""
    return sorted(drifts, key=lambda drift: drift.tick)


def differ(drifts: Iterable[Drift], since: int, tick: int) -> bool:
    """Tell whether anything is another after one tick and at another."""
    return any(weight(drift, since) != weight(drift, tick) for drift in drifts)


def sentences(drifts: Sequence[Drift], tick: int) -> list[str]:
    """Say each change that begins, is complete or ends with this tick; one that comes again only once."""
    ended = [f"{_change(drift)} is over{_reason(drift)}" for drift in drifts if drift.until == tick]
    complete = [f"{_change(drift)} is complete{_reason(drift)}" for drift in drifts if _full(drift) == tick]
    begun = [f"{_change(drift)}{_course(drift)}{_reason(drift)}" for drift in drifts if drift.tick == tick]
    return ended + complete + begun


@dataclass(frozen=True, slots=True)
class _Planned:
    drift: Drift
    names: frozenset[str]


class Moves:
    """What is scheduled to change among the numbers that a world (say) declares by name.

    A world of one's own says in `build` which of its numbers may move, asks `now` for their values,
    and passes on three verbs:

        self._moves = Moves(drift, ("fee", *(f"price.{item}" for item in items)))
        price = self._moves.now("price.bread", 2.5)
        def drift(self, tick): return self._moves.enter(tick)
        def state(self): return self._moves.state()
        def restore(self, state): self._moves.restore(state)
    """

    def __init__(self, drifts: Iterable[Drift], names: Iterable[str], whose: str = "this world") -> None:
        """Resolve the paths; `*` stands for any part. Raises ScenarioError that tells the nearest names."""
        known = tuple(names)
        self._planned = [_Planned(d, _meant(d.what, known, whose)) for d in in_order(drifts)]
        self._drifts = [planned.drift for planned in self._planned]
        self.tick = BEFORE
        """The tick that was entered last."""

    def now(self, name: str, value: Number) -> Number:
        """Return what a number (or an array of them) is at the present tick."""
        for planned in self._planned:
            if name in planned.names:
                scale, shift = factors(planned.drift, self.tick)
                value = value * scale + shift
        return value

    def enter(self, tick: int) -> list[str]:
        """Go to a tick; say each change in a sentence."""
        self.tick = tick
        return sentences(self._drifts, tick)

    def changes(self, since: int, tick: int) -> bool:
        """Tell whether any number is another after one tick and at another."""
        return differ(self._drifts, since, tick)

    def state(self) -> dict[str, Array]:
        """Return the tick: all else follows from it and the schedule."""
        return {"tick": np.array([self.tick], dtype=np.int64)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go to the tick that `state` gave."""
        self.tick = int(np.asarray(state["tick"])[0])


def _meant(path: str, known: Sequence[str], whose: str) -> frozenset[str]:
    meant = frozenset(matching(path, known))
    if not meant:
        problem = f"drift: {whose} knows no {path!r} that could change."
        remedy = did_you_mean(path, known) if known else "Leave the drift out: nothing here can change."
        raise ScenarioError(problem, remedy)
    return meant


def _full(drift: Drift) -> int | None:
    """Return the tick at which a gradual change is complete, if that is another than its first."""
    last = drift.tick + (drift.over or 1) - 1
    cut_short = drift.until is not None and last >= drift.until
    return None if last == drift.tick or cut_short else last


def _what(drift: Drift) -> str:
    return f"{drift.what} of {drift.among}" if drift.among else drift.what


def _change(drift: Drift) -> str:
    times = f" × {drift.times:g}" if drift.times != 1.0 else ""
    add = f" {'+' if drift.add > 0 else '−'} {abs(drift.add):g}" if drift.add else ""
    return f"{_what(drift)}{times}{add}"


def _course(drift: Drift) -> str:
    return {
        "sudden": "",
        "gradual": f", over {drift.over} ticks",
        "recurring": f", for {drift.lasts} of every {drift.period} ticks",
        "seasonal": f", up and down every {drift.period} ticks",
    }[drift.shape]


def _reason(drift: Drift) -> str:
    return f": {drift.note}" if drift.note else ""
