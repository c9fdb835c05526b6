"""Comparing two runs of the same people with the same luck, unit by unit.

Every draw is addressed by person and moment, so two models meet the very same people; what differs
between the runs differs because of the models. Differences are therefore taken within each replica
(within each person, where nothing couples people), and what the units have in common cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rehearse.errors import UserError
from rehearse.experiments.fates import Person, changed_most
from rehearse.experiments.intervals import Unit, paired
from rehearse.experiments.metrics import HEADLINES, METRICS, Measures, Metric, Part, Readable
from rehearse.experiments.metrics.base import Gap, Kind, Resource, Scale, Whole
from rehearse.experiments.pairing import correlation, holm, p_value, unpaired, variance_ratio
from rehearse.experiments.pictures.showing import Shown
from rehearse.experiments.sentences import UNITS, amount, plain
from rehearse.experiments.verdict import CONFIDENCE, rounded
from rehearse.record.reading import RunRecord
from rehearse.record.scope import Scope
from rehearse.scenario.base import Strict

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

Direction = Literal["better", "worse", "no clear difference"]
SAVED = "Saved: how many times as many it would have taken to see as much, were they not the same people."


class Difference(Strict):
    """What a metric was under both models, and B − A with its interval."""

    metric: str
    kind: Kind | None = None
    """Whether `group` names a group or a segment; None: everybody."""
    group: str | None = None
    a: float | None
    b: float | None
    difference: float | None
    low: float | None = None
    """The bounds of this difference by itself, None where it was measured once."""
    high: float | None = None
    n: int
    unit: Unit
    p: float | None = None
    """The chance of a difference so large where there is none."""
    p_corrected: float | None = None
    """The same, corrected for all that were looked at: everybody's metrics, or those of all groups."""
    change: Direction = "no clear difference"
    """What B is compared with A, by the corrected chance."""
    correlation: float | None = None
    """Between the units' values under A and B."""
    variance_ratio: float | None = None
    """How many times more units it would have taken without pairing."""


class Comparison(Shown, Strict):
    """Two runs side by side."""

    a: str
    b: str
    paired: bool = True
    """Whether the people were the same, with the same luck."""
    across: bool = False
    """Whether the scenarios differ: people are then paired by seed and number alone."""
    unit: Unit
    n: int
    confidence: float
    differences: tuple[Difference, ...]
    """Of everybody."""
    groups: tuple[Difference, ...]
    segments: tuple[Difference, ...] = ()
    gained: tuple[Person, ...]
    """Those whose satisfaction rose most under B."""
    lost: tuple[Person, ...]

    def table(self) -> str:
        """Return the comparison as aligned lines to print."""
        alike = "same seed, same numbers of people" if self.across else "same people, same luck"
        met = f"{alike}; paired over" if self.paired else "other people: two samples of"
        head = f"A  {self.a}\nB  {self.b}\n{met} {self.n:,} {self.unit}\n"
        interval = f"{100 * self.confidence:g} % interval"
        lines: list[tuple[str, ...]] = [("", "A", "B", "B − A", interval, "saved", "p", "")]
        group: str | None = None
        for row in (*self.differences, *self.groups, *self.segments):
            if row.group != group:
                lines.append((f"{row.group}:", *("",) * (len(lines[0]) - 1)))
            group = row.group
            lines.append(line(row))
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        told = [head + "\n".join(_aligned(cells, widths) for cells in lines), *self.notes()]
        for title, people in (("Gained most under B", self.gained), ("Lost most", self.lost)):
            told += [f"{title}:", *(f"  {person}" for person in people)] if people else []
        return "\n".join(told)

    def notes(self) -> list[str]:
        """Return what must be known to read the table, in lines."""
        lots = (("everybody", self.differences), ("groups", self.groups), ("segments", self.segments))
        looked = ", ".join(f"{len(rows)} of {whom}" for whom, rows in lots if rows)
        chance = f"{100 * (1.0 - self.confidence):.3g} in 100"
        return [
            f"Looked at: {looked}. Intervals stand by themselves; p and the last column are",
            f"corrected for how many were looked at (Holm): a lot holds a false word in at most {chance}.",
            *([SAVED] if self.paired else []),
        ]

    def charts(self) -> Charts:
        """Return forests of the differences by name: `differences`, `groups`, `segments`, by unit."""
        from rehearse.experiments.pictures.of_differences import of_comparison

        return of_comparison(self)

    def __str__(self) -> str:
        """Return the table."""
        return self.table()

    def markup(self) -> str:
        """Return the differences as HTML."""
        from rehearse.experiments.pictures.of_differences import comparison_tables

        return comparison_tables(self)


