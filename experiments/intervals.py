"""Intervals: how far the truth may lie from what a rehearsal showed.

Everything is the mean of values of *independent* units. Units are the replicas of a society; people
are units only where nothing couples them; turns never are. Student's t interval over the units is
used throughout, wider over people where a few of them carry the mean (two models that differ for three
people in a hundred), with one exception: where a share of people (or any number between 0 and 1) hardly
varied, t would claim to know it almost exactly, and the interval is widened to hold the one of
Wilson (1927) for as many independent people. A share of 0 among n people is thus at most about
3.8 / n, in the spirit of the rule of three.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rehearse.errors import ContractError

Floats = NDArray[np.float64]
Unit = Literal["replicas", "users", "run"]

MOST_MISSED = 0.5
"""An interval is made wider for skewness by no more than its own width."""
RARE = 5
"""With fewer people than this on either side of a share, t is not trusted alone."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people a share is about: with something to count, with the event, with a miss."""

    people: int = 0
    events: int = 0
    misses: int = 0

    @property
    def rare(self) -> bool:
        """Return whether one side of the share rests on a handful of people."""
        return min(self.events, self.misses) < RARE


@dataclass(frozen=True, slots=True)
class Sample:
    """One value for each independent unit; their mean is the estimate.

    A unit that has nothing to say is NaN. `size` is how many units speak: for replicas the values
    that are not NaN, for people those with something to count, though every pseudo-value is there.
    """

    values: Floats
    unit: Unit
    size: int
    bounded: bool = False
    """Whether the estimate lies between 0 and 1."""
    counts: Counts = Counts()
    chosen: Floats | None = None
    """Where only some people's turns were kept, the same in all replicas: a pseudo-value of each of them,
    by whose spread the error of having chosen them is told."""

    @classmethod
    def of_replicas(cls, values: Floats, *, bounded: bool = False, counts: Counts | None = None) -> Sample:
        """Make a sample of one value a replica."""
        size = int(np.isfinite(values).sum())
        return cls(values, "replicas", size, bounded, counts or Counts())

    @property
    def mean(self) -> float:
        """Return the estimate, NaN where no unit speaks."""
        known = self.values[np.isfinite(self.values)]
        return float(known.mean()) if len(known) and self.size else math.nan

    @property
    def variance(self) -> float:
        """Return the variance between units, NaN with fewer than two."""
        known = self.values[np.isfinite(self.values)]
        return float(known.var(ddof=1)) if len(known) > 1 else math.nan

    @property
    def error(self) -> float:
        """Return the standard error of the mean, NaN with fewer than two units."""
        if self.size < 2:
            return math.nan
        between = self.variance / int(np.isfinite(self.values).sum())
        if self.chosen is None:
            return math.sqrt(between)
        return math.sqrt(between + float(self.chosen.var(ddof=1)) / len(self.chosen))

    @property
    def constant(self) -> bool:
        """Return whether no unit differs from another by more than rounding."""
        return self.error <= 1e-12 * max(1.0, abs(self.mean))

    def minus(self, other: Sample) -> Sample:
        """Return the differences of the same units; raises ContractError where they are not the same."""
        if self.unit != other.unit or len(self.values) != len(other.values):
            units = f"{len(self.values)} {self.unit} and {len(other.values)} {other.unit}"
            problem = f"{units} cannot be paired."
            raise ContractError(problem, "Pair values of the same units, in the same order.")
        values = self.values - other.values
        known = int(np.isfinite(values).sum())
        size = known if self.unit == "replicas" else min(self.size, other.size)
        chosen = self.chosen - other.chosen if self.chosen is not None and other.chosen is not None else None
        return replace(self, values=values, size=size, bounded=False, chosen=chosen)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the bounds within which the truth lies with the stated confidence.

    NaN bounds: the evidence allows none. NaN estimate: there was nothing to measure.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    n: int
    unit: Unit
    freedom: float | None = None
    """Degrees of freedom of the t that it rests on; None: n − 1."""

    @property
    def known(self) -> bool:
        """Return whether there are bounds."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def linearised(over: Floats, under: Floats) -> Sample:
    """Return the ratio Σ over / Σ under of independent people as a sample of pseudo-values.

    Person i counts θ + (over_i − θ·under_i) / mean(under): their mean is the ratio θ and their
    variance that of the linearised ratio estimator for clusters (Cochran 1977, §6; Kish 1965), here
    with the small-sample factor m / (m − 1) of the m people who have something to count.
    """
    whole = float(under.sum())
    speaking = int((under > 0).sum())
    if whole <= 0.0:
        return Sample(np.full(len(over), math.nan), "users", 0)
    ratio = float(over.sum()) / whole
    residuals = (over - ratio * under) / (whole / len(under))
    return Sample(ratio + residuals * _inflation(len(over), speaking), "users", speaking)


def linearised_quantile(below: Floats, count: Floats, value: float, density: float) -> Sample:
    """Return a quantile of the turns of independent people as a sample of pseudo-values.

    `below` is how many of each person's `count` turns lie at or below the quantile's `value`, and
    `density` is the density there (0: the turns hardly differ). Bahadur (1966), by Woodruff's
    (1952) way of carrying the error of a share over to its quantile.
    """
    whole = float(count.sum())
    speaking = int((count > 0).sum())
    if whole <= 0.0:
        return Sample(np.full(len(below), math.nan), "users", 0)
    share = float(below.sum()) / whole
    moved = (below - share * count) / (whole / len(count)) * (1.0 / density if density > 0.0 else 0.0)
    return Sample(value - moved * _inflation(len(below), speaking), "users", speaking)


def t_interval(sample: Sample, confidence: float) -> Interval:
    """Return Student's t interval of a sample's mean; bounds are NaN with fewer than two units."""
    mean, error = sample.mean, sample.error
    reach = t_quantile(sample.size - 1, confidence) * error if sample.size > 1 else math.nan
    reach *= _for_skew(sample, confidence)
    return Interval(mean, mean - reach, mean + reach, confidence, sample.size, sample.unit)


def _for_skew(sample: Sample, confidence: float) -> float:
    """Return how much wider an interval over people must be where a few of them carry the mean.

    The first term of the error of t's coverage (Hall, "Theoretical comparison of bootstrap confidence
    intervals", Annals of Statistics 16, 1988), for values of skewness γ and excess kurtosis κ; as 1 / (1 − x)
    rather than 1 + x, for a sample that missed some of the few shows too little of either. Replicas are means
    over many people, which are not skewed.
    """
    if sample.unit != "users" or sample.size < 2 or sample.constant:
        return 1.0
    away = sample.values[np.isfinite(sample.values)] - sample.mean
    squares, cubes, fourths = (float((away**power).sum()) for power in (2, 3, 4))
    skew, tails = cubes**2 / squares**3, fourths / squares**2 - 3.0 / sample.size  # γ² / n and κ / n
    z2 = z_quantile(confidence) ** 2
    more = (z2 + 3.0) * (z2 - 1.0) / 18.0 * skew - (z2 - 3.0) / 12.0 * tails
    return 1.0 / (1.0 - min(max(more, 0.0), MOST_MISSED))


def t_quantile(freedom: float, confidence: float) -> float:
    """Return how many standard errors a two-sided t interval reaches to either side."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2.0))


