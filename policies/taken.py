"""What everybody took so far, kept as counts, and models that are made anew from it after every tick."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.contract import Feedback, Ints, Stage
from rehearse.policies.baselines import SlateLength
from rehearse.policies.picking import Picker, Ties
from rehearse.policies.settings import check_k
from rehearse.scenario.base import Strict

LAST_VERSION = 32767
Counts = NDArray[np.uint16]
MOST = np.iinfo(np.uint16).max


class Taken:
    """How often each person of each society took each item: two bytes for a person and an item.

    A person is a row: society · people + id. Where the stage does not say how many people there are,
    room is made for whoever comes.
    """

    def __init__(self, stage: Stage) -> None:
        self.replicas = np.sort(stage.replicas)
        self.counts: Counts = np.zeros((len(self.replicas), stage.people, len(stage.items)), dtype=np.uint16)

    @property
    def flat(self) -> Counts:
        """Return the counts with a row a person, shape (societies · people, m)."""
        return self.counts.reshape(-1, self.counts.shape[2])

    def rows(self, replica: Ints, user: Rows) -> Rows:
        """Return the rows of people, making room for those who are new."""
        self._hold(int(user.max(initial=-1)) + 1)
        society = np.searchsorted(self.replicas, replica).astype(np.int64)
        return np.asarray(society * self.counts.shape[1] + user, dtype=np.int64)

    def add(self, feedback: Feedback) -> None:
        """Count what was taken in a tick."""
        took = feedback.choice >= 0
        row = self.rows(feedback.replica[took], feedback.user[took])
        cells, times = np.unique(
            row * self.counts.shape[2] + feedback.choice[took].astype(np.int64), return_counts=True
        )
        whole = self.counts.reshape(-1)
        whole[cells] = np.minimum(whole[cells] + times, MOST)

    def _hold(self, people: int) -> None:
        known = self.counts.shape[1]
        if people > known:
            room = np.zeros((self.counts.shape[0], people, self.counts.shape[2]), dtype=np.uint16)
            room[:, :known] = self.counts
            self.counts = room


class RetrainedSettings(Strict):
    """Settings of every model that is made anew from what was taken."""

    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""
    ties: Ties = "number"
    """Which of equally good items comes first."""


class Retrained:
    """What such models have in common: counts, a picker, and a version that counts the trainings."""

    version = "1"
    foreign = False

    def __init__(self, given: RetrainedSettings, stage: Stage) -> None:
        self._taken = Taken(stage)
        k = check_k(given.k, stage)
        self._picker = Picker(len(stage.items), k, avoid_shown=given.avoid_shown, ties=given.ties)
        self._learned = 0

    def learn(self, feedback: Feedback) -> None:
        """Count what was taken in the tick."""
        self._taken.add(feedback)
        self._learned = min(self._learned + 1, LAST_VERSION)

    def state(self) -> dict[str, Array]:
        """Return the counts and how often it was trained."""
        return {"taken": self._taken.counts.copy(), "learned": np.array([self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._taken.counts = np.array(state["taken"], dtype=np.uint16)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])
