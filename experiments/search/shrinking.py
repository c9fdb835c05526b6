"""From what was found to the least that still fails, as hypothesis shrinks: always the same way.

Fields go back to what is written, those that matter least first; faults, drifts and the like are taken out;
there are fewer ticks, people and societies; what is still different goes half of the way back, and half of
that, and loses digits. A step is kept where the verdict is still fail, with the scenario's seed and with
two that the search never had. Rounds follow one another until one changes nothing, or the budget is spent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rehearse.errors import ScenarioError
from rehearse.experiments.search.space import value_of
from rehearse.scenario.model import Scenario
from rehearse.scenario.wrong import check

Data = dict[str, Any]
Fails = Callable[[Scenario], bool]
LISTS = (
    "faults",
    "drift",
    "observation",
    "latency",
    "guards",
    "monitors",
    "people.manners",
    "people.segments",
)
"""Of which entries are taken out, where a scenario has any."""
SIZES = {"time.ticks": 1, "people.count": 1, "replicas": 2}
"""What there may be fewer of, and how few: one society allows no interval."""
HALVES = 4
ROUNDS = 3
WHOLE_WAY = 8
"""Tries for a size."""


@dataclass(slots=True)
class Shrinking:
    """A failing scenario on its way to less."""

    data: Data
    written: Data
    """The scenario as it was before the search."""
    fields: list[str]
    """Dotted paths that the search changed, those that matter least first."""
    fails: Fails
    budget: int
    tries: int = field(default=0, init=False)

    def least(self) -> Scenario:
        """Return the least scenario that was found to fail."""
        for _ in range(ROUNDS):
            before = copy.deepcopy(self.data)
            self._reset()
            self._take_out()
            self._fewer()
            self._nearer()
            if self.data == before:
                break
        return _scenario(self.data)

    def _keeps(self, changed: Data) -> bool:
        """Take a change if it still fails; tell whether it does."""
        if self.tries >= self.budget or changed == self.data:
            return False
        self.tries += 1
        try:
            failing = self.fails(_scenario(changed))
        except ScenarioError:
            return False
        if failing:
            self.data = changed
        return failing

    def _reset(self) -> None:
        for path in self.fields:
            self._keeps(_put(self.data, path, value_of(self.written, path)))

    def _take_out(self) -> None:
        for path in LISTS:
            entries = value_of(self.data, path) or []
            if entries and self._keeps(_put(self.data, path, [])):
                self._forget(path, range(len(entries)))
                continue
            for i in reversed(range(len(entries))):
                rest = value_of(self.data, path)
                if self._keeps(_put(self.data, path, rest[:i] + rest[i + 1 :])):
                    self._forget(path, [i])

    def _forget(self, path: str, gone: Iterable[int]) -> None:
        """Call fields of a list by their new places, and drop those of entries that are gone."""
        out = set(gone)
        self.fields = [new for name in self.fields if (new := _renumbered(name, path, out))]
        before = value_of(self.written, path) or []
        self.written = _put(self.written, path, [e for i, e in enumerate(before) if i not in out])

    def _fewer(self) -> None:
        for path, least in SIZES.items():
            high = value_of(self.data, path)
            low = least - 1
            for _ in range(WHOLE_WAY):
                if high - low <= 1:
                    break
                middle = max((low + high) // 2, least) if low >= least else least
                if self._keeps(_put(self.data, path, middle)):
                    high = middle
                else:
                    low = middle

    def _nearer(self) -> None:
        for path in self.fields:
            there, back = value_of(self.data, path), value_of(self.written, path)
            if not _numbers(there):
                continue
            if _numbers(back) and there != back:
                self._halved(path, there, back)
            self._tidied(path)

    def _halved(self, path: str, there: float, back: float) -> None:
        failing, passing = there, back
        for _ in range(HALVES):
            middle: float = (failing + passing) / 2
            middle = round(middle) if isinstance(there, int) else float(f"{middle:.12g}")
            if middle in {failing, passing}:
                return
            if self._keeps(_put(self.data, path, middle)):
                failing = middle
            else:
                passing = middle

    def _tidied(self, path: str) -> None:
        value = value_of(self.data, path)
        for digits in (2, 3):
            tidy = float(f"{value:.{digits}g}") if isinstance(value, float) else value
            if tidy == value or self._keeps(_put(self.data, path, tidy)):
                return


def _scenario(data: Data) -> Scenario:
    return check(Scenario, data)


def _put(data: Data, path: str, value: Any) -> Data:
    """Return a copy with a value at a path; None takes a key out that was not there."""
    made = copy.deepcopy(data)
    *way, last = path.split(".")
    at: Any = made
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if isinstance(at, list):
        at[int(last)] = value
    elif value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return made


def _renumbered(name: str, path: str, gone: set[int]) -> str | None:
    """Return what a field is called once entries of a list are gone; None where it went with one."""
    if not name.startswith(f"{path}."):
        return name
    place, _, rest = name.removeprefix(f"{path}.").partition(".")
    if int(place) in gone:
        return None
    return ".".join(filter(None, [path, str(int(place) - sum(i < int(place) for i in gone)), rest]))


def _numbers(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
