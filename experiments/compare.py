"""Comparing two runs of the same people with the same luck, unit by unit.

Every draw is addressed by person and moment, so two models meet the very same people; what differs
between the runs differs because of the models. Differences are therefore taken within each replica
(within each person, where nothing couples people), and what the units have in common cancels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments.intervals import Interval, Sample, Unit, paired
from rehearse.experiments.metrics import HEADLINES, METRICS, Measures, Metric, Part, Readable
from rehearse.experiments.metrics.base import JUDGED, Gap, Ratio, Resource, Scale, Whole
from rehearse.experiments.sentences import UNITS, amount, plain
from rehearse.experiments.verdict import CONFIDENCE, rounded
from rehearse.record.scope import Scope
from rehearse.scenario.base import Strict

Direction = Literal["better", "worse", "no clear difference"]
NAMED = 10
"""People named as having gained or lost most."""

SAVED = "\nSaved: how many times as many it would have taken to see as much, were they not the same people."


class Difference(Strict):
    """What a metric was under both models, and B − A with its interval."""

    metric: str
    group: str | None
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    unit: Unit
    change: Direction
    """What B is compared with A."""
    correlation: float | None
    """Between the units' values under A and B."""
    variance_ratio: float | None
    """How many times more units it would have taken without pairing."""


class Person(Strict):
    """Somebody who fared differently."""

    replica: int
    user: int
    group: str
    satisfaction: float
    """Mean satisfaction at the end of sessions, B − A."""
    regret: float | None
    """Mean regret, B − A."""


class Comparison(Strict):
    """Two runs side by side."""

    a: str
    b: str
    unit: Unit
    n: int
    confidence: float
    differences: tuple[Difference, ...]
    """Of everybody."""
    groups: tuple[Difference, ...]
    gained: tuple[Person, ...]
    """Those whose satisfaction rose most under B."""
    lost: tuple[Person, ...]

    def table(self) -> str:
        """Return the comparison as aligned lines to print."""
        head = f"A  {self.a}\nB  {self.b}\nsame people, same luck; paired over {self.n:,} {self.unit}\n"
        lines: list[tuple[str, ...]] = [
            ("", "A", "B", "B − A", f"{100 * self.confidence:g} % interval", "saved", "")
        ]
        group: str | None = None
        for row in (*self.differences, *self.groups):
            if row.group != group:
                lines.append((f"{row.group}:", "", "", "", "", "", ""))
            group = row.group
            lines.append(_line(row))
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        seeming = round(1.0 / (1.0 - self.confidence))
        note = f"\nEach interval stands by itself: of {seeming} equal metrics one will seem to differ.{SAVED}"
        return head + "\n".join(_aligned(line, widths) for line in lines) + note


def compare(a: Readable, b: Readable, *, confidence: float = CONFIDENCE) -> Comparison:
    """Compare run B with run A; raises UserError where they did not rehearse the same people."""
    _same_people(a, b)
    _same_scope(a, b)
    before, after = Measures(a), Measures(b)
    if before.empty or after.empty:
        problem = "one of the runs held no session at all, so there is nothing to compare."
        raise UserError(problem, "Look at visit_rate and the goals of the scenario.")
    if before.unit != after.unit:  # a model that learns couples people in its own run only
        _as_replicas(before)
        _as_replicas(after)
    everybody = tuple(_differences(before, after, tuple(METRICS), None, confidence))
    gained, lost = _people(a, b)
    return Comparison(
        a=label(a),
        b=label(b),
        unit=before.unit,
        n=len(before.replicas) if before.unit == "replicas" else before.people(),
        confidence=confidence,
        differences=everybody,
        groups=tuple(_by_group(before, after, confidence)),
        gained=gained,
        lost=lost,
    )


def variance_ratio(after: Sample, before: Sample) -> float:
    """Return (var A + var B) / var(B − A): what pairing the same units saves; NaN where nothing differs."""
    together = after.minus(before).variance
    return (before.variance + after.variance) / together if together > 0.0 else math.nan


def correlation(after: Sample, before: Sample) -> float:
    """Return the correlation of the units' values, NaN where one side does not vary."""
    both = np.isfinite(after.values) & np.isfinite(before.values)
    x, y = before.values[both], after.values[both]
    if len(x) < 3 or x.std() == 0.0 or y.std() == 0.0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def label(record: Readable) -> str:
    """Return the name and version of a run's policy."""
    policy = record.manifest.get("policy") or {}
    return f"{policy.get('name', 'a model')} {policy.get('version', '')}".strip()


def _same_people(a: Readable, b: Readable) -> None:
    for key, said in (("seed", "seeds"), ("people_digest", "people, world or luck")):
        one, two = a.manifest.get(key), b.manifest.get(key)
        if one != two:
            problem = f"the runs cannot be paired: their {said} differ ({_short(one)} and {_short(two)})."
            remedy = "Run both on one scenario with the same --seed, --users, --ticks and --data."
            raise UserError(problem, remedy)


def _same_scope(a: Readable, b: Readable) -> None:
    one, two = (Scope.in_manifest(record.manifest) for record in (a, b))
    if str(one) != str(two):
        problem = f"the runs cannot be paired: one was recorded with --record {one}, the other with {two}."
        raise UserError(problem, "Run both with the same --record.")


