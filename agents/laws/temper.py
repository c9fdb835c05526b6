"""Temper, used up by slates that bring too little: why people leave in KuaiSim.

    T' = T + clip(f − enough, −enough, 0),  f the mean feedback of the slate; who has T' < least leaves

Zhao and others, "KuaiSim", arXiv:2309.12645, 2023. `feedback` is what `choosing.each` writes; with any
other law of choice it is 1 for a slate of which something was taken and 0 for others.
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.laws.law import Law, Moment, Setting, because
from rehearse.columns import Rows
from rehearse.contract import Codes, End
from rehearse.exact import Floats
from rehearse.scenario import laws as written


def cooled(law: written.Temper, temper: Floats, feedback: Floats) -> Floats:
    """Return the temper left after a slate."""
    return np.asarray(temper + np.clip(feedback - law.enough, -law.enough, 0.0))


class Temper(Law):
    """Leaving when the temper is used up."""

    told = ("temper",)

    def __init__(self, law: written.Temper, setting: Setting) -> None:
        """Let temper begin as the trait says."""
        self._law, self._people = law, setting.columns
        setting.start("temper", "people.laws.leaving.temper")

    def open(self, rows: Rows, tick: int) -> None:
        """Begin rested."""
        del tick
        self._people["temper"][rows] = self._people["temper_start"].take(rows)

    def meet(self, moment: Moment) -> Codes:
        """Cool down; who has no temper left leaves."""
        people, rows = self._people, moment.turn.rows
        feedback = moment.taken.astype(np.float64)
        if "feedback" in people:
            feedback = people.numbers("feedback", rows)
        now = cooled(self._law, people.numbers("temper", rows), feedback)
        people["temper"][rows] = now
        return because(End.ABANDONED, now < self._law.least)
