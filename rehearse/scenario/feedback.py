"""When a policy that learns is told what came of its answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Timed
from rehearse.scenario.people import Distribution


class Late(Timed):
    """What is told to a policy that learns arrives late; `start` and `until` are ticks of the turns."""

    what: Literal["turns", "labels"] = "turns"
    """`labels`: all else of a turn is told at once, its label later by itself."""
    delay: Distribution = Distribution(constant=0.0)
    """Ticks from a turn to its being told, rounded down; 0 is the end of its own tick."""
    positives: Distribution | None = None
    """The delay of turns whose label is 1 (without labels: with a reward above 0); None: the same."""
    lost_after: Annotated[int, Field(ge=0)] | None = None
    """What would take more ticks than this is never told; nor is what is due after the last tick."""

    @model_validator(mode="after")
    def _delays_are_laws(self) -> Self:
        if self.delay.column is not None or (
            self.positives is not None and self.positives.column is not None
        ):
            problem = "a delay is a law such as constant, exponential or pareto, not a column of a table"
            raise ValueError(problem)
        return self
