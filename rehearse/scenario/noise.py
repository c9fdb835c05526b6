"""What stands between people and the model: blurred sight, odd people, late news of what came out."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Name, Positive, Share, Strict, Timed

DESCRIBED_BY = {
    "missing": frozenset({"value", "indicator"}),
    "stale": frozenset({"age"}),
    "quantised": frozenset({"step"}),
    "biased": frozenset({"add", "times"}),
    "noisy": frozenset({"sd"}),
    "swapped": frozenset[str](),
}
"""What each kind of noise is described by; of those of one number, that number is needed."""


class Observation(Timed):
    """Noise on what the model sees of people and their situation; what is true stays as it is."""

    kind: Literal["missing", "stale", "quantised", "biased", "noisy", "swapped"]
    """`swapped`: each feature stands where the next one belongs, the last where the first does."""
    features: tuple[str, ...] = Field(min_length=1)
    """Names of what the model sees; `*` stands for any part of a name."""
    rate: Share = 1.0
    """The chance that it befalls a feature; `swapped` befalls all of them or none."""
    lasts: Literal["turn", "session", "ever"] = "turn"
    """What is drawn anew for a person: each `turn`, each `session`, or once for `ever`."""
    group: str | None = None
    """Only for people of this group."""
    value: float | None = None
    """What stands where a value is missing; None: NaN."""
    indicator: bool = False
    """The model sees one feature more for each of these, `missing_<feature>`: 1 where it is missing."""
    age: Annotated[int, Field(ge=1, le=100)] | None = None
    """How many sessions ago a stale value was true; in earlier sessions than that, that of the first."""
    step: Positive | None = None
    """A quantised value is the nearest multiple of this."""
    add: float = 0.0
    times: float = 1.0
    """A biased value is the true one · times + add."""
    sd: Positive | None = None
    """The standard deviation of what is added to a noisy value."""

    @model_validator(mode="after")
    def _described(self) -> Self:
        own = DESCRIBED_BY[self.kind]
        for name in sorted(frozenset().union(*DESCRIBED_BY.values())):
            neutral = type(self).model_fields[name].default
            given = getattr(self, name) != neutral
            if given and name not in own:
                problem = f"{name} does not describe noise of kind {self.kind}"
                raise ValueError(problem)
            if not given and name in own and name in {"age", "step", "sd"}:
                problem = f"noise of kind {self.kind} needs {name}"
                raise ValueError(problem)
        return self


class Shift(Strict):
    """What people make of a number when they tell it: the true one · times + add."""

    add: float = 0.0
    times: float = 1.0


class Manner(Timed):
    """Some of the people who do not do as they feel: careless, out to mislead, or no people at all."""

    name: Name
    share: Share
    """Of the people; who they are is drawn once, and nobody has two manners."""
    answers: Literal["sincerely", "at_random", "contrarily", "always"] = "sincerely"
    """What they take: what they like; anything or nothing, all as likely; whatever they like least, taking
    nothing included; always the first that can be had, as bots do."""
    says: dict[str, Shift] = {}
    """How the model sees their features: what they tell of themselves in their own favour."""
    rate: Share = 1.0
    """The chance, turn by turn, that they act so; else they are like anybody."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.answers == "sincerely" and not self.says:
            problem = f"{self.name!r} answer sincerely and say nothing untrue: they are like anybody"
            raise ValueError(problem)
        return self
