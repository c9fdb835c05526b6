"""Seeds until decided: each point gets seeds until the evidence decides its criteria, and no more.

Runs of a point are heard in the order of their seeds, whichever is done first: what counts, and so the
table, does not depend on how many work at a time. Those that were begun before a point was decided, and
would have come after, are left out of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments.deciding import Evidence, Said, Standing
from rehearse.experiments.intervals import Counts, Sample
from rehearse.experiments.sweep.keeping import Done
from rehearse.experiments.sweep.listing import Run, Task
from rehearse.scenario.model import Scenario


def as_data(told: Said) -> list[Any]:
    """Return what a run says of criteria as it is kept in its line."""
    return [
        [[_known(s.mean), s.bounded, s.counts.people, s.counts.events, s.counts.misses] for s in samples]
        for samples in told
    ]


def from_data(told: Sequence[Any]) -> Said:
    """Return what a line says of criteria."""
    return [[_sample(*numbers) for numbers in samples] for samples in told]


@dataclass(slots=True)
class Point:
    """The runs of a point, and what those say that were heard."""

    runs: list[Run]
    evidence: Evidence
    counted: int = 0
    """Runs from the first on that count: heard, or failed."""
    sent: int = 0
    """Runs from the first on that were made or are being made."""

    @property
    def open(self) -> bool:
        """Return whether more evidence is wanted."""
        return not self.evidence.decided and self.counted < len(self.runs)

    def hear(self, found: Done) -> None:
        """Hear the runs that are done, in the order of their seeds, until one is missing."""
        while self.open and (line := found.get(self.runs[self.counted].name)) is not None:
            if "said" in line:
                self.evidence.hear(from_data(line["said"]))
            self.counted += 1
        self.sent = max(self.sent, self.counted)


@dataclass(slots=True)
class Undecided:
    """The points of a sweep that goes on until each is decided."""

    points: list[Point]
    found: Done = field(default_factory=dict)
    ahead: int = 1
    """Runs of a point that may be under way at a time."""

    @classmethod
    def of(cls, listed: Iterable[Run], found: Done, jobs: int) -> Undecided:
        """Return the points of a plan as they stand; raises UserError where there is nothing to decide."""
        points = [_point(list(runs)) for _, runs in groupby(listed, key=lambda run: run.point)]
        for point in points:
            point.hear(found)
        return cls(points, dict(found), max(1, -(-jobs // max(len(points), 1))))

    def take(self) -> tuple[str, Task] | None:
        """Return the next run to be made, of the point with the fewest; None while nothing is wanted."""
        wanting = [p for p in self.points if p.open and p.sent < min(len(p.runs), p.counted + self.ahead)]
        if not wanting:
            return None
        point = min(wanting, key=lambda p: p.sent)
        run = point.runs[point.sent]
        point.sent += 1
        return (run.name, run.task) if run.name not in self.found else self.take()

    def hear(self, name: str, line: dict[str, Any]) -> None:
        """Hear a run."""
        self.found[name] = line
        for point in self.points:
            point.hear(self.found)

    @property
    def counted(self) -> list[Run]:
        """Return the runs that count."""
        return [run for point in self.points for run in point.runs[: point.counted]]

    def table(self) -> Columns:
        """Return how every criterion of every point stands, a row each."""
        rows = [(p.runs[0].point, s) for p in self.points for s in p.evidence.standings if p.evidence.runs]
        named = [name for name in Standing.model_fields if name != "sentence"]
        told = {name: [getattr(standing, name) for _, standing in rows] for name in named}
        told["group"] = [group or "" for group in told["group"]]  # everybody, as in the results
        return Columns(
            {"point": np.array([point for point, _ in rows], dtype=np.int64)}
            | {name: _column(values) for name, values in told.items()}
        )


def _point(runs: list[Run]) -> Point:
    criteria = Scenario.model_validate_json(runs[0].task.scenario).criteria if runs[0].task.scenario else ()
    if not criteria:
        problem = "seeds: until decided, and there is nothing to decide: a point has no criteria."
        raise UserError(problem, "Give the scenario criteria, or say how many seeds.")
    return Point(runs, Evidence(criteria))


def _sample(value: float | None, bounded: bool, people: int, events: int, misses: int) -> Sample:  # noqa: FBT001
    counts = Counts(people, events, misses)
    return Sample.of_replicas(np.array([np.nan if value is None else value]), bounded=bounded, counts=counts)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _column(values: list[Any]) -> np.ndarray[Any, Any]:
    if all(isinstance(value, int) for value in values):
        return np.array(values, dtype=np.int64)
    if all(value is None or isinstance(value, float) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array([value or "" for value in values], dtype=object)
