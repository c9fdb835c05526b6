"""Skeletons: a scenario, world or policy that works as it is, and a test that holds it to the contract."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from rehearse.errors import OutputError, UserError

Kind = Literal["scenario", "world", "policy"]

TEMPLATES: dict[Kind, dict[str, str]] = {
    "scenario": {"scenario.yaml": "$name.yaml", "test_scenario.py": "test_$name.py"},
    "world": {"world.py": "$name.py", "test_world.py": "test_$name.py"},
    "policy": {"policy.py": "$name.py", "test_policy.py": "test_$name.py"},
}
"""For each kind: the templates, and what the files made of them are called."""


def write(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Write the files of a skeleton and return their paths; raises OutputError where one is there already."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
        problem = f"{name!r} cannot be the name of a {kind}."
        raise UserError(problem, "Use small letters, digits and underscores, beginning with a letter.")
    words = {"name": name, "title": name.replace("_", " "), "Name": name.title().replace("_", "")}
    made = {
        folder / Template(target).substitute(words): Template(_text(source)).substitute(words)
        for source, target in TEMPLATES[kind].items()
    }
    taken = [path for path in made if path.exists()]
    if taken:
        problem = f"{str(taken[0])!r} is already there."
        raise OutputError(problem, "Choose another name, or another folder with --out.")
    _write_all(made, folder)
    return list(made)


def _text(source: str) -> str:
    return files("rehearse.experiments").joinpath("templates", f"{source}.txt").read_text(encoding="utf-8")


def _write_all(made: dict[Path, str], folder: Path) -> None:
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in made.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        problem = f"{str(error.filename or folder)!r} could not be written: {error.strerror}."
        raise OutputError(problem, "Choose a folder that can be written, with --out.") from error
