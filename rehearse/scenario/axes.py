"""Axes: what a field of a scenario may be, for sweeps and for the search for failure."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from rehearse.scenario.base import Positive, Strict


class Axis(Strict):
    """Where a field goes from and to."""

    range: tuple[float, float] | None = None
    """From and to, both included."""
    log: tuple[Positive, Positive] | None = None
    """The same in equal ratios instead of equal steps."""
    steps: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    """How many values; designs that draw their points need none."""
    step: Positive | None = None
    """How far from one value to the next, instead of `steps` (range)."""
    whole: bool = False
    """Whether values are rounded to whole numbers."""

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        given = self.range or self.log
        if given is None or (self.range and self.log):
            problem = "give either range or log"
            raise ValueError(problem)
        if not given[0] < given[1]:
            problem = f"it goes from {given[0]:g} to {given[1]:g}, which is not up"
            raise ValueError(problem)
        if self.step is not None and (self.log or self.steps):
            problem = "step is for a range without steps"
            raise ValueError(problem)
        return self


def _kind(given: Any) -> str:
    return "list" if isinstance(given, list | tuple) else "range"


Choices = Annotated[tuple[Any, ...], Field(min_length=1)]
"""Values of which one is taken."""
Space = dict[
    str, Annotated[Annotated[Axis, Tag("range")] | Annotated[Choices, Tag("list")], Discriminator(_kind)]
]
"""Dotted paths, each with a range or a list of values."""
