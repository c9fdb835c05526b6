"""How often a model in a process of its own has ended, and when it is given up."""

from __future__ import annotations

import sys

from rehearse.contract import Fault
from rehearse.policies.complaints import Complaints
from rehearse.policies.isolate.process import EndedError
from rehearse.policies.sandbox import Walls

MOST_ENDS = 5
"""Times that it may be ended: each may have taken as long as an answer may."""
MOST_DEATHS = 1000
"""Times that it may end by itself."""


class Lives:
    """The ends of a model, counted by the walls and told among its complaints."""

    def __init__(self, walls: Walls | None, complaints: Complaints) -> None:
        self._walls, self._complaints = walls, complaints
        self._ends = self._deaths = 0
        self.last = EndedError(Fault.CRASHED, "ended")

    def count(self, error: EndedError) -> None:
        """Count an end, and say it."""
        if self._walls is not None:
            self._walls.note(error.sentence, 1)
        self._complaints.note(error.fault, error.sentence)
        self.last = error
        if error.final:
            self._ends += 1
        else:
            self._deaths += 1

    @property
    def over(self) -> bool:
        """Tell whether it is given up."""
        return self._ends >= MOST_ENDS or self._deaths >= MOST_DEATHS

    def check(self) -> None:
        """Raise EndedError where it is given up; that is no further end."""
        if self.over:
            error = EndedError(self.last.fault, f"was given up: it {self.last.sentence}")
            error.final = True
            raise error

    def say(self, text: str) -> None:
        """Pass its words on."""
        if self._walls is None:
            sys.stderr.write(text)
        else:
            self._walls.hear(text)
