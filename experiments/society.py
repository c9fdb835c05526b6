"""What is written about the people at the end of a run: a row a person, and some of their ties."""

from __future__ import annotations

import numpy as np

from rehearse.agents import lifecycle
from rehearse.columns import Array, Columns
from rehearse.engine import Simulation
from rehearse.scenario.model import Scenario

SAMPLE_USERS = 300
SAMPLE_TIES = 2000
MOST_LOOKED_AT = 10_000
"""Friends of one person that are looked at."""


def table_of_users(simulation: Simulation, scenario: Scenario) -> tuple[Columns, dict[str, tuple[str, ...]]]:
    """Return the people with their traits, tastes and final state, and the words of group and segment."""
    people = simulation.users.columns
    table: dict[str, Array] = {name: a for name, a in people.items() if a.ndim == 1}
    table |= lifecycle.told(people, simulation.tick)
    for i, attribute in enumerate(simulation.world.attributes[: people["taste"].shape[1]]):
        table[f"taste_{attribute}"] = people["taste"][:, i]
    segments = ("base", *(s.name for s in scenario.people.segments))
    words = {"group": simulation.users.groups, "segment": segments} | lifecycle.WORDS
    words |= getattr(simulation.users, "words", {})
    return Columns(table), {name: w for name, w in words.items() if name in table}


def sample_of_ties(simulation: Simulation) -> Columns | None:
    """Return up to 2,000 ties among the first 300 people here in the first society, or None without ties."""
    ties = getattr(simulation.users, "ties", None)
    if ties is None:
        return None
    people = simulation.users.columns
    first = people["replica"][0]
    some = np.flatnonzero((people["replica"] == first) & people["alive"])[:SAMPLE_USERS].tolist()
    known = set(some)
    pairs = [(row, friend) for row in some for friend in ties.neighbours(row)[:MOST_LOOKED_AT].tolist()]
    kept = [(a, b) for a, b in pairs if a < b and b in known][:SAMPLE_TIES]
    ends = np.array(kept, dtype=np.int64).reshape(-1, 2)
    return Columns(
        {
            "replica": np.full(len(kept), first, dtype=np.int32),
            "a": np.asarray(people["user"][ends[:, 0]], dtype=np.int64),
            "b": np.asarray(people["user"][ends[:, 1]], dtype=np.int64),
        }
    )
