"""The files that a scenario names: tables, edge lists, models. They lie in its folder or below.

A scenario may come from anybody, so neither `..` nor an absolute path nor a symbolic link leads out of the
folder of the file that names it. Whoever types a command may name any file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rehearse.errors import ScenarioError
from rehearse.scenario.document import Key, Node
from rehearse.scenario.edit import put

EACH = "*"
FILES = (
    ("people", "source", "table"),
    ("people", "society", "graph", "path"),
    ("people", "society", "layers", EACH, "path"),
    ("people", "society", "rules", EACH, "name"),
    ("people", "model"),
    ("world", "name"),
    ("policy", "name"),
    ("world", "settings", "items", "table"),
)
"""Where a scenario may name a file; `EACH` stands for every entry."""

_MODEL_FILE = re.compile(r"^(?P<path>[^?]+\.(py|skops|pkl|pickle|joblib))(?P<rest>[:?].*)?$")


def with_files(tree: Node, folder: Path, *, confined: bool) -> Node:
    """Return the tree with its files as absolute paths; raises ScenarioError where one is not there.

    Confined, all must lie in the folder or below; else those that options name are counted from it, and
    those that a file names are left as they are.
    """
    for path in FILES:
        for way, node in _named(tree, path):
            found = _file_in(path, node.value)
            if not found or (node.place.written_in_a_file and not confined):
                continue
            file, rest = found
            whole = f"{_inside(node, file, folder, confined=confined)}{rest}"
            tree = put(tree, way, Node(whole, node.place))
    return tree


def _named(node: Node, path: tuple[str, ...]) -> list[tuple[list[str], Node]]:
    """Return what stands at a path, with the way to it; several where entries of any name are meant."""
    if not path:
        return [([], node)]
    first, *rest = path
    keys: list[Key] = [first]
    if first == EACH:
        keys = list(node.value) if isinstance(node.value, dict) else []
        keys = list(range(len(node.value))) if isinstance(node.value, list) else keys
    found = [(key, child) for key in keys if (child := node.child(key)) is not None]
    return [([str(key), *way], end) for key, child in found for way, end in _named(child, tuple(rest))]


def without_folders(data: dict[str, Any]) -> None:
    """Shorten the files in plain data to their names, in place."""
    for path in FILES:
        for part, last in _parts([data], path):
            found = _file_in(path, part.get(last))
            if found:
                part[last] = f"{Path(found[0]).name}{found[1]}"


def _parts(parts: list[Any], path: tuple[str, ...]) -> list[tuple[dict[str, Any], str]]:
    """Return the maps in which the last key of a path stands."""
    *way, last = path
    for key in way:
        if key == EACH:
            parts = [each for part in parts for each in (part.values() if isinstance(part, dict) else part)]
        else:
            parts = [part.get(key) or {} for part in parts]
    return [(part, last) for part in parts if isinstance(part, dict)]


def _file_in(path: tuple[str, ...], value: object) -> tuple[str, str] | None:
    if not isinstance(value, str) or not value or value == "world":
        return None
    if path[-1] not in ("name", "model"):
        return value, ""
    match = _MODEL_FILE.match(value)
    return (match["path"], match["rest"] or "") if match else None


def _inside(node: Node, file: str, folder: Path, *, confined: bool) -> Path:
    whole = (folder / file).resolve()
    if confined and not whole.is_relative_to(folder.resolve()):
        problem = f"{node.place}: {file!r} leads to {str(whole)!r}, out of the scenario's folder."
        remedy = "Put the file beside the scenario, or name it on the command line (--data, --policy, --set)."
        raise ScenarioError(problem, remedy)
    if not whole.is_file():
        problem = f"{node.place}: there is no file {str(whole)!r}."
        start = "the folder of the file that names them" if confined else "the folder you are in"
        raise ScenarioError(problem, f"Paths are counted from {start}.")
    return whole
