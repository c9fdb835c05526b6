"""How a scenario asks for measures of its society that cost more than a glance."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Positive, Strict

Family = Literal["clusters", "echo", "segregation", "cascades", "consumption"]
ALONG_TIES: frozenset[Family] = frozenset({"echo", "segregation", "cascades"})
"""What can only be measured where people know one another."""


class Emergence(Strict):
    """What is measured of a society at the end of every tick, and of which of its people's columns."""

    measures: tuple[Family, ...] = ()
    """Besides polarisation and bimodality, which are always measured.

    `clusters`: how many camps opinions form; `echo`: how far ties stay inside opinion groups;
    `segregation`: how far they stay inside the groups of people; `cascades`: how adoption spread from
    friend to friend; `consumption`: how concentrated and how alike is what people took."""
    of: tuple[str, ...] = Field(default=("opinion",), min_length=1)
    """The columns that are taken for opinions: `opinion`, `trust`, `satisfaction`, a trait of one's own.
    Measures of another than `opinion` say so in their name: `echo_of_trust`."""
    cuts: tuple[float, ...] = Field(default=(0.5,), min_length=1)
    """Where one opinion group ends and the next begins (echo); a value equal to a cut belongs above."""
    gap: Positive = 0.05
    """Neighbouring opinions farther apart than this are in different clusters."""

    @model_validator(mode="after")
    def _cuts_ascend(self) -> Self:
        if any(high <= low for low, high in pairwise(self.cuts)):
            problem = f"cuts must ascend, found {list(self.cuts)}"
            raise ValueError(problem)
        return self
