"""Baselines that learn from outcomes between ticks, each society from its own people only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Decisions, Feedback, Flags, Ints, Requests, Stage
from rehearse.exact import Floats
from rehearse.policies.baselines import SlateLength
from rehearse.policies.picking import (
    FAR,
    LONG,
    Picker,
    Ties,
    excluded,
    free_number,
    left,
    nth_of,
    one_hot,
    open_to,
    passed_over,
    used_width,
)
from rehearse.policies.settings import check_k, checked
from rehearse.scenario.base import NotNegative, Share, Strict

LAST_VERSION = 32767
AT_A_TIME = 1 << 16
"""Turns learned from together, so that what lies in between stays small; it changes no result."""


class Ranking:
    """One order of the items for each society, and what each person is given from it."""

    def __init__(self, stage: Stage, k: int, *, avoid_shown: bool) -> None:
        self.replicas = np.sort(stage.replicas)
        self.k = k
        self.avoid_shown = avoid_shown
        self._picker = Picker(len(stage.items), k, avoid_shown=avoid_shown)
        self.order = np.tile(np.arange(len(stage.items), dtype=np.int32), (len(self.replicas), 1))
        self.rank = self.order.copy()

    def by(self, value: Floats) -> None:
        """Rank the items of each society by value (replicas, m), equals by number."""
        self.order = np.argsort(-value, axis=1, kind="stable").astype(np.int32)
        np.put_along_axis(self.rank, self.order, np.arange(value.shape[1], dtype=np.int32)[None], axis=1)

    def society(self, replica: Ints) -> Ints:
        """Return the position of each society in the arrays kept here."""
        return np.searchsorted(self.replicas, replica).astype(np.int32)

    def slates(self, requests: Requests) -> tuple[Ints, Ints]:
        """Return the best k items for each person, and how many items there were to choose from.

        Items that a person cannot have are left out; items shown before too, while others are left.
        """
        society = self.society(requests.replica)
        items = self.order.shape[1]
        if requests.available is not None or self.k > LONG:
            slate, _ = self._picker.best(requests, lambda rows: -self.rank[society[rows]])
            return slate, left(passed_over(requests, avoid_shown=self.avoid_shown), items)
        shown = requests.shown[:, : used_width(requests.shown) if self.avoid_shown else 0]
        taken = excluded(shown, self.rank[society[:, None], np.maximum(shown, 0)])
        if taken.shape[1]:
            taken = np.where((left(taken, items) > 0)[:, None], taken, FAR)
        ranks = np.column_stack([free_number(taken, np.full(len(society), nth)) for nth in range(self.k)])
        chosen = self.order[society[:, None], np.minimum(ranks, items - 1)]
        return np.where(ranks < items, chosen, np.int32(NOTHING)), left(taken, items)


class PopularSettings(Strict):
    """Settings of `popular-v1`."""

    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""
    ties: Ties = "number"
    """Which of equally popular items comes first."""


class Popular:
    """What was taken most so far in each society; of equals the lower item number, or any at random."""

    name = "popular-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(PopularSettings, settings, self.name)
        k = check_k(given.k, stage)
        self._ranking = Ranking(stage, k, avoid_shown=given.avoid_shown)
        self._picker = Picker(len(stage.items), k, avoid_shown=given.avoid_shown, ties=given.ties)
        self._taken = np.zeros(self._ranking.order.shape, dtype=np.int64)
        self._learned = 0

    def decide(self, requests: Requests) -> Decisions:
        """Give the most popular items."""
        society = self._ranking.society(requests.replica)
        if self._picker.ties == "random":
            slate, _ = self._picker.best(requests, lambda rows: self._taken[society[rows]])
        else:
            slate, _ = self._ranking.slates(requests)
        counts = self._taken[society, np.maximum(slate[:, 0], 0)]
        return Decisions.of(slate, score=counts, propensity=1.0, version=self._learned)

    def learn(self, feedback: Feedback) -> None:
        """Count what was taken."""
        took = feedback.choice >= 0
        society = self._ranking.society(feedback.replica[took])
        np.add.at(self._taken, (society, feedback.choice[took]), 1)
        self._learned = min(self._learned + 1, LAST_VERSION)
        self._ranking.by(self._taken.astype(np.float64))

    def state(self) -> dict[str, Array]:
        """Return the counts and how often it learned."""
        return {"taken": self._taken.copy(), "learned": np.array([self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._taken = np.array(state["taken"], dtype=np.int64)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])
        self._ranking.by(self._taken.astype(np.float64))


class Tally:
    """What each item earned in each society, and how often it was shown.

    The reward of a turn goes to the item taken, and to all of the slate when nothing was taken; items
    shown beside the one taken count as shown without reward.
    """

    def __init__(self, societies: int, items: int) -> None:
        self.reward: Floats = np.zeros((societies, items))
        self.shown: Rows = np.zeros((societies, items), dtype=np.int64)
        self.learned = 0
        """How often it was told something: the version of a model that learns from it."""

    def add(self, feedback: Feedback, society: Callable[[Ints], Ints]) -> None:
        """Add a tick's rewards, in the order of the feedback; `society` gives the row of each replica."""
        reward, shown = np.zeros(self.reward.size), np.zeros(self.shown.size, dtype=np.int64)
        for start in range(0, len(feedback.choice), AT_A_TIME):
            some = slice(start, start + AT_A_TIME)
            credit, there = credits_of(feedback, some)
            row, place = np.nonzero(there)
            mine = society(feedback.replica[some]).astype(np.int64)
            cell = mine[row] * self.reward.shape[1] + feedback.slate[some][row, place]
            np.add.at(reward, cell, credit[row, place])  # one by one, in the order of the feedback
            shown += np.bincount(cell, minlength=shown.size)
        self.reward += reward.reshape(self.reward.shape)
        self.shown += shown.reshape(self.shown.shape)
        self.learned = min(self.learned + 1, LAST_VERSION)

    def state(self) -> dict[str, Array]:
        """Return the sums and how often they grew."""
        return {
            "reward": self.reward.copy(),
            "shown": self.shown.copy(),
            "learned": np.array([self.learned]),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self.reward = np.array(state["reward"], dtype=np.float64)
        self.shown = np.array(state["shown"], dtype=np.int64)
        self.learned = int(np.asarray(state["learned"], dtype=np.int64)[0])


class EpsilonSettings(Strict):
    """Settings of `epsilon-v1`."""

    epsilon: Share = 0.1
    """The chance to put an item drawn at random in the first place."""
    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""
    prior: float = 0.0
    """The reward expected of an item before anything is known; a high one makes it try everything."""
    prior_weight: NotNegative = 1.0
    """How many observations the prior counts for."""


class EpsilonGreedy:
    """Mostly the item with the best mean reward so far, now and then any other; each society learns alone.

    An item's estimate is (prior · weight + sum of rewards) / (weight + number of times shown), as `Tally`
    counts them.
    """

    name = "epsilon-v1"
    version = "1"
    foreign = False
    rationales = ("best so far", "exploring")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(EpsilonSettings, settings, self.name)
        self._settings = given
        self._items = len(stage.items)
        self._ranking = Ranking(stage, check_k(given.k, stage), avoid_shown=given.avoid_shown)
        self._tally = Tally(*self._ranking.order.shape)

    @property
    def estimates(self) -> Floats:
        """Return the mean reward expected of each item, shape (replicas, m)."""
        weight, prior = self._settings.prior_weight, self._settings.prior
        tally = self._tally
        return np.asarray((prior * weight + tally.reward) / np.maximum(weight + tally.shown, 1e-9))

    def decide(self, requests: Requests) -> Decisions:
        """Exploit or explore, each with its propensity."""
        epsilon = self._settings.epsilon
        slate, free = self._ranking.slates(requests)
        best = slate[:, 0].copy()
        uniform = requests.uniform("epsilon", 2)
        exploring = uniform[:, 0] < epsilon
        rows = np.flatnonzero(exploring)
        slate[rows] = put_first(slate[rows], self._any(requests.take(rows), uniform[rows, 1]))
        society = self._ranking.society(requests.replica)
        return Decisions.of(
            slate,
            score=self.estimates[society, np.maximum(slate[:, 0], 0)],
            propensity=epsilon / np.maximum(free, 1) + (1.0 - epsilon) * (slate[:, 0] == best),
            rationale=exploring.astype(np.int8),
            version=self._tally.learned,
        )

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        slate, free = self._ranking.slates(requests)
        epsilon = self._settings.epsilon
        can = open_to(requests, avoid_shown=self._settings.avoid_shown)
        return can * (epsilon / np.maximum(free, 1))[:, None] + (1.0 - epsilon) * one_hot(
            slate[:, 0], self._items
        )

    def _any(self, requests: Requests, uniform: Floats) -> Ints:
        taken = passed_over(requests, avoid_shown=self._settings.avoid_shown)
        drawn = free_number(taken, nth_of(uniform, np.maximum(left(taken, self._items), 1)))
        return np.where(drawn < self._items, drawn, np.int32(NOTHING))

    def learn(self, feedback: Feedback) -> None:
        """Add the tick's rewards to the estimates, in the order of the feedback."""
        self._tally.add(feedback, self._ranking.society)
        self._ranking.by(self.estimates)

    def state(self) -> dict[str, Array]:
        """Return the sums behind the estimates and how often it learned."""
        return self._tally.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._tally.restore(state)
        self._ranking.by(self.estimates)


def put_first(slate: Ints, item: Ints) -> Ints:
    """Return the slates with an item in the first place; the others keep their order."""
    fresh = np.column_stack([item, slate])
    again = np.column_stack([np.zeros(len(item), dtype=bool), slate == item[:, None]])
    order = np.argsort(again, axis=1, kind="stable")
    return np.take_along_axis(fresh, order, axis=1)[:, : slate.shape[1]]


def credits_of(feedback: Feedback, some: slice) -> tuple[Floats, Flags]:
    """Return what each place of some slates earned, and where there was an item."""
    slate, choice = feedback.slate[some], feedback.choice[some, None]
    earns = (slate == choice) | (choice < 0)
    reward = np.asarray(feedback.reward[some], dtype=np.float64)[:, None]
    return np.where(earns, reward, 0.0), slate >= 0
