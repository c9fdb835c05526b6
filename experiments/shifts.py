"""Shifts: when a course over time left its level for more than noise.

A two-sided CUSUM (Page 1954) on the mean over the replicas. Nothing is assumed known beforehand:
the noise and its memory from tick to tick are measured by how the replicas scatter about one
another (in a single replica, by how neighbouring ticks differ), the baseline by the ticks so far
(recursive residuals: Brown, Durbin and Evans 1975), and the threshold is set by Siegmund's (1985)
run length so that a steady run of this length rings falsely with a chance of FALSE_ALARM over all
series together (a single replica whose noise has a long memory rings somewhat more often). Shifts
smaller than MATERIAL are let pass, however surely they are there. After a ring the baseline begins
anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rehearse.experiments.intervals import Floats

FALSE_ALARM = 0.01
"""The chance that a steady run rings at all."""
ALLOWANCE = 0.5
"""CUSUM's reference value k: half the shift that it is quickest to find, in standard errors."""
MATERIAL = 0.01
"""Noise is taken for no smaller than this (in shares and levels, 0 to 1)."""
SETTLED = 3
"""Ticks that a baseline needs before anything can stand out from it."""
TRIMMED = 0.1
"""The part of the differences that a single replica's noise is measured without."""


@dataclass(frozen=True, slots=True)
class Courses:
    """K shares or levels over time: for each replica and tick its value and how many turns it rests on."""

    values: Floats
    """Shape (K, R, T); NaN where there was nothing."""
    sizes: Floats
    """Shape (R, T)."""

    @property
    def course(self) -> Floats:
        """Return the means over the replicas, shape (K, T); NaN where no replica had anything."""
        known = np.isfinite(self.values)
        sums = np.where(known, self.values, 0.0).sum(axis=1)
        return np.asarray(sums / np.where(known.any(axis=1), known.sum(axis=1), math.nan))

    @property
    def filled(self) -> Floats:
        """Return the course with the last known value where there is none."""
        return _without_holes(self.course)


@dataclass(frozen=True, slots=True)
class Noise:
    """How a mean over the replicas scatters about its course from tick to tick."""

    error: float
    """Standard deviation of what is new in each tick."""
    memory: float
    """Correlation of neighbouring ticks."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A CUSUM that passed its threshold: positions in the series, and the row that did."""

    at: int
    onset: int
    start: int
    """Where its baseline began."""
    row: int


def rings(courses: Courses, together: int) -> list[Ring]:
    """Return when a two-sided CUSUM over any of the courses rang, one ring a shift.

    `together` is how many series are watched in all, which share the chance of a false alarm.
    """
    course = courses.filled
    ticks = course.shape[1]
    if ticks <= SETTLED:
        return []
    noises = [noise(values, courses.sizes) for values in courses.values]
    limit = threshold(ticks, together)
    weight = _weights(courses.sizes)
    found: list[Ring] = []
    start = 0
    while start < ticks - SETTLED:
        scores = np.array([_scores(x, n, weight, start) for x, n in zip(course, noises, strict=True)])
        ring = _first_ring(course, scores, limit, start)
        if ring is None:
            break
        found.append(ring)
        start = ring.at + 1
    return found


def standardised(courses: Courses) -> Floats:
    """Return the courses (K, T) in standard errors, without their memory; NaN where there was nothing."""
    filled, weight = courses.filled, _weights(courses.sizes)
    rows = []
    for x, values in zip(filled, courses.values, strict=True):
        found = noise(values, courses.sizes)
        rows.append(_filtered(x, found) / np.maximum(MATERIAL, found.error * weight))
    return np.where(np.isfinite(courses.course), np.array(rows), math.nan)


def noise(values: Floats, sizes: Floats) -> Noise:
    """Return how the mean over the replicas (R, T) scatters from tick to tick, no less than MATERIAL.

    What replicas have in common (a drift, a warming up) is no noise, nor is what sets one of them
    apart for good: both means are taken off. Alone, a replica's noise shows in the differences of
    ticks one and two apart, without the largest of them, so that a few shifts do not count.
    """
    scaled = np.sqrt(sizes / sizes.mean()) if sizes.mean() > 0 else np.ones_like(sizes)
    if len(values) > 1:
        spread, memory, freedom = _noise_of_replicas(values, scaled)
    else:
        spread, memory, freedom = _noise_of_one(values[0], scaled[0])
    spread *= 1.0 + 1.0 / math.sqrt(2.0 * max(freedom, 1.0))
    lasting = spread * math.sqrt((1.0 + memory) / (1.0 - memory))
    if lasting <= MATERIAL:
        return Noise(MATERIAL, 0.0)
    # Only as much memory is filtered out as must be: filtering also takes from a shift.
    filtered = min(memory, 1.0 - MATERIAL / lasting)
    return Noise(max(MATERIAL, (1.0 - filtered) * lasting), filtered)


def threshold(ticks: int, together: int) -> float:
    """Return the CUSUM threshold h at which so many steady series ring with chance FALSE_ALARM in all.

    Siegmund (1985): a one-sided CUSUM of standard normal scores runs for about
    (e^(2kb) − 2kb − 1) / (2k²) ticks, b = h + 1.166.
    """
    length = 2.0 * ticks * together / FALSE_ALARM
    b = 1.0
    for _ in range(50):
        b = math.log(2.0 * ALLOWANCE**2 * length + 2.0 * ALLOWANCE * b + 1.0) / (2.0 * ALLOWANCE)
    return b - 1.166


