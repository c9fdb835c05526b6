"""The tree-structured Parzen estimator of Optuna (Bergstra and others 2011); the one door to Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from rehearse.errors import NotFoundError
from rehearse.experiments.search.searchers import FIRST, AtRandom, Margins
from rehearse.experiments.search.space import Point

NONE = 1e6
"""What is told of a point where nothing can be measured: far from failing."""


class Bayes:
    """Points at which a model of what was heard expects to fail; fields are modelled together."""

    def __init__(self, choices: Sequence[int], seed: int) -> None:
        """Take how many values each field is one of (0: a range), and the root of the draws."""
        optuna = _optuna()
        one = optuna.distributions
        self._sides = {
            f"{i:03d}": one.CategoricalDistribution(tuple(range(n))) if n else one.FloatDistribution(0.0, 1.0)
            for i, n in enumerate(choices)
        }
        self._choices = tuple(choices)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what we use of it is called experimental
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32, n_startup_trials=FIRST, multivariate=True, constant_liar=True
            )
        self._study = optuna.create_study(sampler=sampler)
        start = AtRandom(choices, seed)
        for number in range(FIRST):
            self._study.enqueue_trial(self._given(start.point(number)))
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Point]:
        """Return the next points."""
        self._asked = [self._study.ask(self._sides) for _ in range(count)]
        return [self._point(trial.params) for trial in self._asked]

    def tell(self, points: Sequence[Point], margins: Margins) -> None:
        """Learn from what came of the points that were asked for last."""
        del points
        for trial, margin in zip(self._asked, margins, strict=True):
            self._study.tell(trial, NONE if margin is None else margin)

    def _given(self, point: Point) -> dict[str, Any]:
        rows = zip(self._sides, point, self._choices, strict=True)
        return {name: min(int(u * n), n - 1) if n else u for name, u, n in rows}

    def _point(self, given: dict[str, Any]) -> Point:
        values = [given[name] for name in self._sides]
        return tuple(
            (value + 0.5) / n if n else float(value) for value, n in zip(values, self._choices, strict=True)
        )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        problem = "the searcher tpe needs Optuna, which is not installed."
        raise NotFoundError(
            problem, "pip install 'rehearse[search]', or take --searcher evolution."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
