"""What a turn takes, in simulated seconds: a query, a page of results, a snippet, a document.

    seconds of a turn = session · [first turn] + page · [a page begins] + turn + taken · [something taken]

With session 10, page 5 every ten turns, turn 3 and taken 23 (a document of 20 s, marked in 3) these are the
times of SimIIR (Maxwell and Azzopardi, SIGIR 2016). The column `seconds` holds the sum of the session.
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.columns import Rows
from rehearse.contract import Codes, Flags, Singles
from rehearse.exact import Floats
from rehearse.scenario import laws as written


def taken_by(law: written.Seconds, turn: int, taken: Flags) -> Floats:
    """Return what turn number `turn` takes."""
    cost = law.turn + (law.session if turn == 0 else 0.0)
    if law.page is not None and turn % law.page.turns == 0:
        cost += law.page.seconds
    return np.where(taken, cost + law.taken, cost)


class Seconds(Law):
    """People's own clock."""

    told = ("seconds",)

    def __init__(self, law: written.Seconds, setting: Setting) -> None:
        """Keep the seconds of the session in a column."""
        self._law, self._people = law, setting.columns
        setting.add("seconds", np.zeros(setting.columns.length, dtype=np.float32))

    def open(self, rows: Rows, tick: int) -> None:
        """Begin at 0."""
        del tick
        self._people["seconds"][rows] = 0.0

    def meet(self, moment: Moment) -> Codes | None:
        """Let time pass."""
        rows = moment.turn.rows
        self._people["seconds"][rows] = self._people.numbers("seconds", rows) + self.of(moment)
        return None

    def of(self, moment: Moment) -> Singles:
        """Return what the turn took, for the clock of the session."""
        return taken_by(self._law, moment.turn.turn, moment.taken).astype(np.float32)
