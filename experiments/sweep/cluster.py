"""Workers in a Ray cluster: an actor each, that makes one run at a time and hands its line back.

Lines are written here, by the one who leads the sweep, so that a machine that is lost takes nothing with
it. Records of runs, where a plan keeps any, are written by the actors: on several machines the folder
must lie where all of them see it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Self

from rehearse.errors import NotCompletedError
from rehearse.experiments.shards.cluster import connected
from rehearse.experiments.sweep.crew import BEAT, Hear, Sent, Strikes, Take
from rehearse.experiments.sweep.keeping import RECORDS, Lines
from rehearse.experiments.sweep.listing import Task
from rehearse.experiments.sweep.working import Said, line_of


class Actor:
    """A worker in a process of the cluster."""

    def __init__(self, folder: str) -> None:
        self._records = Path(folder) / RECORDS

    def make(self, name: str, task: Task) -> dict[str, Any]:
        """Make a run and return its line."""
        return line_of(name, task, self._records)


class RayCrew:
    """Some actors that make the runs of a sweep."""

    def __init__(self, folder: Path, jobs: int, address: str = "local") -> None:
        """Take the folder of the sweep, how many actors, and a cluster's address; local: one begun here."""
        self._folder, self._jobs, self._address = folder.resolve(), jobs, address
        self._end = contextlib.ExitStack()
        self._lines = Lines(folder)
        self._strikes = Strikes()
        self._made: dict[Any, tuple[Any, Sent]] = {}
        """What is under way: who makes it, and what it is."""

    def __enter__(self) -> Self:
        """Connect to the cluster, or begin one."""
        self._ray = self._end.enter_context(connected(self._jobs, self._address))
        return self

    def __exit__(self, *_: object) -> None:
        """End the actors, and the cluster if it was begun here."""
        for actor, _ in self._made.values():
            self._ray.kill(actor)
        self._lines.close()
        self._end.close()

    def make(self, take: Take, hear: Hear) -> None:
        """Have runs made, as `Crew.make` does."""
        idle = [self._begun() for _ in range(self._jobs)]
        while True:
            while idle and (run := self._strikes.again() or take()) is not None:
                actor = idle.pop()
                self._made[actor.make.remote(*run)] = (actor, run)
            if not self._made:
                break
            ready, _ = self._ray.wait(list(self._made), timeout=BEAT)
            idle += [self._heard(result, hear) for result in ready]
        for actor in idle:
            self._ray.kill(actor)

    def _heard(self, result: Any, hear: Hear) -> Any:
        """Write and tell what came of a run; return who is free now."""
        actor, run = self._made.pop(result)
        try:
            line: dict[str, Any] | None = self._ray.get(result)
        except self._ray.exceptions.RayActorError:
            actor, line = self._begun(), self._strikes.struck(run)
        except self._ray.exceptions.RayError as error:
            problem = f"Ray gave up: {error}."
            raise NotCompletedError(problem, "Go on with --resume.") from error
        if line is not None:
            self._strikes.in_vain = 0
            self._lines.add(line)
            hear(Said.of(line))
        return actor

    def _begun(self) -> Any:
        return self._ray.remote(num_cpus=1, max_restarts=0)(Actor).remote(str(self._folder))
