"""What is set instead of what was drawn."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Strict


class Instead(Strict):
    """One thing about everybody that is set instead of what was drawn; all else stays."""

    what: str = Field(min_length=1)
    """`group`, `segment`, or a trait."""
    flip: bool = False
    """Of two groups or segments the other one; of a trait that is 0 or 1, the other."""
    value: float | str | None = None
    """What everybody has: a group's or segment's name, or a number."""
    times: float = 1.0
    """A trait is multiplied by this,"""
    add: float = 0.0
    """and this is added."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        moved = (self.times, self.add) != (1.0, 0.0)
        if self.flip + (self.value is not None) + moved != 1:
            problem = f"say of {self.what!r} one of: flip, value, or times and add"
            raise ValueError(problem)
        if moved and self.what in {"group", "segment"}:
            problem = f"{self.what} is no number to be multiplied or added to"
            raise ValueError(problem)
        return self
