"""Sensitivity: how much of what a metric does comes from which axis of a sweep.

    found = rehearse.sweep({"run": "model.py:f", "axes": {...}, "design": {"kind": "saltelli", "n": 1024}})
    sobol(found, "value").table()

Sobol' indices split the variance of a metric: the first-order index of an axis is the share that goes
when that axis alone is known, the total index the share that stays when everything else is known. They are
scipy's (Saltelli and others, "Variance based sensitivity analysis of model output", 2010), with intervals
from its bootstrap; those of pairs are as in Saltelli, "Making best use of model evaluations", 2002.
Morris screening (1991; μ* by Campolongo and others, 2007) needs far fewer runs and tells which axes
matter at all. Partial dependence is the mean of a metric along one axis, over all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.sweep.designs import cube
from rehearse.experiments.sweep.keeping import PLAN
from rehearse.experiments.sweep.plan import Planned, read
from rehearse.experiments.sweep.results import Sweep

Floats = NDArray[np.float64]
VALUE = "value"
RESAMPLES = 200
SEED = 1
"""Of the bootstrap."""


@dataclass(frozen=True, slots=True)
class Indices:
    """Sobol' indices of each axis, with bounds at 95 % confidence, shape (axes,) or (axes, 2)."""

    axes: tuple[str, ...]
    first: Floats
    total: Floats
    first_bounds: Floats
    total_bounds: Floats
    pairs: dict[tuple[str, str], float]
    """The second-order index of each pair, where the design has the points for it."""
    evaluations: int

    def table(self) -> Columns:
        """Return a row an axis."""
        bounds = {"first": self.first_bounds, "total": self.total_bounds}
        values: dict[str, Any] = {"axis": np.array(self.axes)}
        for name, value in (("first", self.first), ("total", self.total)):
            low, high = bounds[name].T
            values |= {name: value, f"{name}_low": low, f"{name}_high": high}
        return Columns(values)


@dataclass(frozen=True, slots=True)
class Effects:
    """Elementary effects of each axis: what the metric changes by when the axis goes from end to end."""

    axes: tuple[str, ...]
    mean: Floats
    """μ: which way the metric goes."""
    size: Floats
    """μ*: how much, whichever way."""
    spread: Floats
    """σ: how much that depends on where one is and on the other axes."""

    def table(self) -> Columns:
        """Return a row an axis."""
        return Columns(
            {"axis": np.array(self.axes), "mean": self.mean, "size": self.size, "spread": self.spread}
        )


def sobol(sweep: Sweep, metric: str = VALUE) -> Indices:
    """Return the Sobol' indices of a metric over a sweep of the design saltelli.

    Where a point has several seeds their mean is taken. Raises UserError where the sweep has another
    design or is not whole, NotFoundError where no run has the metric.
    """
    from scipy.stats import sobol_indices

    planned = _planned(sweep, "saltelli")
    axes = tuple(planned.axes)
    second = planned.plan.design.second_order
    values = _whole(sweep, metric, planned).reshape(planned.plan.design.n or 1, -1).T
    a, b, mixed = values[0], values[-1], values[1 : 1 + len(axes)]
    f = {"f_A": a[None], "f_B": b[None], "f_AB": mixed[:, None]}
    found = sobol_indices(func=f, n=len(a))
    bounds = found.bootstrap(confidence_level=0.95, n_resamples=RESAMPLES)
    first = np.ravel(found.first_order)
    pairs = _pairs(values, axes, first) if second else {}
    return Indices(
        axes=axes,
        first=first,
        total=np.ravel(found.total_order),
        first_bounds=_bounds(bounds.first_order),
        total_bounds=_bounds(bounds.total_order),
        pairs=pairs,
        evaluations=values.size,
    )


