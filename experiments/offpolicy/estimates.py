"""What a policy would have earned, told from turns in which another one decided: arrays in, estimates out.

With rewards r_i, the probabilities p_i with which the logging policy gave its answers, those π_i with which
the target policy would have given the same answers, weights w_i = π_i / p_i, a model of rewards q̂ with its
prediction q̂_i for the answer given, and v_i = Σ_a π(a | x_i) q̂(x_i, a) for the target's:

    ips      mean of w_i r_i                              Horvitz and Thompson 1952; unbiased
    snips    Σ w_i r_i / Σ w_i                            Swaminathan and Joachims, NeurIPS 2015
    dm       mean of v_i                                  the direct method: as good as the model
    dr       mean of v_i + w_i (r_i − q̂_i)                Dudik, Langford and Li, ICML 2011; unbiased
    sndr     mean of v_i + Σ w_i (r_i − q̂_i) / Σ w_i

Unbiased where every answer of the target had a chance under the logging policy. `clip` holds weights below a
bound, at the price of some bias. Standard errors are of independent units, which may be whole people or
societies with all their turns (linearised ratios, Cochran 1977), never of turns that depend on one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.errors import DataError, UserError
from rehearse.experiments.intervals import Sample, Unit, interval, linearised
from rehearse.experiments.pictures.showing import Shown

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

Floats = NDArray[np.float64]
MEANING = {
    "truth": "the target itself, run on the same people with the same luck",
    "logged": "what the logging policy earned",
    "ips": "inverse propensity: unbiased, wide where weights are large",
    "snips": "the same, by the sum of the weights: narrower, a little biased",
    "dm": "what a model of rewards predicts: as good as the model",
    "dr": "the model, corrected by what it missed: unbiased, often narrower",
    "sndr": "the same, by the sum of the weights",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value per turn, and how far it may be off."""

    estimator: str
    value: float
    error: float
    """Its standard error; NaN where the evidence allows none (fewer than two independent units)."""
    low: float
    high: float
    variance: float
    """Of what one turn contributes; for ratios that of the linearised terms."""

    @property
    def meaning(self) -> str:
        """Return in a few words what it is."""
        name, clipped, bound = self.estimator.partition(" at ")
        return MEANING[name] + (f"; weights up to {bound}" if clipped else "")