def _short(value: object) -> str:
    return str(value)[:12]


def _as_replicas(measures: Measures) -> None:
    measures.unit = "replicas"


def _by_group(before: Measures, after: Measures, confidence: float) -> Iterator[Difference]:
    names = before.names("group")
    if len(names) > 1:
        for name in names:
            yield from _differences(before, after, HEADLINES, Part("group", name), confidence)


def _differences(
    before: Measures, after: Measures, names: tuple[str, ...], part: Part | None, confidence: float
) -> Iterator[Difference]:
    for metric in (METRICS[name] for name in names):
        if before.applies(metric) and after.applies(metric):
            yield _difference(before, after, metric, part, confidence)


def _difference(
    before: Measures, after: Measures, metric: Metric, part: Part | None, confidence: float
) -> Difference:
    if isinstance(metric.measure, Resource | Whole | Gap):
        return _of_single_numbers(before, after, metric, confidence)
    a, b = before.sample(metric, part), after.sample(metric, part)
    found = paired(b, a, confidence)
    return Difference(
        metric=metric.name,
        group=part.name if part else None,
        a=rounded(a.mean),
        b=rounded(b.mean),
        difference=rounded(found.estimate),
        low=rounded(found.low),
        high=rounded(found.high),
        n=found.n,
        unit=found.unit,
        change=_change(metric, found),
        correlation=rounded(correlation(b, a)),
        variance_ratio=rounded(variance_ratio(b, a)),
    )


def _of_single_numbers(before: Measures, after: Measures, metric: Metric, confidence: float) -> Difference:
    a, b = before.interval(metric, confidence), after.interval(metric, confidence)
    return Difference(
        metric=metric.name,
        group=None,
        a=rounded(a.estimate),
        b=rounded(b.estimate),
        difference=rounded(b.estimate - a.estimate),
        low=None,
        high=None,
        n=1,
        unit="run",
        change="no clear difference",
        correlation=None,
        variance_ratio=None,
    )


def _change(metric: Metric, found: Interval) -> Direction:
    if not found.known or found.low <= 0.0 <= found.high:
        return "no clear difference"
    return "better" if (found.estimate > 0.0) == (metric.better == "higher") else "worse"


def _people(a: Readable, b: Readable) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
    before, after = _fates(a), _fates(b)
    same, here, there = np.intersect1d(_ids(before), _ids(after), assume_unique=True, return_indices=True)
    del same
    pleased = after.numbers("satisfaction")[there] - before.numbers("satisfaction")[here]
    regret = after.numbers("regret")[there] - before.numbers("regret")[here]
    known = np.flatnonzero(np.isfinite(pleased))
    ranked = known[np.lexsort((np.nan_to_num(regret[known]), -pleased[known]))]

    def named(row: int) -> Person:
        return Person(
            replica=int(before["replica"][here[row]].item()),
            user=int(before["user"][here[row]].item()),
            group=str(before["group"][here[row]]),
            satisfaction=rounded(float(pleased[row])) or 0.0,
            regret=rounded(float(regret[row])),
        )

    rose = [named(row) for row in ranked[:NAMED] if pleased[row] > 0.0]
    fell = [named(row) for row in ranked[::-1][:NAMED] if pleased[row] < 0.0]
    return tuple(rose), tuple(fell)


def _fates(record: Readable) -> Columns:
    scope = Scope.in_manifest(record.manifest)
    over, under = Ratio.of_column("regret").sums(of_sessions=scope.view == "sessions")
    return record.query(
        f"""WITH fate AS (SELECT replica, "user", avg(satisfaction) FILTER ({JUDGED}) AS satisfaction,
          {over} / nullif({under}, 0) AS regret FROM {scope.view} GROUP BY ALL)
        SELECT u.replica, u."user", u."group", f.satisfaction, f.regret
        FROM users u JOIN fate f ON f.replica = u.replica AND f."user" = u."user"
        ORDER BY u.replica, u."user\""""
    )


def _ids(fates: Columns) -> NDArray[np.int64]:
    return (np.asarray(fates["replica"], np.int64) << 40) | np.asarray(fates["user"], np.int64)


def _line(row: Difference) -> tuple[str, ...]:
    metric = METRICS[row.metric]
    scale = metric.scale
    moved: Scale = "points" if scale == "share" else scale
    values = [amount(math.nan if v is None else v, scale) for v in (row.a, row.b)]
    if row.low is None or row.high is None:
        bounds = "–"
    else:
        low = _signed(row.low, moved).removesuffix(UNITS.get(moved, ""))
        bounds = f"{low} to {_signed(row.high, moved)}"
    saved = f"×{plain(row.variance_ratio)}" if row.variance_ratio else "–"
    difference = "–" if row.difference is None else _signed(row.difference, moved)
    return (metric.title, *values, difference, bounds, saved, row.change if row.low is not None else "")


def _signed(value: float, scale: Scale) -> str:
    said = amount(value, scale)
    return f"+{said}" if value > 0.0 else said.replace("-", "−")


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    cells = [line[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True)]
    return "  ".join([*cells, line[-1]]).rstrip()
