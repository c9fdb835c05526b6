"""Stopping rules: counts of turns, of what was taken and of what was not; and an intended length of stay.

    turns    after the n-th turn, whatever happened                              fixed depth
    misses   after n turns without taking anything, in all or in a row           frustration
    takes    after n items taken                                                 satisfaction
    stay     T = scale · (−ln U)^(1/shape), drawn when the session opens: P(T > t) = e^−(t/scale)^shape

The first three are stopping rules of searchers as SimIIR has them (Maxwell and Azzopardi, "Simulating
interactive information retrieval: SimIIR", SIGIR 2016; Cooper 1973; Kraft and Lee 1979). A turn is a
result looked at. The last is Weibull's law of dwell times (Liu, White and Dumais, SIGIR 2010): with the
unit `turn` a session has more than t turns with the chance S(t), t = 0, 1, …
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.blocks import raw
from rehearse.agents.laws.law import Law, Moment, Setting, because
from rehearse.agents.memory import power
from rehearse.columns import Rows
from rehearse.contract import Codes, End
from rehearse.exact import Floats, log
from rehearse.scenario import laws as written


class Depth(Law):
    """Leaving after so many turns."""

    def __init__(self, turns: int) -> None:
        """Take the number."""
        self._turns = turns

    def meet(self, moment: Moment) -> Codes:
        """Everybody leaves, or nobody."""
        reached = moment.turn.turn + 1 >= self._turns
        return because(End.USER_STOP, np.full(len(moment.choice), reached))


class Counts(Law):
    """Leaving after so many turns with, or without, something taken."""

    def __init__(self, name: str, after: int, setting: Setting, *, taken: bool, in_a_row: bool) -> None:
        """Count in a column of this name; `taken` says what is counted."""
        self.told = (name,)
        self._name, self._after, self._people = name, after, setting.columns
        self._counts_taken, self._in_a_row = taken, in_a_row
        setting.add(name, np.zeros(setting.columns.length, dtype=np.int32))

    def open(self, rows: Rows, tick: int) -> None:
        """Begin at 0."""
        del tick
        self._people[self._name][rows] = 0

    def meet(self, moment: Moment) -> Codes:
        """Count; where it is enough, leave."""
        rows, counted = moment.turn.rows, moment.taken == self._counts_taken
        count = raw(self._people, self._name).take(rows) + counted
        if self._in_a_row:
            count = count * counted
        self._people[self._name][rows] = count
        end = End.USER_STOP if self._counts_taken else End.ABANDONED
        return because(end, counted & (count >= self._after))


def length_of_stay(law: written.Stay, uniform: Floats) -> Floats:
    """Return how long people mean to stay who stand at `uniform`."""
    return np.asarray(law.scale * power(-log(uniform), 1.0 / law.shape))


class Stay(Law):
    """Leaving when one has been here for as long as one meant to."""

    told = ("stay",)

    def __init__(self, law: written.Stay, setting: Setting) -> None:
        """Keep the intended length in a column."""
        self._law, self._people, self._chance = law, setting.columns, setting.chance
        setting.add("stay", np.zeros(setting.columns.length, dtype=np.float32))

    def open(self, rows: Rows, tick: int) -> None:
        """Draw how long these people mean to stay."""
        people = self._people
        replica, user = people["replica"].take(rows), people["user"].take(rows)
        drawn = self._chance.uniform("laws/stay", replica, user, tick=tick)[:, 0]
        people["stay"][rows] = length_of_stay(self._law, drawn)

    def meet(self, moment: Moment) -> Codes:
        """Leave when the time has come."""
        rows = moment.turn.rows
        passed: Floats | float = moment.turn.turn + 1.0
        if self._law.unit == "second":
            passed = self._people.numbers("seconds", rows)
        return because(End.USER_STOP, passed >= self._people.numbers("stay", rows))
