"""How opinions lie: how far apart, in how many camps.

Values have shape (…, n): the last axis is the people, each society before it is measured apart.
`among` says who counts, everybody if None. Sums go by `exact.total`: the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse import exact
from rehearse.contract import Flags
from rehearse.exact import Floats

MAJOR = 0.05
"""A cluster is a major one from this share of the people on."""
ALIKE = 1e-12
"""Below this variance opinions differ by no more than rounding."""


def mean(values: Floats, among: Flags | None = None) -> Floats:
    """Return the mean over the last axis of those who count, shape (…); NaN where nobody does."""
    if among is None:
        number = np.full(values.shape[:-1], values.shape[-1], dtype=np.float64)
        counted = values
    else:
        number, counted = among.sum(axis=-1), np.where(among, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(exact.total(counted) / number)


def polarisation(values: Floats, among: Flags | None = None) -> Floats:
    """Return four times the variance of opinions between 0 and 1, shape (…).

    0 where all agree, 1/3 where opinions are spread evenly, 1 where half stand at 0 and half at 1.
    """
    gap = values - mean(values, among)[..., None]
    return 4.0 * mean(gap * gap, among)


def bimodality(values: Floats, among: Flags | None = None) -> Floats:
    """Return Sarle's bimodality coefficient (g² + 1) / k of opinions, shape (…).

    g is the skewness and k the kurtosis of the people themselves (the sample correction of SAS, for
    people who stand for others, is left out). It lies between 0 and 1: 1/3 for a normal
    distribution, 5/9 for an even spread, 1 for two points; above 5/9 speaks for two camps. Scale
    and origin do not matter. NaN where all agree. Knapp (2007), "Bimodality revisited".
    """
    gap = values - mean(values, among)[..., None]
    square = gap * gap
    second, third, fourth = (mean(power, among) for power in (square, square * gap, square * square))
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness_squared = third * third / (second * second * second)
        found = (skewness_squared + 1.0) / (fourth / (second * second))
    return np.where(second > ALIKE, found, np.nan)


def opinion_groups(values: Floats, cuts: Sequence[float] = (0.5,)) -> NDArray[np.int8]:
    """Return which camp each opinion belongs to, 0 … len(cuts); a value equal to a cut is above it."""
    # As they are stored, so that an opinion of .3 is not below a cut at .3.
    asked = np.asarray(values, dtype=np.float32)
    return np.searchsorted(np.asarray(cuts, dtype=np.float32), asked, side="right").astype(np.int8)


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of each society; arrays of shape (…)."""

    count: NDArray[np.int64]
    """How many there are."""
    major: NDArray[np.int64]
    """How many hold at least 5 % of the people."""
    largest: Floats
    """The share of the people in the largest one, NaN where nobody counts."""


def clusters(values: Floats, gap: float = 0.05, among: Flags | None = None) -> Clusters:
    """Count clusters of opinions: neighbours on the scale farther apart than `gap` are in different ones.

    The way in which final states of bounded-confidence models are counted (Hegselmann and Krause
    2002; major clusters as in Ben-Naim, Krapivsky and Redner 2003). One cluster may be much wider
    than the gap. O(n log n).
    """
    lines = values.reshape(-1, values.shape[-1])
    counted = np.ones(lines.shape, dtype=np.bool_) if among is None else among.reshape(lines.shape)
    people = counted.sum(axis=-1)
    ordered = np.sort(np.where(counted, lines, np.inf), axis=-1)
    known = np.isfinite(ordered)
    begins = known.copy()
    with np.errstate(invalid="ignore"):  # infinity less infinity, among those who do not count
        begins[:, 1:] &= np.diff(ordered, axis=-1) > gap
    number = np.cumsum(begins) - 1
    sizes = np.bincount(number[known.ravel()], minlength=int(begins.sum()))
    society = np.repeat(np.arange(len(lines)), begins.sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = sizes / people[society]
        largest = np.where(people > 0, 0.0, np.nan)
    np.maximum.at(largest, society, share)
    shape = values.shape[:-1]
    return Clusters(
        count=begins.sum(axis=-1).reshape(shape),
        major=np.bincount(society[share >= MAJOR], minlength=len(lines)).reshape(shape),
        largest=largest.reshape(shape),
    )


def esteban_ray(positions: ArrayLike, shares: ArrayLike, alpha: float = 1.0) -> float:
    """Return the polarisation of groups at some positions, after Esteban and Ray (1994).

    P = 2^(1+α) Σ_i Σ_j π_i^(1+α) π_j |y_i − y_j| with shares π that are scaled to add up to 1: the
    more people identify with their own group and the farther the groups lie apart, the more. Two
    equal groups at 0 and 1 give 1. `alpha` says how much identification counts: above 0, where P
    would be the Gini coefficient's mean difference, and at most 1.6 (their axioms). O(k²) in groups.
    """
    y = np.asarray(positions, dtype=np.float64)
    p = np.asarray(shares, dtype=np.float64)
    if not p.sum() > 0.0:
        return float("nan")
    p = p / p.sum()
    apart = np.abs(y[:, None] - y[None, :])
    return float(2.0 ** (1.0 + alpha) * (p ** (1.0 + alpha) @ apart @ p))