def z_quantile(confidence: float) -> float:
    """Return how many standard deviations hold the middle of a normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2.0))


def wilson(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share of n independent people."""
    z2 = z_quantile(confidence) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - reach), min(1.0, centre + reach)


class Method(NamedTuple):
    """How an interval is made: that of means, and that of a share of n independent people."""

    means: Callable[[Sample, float], Interval]
    shares: Callable[[float, int, float], tuple[float, float]]


FIXED = Method(t_interval, wilson)
"""For a size decided on beforehand; one that holds at every look is `sequences.ANYTIME`."""


def interval(sample: Sample, confidence: float, method: Method = FIXED) -> Interval:
    """Return the interval of a sample's mean, widened where a share hardly varied."""
    found = method.means(sample, confidence)
    if not sample.bounded or not math.isfinite(found.estimate):
        return found
    if found.known:
        found = replace(found, low=max(0.0, found.low), high=min(1.0, found.high))
        if sample.counts.people and (sample.constant or sample.counts.rare):
            low, high = method.shares(found.estimate, sample.counts.people, confidence)
            return replace(found, low=min(found.low, low), high=max(found.high, high))
    return found


def widest_gap(samples: Sequence[Sample], confidence: float, method: Method = FIXED) -> Interval:
    """Return the largest difference between any two groups, with an interval that allows for the choice.

    Every pair gets an interval at the Bonferroni level, and the gap's bounds are the largest of the
    pairs' bounds: picking the widest of many noisy differences then does not look like a finding.
    Shares that hardly varied are compared by Newcombe's (1998) hybrid of their Wilson intervals.
    """
    speaking = [s for s in samples if s.size]
    pairs = list(combinations(speaking, 2))
    if not pairs:
        unit = samples[0].unit if samples else "replicas"
        return Interval(math.nan, math.nan, math.nan, confidence, 0, unit)
    level = 1.0 - (1.0 - confidence) / len(pairs)
    found = [_absolute(_difference(a, b, level, method)) for a, b in pairs]
    return Interval(
        estimate=max(f.estimate for f in found),
        low=max(f.low for f in found),
        high=max(f.high for f in found) if all(f.known for f in found) else math.nan,
        confidence=confidence,
        n=min(f.n for f in found),
        unit=found[0].unit,
    )


