"""From a plan to its runs: each resolved, and named by the digest of what determines it.

A run is named by its scenario (with policy and seed), by the content of every file that it reads, by the
metrics that were asked for besides, and by the versions of Rehearse's code and of the packages that its
numbers come from. Where it is made, in which order and beside which others is no part of its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rehearse.experiments.sweep import functions
from rehearse.experiments.sweep.designs import Values, points
from rehearse.experiments.sweep.plan import Planned

NAME = 20
"""Hexadecimal digits of a run's name: two of a billion runs share one with a chance of one in a million."""
SEED = "seed"


@dataclass(frozen=True, slots=True)
class Task:
    """All that a worker needs to make a run; what is the same for many runs is the same object."""

    scenario: str = ""
    """Of the point, as JSON."""
    data: str | None = None
    function: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    """Of the run, whatever the scenario says."""
    metrics: tuple[str, ...] = ()
    trust: bool = False
    keep: str = "metrics"
    judged: bool = False
    """Whether nothing is measured but the criteria."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a sweep: its name, where it stands in the plan, and what makes it."""

    name: str
    point: int
    seed: int
    values: Values
    """Of the axes, in the plan's order."""
    task: Task


def runs(planned: Planned, *, trust: bool = False, seeds: int | None = None) -> Iterator[Run]:
    """Go over the runs of a plan, point by point and seed by seed.

    `seeds` is how many a point has where the plan says `until decided`. Raises UserError that names the
    place in the plan where a point makes no sense.
    """
    if planned.plan.run is not None:
        return _of_functions(planned, seeds)
    from rehearse.experiments.sweep.resolving import (
        of_scenarios,  # which loads much that functions do not need
    )

    return of_scenarios(planned, seeds, trust=trust)


def seeds_of(planned: Planned, point: int, first: int, count: int | None = None) -> list[int]:
    """Return the seeds of a point, whose scenario's own seed is `first`."""
    asked = planned.plan.seeds
    if isinstance(asked, tuple):
        return list(asked)
    many = count or (asked if isinstance(asked, int) else planned.plan.most_seeds)
    begin = first if planned.plan.common_random_numbers else first + point * many
    return [(begin + i) % 2**63 for i in range(many)]


def _of_functions(planned: Planned, seeds: int | None) -> Iterator[Run]:
    function = functions.resolved(planned.plan.run or "", planned.folder)
    functions.must_take(function, planned.axes)
    code = functions.code_of(function)
    for point, values in enumerate(points(planned)):
        given = dict(zip(planned.axes, values, strict=True))
        first = int(given.get(SEED, 1))
        for seed in seeds_of(planned, point, first, seeds):
            task = Task(function=function, given=given, seed=seed)
            told = {"code": code, "given": given, "seed": seed}
            yield Run(named(told), point, seed, values, task)


def named(told: dict[str, Any]) -> str:
    """Return the name of a run that is determined by what is told."""
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:NAME]
