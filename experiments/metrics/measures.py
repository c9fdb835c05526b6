"""Reading metrics off a record: samples over independent units, of everybody or of a part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.intervals import (
    Counts,
    Interval,
    Sample,
    Unit,
    interval,
    linearised,
    linearised_quantile,
    t_quantile,
)
from rehearse.experiments.metrics.base import (
    By,
    Floats,
    Gap,
    Kind,
    Lives,
    Metric,
    Part,
    Quantile,
    Ratio,
    Readable,
    Repeats,
    Resource,
    Society,
    Whole,
    quoted,
    turns_of,
)
from rehearse.experiments.metrics.known import METRICS
from rehearse.experiments.metrics.repeats import bootstrapped
from rehearse.experiments.metrics.repeats import sample as repeated
from rehearse.experiments.metrics.society import ticks_of
from rehearse.record.scope import Scope

Ints = NDArray[np.int64]
WOODRUFF = 2.0
"""A quantile's density is taken between the levels this many standard errors to either side."""


class Remembering:
    """A record that asks its tables every question only once."""

    def __init__(self, record: Readable) -> None:
        """Take the record."""
        self.manifest = record.manifest
        self._record = record
        self._answers: dict[str, Columns] = {}

    def query(self, sql: str) -> Columns:
        """Run a SELECT, or return what it gave before; the result must not be written into."""
        if sql not in self._answers:
            self._answers[sql] = self._record.query(sql)
        return self._answers[sql]


