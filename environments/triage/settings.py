"""What a scenario writes of a queue, and what follows from it for each degree of urgency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.columns import Rows
from rehearse.environments.triage.arrivals import Arrivals
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Positive, Strict

BY_CLASS = Annotated[tuple[NotNegative, ...], Field(min_length=1)]


class Loss(Strict):
    """What a wrong class is worth in utility, by classes between it and the right one."""

    under: NotNegative = 1.0
    """For each class below the right one."""
    over: NotNegative = 0.25
    """For each class above it."""
    home: NotNegative = 5.0
    """For each class between the right one and none, where somebody who needs care is sent home."""


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    kind: Literal["queue"] = "queue"
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] = ("urgent", "routine")
    """The classes of priority, the most urgent first; an answer is one of them."""
    home: Name | None = None
    """What sending a case home is called; None: nobody is sent home. Then `urgency` may be one more:
    the number of classes says that nothing is needed."""
    workers: int = Field(default=1, ge=1, le=1_000_000)
    room: Annotated[int, Field(ge=0)] | None = None
    """How many can wait at a time; who finds no place is turned away. None: any number."""
    span: Positive = 1.0
    """Time units in a tick."""
    arrivals: Arrivals = Arrivals()
    """The stream of cases; a table of cases says itself when they come."""
    error: NotNegative = 0.0
    """The standard deviation of what is seen of a case's urgency, in classes."""
    bias: tuple[float, ...] = ()
    """By group: how many classes less urgent than they are its cases seem."""
    waiting: NotNegative | BY_CLASS = 0.0
    """What a time unit of waiting costs; or by true urgency."""
    severity: NotNegative | BY_CLASS = 1.0
    """The harm that comes to a case; or by true urgency."""
    care_after: NotNegative = 0.0
    """Time units until who was not served finds help elsewhere."""
    loss: Loss = Loss()
    reward: NotNegative | BY_CLASS = 1.0
    """For each case that is served; or by true urgency."""
    comfort: Positive = 1.0
    """The wait after which being served is half as good."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len({*self.classes, self.home}) < len(self.classes) + 1:
            problem = f"classes and home name one twice: {', '.join(map(str, (*self.classes, self.home)))}"
            raise ValueError(problem)
        for name in ("waiting", "severity", "reward"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.urgencies:
                problem = f"{name} has {len(value)} numbers for {self.urgencies} degrees of urgency"
                raise ValueError(problem)
        return self

    @property
    def urgencies(self) -> int:
        """Return how many degrees of true urgency there are."""
        return len(self.classes) + (self.home is not None)


@dataclass(frozen=True, slots=True)
class Worth:
    """What settings say by true urgency: rows of tables."""

    utility: Floats
    """Of each class, shape (urgencies, items); 0 for the right one."""
    waiting: Floats
    severity: Floats
    reward: Floats

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Spread the settings over the degrees of urgency."""
        told = (settings.waiting, settings.severity, settings.reward)
        spread = (np.broadcast_to(np.asarray(value, dtype=np.float64), settings.urgencies) for value in told)
        return cls(_utilities(settings), *spread)

    def answer(self, urgency: Rows, action: Rows) -> Floats:
        """Return what answers are worth for cases; NaN without an answer."""
        return np.where(action >= 0, self.utility[urgency, np.maximum(action, 0)], np.nan)


def _utilities(settings: Settings) -> Floats:
    """Return what each class is worth by true urgency, shape (urgencies, items)."""
    degree = np.arange(settings.urgencies, dtype=np.float64)
    below = np.maximum(degree[None, :] - degree[:, None], 0.0)
    worth = -settings.loss.under * below - settings.loss.over * below.T
    if settings.home is not None:
        worth[:, -1] = -settings.loss.home * below[:, -1]
    return np.asarray(worth + 0.0)
