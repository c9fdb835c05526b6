"""What a search aims at, and how far a run is from it.

The margin of a criterion, in units of its bound (of 1 where that is 0), is below 0 exactly where the verdict
is fail, and falls as the failure gets worse or the evidence firmer. With the bound b, the estimate e and the
end h of the interval that is nearer to passing (`high` for `at_least`; for `at_most` all signs turn round):

    h < b     the verdict is fail: h − b
    else      ((h − b) + max(e − b, 0)) / 2, for h alone stands still at 1 where e is a share near 1

Of several criteria the least margin counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.experiments.metrics import find
from rehearse.experiments.sweep.measuring import repeats
from rehearse.scenario.model import Criterion, Scenario

WORST = "worst"


@dataclass(frozen=True, slots=True)
class Aim:
    """The criteria of which one is to fail."""

    criteria: tuple[Criterion, ...]

    def margins(self, judged: Iterable[dict[str, Any]]) -> list[float | None]:
        """Return the margin of each criterion in the lines of a run; None where nothing was measured."""
        found = {(line["metric"], line["group"]): line for line in judged}
        return [_margin(c, found.get((c.metric, c.group or ""))) for c in self.criteria]

    def least(self, judged: Iterable[dict[str, Any]]) -> tuple[float | None, Criterion]:
        """Return the least margin, and whose it is."""
        margins = self.margins(judged)
        known = [(m, i) for i, m in enumerate(margins) if m is not None]
        if not known:
            return None, self.criteria[0]
        margin, which = min(known)
        return margin, self.criteria[which]


def aim(scenario: Scenario, against: str = WORST) -> Aim:
    """Return what to aim at: a criterion by its metric (`wait`, or `wait[foreign]` of a group), or the worst.

    Raises ScenarioError where the scenario has no such criterion, or one that differs from run to run.
    """
    there = [c for c in scenario.criteria if repeats(find(c.metric))]
    if not there:
        problem = f"the scenario {scenario.name!r} has no criterion that a run repeats."
        raise ScenarioError(problem, "Add one: `criteria: [{metric: error_rate, at_most: 0.01}]`.")
    match = re.fullmatch(r"(?P<metric>.+?)(?:\[(?P<group>[^\]]*)\])?", against)
    metric, group = (match["metric"], match["group"]) if match else (against, None)
    meant = [c for c in there if c.metric == metric and (group is None or c.group == group)]
    if against != WORST and not meant:
        known = [WORST, *(told(c) for c in there)]
        problem = f"--against {against}: the scenario {scenario.name!r} has no such criterion."
        raise ScenarioError(problem, did_you_mean(against, known))
    return Aim(tuple(there if against == WORST else meant))


def told(criterion: Criterion) -> str:
    """Return a criterion by its metric, as `--against` names it."""
    return f"{criterion.metric}[{criterion.group}]" if criterion.group else criterion.metric


def bound_of(criterion: Criterion) -> str:
    """Return what a criterion asks, in words."""
    if criterion.at_least is not None:
        return f"{told(criterion)} at least {criterion.at_least:g}"
    return f"{told(criterion)} at most {criterion.at_most:g}"


def _margin(criterion: Criterion, line: dict[str, Any] | None) -> float | None:
    if line is None or line["low"] is None or line["high"] is None:
        return None
    if criterion.at_least is not None:
        bound, sign, end = criterion.at_least, 1.0, line["high"]
    else:
        bound, sign, end = criterion.at_most or 0.0, -1.0, line["low"]
    far, middle = sign * (end - bound), sign * (line["estimate"] - bound)
    return float((far if far < 0.0 else (far + max(middle, 0.0)) / 2.0) / (abs(bound) or 1.0))