def compare(a: Readable, b: Readable, *, confidence: float = CONFIDENCE, across: bool = False) -> Comparison:
    """Compare run B with run A; raises UserError where they did not rehearse the same people.

    With `across` their scenarios may differ, though not their worlds. Where the seed is the same and the
    same numbers of people are there, they are paired by these alone, whatever else the scenarios make of
    them; other people are compared as two samples.
    """
    _same_world(a, b)
    same = _same_people(a, b, across=across)
    _same_scope(a, b)
    _same_length(a, b, across=across)
    before, after = Measures(a), Measures(b)
    if before.empty or after.empty:
        problem = "one of the runs held no session at all, so there is nothing to compare."
        raise UserError(problem, "Look at visit_rate and the goals of the scenario.")
    if before.unit != after.unit:  # a model that learns couples people in its own run only
        _as_replicas(before)
        _as_replicas(after)
    both = _Both(before, after, confidence, paired=same)
    gained, lost = changed_most(a, b) if same else ((), ())
    names = [label(side) for side in (a, b)]
    if across:
        names = [
            f"{name} in {side.manifest['scenario']['name']}" for name, side in zip(names, (a, b), strict=True)
        ]
    return Comparison(
        a=names[0],
        b=names[1],
        paired=same,
        across=across and a.manifest.get("people_digest") != b.manifest.get("people_digest"),
        unit=before.unit,
        n=len(before.replicas) if before.unit == "replicas" else before.people(),
        confidence=confidence,
        differences=both.corrected(tuple(METRICS), [None]),
        groups=both.corrected(HEADLINES, both.parts("group")),
        segments=both.corrected(HEADLINES, both.parts("segment")),
        gained=gained,
        lost=lost,
    )


def _same_length(a: Readable, b: Readable, *, across: bool) -> None:
    """Raise UserError where one of the runs was stopped earlier than the other."""
    one, other = (side.manifest.get("tick") for side in (a, b))
    if one == other or across:
        return
    problem = f"the runs cannot be paired: one holds {one} ticks, the other {other}."
    raise UserError(problem, "Finish the one that was stopped: `rehearse resume RUN`.")


def label(record: Readable) -> str:
    """Return the name and version of a run's policy."""
    policy = record.manifest.get("policy") or {}
    return f"{policy.get('name', 'a model')} {policy.get('version', '')}".strip()


def _same_people(a: Readable, b: Readable, *, across: bool) -> bool:
    """Return whether the people are the same, with the same luck; raise UserError where they must be."""
    for key, said in (("seed", "seeds"), ("people_digest", "people, world or luck")):
        one, two = a.manifest.get(key), b.manifest.get(key)
        if one == two:
            continue
        if across:
            return key != "seed" and _names(a) == _names(b)
        problem = f"the runs cannot be paired: their {said} differ ({_short(one)} and {_short(two)})."
        remedy = "Run both on one scenario with the same --seed, --users, --ticks and --data"
        raise UserError(problem, f"{remedy}; or compare two scenarios with --across.")
    return True


def _names(record: Readable) -> tuple[tuple[object, ...], ...]:
    """Return who is there: with the same seed the same id has the same luck."""
    found = record.query('SELECT replica, "user" FROM users ORDER BY replica, "user"')
    return tuple(tuple(found[name].tolist()) for name in found)


def _same_world(a: Readable, b: Readable) -> None:
    worlds = [side.scenario.world.name for side in (a, b) if isinstance(side, RunRecord)]
    if len(set(worlds)) > 1:
        problem = f"the runs are of two worlds, {' and '.join(worlds)}, and mean different things."
        raise UserError(problem, "Compare runs of one world; `rehearse report RUN` tells of each by itself.")


