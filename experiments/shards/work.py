"""What a shard does: it is an ordinary simulation of its people, told from outside when to go on.

Whatever a shard says waits for an answer. It depends on nothing but its task and the answers so far,
so one that was lost is begun again and given the same answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.errors import NotCompletedError, RehearseError
from rehearse.experiments.build import Assembly
from rehearse.experiments.folder import RunFolder
from rehearse.experiments.rebuilding import Leg, in_legs, words_of
from rehearse.experiments.resources import peak_memory_mb
from rehearse.experiments.shards.deal import Deal
from rehearse.experiments.shards.states import LINKS, State, own_part
from rehearse.experiments.society import SAMPLE_USERS
from rehearse.record.digest import Links
from rehearse.record.reading import RunRecord

BEGIN, STATE, PARTS = "begin", "state", "parts"
"""Answers to a shard: verbs, and what the shards told one another."""
READY, DONE, FAILED = "ready", "done", "failed"
"""What a shard says, besides what it tells the other shards."""


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
    """One row a society."""
    links: Links
    """The chains of the shard's societies after the tick."""
    turns: Columns | None
    """The turns, where they are not kept in a folder."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a shard's process used up."""

    cpu_s: float
    peak_memory_mb: float
    account: dict[str, Any]


class Shard:
    """A shard of a run: the verbs that it understands are its public methods."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.assembly = self._assemble()
        self.simulation = self.assembly.simulation
        self.recorder = self.assembly.new_recorder()
        self.recorder.keep = self._keep
        self.simulation.watchers.append(self.recorder)
        self.folder: RunFolder | None = None
        self._tick: tuple[Columns, Columns] = (Columns(length=0), Columns(length=0))

    def begin(self, start: Start) -> None:
        """Stand at the start of a tick; parts that this shard wrote of later ticks go."""
        if start.path is not None:
            scope = RunRecord(start.path, finished=False).scope
            self.folder = RunFolder(start.path, scope, shard=f"-shard{self.task.shard}")
            self.folder.forget(start.tick)
        if start.state is not None:
            self.recorder.links = np.array(start.state[LINKS], dtype=np.uint8)
            self.simulation.restore(self._own(start.state), start.tick)

    def advance(self) -> Page:
        """Let a tick pass."""
        before = self.recorder.user_turns
        self.simulation.advance()
        turns, society = self._tick
        told = None if self.folder is not None else turns
        return Page(self.recorder.user_turns - before, society, self.recorder.links, told)

    def state(self) -> dict[str, Array]:
        """Write down the turns so far; return what is needed to go on from here."""
        if self.folder is not None:
            self.folder.flush()
        return self.simulation.state() | {LINKS: self.recorder.links}

    def ties(self) -> tuple[Array, Array] | None:
        """Return whom the first people know, as the report draws them: indptr and indices."""
        ties = getattr(self.simulation.users, "ties", None)
        if ties is None:
            return None
        starts = ties.indptr[: SAMPLE_USERS + 1]
        return starts, ties.indices[: starts[-1]]

    def spent(self) -> Spent:
        """Return what this process used up so far."""
        asked: Any = self.assembly.policy.asked
        return Spent(time.process_time(), peak_memory_mb(), asked.account.as_dict())

    def _assemble(self) -> Assembly:
        mine = self.task.deal.replicas_of(self.task.shard)
        return in_legs([replace(leg, props=replace(leg.props, replicas=mine)) for leg in self.task.legs])

    def _keep(self, tick: int, turns: Columns, society: Columns) -> None:
        self._tick = turns, society
        if self.folder is not None:
            self.folder.words = words_of(self.assembly)
            self.folder.keep(tick, turns, Columns(length=0))

    def _own(self, state: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays as this shard keeps them: what is kept by society, for its own only."""
        kept = self.simulation.state()
        places, whole = self.task.deal.places_of(self.task.shard), len(self.task.deal.replicas)
        return {name: own_part(a, kept.get(name), places, whole) for name, a in state.items()}


def serve(task: Task, link: Link) -> None:
    """Be a shard: build it, say so, and do what is asked for as long as somebody asks."""
    try:
        shard = Shard(task)
        verb, given = link.ask(READY, shard.simulation.users.coupled)
        while True:
            verb, given = link.ask(DONE, getattr(shard, verb)(*given))
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the one who leads the run is told
        link.ask(FAILED, portable(error))


def portable(error: Exception) -> Exception:
    """Return the error, or one like it that can be sent to another process."""
    if isinstance(error, RehearseError):
        return error
    problem = f"a shard failed: {type(error).__name__}: {error}."
    return NotCompletedError(problem, "Run again without --shards to see where.")
