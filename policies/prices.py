"""Baselines that set prices: one price, a markup on cost, and bandits that learn a price for each group.

They work in any world whose items are named after prices, such as `pricing-v1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.columns import Array
from rehearse.contract import NOTHING, Decisions, Feedback, Flags, Ints, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.cuts import by_group
from rehearse.policies.learners import EpsilonGreedy
from rehearse.policies.settings import checked
from rehearse.scenario.base import NotNegative, Strict

COST = "cost"
"""The feature that says what a unit costs."""


def prices_of(stage: Stage, policy: str) -> Floats:
    """Return the prices that items are named after, shape (m,); raise PolicyLoadError if they are none."""
    try:
        return np.array([float(item) for item in stage.items])
    except ValueError:
        problem = f"{policy} sets prices, and an item of this world is named {stage.items[0]!r}."
        raise PolicyLoadError(problem, "Use it in a world whose items are prices: pricing-v1.") from None


def nearest(prices: Floats, wanted: Array) -> Ints:
    """Return the number of the price nearest to each wanted one, the first of several."""
    distance = np.abs(prices - np.asarray(wanted, dtype=np.float64)[..., None])
    return np.asarray(distance.argmin(axis=-1), dtype=np.int32)


def had(item: Ints, available: Flags | None) -> Ints:
    """Return items, or the first that a person can have where they cannot have theirs (−1: nothing)."""
    if available is None:
        return item
    first = np.where(available.any(axis=1), available.argmax(axis=1), NOTHING)
    can = np.take_along_axis(available, item[:, None].astype(np.int64), axis=1)[:, 0]
    return np.where(can, item, first).astype(np.int32)


class PostedSettings(Strict):
    """Settings of `posted-price-v1`."""

    price: NotNegative | dict[str, NotNegative]
    """One price for everybody, or one for each group by name; the nearest that there is, is offered."""


class PostedPrice:
    """One price for everybody, or one for each group."""

    name = "posted-price-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        wanted = checked(PostedSettings, settings, self.name).price
        prices = prices_of(stage, self.name)
        self._item = nearest(prices, by_group(wanted, stage, "policy.settings.price"))

    def decide(self, requests: Requests) -> Decisions:
        """Offer the price of each person's group."""
        return Decisions.of(had(self._item[requests.group], requests.available), propensity=1.0)


class MarkupSettings(Strict):
    """Settings of `markup-v1`."""

    markup: NotNegative = 0.5
    """Above cost, as a part of cost."""


class Markup:
    """Cost and so much on top, whoever asks: the nearest price that there is."""

    name = "markup-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._factor = 1.0 + checked(MarkupSettings, settings, self.name).markup
        self._prices = prices_of(stage, self.name)
        if COST not in stage.features:
            problem = f"{self.name} needs the feature {COST!r}, which models cannot see here."
            raise PolicyLoadError(problem, did_you_mean(COST, stage.features))
        self._cost = stage.features.index(COST)

    def decide(self, requests: Requests) -> Decisions:
        """Offer cost and the markup."""
        wanted = requests.features[:, self._cost].astype(np.float64) * self._factor
        return Decisions.of(had(nearest(self._prices, wanted), requests.available), propensity=1.0)


class GroupEpsilon(EpsilonGreedy):
    """`epsilon-v1` for each group apart: mostly the item that has earned most with people of the group.

    Its settings are those of `epsilon-v1`.
    """

    name = "group-epsilon-v1"

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._groups = len(stage.groups)
        cells = (stage.replicas[:, None] * self._groups + np.arange(self._groups)).reshape(-1)
        super().__init__(settings, replace(stage, replicas=cells.astype(np.int32)))

    def decide(self, requests: Requests) -> Decisions:
        """Exploit or explore among people of the group."""
        return super().decide(replace(requests, replica=self._cell(requests.replica, requests.group)))

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        cells = self._cell(requests.replica, requests.group)
        return super().probabilities(replace(requests, replica=cells))

    def learn(self, feedback: Feedback) -> None:
        """Add the tick's rewards to the estimates of each group."""
        super().learn(replace(feedback, replica=self._cell(feedback.replica, feedback.group)))

    def _cell(self, replica: Ints, group: Array) -> Ints:
        return replica * np.int32(self._groups) + group.astype(np.int32)
