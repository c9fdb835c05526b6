"""What a report says, worked out in SQL: small tables, however many turns were recorded.

A *session* is read from its last turn (the one whose `end` is not `none`), so no query groups by
session except the flow. NaN means "there was none" and is left out of every mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.intervals import Interval, Sample, interval
from rehearse.experiments.metrics import Metric, Part, find, series
from rehearse.experiments.metrics.base import By
from rehearse.record.reading import RunRecord

Row = dict[str, Any]
Floats = NDArray[np.float64]

MAX_BUCKETS = 240
"""A chart over time has at most so many points; longer runs are averaged over several ticks."""
MAX_ITEMS = 10
"""More items than this are drawn as the most frequent ones and `others`."""
OTHERS = -2
MAX_GROUPS = 8
LATENCY_BINS_PER_DECADE = 20

CONFIDENCE = 0.95


class Remembered(RunRecord):
    """A run record that answers a question asked again from memory: opening the tables costs the most."""

    def __init__(self, folder: Path) -> None:
        """Open a run folder, with nothing asked yet."""
        super().__init__(folder)
        self._answers: dict[str, Columns] = {}

    def query(self, sql: str) -> Columns:
        """Run a SELECT, once."""
        if sql not in self._answers:
            self._answers[sql] = super().query(sql)
        return self._answers[sql]


@dataclass(frozen=True, slots=True)
class Series:
    """One measure over time: its mean over the replicas, a 95 % interval of it, and all replicas' range."""

    tick: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    least: list[float | None]
    most: list[float | None]

    def rows(self) -> list[Row]:
        """Return a row a tick, for a chart."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True, slots=True)
class Overall:
    """How much was rehearsed."""

    people: int
    replicas: int
    turns: int
    sessions: int
    first_tick: int
    last_tick: int
    failures: int
    kept: int
    """Turns that were kept, and can be drawn."""


def rows(table: Columns) -> list[Row]:
    """Return a table as plain dictionaries, NaN as None, ready for JSON."""
    columns = {name: [plain(v) for v in table[name].tolist()] for name in table}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: NaN and infinity become None."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def overall(record: RunRecord) -> Overall:
    """Count what was rehearsed."""
    turns = rows(
        record.query(
            """SELECT count(*) AS turns, count(*) FILTER ("end" <> 'none') AS sessions,
            count(*) FILTER (fault <> 'none') AS failures FROM turns"""
        )
    )[0]
    there = "ticks_here > 0" if "ticks_here" in columns_of(record, "users") else "true"
    counted = f"SELECT count(*) FILTER ({there}) AS people, count(DISTINCT replica) AS replicas FROM users"
    people = rows(record.query(counted))[0]
    ticks = rows(record.query("SELECT min(tick) AS first_tick, max(tick) AS last_tick FROM ticks"))[0]
    turns |= {"kept": turns["turns"]}
    if record.scope.kind != "all":
        turns |= rows(record.query("SELECT sum(turns) AS turns, sum(sessions) AS sessions FROM ticks"))[0]
    return Overall(**{name: int(n or 0) for name, n in (turns | people | ticks).items()})


def bucket_size(whole: Overall) -> int:
    """Return how many ticks a point on a chart over time stands for."""
    return max(1, -(-(whole.last_tick - whole.first_tick + 1) // MAX_BUCKETS))


def over_time(
    record: RunRecord, names: Sequence[str], step: int, part: Part | By | None = None
) -> dict[str, Series]:
    """Return metrics of each tick (or of `step` ticks) by name, with their spread over replicas."""
    found = series(record, [find(name) for name in names], part)
    return {name: _within(_spread(found, name, step), find(name)) for name in names}


def courses(record: RunRecord, columns: Sequence[str], step: int) -> dict[str, Series]:
    """Return columns of ticks over time by name, with their spread over replicas."""
    named = ", ".join(f'"{name}"' for name in columns)
    found = record.query(f"SELECT replica, tick, {named} FROM ticks ORDER BY replica, tick")
    counted = {f"{name}_n": np.isfinite(found.numbers(name)).astype(np.float64) for name in columns}
    filled = Columns({**found, **counted})
    return {name: _spread(filled, name, step) for name in columns}


def at_last_tick(record: RunRecord, column: str) -> Interval:
    """Return the mean of a column of ticks over the replicas at the last tick, with its interval."""
    found = record.query(f'SELECT "{column}" AS value FROM ticks WHERE tick = (SELECT max(tick) FROM ticks)')
    return interval(Sample.of_replicas(found.numbers("value")), CONFIDENCE)


def _spread(found: Columns, name: str, step: int) -> Series:
    bucket = (np.asarray(found["tick"], dtype=np.int64) // step) * step
    ticks = np.unique(bucket)
    columns: list[list[float | None]] = [[], [], [], [], []]
    for tick in ticks.tolist():
        here = _by_replica(found, name, bucket == tick)
        known = interval(Sample.of_replicas(here), CONFIDENCE)
        ends = (float(here.min()), float(here.max())) if len(here) else (np.nan, np.nan)
        for column, value in zip(columns, (known.estimate, known.low, known.high, *ends), strict=True):
            column.append(plain(value))
    return Series(ticks.tolist(), *columns)


def _within(series: Series, metric: Metric) -> Series:
    """Return a series whose intervals stay where values can lie: a t interval knows no bounds."""
    counted = metric.better == "lower" and min((v for v in series.least if v is not None), default=0.0) >= 0.0
    if metric.bounded or counted:
        high = 1.0 if metric.bounded else math.inf
        ends = [
            [None if v is None else min(high, max(0.0, v)) for v in end] for end in (series.low, series.high)
        ]
        return replace(series, low=ends[0], high=ends[1])
    return series


def _by_replica(found: Columns, name: str, rows: NDArray[np.bool_]) -> Floats:
    """Return each replica's mean over some rows of ticks, weighted by how much was counted in each."""
    value, n = found.numbers(name)[rows], found.numbers(f"{name}_n")[rows]
    replica = np.unique(np.asarray(found["replica"], dtype=np.int64)[rows], return_inverse=True)[1]
    over = np.bincount(replica, weights=np.where(n > 0, value * n, 0.0))
    under = np.bincount(replica, weights=n)
    return np.asarray(over[under > 0] / under[under > 0])


