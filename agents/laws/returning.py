"""The day of return: after how many ticks people come back, by how they were served.

    P(d) ∝ P (1 − P)^(d − 1), d = 1 … D,   P = clip(bias + base + by_reward · r, .001, .999)

with r the mean reward of a turn of the session and `bias` the person's own (trait `return_bias`). It is
KuaiSim's law of retention (Zhao and others, arXiv:2309.12645, 2023): softmax_d(ln P + (d − 1) ln(1 − P)).
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.contract import Flags, Ints, Outcomes, Turn
from rehearse.exact import Floats
from rehearse.scenario import laws as written

LEAST, MOST = 0.001, 0.999


def daily_chance(law: written.DayOfReturn, bias: Floats | float, reward: Floats) -> Floats:
    """Return the chance P of each person."""
    return np.clip(bias + (law.base + law.by_reward * reward), LEAST, MOST)


def day_of_return(chance: Floats, within: int, uniform: Floats) -> Ints:
    """Return the day, from 1, by inversion of one uniform number each."""
    weights = np.empty((within, len(chance)))
    weights[0] = chance
    for day in range(1, within):
        weights[day] = weights[day - 1] * (1.0 - chance)
    reached = np.cumsum(weights, axis=0)
    later = (reached <= uniform * reached[-1]).sum(axis=0)
    return np.asarray(np.minimum(1 + later, within), dtype=np.int32)


class DayOfReturn(Law):
    """Coming back on a day that was drawn when the session ended."""

    def __init__(self, law: written.DayOfReturn, setting: Setting) -> None:
        """Keep the rewards of the session, and the tick from which on people are due."""
        self._law, self._people = law, setting.columns
        setting.add("session_reward", np.zeros(setting.columns.length, dtype=np.float32))
        setting.add("due", np.zeros(setting.columns.length, dtype=np.int32))

    def remember(self, moment: Moment, outcomes: Outcomes) -> None:
        """Add up what the turn brought."""
        rows = moment.turn.rows
        so_far = self._people.numbers("session_reward", rows) if moment.turn.turn > 0 else 0.0
        self._people["session_reward"][rows] = so_far + outcomes.reward.astype(np.float64)

    def close(self, turn: Turn) -> None:
        """Settle on the day."""
        people, rows = self._people, turn.rows
        bias = people.numbers("return_bias", rows) if "return_bias" in people else 0.0
        reward = people.numbers("session_reward", rows) / (turn.turn + 1)
        chance = daily_chance(self._law, bias, reward)
        days = day_of_return(chance, self._law.within, turn.uniform("laws/return")[:, 0])
        people["due"][rows] = turn.tick + days

    def comes(self, piece: slice, tick: int) -> Flags:
        """Whoever is due comes."""
        return np.asarray(self._people.numbers("due")[piece] <= tick)
