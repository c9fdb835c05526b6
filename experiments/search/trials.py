"""Runs of scenarios: by the workers of sweeps, each made once, and a line of the folder's `done` a run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rehearse.experiments.search.aims import Aim
from rehearse.experiments.sweep import keeping
from rehearse.experiments.sweep.listing import Task, named
from rehearse.experiments.sweep.resolving import determining
from rehearse.experiments.sweep.working import Bench, Said
from rehearse.scenario.model import Criterion, Scenario

if TYPE_CHECKING:
    from rehearse.experiments.sweep.crew import Crew


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    margin: float | None
    """The least of the criteria aimed at, below 0 where one fails; None where nothing was measured."""
    criterion: Criterion
    """Whose margin it is."""
    line: dict[str, Any] | None = None
    """The estimate of that criterion: `estimate`, `low`, `high`, `verdict`."""
    error: str = ""
    """Why there is no margin."""

    @property
    def fails(self) -> bool:
        """Return whether the verdict is fail."""
        return self.margin is not None and self.margin < 0.0

    @property
    def word(self) -> str:
        """Return the verdict in a word."""
        return "none" if self.line is None else str(self.line["verdict"])


class Trials:
    """Makes runs of scenarios in a folder; those that are there already are not made again."""

    def __init__(
        self,
        folder: Path,
        *,
        jobs: int = 0,
        data: Path | None = None,
        trust: bool = False,
        limit_s: float | None = None,
    ) -> None:
        """Take the folder, how many processes work (0: all is made here), and what runs are fed with."""
        self.folder, self._jobs, self._limit = folder, jobs, limit_s
        self._task = Task(data=None if data is None else str(data), trust=trust, judged=True)
        self._data = data
        self._done: dict[str, Said] = {name: Said.of(line) for name, line in keeping.done(folder).items()}
        self._open, self._crew, self._bench = ExitStack(), None, Bench(folder)
        self.made = 0
        """Runs made now, those that were there not counted."""

    _crew: Crew | None

    def __enter__(self) -> Self:
        """Begin; workers start with the first run that is to be made."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers."""
        self._open.close()
        self._bench.lines.close()

    def outcomes(self, scenarios: Sequence[Scenario], aim: Aim) -> list[Outcome]:
        """Return what comes of some scenarios, each with its own seed, as far as the aim goes."""
        bare = [s.model_copy(update={"criteria": aim.criteria, "search": None}) for s in scenarios]
        tasks = [replace(self._task, scenario=s.model_dump_json(), seed=s.seed) for s in bare]
        names = [named(determining(s, self._data) | {"seed": s.seed, "judged": True}) for s in bare]
        waiting = {
            name: task
            for name, task in zip(names, tasks, strict=True)
            if name not in self._done or self._done[name].error
        }
        self._make(waiting)
        return [_outcome(self._done[name], aim) for name in names]

    def _make(self, waiting: dict[str, Task]) -> None:
        left = iter(list(waiting.items()))
        self.made += len(waiting)
        if self._jobs == 0:
            for name, task in left:
                self._done[name] = self._bench.make(name, task)
        elif waiting:
            self._working().make(lambda: next(left, None), self._hear)

    def _hear(self, said: Said) -> None:
        self._done[said.run] = said

    def _working(self) -> Crew:
        if self._crew is None:
            from rehearse.experiments.sweep.crew import Crew  # which starts a server of processes

            self._crew = self._open.enter_context(Crew(self.folder, self._jobs, self._limit))
        return self._crew


def _outcome(said: Said, aim: Aim) -> Outcome:
    judged = said.line.get("judged", [])
    margin, criterion = aim.least(judged)
    which = (criterion.metric, criterion.group or "")
    line = next((told for told in judged if (told["metric"], told["group"]) == which), None)
    why = said.error or ("" if margin is not None else "nothing was there to measure, or no interval.")
    return Outcome(margin, criterion, line, why)
