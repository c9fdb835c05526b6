"""The space of a search: fields of a scenario, each with a range or a list, as a unit cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rehearse.errors import ScenarioError
from rehearse.experiments import composition
from rehearse.experiments.sweep.designs import value_at
from rehearse.policies.loading import pinned
from rehearse.scenario.axes import Axis, Space
from rehearse.scenario.document import Place, node_of, parse, parse_value
from rehearse.scenario.edit import put
from rehearse.scenario.model import Scenario
from rehearse.scenario.references import with_files
from rehearse.scenario.wrong import check

Point = tuple[float, ...]
"""A number from 0 to 1 for each field."""
Values = dict[str, Any]
"""By dotted path."""
POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Room:
    """The scenario as it is written, and the fields that a search may change."""

    base: Scenario
    axes: dict[str, Axis | tuple[Any, ...]]

    def values(self, point: Point) -> Values:
        """Return the values of the fields at a point."""
        return {name: value_at(axis, u) for (name, axis), u in zip(self.axes.items(), point, strict=True)}

    @property
    def choices(self) -> tuple[int, ...]:
        """Return for each field how many values it is one of; 0 for a range."""
        return tuple(0 if isinstance(axis, Axis) else len(axis) for axis in self.axes.values())

    def scenario(self, values: Mapping[str, Any]) -> Scenario:
        """Return the scenario with some fields changed; raises ScenarioError where that makes no sense."""
        tree = node_of(self.base.model_dump(mode="json", exclude={"search"}), Place(""))
        for path, value in values.items():
            if path != POLICY or not isinstance(value, str):
                tree = put(tree, path.split("."), node_of(value, Place(f"search: {path}")))
        made = check(Scenario, with_files(tree, Path.cwd(), confined=False).plain(), tree=tree)
        asked = values.get(POLICY)
        made = composition.with_policy(made, asked) if isinstance(asked, str) else made
        return made.model_copy(update={POLICY: pinned(made.policy)})

    def written(self, path: str) -> Any:
        """Return what stands at a path in the scenario as it is written; None where nothing does."""
        return value_of(self.base.model_dump(mode="json"), path)


def room(base: Scenario, more: Mapping[str, Any] | None = None, origin: str | None = None) -> Room:
    """Return the space that a scenario declares, with fields added or replaced by `more`.

    Raises ScenarioError where there is none, or a field is not one of a scenario; `origin` is the file whose
    line it then names.
    """
    axes: dict[str, Axis | tuple[Any, ...]] = dict(base.search or {})
    data = base.model_dump(mode="json")
    axes |= {path: _axis(path, given, value_of(data, path)) for path, given in (more or {}).items()}
    if not axes:
        problem = f"the scenario {base.name!r} does not say where to search."
        remedy = "Declare `search: {people.count: {range: [10, 100], whole: true}}`, or give --axis."
        raise ScenarioError(problem, remedy)
    found, lines = Room(base, axes), _lines(origin)
    for path, axis in axes.items():
        try:
            _must_fit(found, path, axis)
        except ScenarioError as error:
            where = "" if path in (more or {}) else lines.get(path, "")
            raise ScenarioError(where + error.problem, error.remedy) from None
    return found


def _lines(origin: str | None) -> dict[str, str]:
    """Return where the fields of a file's space are written, as the beginning of a message."""
    path = Path(origin or "")
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        return {}
    given = parse(path.read_bytes(), str(path)).child("search")
    fields = given.value if given is not None and isinstance(given.value, dict) else {}
    return {name: f"{node.place}: " for name, node in fields.items()}


def typed(text: str) -> tuple[str, Any]:
    """Return path and range of `--axis path=[low, high]` (or {range: …}, {log: …}, {values: […]})."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        problem = f"--axis {text}: this is not of the form PATH=RANGE."
        raise ScenarioError(problem, "Write, for example, --axis 'people.behaviour.outside=[0.2, 0.6]'.")
    return path.strip(), parse_value(value, f"--axis {text}").plain()


def value_of(data: Any, path: str) -> Any:
    """Return what stands at a dotted path in plain data; None where nothing does."""
    for key in path.split("."):
        if isinstance(data, list):
            data = data[int(key)] if key.isdecimal() and int(key) < len(data) else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return data


def _axis(path: str, given: Any, as_written: Any) -> Axis | tuple[Any, ...]:
    """Return a field's range; [low, high] alone stays whole where what is written is a whole number."""
    numbers = isinstance(given, Sequence) and len(given) == 2 and all(_is_number(v) for v in given)
    if isinstance(given, Mapping) and set(given) == {"values"}:
        given = list(given["values"])
    elif numbers:
        given = {"range": list(given)} | {"whole": type(as_written) is int}
    given = given.model_dump(exclude_none=True) if isinstance(given, Axis) else given
    try:
        return TypeAdapter(Space).validate_python({path: given})[path]
    except ValidationError as error:
        problem = f"search: {path}: {error.errors()[0]['msg']}, found {given!r}."
        raise ScenarioError(
            problem, "Write [low, high], {range: [0, 1]}, {log: [0.1, 10]} or a list."
        ) from None


def _must_fit(found: Room, path: str, axis: Axis | tuple[Any, ...]) -> None:
    """Refuse a field that cannot be changed whatever the others are: neither end of it makes a scenario."""
    first: ScenarioError | None = None
    for end in (0.0, 1.0, 0.5):
        try:
            found.scenario({path: value_at(axis, end)})
        except ScenarioError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
