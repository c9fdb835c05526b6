"""The world `triage-v1`: who is seen to first when there is not enough for all, in three settings.

    kind: queue        cases come in continuous time, and finite workers serve them by class     queue.py
    kind: sites        inspectors are sent to sites, and only what is looked at is seen          sites.py
    kind: contagion    few treatments a tick among people who infect one another             contagion.py

Each module gives its equations, units, sources and departures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rehearse.chance import Chance
from rehearse.contract import World
from rehearse.environments.triage import contagion, queue, sites
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.scenario.model import Drift

KINDS: dict[str, Callable[[Mapping[str, Any], Path | None, tuple[Drift, ...], Chance], World]] = {
    "queue": queue.build,
    "sites": sites.build,
    "contagion": contagion.build,
}


def build(
    settings: Mapping[str, Any], *, data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> World:
    """Return the world of the kind that the settings name, a queue where they name none."""
    kind = settings.get("kind", "queue")
    if kind not in KINDS:
        problem = f"world.settings.kind is {kind!r}."
        raise ScenarioError(problem, did_you_mean(str(kind), KINDS))
    return KINDS[kind](settings, data, drift, chance)
