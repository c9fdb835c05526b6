"""Ties that are taken away: the same society, but for who knows whom here and there."""

from __future__ import annotations

import numpy as np

from rehearse.agents.everyone import Everyone
from rehearse.agents.ties import Ties, untied
from rehearse.errors import ScenarioError
from rehearse.scenario.society import Society


def parted(layers: dict[str, Ties], society: Society, count: int, replicas: int) -> dict[str, Ties]:
    """Return the ties without those that the scenario takes away; raise ScenarioError where one is none."""
    pairs = np.array(society.apart, dtype=np.int64)
    if pairs.min() < 0 or pairs.max() >= count or any(isinstance(t, Everyone) for t in layers.values()):
        problem = "people.society.apart names somebody who is not there, or everybody knows everybody."
        raise ScenarioError(problem, f"Give ids from 0 to {count - 1}, and a graph that is not complete.")
    found, offsets = layers, count * np.arange(replicas, dtype=np.int64)
    for who, whom in pairs.tolist():
        fewer = {name: untied(ties, who + offsets, whom + offsets) for name, ties in found.items()}
        if all(len(fewer[name].indices) == len(ties.indices) for name, ties in found.items()):
            rows = who + offsets
            friends = {int(friend) % count for ties in layers.values() for friend in ties.of(rows).indices}
            told = ", ".join(map(str, sorted(friends)[:8])) or "nobody"
            problem = f"people.society.apart: {who} and {whom} do not know each other anyway."
            raise ScenarioError(problem, f"User {who} knows {told}.")
        found = fewer
    return found
