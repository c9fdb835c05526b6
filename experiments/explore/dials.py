"""The dials of a scenario: the numbers in it that can be turned, each between sensible bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rehearse.scenario.model import Scenario

ALWAYS = ("people.count", "seed")
SHOWN = ("people.behaviour", "people.memory", "people.society", "policy.settings", "slate")
"""Where dials are looked for; of behaviour and memory only what the scenario itself sets."""
STEPS = 100
MOST_SHOWN = 2000
"""People at most: a society is explored small."""


@dataclass(frozen=True, slots=True)
class Dial:
    """One number of a scenario."""

    path: str
    value: float
    low: float
    high: float
    step: float
    whole: bool

    @property
    def label(self) -> str:
        """Return the path without the words that stand before every dial of its kind."""
        return self.path.removeprefix("people.").replace("_", " ")


def dials(scenario: Scenario) -> list[Dial]:
    """Return the dials of a scenario, people and seed first."""
    people = min(scenario.people.count, MOST_SHOWN)
    first = [
        Dial("people.count", people, max(10, people // 10), max(100, 2 * people), 10, whole=True),
        Dial("seed", scenario.seed, 0, max(100, 2 * scenario.seed), 1, whole=True),
    ]
    found = [
        _dial(path, value, field)
        for path, value, field in _numbers(scenario, "")
        if path.startswith(SHOWN) and path not in ALWAYS
    ]
    return first + found


def _numbers(
    part: Any, path: str, field: FieldInfo | None = None
) -> Iterator[tuple[str, Any, FieldInfo | None]]:
    """Go over all numbers that were written, each with its path and what its schema says of it."""
    if isinstance(part, BaseModel):
        known = type(part).model_fields
        for name in sorted(part.model_fields_set, key=list(known).index):
            yield from _numbers(getattr(part, name), f"{path}.{name}".lstrip("."), known[name])
    elif isinstance(part, dict):
        for name, value in part.items():
            yield from _numbers(value, f"{path}.{name}")
    elif isinstance(part, tuple | list):
        for place, value in enumerate(part):
            yield from _numbers(value, f"{path}.{place}")
    elif isinstance(part, int | float) and not isinstance(part, bool):
        yield path, part, field


def _dial(path: str, value: float, field: FieldInfo | None) -> Dial:
    low, high, above = _bound(field, "ge"), _bound(field, "le"), _bound(field, "gt")
    whole = isinstance(value, int) and (field is None or field.annotation is not float)
    reach = max(2.0 * abs(value), 4.0) if whole else 2.0 * abs(value) or 1.0
    high = min(high, max(reach, 1.0)) if high is not None else reach
    if low is None:
        low = min(0.0, 2.0 * value) if above is None else above + high / STEPS
    if whole:
        even = path.endswith("graph.degree")  # a ring needs as many friends on either side
        return Dial(path, value, 2 if even else int(low), int(high), 2 if even else 1, whole=True)
    return Dial(path, float(value), low, high, (high - low) / STEPS, whole=False)


def _bound(field: FieldInfo | None, word: str) -> float | None:
    said = [getattr(each, word) for each in (field.metadata if field else ()) if hasattr(each, word)]
    return said[0] if said else None
