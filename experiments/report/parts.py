"""How it went for different parts of the people: ends, distributions and a table, by group and segment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rehearse.experiments.intervals import Interval
from rehearse.experiments.metrics import METRICS, Measures, Part
from rehearse.experiments.metrics.base import Kind
from rehearse.experiments.report.facts import CONFIDENCE, MAX_GROUPS, Row, columns_of, rows

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

KINDS: tuple[Kind, ...] = ("group", "segment", "manner")
EVERYBODY = "everybody"
BINS = 40
Spread = Literal["satisfaction", "regret", "turns"]
_VALUES: dict[Spread, tuple[str, str]] = {
    "satisfaction": ("t.satisfaction", "t.\"end\" <> 'none' AND isfinite(t.satisfaction)"),
    "regret": ("t.regret", "isfinite(t.regret) AND t.regret > 0"),
    "turns": ("t.turn + 1", "t.\"end\" <> 'none'"),
}
"""What is spread over bins, and where: at the end of sessions, or of answers that were not the best."""

MEASURES = (
    "goal_completion",
    "acceptance",
    "rightness",
    "regret",
    "satisfaction",
    "abandonment",
    "turns_to_goal",
    "harm",
)
"""The metrics of the table; turns only where a session has several, harm where there was any."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins between two bounds; what lies beyond counts in the outermost."""

    low: float
    high: float
    count: int = BINS

    @property
    def width(self) -> float:
        """Return how wide a bin is."""
        return (self.high - self.low) / self.count


@dataclass(frozen=True, slots=True)
class Line:
    """Some of the people, and how it went for them."""

    kind: Literal["all"] | Kind
    name: str
    people: int
    found: dict[str, Interval]
    """By name of the metric, at 95 % confidence."""


def kinds(record: RunRecord) -> list[Kind]:
    """Return by what the people are told apart here: those of `KINDS` that part them, each in its own way."""
    there = [kind for kind in KINDS if kind in columns_of(record, "users")]
    named = ", ".join(f'"{kind}"' for kind in there)
    found = rows(record.query(f"SELECT DISTINCT {named} FROM users"))
    kept: dict[Kind, int] = {}
    for kind in there:
        count = len({row[kind] for row in found})
        # Segments drawn along the lines of the groups would say everything twice.
        alike = (len({(row[kind], row[other]) for row in found}) == count == n for other, n in kept.items())
        if count > 1 and not any(alike):
            kept[kind] = count
    return list(kept)


def names(record: RunRecord, kind: Kind) -> list[str]:
    """Return the largest MAX_GROUPS parts: groups in the scenario's order, segments by size."""
    found = record.query(
        f'SELECT "{kind}" AS name, count(*) AS n FROM users GROUP BY 1 '
        f"ORDER BY n DESC, name LIMIT {MAX_GROUPS}"
    )
    present = [str(name) for name in found["name"].tolist()]
    order = list(record.groups) if kind == "group" else []
    return sorted(present, key=lambda name: order.index(name) if name in order else len(order))


def table(record: RunRecord) -> list[Line]:
    """Return everybody and then each group and segment."""
    measures = Measures(record)
    asked = _measured(record)
    lines = [_line(measures, asked, None)]
    for kind in kinds(record):
        lines += [_line(measures, asked, Part(kind, name)) for name in names(record, kind)]
    return lines


def _measured(record: RunRecord) -> list[str]:
    harmed = "harm" in columns_of(record, "turns") and bool(
        record.query("SELECT count(*) AS n FROM turns WHERE harm > 0")["n"][0]
    )
    there = {"harm": harmed, "turns_to_goal": record.scenario.time.max_turns > 1}
    return [name for name in MEASURES if there.get(name, True)]


def _line(measures: Measures, asked: Sequence[str], part: Part | None) -> Line:
    found = {name: measures.interval(METRICS[name], CONFIDENCE, part) for name in asked}
    people = measures.people(part)
    if part is None:
        return Line("all", EVERYBODY, people, found)
    return Line(part.kind, part.name, people, found)


def widest_gaps(lines: Sequence[Line]) -> dict[str, tuple[float, str]]:
    """Return for each metric the widest gap between groups, and the group that fares worst."""
    gaps = {}
    for name in lines[0].found:
        known = [(line.found[name].estimate, line.name) for line in lines if line.kind == "group"]
        known = [pair for pair in known if math.isfinite(pair[0])]
        if len(known) > 1:
            most, least = max(known), min(known)
            gaps[name] = (most[0] - least[0], (least if METRICS[name].better == "higher" else most)[1])
    return gaps


