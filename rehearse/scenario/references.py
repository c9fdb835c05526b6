"""The files that a scenario names: tables, edge lists, models. They lie in its folder or below.

A scenario may come from anybody, so neither `..` nor an absolute path nor a symbolic link leads out of the
folder of the file that names it. Whoever types a command may name any file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rehearse.errors import ScenarioError
from rehearse.scenario.document import Node, Place
from rehearse.scenario.edit import put

FILES = (("people", "source", "table"), ("people", "society", "graph", "path"), ("policy", "name"))
"""Where a scenario may name a file."""

_MODEL_FILE = re.compile(r"^(?P<path>[^?]+\.(py|skops|pkl|pickle|joblib))(?P<rest>[:?].*)?$")
_NOTHING = Node(None, Place(""))


def with_files(tree: Node, folder: Path, *, confined: bool) -> Node:
    """Return the tree with its files as absolute paths; raises ScenarioError where one is not there.

    Confined, all must lie in the folder or below; else those that options name are counted from it, and
    those that a file names are left as they are.
    """
    for path in FILES:
        node = tree
        for key in path:
            node = node.child(key) or _NOTHING
        found = _file_in(path, node.value)
        if not found or (node.place.written_in_a_file and not confined):
            continue
        file, rest = found
        whole = f"{_inside(node, file, folder, confined=confined)}{rest}"
        tree = put(tree, list(path), Node(whole, node.place))
    return tree


def without_folders(data: dict[str, Any]) -> None:
    """Shorten the files in plain data to their names, in place."""
    for *way, last in FILES:
        part = data
        for key in way:
            part = part.get(key) or {}
        found = _file_in((*way, last), part.get(last))
        if found:
            part[last] = f"{Path(found[0]).name}{found[1]}"


def _file_in(path: tuple[str, ...], value: object) -> tuple[str, str] | None:
    if not isinstance(value, str) or not value or value == "world":
        return None
    if path[0] != "policy":
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
