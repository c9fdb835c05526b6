"""Tastes that change by laws of their own.

reinforcement   RecSim's interest evolution (Ie and others, arXiv:1909.04847, 2019): with interests u
                between -1 and 1 and the item taken d (its topics, 0 to 1), after each item taken
                    w_a = rate · (1 − |u_a|) · d_a · (d_a − u_a)
                    u' = u + w with chance Σ_a d_a (u_a + 1) / 2, else u − w; held within ±1
walk            RecoGym's users (Rohde and others, arXiv:1808.00720, 2018): ω' = ω + sd · ε with every
                turn, or only when some states of the journey are entered
slerp           T-RECS (Lucherini and others, arXiv:2107.08959, 2021): tastes turn by a part of the
                angle to the attributes of each item taken, and keep their length; see `rotation`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.blocks import fold_one
from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.agents.laws.rotation import turned
from rehearse.columns import Rows
from rehearse.compiled import twin_of
from rehearse.contract import Outcomes, Turn
from rehearse.exact import Floats, total
from rehearse.scenario import laws as written


def reinforced(interests: Floats, item: Floats, uniform: Floats, rate: float) -> Floats:
    """Return interests (n, d) after items with topics (n, d) were taken."""
    after = np.empty(interests.shape)
    _reinforce(interests, item, uniform, rate, after)
    return after


def _reinforce_plainly(
    interests: NDArray[np.floating], item: Floats, uniform: Floats, rate: float, after: Floats
) -> None:
    step = rate * (1.0 - np.abs(interests)) * item * (item - interests)
    grows = uniform < total(item * ((interests + 1.0) / 2.0))
    after[:] = np.clip(interests + np.where(grows[:, None], step, -step), -1.0, 1.0)


@twin_of(_reinforce_plainly)
def _reinforce(
    interests: NDArray[np.floating], item: Floats, uniform: Floats, rate: float, after: Floats
) -> None:
    size = interests.shape[1]
    parts = np.empty(size)
    for i in range(len(uniform)):
        for d in range(size):
            parts[d] = item[i, d] * ((interests[i, d] + 1.0) / 2.0)
        sign = 1.0 if uniform[i] < fold_one(parts, size) else -1.0
        for d in range(size):
            u = interests[i, d]
            moved = u + sign * (rate * (1.0 - abs(u)) * item[i, d] * (item[i, d] - u))
            after[i, d] = min(max(moved, -1.0), 1.0)


class Reinforcement(Law):
    """Interests that grow or shrink with what is taken."""

    def __init__(self, law: written.Reinforcement, setting: Setting) -> None:
        """Find the interests among the tastes."""
        self._law, self._people = law, setting.columns
        self._block = setting.block(law.of, "people.laws.tastes.reinforcement.of")

    def remember(self, moment: Moment, outcomes: Outcomes) -> None:
        """Move the interests of those who took something."""
        del outcomes
        took = np.flatnonzero(moment.taken)
        turn, rows = moment.turn.take(took), moment.turn.rows.take(took)
        item = moment.offer.take(took).of(moment.choice.take(took)[:, None])[:, 0, self._block]
        before = self._people["taste"][rows, self._block].astype(np.float64)
        after = reinforced(before, item, turn.uniform("laws/reinforcement")[:, 0], self._law.rate)
        self._people["taste"][rows, self._block] = after


class Walk(Law):
    """Tastes that wander."""

    def __init__(self, law: written.Walk, setting: Setting, states: tuple[str, ...] = ()) -> None:
        """Find the tastes that wander, and the codes of the states in which they do."""
        self._law, self._people = law, setting.columns
        self._block = setting.block(law.of, "people.laws.tastes.walk.of")
        self._states = np.array([states.index(name) for name in law.states], dtype=np.int8)

    def ask(self, turn: Turn) -> None:
        """Take a step, from the second turn of a session on."""
        if turn.turn == 0:
            return
        if len(self._states):
            entered = np.isin(self._people["state"].take(turn.rows), self._states)
            turn = turn.take(np.flatnonzero(entered))
        self._step(turn, turn.rows)

    def _step(self, turn: Turn, rows: Rows) -> None:
        size = self._block.stop - self._block.start
        before = self._people["taste"][rows, self._block].astype(np.float64)
        step = self._law.sd * turn.normal("laws/walk", size)
        self._people["taste"][rows, self._block] = before + step


class Slerp(Law):
    """Tastes that turn towards what was taken."""

    def __init__(self, law: written.Slerp, setting: Setting) -> None:
        """Find the tastes that turn."""
        self._law, self._people = law, setting.columns
        self._block = setting.block(law.of, "people.laws.tastes.slerp.of")

    def remember(self, moment: Moment, outcomes: Outcomes) -> None:
        """Turn the tastes of those who took something."""
        del outcomes
        took = np.flatnonzero(moment.taken)
        rows = moment.turn.rows.take(took)
        item = moment.offer.take(took).of(moment.choice.take(took)[:, None])[:, 0, self._block]
        before = self._people["taste"][rows, self._block].astype(np.float64)
        self._people["taste"][rows, self._block] = turned(before, item, self._law.part)
