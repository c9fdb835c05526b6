"""What can be watched over the ticks of a run, by name, as courses in which shifts are looked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import ScenarioError, UserError, did_you_mean
from rehearse.experiments.intervals import Floats
from rehearse.experiments.metrics import METRICS, Readable, find, series
from rehearse.experiments.metrics.base import Gap, Metric, Ratio, Scale
from rehearse.experiments.metrics.calibration import binned, error_of
from rehearse.experiments.metrics.fairness import MEAN
from rehearse.experiments.metrics.society import first_quarter, jensen_shannon, outcome_kind, psi, ticks_of
from rehearse.experiments.shifts import Courses

ACTIONS, ECE, SCORE = "actions", "ece", "score"
KINDS = 12
"""With more items than this, answers are told apart by item number modulo it."""
BANDS = 20
"""A recorded number is told apart by the twentieths of the first quarter of the run."""
HOW_FAR = {"psi": "population stability index", "ks": "KS distance", "js": "Jensen–Shannon divergence"}
BOUNDED = frozenset({"share", "points", "level", "index"})


@dataclass(frozen=True, slots=True)
class Stream:
    """A series over the ticks: one course, or one for each kind of answer."""

    name: str
    title: str
    scale: Scale
    details: tuple[str, ...]
    """What each course is of; empty text where there is but one."""
    courses: Courses

    @property
    def comparable(self) -> Courses:
        """Return the courses on a scale on which a hundredth is little: amounts in parts of their mean."""
        if self.scale in BOUNDED:
            return self.courses
        known = np.abs(self.courses.values[np.isfinite(self.courses.values)])
        unit = float(known.mean()) if known.size else 1.0
        return Courses(self.courses.values / max(unit, 1e-12), self.courses.sizes)


def check(name: str) -> None:
    """Raise ScenarioError where there is no series of this name that could be watched."""
    head, _, rest = name.partition(":")
    if name in {ACTIONS, ECE} or (head in HOW_FAR and rest):
        return
    try:
        metric = _metric(name)
    except UserError as error:
        problem = f"monitors: {error.problem}"
        known = [
            ACTIONS,
            ECE,
            *(m for m in METRICS if _by_turn(METRICS[m])),
            *(f"{h}:score" for h in HOW_FAR),
        ]
        raise ScenarioError(problem, did_you_mean(name, known)) from None
    if not _by_turn(metric):
        problem = f"monitors: {name!r} is no mean over turns, and so has no value a tick."
        raise ScenarioError(problem, "Watch another series; `gap:` may stand before a mean over turns.")


def title_of(name: str) -> str:
    """Return what a series is called in a heading."""
    head, _, rest = name.partition(":")
    return f"{HOW_FAR[head]} of {rest}" if head in HOW_FAR else _metric(name).title


def stream(record: Readable, name: str) -> Stream | None:
    """Return a series of a record by name; None where the record lacks the column of numbers behind it."""
    there = record.query("SELECT * FROM turns LIMIT 0")
    if name == ACTIONS:
        return _answers(record)
    head, _, rest = name.partition(":")
    if rest in there and there[rest].dtype.kind == "U":
        return None
    if head in HOW_FAR and rest:
        moved = far(record, rest) if rest in KIND_OF or rest in there else None
        return None if moved is None else _one(name, title_of(name), "index", *moved[head])
    metric = _metric(name)
    if not set(metric.needs) <= set(there):
        return None
    if name == ECE:
        return _calibration(record, metric)
    return _gap(record, metric) if isinstance(metric.measure, Gap) else _mean(record, metric)


def values_of(record: Readable, name: str) -> Floats:
    """Return a series by name, shape (replicas, ticks); `actions` has (kinds, replicas, ticks).

    What is of all replicas together, such as `gap:acceptance`, has one row. NaN where there was nothing.
    Raises UserError where there is no such series, or what it is read off was not recorded.
    """
    check(name)
    found = stream(record, name)
    if found is None:
        problem = f"the series {name!r} was not recorded: the numbers that it is read off are not there."
        raise UserError(problem, "Take a series of what the world and the model tell.")
    return found.courses.values[0] if len(found.details) == 1 else found.courses.values


def far(record: Readable, what: str) -> dict[str, tuple[Floats, Floats]]:
    """Return by tick how far something is from the run's first quarter (psi, ks, js), and how many turns.

    Answers and outcomes are told apart by kind, a recorded number by the twentieths of the first quarter
    (tenths for the PSI). The KS distance is the largest difference of the two distribution functions at their
    limits; of kinds, in the order of their numbers. A tick of the first quarter is held against the others of
    it: counted among them it would seem near, and the tick after them a change.
    """
    ticks = ticks_of(record)
    kind, where = KIND_OF.get(what) or _bands(record, what, first_quarter(ticks))
    found = record.query(
        f"SELECT tick, {kind} AS kind, count(*) AS n FROM turns WHERE {where} GROUP BY ALL ORDER BY ALL"
    )
    counts = np.zeros((ticks, int(found.numbers("kind").max(initial=0)) + 1))
    counts[np.asarray(found["tick"], int), np.asarray(found["kind"], int)] = found.numbers("n")
    first, sizes = _references(counts, first_quarter(ticks)), counts.sum(axis=1)
    coarse = counts if what in KIND_OF else _by_twos(counts)
    early = first if what in KIND_OF else _by_twos(first)
    return {
        "psi": (np.maximum(0.0, [psi(p, q) for p, q in zip(early, coarse, strict=True)]), sizes),
        "ks": (np.array([_kolmogorov_smirnov(p, q) for p, q in zip(first, counts, strict=True)]), sizes),
        "js": (np.array([jensen_shannon(p, q) for p, q in zip(first, counts, strict=True)]), sizes),
    }


KIND_OF: Mapping[str, tuple[str, str]] = {
    "actions": ("action", "action >= 0"),
    "outcomes": (outcome_kind(), "isfinite(satisfaction)"),
}
"""SQL for the number of a turn's kind, and which turns have one."""


