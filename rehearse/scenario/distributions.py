"""Laws of chance as quantile functions: a person's standing among all people becomes a value.

A standing is a number u in (0, 1): the share of people who lie below. Whatever the law, a larger
standing gives a larger (or equal) value; that is what lets one set of correlated standings serve
traits of any laws (`rehearse.agents.copula`). All arithmetic is that of `rehearse.exact`, so the
same standing gives the same value on every machine, except for `beta`, whose quantile function is
scipy's: its last bits may change with the version of scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from rehearse.columns import Rows
from rehearse.exact import Floats, exp, log, normal_cdf, normal_from_uniform
from rehearse.scenario.people import (
    Beta,
    Discrete,
    Distribution,
    Exponential,
    Lognormal,
    Normal,
    Pareto,
    Uniform,
    Weibull,
)


def quantile(distribution: Distribution, u: Floats) -> Floats:
    """Return the values of people who stand at u in (0, 1), held within the distribution's bounds.

    A distribution whose law is `column` has no quantile function of its own: see `Empirical`.
    """
    name, law = law_of(distribution)
    if name in _AT_SCORE:
        return within(distribution, _AT_SCORE[name](law, normal_from_uniform(u)))
    return within(distribution, _AT_STANDING[name](law, u))


def at_score(distribution: Distribution, z: Floats) -> Floats:
    """Return the values of people whose standing is given as a standard normal score."""
    name, law = law_of(distribution)
    if name in _AT_SCORE:
        return within(distribution, _AT_SCORE[name](law, z))
    return within(distribution, _AT_STANDING[name](law, normal_cdf(z)))


def law_of(distribution: Distribution) -> tuple[str, Any]:
    """Return the name of the one law that a distribution has, and the law."""
    laws = {name: getattr(distribution, name) for name in (*_AT_SCORE, *_AT_STANDING, "column")}
    return next((name, law) for name, law in laws.items() if law is not None)


def within(distribution: Distribution, values: Floats) -> Floats:
    """Return values held within the distribution's bounds."""
    if distribution.low is not None:
        values = np.maximum(values, distribution.low)
    if distribution.high is not None:
        values = np.minimum(values, distribution.high)
    return values


@dataclass(frozen=True, slots=True)
class Empirical:
    """The distribution of values that were observed, each with a weight."""

    values: Floats
    """Ascending."""
    cumulative: Floats

    @classmethod
    def of(cls, values: Floats, weights: Floats | None = None) -> Self:
        """Sort the values; without weights all count the same."""
        order = np.argsort(values, kind="stable")
        shares = np.ones(len(values)) if weights is None else weights[order]
        return cls(values[order], np.cumsum(shares))

    def quantile(self, u: Floats) -> Floats:
        """Return the values of people who stand at u in (0, 1)."""
        return self.values.take(pick(self.cumulative, u))


def pick(cumulative: ArrayLike, u: Floats) -> Rows:
    """Return which of several things each u in (0, 1) draws, given the running sums of their weights."""
    steps = np.asarray(cumulative, dtype=np.float64)
    return np.asarray(np.searchsorted(steps, u * steps[-1], side="right"), dtype=np.int64)


def _normal(law: Normal, z: Floats) -> Floats:
    return law.mean + law.sd * z


def _lognormal(law: Lognormal, z: Floats) -> Floats:
    return exp(law.mean + law.sd * z)


def _constant(law: float, u: Floats) -> Floats:
    return np.full(u.shape, law)


def _uniform(law: Uniform, u: Floats) -> Floats:
    return law.low + (law.high - law.low) * u


def _exponential(law: Exponential, u: Floats) -> Floats:
    return -law.mean * log(1.0 - u)


def _weibull(law: Weibull, u: Floats) -> Floats:
    return law.scale * exp(log(-log(1.0 - u)) / law.shape)


def _pareto(law: Pareto, u: Floats) -> Floats:
    return law.least * exp(-log(1.0 - u) / law.tail)


def _beta(law: Beta, u: Floats) -> Floats:
    from scipy.special import betaincinv

    return np.asarray(betaincinv(law.a, law.b, u), dtype=np.float64)


def _discrete(law: Discrete, u: Floats) -> Floats:
    shares = np.ones(len(law.values)) if law.shares is None else np.asarray(law.shares)
    return np.asarray(law.values).take(pick(np.cumsum(shares), u))


_AT_SCORE: dict[str, Callable[[Any, Floats], Floats]] = {"normal": _normal, "lognormal": _lognormal}
"""Laws whose values are simplest to reach from a normal score."""
_AT_STANDING: dict[str, Callable[[Any, Floats], Floats]] = {
    "constant": _constant,
    "uniform": _uniform,
    "exponential": _exponential,
    "weibull": _weibull,
    "pareto": _pareto,
    "beta": _beta,
    "discrete": _discrete,
}