@dataclass(frozen=True, slots=True, repr=False)
class OffPolicy(Shown):
    """Estimates of what a target policy earns a turn, and what the weights behind them are worth."""

    estimates: tuple[Estimate, ...]
    logged: Estimate
    """The mean reward of the logging policy in the same turns."""
    turns: int
    units: int
    unit: Unit
    """What was taken to be independent."""
    confidence: float
    ess: float
    """Effective sample size, (Σ w)² / Σ w²: as many turns of the target itself would tell as much."""
    max_weight: float
    mean_weight: float
    """About 1, or the target does what the logging policy never did."""
    truth: Estimate | None = None
    """What the target earned when it was run itself, where a simulator could run it."""
    notes: tuple[str, ...] = field(default=())

    @property
    def ess_fraction(self) -> float:
        """Return the effective sample size as a share of the turns."""
        return self.ess / self.turns

    def __getitem__(self, estimator: str) -> Estimate:
        """Return an estimate by its name: ips, snips, dm, dr, sndr, `ips at 10`, logged, truth."""
        known = {each.estimator: each for each in self._rows()}
        if estimator not in known:
            problem = f"there is no estimate {estimator!r} here."
            raise DataError(problem, f"There are {', '.join(known)}.")
        return known[estimator]

    def rows(self) -> list[dict[str, Any]]:
        """Return the table: estimator, value, error, low, high, variance, distance to the truth."""
        return [self._row(each) for each in self._rows()]

    def table(self) -> str:
        """Return all that was found as text: a line an estimate, then what the weights are worth."""
        from rehearse.experiments.commands.printing import table_of, wrapped

        names = ["estimate", "reward a turn", "± error", "from", "to", "what it is"]
        rows: list[list[Any]] = [
            [each.estimator, each.value, each.error, each.low, each.high, each.meaning]
            for each in self._rows()
        ]
        worth = (
            f"{self.turns:,} turns of {self.units:,} independent {self.unit}; they tell as much as"
            f" {self.ess:,.0f} turns of the target itself ({100 * self.ess_fraction:.1f} %). The largest"
            f" weight is {self.max_weight:.3g}, the mean {self.mean_weight:.3f}."
        )
        said = [line for text in (worth, *self.notes) for line in wrapped(text)]
        return "\n".join([*table_of(names, rows), "", *said])

    def __str__(self) -> str:
        """Return the table."""
        return self.table()

    def charts(self) -> Charts:
        """Return the forest `estimates`."""
        from rehearse.experiments.pictures.of_differences import of_estimates

        return of_estimates(self)

    def markup(self) -> str:
        """Return the estimates as HTML."""
        from rehearse.experiments.pictures.of_differences import estimate_tables

        return estimate_tables(self)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        names = ("turns", "units", "unit", "confidence", "ess", "ess_fraction", "max_weight", "mean_weight")
        return {
            "estimates": self.rows(),
            **{name: getattr(self, name) for name in names},
            "notes": list(self.notes),
        }

    def _rows(self) -> Iterator[Estimate]:
        if self.truth is not None:
            yield self.truth
        yield from (*self.estimates, self.logged)

    def _row(self, each: Estimate) -> dict[str, Any]:
        told: dict[str, Any] = {
            name: getattr(each, name) for name in ("estimator", "value", "error", "low", "high", "variance")
        }
        if self.truth is not None:
            told["off_truth"] = each.value - self.truth.value
        return told | {"meaning": each.meaning}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Logged turns: what each earned, and how likely its answer was; n of each."""

    reward: Floats
    propensity: Floats
    """How likely the logging policy was to give its answer."""
    target: Floats
    """How likely the target policy was to give the same one."""
    who: NDArray[np.int64] | None = None
    """The number of the independent unit of each turn; None: turns are independent."""
    unit: Unit = "users"
    predicted: Floats | None = None
    """q̂ of the answer given; None: no model."""
    expected: Floats | None = None
    """q̂ of what the target would have answered, averaged over its answers."""

    def weights(self, clip: float | None = None) -> Floats:
        """Return π / p, up to a bound."""
        return weights(self.target, self.propensity, clip)


def weights(target: ArrayLike, propensity: ArrayLike, clip: float | None = None) -> Floats:
    """Return π / p, at most `clip`; raises DataError for what is no probability."""
    over, under = np.asarray(target, dtype=np.float64), np.asarray(propensity, dtype=np.float64)
    if not ((under > 0.0) & (under <= 1.0 + 1e-6)).all():
        wrong = under[~((under > 0.0) & (under <= 1.0 + 1e-6))][0]
        problem = f"a logged answer has the propensity {wrong:g}."
        raise DataError(problem, "Let the logging policy say how likely its answers were, above 0 up to 1.")
    if not ((over >= 0.0) & (over <= 1.0 + 1e-6)).all():
        wrong = over[~((over >= 0.0) & (over <= 1.0 + 1e-6))][0]
        problem = f"the target gives a logged answer with the probability {wrong:g}."
        raise DataError(problem, "Probabilities lie between 0 and 1.")
    found = over / under
    return found if clip is None else np.minimum(found, clip)


def ips(reward: ArrayLike, weight: ArrayLike) -> float:
    """Return the inverse propensity estimate of the value."""
    return float(np.mean(np.asarray(weight, np.float64) * np.asarray(reward, np.float64)))


def snips(reward: ArrayLike, weight: ArrayLike) -> float:
    """Return the self-normalised estimate; NaN where all weights are 0."""
    w = np.asarray(weight, dtype=np.float64)
    whole = float(w.sum())
    return float((w * np.asarray(reward, np.float64)).sum()) / whole if whole > 0.0 else float("nan")


def dr(reward: ArrayLike, weight: ArrayLike, predicted: ArrayLike, expected: ArrayLike) -> float:
    """Return the doubly robust estimate; `predicted` and `expected` are a model's, see the module."""
    missed = np.asarray(reward, np.float64) - np.asarray(predicted, np.float64)
    return float(np.mean(np.asarray(expected, np.float64))) + ips(missed, weight)


def effective_sample_size(weight: ArrayLike) -> float:
    """Return (Σ w)² / Σ w²; 0 where all weights are 0."""
    w = np.asarray(weight, dtype=np.float64)
    square = float((w * w).sum())
    return float(w.sum()) ** 2 / square if square > 0.0 else 0.0