def frequent_items(record: RunRecord, most: int) -> tuple[list[int], bool]:
    """Return the items answered or ideal most often, and whether there are more than `most` of them."""
    found = record.query(
        f"""SELECT item, count(*) AS n FROM (SELECT unnest([action, ideal]) AS item FROM turns)
        WHERE item >= 0 GROUP BY item ORDER BY n DESC, item LIMIT {most + 1}"""
    )
    items = [int(i) for i in found["item"].tolist()] if found.length else []
    return (items, False) if len(items) <= most else (items[: most - 1], True)


def folded(column: str, items: list[int]) -> str:
    """Return SQL that keeps these items and calls the rest OTHERS, no item staying -1."""
    known = ", ".join(str(i) for i in items) or "-9"
    return f"CASE WHEN {column} < 0 THEN -1 WHEN {column} IN ({known}) THEN {column} ELSE {OTHERS} END"


def actions_over_time(record: RunRecord, items: list[int], step: int) -> list[Row]:
    """Return the share of each item among the answers of each tick."""
    return rows(
        record.query(
            f"""SELECT (tick // {step}) * {step} AS tick, {folded("action", items)} AS item,
            count(*) / sum(count(*)) OVER (PARTITION BY (tick // {step}) * {step}) AS share
            FROM turns WHERE action >= 0 GROUP BY 1, 2 ORDER BY 1, 2"""
        )
    )


