"""What a sweep would take, from a few of its runs: how many there are, how long, how much disk."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearse.experiments.footprint import said
from rehearse.experiments.sweep.listing import Run
from rehearse.experiments.sweep.plan import UNTIL_DECIDED, Plan, read

TRIED = 3
"""Runs of the pilot: the first, which also loads what is loaded once, does not count if there are others."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sweep would take."""

    runs: int
    points: int
    seconds_a_run: float
    seconds: float
    """On the workers that were asked for."""
    jobs: int
    gigabytes: float
    """Of what is kept."""
    at_most: bool = False
    """Whether seeds go on until the evidence decides, so that fewer may do."""
    problem: str = ""
    """What was wrong with a run of the pilot, if anything."""

    def __str__(self) -> str:
        """Say it in a line or two."""
        many = f"{'At most ' if self.at_most else ''}{self.runs:,} runs ({self.points:,} points)"
        told = (
            f"{many}: about {duration(self.seconds)} on {self.jobs} processes ({self.seconds_a_run:.3g} s "
            f"a run), {said(self.gigabytes * 2**30)} on disk."
        )
        return f"{told}\nA run of the pilot failed: {self.problem}" if self.problem else told


def estimate(
    plan: str | Path | Mapping[str, Any] | Plan, *, jobs: int | None = None, trust: bool = False
) -> Estimate:
    """Make a few runs of a plan, spread over it, and say what all of it would take; nothing is kept."""
    from rehearse.experiments.sweep.conducting import jobs_of, listed_runs
    from rehearse.experiments.sweep.working import Bench

    planned = read(plan)
    listed = listed_runs(planned, trust=trust)
    names = len({run.name for run in listed})
    with tempfile.TemporaryDirectory(prefix="rehearse-pilot-") as place:
        folder = Path(place)
        (folder / "done").mkdir()
        bench = Bench(folder)
        bench.make(listed[0].name, listed[0].task)  # what is loaded once is no part of a run
        before, began = _size(folder), time.perf_counter()
        tried = [bench.make(run.name, run.task) for run in _spread(listed)]
        each = (time.perf_counter() - began) / len(tried)
        size = (_size(folder) - before) / len(tried)
        bench.lines.close()
    workers = max(1, min(jobs_of(jobs), names))
    return Estimate(
        runs=names,
        points=len({run.point for run in listed}),
        seconds_a_run=each,
        seconds=each * names / workers,
        jobs=workers,
        gigabytes=size * names / 2**30,
        at_most=planned.plan.seeds == UNTIL_DECIDED,
        problem=next((told.error for told in tried if told.error), ""),
    )


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} seconds"


def _spread(listed: Sequence[Run]) -> list[Run]:
    """Return some runs from the middle and the end of the plan."""
    last = len(listed) - 1
    return [listed[i] for i in sorted({round(last * (k + 1) / TRIED) for k in range(TRIED)})]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
