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

EACH, PART = "*", "a part"
PARTS = frozenset(
    ("champion", "challenger", "live", "candidate", "current", "previous", "policy", "first", "then")
)
"""Settings in which policies made of others name their parts."""
DEEPEST = 8
"""So many policies may stand in one another, and their files are still found."""
FILES = (
    ("people", "source", "table"),
    ("people", "society", "graph", "path"),
    ("people", "society", "layers", EACH, "path"),
    ("people", "society", "rules", EACH, "name"),
    ("people", "model"),
    ("world", "name"),
    ("policy", "name"),
    ("world", "settings", "items", "table"),
    *(("policy", *("settings", PART) * n, *end) for n in range(1, DEEPEST) for end in ((), ("name",))),
)
"""Where a scenario may name a file; `EACH` stands for every entry, `PART` for each that is one of `PARTS`."""

_MODEL_FILE = re.compile(
    r"^(?!\w[\w+-]+:)(?P<path>[^?]+\.(py|skops|onnx|pkl|pickle|joblib))(?P<rest>[:?].*)?$"
)
"""A file and what follows it; an address (`exec:python model.py`, `http://…`) is none."""


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
    found = [(key, child) for key in _keys(node.value, first) if (child := node.child(key)) is not None]
    return [([str(key), *way], end) for key, child in found for way, end in _named(child, tuple(rest))]


def _keys(value: Any, key: str) -> list[Key]:
    """Return which keys of a map or a list one step of a path means."""
    if isinstance(value, list):
        return list(range(len(value))) if key == EACH else []
    if not isinstance(value, dict):
        return []
    return [one for one in value if key in {EACH, one} or (key == PART and one in PARTS)]


def without_folders(data: dict[str, Any]) -> None:
    """Shorten the files in plain data to their names, in place."""
    for path in FILES:
        for part, last in _ends([data], path):
            found = _file_in(path, part[last])
            if found:
                part[last] = f"{Path(found[0]).name}{found[1]}"


def _ends(inner: list[Any], path: tuple[str, ...]) -> list[tuple[Any, Key]]:
    """Return the maps in which the last key of a path stands, with that key."""
    first, *rest = path
    found = [(each, key) for each in inner for key in _keys(each, first)]
    return _ends([each[key] for each, key in found], tuple(rest)) if rest else found


def _file_in(path: tuple[str, ...], value: object) -> tuple[str, str] | None:
    if not isinstance(value, str) or not value or value == "world":
        return None
    if path[-1] not in {"name", "model", PART}:
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
