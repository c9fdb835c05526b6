"""What a scenario schedules to change in a world: prices, attributes, delays, what can be had.

A change is new = old · times + add from the start of its tick until the start of another. Several
changes of the same thing follow one another in the order of their ticks. What holds at a tick is a
function of the schedule and the tick alone, so that a resumed run needs to know only the tick.

Paths, with an item's name or `*` for all items:

    items.ITEM.ATTRIBUTE    an attribute, as each person faces it
    delay.ITEM              the mean delay, in minutes
    available.ITEM          1 where it can be had; below one half it cannot
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.model import Drift

What = Literal["items", "delay", "available"]
EVERY = "*"
OPEN = 0.5
"""An item can be had while its availability is at least this."""


@dataclass(frozen=True, slots=True)
class Levers:
    """What drift makes of a world's numbers at a tick: new = old · scale + shift."""

    scale: Floats
    """Of the attributes, shape (m, d)."""
    shift: Floats
    delay_scale: Floats
    """Of the mean delays, shape (m,)."""
    delay_shift: Floats
    open: NDArray[np.bool_]
    """Which items can be had, shape (m,)."""

    @property
    def moved(self) -> bool:
        """Tell whether any attribute differs from what it was."""
        return bool((self.scale != 1.0).any() or (self.shift != 0.0).any())


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path points at: which numbers, of which items, and which attribute."""

    what: What
    items: NDArray[np.bool_]
    attribute: int = -1


class Schedule:
    """All that is scheduled to change in a world, with its paths resolved."""

    def __init__(
        self, drifts: tuple[Drift, ...], items: tuple[str, ...], attributes: tuple[str, ...]
    ) -> None:
        """Resolve the paths, or raise a ScenarioError that names the nearest known ones."""
        self._items, self._attributes = items, attributes
        order = sorted(range(len(drifts)), key=lambda i: drifts[i].tick)
        self._planned = [(drifts[i], self._resolve(i, drifts[i])) for i in order]

    def at(self, tick: int) -> Levers:
        """Return what holds during a tick."""
        m, d = len(self._items), len(self._attributes)
        levers = {
            "items": (np.ones((m, d)), np.zeros((m, d))),
            "delay": (np.ones(m), np.zeros(m)),
            "available": (np.ones(m), np.zeros(m)),
        }
        for drift, target in self._planned:
            if _holds(drift, tick):
                scale, shift = levers[target.what]
                where = (target.items, target.attribute) if target.what == "items" else target.items
                scale[where] *= drift.times
                shift[where] = shift[where] * drift.times + drift.add
        scale, shift = levers["available"]
        return Levers(*levers["items"], *levers["delay"], open=scale + shift >= OPEN)

    def changes(self, since: int, tick: int) -> bool:
        """Tell whether anything begins or ends after one tick and up to another."""
        moments = [m for drift, _ in self._planned for m in (drift.tick, drift.until) if m is not None]
        return any(since < moment <= tick for moment in moments)

    def sentences(self, tick: int) -> list[str]:
        """Say each change that begins or ends with this tick."""
        begun = [_begins(drift) for drift, _ in self._planned if drift.tick == tick]
        ended = [
            f"{drift.what} is what it was before tick {drift.tick}{_reason(drift)}"
            for drift, _ in self._planned
            if drift.until == tick
        ]
        return ended + begun

    def _resolve(self, number: int, drift: Drift) -> _Target:
        path = f"drift[{number}].what"
        if drift.until is not None and drift.until <= drift.tick:
            problem = f"drift[{number}].until is {drift.until}, not after its tick {drift.tick}."
            raise ScenarioError(problem, "Give a later tick, or leave `until` out: it then lasts.")
        what, _, rest = drift.what.partition(".")
        item, _, attribute = rest.rpartition(".") if what == "items" else (rest, "", "")
        _known(what, get_args(What), path, drift.what)
        _known(item, (EVERY, *self._items), path, drift.what)
        if what == "items":
            _known(attribute, self._attributes, path, drift.what)
        chosen = np.array([item in (EVERY, name) for name in self._items])
        at = self._attributes.index(attribute) if attribute else -1
        return _Target(cast("What", what), chosen, at)


def _known(part: str, names: tuple[str, ...], path: str, whole: str) -> None:
    if part not in names:
        problem = f"{path}: this world knows no {whole!r}, for it has no {part!r}."
        raise ScenarioError(problem, did_you_mean(part, names))


def _holds(drift: Drift, tick: int) -> bool:
    return drift.tick <= tick and (drift.until is None or tick < drift.until)


def _begins(drift: Drift) -> str:
    times = f" × {drift.times:g}" if drift.times != 1.0 else ""
    add = f" {'+' if drift.add > 0 else '−'} {abs(drift.add):g}" if drift.add else ""
    return f"{drift.what}{times}{add}{_reason(drift)}"


def _reason(drift: Drift) -> str:
    return f": {drift.note}" if drift.note else ""
