"""What was found, looked into: whether it holds with another seed, where it ends, what the least of it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from rehearse.errors import ScenarioError
from rehearse.experiments.search import writing
from rehearse.experiments.search.aims import Aim
from rehearse.experiments.search.region import region, shown
from rehearse.experiments.search.results import Evaluation, Search, measured
from rehearse.experiments.search.shrinking import Shrinking
from rehearse.experiments.search.space import Room, Values, value_of
from rehearse.experiments.search.trials import Outcome, Trials
from rehearse.scenario.model import Scenario

CANDIDATES = 5
"""Failures that are tried with other seeds, the worst first."""
FRESH = 2
"""Seeds besides the scenario's with which what is kept must fail."""
OTHERS = 5
"""Further seeds with which the least scenario is run."""


def evaluated(space: Room, batch: Sequence[Values], target: Aim, trials: Trials) -> list[Outcome]:
    """Return what comes of the scenario at some points; where there is none, why."""
    made: list[Scenario] = []
    why: list[str] = []
    for values in batch:
        try:
            made.append(space.scenario(values))
            why.append("")
        except ScenarioError as error:
            why.append(error.problem)
    found = iter(trials.outcomes(made, target))
    return [Outcome(None, target.criteria[0], None, w) if w else next(found) for w in why]


def looked_into(done: Search, space: Room, trials: Trials, origin: str | None, policy: str | None) -> Search:
    """Return a search with the region in which it failed and the least scenario that fails."""
    at = _holding(done, space, trials)
    if at is None:
        return done
    target = Aim((at.outcome.criterion,))

    def fails_at(batch: Sequence[Values]) -> list[bool]:
        return [outcome.fails for outcome in evaluated(space, batch, target, trials)]

    tried = [(e.point, e.outcome.margin) for e in done.evaluations]
    fields = region(space, tried, at.point, fails_at)
    found = replace(done, at=at, region=fields)
    return replace(found, shrunk=_shrunk(found, at, space, trials, origin, policy))


def _holding(done: Search, space: Room, trials: Trials) -> Evaluation | None:
    """Return the worst evaluation that fails with seeds, too, which the search never had."""
    failing = sorted((e for e in done.evaluations if e.outcome.fails), key=lambda e: e.outcome.margin or 0.0)
    for one in failing[:CANDIDATES]:
        if still(space.scenario(one.values), Aim((one.outcome.criterion,)), trials):
            return one
    return None


def still(scenario: Scenario, target: Aim, trials: Trials) -> bool:
    """Tell whether a scenario fails with its own seed and with the next ones."""
    return all(trials.outcomes([_with_seed(scenario, more)], target)[0].fails for more in range(FRESH + 1))


def _with_seed(scenario: Scenario, more: int) -> Scenario:
    return scenario.model_copy(update={"seed": (scenario.seed + more) % 2**63})


def _shrunk(
    done: Search, at: Evaluation, space: Room, trials: Trials, origin: str | None, policy: str | None
) -> writing.Shrunk:
    target = Aim((at.outcome.criterion,))
    found = space.scenario(at.values)
    before = space.base.model_dump(mode="json", exclude={"search"})
    path = Shrinking(
        data=found.model_dump(mode="json", exclude={"search"}),
        written=before,
        fields=[field.name for field in reversed(done.region)],
        fails=partial(still, target=target, trials=trials),
        budget=done.budget,
    )
    least = path.least()
    outcome = trials.outcomes([least], target)[0]
    others = trials.outcomes([_with_seed(least, 1 + FRESH + i) for i in range(OTHERS)], target)
    story = _story(done, at, outcome, _changed(path, before), policy)
    file = writing.write(trials.folder, least, outcome, origin, story, policy=policy)
    held = sum(other.fails for other in others)
    return writing.Shrunk(least, outcome, file, path.tries, writing.sizes(found), (held, OTHERS))


def _story(done: Search, at: Evaluation, outcome: Outcome, changed: list[str], policy: str | None) -> str:
    number = done.evaluations.index(at) + 1
    how = f"{done.searcher}, seed {done.seed}, evaluation {number} of {done.budget}, then shrunk"
    model = f" Run it with --policy {policy}." if policy else ""
    return (
        f"Found by a search for failure in {done.scenario} ({how}). Verdict {measured(outcome)}. "
        f"What it takes: {'; '.join(changed) or 'nothing but its size'}.{model}"
    )


def _changed(path: Shrinking, before: dict[str, Any]) -> list[str]:
    del before
    pairs = [
        (name, value_of(path.written, name), value_of(path.data, name)) for name in reversed(path.fields)
    ]
    return [f"{name} {shown(new)} instead of {shown(old)}" for name, old, new in pairs if old != new]
