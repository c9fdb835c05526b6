"""A budget: time or interest that turns use up, and that what is taken may give back.

    b' = max(0, b − turn − nothing · [nothing taken] − taken · [taken] − w + gives_back · w · quality)
    w  = min(b, length)  of the item taken: how much of it was watched

The session ends at b' = 0. With length 4, nothing .5, gives_back .9/3.4 and a budget of 200 it is that
of RecSim's interest evolution and of SlateQ (Ie and others, IJCAI 2019); with turn 1 and a budget of 60
that of its long-term satisfaction. RecSim lets the last item leave less than nothing; here it is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse.agents.laws.law import Law, Moment, Setting, because
from rehearse.columns import Rows
from rehearse.contract import Codes, End, Flags
from rehearse.exact import Floats
from rehearse.scenario import laws as written


@dataclass(frozen=True, slots=True)
class Spent:
    """What turns do to budgets."""

    left: Floats
    watched: Floats


def spend(law: written.Budget, budget: Floats, taken: Flags, length: Floats, quality: Floats) -> Spent:
    """Return what is left of budgets after a turn, and how much of what was taken was watched."""
    watched = np.where(taken, np.minimum(budget, length), 0.0)
    gives_back = 0.0 if law.watching is None else law.watching.gives_back
    cost = law.turn + np.where(taken, law.taken, law.nothing)
    return Spent(np.maximum((budget - cost) - watched + gives_back * watched * quality, 0.0), watched)


class Budget(Law):
    """Leaving when the budget is used up."""

    def __init__(self, law: written.Budget, setting: Setting) -> None:
        """Find the attributes that matter, and let budgets begin as the trait says."""
        path = "people.laws.leaving.budget"
        self._law, self._people = law, setting.columns
        setting.start("budget", path)
        self.told = ("budget",) if law.watching is None else ("budget", "watched")
        watching = law.watching
        self._length = None if watching is None else setting.place(watching.length, f"{path}.watching.length")
        quality = None if watching is None else watching.quality
        self._quality = None if quality is None else setting.place(quality, f"{path}.watching.quality")
        if watching is not None:
            setting.add("watched", np.zeros(setting.columns.length, dtype=np.float32))

    def open(self, rows: Rows, tick: int) -> None:
        """Begin with all of it, where it refills."""
        del tick
        if self._law.refills:
            self._people["budget"][rows] = self._people["budget_start"].take(rows)

    def meet(self, moment: Moment) -> Codes:
        """Use up; whoever has nothing left leaves."""
        rows = moment.turn.rows
        length, quality = (self._of(moment, place) for place in (self._length, self._quality))
        spent = spend(self._law, self._people.numbers("budget", rows), moment.taken, length, quality)
        self._people["budget"][rows] = spent.left
        if self._length is not None:
            self._people["watched"][rows] = spent.watched
        return because(End.TIME_BUDGET, spent.left <= 0.0)

    def comes(self, piece: slice, tick: int) -> Flags | None:
        """Whoever has used it up for good stays away."""
        del tick
        return None if self._law.refills else np.asarray(self._people.numbers("budget")[piece] > 0.0)

    def _of(self, moment: Moment, place: int | None) -> Floats:
        if place is None:
            return np.zeros(len(moment.choice))
        return moment.attribute(place)
