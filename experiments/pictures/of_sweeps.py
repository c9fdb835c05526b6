"""The charts and tables of a sweep: a metric along each axis, over pairs of axes, and which axis matters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments.intervals import t_quantile
from rehearse.experiments.metrics import HEADLINES, METRICS
from rehearse.experiments.metrics.base import Scale
from rehearse.experiments.pictures import markup, plots
from rehearse.experiments.pictures.chart import Charts
from rehearse.experiments.report.charts import Spec
from rehearse.experiments.report.facts import Row
from rehearse.experiments.sentences import amount

if TYPE_CHECKING:
    from rehearse.experiments.sweep.results import Sweep

CONFIDENCE = 0.95
FEW, MANY = 4, 20
"""Metrics drawn where nobody names any; values of an axis beyond which its points are put into bins."""
CELLS = 30
"""Values of an axis that a heat map has room for."""


def metrics_of(sweep: Sweep) -> list[str]:
    """Return the metrics that a sweep is first asked about: headlines that it has, else the first it has."""
    there = sweep.query("SELECT DISTINCT metric FROM results ORDER BY metric")
    names = [str(name) for name in there["metric"].tolist()]
    return [name for name in HEADLINES if name in names][:FEW] or names[:FEW]


def charts(sweep: Sweep, metrics: Sequence[str] = ()) -> Charts:
    """Return the charts of some metrics; raises NotFoundError where no run has one of them."""
    return Charts.of(spec for metric in metrics or metrics_of(sweep) for spec in _of_metric(sweep, metric))


def _of_metric(sweep: Sweep, metric: str) -> Iterator[Spec]:
    points = sweep.points(metric)
    axes = {axis: len(set(points[axis].tolist())) for axis in sweep.axes}
    varied = [axis for axis, values in axes.items() if values > 1]
    title, scale = _title(metric), _scale(metric)
    for axis in varied:
        rows = _along(sweep, metric, axis, binned=axes[axis] > MANY and points[axis].dtype.kind in "if")
        if rows:
            yield plots.along(rows, f"{metric} by {axis}", f"{title} by {_last(axis)}", axis, title, scale)
    for x, y in combinations([axis for axis in varied if axes[axis] <= CELLS], 2):
        rows = _cells(points, x, y)
        if len(rows) > max(axes[x], axes[y]):
            called = f"{title} by {_last(x)} and {_last(y)}"
            yield plots.heat(rows, f"{metric} by {x} and {y}", called, (x, y), scale)
    yield from _sensitivity(sweep, metric, title, points, varied)


def _along(sweep: Sweep, metric: str, axis: str, *, binned: bool) -> list[Row]:
    """Return the mean of a metric at each value of an axis, with an interval over seeds."""
    if binned:
        from rehearse.experiments.sensitivity import partial_dependence

        found = partial_dependence(sweep, metric, axis)
        n, at = found.numbers("points"), (found.numbers("low") + found.numbers("high")) / 2.0
    else:
        found = sweep.query(_by_seed(metric, axis))
        n, at = found.numbers("n"), np.asarray(found["at"])
    rows = []
    for place in range(found.length):
        mean, error, units = (float(v[place]) for v in (found.numbers("mean"), found.numbers("error"), n))
        reach = t_quantile(units - 1, CONFIDENCE) * error if units > 1 and math.isfinite(error) else None
        low, high = (None, None) if reach is None else (mean - reach, mean + reach)
        if math.isfinite(mean):
            rows.append({"at": at[place].item(), "mean": mean, "low": low, "high": high, "n": int(units)})
    return rows


def _by_seed(metric: str, axis: str) -> str:
    """Return the SQL of a mean over seeds, each the mean over all that the sweep did with other axes."""
    named = metric.replace("'", "''")
    return f"""WITH each AS (SELECT "{axis}" AS "at", seed, avg(estimate) AS mean FROM results
        WHERE metric = '{named}' AND "group" = '' AND isfinite(estimate) GROUP BY ALL)
        SELECT "at", avg(mean) AS mean, coalesce(stddev_samp(mean) / sqrt(count(*)), 'nan') AS error,
        count(*) AS n FROM each GROUP BY ALL ORDER BY ALL"""


def _cells(points: Columns, x: str, y: str) -> list[Row]:
    """Return the mean over points in each cell of two axes, in the order of their values."""
    cells: dict[tuple[Any, Any], list[float]] = {}
    for one, other, mean in zip(points[x].tolist(), points[y].tolist(), points["mean"].tolist(), strict=True):
        if math.isfinite(mean):
            cells.setdefault((one, other), []).append(mean)
    return [
        {"x": a, "y": b, "mean": float(np.mean(cells[a, b]))}
        for a, b in sorted(cells, key=str if _mixed(cells) else None)
    ]


def _mixed(cells: dict[tuple[Any, Any], list[float]]) -> bool:
    return len({tuple(type(v) for v in key) for key in cells}) > 1


def _sensitivity(
    sweep: Sweep, metric: str, title: str, points: Columns, varied: Sequence[str]
) -> Iterator[Spec]:
    """Draw the indices or effects that the design allows, of a grid the share of each axis alone."""
    from rehearse.experiments.sensitivity import design_of, morris, sobol

    name, kind = f"{metric} sensitivity", design_of(sweep)
    try:
        if kind == "saltelli":
            table = sobol(sweep, metric).table()
            rows = [_index(table, i, which) for i in range(table.length) for which in ("first", "total")]
            yield plots.bars(rows, name, f"{title}: Sobol’ indices", "share of the variance")
        elif kind == "morris":
            effects = morris(sweep, metric)
            rows = [
                _bar(axis, "μ*", float(size)) for axis, size in zip(effects.axes, effects.size, strict=True)
            ]
            yield plots.bars(rows, name, f"{title}: elementary effects", "μ*, mean size of effects")
        elif len(varied) > 1 and kind == "product":
            rows = [_bar(axis, "alone", _explained(points, axis)) for axis in varied]
            yield plots.bars(
                rows, name, f"{title}: what each axis explains alone", "share of the variance between points"
            )
    except UserError:  # the sweep is not whole: what it has is drawn, and indices need all of it
        return


def _index(table: Columns, row: int, which: str) -> Row:
    value, low, high = (float(table[name][row]) for name in (which, f"{which}_low", f"{which}_high"))
    return {"what": str(table["axis"][row]), "index": which, "value": value, "low": low, "high": high}


def _bar(axis: str, index: str, value: float) -> Row:
    return {"what": axis, "index": index, "value": value, "low": None, "high": None}


def _explained(points: Columns, axis: str) -> float:
    """Return the share of the variance of means that lies between the values of an axis."""
    mean = points.numbers("mean")
    known = np.isfinite(mean)
    _, place = np.unique(points[axis][known], return_inverse=True)
    mean = mean[known]
    between = (np.bincount(place, mean) / np.bincount(place))[place]
    return float(between.var() / mean.var()) if mean.var() > 0.0 else 0.0


def rows_of(sweep: Sweep) -> tuple[list[str], list[list[Any]]]:
    """Return a row a point: its axes, the mean of each headline with its standard error, how many seeds."""
    names, axes = metrics_of(sweep), sweep.axes
    found = {name: sweep.points(name) for name in names}
    first = next(iter(found.values()), Columns({}))
    by_point = {n: {p: i for i, p in enumerate(t["point"].tolist())} for n, t in found.items()}
    rows = (
        [
            [
                *(first[axis][i].item() for axis in axes),
                *(_mean(found[n], by_point[n].get(p), n) for n in names),
                first["seeds"][i].item(),
            ]
            for i, p in enumerate(first["point"].tolist())
        ]
        if names
        else []
    )
    return [*map(_last, axes), *map(_title, names), "seeds"], rows


def text(sweep: Sweep) -> str:
    """Return a sweep as lines to print: how many runs, and a row a point."""
    from rehearse.experiments.commands.printing import table_of
    from rehearse.experiments.sweep.results import is_sweep

    if not is_sweep(sweep.folder):
        return f"Sweep {sweep.folder}, of which nothing is there any more"
    heads, rows = rows_of(sweep)
    more = [f"… {len(rows) - markup.MOST:,} points more"] if len(rows) > markup.MOST else []
    table = table_of(heads, rows[: markup.MOST]) if rows else []
    return "\n".join([_lede(sweep), *table, *more, *_errors(sweep)])


def tables(sweep: Sweep) -> str:
    """Return a row a point as HTML, and what failed."""
    heads, rows = rows_of(sweep)
    table = [markup.table(heads, rows)] if rows else []
    return markup.block(_lede(sweep), [*table, *map(markup.said, _errors(sweep))])


def _errors(sweep: Sweep) -> list[str]:
    return [f"Failed: {error}" for error in list(dict.fromkeys(sweep.failed["error"].tolist()))[:FEW]]


def _lede(sweep: Sweep) -> str:
    counted = sweep.query("SELECT status, count(*) AS n FROM runs GROUP BY status ORDER BY status")
    runs = ", ".join(
        f"{n:,} {s}" for s, n in zip(counted["status"].tolist(), counted["n"].tolist(), strict=True)
    )
    return f"Sweep {sweep.folder}: {runs or 'no runs'}"


def _mean(found: Columns, row: int | None, metric: str) -> str:
    if row is None:
        return "–"
    mean, error = float(found["mean"][row]), float(found["error"][row])
    scale = _scale(metric)
    moved: Scale = "points" if scale == "share" else scale
    beside = f" ± {amount(error, moved).removesuffix(' points')}" if math.isfinite(error) else ""
    return f"{amount(mean, scale)}{beside}"


def _title(metric: str) -> str:
    told = METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
    return told[:1].upper() + told[1:]


def _scale(metric: str) -> Scale:
    return METRICS[metric].scale if metric in METRICS else "amount"


def _last(axis: str) -> str:
    """Return the last part of a dotted path, which is what the axis is called where room is short."""
    return axis.rpartition(".")[2]
