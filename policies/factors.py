"""Implicit-feedback matrix factorisation: people and items as vectors whose products say what was taken.

With n_ui how often person u took item i, p_ui = 1 where n_ui > 0, and confidence c_ui = 1 + α n_ui,

    minimise  Σ_ui c_ui (p_ui − x_u · y_i)² + λ (Σ |x_u|² + Σ |y_i|²)

by alternating least squares (Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback
datasets", ICDM 2008): each half step solves (YᵀY + Σ_i α n_ui y_i y_iᵀ + λ) x_u = Σ_i c_ui y_i. Each tick
goes on from the vectors of the tick before. An item that nobody took has the mean of the vectors of the
others, as in T-RECS. Sums are added in a fixed order and the systems solved by a Cholesky factorisation
written out for many people at once, so that the vectors are the same bits on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.chance import Chance
from rehearse.columns import Array, Rows
from rehearse.contract import Decisions, Feedback, Requests, Stage
from rehearse.exact import Floats, matmul, total
from rehearse.policies.settings import checked
from rehearse.policies.taken import Counts, Retrained, RetrainedSettings
from rehearse.scenario.base import NotNegative, Positive

START = 0.1
"""Standard deviation of items' vectors before the first training."""


class FactorsSettings(RetrainedSettings):
    """Settings of `factors-v1`."""

    dims: Annotated[int, Field(ge=1, le=128)] = 10
    """Length of the vectors."""
    confidence: NotNegative = 40.0
    """α: how much surer an item is wanted with each time it was taken."""
    ridge: Positive = 0.1
    """λ: how strongly vectors are drawn towards 0."""
    sweeps: Annotated[int, Field(ge=1, le=100)] = 1
    """How often people and items are solved for in turn after a tick."""


class Factors(Retrained):
    """Ranks items by a factorisation of what was taken so far, in each society from its own people."""

    name = "factors-v1"

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(FactorsSettings, settings, self.name)
        super().__init__(self._given, stage)
        societies, m, dims = len(stage.replicas), len(stage.items), self._given.dims
        self._people = np.zeros((societies, stage.people, dims))
        drawn = [
            Chance(stage.seed).normal("policy/factors", replica, np.arange(m), count=dims)
            for replica in np.sort(stage.replicas)
        ]
        self._items: Floats = START * np.stack(drawn)

    def decide(self, requests: Requests) -> Decisions:
        """Give everybody the items with the largest products."""
        society = np.searchsorted(self._taken.replicas, requests.replica)
        here = requests.user < self._people.shape[1]
        user = np.where(here, requests.user, 0)
        slate = np.empty((len(society), self._picker.k), dtype=np.int32)
        score = np.empty(len(society), dtype=np.float32)
        for one in np.unique(society):
            rows = np.flatnonzero(society == one)
            mine = np.zeros((len(rows), self._given.dims))
            known = here[rows]
            mine[known] = self._people[one, user[rows[known]]]
            products = partial(_products, mine, np.ascontiguousarray(self._items[one].T))
            slate[rows], score[rows] = self._picker.best(requests.take(rows), products)
        return Decisions.of(slate, score=score, propensity=1.0, version=self._learned)

    def learn(self, feedback: Feedback) -> None:
        """Count what was taken, and solve for the vectors again."""
        super().learn(feedback)
        counts = self._taken.counts
        self._people = np.zeros((*counts.shape[:2], self._given.dims))
        for society, taken in enumerate(counts):
            person, item = np.nonzero(taken)
            if len(person):
                self._train(society, taken, person, item)

    def _train(self, society: int, taken: Counts, person: Rows, item: Rows) -> None:
        given, items = self._given, self._items[society]
        weight = given.confidence * taken[person, item].astype(np.float64)
        order = np.argsort(item, kind="stable")
        for _ in range(given.sweeps):
            people = solved(items, item, person, weight, len(taken), given.ridge)
            items = solved(people, person[order], item[order], weight[order], len(items), given.ridge)
            wanted = np.bincount(item, minlength=len(items)) > 0
            items[~wanted] = total(items[wanted].T) / wanted.sum()
        self._items[society] = items
        self._people[society] = solved(items, item, person, weight, len(taken), given.ridge)

    def state(self) -> dict[str, Array]:
        """Return the counts and the vectors."""
        return super().state() | {"people": self._people.copy(), "items": self._items.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        self._people = np.array(state["people"], dtype=np.float64)
        self._items = np.array(state["items"], dtype=np.float64)


def _products(people: Floats, columns: Floats, at: Rows) -> Floats:
    return matmul(people[at], columns)


def solved(vectors: Floats, other: Rows, mine: Rows, weight: Floats, count: int, ridge: float) -> Floats:
    """Return the vectors (count, k) of one side, given those of the other and who took what.

    `mine` (ascending) and `other` are the ends of each pair that occurred, `weight` its α n.
    """
    k = vectors.shape[1]
    gram = total((vectors[:, :, None] * vectors[:, None, :]).transpose(1, 2, 0))
    met = vectors.take(other, axis=0)
    system = np.empty((k, k, count))
    for i in range(k):
        for j in range(i + 1):
            sums = _sums(mine, weight * (met[:, i] * met[:, j]), count)
            system[i, j] = sums + (gram[i, j] + (ridge if i == j else 0.0))
    right: Floats = np.empty((k, count))
    for i in range(k):
        right[i] = _sums(mine, (1.0 + weight) * met[:, i], count)
    return _cholesky(system, right).T


def _sums(owner: Rows, values: Floats, count: int) -> Floats:
    """Return the sum of values of each owner, added one by one in the order given."""
    return np.asarray(np.bincount(owner, weights=values, minlength=count), dtype=np.float64)


def _cholesky(system: Floats, right: Floats) -> Floats:
    """Solve count systems (k, k, count), of which the lower half is read, for right sides (k, count)."""
    k = len(right)
    x = right.copy()
    for i in range(k):
        for j in range(i + 1):
            left = system[i, j].copy()
            for p in range(j):
                left -= system[i, p] * system[j, p]
            system[i, j] = np.sqrt(left) if i == j else left / system[j, j]
        for j in range(i):
            x[i] -= system[i, j] * x[j]
        x[i] /= system[i, i]
    for i in reversed(range(k)):
        for j in range(i + 1, k):
            x[i] -= system[j, i] * x[j]
        x[i] /= system[i, i]
    return x
