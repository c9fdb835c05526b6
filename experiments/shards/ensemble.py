"""The ensemble: all shards of a run, told the same things at the same time.

A shard that is lost is begun again in the state that was last gathered, and is given again what all
shards were told since; the others wait for it. Everything being deterministic, it says the same again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from rehearse.errors import NotCompletedError
from rehearse.experiments.shards.rooms import LostError, Room
from rehearse.experiments.shards.sayings import BEGIN, FAILED, PARTS, TELLS, Facts, Start, Task
from rehearse.experiments.shards.states import State, part_of
from rehearse.log import get_log

RESTARTS = 5
"""Shards begun again in one run; after that something is wrong with the machine or the model."""

Told = tuple[str, tuple[Any, ...]]
"""A verb and handles of what is given with it."""
Heard = tuple[str, Any]
"""A kind of saying and a handle of what was said."""


@dataclass(slots=True)
class Ensemble:
    """The shards of a run, told the same things at the same time and heard in turn."""

    room: Room
    tasks: tuple[Task, ...]
    restarts: int = 0
    start: Start = field(default_factory=Start)
    """Where a lost shard begins again, with the state of all."""
    _begun: bool = False
    _built: list[Told] = field(default_factory=list)
    """What all shards were told while they were built."""
    _told: list[Told] = field(default_factory=list)
    """What all shards were told since they began."""

    def assemble(self) -> list[Facts]:
        """Begin all shards; return what each says of itself."""
        for task in self.tasks:
            self.room.begin(task)
        return self._heard()

    def begin(self, start: Start) -> None:
        """Let all shards stand at the start of a tick."""
        self.start, self._begun = start, True
        self._built, self._told = self._told, []
        placed = [self._placing(task, start) for task in self.tasks]
        for task, told in zip(self.tasks, placed, strict=True):
            self.room.tell(task.shard, *told)
        for task in self.tasks:
            self._open(self._hear(task.shard))
        for _, handles in placed:
            self.room.free(list(handles))

    def all(self, verb: str, *given: object) -> list[Any]:
        """Let all shards do something; pass on what they tell one another; return what they answer."""
        self._tell((verb, tuple(self.room.hold(thing) for thing in given)))
        return self._heard()

    def _tell(self, told: Told) -> None:
        self._told.append(told)
        for task in self.tasks:
            self.room.tell(task.shard, *told)

    def _heard(self) -> list[Any]:
        """Return what all shards say to whoever leads; what they tell one another is passed on before."""
        while True:
            heard = [self._hear(task.shard) for task in self.tasks]
            if heard[0][0] != TELLS:
                return [self._open(each) for each in heard]
            self._tell((PARTS, tuple(handle for _, handle in heard)))

    def forget(self, tick: int, state: State) -> None:
        """Let lost shards begin at this tick from now on."""
        self.start = replace(self.start, tick=tick, state=state)
        for _, handles in self._told:
            self.room.free(list(handles))
        self._told = []

    def _hear(self, shard: int) -> Heard:
        while True:
            try:
                heard = self.room.hear(shard)
            except LostError as lost:
                self._count(shard, lost)
            else:
                if heard[0] == FAILED:
                    raise self._open(heard)
                return heard
            with suppress(LostError):
                self._begin_again(self.tasks[shard])

    def _count(self, shard: int, lost: LostError) -> None:
        self.restarts += 1
        get_log("shards").warning("shard lost", shard=shard, problem=lost.problem)
        if self.restarts > RESTARTS:
            problem = f"{lost.problem} Shards were lost {self.restarts} times in this run."
            raise NotCompletedError(problem, "Look for what ends them (memory?), then `rehearse resume`.")

    def _begin_again(self, task: Task) -> None:
        """Bring a new shard to where the lost one was: it has been told all and is to be heard next."""
        self.room.begin(task)
        placing = [self._placing(task, self.start)] if self._begun else []
        for told in [*self._built, *placing, *self._told]:
            self.room.free([self.room.hear(task.shard)[1]])
            self.room.tell(task.shard, *told)

    def _placing(self, task: Task, start: Start) -> Told:
        if start.state is not None:
            start = replace(start, state=part_of(start.state, task.deal, task.shard))
        return BEGIN, (self.room.hold(start),)

    def _open(self, heard: Heard) -> Any:
        opened = self.room.open(heard[1])
        self.room.free([heard[1]])
        return opened
