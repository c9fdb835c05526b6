"""Policies made of others: which a scenario can hold, the settings of its parts, and what they schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rehearse.policies.composed import Composition
from rehearse.scenario.model import Scenario


def only_python(policy: object | None) -> object | None:
    """Return a policy that a scenario cannot hold, such as a function; None where it can."""
    written = isinstance(policy, str) or (isinstance(policy, Composition) and policy.spelled() is not None)
    return None if written else policy


def settings_of(scenario: Scenario, name: str) -> list[Mapping[str, Any]]:
    """Return the settings of every part of the policy that has this registered name, outermost first."""
    return list(_found(scenario.policy.model_dump(), name))


def scheduled(scenario: Scenario) -> list[dict[str, Any]]:
    """Return what the parts of the policy schedule: steps of a ramp, faults of one model; as marks."""
    found = [
        {"tick": step["tick"], "kind": "split", "note": f"the challenger serves {100 * step['share']:g} %"}
        for split in settings_of(scenario, "split-v1")
        for step in split.get("ramp", ())
    ]
    found += [
        {"tick": tick, "kind": "fault", "note": said}
        for faulty in settings_of(scenario, "faulty-v1")
        for fault in faulty.get("faults", ())
        for tick, said in _faults(fault)
    ]
    return [mark for mark in found if mark["tick"] > 0]


def _faults(fault: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    what = fault.get("note") or f"faults of one model ({fault.get('kind', 'error')})"
    yield fault.get("start", 0), what
    if fault.get("until") is not None:
        yield fault["until"], f"the end of: {what}"


def _found(tree: Any, name: str) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, Mapping):
        if tree.get("name") == name:
            yield tree.get("settings", {})
        for branch in tree.values():
            yield from _found(branch, name)
