"""Changing a scenario before it is checked: layers (`extends:`) and edits (`--set key=value`).

Maps are merged key by key. A list replaces the list below it, unless its key ends in `+`
(`drift+:`), which adds to that list. A distribution replaces the one below as a whole, and so do a
world's or policy's settings when its name changes: half of one and half of the other means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.scenario.document import Node, Place, node_of, parse_value
from rehearse.scenario.model import Part, Scenario
from rehearse.scenario.people import Distribution
from rehearse.scenario.schema import default_of, is_list, keys_of, part_of
from rehearse.scenario.wrong import check


def merged(below: Node, above: Node, kind: Any = Scenario) -> Node:
    """Return a layer laid over another."""
    if not isinstance(above.value, dict):
        return above
    under = below.value if isinstance(below.value, dict) and not _replaces(below, above, kind) else {}
    out = dict(under)
    for key, node in above.value.items():
        name = key.removesuffix("+")
        old = out.get(name)
        if key.endswith("+"):
            out[name] = _added(old, node, name)
        else:
            out[name] = merged(old or Node({}, node.place), node, part_of(kind, name))
    return Node(out, above.place)


def edited(tree: Node, edits: Iterable[str]) -> Node:
    """Return a scenario with `key=value` edits made, in their order; a key is a dotted path."""
    for edit in edits:
        key, equals, text = edit.partition("=")
        key = key.strip()
        if not equals or not key:
            problem = f"--set {edit}: this is not of the form key=value."
            raise ScenarioError(problem, "Write, for example, `--set people.count=100`.")
        source = f"--set {edit}"
        if key == "extends":
            problem = f"{source}: what a scenario extends cannot be changed from outside."
            raise ScenarioError(problem, f"Write a file with `extends: {text.strip()}` and run that.")
        tree = put(tree, key.split("."), parse_value(text, source))
    return tree


def changed(scenario: Scenario, edits: Mapping[str, Any]) -> Scenario:
    """Return a checked scenario with some values changed: `{"people.count": 100}`."""
    tree = node_of(scenario.model_dump(mode="json"), Place(""))
    for key, value in edits.items():
        tree = put(tree, key.split("."), node_of(value, Place(f"{key}={value}")))
    return check(Scenario, tree.plain(), tree=tree)


def put(node: Node, path: list[str], value: Node, kind: Any = Scenario, at: str = "") -> Node:
    """Return the tree with the value at a path set; what is on the way comes from the defaults."""
    key, *rest = path
    name = key.removesuffix("+") if not rest else key
    here = f"{at}.{name}".lstrip(".")
    if isinstance(node.value, list):
        return _put_in_list(node, path, value, kind, at)
    under = _map_for(node, kind, value, at)
    _must_be_known(name, kind, value, at)
    inner = part_of(kind, name)
    old = under.get(name) or node_of(default_of(kind, name), value.place)
    if rest:
        new = put(old, rest, value, inner, here)
    elif key.endswith("+"):
        new = _added(old, value if isinstance(value.value, list) else Node([value], value.place), name)
    else:
        new = value
    # What no longer makes sense after an edit is the edit's fault, but for the scenario as a whole.
    return Node(under | {name: new}, value.place if at else node.place)


def _put_in_list(node: Node, path: list[str], value: Node, kind: Any, at: str) -> Node:
    entries = list(node.value) if isinstance(node.value, list) else []
    key, *rest = path
    if not key.isdecimal() or int(key) >= len(entries):
        found = f"{len(entries)} entries" if len(entries) != 1 else "1 entry"
        problem = f"{value.place}: {at} is a list with {found}; there is no {key!r} in it."
        last = len(entries) - 1
        give = f"Give a position from 0 to {last}, or add" if entries else "Add"
        remedy = f"{give} with `--set '{at}+=[…]'`."
        raise ScenarioError(problem, remedy)
    i, here = int(key), f"{at}.{key}"
    entries[i] = put(entries[i], rest, value, part_of(kind, i), here) if rest else value
    return Node(entries, value.place)


def _map_for(node: Node, kind: Any, value: Node, at: str) -> dict[str, Node]:
    if isinstance(node.value, dict):
        return node.value
    if keys_of(kind) == ():
        there = "a list" if is_list(kind) else f"a single value ({node.value!r})"
        problem = f"{value.place}: {at} is {there} and has no keys."
        raise ScenarioError(problem, f"Set all of it: `--set {at}=…`.")
    return {}


def _must_be_known(name: str, kind: Any, value: Node, at: str) -> None:
    known = keys_of(kind)
    if known is not None and name not in known:
        where = f"in {at}" if at else "in a scenario"
        problem = f"{value.place}: there is no key {name!r} {where}."
        raise ScenarioError(problem, did_you_mean(name, known))


def _added(old: Node | None, new: Node, name: str) -> Node:
    if not isinstance(new.value, list):
        problem = f"{new.place}: {name}+ adds to a list and needs a list, found {new.plain()!r}."
        raise ScenarioError(problem, f"Write the entries of {name}+ one below the other, each after a dash.")
    before = old.value if old is not None and isinstance(old.value, list) else []
    return Node([*before, *new.value], new.place)


def _replaces(below: Node, above: Node, kind: Any) -> bool:
    if keys_of(kind) == tuple(Distribution.model_fields):
        return True
    if keys_of(kind) != tuple(Part.model_fields):
        return False
    old, new = below.child("name"), above.child("name")
    return old is not None and new is not None and old.value != new.value


NOWHERE = Node({}, Place("nothing"))
"""What the first layer is laid over, so that its `key+` are lists too."""
