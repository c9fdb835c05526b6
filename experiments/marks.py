"""What a scenario schedules: everything that happens at a tick, for pictures and alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearse.experiments import composition
from rehearse.scenario.base import Timed
from rehearse.scenario.model import PEOPLE, Scenario


def marks(
    scenario: Scenario, drifts: list[tuple[int, str]], forks: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return everything that was scheduled to happen, with its tick, for pictures and alarms."""
    kinds = (("people" if note.startswith(PEOPLE) else "drift") for _, note in drifts)
    found: list[dict[str, Any]] = [
        {"tick": tick, "kind": kind, "note": note} for kind, (tick, note) in zip(kinds, drifts, strict=True)
    ]
    found += [{"tick": fork["tick"], "kind": "fork", "note": fork["note"]} for fork in forks]
    found += [
        {"tick": spec.start, "kind": kind, "note": spec.note or f"{kind} from tick {spec.start}"}
        for kind, specs in scheduled(scenario).items()
        for spec in specs
        if spec.start > 0 or spec.until is not None
    ]
    found += composition.scheduled(scenario)
    return sorted(found, key=lambda mark: (mark["tick"], mark["kind"]))


def scheduled(scenario: Scenario) -> dict[str, Sequence[Timed]]:
    """Return what a scenario schedules besides drift, by kind."""
    return {
        "latency": scenario.latency,
        "fault": scenario.faults,
        "observation": scenario.observation,
        "manner": scenario.people.manners,
        "feedback": () if scenario.feedback is None else (scenario.feedback,),
    }
