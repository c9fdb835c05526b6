"""Contextual bandits: what an item is worth depends on what is seen of the person, x with a 1 behind.

    linucb-v1           argmax of θ_a · x + alpha · √(xᵀ A_a⁻¹ x),  A_a = ridge · I + Σ x xᵀ,
                        θ_a = A_a⁻¹ Σ r x    (Li, Chu, Langford and Schapire, WWW 2010: disjoint models)
    online-logistic-v1  with chance epsilon any item, else argmax of σ(w_a · x); after each turn one step
                        w −= rate · g / √Σ g²,  g = (σ(w · x) − r) x    (Duchi, Hazan and Singer, JMLR 2011)

Each society learns alone, between ticks, turn by turn in the order (replica, user, turn). LinUCB gives one
answer, its propensity is 1; that of the other is exact. A feature that is missing counts as 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Decisions, Feedback, Ints, Requests, Stage
from rehearse.exact import Floats, sigmoid
from rehearse.policies.bandits import BanditSettings
from rehearse.policies.cuts import feature_number
from rehearse.policies.learners import LAST_VERSION, credits_of, put_first
from rehearse.policies.logistic import SESSION
from rehearse.policies.picking import Picker, drawn, one_hot, open_to
from rehearse.policies.settings import check_k, checked
from rehearse.scenario.base import NotNegative, Positive, Share

SMALL = 1e-8
"""Below the root in a step, so that the first is no division by 0."""


class ContextualSettings(BanditSettings):
    """What contextual bandits have in common."""

    features: tuple[str, ...] | None = None
    """What it looks at; None: all that it may see but for the number of the turn and of refusals."""


class LinUCBSettings(ContextualSettings):
    """Settings of `linucb-v1`."""

    alpha: NotNegative = 1.0
    """How far the bound lies above the estimate, in its standard deviations."""
    ridge: Positive = 1.0
    """How strongly weights are drawn towards 0."""


class OnlineLogisticSettings(ContextualSettings):
    """Settings of `online-logistic-v1`."""

    epsilon: Share = 0.1
    """The chance to put an item drawn at random in the first place."""
    rate: Positive = 0.5
    """The size of the first step."""


class Contextual(ABC):
    """A score for each item from what is seen of the person, learned in each society."""

    name: str
    version = "1"
    foreign = False

    def __init__(self, given: ContextualSettings, stage: Stage) -> None:
        usual = tuple(name for name in stage.features if name not in SESSION)
        names = usual if given.features is None else given.features
        self._places = [feature_number(name, stage, "policy.settings.features") for name in names]
        self._replicas = np.sort(stage.replicas)
        self._picker = Picker(len(stage.items), check_k(given.k, stage), avoid_shown=given.avoid_shown)
        self._items, self._size = len(stage.items), len(names) + 1
        self._learned = 0

    def decide(self, requests: Requests) -> Decisions:
        """Give the items with the highest scores."""
        scores = self._scores(requests)
        slate, best = self._picker.best(requests, lambda rows: scores[rows])
        return Decisions.of(slate, score=best, propensity=1.0, version=self._learned)

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        return one_hot(self.decide(requests).action, self._items)

    def learn(self, feedback: Feedback) -> None:
        """Learn from the tick, turn by turn."""
        credit, there = credits_of(feedback, slice(None))
        row, place = np.nonzero(there)
        society = np.searchsorted(self._replicas, feedback.replica).astype(np.int64)
        cell = society[row] * self._items + feedback.slate[row, place]
        if len(cell):
            self._take_in(cell, self._inputs(feedback.features)[row], credit[row, place])
        self._learned = min(self._learned + 1, LAST_VERSION)

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """Return what was learned, by society and item."""

    @abstractmethod
    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""

    @abstractmethod
    def _scores(self, requests: Requests) -> Floats:
        """Return the scores of all items, shape (n, m)."""

    @abstractmethod
    def _take_in(self, cell: Rows, x: Floats, reward: Floats) -> None:
        """Learn rewards of cells (society · items + item) from what was seen, one after another."""

    def _inputs(self, features: Array) -> Floats:
        seen = np.nan_to_num(np.asarray(features, dtype=np.float64)[:, self._places])
        return np.column_stack([seen, np.ones(len(seen))])

    def _society(self, requests: Requests) -> Ints:
        return np.searchsorted(self._replicas, requests.replica).astype(np.int32)


class LinUCB(Contextual):
    """The item with the highest upper bound of a linear estimate; of equals the lower number."""

    name = "linucb-v1"

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(LinUCBSettings, settings, self.name)
        super().__init__(self._given, stage)
        cells, size = len(self._replicas) * self._items, self._size
        self._gram: Floats = np.tile(self._given.ridge * np.eye(size), (cells, 1, 1))
        self._sums: Floats = np.zeros((cells, size))
        self._solve()

    def state(self) -> dict[str, Array]:
        """Return the sums of each society and item, and how often it learned."""
        kept: dict[str, Array] = {"gram": self._gram, "sums": self._sums}
        societies = {n: a.reshape(len(self._replicas), self._items, *a.shape[1:]) for n, a in kept.items()}
        return {n: a.copy() for n, a in societies.items()} | {"learned": np.array([self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        size = self._size
        self._gram = np.array(state["gram"], dtype=np.float64).reshape(-1, size, size)
        self._sums = np.array(state["sums"], dtype=np.float64).reshape(-1, size)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])
        self._solve()

    def _take_in(self, cell: Rows, x: Floats, reward: Floats) -> None:
        cells = len(self._sums)
        for i in range(self._size):
            self._sums[:, i] += np.bincount(cell, weights=reward * x[:, i], minlength=cells)
            for j in range(i + 1):
                added = np.bincount(cell, weights=x[:, i] * x[:, j], minlength=cells)
                self._gram[:, i, j] += added
                if i != j:
                    self._gram[:, j, i] += added
        self._solve()

    def _solve(self) -> None:
        shape = (len(self._replicas), self._items)
        inverse = inverted(self._gram)
        weights = np.zeros_like(self._sums)
        for j in range(self._size):
            weights += inverse[:, :, j] * self._sums[:, j, None]
        self._inverse = inverse.reshape(*shape, self._size, self._size)
        self._weights = weights.reshape(*shape, self._size)

    def _scores(self, requests: Requests) -> Floats:
        x, society = self._inputs(requests.features), self._society(requests)
        mean, spread = (np.zeros((len(x), self._items)) for _ in range(2))
        for i in range(self._size):
            mean += self._weights[society, :, i] * x[:, i, None]
            for j in range(self._size):
                spread += self._inverse[society, :, i, j] * (x[:, i] * x[:, j])[:, None]
        return mean + self._given.alpha * np.sqrt(np.maximum(spread, 0.0))


class OnlineLogistic(Contextual):
    """Mostly the item most likely to be rewarded, now and then any other; a step after every turn.

    Rewards lie between 0 and 1; others are cut off there.
    """

    name = "online-logistic-v1"
    rationales = ("best so far", "exploring")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(OnlineLogisticSettings, settings, self.name)
        super().__init__(self._given, stage)
        shape = (len(self._replicas), self._items, self._size)
        self._weights: Floats = np.zeros(shape)
        self._squares: Floats = np.full(shape, SMALL)

    def decide(self, requests: Requests) -> Decisions:
        """Exploit or explore, each with its propensity."""
        scores, every = self._scores(requests), np.arange(len(requests))
        slate, _ = self._picker.best(requests, lambda rows: scores[rows])
        best = slate[:, 0].copy()
        chances, luck = self._chances(requests, best), requests.uniform("epsilon", 2)
        exploring = (luck[:, 0] < self._given.epsilon) & (best >= 0)
        can = open_to(requests, avoid_shown=self._given.avoid_shown)
        even = can / np.maximum(can.sum(axis=1), 1)[:, None]
        first = np.where(exploring, drawn(even, luck[:, 1]), best).astype(np.int32)
        place = np.maximum(first, 0)
        return Decisions.of(
            put_first(slate, first),
            score=np.where(first == NOTHING, np.nan, scores[every, place]),
            propensity=chances[every, place],
            rationale=exploring.astype(np.int8),
            version=self._learned,
        )

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        scores = self._scores(requests)
        return self._chances(requests, self._picker.best(requests, lambda rows: scores[rows])[0][:, 0])

    def state(self) -> dict[str, Array]:
        """Return weights and sums of squares of each society and item, and how often it learned."""
        kept: dict[str, Array] = {"weights": self._weights.copy(), "squares": self._squares.copy()}
        return kept | {"learned": np.array([self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._weights = np.array(state["weights"], dtype=np.float64)
        self._squares = np.array(state["squares"], dtype=np.float64)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])

    def _chances(self, requests: Requests, best: Ints) -> Floats:
        can, epsilon = open_to(requests, avoid_shown=self._given.avoid_shown), self._given.epsilon
        even = can / np.maximum(can.sum(axis=1), 1)[:, None]
        return np.asarray(epsilon * even + (1.0 - epsilon) * one_hot(best, self._items))

    def _scores(self, requests: Requests) -> Floats:
        x, society = self._inputs(requests.features), self._society(requests)
        level = np.zeros((len(x), self._items))
        for i in range(self._size):
            level += self._weights[society, :, i] * x[:, i, None]
        return sigmoid(level)

    def _take_in(self, cell: Rows, x: Floats, reward: Floats) -> None:
        weights, squares = (a.reshape(-1, self._size) for a in (self._weights, self._squares))
        good = np.clip(reward, 0.0, 1.0)
        for rows in _rounds(cell):
            mine, seen = cell[rows], x[rows]
            level = np.zeros(len(rows))
            for i in range(self._size):
                level += weights[mine, i] * seen[:, i]
            slope = (sigmoid(level) - good[rows])[:, None] * seen
            squares[mine] += slope * slope
            weights[mine] -= self._given.rate * slope / np.sqrt(squares[mine])


def _rounds(cell: Rows) -> list[Rows]:
    """Return the first turn of every cell, then the second of each, and so on: cells do not meet."""
    order = np.argsort(cell, kind="stable")
    begins = np.searchsorted(cell[order], cell[order])
    nth = np.arange(len(cell)) - begins
    late = np.argsort(nth, kind="stable")
    return np.split(order[late], np.flatnonzero(np.diff(nth[late])) + 1)


def inverted(matrices: Floats) -> Floats:
    """Return the inverses of symmetric positive matrices (c, d, d), by Gauss and Jordan's method."""
    a = matrices.copy()
    for p in range(a.shape[1]):
        pivot = 1.0 / a[:, p, p]
        row, column = a[:, p] * pivot[:, None], a[:, :, p].copy()
        a -= column[:, :, None] * row[:, None, :]
        a[:, p], a[:, :, p] = row, -column * pivot[:, None]
        a[:, p, p] = pivot
    return a
