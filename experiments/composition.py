"""Policies made of others: which a scenario can hold, the settings of its parts, and what they schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rehearse.policies.composed import Composition
from rehearse.policies.loading import kind_of
from rehearse.scenario.document import Place, node_of
from rehearse.scenario.model import Part, Scenario
from rehearse.scenario.references import with_files
from rehearse.scenario.wrong import check


def only_python(policy: object | None) -> object | None:
    """Return a policy that a scenario cannot hold, such as a function; None where it can."""
    return None if isinstance(policy, str) or _written(policy) is not None else policy


def with_policy(scenario: Scenario, policy: object | None) -> Scenario:
    """Return the scenario with the policy that was asked for instead of its own."""
    if policy is None:
        return scenario
    written = _written(policy)
    if written is not None:
        return scenario.model_copy(update={"policy": written})
    given = getattr(policy, "__name__", type(policy).__name__)
    name = policy if isinstance(policy, str) else f"python:{given}"
    text, mark, query = name.partition("?")
    path, colon, attribute = text.partition(":")
    if Path(path).is_file():  # a run is replayed from elsewhere too
        name = f"{Path(path).resolve()}{colon}{attribute}{mark}{query}"
    settings = scenario.policy.settings if name == scenario.policy.name else {}
    return scenario.model_copy(update={"policy": Part(name=name, settings=settings)})


def _written(policy: object) -> Part | None:
    """Return a policy as a scenario writes it, with files where they lie; None where it is no such."""
    part = policy.spelled() if isinstance(policy, Composition) else policy
    if isinstance(part, Mapping):
        part = check(Part, dict(part), under="policy")
    if not isinstance(part, Part):
        return None
    tree = with_files(node_of({"policy": part.model_dump()}, Place("policy")), Path.cwd(), confined=False)
    return Part.model_validate(tree.plain()["policy"])


def settings_of(scenario: Scenario, name: str) -> list[Mapping[str, Any]]:
    """Return the settings of every part of the policy that has this registered name, outermost first."""
    return list(_found(scenario.policy.model_dump(), name))


def parts_of(name: str, settings: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Return the parts of a policy made of others, those within them too: where each stands, and its name."""
    kind = kind_of(name)
    for word in () if kind is None else kind.parts:
        part: Any = settings.get(word)
        whole: Mapping[str, Any] = part if isinstance(part, Mapping) else {"name": str(part)}
        yield f"{where}{word}", str(whole.get("name"))
        yield from parts_of(str(whole.get("name")), whole.get("settings", {}), f"{where}{word}.")


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
