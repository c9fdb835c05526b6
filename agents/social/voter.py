"""The voter model: people copy one another."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from rehearse.agents.everyone import Everyone
from rehearse.agents.social.meetings import Meeting, Met
from rehearse.agents.social.rule import View
from rehearse.agents.ties import beside
from rehearse.columns import Rows
from rehearse.errors import ScenarioError
from rehearse.scenario.base import Name


class Voter(Meeting):
    """A random person copies a random friend, one after another (Holley and Liggett 1975).

    A tick is as many picks as there are people, unless `picks` says otherwise; people are picked with
    replacement, and friends by how strong the ties are. A foe (a tie below 0) is copied as the opposite,
    2 · mirror − x. A person without friends keeps what they have.
    """

    title: ClassVar[str] = "voter-v1"
    order: Literal["node-sequential"] = "node-sequential"
    column: Name = "opinion"
    """What is copied."""
    mirror: float | None = None
    """Where foes' values are mirrored: 0 for views -1 and 1, 0.5 for 0 and 1."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the one column that is copied."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    def both(self, view: View) -> bool:
        """Only the one who copies is changed."""
        del view
        return False

    def at_rest(self, view: View) -> bool:
        """Tell whether nobody has a friend of whom to copy something else."""
        x = view.heard(self.column)
        if isinstance(view.ties, Everyone):
            return bool((np.ptp(x.reshape(view.societies, -1), axis=1) == 0).all())
        one, other, _ = view.ties.around()
        return bool((self.meet(view, one, other)[self.column][0] == x.take(one, axis=0)).all())

    def meet(self, view: View, one: Rows, other: Rows) -> Met:
        """Return what the ones copy."""
        copied = view.heard(self.column).take(other, axis=0)
        if view.ties.signed:
            if self.mirror is None:
                problem = f"some ties of {self.title} are below 0."
                raise ScenarioError(problem, "Give `mirror`, the value at which foes are turned round.")
            foe = beside(view.ties.strength(one, other) < 0.0, copied)
            copied = np.where(foe, 2.0 * self.mirror - copied, copied).astype(copied.dtype)
        return {self.column: (copied, None)}