def _same_scope(a: Readable, b: Readable) -> None:
    one, two = (Scope.in_manifest(record.manifest) for record in (a, b))
    if str(one) != str(two):
        problem = f"the runs cannot be paired: one was recorded with --record {one}, the other with {two}."
        raise UserError(problem, "Run both with the same --record.")


def _short(value: object) -> str:
    return str(value)[:12]


def _as_replicas(measures: Measures) -> None:
    measures.unit = "replicas"


@dataclass(frozen=True, slots=True)
class _Both:
    """Two runs that are being compared."""

    before: Measures
    after: Measures
    confidence: float
    paired: bool

    def parts(self, kind: Kind) -> list[Part | None]:
        """Return the groups (or segments) that both have, none where there is one alone."""
        if not all(kind in side.kinds for side in (self.before, self.after)):
            return []
        if kind == "segment" and _same_parts(self.before):
            return []
        there = self.after.names(kind)
        names = [name for name in self.before.names(kind) if name in there]
        return [Part(kind, name) for name in names] if len(names) > 1 else []

    def corrected(self, names: tuple[str, ...], parts: Sequence[Part | None]) -> tuple[Difference, ...]:
        """Return a family of differences, each with its p corrected for how many there are."""
        found = [(metric, self._one(metric, part)) for part in parts for metric in self._metrics(names)]
        ps = holm([math.nan if row.p is None else row.p for _, row in found])
        return tuple(
            row.model_copy(
                update={"p_corrected": rounded(p), "change": _change(metric, row, p < 1.0 - self.confidence)}
            )
            for (metric, row), p in zip(found, ps.tolist(), strict=True)
        )

    def _metrics(self, names: tuple[str, ...]) -> list[Metric]:
        known = [METRICS[name] for name in names]
        return [m for m in known if self.before.applies(m) and self.after.applies(m)]

    def _one(self, metric: Metric, part: Part | None) -> Difference:
        if isinstance(metric.measure, Resource | Whole | Gap):
            a, b = (side.interval(metric, self.confidence).estimate for side in (self.before, self.after))
            return Difference(
                metric=metric.name, a=rounded(a), b=rounded(b), difference=rounded(b - a), n=1, unit="run"
            )
        x, y = self.before.sample(metric, part), self.after.sample(metric, part)
        found = (paired if self.paired else unpaired)(y, x, self.confidence)
        return Difference(
            metric=metric.name,
            kind=part.kind if part else None,
            group=part.name if part else None,
            a=rounded(x.mean),
            b=rounded(y.mean),
            difference=rounded(found.estimate),
            low=rounded(found.low),
            high=rounded(found.high),
            n=found.n,
            unit=found.unit,
            p=rounded(p_value(found)),
            correlation=rounded(correlation(y, x)) if self.paired else None,
            variance_ratio=rounded(variance_ratio(y, x)) if self.paired else None,
        )


def _same_parts(measures: Measures) -> bool:
    """Return whether segments are the groups over again."""
    found = measures.record.query(
        """SELECT count(DISTINCT "group") AS groups, count(DISTINCT segment) AS segments,
        count(DISTINCT ("group", segment)) AS both FROM users"""
    )
    return len({int(found[name][0]) for name in ("groups", "segments", "both")}) == 1


def _change(metric: Metric, row: Difference, clear: bool) -> Direction:  # noqa: FBT001 - one of three
    if not clear or row.difference is None:
        return "no clear difference"
    return "better" if (row.difference > 0.0) == (metric.better == "higher") else "worse"


def line(row: Difference) -> tuple[str, ...]:
    """Return a difference as the cells of a table: metric, A, B, B − A, bounds, saved, p, word."""
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
    chance = (
        "–" if row.p_corrected is None else "<.001" if row.p_corrected < 0.001 else f"{row.p_corrected:.2g}"
    )
    word = row.change if row.low is not None else ""
    return (metric.title, *values, difference, bounds, saved, chance, word)


def _signed(value: float, scale: Scale) -> str:
    said = amount(value, scale)
    return f"+{said}" if value > 0.0 else said.replace("-", "−")


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    cells = [line[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True)]
    return "  ".join([*cells, line[-1]]).rstrip()
