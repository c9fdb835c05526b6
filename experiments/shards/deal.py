"""The deal: who goes to which shard.

Societies do not meet, so where there are enough of them each shard gets whole ones and nothing is
exchanged. Otherwise each shard gets people of every society, in whole leaves of the digest, and what
friends look at is exchanged. People who meet within a tick (a queue, a stock, a policy whose answers
depend on earlier ones) cannot be parted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rehearse.columns import Rows
from rehearse.errors import UserError

LEAF = 4096


@dataclass(frozen=True, slots=True)
class Deal:
    """How societies of `count` people each are dealt to shards."""

    by: Literal["replicas", "users"]
    shards: int
    count: int
    replicas: tuple[int, ...]
    """The numbers of all societies, ascending."""
    leaf: int = LEAF

    def replicas_of(self, shard: int) -> tuple[int, ...]:
        """Return the societies that a shard has people of."""
        if self.by == "users":
            return self.replicas
        start, stop = _part(len(self.replicas), self.shards, shard)
        return self.replicas[start:stop]

    def users_of(self, shard: int) -> tuple[int, int]:
        """Return the first id that a shard has in each of its societies, and the first beyond."""
        if self.by == "replicas":
            return 0, self.count
        start, stop = _part(-(-self.count // self.leaf), self.shards, shard)
        return start * self.leaf, min(stop * self.leaf, self.count)

    def places_of(self, shard: int) -> Rows:
        """Return the positions of a shard's societies among all."""
        return np.searchsorted(self.replicas, self.replicas_of(shard)).astype(np.int64)

    def rows_of(self, shard: int) -> Rows:
        """Return the positions of a shard's people in the whole population, ascending."""
        start, stop = self.users_of(shard)
        return (self.places_of(shard)[:, None] * self.count + np.arange(start, stop)).reshape(-1)


def deal(*, shards: int, count: int, replicas: tuple[int, ...], together: str) -> Deal:
    """Deal societies of `count` people each to at most so many shards.

    `together` says what joins people within a tick ("" where nothing does). Raises UserError where
    there are more shards than can be parted.
    """
    if shards < 1:
        problem = f"a run was to be dealt to {shards} shards."
        raise UserError(problem, "Give 1 or more.")
    if len(replicas) >= shards:
        return Deal("replicas", shards, count, replicas)
    if together:
        problem = f"{together} joins the people of a society within a tick, so a society cannot be dealt."
        remedy = f"Give --shards {len(replicas)} at most, or more --replicas."
        raise UserError(problem, remedy)
    leaves = -(-count // LEAF)
    return Deal("users", min(shards, leaves), count, replicas)


def _part(things: int, shards: int, shard: int) -> tuple[int, int]:
    """Return where the shard's share of some things in a row begins and ends."""
    return things * shard // shards, things * (shard + 1) // shards
