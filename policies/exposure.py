"""A model that feeds on itself: what was shown often is shown more often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rehearse import exact
from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Flags, Requests, Stage
from rehearse.exact import Floats
from rehearse.policies.baselines import SlateLength
from rehearse.policies.picking import Picker
from rehearse.policies.settings import check_k, checked
from rehearse.scenario.base import NotNegative, Positive, Share, Strict

LAST_VERSION = 32767


class ExposureSettings(Strict):
    """Settings of `exposure-v1`."""

    exponent: NotNegative | None = 1.0
    """An item is drawn in proportion to its exposure to this power; None: always the most exposed."""
    epsilon: Share = 0.0
    """The chance to draw among all items alike instead."""
    start: Positive = 1.0
    """The exposure with which every item begins."""
    k: SlateLength = None
    """Items in a slate, drawn one after another without repeats."""


class Exposure:
    """Draws an item by how often it was shown so far in its society, to some power.

    With exponent 1 this is the urn of Eggenberger and Pólya (1923); above 1 one item takes all in the
    end. Of items equally exposed the most exposed is the one with the lower number.
    """

    name = "exposure-v1"
    version = "1"
    foreign = False
    rationales = ("by exposure", "exploring")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(ExposureSettings, settings, self.name)
        self._replicas = np.sort(stage.replicas)
        self._items = len(stage.items)
        self._picker = Picker(self._items, check_k(self._given.k, stage), avoid_shown=False)
        self._shown = np.zeros((len(self._replicas), self._items), dtype=np.int64)
        self._learned = 0

    def decide(self, requests: Requests) -> Decisions:
        """Draw a slate for each request."""
        u = requests.uniform("exposure", 1 + self._items)
        exploring = u[:, 0] < self._given.epsilon
        shown = self._shown.take(np.searchsorted(self._replicas, requests.replica), axis=0)
        there = np.ones(shown.shape, dtype=np.bool_) if requests.available is None else requests.available
        chance = self._chances(np.asarray(self._given.start + shown, dtype=np.float64), there)
        # The largest of log p − log(−log u) is a draw with chances p, and the next one of those left.
        luck = -exact.log(-exact.log(u[:, 1:]))
        usual = shown.astype(np.float64) if self._given.exponent is None else exact.log(chance) + luck
        score = np.where(exploring[:, None], luck, usual)
        slate, _ = self._picker.best(requests, lambda rows: score[rows])
        first, epsilon = np.maximum(slate[:, :1], 0), self._given.epsilon
        drawn = np.take_along_axis(chance, first, axis=1)[:, 0]
        return Decisions.of(
            slate,
            score=np.take_along_axis(shown, first, axis=1)[:, 0],
            propensity=epsilon / np.maximum(there.sum(axis=1), 1) + (1.0 - epsilon) * drawn,
            rationale=exploring.astype(np.int8),
            version=self._learned,
        )

    def _chances(self, exposure: Floats, there: Flags) -> Floats:
        """Return how likely each item is drawn where nobody explores, (n, m); 0 for what is not there."""
        if self._given.exponent is None:
            most = np.where(there, exposure, -1.0).argmax(axis=1)
            return np.asarray(there & (np.arange(self._items) == most[:, None]), dtype=np.float64)
        weight = np.where(there, exact.exp(self._given.exponent * exact.log(exposure)), 0.0)
        return weight / np.maximum(exact.total(weight), 1e-300)[:, None]

    def learn(self, feedback: Feedback) -> None:
        """Count what was shown."""
        row, place = np.nonzero(feedback.slate >= 0)
        society = np.searchsorted(self._replicas, feedback.replica)[row]
        cell = society * self._items + feedback.slate[row, place]
        self._shown += np.bincount(cell, minlength=self._shown.size).reshape(self._shown.shape)
        self._learned = min(self._learned + 1, LAST_VERSION)

    def state(self) -> dict[str, Array]:
        """Return the counts and how often it learned."""
        return {"shown": self._shown.copy(), "learned": np.array([self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._shown = np.array(state["shown"], dtype=np.int64)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])