def evaluate(turns: Turns, *, clip: float | None = None, confidence: float = 0.95) -> OffPolicy:
    """Return the estimates of what the target earns a turn; with `clip`, also with bounded weights.

    Raises DataError where there are no turns, or probabilities are none, UserError where `clip` is not above
    0 or `confidence` not between 0 and 1.
    """
    _check(clip, confidence)
    n = len(turns.reward)
    if not n:
        problem = "there are no turns with an answer to estimate from."
        raise DataError(problem, "Give a record of turns.")
    telling = _Telling.of(turns, confidence)
    plain = turns.weights()
    found = list(_estimates(turns, plain, telling, ""))
    if clip is not None:
        found += _estimates(turns, turns.weights(clip), telling, f" at {clip:g}", clipped=True)
    return OffPolicy(
        estimates=tuple(found),
        logged=telling.mean("logged", turns.reward),
        turns=n,
        units=telling.units,
        unit=turns.unit,
        confidence=confidence,
        ess=effective_sample_size(plain),
        max_weight=float(plain.max()),
        mean_weight=float(plain.mean()),
    )


def _check(clip: float | None, confidence: float) -> None:
    if clip is not None and not clip > 0.0:
        problem = f"clip is {clip!r}, and it is a bound of weights."
        raise UserError(problem, "Give a number above 0, such as 10.")
    if not 0.0 < confidence < 1.0:
        problem = f"confidence is {confidence!r}."
        raise UserError(problem, "Give a number between 0 and 1, such as 0.95.")


def on_policy(turns: Turns, confidence: float) -> Estimate:
    """Return what a policy earned in turns of its own, as the truth."""
    return _Telling.of(turns, confidence).mean("truth", turns.reward)


def _estimates(
    turns: Turns, w: Floats, telling: _Telling, suffix: str, *, clipped: bool = False
) -> Iterator[Estimate]:
    yield telling.mean(f"ips{suffix}", w * turns.reward)
    yield telling.ratio(f"snips{suffix}", w * turns.reward, w)
    if turns.predicted is None or turns.expected is None:
        return
    missed = w * (turns.reward - turns.predicted)
    if not clipped:
        yield telling.mean("dm", turns.expected)
    yield telling.mean(f"dr{suffix}", turns.expected + missed)
    yield telling.ratio(f"sndr{suffix}", missed, w, turns.expected)


@dataclass(frozen=True, slots=True)
class _Telling:
    """How means and ratios become estimates with errors."""

    cells: NDArray[np.intp]
    """The unit of each turn."""
    units: int
    unit: Unit
    confidence: float

    @classmethod
    def of(cls, turns: Turns, confidence: float) -> Self:
        """Return what tells of these turns, whose units are numbered."""
        n = len(turns.reward)
        who = np.arange(n) if turns.who is None else turns.who
        found, cells = np.unique(who, return_inverse=True)
        return cls(cells.reshape(-1), len(found), turns.unit, confidence)

    def mean(self, name: str, values: Floats) -> Estimate:
        """Return a mean over turns."""
        sample = self._sample(values, np.ones(len(values)))
        return self._told(name, sample, values)

    def ratio(self, name: str, over: Floats, under: Floats, beside: Floats | None = None) -> Estimate:
        """Return Σ over / Σ under, and the mean of `beside` on top."""
        sample = self._sample(over, under)
        whole = float(under.mean())
        terms = sample.mean + (over - sample.mean * under) / (whole or np.nan)
        if beside is not None:
            other = self._sample(beside, np.ones(len(beside)))
            sample = replace(sample, values=sample.values + other.values)
            terms = terms + beside
        return self._told(name, sample, terms)

    def _sample(self, over: Floats, under: Floats) -> Sample:
        sums = [np.bincount(self.cells, weights=part, minlength=self.units) for part in (over, under)]
        found = linearised(np.asarray(sums[0]), np.asarray(sums[1]))
        return replace(found, unit=self.unit)

    def _told(self, name: str, sample: Sample, terms: Floats) -> Estimate:
        reach = interval(sample, self.confidence)
        spread = float(terms.var(ddof=1)) if len(terms) > 1 else float("nan")
        return Estimate(name, reach.estimate, sample.error, reach.low, reach.high, spread)
