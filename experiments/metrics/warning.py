"""Early warning: a society that is about to tip recovers ever more slowly from every knock.

Near a fold or another local bifurcation the rate of return to equilibrium goes to 0 ("critical slowing
down", Wissel 1984; Scheffer and others 2009, "Early-warning signals for critical transitions").
Fluctuations of a series then grow and resemble their past more and more: variance and lag-1
autocorrelation rise before it tips. Both are followed in a window that rolls over the series, less its
slow trend, and each rise is told as Kendall's τ against time, as Dakos and others (2012) do.

A sign is no proof: noise that grows gives a rise of variance alone, short series give any τ by
chance, and what tips without slowing down gives none. τ of one series has no honest p-value here, for
windows overlap; over replicas, which are independent, it has an honest interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rehearse.experiments.metrics.base import Floats, Part, Readable

LEAST_TICKS = 40
"""Shorter series give no sign: half of them is too little to know an autocorrelation by."""
REACH = 4
"""The smoothing kernel is cut off after so many bandwidths."""
STILL = 1e-24
"""Below this mean square a series, less its trend, does not move but for rounding."""


@dataclass(frozen=True, slots=True)
class Warnings:
    """Early-warning indicators of series (…, T), in windows of w points that end at T − W … T − 1."""

    variance: Floats
    """In each window, shape (…, W)."""
    autocorrelation: Floats
    """Of neighbouring points in each window, shape (…, W)."""
    variance_tau: Floats
    """Kendall's τ of the variance against time, shape (…): 1 rising all along, -1 falling."""
    autocorrelation_tau: Floats
    """The same of the autocorrelation."""

    @property
    def sign(self) -> Floats:
        """Return the smaller τ, shape (…): slowing down needs both to rise."""
        return np.minimum(self.variance_tau, self.autocorrelation_tau)


def early_warning(series: ArrayLike, window: float = 0.5, bandwidth: float = 0.1) -> Warnings:
    """Return the indicators of series (…, T), each a line of values at equal steps of time.

    `window` and `bandwidth` (of the Gaussian kernel whose smooth line is taken off) are parts of the
    length. Give the series up to the tipping point only: the jump itself would swamp all. NaN for a
    series with a gap in it, or without any movement.
    """
    values = np.asarray(series, dtype=np.float64)
    width = max(3, round(window * values.shape[-1]))
    left = values - smooth(values, max(bandwidth * values.shape[-1], 1e-9))
    still = ~((left * left).mean(axis=-1) > STILL)
    left = np.where(still[..., None], np.nan, left)
    variance = _rolling(left * left, width) - _rolling(left, width) ** 2
    related = _correlation(left[..., :-1], left[..., 1:], width - 1)
    return Warnings(variance * (width / (width - 1.0)), related, kendall(variance), kendall(related))


def smooth(series: ArrayLike, bandwidth: float) -> Floats:
    """Return the weighted mean about each point of (…, T), weights a Gaussian of so many steps' deviation."""
    values = np.asarray(series, dtype=np.float64)
    length = values.shape[-1]
    total, mass = np.zeros(values.shape), np.zeros(length)
    reach = min(int(np.ceil(REACH * bandwidth)), length - 1)
    for step in range(-reach, reach + 1):
        weight = np.exp(-0.5 * (step / bandwidth) ** 2)
        here, there = slice(max(0, -step), length - max(0, step)), slice(max(0, step), length + min(0, step))
        total[..., here] += weight * values[..., there]
        mass[here] += weight
    return np.asarray(total / mass)


def kendall(series: ArrayLike) -> Floats:
    """Return Kendall's τ of (…, T) against time: pairs that rise less pairs that fall, over all pairs."""
    values = np.asarray(series, dtype=np.float64)
    length = values.shape[-1]
    balance = np.zeros(values.shape[:-1])
    for apart in range(1, length):
        balance += np.sign(values[..., apart:] - values[..., :-apart]).sum(axis=-1)
    return np.asarray(balance / (length * (length - 1) / 2.0))


def warning_of(column: str) -> Callable[[Readable, Part | None], Mapping[int, float]]:
    """Return the measure that reads the sign of a column of ticks over the run; it is of everybody."""

    def measure(record: Readable, part: Part | None = None) -> Mapping[int, float]:
        del part
        found = record.query(f'SELECT replica, tick, "{column}" AS value FROM ticks ORDER BY replica, tick')
        replicas, counts = np.unique(np.asarray(found["replica"], dtype=np.int64), return_counts=True)
        if not len(counts) or counts[0] < LEAST_TICKS:
            return {}
        signs = early_warning(found.numbers("value").reshape(len(replicas), -1)).sign
        return dict(zip(replicas.tolist(), signs.tolist(), strict=True))

    return measure


def _rolling(values: Floats, width: int) -> Floats:
    """Return the mean of every `width` neighbours of (…, T), shape (…, T − width + 1)."""
    added = np.cumsum(values, axis=-1)
    whole = added[..., width - 1 :].copy()
    whole[..., 1:] -= added[..., :-width]
    return whole / width


def _correlation(one: Floats, other: Floats, width: int) -> Floats:
    x, y = _rolling(one, width), _rolling(other, width)
    xx, yy, xy = (_rolling(product, width) for product in (one * one, other * other, one * other))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((xy - x * y) / np.sqrt((xx - x * x) * (yy - y * y)))
