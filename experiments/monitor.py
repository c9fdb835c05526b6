"""Watching a run over its ticks: how far it moved, and alarms where it shifted.

How far: the population stability index, the KS distance and the Jensen–Shannon divergence of each tick
against the first quarter of the run (`rehearse.experiments.streams`). Whether that is more than noise: a
detector that the scenario names (`rehearse.detect`), or one that sets its own threshold
(`rehearse.experiments.shifts`). Charts hear values in standard errors, as replicas scatter about one
another; detectors of river hear them as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from rehearse.detect import Chart, Detector, Ring
from rehearse.detect.base import ring_in
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.experiments.causes import cause_of, changes
from rehearse.experiments.intervals import Floats
from rehearse.experiments.metrics import Readable
from rehearse.experiments.metrics.alarms import NAME as RANG
from rehearse.experiments.sentences import amount
from rehearse.experiments.shifts import MATERIAL, rings, standardised
from rehearse.experiments.streams import ACTIONS, KIND_OF, SCORE, Stream, check, far, stream
from rehearse.scenario.base import Strict
from rehearse.scenario.model import Criterion
from rehearse.scenario.monitors import Monitor

OUTCOMES = ("acceptance", "satisfaction", "goal_completion", "fault_rate")
DEFAULTS = tuple(Monitor(series=name) for name in (ACTIONS, *OUTCOMES))
"""What is watched where a scenario names no monitors."""
REFERENCE = 10
"""Ticks that tell a chart what is usual, where a scenario does not say how many."""
CALIBRATED = "calibrated"
"""The detector of a monitor that names none."""


class Alarm(Strict):
    """Something shifted."""

    series: str
    """As the monitor names it: `actions`, the name of a metric, `psi:score`."""
    tick: int
    """When the alarm rang."""
    onset: int
    """When the shift began, as far as can be told: the tick that best parts before from since."""
    before: float
    """The mean since the last alarm until the onset."""
    after: float
    """The mean from the onset to the alarm."""
    size: float = math.nan
    """After less before."""
    detector: str = CALIBRATED
    detail: str
    """The item whose share shifted; empty for other series."""
    cause: str
    """The change that most likely caused it; empty where there was none."""
    cause_tick: int | None = None
    sentence: str


class Watch(Strict):
    """A run over its ticks: how far it moved, and when it rang."""

    ticks: tuple[int, ...]
    divergence: dict[str, tuple[float | None, ...]]
    """By tick: `psi_actions`, `ks_actions`, `js_actions`, and so for `outcomes`, and `score` where models
    give scores; None where nothing happened."""
    outcomes: dict[str, tuple[float | None, ...]]
    """By tick: the mean over the replicas of each series with but one course."""
    missing: tuple[str, ...]
    """Series that were to be watched and were not recorded."""
    alarms: tuple[Alarm, ...]


def monitors_of(record: Readable) -> tuple[Monitor, ...]:
    """Return the monitors of a recorded run: those of its scenario, or the usual ones."""
    written = record.manifest.get("monitors") or ()
    return TypeAdapter(tuple[Monitor, ...]).validate_python(tuple(written)) or DEFAULTS


def check_monitors(monitors: Sequence[Monitor], criteria: Iterable[Criterion] = ()) -> None:
    """Raise UserError where a monitor names a series or a detector that there is not.

    So it does where a criterion counts the alarms of a series that nothing watches: it could only pass.
    """
    for monitor in monitors:
        check(monitor.series)
        if monitor.detector is not None:
            monitor.detector.watcher()
    watched = {monitor.series for monitor in monitors or DEFAULTS}
    for criterion in criteria:
        head, _, series = criterion.metric.partition(":")
        if head == RANG and series and series not in watched:
            problem = f"{criterion.metric!r} counts the alarms of {series!r}, which no monitor watches."
            raise ScenarioError(problem, f"{did_you_mean(series, watched)} Or add a monitor of it.")


def alarms(record: Readable) -> tuple[Alarm, ...]:
    """Return every alarm that the monitors of a record rang, in order of ticks."""
    monitors = monitors_of(record)
    streams = _streams(record, monitors)
    changed = changes(record)
    own = {monitor.series for monitor in monitors if monitor.detector is None}
    together = sum(len(streams[name].details) for name in own if name in streams)
    found = [
        _alarm(streams[monitor.series], ring, changed)
        for monitor in monitors
        if monitor.series in streams
        for ring in _rings(streams[monitor.series], monitor.detector, together)
    ]
    return tuple(sorted(found, key=lambda a: (a.tick, a.series)))


def watch(record: Readable) -> Watch:
    """Follow a record over its ticks and return how far it moved and the alarms, in order of ticks."""
    monitors = monitors_of(record)
    streams = _streams(record, monitors)
    single = {name: found.courses.course[0] for name, found in streams.items() if len(found.details) == 1}
    ticks = next((found.courses.values.shape[2] for found in streams.values()), 0)
    return Watch(
        ticks=tuple(range(ticks)),
        divergence=_divergences(record),
        outcomes={name: _listed(course) for name, course in single.items()},
        missing=_missing(monitors, streams),
        alarms=alarms(record),
    )


def unrecorded(record: Readable) -> tuple[str, ...]:
    """Return the series that a record's monitors were to watch, and that were not recorded."""
    monitors = monitors_of(record)
    return _missing(monitors, _streams(record, monitors))