def signed_gap(samples: Sequence[Sample], confidence: float, method: Method = FIXED) -> Interval:
    """Return the difference of the first of two groups minus the second; NaN for other numbers of them."""
    if len(samples) != 2 or not all(s.size for s in samples):
        unit = samples[0].unit if samples else "replicas"
        return Interval(math.nan, math.nan, math.nan, confidence, 0, unit)
    return _difference(samples[0], samples[1], confidence, method)


def paired(after: Sample, before: Sample, confidence: float) -> Interval:
    """Return the interval of the mean difference between the same units under two conditions.

    Where not one unit differs, a share's difference is held to what n people who all agree allow.
    """
    difference = after.minus(before)
    found = t_interval(difference, confidence)
    people = min(after.counts.people, before.counts.people)
    if after.bounded and people and found.known and difference.constant:
        reach = wilson(0.0, people, confidence)[1]
        return _at_least_reaching(found, reach, reach)
    return found


def _difference(a: Sample, b: Sample, confidence: float, method: Method) -> Interval:
    found = method.means(a.minus(b), confidence)
    doubtful = any(s.constant or s.counts.rare for s in (a, b))
    if not (found.known and a.bounded and doubtful and a.counts.people and b.counts.people):
        return found
    (low_a, high_a), (low_b, high_b) = (method.shares(_share(s), s.counts.people, confidence) for s in (a, b))
    down = math.hypot(_share(a) - low_a, high_b - _share(b))
    up = math.hypot(high_a - _share(a), _share(b) - low_b)
    return _at_least_reaching(found, down, up)


def _at_least_reaching(found: Interval, down: float, up: float) -> Interval:
    return replace(
        found, low=min(found.low, found.estimate - down), high=max(found.high, found.estimate + up)
    )


def _share(sample: Sample) -> float:
    return min(1.0, max(0.0, sample.mean))


def _absolute(found: Interval) -> Interval:
    ends = (abs(found.low), abs(found.high))
    crosses = found.low <= 0.0 <= found.high
    return replace(found, estimate=abs(found.estimate), low=0.0 if crosses else min(ends), high=max(ends))


def _inflation(n: int, speaking: int) -> float:
    # Turns the factor n / (n - 1) of the variance over all people into that over those who speak.
    return math.sqrt((n - 1) / n * speaking / (speaking - 1)) if speaking > 1 else 1.0
