"""A search from scenario to `Search`: asks and answers in batches, then the region, then shrinking.

A batch is as large however many processes work, so that the same seed gives the same search, bit for bit.
To resume is to search again: whatever was run before stands in the folder and is not run again. A longer
budget goes on from a shorter one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearse.errors import UserError
from rehearse.experiments import composition
from rehearse.experiments.pictures.chart import page_of
from rehearse.experiments.search.aims import Aim, aim
from rehearse.experiments.search.inspecting import evaluated, looked_into
from rehearse.experiments.search.results import EVALUATIONS, PAGE, SUMMARY, Evaluation, Search
from rehearse.experiments.search.searchers import best_installed, searcher
from rehearse.experiments.search.space import Room, room
from rehearse.experiments.search.trials import Trials
from rehearse.experiments.sweep import keeping
from rehearse.experiments.sweep.conducting import jobs_of
from rehearse.scenario.load import written
from rehearse.scenario.model import Scenario
from rehearse.tables import write_table, write_text

SEARCHES = Path("searches")
BATCH = 4
"""Points that are asked for at a time."""
Progress = Callable[[str, int, int], None]
"""Told what is going on, how many runs of it are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of a search."""

    against: str = "worst"
    budget: int = 100
    """Evaluations: runs of the scenario at points of the space."""
    searcher: str | None = None
    """`tpe`, `evolution`, `random`; None: the best that is installed."""
    seed: int = 1
    """Of the searcher; the runs have the scenario's."""
    shrink: bool = True
    """Whether what was found is looked into and shrunk."""


def search(
    base: Scenario,
    asked: Asked = Asked(),
    *,
    axes: Mapping[str, Any] | None = None,
    origin: str | None = None,
    policy: str | None = None,
    data: Path | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    resume: bool = False,
    trust: bool = False,
    progress: Progress | None = None,
) -> Search:
    """Look for the worst case of a scenario, and shrink it.

    `axes` are fields besides those that the scenario declares under `search:`. `origin` is the name or file
    that the scenario was read from, for the new one to extend. Raises UserError where the search cannot be
    begun, or nothing in the space could be run.
    """
    if policy is not None and not isinstance(policy, str):
        problem = f"the policy of a search is given by reference, found {policy!r}."
        raise UserError(problem, "Put it in a file, and give FILE.py:NAME.")
    given = composition.with_policy(base, policy)
    space, target = room(given, axes, origin), aim(given, asked.against)
    if asked.budget < 1:
        problem = f"a budget of {asked.budget} evaluations finds nothing."
        raise UserError(problem, "Give a budget of some dozens.")
    name = asked.searcher or best_installed()
    folder = out or SEARCHES / base.name
    keeping.begin(folder, _plan(base, asked, name), resume=resume)
    with Trials(folder, jobs=jobs_of(jobs), data=data, trust=trust) as trials:
        first = trials.outcomes([space.scenario({})], target)[0]
        proposer = searcher(name, space.choices, asked.seed)
        tried = _tried(space, target, proposer, trials, asked.budget, progress)
        done = Search(folder, base.name, asked.against, name, asked.seed, asked.budget, first, tuple(tried))
        write_table(folder / EVALUATIONS, done.table())
        if done.worst is None:
            problem = f"none of {asked.budget} points could be run: {tried[0].outcome.error}"
            raise UserError(problem, "Mend the ranges under `search:`, or the scenario.")
        if asked.shrink and done.found:
            done = looked_into(done, space, trials, origin, policy)
        write_text(folder / SUMMARY, json.dumps(done.data(), indent=1, default=str) + "\n")
        write_text(folder / PAGE, page_of(done.charts().values(), done.markup(), f"Search in {base.name}"))
        return done


def _tried(
    space: Room, target: Aim, proposer: Any, trials: Trials, budget: int, progress: Progress | None
) -> list[Evaluation]:
    tried: list[Evaluation] = []
    while len(tried) < budget:
        points = proposer.ask(BATCH)
        batch = [space.values(point) for point in points]
        outcomes = evaluated(space, batch, target, trials)
        proposer.tell(points, [outcome.margin for outcome in outcomes])
        tried += [Evaluation(*row) for row in zip(points, batch, outcomes, strict=True)]
        if progress is not None:
            progress("search", min(len(tried), budget), budget)
    return tried[:budget]


def _plan(base: Scenario, asked: Asked, name: str) -> str:
    told = {"against": asked.against, "budget": asked.budget, "searcher": name, "seed": asked.seed}
    return written({"scenario": base.name, **told})
