"""Adding scenarios to a catalogue of one's own, retiring them, and what differs between two.

A scenario that is changed gets a new version: NAME.yaml is the newest, and NAME@VERSION.yaml are those
before it, so that what was judged by them can be judged again. Nothing is deleted.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from rehearse.errors import OutputError, ScenarioError, UserError
from rehearse.scenario.document import parse
from rehearse.scenario.listing import Listed, catalogue, find, own, packaged
from rehearse.scenario.load import digest, load, written
from rehearse.scenario.model import Scenario
from rehearse.scenario.references import without_folders
from rehearse.scenario.resolved import data_of
from rehearse.tables import write_text

WIDTH = 100
FINGERPRINT = 12
_BLOCK = re.compile(r"^about:.*\n(?:[ \t]+.*\n|\n(?=[ \t]))*", re.MULTILINE)


def add(file: Path, said: Mapping[str, Any], folder: Path | None = None) -> Path:
    """Put a scenario into the catalogue as its newest version, and return where it lies.

    `said` are entries of `about` (owner, rationale, risk, …) besides those of the file. Raises UserError
    where it has no name, owner or rationale, is there already, or reads files that would not be found there.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    scenario, where = load(file), own(folder)
    top = parse(text, str(file)).plain()
    if "name" not in top:
        problem = f"{file}: the scenario has no name of its own, only that of {top.get('extends')!r}."
        raise ScenarioError(problem, "Write name: … at the top.")
    about = {**(top.get("about") or {}), **said}
    _must_say(file, about)
    _can_be_written(where)
    there = [entry for entry in catalogue(folder, retired=True) if entry.name == scenario.name]
    _must_be_new(scenario, there)
    version = max([scenario.version, *(entry.version + 1 for entry in there)])
    where.mkdir(parents=True, exist_ok=True)
    target = where / f"{scenario.name}.yaml"
    aside = target.with_suffix(".part")
    write_text(aside, with_about(_versioned(text, version), said))
    _must_be_the_same(scenario, aside, version)
    if target.is_file():
        before = parse(target.read_bytes(), str(target)).plain().get("version", 1)
        target.rename(target.with_name(f"{scenario.name}@{before}.yaml"))
    aside.replace(target)
    return target


def retire(name: str, because: str, folder: Path | None = None) -> Path:
    """Mark a scenario as no longer used, and return its file; it stays, with the reason, and loads."""
    if not because.strip():
        problem = f"{name} is retired without a reason."
        raise UserError(problem, 'Say why: --because "…".')
    file = find(name, folder)
    if file.parent.resolve() != own(folder).resolve():
        problem = f"{name} comes with Rehearse and is not yours to retire."
        raise UserError(problem, "Leave it out where you do not want it: --only.")
    _can_be_written(file.parent)
    told(file, {"retired": because.strip()})
    return file


def stamp(entry: Listed, today: date) -> None:
    """Write into a scenario that it was looked at today, and as what."""
    _can_be_written(entry.file.parent)
    told(entry.file, {"last_audited": today, "audited_as": fingerprint(load(entry.file))})


def fingerprint(scenario: Scenario) -> str:
    """Return the beginning of a digest of what a scenario asks for, words and defaults left out."""
    words = {"about", "title", "description", "extends"}
    data = scenario.model_dump(mode="json", exclude_defaults=True, exclude=words)
    without_folders(data)
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:FINGERPRINT]


def differences(a: str, b: str) -> list[tuple[str, Any, Any]]:
    """Return the fields in which two scenarios differ once they are resolved: path, value in a, value in b.

    A scenario is a name, name@version or file. What one of them does not have is None.
    """
    left, right = (dict(_flat(data_of(load(ref)))) for ref in (a, b))
    paths = [*left, *(path for path in right if path not in left)]
    return [(p, left.get(p), right.get(p)) for p in paths if left.get(p) != right.get(p)]


def told(file: Path, said: Mapping[str, Any]) -> None:
    """Change what a file says about its scenario, and nothing else in it."""
    write_text(file, with_about(file.read_text(encoding="utf-8"), said))


def with_about(text: str, said: Mapping[str, Any]) -> str:
    """Return the text of a scenario whose `about` says this too; what else stands there stays as it is."""
    whole = text if text.endswith("\n") else f"{text}\n"
    found = _BLOCK.search(whole)
    if found is None:
        head, gap, rest = whole.partition("\n\n")
        block = "about:\n" + "".join(_lines(said))
        return f"{head.rstrip()}\n\n{block}\n{rest}" if gap else f"{whole}\n{block}"
    block = found.group()
    if not block.startswith("about:\n"):  # between brackets
        said = {**parse(block, "about").plain()["about"], **said}
        block = "about:\n"
    for name, value in said.items():
        block = re.sub(rf"^  {name}:.*\n(?:    .*\n)*", "", block, flags=re.MULTILINE)
        block = f"{block.rstrip()}\n{_lines({name: value})}"
    return f"{whole[: found.start()]}{block}\n{whole[found.end() :].lstrip()}"


def _lines(about: Mapping[str, Any]) -> str:
    lines: list[str] = []
    for name, value in about.items():
        if isinstance(value, str) and len(value) > WIDTH:
            lines += [f"  {name}: >-", *(f"    {line}" for line in textwrap.wrap(value, WIDTH))]
        else:
            plain = f"{name}: {value}\n" if isinstance(value, date) else written({name: value})
            lines += [f"  {line}" for line in plain.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _versioned(text: str, version: int) -> str:
    line = f"version: {version}"
    if re.search(r"^version:", text, re.MULTILINE):
        return re.sub(r"^version:.*$", line, text, count=1, flags=re.MULTILINE)
    return re.sub(r"^(name:.*)$", rf"\1\n{line}", text, count=1, flags=re.MULTILINE)


def _must_say(file: Path, about: Mapping[str, Any]) -> None:
    missing = [name for name in ("owner", "rationale") if not about.get(name)]
    if missing:
        problem = f"{file}: the catalogue must know {' and '.join(missing)}."
        wanted = " ".join(f'--{name} "…"' for name in missing)
        raise UserError(problem, f"Write it under about:, or give {wanted}.")


def _must_be_new(scenario: Scenario, there: list[Listed]) -> None:
    for entry in there:
        before = load(entry.file).model_copy(update={"version": scenario.version})
        if fingerprint(before) == fingerprint(scenario):
            problem = f"{entry.name}@{entry.version} of the catalogue is the same scenario."
            raise UserError(problem, f"It lies in {entry.file}.")


def _must_be_the_same(scenario: Scenario, aside: Path, version: int) -> None:
    """Raise UserError where a scenario is no more what it was, now that it lies somewhere else."""
    wanted = digest(scenario.model_copy(update={"version": version}))
    try:
        found = digest(load(aside))
    except UserError as error:
        aside.unlink()
        raise type(error)(error.problem, f"Put what it names beside it, into {aside.parent}.") from None
    if found != wanted:
        aside.unlink()
        problem = (
            f"{scenario.name} would be another scenario in {aside.parent}: it names files by where it lies."
        )
        raise ScenarioError(problem, f"Put those into {aside.parent} first.")


def _can_be_written(folder: Path) -> None:
    if folder.resolve() == packaged().resolve() and "site-packages" in folder.resolve().parts:
        problem = f"{str(folder)!r} holds the scenarios that come with Rehearse, which stay as they are."
        raise OutputError(problem, "Keep your own in ./catalogue, or --catalogue DIR.")


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict | list) or not value:
        yield path, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _flat(inner, f"{path}.{key}".lstrip("."))
