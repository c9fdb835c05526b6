"""A linear model written down in the settings: a weighted sum of what it may see, per item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rehearse.contract import Decisions, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats, exp, total
from rehearse.policies.baselines import SlateLength
from rehearse.policies.picking import Picker, drawn, one_hot, open_to
from rehearse.policies.settings import check_k, checked, item_number
from rehearse.scenario.base import NotNegative, Strict

CONSTANT = "1"
"""The name under which an item's constant is given."""


class LinearSettings(Strict):
    """Settings of `linear-v1`."""

    weights: dict[str, float | dict[str, float]]
    """By item: {feature: weight, "1": constant}. Or shared by all items: {attribute: weight}, where
    the features are named attribute_item (gc_train). Both may be mixed; what is left out counts 0."""
    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""
    temperature: NotNegative = 0.0
    """0: the best score wins; else the first item is drawn, with chances as e^(score / temperature)."""


class Linear:
    """Scores each item by a weighted sum of features, added in the order of the features."""

    name = "linear-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(LinearSettings, settings, self.name)
        self._weights, self._constants = _table(given.weights, stage)
        self._used = np.flatnonzero(self._weights.any(axis=1))
        self._temperature = given.temperature
        self._avoid_shown = given.avoid_shown
        self._picker = Picker(len(stage.items), check_k(given.k, stage), avoid_shown=given.avoid_shown)

    def decide(self, requests: Requests) -> Decisions:
        """Rank the items by score; with a temperature, draw the first from the softmax."""
        scores = self._scores(requests)
        if not self._temperature:
            slate, best = self._picker.best(requests, lambda rows: scores[rows])
            return Decisions.of(slate, score=best, propensity=1.0)
        chances = self._chances(scores, requests)
        first = drawn(chances, requests.uniform("softmax")[:, 0])
        every = np.arange(len(first))
        raised = scores.copy()
        raised[every, first] = np.inf
        slate, _ = self._picker.best(requests, lambda rows: raised[rows])
        return Decisions.of(slate, score=scores[every, first], propensity=chances[every, first])

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        scores = self._scores(requests)
        if self._temperature:
            return self._chances(scores, requests)
        return one_hot(self._picker.best(requests, lambda rows: scores[rows])[0][:, 0], scores.shape[1])

    def _scores(self, requests: Requests) -> Floats:
        scores = np.tile(self._constants, (len(requests), 1))
        for feature in self._used:
            scores += requests.features[:, feature, None].astype(np.float64) * self._weights[feature]
        return scores

    def _chances(self, scores: Floats, requests: Requests) -> Floats:
        """Return the softmax over the items that may be offered, shape (n, m)."""
        can = open_to(requests, avoid_shown=self._avoid_shown)
        level = np.where(can, scores / self._temperature, -np.inf)
        best = level.max(axis=1, keepdims=True)
        weight = np.where(np.isneginf(level), 0.0, exp(level - np.where(np.isneginf(best), 0.0, best)))
        return np.asarray(weight / np.maximum(total(weight), 1e-300)[:, None])


def _table(weights: Mapping[str, float | Mapping[str, float]], stage: Stage) -> tuple[Floats, Floats]:
    """Return the weights (f, m) and the constants (m,)."""
    table = np.zeros((len(stage.features), len(stage.items)))
    constants = np.zeros(len(stage.items))
    for key, value in weights.items():
        if isinstance(value, Mapping):
            item = item_number(key, stage, f"policy.settings.weights.{key}")
            for name, weight in value.items():
                if name == CONSTANT:
                    constants[item] += weight
                else:
                    table[_feature(name, stage, key), item] += weight
        else:
            for item, feature in _shared(key, stage):
                table[feature, item] += value
    return table, constants


def _feature(name: str, stage: Stage, item: str) -> int:
    if name not in stage.features:
        problem = f"policy.settings.weights.{item}: models cannot see a feature {name!r} here."
        raise PolicyLoadError(problem, did_you_mean(name, stage.features))
    return stage.features.index(name)


def _shared(attribute: str, stage: Stage) -> list[tuple[int, int]]:
    found = [
        (number, stage.features.index(f"{attribute}_{item}"))
        for number, item in enumerate(stage.items)
        if f"{attribute}_{item}" in stage.features
    ]
    if not found:
        problem = f"policy.settings.weights.{attribute} is a number, but no feature is {attribute}_ITEM."
        known = {f.removesuffix(f"_{i}") for f in stage.features for i in stage.items if f.endswith(f"_{i}")}
        hint = did_you_mean(attribute, known) if known else "No feature here is an item's."
        raise PolicyLoadError(problem, f"Give weights by item, or shared by the items. {hint}")
    return found
