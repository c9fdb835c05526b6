"""Where people stand among others: how many friends, how central, how many friends of a kind.

These rules move nobody's views; they give people columns that a world may show to a model.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from rehearse.agents.social.rule import Moves, Rule, View
from rehearse.exact import Floats
from rehearse.scenario.base import Name


class Centrality(Rule):
    """How many friends a person has (`degree`) and how central they are (`centrality`), at the start.

    Centrality is that of eigenvectors (Bonacich 1972): proportional to the sum of the friends', 1 for the
    most central person of a society; found by `steps` steps of the power method with A + 1, which
    converges where A alone would swing.
    """

    title: ClassVar[str] = "centrality-v1"
    order: Literal["synchronous"] = "synchronous"
    steps: int = Field(default=100, ge=1, le=10_000)
    """Steps of the power method."""

    def begin(self, view: View) -> Moves:
        """Return both columns."""
        ties = view.ties.friendly()
        score = np.ones(len(view.rows))
        for _ in range(self.steps):
            score = _to_one(score + np.asarray(ties.total(score), dtype=np.float64), view.societies)
        degree = np.asarray(ties.degree, dtype=np.float32)
        return {"degree": degree, "centrality": score.astype(np.float32)}

    def move(self, view: View) -> Moves:
        """Move nothing: ties stay as they are."""
        del view
        return {}


class Friends(Rule):
    """How many of a person's friends have one value in a column, such as friends who are infected.

    Named after the rule that moves the column, it counts what is at the end of a tick.
    """

    title: ClassVar[str] = "friends-v1"
    order: Literal["synchronous"] = "synchronous"
    column: Name = "infection"
    """The column that is looked at."""
    value: float = 1.0
    """The value that counts."""
    into: Name = "sick_friends"
    """The column that holds the number (with weighted ties, their sum)."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the column that is counted."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the column of counts."""
        return (self.into,)

    def begin(self, view: View) -> Moves:
        """Count at the start; the rule that makes the column must be named before."""
        return self.move(view)

    def move(self, view: View) -> Moves:
        """Count the friends of those shown."""
        there = (view.heard(self.column) == self.value).astype(np.float64)
        return {self.into: np.asarray(view.ties.friendly().total(there), dtype=np.float32)}


def _to_one(score: Floats, societies: int) -> Floats:
    """Scale the scores of each society so that the largest is 1."""
    by_society = score.reshape(societies, -1)
    return np.asarray(by_society / by_society.max(axis=1, keepdims=True)).reshape(-1)