def morris(sweep: Sweep, metric: str = VALUE) -> Effects:
    """Return the elementary effects of a metric over a sweep of the design morris; raises as `sobol` does."""
    planned = _planned(sweep, "morris")
    axes = tuple(planned.axes)
    shape = (planned.plan.design.n or 1, len(axes) + 1)
    values = _whole(sweep, metric, planned).reshape(shape)
    moved = np.diff(cube(planned).reshape(*shape, len(axes)), axis=1)
    which = np.abs(moved).argmax(axis=2)
    effects = np.diff(values, axis=1) / np.take_along_axis(moved, which[:, :, None], axis=2)[:, :, 0]
    of_axis = [effects[which == i] for i in range(len(axes))]
    return Effects(
        axes=axes,
        mean=np.array([e.mean() for e in of_axis]),
        size=np.array([np.abs(e).mean() for e in of_axis]),
        spread=np.array([e.std(ddof=1) if len(e) > 1 else np.nan for e in of_axis]),
    )


def partial_dependence(sweep: Sweep, metric: str, axis: str, *, bins: int = 10) -> Columns:
    """Return the mean of a metric along one axis, over all that the sweep did with the others.

    A row a value of the axis, or a row a bin of as many points each where there are more values than
    `bins` and they are numbers: `low`, `high`, `mean`, `error` (standard error over points) and
    `points`. Raises NotFoundError where there is no such axis or metric.
    """
    if axis not in sweep.axes:
        problem = f"the sweep has no axis {axis!r}."
        raise NotFoundError(problem, did_you_mean(axis, sweep.axes))
    found = sweep.points(metric)
    at, means = found[axis], found.numbers("mean")
    known = np.isfinite(means)
    at, means = at[known], means[known]
    numbers = at.dtype.kind in "if"
    groups = _binned(at, bins) if numbers and len(np.unique(at)) > bins else [at == v for v in np.unique(at)]
    ends = {"low": [at[g].min() for g in groups], "high": [at[g].max() for g in groups]}
    return Columns(
        {name: np.array(values) for name, values in (ends if numbers else {axis: ends["low"]}).items()}
        | {
            "mean": np.array([means[g].mean() for g in groups]),
            "error": np.array([_error(means[g]) for g in groups]),
            "points": np.array([np.count_nonzero(g) for g in groups]),
        }
    )


def _binned(at: NDArray[Any], bins: int) -> Sequence[NDArray[np.bool_]]:
    rank = np.argsort(np.argsort(at, kind="stable"), kind="stable")
    place = rank * bins // len(at)
    return [place == k for k in range(bins)]


def _error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def design_of(sweep: Sweep) -> str:
    """Return the kind of a sweep's design: product, zip, saltelli and others."""
    return read(sweep.folder / PLAN).plan.design.kind


def _planned(sweep: Sweep, kind: str) -> Planned:
    planned = read(sweep.folder / PLAN)
    if planned.plan.design.kind != kind:
        problem = f"the sweep in {str(sweep.folder)!r} has the design {planned.plan.design.kind}."
        raise UserError(problem, f"Make one with `design: {{kind: {kind}, n: …}}`.")
    return planned


def _whole(sweep: Sweep, metric: str, planned: Planned) -> Floats:
    """Return the mean of a metric at every point, in the design's order."""
    found = sweep.points(metric)
    asked = len(cube(planned))
    means = found.numbers("mean")
    if found.length != asked or not np.isfinite(means).all():
        there = int(np.isfinite(means).sum())
        problem = f"of {asked:,} points of the design {there:,} have a value of {metric!r}."
        raise UserError(problem, "Finish the sweep (--resume), or take a metric that every run has.")
    return means


def _pairs(values: Floats, axes: tuple[str, ...], first: Floats) -> dict[tuple[str, str], float]:
    """Return the indices of pairs from the rows A, AB_1 … AB_d, BA_1 … BA_d, B."""
    d = len(axes)
    centred = values - values[[0, -1]].mean()
    a, b, ab, ba = centred[0], centred[-1], centred[1 : 1 + d], centred[1 + d : 1 + 2 * d]
    variance = np.var(np.concatenate([a, b]))
    joint = {(i, j): float(np.mean(ba[i] * ab[j] - a * b) / variance) for i, j in combinations(range(d), 2)}
    return {(axes[i], axes[j]): both - float(first[i] + first[j]) for (i, j), both in joint.items()}


def _bounds(found: Any) -> Floats:
    interval = found.confidence_interval
    return np.column_stack([np.ravel(interval.low), np.ravel(interval.high)])
