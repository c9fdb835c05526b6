"""What is left of a failure, as a scenario for the catalogue: what differs, and its story."""

from __future__ import annotations

import json
import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearse.experiments.search.aims import bound_of, told
from rehearse.experiments.search.trials import Outcome
from rehearse.scenario.load import load, to_yaml, written
from rehearse.scenario.model import Part, Scenario
from rehearse.scenario.people import Distribution
from rehearse.scenario.resolved import data_of
from rehearse.scenario.schema import keys_of, part_of
from rehearse.tables import write_text

FILE = "found.yaml"
WIDTH = 108
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""Words that stand in YAML without quotes."""
OWN = ("name", "version", "title", "description", "about", "criteria", "search")
"""What the new scenario says itself."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The least scenario that still fails."""

    scenario: Scenario
    outcome: Outcome
    file: Path
    tries: int
    """Changes that were tried."""
    before: tuple[int, int, int]
    """Ticks, people and societies of what was found."""
    others: tuple[int, int]
    """With how many of so many other seeds it fails."""

    def lines(self) -> list[str]:
        """Return what is left, as lines to print."""
        now = sizes(self.scenario)
        fewer = ", ".join(
            f"{name} {a:,} → {b:,}"
            for name, a, b in zip(("ticks", "people", "societies"), self.before, now, strict=True)
        )
        fails, of = self.others
        return [
            f"Shrunk in {self.tries} steps tried ({fewer}). It fails with {fails} of {of} other seeds.",
            f"Scenario: {self.file}",
        ]


def sizes(scenario: Scenario) -> tuple[int, int, int]:
    """Return ticks, people and societies."""
    return scenario.time.ticks, scenario.people.count, scenario.replicas


def write(
    folder: Path, least: Scenario, outcome: Outcome, origin: str | None, story: str, *, policy: str | None
) -> Path:
    """Write a scenario that extends the one it came from, where that has a name or file; return its file.

    A `policy` that was asked for instead of the scenario's own is left to whoever runs it.
    """
    own = _own(least, outcome, story)
    path = folder / FILE
    if origin is not None:
        base = load(origin)
        wanted = least.model_copy(update={"policy": base.policy}) if policy else least
        ref = os.path.relpath(origin, folder) if Path(origin).suffix in {".yaml", ".yml"} else origin
        lean = wanted.model_dump(mode="json", exclude_defaults=True)
        changes = differences(data_of(base), data_of(wanted), lean)
        gone = {"search": None} if base.search else {}
        rest = {key: value for key, value in changes.items() if key not in OWN}
        said = {"extends": ref, "about": _about(base)} | rest | {"criteria": _criteria(outcome)} | gone
        write_text(path, _text(own, said))
        if _same(load(path), wanted):
            return path
    write_text(
        path, to_yaml(least.model_copy(update=own | {"criteria": (outcome.criterion,), "search": None}))
    )
    return path


def differences(old: Any, new: Any, lean: Any, kind: Any = Scenario) -> Any:
    """Return the layer that makes a new scenario of an old one, both as plain data.

    `lean` is the new one without what is as usual; None where all of it is.
    """
    if not isinstance(new, dict) or not isinstance(old, dict) or _whole(old, new, kind):
        return new if lean is None else lean
    found = {
        key: differences(old.get(key), value, lean.get(key) if lean else None, part_of(kind, key))
        for key, value in new.items()
        if key not in old or old[key] != value
    }
    return found | {key: None for key in old if key not in new}


def _whole(old: dict[str, Any], new: dict[str, Any], kind: Any) -> bool:
    if keys_of(kind) == tuple(Distribution.model_fields):
        return True
    return keys_of(kind) == tuple(Part.model_fields) and old.get("name") != new.get("name")


def _own(least: Scenario, outcome: Outcome, story: str) -> dict[str, str]:
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", f"{least.name}-breaks-{told(outcome.criterion)}").strip("-")
    title = f"Where {least.name} fails: {bound_of(outcome.criterion)}"
    return {"name": name[:80], "title": title, "description": story}


def _about(base: Scenario) -> dict[str, Any]:
    """Return what a catalogue says of the new scenario: as of the original, and that it is hostile."""
    kept = (
        {}
        if base.about is None
        else base.about.model_dump(include={"category", "owner", "risk"}, mode="json")
    )
    given = {key: value for key, value in kept.items() if value}
    return given | {
        "layer": "hostile",
        "rationale": f"A search for failure in {base.name} found it.",
        "suites": ["stress"],
    }


def _criteria(outcome: Outcome) -> list[dict[str, Any]]:
    return [outcome.criterion.model_dump(mode="json", exclude_defaults=True)]


def _text(own: dict[str, str], rest: dict[str, Any]) -> str:
    folded = textwrap.wrap(own["description"], WIDTH, break_long_words=False, break_on_hyphens=False)
    head = {"name": own["name"], "version": 1, "title": own["title"]}
    story = "".join(f"  {line}\n" for line in folded)
    return f"{written(head)}description: >-\n{story}{_layer(rest)}"


def _layer(data: dict[str, Any], indent: str = "") -> str:
    """Return plain data as YAML in which a map that fits stands in a line."""
    lines = []
    for key, value in data.items():
        flow = f"{indent}{_flow(key)}: {_flow(value)}\n"
        if len(flow) <= WIDTH or not isinstance(value, dict | list) or not value:
            lines.append(flow)
        elif isinstance(value, dict):
            lines.append(f"{indent}{_flow(key)}:\n{_layer(value, indent + '  ')}")
        else:
            entries = "".join(f"{indent}  - {_flow(entry)}\n" for entry in value)
            lines.append(f"{indent}{_flow(key)}:\n{entries}")
    return "".join(lines)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in {"true", "false", "null"}:
        return value
    return json.dumps(value, ensure_ascii=False)


def _same(one: Scenario, other: Scenario) -> bool:
    ours, theirs = data_of(one), data_of(other)
    return all(ours.get(key) == theirs.get(key) for key in ours.keys() | theirs.keys() if key not in OWN)
