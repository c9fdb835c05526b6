"""Q-learning over tables: who acts in few states by few actions, and learns what each is worth.

In state s a learner takes action a, earns r and finds itself in s':

    Q(s, a) ← (1 − α) Q(s, a) + α [r + δ max_a' Q(s', a')]           Watkins (1989)

It explores with chance e^(−βt), t counting its actions; else it takes the best action known, the
first of several. R learners are kept side by side, each with tables of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.exact import Floats, exp

Whole = NDArray[np.int64]
NOTHING_YET = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """How values follow from what happens."""

    rate: float
    """α, the part of a value that is new."""
    decay: float
    """β: exploration falls as e^(−βt)."""
    discount: float
    """δ, what the next action is worth beside this one."""


class QTables:
    """The tables of R learners over S states and A actions, and what each did last."""

    def __init__(self, rule: Rule, learners: int, states: int, actions: int, start: float) -> None:
        """Begin with one value everywhere."""
        self.rule = rule
        self.values: Floats = np.full((learners, states, actions), start)
        self.period: Whole = np.zeros(learners, dtype=np.int64)
        """How often each has acted."""
        self.seen: Whole = np.full(learners, NOTHING_YET, dtype=np.int64)
        """The state in which each acted last, −1 before the first time."""
        self.did: Whole = np.zeros(learners, dtype=np.int64)
        self.earned: Floats = np.zeros(learners)

    def exploring(self, who: Whole) -> Floats:
        """Return the chance with which each of some learners explores now."""
        return exp(-self.rule.decay * self.period[who])

    def best(self, who: Whole, state: Whole) -> Whole:
        """Return what is best in a state, the last action taken account of; writes nothing."""
        values = self.values[who, state]
        again = np.flatnonzero(self.seen[who] == state)
        values[again, self.did[who[again]]] = self._learned(who[again], state[again])
        return np.asarray(values.argmax(axis=-1), dtype=np.int64)

    def move(self, who: Whole, state: Whole, action: Whole, reward: Floats) -> None:
        """Learn the last action's worth from the state it led to; note what was done there, and earned."""
        known = self.seen[who] != NOTHING_YET
        some = who[known]
        self.values[some, self.seen[some], self.did[some]] = self._learned(some, state[known])
        self.seen[who], self.did[who], self.earned[who] = state, action, reward
        self.period[who] += 1

    def state(self) -> dict[str, Array]:
        """Return everything that was learned, as arrays."""
        return {
            "values": self.values.copy(),
            "period": self.period.copy(),
            "seen": self.seen.copy(),
            "did": self.did.copy(),
            "earned": self.earned.copy(),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self.values = np.array(state["values"], dtype=np.float64)
        self.period = np.array(state["period"], dtype=np.int64)
        self.seen = np.array(state["seen"], dtype=np.int64)
        self.did = np.array(state["did"], dtype=np.int64)
        self.earned = np.array(state["earned"], dtype=np.float64)

    def _learned(self, who: Whole, after: Whole) -> Floats:
        rate, future = self.rule.rate, self.values[who, after].max(axis=-1)
        old = self.values[who, self.seen[who], self.did[who]]
        return np.asarray((1.0 - rate) * old + rate * (self.earned[who] + self.rule.discount * future))