def ends(record: RunRecord, kind: Kind) -> list[Row]:
    """Return the share of each reason for ending among a part's sessions, for all and for each part."""
    return rows(
        record.query(
            f"""SELECT part, ended, n, n / sum(n) OVER (PARTITION BY part) AS share FROM (
              SELECT coalesce(part, '{EVERYBODY}') AS part, ended, sum(n) AS n FROM (
                SELECT u."{kind}" AS part, t."end" AS ended, count(*)::DOUBLE AS n FROM turns t
                JOIN users u ON t.replica = u.replica AND t."user" = u."user"
                WHERE t."end" <> 'none' GROUP BY ALL)
              GROUP BY GROUPING SETS ((part, ended), (ended))) ORDER BY part, ended"""
        )
    )


def spread(record: RunRecord, kind: Kind, measure: Spread, bins: Bins) -> list[Row]:
    """Return a histogram of a measure for all and for each part: the share of each bin, and the mean."""
    value, where = _VALUES[measure]
    place = f"least({bins.count - 1}, greatest(0, floor(({value} - {bins.low}) / {bins.width})))"
    return rows(
        record.query(
            f"""SELECT part, bin, n / sum(n) OVER (PARTITION BY part) AS share,
            sum(total) OVER (PARTITION BY part) / sum(n) OVER (PARTITION BY part) AS mean FROM (
              SELECT coalesce(part, '{EVERYBODY}') AS part, bin, sum(n) AS n, sum(total) AS total FROM (
                SELECT u."{kind}" AS part, count(*)::DOUBLE AS n, sum({value})::DOUBLE AS total,
                {place} AS bin FROM turns t JOIN users u ON t.replica = u.replica AND t."user" = u."user"
                WHERE {where} GROUP BY 1, 4)
              GROUP BY GROUPING SETS ((part, bin), (bin))) ORDER BY part, bin"""
        )
    )


def bands(record: RunRecord) -> tuple[float, float] | None:
    """Return two regrets that part the wrong answers of everybody into thirds, rounded; None without any."""
    found = record.query(
        """SELECT quantile_cont(regret, 1 / 3.0) AS low, quantile_cont(regret, 2 / 3.0) AS high
        FROM turns WHERE "right" = 0 AND isfinite(regret)"""
    )
    low, high = (float(f"{found.numbers(name)[0]:.2g}") for name in ("low", "high"))
    return (low, high) if low < high else None


def misses(record: RunRecord, kind: Kind, low: float, high: float) -> list[Row]:
    """Return the share of right answers, and of wrong ones by how much they lost, for all and each part."""
    band = f"CASE WHEN regret < {low} THEN 'little' WHEN regret < {high} THEN 'some' ELSE 'much' END"
    return rows(
        record.query(
            f"""SELECT part, kind, n, n / sum(n) OVER (PARTITION BY part) AS share FROM (
              SELECT coalesce(part, '{EVERYBODY}') AS part, kind, sum(n) AS n FROM (
                SELECT u."{kind}" AS part, count(*)::DOUBLE AS n,
                CASE WHEN t."right" = 1 THEN 'right' ELSE {band} END AS kind
                FROM turns t JOIN users u ON t.replica = u.replica AND t."user" = u."user"
                WHERE t."right" >= 0 GROUP BY ALL)
              GROUP BY GROUPING SETS ((part, kind), (kind))) ORDER BY part, kind"""
        )
    )


def bins_for(record: RunRecord, measure: Spread) -> Bins:
    """Return the bins of a histogram: regret to its 99th percentile, turns one by one if there is room."""
    if measure == "satisfaction":
        return Bins(0.0, 1.0)
    value, where = _VALUES[measure]
    if measure == "turns":
        most = record.query(f"SELECT coalesce(max({value}), 0) AS most FROM turns t WHERE {where}")
        longest = max(2, int(most.numbers("most")[0]))
        width = math.ceil(longest / BINS)
        count = math.ceil(longest / width)
        return Bins(0.5, 0.5 + count * width, count)
    found = record.query(f"SELECT quantile_cont({value}, 0.99) AS high FROM turns t WHERE {where}")
    high = float(found.numbers("high")[0])
    return Bins(0.0, high if math.isfinite(high) and high > 0.0 else 1.0)
