"""What a scenario schedules to change in a world: prices, attributes, delays, what can be had.

What a change makes of a number at a tick stands in `rehearse.scenario.drift`; here is what it means for
a world of items with attributes. A world with numbers of its own needs only `Moves` from there.

Paths, with an item's name or `*` for all items:

    items.ITEM.ATTRIBUTE    an attribute, as each person faces it
    delay.ITEM              the mean delay, in minutes
    available.ITEM          1 where it can be had; below one half it cannot
    experience.LAW          how things turn out: its centre, its sensitivity or its noise (label drift)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from rehearse.environments.consequences import Experience
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.drift import EVERY, Moves, differ, factors, in_order, sentences
from rehearse.scenario.model import Drift

What = Literal["items", "delay", "available"]
EXPERIENCE, LAWS = "experience.", ("centre", "sensitivity", "noise")
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
        self._all = in_order(drifts)
        self._drifts = [drift for drift in self._all if not drift.what.startswith(EXPERIENCE)]
        self._targets = [self._resolve(drift) for drift in self._drifts]
        of_outcomes = [drift for drift in self._all if drift.what.startswith(EXPERIENCE)]
        self._outcomes = Moves(of_outcomes, [EXPERIENCE + name for name in LAWS])

    def at(self, tick: int) -> Levers:
        """Return what holds during a tick."""
        m, d = len(self._items), len(self._attributes)
        levers = {
            "items": (np.ones((m, d)), np.zeros((m, d))),
            "delay": (np.ones(m), np.zeros(m)),
            "available": (np.ones(m), np.zeros(m)),
        }
        for drift, target in zip(self._drifts, self._targets, strict=True):
            times, add = factors(drift, tick)
            scale, shift = levers[target.what]
            where = (target.items, target.attribute) if target.what == "items" else target.items
            scale[where] *= times
            shift[where] = shift[where] * times + add
        scale, shift = levers["available"]
        return Levers(*levers["items"], *levers["delay"], open=scale + shift >= OPEN)

    def changes(self, since: int, tick: int) -> bool:
        """Tell whether anything is another after one tick and at another."""
        return differ(self._all, since, tick)

    def sentences(self, tick: int) -> list[str]:
        """Say each change that begins, is complete or ends with this tick."""
        return sentences(self._all, tick)

    def experience(self, law: Experience, tick: int) -> Experience:
        """Return how things turn out during a tick; what cannot be negative is 0 at least."""
        self._outcomes.enter(tick)
        moved = {name: self._outcomes.now(EXPERIENCE + name, getattr(law, name)) for name in LAWS}
        held = {name: value if name == "centre" else max(value, 0.0) for name, value in moved.items()}
        return law.model_copy(update=held)

    def _resolve(self, drift: Drift) -> _Target:
        what, _, rest = drift.what.partition(".")
        item, _, attribute = rest.rpartition(".") if what == "items" else (rest, "", "")
        _known(what, get_args(What), drift.what)
        _known(item, (EVERY, *self._items), drift.what)
        if what == "items":
            _known(attribute, self._attributes, drift.what)
        chosen = np.array([item in (EVERY, name) for name in self._items])
        at = self._attributes.index(attribute) if attribute else -1
        return _Target(cast("What", what), chosen, at)


def _known(part: str, names: tuple[str, ...], whole: str) -> None:
    if part not in names:
        problem = f"drift: this world knows no {whole!r}, for it has no {part!r}."
        raise ScenarioError(problem, did_you_mean(part, names))
