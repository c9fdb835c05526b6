"""How much a run may take before it is stopped."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rehearse.scenario.base import NotNegative, Positive, Strict


class Bounds(Strict):
    """What stops a run at the end of a tick; `rehearse resume` goes on for as much again."""

    user_turns: Annotated[int, Field(ge=1)] | None = None
    wall_s: Positive | None = None
    """Seconds on the wall clock."""
    memory_mb: Positive | None = None
    """MiB that the processes of the run hold at the end of a tick."""
    money: Positive | None = None
    """What all answers together may cost, in the currency in which the model tells what it spends."""
    harm: NotNegative | None = None
    """The harm of all turns together, in worlds that tell of harm."""
    refusals: Annotated[int, Field(ge=0)] | None = None
    """How often the model may try what the sandbox does not allow."""
