"""Confidence sequences: intervals that hold at every look, however often one looks.

An interval of 95 % is right 95 times in 100 at one look decided on beforehand. Who looks after every
run and stops at the first good one is wrong far more often (`peeking_error`). The bounds of a confidence
sequence hold at all sizes at once, P(some interval misses the truth) ≤ 1 − confidence (Ville 1939), so
that one may stop whenever they decide. With n values, mean m, standard deviation s and α = 1 − confidence:

    means      m ± s √(ν (K − 1) / (n (1 − K / r))),  ν = n − 1,  r = 1 + n g,  K = (√r / α)^(2/n)
               the t test whose effect size has a normal prior of variance g (Lai 1976; Wang and Ramdas,
               "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance",
               2024): exact for normal values, and infinite as long as K ≥ r
    people     m ± s √((n ρ² + 1) / (n² ρ²) · 2 log(√(n ρ² + 1) / α))
               for many values of any shape (Waudby-Smith and others, "Time-uniform central limit theory
               and asymptotic confidence sequences", 2024)
    bounded    values between 0 and 1 and whatever else they are: empirical Bernstein with predictable
               plug-in (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by
               betting", 2024, theorem 2)
    shares     successes of independent trials: those p at which the mixture of likelihoods over
               Beta(1/2, 1/2) is less than 1 / α times that of p (Robbins 1970)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from rehearse.experiments.intervals import Floats, Interval, Method, Sample

EFFECT = 10.0
"""The prior variance g: replicas seldom differ by more than a third of what a criterion is off by."""
LOOK = 200
"""The number of people at which the asymptotic sequence is tightest."""
MOST_BET = 0.5
"""The largest λ of the empirical Bernstein bound."""
STEPS = 60
"""Halvings in search of a bound: beyond the digits of a float."""


def mean_bounds(values: Sequence[float] | Floats, confidence: float = 0.95) -> Floats:
    """Return after each value the lower and upper bound of the mean, shape (n, 2), as replicas come in.

    Exact for normal values, and so for means over many people; −∞ to ∞ as long as there is no telling.
    """
    x = np.asarray(values, dtype=np.float64)
    n = np.arange(1, len(x) + 1)
    mean = np.cumsum(x) / n
    squares = np.cumsum((x - x[:1]) ** 2) - n * (mean - x[:1]) ** 2
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(n - 1, 1))
    reach = np.array([_t_reach(int(k), confidence) for k in n]) * np.where(n > 1, deviation, 1.0)
    return np.column_stack([mean - reach, mean + reach])


def bounded_bounds(
    values: Sequence[float] | Floats, confidence: float = 0.95, *, low: float = 0.0, high: float = 1.0
) -> Floats:
    """Return after each value the bounds of the mean of values between `low` and `high`, shape (n, 2).

    Nothing is assumed but independence, which costs width: use it where values are many or odd.
    """
    x = (np.asarray(values, dtype=np.float64) - low) / (high - low)
    n, spoken = np.arange(1, len(x) + 1), math.log(2.0 / (1.0 - confidence))
    mean = (0.5 + np.cumsum(x)) / (n + 1)
    spread = (0.25 + np.cumsum((x - mean) ** 2)) / (n + 1)
    mean_before, spread_before = np.append(0.5, mean[:-1]), np.append(0.25, spread[:-1])
    bet = np.minimum(MOST_BET, np.sqrt(2.0 * spoken / (spread_before * n * np.log1p(n))))
    cost = 4.0 * (x - mean_before) ** 2 * (-np.log1p(-bet) - bet) / 4.0
    whole = np.cumsum(bet)
    centre, reach = np.cumsum(bet * x) / whole, (spoken + np.cumsum(cost)) / whole
    lower = np.maximum.accumulate(np.clip(centre - reach, 0.0, 1.0))
    upper = np.minimum.accumulate(np.clip(centre + reach, 0.0, 1.0))
    return np.asarray(low + (high - low) * np.column_stack([lower, upper]))


def share_bounds(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the bounds of a share after so many independent trials, good at every look."""
    if trials < 1:
        return 0.0, 1.0
    share, most = successes / trials, -math.log(1.0 - confidence)

    def surprise(p: float) -> float:
        return _log_mixture(successes, trials) - _log_likelihood(p, successes, trials) - most

    low = 0.0 if successes == 0 else _crossing(surprise, 0.0, share)
    high = 1.0 if successes == trials else _crossing(surprise, 1.0, share)
    return low, high


def anytime(sample: Sample, confidence: float) -> Interval:
    """Return the interval of a sample's mean that holds however often one has looked before.

    Replicas are held to be near normal, people to be many. Bounds are NaN while the evidence allows
    none.
    """
    mean, error, n = sample.mean, sample.error, sample.size
    factor = _t_reach(n, confidence) * math.sqrt(n) if sample.unit == "replicas" else _z_reach(n, confidence)
    reach = factor * error if n > 1 and math.isfinite(factor) else math.nan
    return Interval(mean, mean - reach, mean + reach, confidence, n, sample.unit)


def _shares(share: float, n: int, confidence: float) -> tuple[float, float]:
    return share_bounds(round(min(1.0, max(0.0, share)) * n), n, confidence)


ANYTIME = Method(anytime, _shares)
"""For `intervals.interval` and `intervals.widest_gap`: bounds that hold at every look."""


def _t_reach(n: int, confidence: float) -> float:
    """Return how many standard deviations the bounds of n normal values lie from their mean."""
    r = 1.0 + n * EFFECT
    k = (math.sqrt(r) / (1.0 - confidence)) ** (2.0 / n)
    if n < 2 or k >= r:
        return math.inf
    return math.sqrt((n - 1) * (k - 1.0) / (n * (1.0 - k / r)))


def _z_reach(n: int, confidence: float) -> float:
    """Return how many standard errors the bounds of n values of any shape lie from their mean."""
    if n < 2:
        return math.inf
    alpha = 1.0 - confidence
    rho2 = (-2.0 * math.log(alpha) + math.log(-2.0 * math.log(alpha) + 1.0)) / LOOK
    grown = n * rho2 + 1.0
    return math.sqrt(grown / (n * rho2) * 2.0 * math.log(math.sqrt(grown) / alpha))


def _log_mixture(successes: int, trials: int) -> float:
    return _log_beta(successes + 0.5, trials - successes + 0.5) - _log_beta(0.5, 0.5)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(p: float, successes: int, trials: int) -> float:
    hit = successes * math.log(p) if successes else 0.0
    missed = (trials - successes) * math.log1p(-p) if successes < trials else 0.0
    return hit + missed


def _crossing(surprise: Callable[[float], float], outside: float, inside: float) -> float:
    """Return where `surprise` falls to 0 between a value that is too far off and one that is not."""
    for _ in range(STEPS):
        middle = (outside + inside) / 2.0
        if surprise(middle) < 0.0:
            inside = middle
        else:
            outside = middle
    return outside