def _missing(monitors: Iterable[Monitor], streams: Mapping[str, Stream]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m.series for m in monitors if m.series not in streams))


def _streams(record: Readable, monitors: Sequence[Monitor]) -> dict[str, Stream]:
    found = {name: stream(record, name) for name in dict.fromkeys(m.series for m in monitors)}
    return {name: one for name, one in found.items() if one is not None}


def _rings(found: Stream, detector: Detector | None, together: int) -> list[Ring]:
    """Return when a series rang: in whichever of its courses shifted most, all beginning anew after it."""
    courses = found.comparable
    if detector is None:
        rung = rings(courses, together)
        told = found.courses.filled
        return [ring_in(told[r.row], r.row, r.at, r.start, CALIBRATED) for r in rung]
    heard = found.courses.course
    if isinstance(detector, Chart) and detector.mean is None and detector.sd is None:
        update: dict[str, Any] = {"reference": detector.reference or REFERENCE}
        # What is of all replicas together has none to scatter: its first ticks tell how much is usual.
        alone = courses.values.shape[1] == 1
        heard = courses.course if alone else standardised(courses)
        update |= {"least": max(detector.least, MATERIAL)} if alone else {"sd": 1.0}
        detector = detector.model_copy(update=update)
    return _one_at_a_time(found.courses.filled, heard, detector)


def _one_at_a_time(told: Floats, heard: Floats, detector: Detector) -> list[Ring]:
    found: list[Ring] = []
    start = 0
    while start < heard.shape[1]:
        rung = np.atleast_2d(detector.rings(heard[:, start:]))
        if not rung.any():
            break
        at = int(np.argmax(rung.any(axis=0)))
        rows = np.flatnonzero(rung[:, at]).tolist()
        here = [ring_in(told[row], row, start + at, start, detector.name) for row in rows]
        found.append(max(here, key=lambda ring: abs(ring.size)))
        start += at + 1
    return found


def _divergences(record: Readable) -> dict[str, tuple[float | None, ...]]:
    there = record.query("SELECT * FROM turns LIMIT 0")
    kinds = [*KIND_OF, *([SCORE] if SCORE in there else [])]
    return {
        f"{how}_{name}": _listed(values) for name in kinds for how, (values, _) in far(record, name).items()
    }


def _alarm(found: Stream, ring: Ring, changed: Sequence[Mapping[str, Any]]) -> Alarm:
    detail = found.details[ring.stream]
    cause = cause_of(ring.onset, ring.tick, changed)
    what = f"the share of {detail} among the answers" if found.name == ACTIONS else found.title
    ends = [amount(value, found.scale) for value in (ring.before, ring.after)]
    moved = f"{'rose' if ring.size > 0 else 'fell'} from {ends[0]} to {ends[1]}"
    by = "" if ring.detector == CALIBRATED else f"; {ring.detector}"
    reason = "and nothing was scheduled then"
    if cause is not None:
        told = "most likely because" if cause.likely else f"perhaps because, at tick {cause.tick}"
        reason = f"{told}: {cause.note}"
    return Alarm(
        series=found.name,
        tick=ring.tick,
        onset=ring.onset,
        before=round(ring.before, 9),
        after=round(ring.after, 9),
        size=round(ring.size, 9),
        detector=ring.detector,
        detail=detail,
        cause="" if cause is None else cause.note,
        cause_tick=None if cause is None else cause.tick,
        sentence=f"At tick {ring.tick} {what} {moved} (since tick {ring.onset}{by}), {reason}.",
    )


def _listed(values: Floats) -> tuple[float | None, ...]:
    return tuple(round(float(v), 9) if math.isfinite(v) else None for v in values)