def confusion(record: RunRecord, items: list[int], by: str) -> list[Row]:
    """Count answers, and right ones, by what was ideal: for each part of the people and in all (`""`)."""
    return rows(
        record.query(
            f"""SELECT coalesce(part, '') AS part, ideal, action, sum(n) AS n, sum(good) AS good FROM (
              SELECT u."{by}" AS part, count(*)::DOUBLE AS n,
              {folded("t.ideal", items)} AS ideal, {folded("t.action", items)} AS action,
              count(*) FILTER (t."right" = 1)::DOUBLE AS good FROM turns t
              JOIN users u USING (replica, "user") WHERE t.action >= 0 AND t.ideal >= 0 GROUP BY ALL)
            GROUP BY GROUPING SETS ((part, ideal, action), (ideal, action)) ORDER BY ALL"""
        )
    )


def flow(record: RunRecord, items: list[int]) -> list[Row]:
    """Count sessions by first offer, response to it, what was taken in the end, and why they ended."""
    return rows(
        record.query(
            f"""WITH s AS (SELECT
              arg_min(CASE WHEN fault <> 'none' THEN -1 ELSE {folded("action", items)} END, turn) AS offer,
              arg_min(choice, turn) AS response, max(turn) - min(turn) + 1 AS turns,
              arg_max({folded("choice", items)}, CASE WHEN choice >= 0 THEN turn END) AS taken,
              max("end") FILTER ("end" <> 'none') AS ended
              FROM turns GROUP BY replica, "user", tick)
            SELECT offer, response >= 0 AS took, turns > 1 AS went_on, coalesce(taken, -1) AS taken,
            coalesce(ended, 'none') AS ended, count(*)::DOUBLE AS n FROM s GROUP BY ALL ORDER BY ALL"""
        )
    )


def latency(record: RunRecord) -> list[Row]:
    """Return histograms of simulated and measured latency over equal steps of their logarithm."""
    parts = [
        f"""SELECT '{kind}' AS kind, floor(log10({column}) * {LATENCY_BINS_PER_DECADE}) AS bin,
        count(*)::DOUBLE AS n FROM turns WHERE isfinite({column}) AND {column} > 0 GROUP BY ALL"""
        for kind, column in _latencies(record)
    ]
    return rows(record.query(" UNION ALL ".join(parts) + " ORDER BY ALL"))


def latency_levels(record: RunRecord) -> list[Row]:
    """Return percentiles and maximum of simulated and measured latency in milliseconds."""
    parts = [
        f"""SELECT '{kind}' AS kind, count(*) AS n, quantile_cont({column}, 0.5) AS p50,
        quantile_cont({column}, 0.95) AS p95, quantile_cont({column}, 0.99) AS p99,
        max({column}) AS most FROM turns WHERE isfinite({column})"""
        for kind, column in _latencies(record)
    ]
    return rows(record.query(" UNION ALL ".join(parts)))


def _latencies(record: RunRecord) -> list[tuple[str, str]]:
    both = (("simulated", "latency"), ("measured", "measured_ms"))
    return [(kind, column) for kind, column in both if column in columns_of(record, "turns")]


def failures(record: RunRecord) -> list[Row]:
    """Count the answers that failed, by kind."""
    return rows(
        record.query(
            """SELECT fault, count(*) AS n, count(*) / (SELECT count(*) FROM turns) AS share FROM turns
            WHERE fault <> 'none' GROUP BY fault ORDER BY n DESC, fault"""
        )
    )


def guards(record: RunRecord) -> list[Row]:
    """Count the answers that a guard changed or vetoed, by guard."""
    if "guard" not in columns_of(record, "turns"):
        return []
    return rows(
        record.query(
            "SELECT guard, count(*) AS n, count(*) / (SELECT count(*) FROM turns) AS share FROM turns "
            "WHERE guard <> '' GROUP BY guard ORDER BY n DESC, guard"
        )
    )


def columns_of(record: RunRecord, view: str) -> tuple[str, ...]:
    """Return the names of the columns of `turns`, `users` or `ticks`."""
    return tuple(record.query(f"SELECT * FROM {view} LIMIT 0"))