def _bands(record: Readable, column: str, window: int) -> tuple[str, str]:
    value, known = f'CAST("{column}" AS DOUBLE)', f'isfinite(CAST("{column}" AS DOUBLE))'
    levels = ", ".join(f"{i / BANDS:g}" for i in range(1, BANDS))
    found = record.query(
        f"""SELECT DISTINCT unnest(quantile_disc({value}, [{levels}])) AS edge
        FROM turns WHERE {known} AND tick < {window} ORDER BY edge"""
    )
    edges = [float(edge) for edge in found["edge"].tolist()]
    return " + ".join(["0", *(f"CAST({value} > {edge!r} AS INTEGER)" for edge in edges)]), known


def _references(counts: Floats, window: int) -> Floats:
    """Return what each tick (T, K) is held against: the first `window` of them, without itself."""
    first = np.repeat(counts[:window].sum(axis=0, keepdims=True), len(counts), axis=0)
    if window > 1:
        first[:window] -= counts[:window]
    return first


def _by_twos(counts: Floats) -> Floats:
    even = np.pad(counts, ((0, 0), (0, counts.shape[1] % 2)))
    return np.asarray(even.reshape(len(counts), -1, 2).sum(axis=2))


def _kolmogorov_smirnov(before: Floats, after: Floats) -> float:
    if before.sum() <= 0 or after.sum() <= 0:
        return math.nan
    return float(np.abs(np.cumsum(before) / before.sum() - np.cumsum(after) / after.sum()).max())