def cusum(scores: Floats, allowance: float = ALLOWANCE) -> tuple[Floats, Floats]:
    """Return the upper and the lower CUSUM of standardised scores (K, T): max(0, C ± score − k)."""
    up, down = np.zeros_like(scores), np.zeros_like(scores)
    high = low = np.zeros(len(scores))
    for t in range(scores.shape[1]):
        high = np.maximum(0.0, high + scores[:, t] - allowance)
        low = np.maximum(0.0, low - scores[:, t] - allowance)
        up[:, t], down[:, t] = high, low
    return up, down


def _scores(x: Floats, noise: Noise, weight: Floats, start: int) -> Floats:
    """Return recursive residuals from `start`: each tick against the mean before it, in standard errors."""
    filtered = _filtered(x[start:], noise)
    count = np.arange(1, len(filtered))
    baseline = np.cumsum(filtered)[:-1] / count
    error = np.maximum(MATERIAL, noise.error * weight[start + 1 :]) * np.sqrt(1.0 + 1.0 / count)
    scores = np.concatenate([[0.0], (filtered[1:] - baseline) / error])
    scores[:SETTLED] = 0.0
    return scores


def _filtered(x: Floats, noise: Noise) -> Floats:
    """Return what is new in each tick."""
    new = x.copy()
    new[1:] -= noise.memory * x[:-1]
    new[0] *= 1.0 - noise.memory
    return new


def _first_ring(course: Floats, scores: Floats, limit: float, start: int) -> Ring | None:
    up, down = cusum(scores)
    rung = np.maximum(up, down) > limit
    if not rung.any():
        return None
    at = int(np.argmax(rung.any(axis=0)))
    row = int(np.argmax(np.maximum(up[:, at], down[:, at])))
    return Ring(at=start + at, onset=_onset(course[row], start, start + at), start=start, row=row)


def _onset(x: Floats, start: int, at: int) -> int:
    """Return the tick that best parts what was before from what is since, by least squares."""
    ticks = np.arange(start + 1, at + 1)
    sums = np.cumsum(x[start : at + 1])
    before = sums[: at - start]
    early, late = ticks - start, at + 1 - ticks
    gap = before / early - (sums[-1] - before) / late
    return int(ticks[np.argmax(gap * gap * early * late)])


def _noise_of_replicas(values: Floats, scaled: Floats) -> tuple[float, float, float]:
    rest = values - _mean(values, 0)[None, :]
    rest = np.nan_to_num((rest - _mean(rest, 1)[:, None]) * scaled)
    replicas, ticks = values.shape
    freedom = (replicas - 1) * (ticks - 1)
    variance = float((rest**2).sum()) / freedom
    if variance <= 0.0:
        return 0.0, 0.0, freedom
    lagged = float((rest[:, 1:] * rest[:, :-1]).sum()) / float((rest**2).sum())
    # Taking off each replica's mean biases the correlation downwards by about 1 / T.
    memory = min(0.95, max(0.0, lagged + (1.0 + lagged) / ticks))
    return math.sqrt(variance / replicas), memory, freedom * (1.0 - memory) / (1.0 + memory)


def _noise_of_one(values: Floats, scaled: Floats) -> tuple[float, float, float]:
    course = _without_holes(values[None])[0] * scaled / max(float(scaled.mean()), 1e-12)
    near, far = _trimmed_variance(np.diff(course)), _trimmed_variance(course[2:] - course[:-2])
    if near <= 0.0:
        return 0.0, 0.0, len(course)
    # Variances of differences one and two apart are in the ratio 1 + memory; its error is about 1 / √T.
    memory = min(0.95, max(0.0, far / near - 1.0 + 1.0 / math.sqrt(len(course))))
    return math.sqrt(near / (2.0 * (1.0 - memory))), memory, 0.5 * len(course)


def _trimmed_variance(differences: Floats) -> float:
    """Return the variance of normal numbers around 0 among which one in ten may be something else."""
    from scipy.special import ndtri

    size = np.sort(np.abs(differences))
    kept = max(1, len(size) - max(1, math.ceil(TRIMMED * len(size))))
    z = float(ndtri(0.5 + 0.5 * kept / len(size)))
    left = 1.0 - 2.0 * z * math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi) / (kept / len(size))
    return float((size[:kept] ** 2).mean()) / left


def _weights(sizes: Floats) -> Floats:
    """Return by tick how many times the usual noise there is, as fewer turns say less."""
    whole = sizes.sum(axis=0)
    usual = max(float(whole.mean()), 1e-12)
    return np.asarray(np.sqrt(usual / np.maximum(whole, usual / 100.0)))


def _without_holes(course: Floats) -> Floats:
    """Return courses (K, T) with the last known value where there is none."""
    filled = course.copy()
    for row in filled:
        known = np.flatnonzero(np.isfinite(row))
        if len(known):
            last = np.maximum(np.searchsorted(known, np.arange(len(row)), side="right") - 1, 0)
            row[:] = row[known[last]]
        else:
            row[:] = 0.0
    return filled


def _mean(values: Floats, axis: int) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    return np.asarray(np.where(known, values, 0.0).sum(axis=axis) / np.where(count > 0, count, math.nan))