class Measures:
    """What a record shows: for a metric and a part of the people a sample, an estimate, an interval.

    All means over turns are summed in one pass, by replica, group and segment; by person where
    nothing couples people. Further queries are made only for what is asked.
    """

    def __init__(self, record: Readable, ratios: Iterable[Metric] = ()) -> None:
        """Take the record; `ratios` are plugged-in means over turns to sum along with the built-in ones."""
        self.record: Readable = Remembering(record)
        self._more = tuple(m for m in ratios if isinstance(m.measure, Ratio) and m.name not in METRICS)

    @cached_property
    def scope(self) -> Scope:
        """Return what was kept of the turns."""
        return Scope.in_manifest(self.record.manifest)

    @cached_property
    def unit(self) -> Unit:
        """Return what is independent here: users where nothing couples them, else replicas."""
        return "replicas" if self.record.manifest.get("coupled", True) else "users"

    @cached_property
    def empty(self) -> bool:
        """Return whether not one turn was held."""
        return self.record.manifest.get("user_turns") == 0

    @cached_property
    def replicas(self) -> Ints:
        """Return the numbers of the replicas, ascending."""
        found = self.record.query("SELECT DISTINCT replica FROM users ORDER BY replica")
        return np.asarray(found["replica"], dtype=np.int64)

    @cached_property
    def columns(self) -> frozenset[str]:
        """Return the columns of turns (or those summed by session) and of ticks."""
        kept = self.record.query(f"SELECT * FROM {self.scope.view} LIMIT 0")
        turns = frozenset(name.removesuffix("_sum") for name in kept)
        return turns | frozenset(self.record.query("SELECT * FROM ticks LIMIT 0"))

    @cached_property
    def comes_and_goes(self) -> bool:
        """Return whether people arrive or leave during the run."""
        return "ticks_here" in self.record.query("SELECT * FROM users LIMIT 0")

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """Return by what the people of this record may be told apart."""
        told = self.record.query("SELECT * FROM users LIMIT 0")
        return tuple(kind for kind in get_args(Kind) if kind in told)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the groups (segments, manners) that have people, groups in the manifest's order."""
        found = self.record.query(f'SELECT DISTINCT "{kind}" AS name FROM users ORDER BY name')
        present = [str(name) for name in found["name"].tolist()]
        order = list(self.record.manifest.get("groups", ())) if kind == "group" else []
        return tuple(sorted(present, key=lambda n: (order.index(n) if n in order else len(order), n)))

    def people(self, part: Part | None = None) -> int:
        """Return how many people ever were here, over all replicas, of those of whom something is kept."""
        here = "ticks_here > 0" if self.comes_and_goes else "true"
        where = here if part is None else f'{here} AND "{part.kind}" = {quoted(part.name)}'
        found = self.record.query(f"SELECT count(*) AS n FROM {self._people} WHERE {where}")
        return int(found.numbers("n")[0])

    @property
    def _people(self) -> str:
        """Return the SQL source of those of whom something is kept."""
        return "(SELECT * FROM users WHERE recorded)" if self.scope.kind == "sample" else "users"

    def sampled(self, metric: Metric) -> bool:
        """Return whether a metric is read off a sample of the people."""
        measure = metric.measure
        off_turns = not isinstance(measure, Resource) and getattr(measure, "reads", "turns") != "ticks"
        return self.scope.kind == "sample" and off_turns

    def kept(self, metric: Metric) -> bool:
        """Return whether what the metric is read off was kept of this run."""
        measure = metric.measure.of.measure if isinstance(metric.measure, Gap) else metric.measure
        if self.scope.kind == "all" or isinstance(measure, Resource | Lives):
            return True
        if isinstance(measure, Society) and measure.reads != "turns":
            return measure.reads == "ticks"
        by_session = isinstance(measure, Repeats) or (isinstance(measure, Ratio) and bool(measure.sessions))
        return self.scope.kind == "sample" or (self.scope.kind == "sessions" and by_session)

    def applies(self, metric: Metric) -> bool:
        """Return whether the record holds what the metric needs."""
        measure = metric.measure.of.measure if isinstance(metric.measure, Gap) else metric.measure
        if isinstance(measure, Resource):
            return self._resource(measure) is not None
        if isinstance(metric.measure, Gap) and not metric.measure.among(len(self.names("group"))):
            return False
        return not self.empty and self.kept(metric) and self.columns.issuperset(metric.needs)

    def interval(self, metric: Metric, confidence: float, part: Part | None = None) -> Interval:
        """Return a metric's estimate and bounds; NaN where there is nothing, or too little, to go by."""
        measure = metric.measure
        if not self.applies(metric):
            return Interval(math.nan, math.nan, math.nan, confidence, 0, self.unit)
        if isinstance(measure, Gap):
            samples = [self.sample(measure.of, Part("group", name)) for name in self.names("group")]
            return measure.between(samples, confidence)
        if isinstance(measure, Resource | Whole):
            value = self._single(measure)
            return Interval(value, value, value, confidence, 1, "run")
        if isinstance(measure, Repeats):
            return bootstrapped(self.sample(metric, part), confidence)
        found = interval(self.sample(metric, part), confidence)
        if isinstance(measure, Quantile) and found.known:
            return self._bounds_of_quantile(measure, part, found)
        return found

    def sample(self, metric: Metric, part: Part | None = None) -> Sample:
        """Return one value for each independent unit, in the same order for every metric and part."""
        measure = metric.measure
        if isinstance(measure, Ratio | Lives):
            return self._ratio(metric, part)
        if isinstance(measure, Quantile):
            return self._quantile(measure, part)
        if isinstance(measure, Repeats):
            return repeated(self.record, measure, part, self.replicas)
        if isinstance(measure, Gap | Resource | Whole):
            message = f"{metric.name} is one number a run"
            raise TypeError(message)
        found = measure.measure(self.record, part)
        values = np.array([found.get(int(r), math.nan) for r in self.replicas], dtype=np.float64)
        return Sample.of_replicas(values, bounded=metric.bounded)

    @cached_property
    def _ratios(self) -> dict[str, tuple[int, Ratio | Lives]]:
        known = (*METRICS.values(), *self._more)
        there = (m for m in known if self.columns.issuperset(m.needs) and self.kept(m))
        measures = [(m.name, m.measure) for m in there if isinstance(m.measure, Ratio | Lives)]
        return {name: (i, measure) for i, (name, measure) in enumerate(measures)}

    @cached_property
    def _tally(self) -> Columns:
        everybody = self._everybody
        if self.unit == "users":
            return self.record.query(f'{everybody} SELECT * FROM everybody ORDER BY replica, "user"')
        cells = ", ".join(_cell(i) for i, _ in self._ratios.values())
        return self.record.query(
            f"{everybody} SELECT replica, {self._parts}, {cells} FROM everybody GROUP BY ALL ORDER BY ALL"
        )

    @cached_property
    def _by_person(self) -> Columns:
        """Return the sums of each person of a sample, over the replicas, by group and segment."""
        cells = ", ".join(_cell(i) for i, _ in self._ratios.values())
        summed = f'SELECT "user", {self._parts}, {cells} FROM everybody GROUP BY ALL ORDER BY ALL'
        return self.record.query(f"{self._everybody} {summed}")

    @cached_property
    def _everybody(self) -> str:
        """Return SQL for one row a person and replica, with the sums of all ratios."""
        ratios = list(self._ratios.values())
        there = "u.ticks_here" if self.comes_and_goes else str(ticks_of(self.record))
        of_sessions = self.scope.view == "sessions"
        summed = "".join(
            _sums(i, *r.sums(of_sessions=of_sessions)) for i, r in ratios if isinstance(r, Ratio)
        )
        codes = ", ".join(self._code(kind) for kind in self.kinds)
        filled = ", ".join(_filled(i, r, there) for i, r in ratios)
        return f"""WITH person AS (
          SELECT t.replica, t."user"{summed} FROM {self.scope.view} t GROUP BY ALL),
        everybody AS (SELECT u.replica, u."user", {codes}, {filled}
          FROM {self._people} u LEFT JOIN person p ON p.replica = u.replica AND p."user" = u."user")"""

    @property
    def _parts(self) -> str:
        return ", ".join(f'"{kind}"' for kind in self.kinds)

    def _code(self, kind: Kind) -> str:
        listed = ", ".join(quoted(name) for name in self.names(kind))
        return f'list_position([{listed}], u."{kind}") - 1 AS "{kind}"'

    def _ratio(self, metric: Metric, part: Part | None) -> Sample:
        if metric.name not in self._ratios:
            return Measures(self.record, [metric]).sample(metric, part)
        tally, (i, _) = self._tally, self._ratios[metric.name]
        here = self._within(tally, part)
        over = np.where(here, tally.numbers(f"over_{i}"), 0.0)
        under = np.where(here, tally.numbers(f"under_{i}"), 0.0)
        if self.unit == "users":
            counts = _counts((under > 0).sum(), (over > 0).sum(), (over < under).sum())
            return replace(linearised(over, under), bounded=metric.bounded, counts=counts)
        counted = (tally.numbers(f"{name}_{i}")[here].sum() for name in ("people", "events", "misses"))
        found = Sample.of_replicas(
            _divided(self._by_replica(over), self._by_replica(under)),
            bounded=metric.bounded,
            counts=_counts(*counted),
        )
        return replace(found, chosen=self._chosen(i, part)) if self.scope.kind == "sample" else found

    def _chosen(self, i: int, part: Part | None) -> Floats:
        """Return pseudo-values of a sample's people, for the error of having chosen them.

        They are shrunk by √(1 − share), the correction for a finite population of Cochran (1977, §2.6).
        """
        people = self._by_person
        here = self._within(people, part)
        _, place = np.unique(people["user"], return_inverse=True)
        over, under = (
            np.bincount(place, np.where(here, people.numbers(f"{name}_{i}"), 0.0)).astype(np.float64)
            for name in ("over", "under")
        )
        return linearised(over, under).values * math.sqrt(1.0 - self.scope.share)

    def _within(self, tally: Columns, part: Part | None) -> NDArray[np.bool_]:
        if part is None:
            return np.ones(tally.length, dtype=np.bool_)
        names = self.names(part.kind)
        return np.asarray(tally[part.kind] == (names.index(part.name) if part.name in names else -1))

    def _by_replica(self, values: Floats) -> Floats:
        place = np.searchsorted(self.replicas, self._tally["replica"])
        return np.bincount(place, weights=values, minlength=len(self.replicas)).astype(np.float64)

    def _quantile(self, measure: Quantile, part: Part | None) -> Sample:
        known = _known(measure, part)
        if self.unit == "users":
            return self._quantile_of_people(measure, known)
        found = self.record.query(
            f"""SELECT replica, quantile_cont({measure.column}, {measure.level}) AS value
            FROM {known} GROUP BY ALL"""
        )
        values = np.full(len(self.replicas), math.nan)
        values[np.searchsorted(self.replicas, found["replica"])] = found.numbers("value")
        return Sample.of_replicas(values)

    def _quantile_of_people(self, measure: Quantile, known: str) -> Sample:
        level = measure.level
        value, below, count = self._below_quantile(measure, known)
        reach = WOODRUFF * linearised(below, count).error
        if not reach > 0.0:
            return linearised_quantile(below, count, value, 0.0)
        low, high = max(0.0, level - reach), min(1.0, level + reach)
        near, far = self._levels(measure.column, known, [low, high])
        density = (high - low) / (far - near) if far > near else 0.0
        return linearised_quantile(below, count, value, density)

    def _below_quantile(self, measure: Quantile, known: str) -> tuple[float, Floats, Floats]:
        """Return a quantile, and for each person how many turns lie at or below it, of how many."""
        value = self._levels(measure.column, known, [measure.level])[0]
        limit = repr(value) if math.isfinite(value) else "0"
        found = self.record.query(
            f"""WITH person AS (SELECT t.replica, t."user", count(*) AS n,
              count(*) FILTER ({measure.column} <= {limit}) AS below FROM {known} GROUP BY ALL)
            SELECT coalesce(p.n, 0) AS n, coalesce(p.below, 0) AS below FROM {self._people} u
            LEFT JOIN person p ON p.replica = u.replica AND p."user" = u."user"
            ORDER BY u.replica, u."user\""""
        )
        return value, found.numbers("below"), found.numbers("n")

    def _bounds_of_quantile(self, measure: Quantile, part: Part | None, found: Interval) -> Interval:
        """Return better bounds than the symmetric ones, which a long tail can push below 0.

        Over people they are Woodruff's (1952): the quantiles at the ends of the interval of the level.
        """
        if self.unit == "replicas":
            return replace(found, low=max(0.0, found.low))
        known = _known(measure, part)
        _, below, count = self._below_quantile(measure, known)
        reach = t_quantile(found.n - 1, found.confidence) * linearised(below, count).error
        ends = [max(0.0, measure.level - reach), min(1.0, measure.level + reach)]
        low, high = self._levels(measure.column, known, ends)
        return replace(found, low=min(low, found.estimate), high=max(high, found.estimate))

    def _levels(self, column: str, known: str, levels: Sequence[float]) -> list[float]:
        asked = ", ".join(f"quantile_cont({column}, {p!r}) AS v{i}" for i, p in enumerate(levels))
        found = self.record.query(f"SELECT {asked} FROM {known}")
        return [float(found.numbers(f"v{i}")[0]) for i in range(len(levels))]

    def _single(self, measure: Resource | Whole) -> float:
        return measure.measure(self.record) if isinstance(measure, Whole) else self._resource(measure) or 0.0

    def _resource(self, measure: Resource) -> float | None:
        value = (self.record.manifest.get("resources") or {}).get(measure.key)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def series(record: Readable, metrics: Sequence[Metric], part: Part | By | None = None) -> Columns:
    """Return means over turns tick by tick: columns replica, tick, and for each metric its name and `name_n`.

    A tick without anything to count has NaN. Raises TypeError for a metric that is no mean over turns.
    """
    asked, scope = [], Scope.in_manifest(record.manifest)
    for metric in metrics:
        if not isinstance(metric.measure, Ratio) or metric.measure.per != "turn":
            message = f"{metric.name} is no mean over turns"
            raise TypeError(message)
        over, under = metric.measure.sums(of_sessions=scope.view == "sessions")
        asked.append(f'{over} / nullif({under}, 0) AS "{metric.name}", {under} AS "{metric.name}_n"')
    source = turns_of(part, scope.view)
    return record.query(f"SELECT replica, tick, {', '.join(asked)} FROM {source} GROUP BY ALL ORDER BY ALL")


