"""What every part of a scenario shares: strict models, and numbers that must be finite."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A part of a scenario: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A probability or a part of a whole."""
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Tick = Annotated[int, Field(ge=0, le=1_000_000)]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z][A-Za-z0-9_.\-]*$")]


class Timed(Strict):
    """Something that holds from a tick until another."""

    start: Tick = 0
    """From this tick on."""
    until: Tick | None = None
    """The first tick at which it holds no more."""
    note: str = ""
    """The sentence that marks it in the report."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        in_order(self.start, self.until)
        return self

    def holds(self, tick: int) -> bool:
        """Tell whether it holds at a tick."""
        return self.start <= tick and (self.until is None or tick < self.until)


def in_order(start: int, until: int | None) -> None:
    """Raise ValueError where something ends before it has begun."""
    if until is not None and until <= start:
        problem = f"it ends (until {until}) before it has begun (tick {start})"
        raise ValueError(problem)
