"""Reliability: what becomes of a task that is tried again and again.

With c successes in the n sessions of a task (a person, or what a log calls its user),

    pass^k   the chance that all of k sessions succeed        C(c, k) / C(n, k)
    pass@k   the chance that one of k sessions succeeds       1 − C(n − c, k) / C(n, k)

each without bias (Yao and others, "τ-bench", arXiv:2406.12045, 2024; Chen and others, "Evaluating large
language models trained on code", arXiv:2107.03374, 2021), and the mean over tasks. A session succeeds if it
met its goal, or if its world found the end state right (column `success`), where that is recorded. Sessions
that failed through the infrastructure count for nothing. Where a task has fewer than k sessions its value
is NaN, and so is the mean: k goes up to the fewest sessions of any task. `pass^3:returning` is of those tasks
alone that have k sessions. In `pass^3:replicas` a person's sessions in all replicas are trials of one task.

Intervals come from drawing whole tasks anew (a bootstrap by clusters, percentiles of 2,000 draws): sessions
of one task are not independent. Where people are coupled, they are over replicas instead, and sessions that
were put together over replicas have none.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.experiments.intervals import Counts, Interval, Sample, interval
from rehearse.experiments.metrics.base import JUDGED, Floats, Metric, Part, Readable, Repeats, turns_of
from rehearse.record.scope import Scope

Ints = NDArray[np.int64]
NAME = re.compile(r"pass([\^@])([1-9][0-9]{0,2})(?::(returning|replicas))?")
DRAWS = 2000
MOST_TASKS = 10_000
"""With more tasks than this Student's interval is as good, and far quicker."""
MEANT: dict[str, tuple[Literal["all", "any"], str]] = {
    "^": ("all", "The chance that {k} sessions of a person would all meet their goal."),
    "@": ("any", "The chance that at least one of {k} sessions of a person would meet its goal."),
}
OF = {"returning": " Of people with {k} sessions or more.", "replicas": " Sessions of all replicas count."}


def of_name(name: str) -> Metric | None:
    """Return the metric of a name such as `pass^3` or `pass@2:replicas`, or None for another name."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    sign, k, whose = found[1], int(found[2]), found[3]
    how, meaning = MEANT[sign]
    return Metric(
        name=name,
        scale="share",
        better="higher",
        meaning=(meaning + OF.get(whose, "")).format(k=k),
        phrase=f"In {{}} cases {how} of {k} sessions met the goal",
        measure=Repeats(k, how, whose),
        plain=f"{name} of sessions",
    )


def pass_all(n: int, c: int, k: int) -> float:
    """Return C(c, k) / C(n, k), the chance that all of k sessions succeed; NaN where n < k."""
    return math.comb(c, k) / math.comb(n, k) if n >= k else math.nan


def pass_any(n: int, c: int, k: int) -> float:
    """Return 1 − C(n − c, k) / C(n, k), the chance that one of k sessions succeeds; NaN where n < k."""
    return 1.0 - math.comb(n - c, k) / math.comb(n, k) if n >= k else math.nan


def table(record: Readable, part: Part | None = None, confidence: float = 0.95) -> Columns:
    """Return pass^k and pass@k with their bounds, a row a k, up to the fewest sessions of any task."""
    from rehearse.experiments.metrics.measures import Measures

    measures, rows = Measures(record), []
    _, n, _ = _tasks(record, part, pooled=False)
    for k in range(1, (int(n.min()) if len(n) else 0) + 1):
        both = [measures.interval(_known(f"pass{sign}{k}"), confidence, part) for sign in MEANT]
        rows.append([k, *(value for found in both for value in (found.estimate, found.low, found.high))])
    names = ["k", *(f"pass_{word}{end}" for word in ("all", "any") for end in ("", "_low", "_high"))]
    cells = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    return Columns({name: cells[:, i] for i, name in enumerate(names)}, length=len(cells))


def sample(record: Readable, measure: Repeats, part: Part | None, replicas: Ints) -> Sample:
    """Return one value for each task, or one a replica where people are coupled."""
    pooled = measure.whose == "replicas"
    replica, n, c = _tasks(record, part, pooled=pooled)
    found = _values(measure, n, c)
    if record.manifest.get("coupled", True) and not pooled:
        means = [_mean(found[replica == r], measure) for r in replicas.tolist()]
        return Sample.of_replicas(np.array(means, dtype=np.float64), bounded=True)
    told = found[np.isfinite(found)] if measure.whose == "returning" else found
    if record.manifest.get("coupled", True):
        return Sample(told, "run", min(len(told), 1), bounded=True)
    counts = Counts(len(told), int((told > 0).sum()), int((told < 1).sum()))
    return Sample(told, "users", len(told) if np.isfinite(told).all() else 0, bounded=True, counts=counts)


def bootstrapped(found: Sample, confidence: float) -> Interval:
    """Return a sample's interval; over tasks, if they are not too many, by drawing tasks anew."""
    plain = interval(found, confidence)
    if found.unit != "users" or found.size < 2 or found.constant or found.size > MOST_TASKS:
        return plain
    draws = Chance(0).uniform("pass^k", 0, np.arange(DRAWS), count=found.size)
    means = found.values[(draws * found.size).astype(np.int64)].mean(axis=1)
    low, high = np.quantile(means, [0.5 - confidence / 2.0, 0.5 + confidence / 2.0]).tolist()
    return replace(plain, low=low, high=high)


def _known(name: str) -> Metric:
    found = of_name(name)
    if found is None:
        message = f"{name} is no measure of repeated sessions"
        raise ValueError(message)
    return found


def _tasks(record: Readable, part: Part | None, *, pooled: bool) -> tuple[Ints, Ints, Ints]:
    """Return for each task its replica (0 where they are pooled), how often it was tried, and succeeded."""
    view = Scope.in_manifest(record.manifest).view
    checked = "success" in record.query(f"SELECT * FROM {view} LIMIT 0")
    succeeded = f"{JUDGED} AND success > 0" if checked else "\"end\" = 'goal_met'"
    whose = '"user"' if pooled else 'replica, "user"'
    found = record.query(
        f"""SELECT {"0" if pooled else "replica"} AS replica, count(*) FILTER ({JUDGED}) AS n,
        count(*) FILTER ({succeeded}) AS c
        FROM {turns_of(part, view)} WHERE "end" <> 'none' GROUP BY {whose} ORDER BY {whose}"""
    )
    replica, n, c = (np.asarray(found[name], dtype=np.int64) for name in ("replica", "n", "c"))
    return replica, n, c


def _values(measure: Repeats, n: Ints, c: Ints) -> Floats:
    rate = pass_all if measure.how == "all" else pass_any
    values = [rate(n, c, measure.k) for n, c in zip(n.tolist(), c.tolist(), strict=True)]
    return np.array(values, dtype=np.float64)


def _mean(values: Floats, measure: Repeats) -> float:
    told = values[np.isfinite(values)] if measure.whose == "returning" else values
    return float(told.mean()) if len(told) else math.nan