def _known(measure: Quantile, part: Part | None) -> str:
    return f"{turns_of(part)} WHERE isfinite({measure.column})"


def _sums(i: int, over: str, under: str) -> str:
    return f", {over} AS over_{i}, {under} AS under_{i}"


def _filled(i: int, measure: Ratio | Lives, there: str) -> str:
    """Return SQL for what a person adds to a mean; `there`: the ticks that he or she was here."""
    if isinstance(measure, Lives):
        return f"CAST({measure.over} AS DOUBLE) AS over_{i}, CAST({measure.under} AS DOUBLE) AS under_{i}"
    under = f"coalesce(p.under_{i}, 0)" if measure.per == "turn" else there
    return f"coalesce(p.over_{i}, 0.0) AS over_{i}, {under} AS under_{i}"


def _cell(i: int) -> str:
    return (
        f"sum(over_{i}) AS over_{i}, sum(under_{i}) AS under_{i}, "
        f"count(*) FILTER (under_{i} > 0) AS people_{i}, count(*) FILTER (over_{i} > 0) AS events_{i}, "
        f"count(*) FILTER (over_{i} < under_{i}) AS misses_{i}"
    )


def _divided(over: Floats, under: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(under > 0, over / under, math.nan))


def _counts(*numbers: float) -> Counts:
    people, events, misses = (int(n) for n in numbers)
    return Counts(people, events, misses)
