"""Measures of a society: what becomes of its people, one number for each replica.

Sums over people are added in the fixed tree of `exact.total`; those over ties one by one in the
order of the rows. Dead people (who left for good) count only in the share of those alive.
"""

from __future__ import annotations

import numpy as np

from rehearse import exact
from rehearse.agents.blocks import raw
from rehearse.agents.ties import Ties
from rehearse.columns import Columns
from rehearse.contract import Flags
from rehearse.exact import Floats

MEANS = ("trust", "satisfaction", "opinion", "habit", "adopted")


def summary(columns: Columns, replicas: int, ties: Ties | None) -> dict[str, Floats]:
    """Return the measures, each of shape (replicas,); NaN where nobody is left to measure.

    `polarisation` is four times the variance of opinions: 0 where all agree, 1 where half stand at 0
    and half at 1. `assortativity_of_satisfaction` is Pearson's correlation of satisfaction over ties
    (Newman 2003), where there are ties.
    """
    alive = np.asarray(columns["alive"], dtype=np.bool_)
    opinion = columns.numbers("opinion")
    measures = {"alive": _mean(np.ones(len(alive)), alive, replicas, everybody=True)}
    measures |= {name: _mean(columns.numbers(name), alive, replicas) for name in MEANS}
    held = (raw(columns, "goal_kind") >= 0).sum(axis=1)
    measures["goals_open"] = _mean(held.astype(np.float64), alive, replicas)
    middle = np.repeat(measures["opinion"], len(alive) // max(replicas, 1))
    measures["polarisation"] = 4.0 * _mean((opinion - middle) * (opinion - middle), alive, replicas)
    if ties is not None:
        satisfaction = columns.numbers("satisfaction")
        measures["assortativity_of_satisfaction"] = assortativity(satisfaction, ties, replicas)
    return measures


def assortativity(values: Floats, ties: Ties, replicas: int) -> Floats:
    """Return the correlation, over ties, of what people have with what their friends have."""
    heard = np.empty_like(values)
    for rows in ties.parts():
        heard[rows] = ties.total(values, rows)
    degree = ties.degree.astype(np.float64)
    squares = values * values
    if ties.mutual:
        y, yy = degree * values, degree * squares
    else:
        y, yy = heard, ties.total(squares, ties.everybody())
    parts = (degree, degree * values, y, values * heard, degree * squares, yy)
    sums = np.array([exact.total(part.reshape(replicas, -1)) for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xy, xx, yy = sums[1:] / sums[0]
        spread = np.sqrt(np.maximum(xx - x * x, 0.0) * np.maximum(yy - y * y, 0.0))
        correlation = np.where(spread > 1e-12, (xy - x * y) / spread, np.nan)
    return np.clip(correlation, -1.0, 1.0)


def _mean(values: Floats, alive: Flags, replicas: int, *, everybody: bool = False) -> Floats:
    counted = np.where(alive, values, 0.0).reshape(replicas, -1)
    number = np.full(replicas, counted.shape[1]) if everybody else alive.reshape(replicas, -1).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(exact.total(counted) / number)
