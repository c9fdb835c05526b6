"""A sweep from plan to table: what is not done yet is made, by workers or here, and gathered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rehearse.errors import UserError
from rehearse.experiments.sweep import keeping
from rehearse.experiments.sweep.listing import Run, Task, runs
from rehearse.experiments.sweep.plan import Plan, Planned, read
from rehearse.experiments.sweep.results import Sweep
from rehearse.scenario.load import written
from rehearse.scenario.model import Scenario

SWEEPS = Path("sweeps")


@dataclass(slots=True)
class Tally:
    """How far a sweep is."""

    runs: int
    """That the plan asks for, in this shard."""
    earlier: int = 0
    """Of them were done before."""
    made: int = 0
    failed: int = 0
    own_seconds: float = 0.0
    """The sum of what the runs made now took, each by itself."""
    verdicts: dict[str, int] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return how long it goes on."""
        return time.monotonic() - self._began

    @property
    def left_s(self) -> float | None:
        """Return how many seconds are left at this pace; None before there is one."""
        waiting = self.runs - self.earlier - self.made - self.failed
        return self.seconds / (self.made + self.failed) * waiting if self.made + self.failed else None


class Progress(Protocol):
    """Someone who is told how far a sweep is."""

    def __call__(self, tally: Tally) -> None:
        """Hear that a run is done."""
        ...


class StoppedError(KeyboardInterrupt):
    """Ctrl-C in the middle of a sweep, with how to go on."""


def sweep(
    plan: str | Path | Mapping[str, Any] | Plan,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    on: str = "local",
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    trust: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Make the runs of a plan that are not done yet, and return the table of all of them.

    `jobs` is how many processes work (None: one a core; 0: none, the runs are made here). `shard` (i, n)
    makes every n-th run only, beginning with the i-th. Raises UserError where the plan cannot be used or
    there is a sweep in the folder that is not to be resumed; StoppedError on Ctrl-C.
    """
    planned = read(plan)
    listed = listed_runs(planned, trust=trust)
    folder = out or SWEEPS / planned.name
    keeping.begin(folder, written(planned.plan.model_dump(mode="json", exclude_defaults=True)), resume=resume)
    try:
        tally = _made(planned, _share(listed, shard), folder, jobs_of(jobs), on, progress)
    except KeyboardInterrupt:
        gathered(planned, listed, folder)
        done = sum(name in keeping.done(folder) for name in {run.name for run in listed})
        told = (
            f"interrupted after {done:,} of {len(listed):,} runs. Go on with the same command and --resume."
        )
        raise StoppedError(told) from None
    return gathered(planned, listed, folder, tally)


def listed_runs(planned: Planned, *, trust: bool = False) -> list[Run]:
    """Return the runs of a plan; raises UserError where a point cannot be run, before anything is."""
    listed = list(runs(planned, trust=trust))
    if planned.plan.run is None:
        _try_out(listed, trust=trust)
    return listed


def _try_out(listed: list[Run], *, trust: bool) -> None:
    """Build a small society with every world and every policy of a plan."""
    from rehearse.experiments import footprint
    from rehearse.experiments.build import Props, assemble

    tried: set[tuple[str, str]] = set()
    for task in {id(run.task.scenario): run.task for run in listed}.values():
        scenario = Scenario.model_validate_json(task.scenario)
        which = (scenario.world.name, scenario.policy.model_dump_json())
        if which not in tried:
            tried.add(which)
            fed = None if task.data is None else Path(task.data)
            assemble(footprint.small(scenario), Props(data=fed, trust=trust)).close()


def gathered(planned: Planned, listed: list[Run], folder: Path, tally: Tally | None = None) -> Sweep:
    """Write the tables of what is done, and return the sweep."""
    keeping.write_tables(folder, planned.axes, listed, keeping.done(folder))
    return Sweep(folder, tally)


def _made(
    planned: Planned, listed: list[Run], folder: Path, jobs: int, on: str, progress: Progress | None
) -> Tally:
    found = keeping.done(folder)
    waiting = {run.name: run.task for run in listed if not keeping.is_done(run, found, folder)}
    every = {run.name for run in listed}
    tally = Tally(len(every), len(every) - len(waiting))
    hear = _counting(tally, progress)
    if not waiting:
        return tally
    if jobs == 0:
        _made_here(waiting, folder, hear)
    else:
        _with_workers(waiting, folder, min(jobs, len(waiting)), on, planned.plan, hear)
    return tally


def _counting(tally: Tally, progress: Progress | None) -> Callable[[Any], None]:
    def hear(said: Any) -> None:
        if said.error:
            tally.failed += 1
        else:
            tally.made += 1
            tally.verdicts[said.verdict] = tally.verdicts.get(said.verdict, 0) + 1
        tally.own_seconds += said.seconds
        if progress is not None:
            progress(tally)

    return hear


def _made_here(waiting: Mapping[str, Task], folder: Path, hear: Callable[[Any], None]) -> None:
    from rehearse.experiments.sweep.working import Bench

    bench = Bench(folder)
    try:
        for name, task in waiting.items():
            hear(bench.make(name, task))
    finally:
        bench.lines.close()


def _with_workers(
    waiting: Mapping[str, Task],
    folder: Path,
    jobs: int,
    on: str,
    plan: Plan,
    hear: Callable[[Any], None],
) -> None:
    from rehearse.experiments.sweep.crew import Crew

    if on != "local":
        problem = f"--on {on}: a sweep is made here (local)."
        raise UserError(problem, "Leave it out.")
    sent: Iterator[tuple[str, Task]] = iter(waiting.items())
    with Crew(folder, jobs, plan.limit_s, rehearses=plan.run is None) as crew:
        crew.make(sent, hear)


def _share(listed: list[Run], shard: tuple[int, int]) -> list[Run]:
    which, of = shard
    if not 1 <= which <= of:
        problem = f"--shard {which}/{of}: there is no such shard."
        raise UserError(problem, "Write 1/4, 2/4, 3/4 and 4/4, for example.")
    return listed[which - 1 :: of]


def jobs_of(asked: int | None) -> int:
    """Return how many processes work where so many were asked for: one a core without a number."""
    return len(os.sched_getaffinity(0)) if asked is None else asked
