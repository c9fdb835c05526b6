"""What a shard and whoever leads the run say to one another.

Whatever a shard says waits for an answer. It depends on nothing but its task and the answers so far,
so one that was lost is begun again and given the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rehearse.columns import Array, Columns
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.shards.deal import Deal
from rehearse.experiments.shards.states import State
from rehearse.record.digest import Leaves, Links

BEGIN, PARTS = "begin", "parts"
"""Answers to a shard, besides the verbs that it knows: where to begin; what all shards told one another."""
READY, DONE, TELLS, FAILED = "ready", "done", "tells", "failed"
"""Kinds of sayings of a shard; what it `tells` is for all shards."""


class Link(Protocol):
    """The way from a shard to whoever leads the run."""

    def ask(self, kind: str, thing: object) -> tuple[str, tuple[Any, ...]]:
        """Say something; return the answer: a verb, and what was given with it."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """What a shard needs to know to begin, or to begin again."""

    shard: int
    legs: tuple[Leg, ...]
    deal: Deal


@dataclass(frozen=True, slots=True)
class Facts:
    """What a shard says of its people once they are built."""

    coupled: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a shard begins."""

    tick: int = 0
    state: State | None = None
    """As `Simulation.state` and the links of the record were then; None: at the very start."""
    path: Path | None = None
    """The folder in which turns are kept; None: they are handed over."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a shard says of a tick."""

    user_turns: int
    society: Columns
    """One row a society: all that is recorded of it, or what this shard's people add to its counts."""
    turns: Columns | None
    """The turns, where they are not kept in a folder."""
    harm: float = 0.0
    """Of all this shard's turns so far."""
    spent: float = 0.0
    """On the answers of the tick."""
    memory: int = 0
    """Bytes that its process holds."""
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    """What the walls refused there so far, as `Walls.told` has it."""
    links: Links | None = None
    """The chains of the shard's societies after the tick, where it has them whole."""
    leaves: Leaves | None = None
    """The leaves of the tick, where others have people of the same societies."""
    columns: Mapping[str, Array] | None = None
    """Those columns of people that were asked for."""
    ties: Mapping[str, Array] = field(default_factory=dict)
    """What people keep besides columns (ties that have changed), as the first shard has it."""
    log: tuple[str, ...] = ()
    """What was said in the log, such as what was wrong with the model's answers."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a shard's process used up."""

    cpu_s: float
    peak_memory_mb: float
    account: dict[str, Any]
