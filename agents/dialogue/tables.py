"""Who is in the middle of a call: a table for each block of people who began together.

In a run one block calls at a time; environments for learning agents let several take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rehearse.agents.dialogue.mind import Mind
from rehearse.columns import Rows
from rehearse.dialogue.acts import Acts, silence
from rehearse.dialogue.talk import Passage, Talk
from rehearse.errors import ContractError


@dataclass(slots=True, eq=False)
class Table:
    """People who began to call together, and what they said last."""

    rows: Rows
    """Those who are still there, ascending."""
    past: list[Passage] = field(default_factory=list)
    meant: Acts = field(default_factory=lambda: silence(0))
    mind: Mind | None = None
    talk: Talk | None = None

    def holds(self, row: int) -> bool:
        """Tell whether somebody sits here."""
        at = int(np.searchsorted(self.rows, row))
        return at < len(self.rows) and int(self.rows[at]) == row


class Tables:
    """All tables at which somebody sits."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tables: list[Table] = []

    def begin(self, rows: Rows) -> Table:
        """Seat people together; a call that one of them was in is over."""
        self._tables = [table for table in self._tables if not np.isin(rows, table.rows).any()]
        self._tables.append(Table(rows))
        return self._tables[-1]

    def of(self, rows: Rows) -> Table:
        """Return the table of some people; raises ContractError where they have not begun to call."""
        for table in self._tables:
            if table.holds(int(rows[0])):
                return table
        problem = f"the person in row {rows[0]} goes on with a call that has not begun."
        raise ContractError(problem, "Let people ask at turn 0 first, and respond after they have asked.")

    def leave(self, rows: Rows) -> None:
        """Let people who sit at one table leave it."""
        table = self.of(rows)
        table.rows = np.setdiff1d(table.rows, rows, assume_unique=True)
        if not len(table.rows):
            self._tables.remove(table)
