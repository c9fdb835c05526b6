"""Watching a run over its ticks: how far answers and outcomes moved, and alarms where they shifted.

How far: the population stability index and the Jensen–Shannon divergence of each tick against the
first quarter of the run. Whether that is more than noise: `rehearse.experiments.shifts`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rehearse.columns import Columns
from rehearse.experiments.intervals import Floats
from rehearse.experiments.metrics import METRICS, Readable, series
from rehearse.experiments.metrics.base import Scale
from rehearse.experiments.metrics.society import first_quarter, jensen_shannon, outcome_kind, psi, ticks_of
from rehearse.experiments.sentences import amount
from rehearse.experiments.shifts import Courses, Ring, rings
from rehearse.scenario.base import Strict

OUTCOMES = ("acceptance", "satisfaction", "goal_completion", "fault_rate")
"""The series that are watched besides the mix of answers."""
KINDS = 12
"""With more items than this, answers are told apart by item number modulo it."""
JUST_BEFORE = 2
"""A scheduled change up to so many ticks before the onset of a shift may be its cause."""


class Alarm(Strict):
    """Something shifted."""

    series: str
    """`actions` or the name of a metric."""
    tick: int
    """When the alarm rang."""
    onset: int
    """When the shift began, as far as can be told: the tick that best parts before from since."""
    before: float
    """The mean since the last alarm until the onset."""
    after: float
    """The mean from the onset to the alarm."""
    detail: str
    """The item whose share shifted; empty for outcomes."""
    cause: str
    """The scheduled change that most likely caused it; empty where none was scheduled."""
    sentence: str


class Watch(Strict):
    """A run over its ticks: how far it moved, and when it rang."""

    ticks: tuple[int, ...]
    divergence: dict[str, tuple[float | None, ...]]
    """By tick: `psi_actions`, `js_actions`, `psi_outcomes`, `js_outcomes`; None where nothing happened."""
    outcomes: dict[str, tuple[float | None, ...]]
    """By tick: the mean over the replicas of each of OUTCOMES."""
    alarms: tuple[Alarm, ...]


def watch(record: Readable) -> Watch:
    """Follow a record over its ticks and return how far it moved and the alarms, in order of ticks."""
    ticks = ticks_of(record)
    items = [str(item) for item in record.manifest["items"]]
    marks = list(record.manifest.get("marks", ()))
    kinds, answers = _answers(record, ticks, items)
    outcomes = _outcomes(record, ticks)
    together = len(kinds) + len(outcomes)
    alarms = [
        _alarm("actions", kinds[ring.row], ring, answers.filled[ring.row], marks)
        for ring in rings(answers, together)
    ]
    for name, course in outcomes.items():
        alarms += [_alarm(name, "", ring, course.filled[0], marks) for ring in rings(course, together)]
    return Watch(
        ticks=tuple(range(ticks)),
        divergence=_divergences(record, ticks, len(items)),
        outcomes={name: _listed(course.course[0]) for name, course in outcomes.items()},
        alarms=tuple(sorted(alarms, key=lambda a: (a.tick, a.series))),
    )


def _answers(record: Readable, ticks: int, items: Sequence[str]) -> tuple[list[str], Courses]:
    kinds = list(items) if len(items) <= KINDS else [f"items {i}, {i + KINDS}, …" for i in range(KINDS)]
    found = record.query(
        f"""SELECT replica, tick, action % {len(kinds)} AS kind, count(*) AS n FROM turns
        WHERE action >= 0 GROUP BY ALL ORDER BY ALL"""
    )
    counts = _grid(found, found.numbers("n"), ticks, len(kinds))
    sizes = counts.sum(axis=0)
    return kinds, Courses(counts / np.where(sizes > 0, sizes, math.nan), sizes)


def _outcomes(record: Readable, ticks: int) -> dict[str, Courses]:
    found = series(record, [METRICS[name] for name in OUTCOMES])
    courses = {}
    for name in OUTCOMES:
        sizes = _grid(found, found.numbers(f"{name}_n"), ticks, 1)
        sums = _grid(found, np.nan_to_num(found.numbers(name)) * found.numbers(f"{name}_n"), ticks, 1)
        courses[name] = Courses(sums / np.where(sizes > 0, sizes, math.nan), sizes[0])
    return courses


def _grid(found: Columns, weights: Floats, ticks: int, kinds: int) -> Floats:
    """Return a table of (replica, tick, kind) as an array (K, R, T)."""
    replica = np.asarray(found["replica"], dtype=np.int64)
    place = np.searchsorted(np.unique(replica), replica)
    kind = np.asarray(found["kind"], dtype=np.int64) if kinds > 1 else np.zeros(len(replica), dtype=np.int64)
    grid = np.zeros((kinds, int(place.max(initial=0)) + 1, ticks))
    np.add.at(grid, (kind, place, np.asarray(found["tick"], dtype=np.int64)), weights)
    return grid


def _divergences(record: Readable, ticks: int, items: int) -> dict[str, tuple[float | None, ...]]:
    told: dict[str, tuple[float | None, ...]] = {}
    for name, kind, where in (
        ("actions", "action", "action >= 0"),
        ("outcomes", outcome_kind(), "isfinite(satisfaction)"),
    ):
        found = record.query(
            f"SELECT tick, {kind} AS kind, count(*) AS n FROM turns WHERE {where} GROUP BY ALL ORDER BY ALL"
        )
        counts = np.zeros((ticks, max(items, int(found.numbers("kind").max(initial=0)) + 1)))
        counts[np.asarray(found["tick"], int), np.asarray(found["kind"], int)] = found.numbers("n")
        first = counts[: first_quarter(ticks)].sum(axis=0)
        told[f"psi_{name}"] = _listed(np.maximum(0.0, [psi(first, now) for now in counts]))
        told[f"js_{name}"] = _listed(np.array([jensen_shannon(first, now) for now in counts]))
    return told


def _alarm(name: str, detail: str, ring: Ring, course: Floats, marks: Sequence[Mapping[str, Any]]) -> Alarm:
    before = float(course[ring.start : ring.onset].mean())
    after = float(course[ring.onset : ring.at + 1].mean())
    cause = _cause(ring, marks)
    scale: Scale = "level" if name == "satisfaction" else "share"
    what = f"the share of {detail} among the answers" if name == "actions" else METRICS[name].title
    moved = f"{'rose' if after > before else 'fell'} from {amount(before, scale)} to {amount(after, scale)}"
    reason = f"most likely because: {cause}" if cause else "and nothing was scheduled then"
    return Alarm(
        series=name,
        tick=ring.at,
        onset=ring.onset,
        before=round(before, 9),
        after=round(after, 9),
        detail=detail,
        cause=cause,
        sentence=f"At tick {ring.at} {what} {moved} (since tick {ring.onset}), {reason}.",
    )


def _cause(ring: Ring, marks: Sequence[Mapping[str, Any]]) -> str:
    near = [m for m in marks if ring.onset - JUST_BEFORE <= int(m["tick"]) <= ring.at]
    if not near:
        return ""

    def order(mark: Mapping[str, Any]) -> tuple[bool, int, int]:
        # A model that learns every night would be to blame for everything: it comes last.
        tick = int(mark["tick"])
        return mark.get("kind") == "learn", abs(tick - ring.onset), tick

    best = min(near, key=order)
    return str(best.get("note") or best.get("kind", "")).rstrip(".")


def _listed(values: Floats) -> tuple[float | None, ...]:
    return tuple(round(float(v), 9) if math.isfinite(v) else None for v in values)
