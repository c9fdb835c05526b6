"""A sweep from plan to table: what is not done yet is made, by workers or here, and gathered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rehearse.errors import UserError
from rehearse.experiments.sweep import keeping
from rehearse.experiments.sweep.listing import Run, Task, runs
from rehearse.experiments.sweep.plan import UNTIL_DECIDED, Plan, Planned, read
from rehearse.experiments.sweep.results import Sweep
from rehearse.experiments.sweep.working import Bench, Said
from rehearse.scenario.load import written
from rehearse.scenario.model import Scenario

if TYPE_CHECKING:
    from rehearse.experiments.sweep.cluster import RayCrew
    from rehearse.experiments.sweep.crew import Crew
    from rehearse.experiments.sweep.evidence import Undecided

SWEEPS = Path("sweeps")
Hear = Callable[[Said], None]
Take = Callable[[], tuple[str, Task] | None]


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


class Interrupted(KeyboardInterrupt):
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
    there is a sweep in the folder that is not to be resumed; Interrupted on Ctrl-C.
    """
    planned = read(plan)
    listed = listed_runs(planned, trust=trust)
    share, many = _share(planned, listed, shard), jobs_of(jobs)
    _must_know(on, planned.plan)
    folder = out or SWEEPS / planned.name
    keeping.begin(folder, written(planned.plan.model_dump(mode="json", exclude_defaults=True)), resume=resume)
    try:
        tally = _made(planned, share, folder, many, on, progress)
    except KeyboardInterrupt:
        gathered(planned, listed, folder)
        found = keeping.done(folder)
        done = sum(name in found for name in {run.name for run in listed})
        told = (
            f"interrupted after {done:,} of {len(listed):,} runs. Go on with the same command and --resume."
        )
        raise Interrupted(told) from None
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
    found = keeping.done(folder)
    if planned.plan.seeds == UNTIL_DECIDED:
        undecided = _undecided(listed, found, 1)
        listed = undecided.counted
        keeping.write_decisions(folder, undecided.table())
    keeping.write_tables(folder, planned.axes, listed, found)
    return Sweep(folder, tally)


def _made(
    planned: Planned, listed: list[Run], folder: Path, jobs: int, on: str, progress: Progress | None
) -> Tally:
    found = keeping.done(folder)
    there = {run.name: found[run.name] for run in listed if keeping.is_done(run, found, folder)}
    waiting = {run.name: run.task for run in listed if run.name not in there}
    tally = Tally(len(waiting) + len(there), len(there))
    hear, left = _counting(tally, progress), iter(waiting.items())
    if planned.plan.seeds != UNTIL_DECIDED:
        _work(lambda: next(left, None), hear, folder, min(jobs, len(waiting)), on, planned.plan)
        return tally
    undecided = _undecided(listed, there, jobs)

    def heard(told: Said) -> None:
        undecided.hear(told.run, told.line)
        hear(told)

    _work(undecided.take, heard, folder, jobs, on, planned.plan)
    return tally


def _counting(tally: Tally, progress: Progress | None) -> Hear:
    def hear(said: Said) -> None:
        if said.error:
            tally.failed += 1
        else:
            tally.made += 1
            tally.verdicts[said.verdict] = tally.verdicts.get(said.verdict, 0) + 1
        tally.own_seconds += said.seconds
        if progress is not None:
            progress(tally)

    return hear


def _work(take: Take, hear: Hear, folder: Path, jobs: int, on: str, plan: Plan) -> None:
    """Have runs made, as they are taken."""
    first = take()
    if first is None:
        return
    kept = [first]

    def next_one() -> tuple[str, Task] | None:
        return kept.pop() if kept else take()

    if jobs == 0:
        _work_here(next_one, hear, folder)
        return
    with _crew(folder, jobs, on, plan) as crew:
        crew.make(next_one, hear)


def _crew(folder: Path, jobs: int, on: str, plan: Plan) -> Crew | RayCrew:
    if on == "local":
        from rehearse.experiments.sweep.crew import Crew

        return Crew(folder, jobs, plan.limit_s, rehearses=plan.run is None)
    from rehearse.experiments.sweep.cluster import RayCrew

    return RayCrew(folder, jobs, "local" if on == "ray" else on)


def _must_know(on: str, plan: Plan) -> None:
    """Raise UserError where runs cannot be made there, before anything is written."""
    if on == "local":
        return
    if on != "ray" and not on.startswith("ray://"):
        problem = f"--on {on}: runs are made here (local) or in a Ray cluster (ray, ray://HOST:PORT)."
        raise UserError(problem, "Write one of these.")
    if plan.limit_s is not None:
        problem = f"limit_s: {plan.limit_s:g}: in a Ray cluster no run is given up."
        raise UserError(problem, "Leave it out, or give bounds to the scenario.")


def _work_here(take: Take, hear: Hear, folder: Path) -> None:
    bench = Bench(folder)
    try:
        while (sent := take()) is not None:
            hear(bench.make(*sent))
    finally:
        bench.lines.close()


def _undecided(listed: list[Run], found: keeping.Done, jobs: int) -> Undecided:
    from rehearse.experiments.sweep.evidence import Undecided  # which loads much that others do not need

    return Undecided.of(listed, found, jobs)


def _share(planned: Planned, listed: list[Run], shard: tuple[int, int]) -> list[Run]:
    """Return the runs of a shard: every n-th, or those of every n-th point where its runs decide together."""
    which, of = shard
    if not 1 <= which <= of:
        problem = f"--shard {which}/{of}: there is no such shard."
        raise UserError(problem, "Write 1/4, 2/4, 3/4 and 4/4, for example.")
    if planned.plan.seeds == UNTIL_DECIDED:
        return [run for run in listed if run.point % of == which - 1]
    return listed[which - 1 :: of]


def jobs_of(asked: int | None) -> int:
    """Return how many processes work where so many were asked for: one a core without a number."""
    if asked is not None and asked < 0:
        problem = f"jobs: {asked}: this is no whole number from 0."
        raise UserError(problem, "Leave it out for a process a core, or write 0 to make the runs here.")
    return len(os.sched_getaffinity(0)) if asked is None else asked
