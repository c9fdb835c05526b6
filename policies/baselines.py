"""Baselines that do not learn: chance, always the same, and the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.chance import Chance
from rehearse.contract import NOTHING, Decisions, Flags, Ints, Requests, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.exact import Floats, matmul
from rehearse.policies.picking import (
    FAR,
    LONG,
    Picker,
    free_number,
    insert,
    left,
    nth_of,
    one_hot,
    open_to,
    passed_over,
)
from rehearse.policies.settings import check_k, checked, item_number
from rehearse.scenario.base import Strict

SlateLength = Annotated[int, Field(ge=1, le=1000)] | None


class RandomSettings(Strict):
    """Settings of `random-v1`."""

    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = False
    """Pass over what was shown earlier in the session, while something else is left."""
    vectors: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Rank by products of random vectors of so many numbers, of the person and of the item, drawn anew
    every turn and every tick: people's orders are then alike, as with T-RECS's random recommender."""


class Random:
    """Any item that the person can have, all as likely; a slate holds no item twice."""

    name = "random-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(RandomSettings, settings, self.name)
        self.items = len(stage.items)
        self.k = check_k(given.k, stage)
        self.avoid_shown = given.avoid_shown
        self._vectors = given.vectors
        self._picker = Picker(self.items, self.k, avoid_shown=given.avoid_shown, ties="random")

    def decide(self, requests: Requests) -> Decisions:
        """Draw a slate for each request."""
        if self._vectors is not None:
            return self._by_vectors(requests, self._vectors)
        if self.k > LONG:
            slate, _ = self._picker.best(requests, lambda rows: np.zeros(len(rows))[:, None])
            choices = left(passed_over(requests, avoid_shown=self.avoid_shown), self.items)
            return Decisions.of(slate, propensity=1.0 / np.maximum(choices, 1))
        barred = passed_over(requests, avoid_shown=self.avoid_shown)
        uniform = requests.uniform("random", self.k)
        free, width = left(barred, self.items), barred.shape[1]
        taken = np.full((len(requests), width + self.k), FAR, dtype=np.int32, order="F")
        taken[:, :width] = barred
        slate = np.full((len(requests), self.k), NOTHING, dtype=np.int32)
        for place in range(self.k):
            there = free > place
            nth = nth_of(uniform[:, place], np.maximum(free - place, 1))
            drawn = free_number(taken[:, : width + place], nth)
            slate[:, place] = np.where(there, drawn, NOTHING)
            insert(taken[:, : width + place + 1], np.where(there, drawn, FAR))
        return Decisions.of(slate, propensity=1.0 / np.maximum(free, 1))

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        if self._vectors is not None:
            return one_hot(self.decide(requests).action, self.items)
        can = open_to(requests, avoid_shown=self.avoid_shown)
        return np.asarray(can / np.maximum(can.sum(axis=1), 1)[:, None])

    def _by_vectors(self, requests: Requests, size: int) -> Decisions:
        mine = requests.uniform("vectors", size)
        chance, items = requests.chance or Chance(0), np.arange(self.items)
        societies, place = np.unique(requests.replica, return_inverse=True)
        theirs = [
            chance.uniform("policy/items", one, items, tick=requests.tick, count=size).T for one in societies
        ]
        scores = np.empty((len(requests), self.items), dtype=np.float32)
        for number, columns in enumerate(theirs):
            rows = np.flatnonzero(place == number)
            scores[rows] = matmul(mine[rows], columns)
        slate, _ = self._picker.best(requests, lambda rows: scores[rows])
        return Decisions.of(slate)


class ConstantSettings(Strict):
    """Settings of `constant-v1`."""

    slate: str | int | tuple[str | int, ...] = 0
    """The item, or the items from the top, by name or number."""


class Constant:
    """Always the same slate, without what the person cannot have.

    Where nothing is left of it, the first item that the person can have.
    """

    name = "constant-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(ConstantSettings, settings, self.name).slate
        named = given if isinstance(given, tuple) else (given,)
        self.slate = np.array([item_number(i, stage, "policy.settings.slate") for i in named], dtype=np.int32)
        if not len(named) or len(set(self.slate.tolist())) < len(named):
            problem = f"policy.settings.slate is {list(named)}."
            raise PolicyLoadError(problem, "Name at least one item, and none twice.")

    def decide(self, requests: Requests) -> Decisions:
        """Give everybody the slate."""
        slate = np.tile(self.slate, (len(requests), 1))
        if requests.available is not None:
            slate = _had(slate, requests.available)
        return Decisions.of(slate, propensity=1.0)


def _had(slate: Ints, available: Flags) -> Ints:
    can = np.take_along_axis(available, slate, axis=1)
    order = np.argsort(~can, axis=1, kind="stable")
    kept = np.take_along_axis(np.where(can, slate, np.int32(NOTHING)), order, axis=1)
    first = np.where(available.any(axis=1), available.argmax(axis=1), NOTHING)
    kept[:, 0] = np.where(kept[:, 0] >= 0, kept[:, 0], first)
    return kept


class GreedySettings(Strict):
    """Settings of `greedy-v1`."""

    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""


class Greedy:
    """The truly best items: an oracle that knows true utilities, compared in single precision."""

    name = "greedy-v1"
    version = "1"
    foreign = False
    sees_truth = True

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(GreedySettings, settings, self.name)
        self._picker = Picker(len(stage.items), check_k(given.k, stage), avoid_shown=given.avoid_shown)

    def decide(self, requests: Requests) -> Decisions:
        """Rank what each person can have by their true utility."""
        if requests.truth is None:
            problem = f"{self.name} was asked without the truth."
            raise ContractError(problem, "Hand over `Requests.truth` to policies that say `sees_truth`.")
        slate, score = self._picker.best(requests, requests.truth)
        return Decisions.of(slate, score=score, propensity=1.0)
