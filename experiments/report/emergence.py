"""What emerged: a line for each measure of the society, the ones that moved drawn over time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.agents.emergence import cascades
from rehearse.agents.emergence.adoption import NEVER, NOBODY
from rehearse.experiments.intervals import Sample, interval
from rehearse.experiments.metrics import Metric
from rehearse.experiments.metrics.emergence import early_warning_is_of, followed, is_of_consumption
from rehearse.experiments.metrics.warning import LEAST_TICKS, warning_of
from rehearse.experiments.report import charts, facts, words
from rehearse.experiments.report.facts import Row, Series
from rehearse.experiments.sentences import amount

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

MAX_PANELS = 6
STEADY = 1e-6
"""A measure whose mean moves by no more than this part of itself is told in the table only."""
MAX_SIZES = 60
"""Points on the chart of sizes of cascades."""
CHANCE = "echo_by_chance"
"""Told with the echo itself."""
FOLDED = {
    *("bimodality", "clusters", "largest_cluster", "same_group_friends"),
    *("cascades", "cascade_size", "cascade_depth", "herfindahl", "assortativity:satisfaction"),
}
"""Measures that say much the same as a neighbour, which is drawn and comes first."""
DRAWN = (
    *("polarisation", "echo", "major_clusters", "structural_virality", "homogeneity", "concentration"),
    *("segregation", "largest_cascade", "top_share", "assortativity"),
)
"""What is drawn first where there is much to draw."""
ALWAYS = {"polarisation", "bimodality"}
"""Measured whether asked for or not: left out where they hardly moved, as by people who leave."""
HARDLY = 0.05
LEVELS = ("satisfaction", "trust", "opinion", "alive")
"""Means over people that are watched for an early warning besides the measures of opinions."""


def section(
    record: RunRecord, add: Callable[[dict[str, Any]], str], step: int, marks: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the section's tables and charts, or None where nothing of a society was measured."""
    metrics = followed(facts.columns_of(record, "ticks"))
    if not metrics:
        return None
    courses = facts.courses(record, list(metrics), step)
    told = [c for c, m in metrics.items() if _kind(m) not in ALWAYS or _moves(courses[c], HARDLY)]
    lines = {c: _line(record, c, metrics[c], courses) for c in told if _kind(metrics[c]) != CHANCE}
    if not lines:
        return None
    folded = [column for column in lines if _folded(metrics[column])]
    sizes = _sizes(record)
    return {
        "lines": [line for column, line in lines.items() if column not in folded],
        "more": [lines[column] for column in folded],
        "warning": _warning(record, metrics),
        "panels": _panels(record, {c: metrics[c] for c in told}, courses, marks, add),
        "sizes": add(charts.named(charts.sizes(sizes), "cascades", "Sizes of cascades")) if sizes else None,
        "replicas": record.manifest["replicas"],
    }


def _folded(metric: Metric) -> bool:
    return bool({metric.name, _kind(metric)} & FOLDED)


def _kind(metric: Metric) -> str:
    return metric.name.partition(":")[0]


def _panels(
    record: RunRecord,
    metrics: Mapping[str, Metric],
    courses: Mapping[str, Series],
    marks: Mapping[str, Any],
    add: Callable[[dict[str, Any]], str],
) -> list[dict[str, str]]:
    told = [column for column, metric in metrics.items() if _kind(metric) in DRAWN and not _folded(metric)]
    # What was asked of other columns than the opinion comes after.
    others = {c for c in told if ":" in metrics[c].name and not is_of_consumption(metrics[c])}
    told.sort(key=lambda column: (column in others, DRAWN.index(_kind(metrics[column]))))
    moved = [column for column in told if _moves(courses[column])]
    unit = record.scenario.time.unit
    panels = []
    for column in moved[:MAX_PANELS]:
        metric, beside = metrics[column], courses.get(_by_chance(column))
        spec = charts.trend(courses[column], metric, unit, marks["list"], marks["periods"], beside)
        note = words.lowered(metric.meaning.replace(" at the end", "").rstrip("."))
        note += "; dotted: by chance" if beside else ""
        note += ", up to then" if is_of_consumption(metric) else ""
        title = words.title(metric.title)
        panels.append({"title": title, "note": note, "id": add(charts.named(spec, metric.name, title))})
    return panels


def _by_chance(column: str) -> str:
    return column.replace("echo", CHANCE) if column.startswith("echo") else ""


def _moves(course: Series, by: float = STEADY) -> bool:
    known = [value for value in course.mean if value is not None]
    return bool(known) and max(known) - min(known) > by * abs(max(known, key=abs))


def _line(record: RunRecord, column: str, metric: Metric, courses: Mapping[str, Series]) -> dict[str, str]:
    first = next((value for value in courses[column].mean if value is not None), math.nan)
    found = facts.at_last_tick(record, column)
    meaning = metric.meaning
    if _by_chance(column) in courses:
        chance = facts.at_last_tick(record, _by_chance(column)).estimate
        meaning += f" By chance it would be {_said(chance, metric)}."
    return {
        "title": words.title(metric.title),
        "meaning": meaning,
        "first": _said(first, metric),
        "last": _said(found.estimate, metric),
        "bounds": f"{_said(found.low, metric)} – {_said(found.high, metric)}" if found.known else "",
    }


def _said(value: float, metric: Metric) -> str:
    return amount(value, metric.scale) if math.isfinite(value) else words.MISSING


def _warning(record: RunRecord, metrics: Mapping[str, Metric]) -> str:
    """Return a sentence on what slows down as before a tipping point; empty where that is not known."""
    if record.scenario.time.ticks < LEAST_TICKS or record.manifest["replicas"] < 2:
        return ""
    there = facts.columns_of(record, "ticks")
    watched = {name: name for name in LEVELS if name in there}
    watched |= {c: metric.title for c, metric in metrics.items() if early_warning_is_of(metric)}
    # Of many series some look alarming by chance: each is held to its part of 5 %.
    confidence = 1.0 - (1.0 - facts.CONFIDENCE) / len(watched)
    slow = []
    for column, title in watched.items():
        values = np.array(list(warning_of(column)(record, None).values()), dtype=np.float64)
        found = interval(Sample.of_replicas(values), confidence)
        if found.known and found.low > 0.0:
            slow.append(f"{title} (Kendall’s τ {words.fixed(found.estimate)})")
    if not slow:
        return "No early warning: nothing slowed down over the run as a society does before it tips."
    return (
        f"Early warning: fluctuations grew and lingered, as they do before a tipping point, in "
        f"{words.listed(slow)}."
    )


def _sizes(record: RunRecord) -> Sequence[Row]:
    """Return for some sizes the share of cascades that grew at least as large, over all replicas."""
    if "adopted_from" not in facts.columns_of(record, "users"):
        return []
    people = record.query('SELECT replica, adopted_from, adopted_after FROM users ORDER BY replica, "user"')
    _, start, society = np.unique(people["replica"], return_index=True, return_inverse=True)
    led_by = np.asarray(people["adopted_from"], dtype=np.int64)
    source = np.where(led_by == NOBODY, NOBODY, start[society] + led_by)
    size = cascades(source, np.asarray(people["adopted_after"]) != NEVER).size
    if not len(size):
        return []
    distinct, counts = np.unique(size, return_counts=True)
    share = counts[::-1].cumsum()[::-1] / len(size)
    shown = np.unique(np.linspace(0, len(distinct) - 1, MAX_SIZES).round().astype(int))
    return [{"size": int(distinct[i]), "share": float(share[i])} for i in shown]
