"""From what is given to `gymnasium.make` to the terms on which people come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearse.errors import ScenarioError, UserError, did_you_mean
from rehearse.experiments.api import load
from rehearse.experiments.gym.societies import Terms
from rehearse.scenario.edit import changed
from rehearse.scenario.model import Scenario

EPISODES = ("session", "life")
CHANGES = ("users", "ticks", "seed", "settings")


def begun(
    scenario: str | Path | Scenario,
    episode: str,
    others: str | None,
    data: str | Path | None,
    changes: Mapping[str, Any],
) -> Terms:
    """Return the terms; raises UserError for what is unknown."""
    for name in changes:
        if name not in CHANGES:
            problem = f"the environment was given {name!r}, which it does not take."
            raise UserError(problem, did_you_mean(name, (*CHANGES, "episode", "others", "data", "missing")))
    if episode not in EPISODES:
        problem = f"episode is {episode!r}."
        raise UserError(problem, f"An episode is one of: {', '.join(EPISODES)}.")
    table = None if data is None else Path(data)
    return Terms(load(scenario, **changes), table, others, life=episode == "life")


def reseeded(terms: Terms, seed: int) -> Terms:
    """Return the same terms with another root seed."""
    if seed < 0 or seed >= 2**63:
        problem = f"reset was given the seed {seed}."
        raise ScenarioError(problem, "A seed is a whole number from 0, below 2**63.")
    return replace(terms, scenario=changed(terms.scenario, {"seed": int(seed)}))
