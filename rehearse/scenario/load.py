"""From a name, a file or plain data to a checked Scenario, and back to text.

A scenario is found by its name in the catalogue (`travel`, `travel@1`) or by the path of a YAML file, or
is given as a dict of what such a file holds. It may extend another; files that a file names (tables, edge
lists, models) lie in its own folder or below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearse.errors import NotFoundError, ScenarioError, did_you_mean
from rehearse.scenario.document import MAX_BYTES, Node, Place, node_of, parse, parse_value
from rehearse.scenario.edit import NOWHERE, edited, merged, put
from rehearse.scenario.listing import SUFFIXES, Listed, catalogue, find
from rehearse.scenario.model import Scenario
from rehearse.scenario.references import with_files
from rehearse.scenario.resolved import digest, from_yaml, to_yaml, written
from rehearse.scenario.wrong import check

__all__ = ["Listed", "amended", "catalogue", "digest", "from_yaml", "load", "to_yaml", "written"]

OPTIONS = {"people.count": "--users", "time.ticks": "--ticks", "seed": "--seed", "replicas": "--replicas"}
_LAYERS = 20


def load(
    ref: str | Path | Mapping[str, Any],
    *,
    sets: Sequence[str] = (),
    users: int | str | None = None,
    ticks: int | str | None = None,
    seed: int | str | None = None,
    replicas: int | str | None = None,
) -> Scenario:
    """Return the scenario of a catalogue name, file or dict, with edits (`key=value`), then options, applied.

    Files that a dict names are counted from the present folder. A number may be given as text, as it was
    typed. Raises NotFoundError where there is no such scenario, and ScenarioError where it cannot be used.
    """
    tree = _given(ref) if isinstance(ref, Mapping) else _layered(_find(ref), ())
    tree = edited(tree, sets)
    for (path, option), value in zip(OPTIONS.items(), (users, ticks, seed, replicas), strict=True):
        if value is not None:
            tree = put(tree, path.split("."), parse_value(str(value), f"{option} {value}"))
    tree = with_files(tree, Path.cwd(), confined=False)
    return check(Scenario, tree.plain(), tree=tree)


def amended(scenario: Scenario, sets: Sequence[str]) -> Scenario:
    """Return a scenario with edits (`key=value`) made to it; raises ScenarioError for what is wrong."""
    tree = edited(node_of(scenario.model_dump(mode="json"), Place("")), sets)
    tree = with_files(tree, Path.cwd(), confined=False)
    return check(Scenario, tree.plain(), tree=tree)


def _find(ref: str | Path) -> Path:
    if isinstance(ref, Path) or Path(ref).suffix in SUFFIXES or "/" in ref or "\\" in ref:
        return _existing(Path(ref))
    return find(ref)


def _existing(path: Path) -> Path:
    if path.is_dir():
        problem = f"{str(path)!r} is a folder, not a scenario."
        raise NotFoundError(problem, f"Give the YAML file, such as {path / 'scenario.yaml'}.")
    if not path.is_file():
        problem = f"there is no file {str(path)!r}."
        near = [p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES] if path.parent.is_dir() else []
        raise NotFoundError(problem, did_you_mean(path.name, near) if near else "Check the path.")
    return path


def _layered(path: Path, above: tuple[Path, ...]) -> Node:
    here = path.resolve()
    if here in above or len(above) >= _LAYERS:
        chain = " → ".join(p.name for p in (*above, here))
        problem = f"{path}: the scenarios extend each other in a circle or too deeply: {chain}."
        raise ScenarioError(problem, "Take out one `extends:`.")
    tree = parse(_read(path), str(path))
    if not isinstance(tree.value, dict):
        problem = f"{tree.place}: a scenario is a map of keys and values, found {_kind(tree)}."
        raise ScenarioError(problem, "Begin with `name:`, as `rehearse show travel --resolved` does.")
    own = with_files(tree, path.parent, confined=True)
    return _extending(own, path.parent, (*above, here))


def _given(data: Mapping[str, Any]) -> Node:
    return _extending(node_of(dict(data), Place("")), Path.cwd(), ())


def _extending(own: Node, folder: Path, above: tuple[Path, ...]) -> Node:
    base = own.child("extends")
    below = NOWHERE if base is None else _layered(_base(base, folder), above)
    return merged(below.without("about"), own.without("extends"))


def _base(node: Node, folder: Path) -> Path:
    ref = node.value
    if not isinstance(ref, str):
        problem = f"{node.place}: extends names a scenario, found {node.plain()!r}."
        raise ScenarioError(problem, "Write a catalogue name, or the path of a YAML file from here.")
    try:
        return _find(folder / ref if Path(ref).suffix in SUFFIXES else ref)
    except NotFoundError as error:
        problem = f"{node.place}: extends: {error.problem}"
        raise ScenarioError(problem, error.remedy) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"{str(path)!r} could not be read: {error.strerror}."
        raise ScenarioError(problem, "Check the path and its permissions.") from None


def _kind(tree: Node) -> str:
    return "a list" if isinstance(tree.value, list) else repr(tree.value)
