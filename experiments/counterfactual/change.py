"""The one thing that is otherwise, as it is asked for, and the scenario that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearse.errors import UserError
from rehearse.scenario.load import amended
from rehearse.scenario.model import Scenario
from rehearse.scenario.wrong import check

INSTEAD = re.compile(r"\s*([A-Za-z][\w.\-]*)\s*(=|\*|\+|-)\s*(\S+)\s*")
"""`income=50000`, `income*1.1`, `income+100`, `group=blue`."""
TIE = re.compile(r"\s*(\d+)\s*-\s*(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Change:
    """What is otherwise in the second run; what is not given stays."""

    flip: Sequence[str] = ()
    """`group` or `segment`, of which there are two, or a trait that is 0 or 1."""
    instead: Sequence[str] = ()
    """What everybody has instead: `income*1.1`, `group=blue`."""
    without: Sequence[str] = ()
    """Paths of a scenario that are taken out: `faults.0`, `drift.1`, `people.strategy`."""
    without_ties: Sequence[str] = ()
    """Pairs of people who do not know each other: `12-57`."""
    sets: Sequence[str] = ()
    """Any other change: `key=value`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The same, as values by dotted path."""

    @property
    def said(self) -> str:
        """Return the change in words."""
        parts = [f"{what} flipped" for what in self.flip]
        parts += [*self.instead, *(f"without {path}" for path in self.without)]
        parts += [f"without the tie {tie}" for tie in self.without_ties]
        parts += [*self.sets, *(f"{path}={value}" for path, value in self.settings.items())]
        return ", ".join(parts)

    @property
    def sources(self) -> list[int]:
        """Return the people who were changed, where these are single ones."""
        return [person for tie in self.without_ties for person in _pair(tie)]

    def of(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the change; raises UserError where it has nothing of the kind."""
        if not self.said:
            problem = "nothing is to be otherwise."
            raise UserError(
                problem, "Say what: --flip group, --without faults.0, --without-tie 12-57, --set …"
            )
        changed = amended(scenario, self.sets) if self.sets else scenario
        data = changed.model_dump(mode="json")
        for path, value in self.settings.items():
            _put(data, path, value)
        for path in sorted(self.without, key=_numbered, reverse=True):  # the last of a list first
            _take_out(data, path)
        data["people"]["instead"] += [{"what": what, "flip": True} for what in self.flip]
        data["people"]["instead"] += [_instead(text) for text in self.instead]
        data["people"]["society"]["apart"] += [_pair(tie) for tie in self.without_ties]
        return check(Scenario, data)


def _numbered(path: str) -> list[tuple[int, str]]:
    """Return what sorts paths so that `faults.10` comes after `faults.9`."""
    return [(int(key), "") if key.isdigit() else (-1, key) for key in path.split(".")]


def _instead(text: str) -> dict[str, Any]:
    found = INSTEAD.fullmatch(text)
    if found is None:
        problem = f"{text!r} does not say what people have instead."
        raise UserError(problem, "Write it like income=50000, income*1.1, income+100 or group=blue.")
    what, sign, said = found.groups()
    if sign == "=" and _number(said) is None:
        return {"what": what, "value": said}
    number = _number(said)
    if number is None:
        problem = f"{text!r}: {said!r} is no number."
        raise UserError(problem, "Write it like income*1.1.")
    return {"what": what} | {"=": {"value": number}, "*": {"times": number}}.get(
        sign, {"add": -number if sign == "-" else number}
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _pair(text: str) -> list[int]:
    found = TIE.fullmatch(str(text))
    if found is None:
        problem = f"{text!r} is no tie."
        raise UserError(problem, "Write the ids of two people: 12-57.")
    return [int(number) for number in found.groups()]


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    place = _at(data, above, path)
    if isinstance(place, list):
        place[_index(place, last, path)] = value
    else:
        place[last] = value


def _take_out(data: dict[str, Any], path: str) -> None:
    *above, last = path.split(".")
    place = _at(data, above, path)
    if isinstance(place, list):
        del place[_index(place, last, path)]
    elif place.get(last) in (None, [], {}):
        problem = f"the scenario has no {path} that could be left out."
        raise UserError(problem, f"There is {', '.join(key for key, value in place.items() if value)}.")
    else:
        del place[last]


def _at(data: Any, keys: Sequence[str], path: str) -> Any:
    for key in keys:
        if isinstance(data, list):
            data = data[_index(data, key, path)]
        elif isinstance(data, dict) and data.get(key) is not None:
            data = data[key]
        else:
            problem = f"the scenario has no {path}: there is no {key!r}."
            raise UserError(problem, "Look at it with `rehearse show SCENARIO --resolved`.")
    return data


def _index(there: list[Any], key: str, path: str) -> int:
    if not key.isdecimal() or int(key) >= len(there):
        entries = (
            f"the list has {len(there)} entries, the first of which is 0" if there else "the list is empty"
        )
        problem = f"the scenario has no {path}: {entries}."
        raise UserError(problem, "Look at it with `rehearse show SCENARIO --resolved`.")
    return int(key)