def _answers(record: Readable) -> Stream:
    items = [str(item) for item in record.manifest["items"]]
    kinds = items if len(items) <= KINDS else [f"items {i}, {i + KINDS}, …" for i in range(KINDS)]
    found = record.query(
        f"""SELECT replica, tick, action % {len(kinds)} AS kind, count(*) AS n FROM turns
        WHERE action >= 0 GROUP BY ALL ORDER BY ALL"""
    )
    counts = _grid(found, found.numbers("n"), ticks_of(record), len(kinds))
    sizes = counts.sum(axis=0)
    shares = Courses(counts / np.where(sizes > 0, sizes, math.nan), sizes)
    return Stream(ACTIONS, "share among the answers", "share", tuple(kinds), shares)


def _mean(record: Readable, metric: Metric) -> Stream:
    found, ticks = series(record, [metric]), ticks_of(record)
    known = found.numbers(f"{metric.name}_n")
    sizes = _grid(found, known, ticks, 1)
    sums = _grid(found, np.nan_to_num(found.numbers(metric.name)) * known, ticks, 1)
    courses = Courses(sums / np.where(sizes > 0, sizes, math.nan), sizes[0])
    name = SCORE if metric.name == f"{MEAN}{SCORE}" else metric.name
    return Stream(name, metric.title, metric.scale, ("",), courses)


def _gap(record: Readable, metric: Metric) -> Stream | None:
    """Return by tick the largest difference between groups, over all replicas together."""
    of = metric.measure.of if isinstance(metric.measure, Gap) else metric
    if not isinstance(of.measure, Ratio):
        return None
    over, under = of.measure.sums(of_sessions=False)
    found = record.query(
        f"""SELECT 0 AS replica, t.tick AS tick, dense_rank() OVER (ORDER BY g."group") - 1 AS kind,
        coalesce({over}, 0) AS total, {under} AS n
        FROM turns t JOIN (SELECT replica, "user", "group" FROM users) g USING (replica, "user")
        GROUP BY t.tick, g."group" ORDER BY ALL"""
    )
    groups = int(found.numbers("kind").max(initial=0)) + 1
    total, n = (_grid(found, found.numbers(c), ticks_of(record), groups)[:, 0] for c in ("total", "n"))
    means = total / np.where(n > 0, n, math.nan)
    return _one(metric.name, metric.title, metric.scale, means.max(axis=0) - means.min(axis=0), n.min(axis=0))


def _calibration(record: Readable, metric: Metric) -> Stream:
    found, ticks = binned(record, "tick"), ticks_of(record)
    errors, sizes = np.full(ticks, math.nan), np.zeros(ticks)
    for tick, error in error_of(found).items():
        errors[tick] = error
    np.add.at(sizes, np.asarray(found["part"], int), found.numbers("n"))
    return _one(ECE, metric.title, metric.scale, errors, sizes)


def _one(name: str, title: str, scale: Scale, values: Floats, sizes: Floats) -> Stream:
    return Stream(name, title, scale, ("",), Courses(values[None, None], sizes[None]))


def _metric(name: str) -> Metric:
    return find(f"{MEAN}{name}" if name == SCORE else name)


def _by_turn(metric: Metric) -> bool:
    measure = metric.measure.of.measure if isinstance(metric.measure, Gap) else metric.measure
    if isinstance(metric.measure, Gap) and metric.measure.signed:
        return False
    return isinstance(measure, Ratio) and measure.per == "turn"


def _grid(found: Columns, weights: Floats, ticks: int, kinds: int) -> Floats:
    """Return a table of (replica, tick, kind) as an array (K, R, T)."""
    replica = np.asarray(found["replica"], dtype=np.int64)
    place = np.searchsorted(np.unique(replica), replica)
    kind = np.asarray(found["kind"], dtype=np.int64) if kinds > 1 else np.zeros(len(replica), dtype=np.int64)
    grid = np.zeros((kinds, int(place.max(initial=0)) + 1, ticks))
    np.add.at(grid, (kind, place, np.asarray(found["tick"], dtype=np.int64)), weights)
    return grid
