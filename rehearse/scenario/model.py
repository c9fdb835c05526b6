"""The scenario: who, where, which model, for how long, under what conditions, judged how."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.about import About
from rehearse.scenario.axes import Space
from rehearse.scenario.base import Count, Name, NotNegative, Positive, Share, Strict, Tick, Timed, in_order
from rehearse.scenario.bounds import Bounds
from rehearse.scenario.feedback import Late
from rehearse.scenario.monitors import Monitor
from rehearse.scenario.noise import Observation
from rehearse.scenario.people import People
from rehearse.scenario.sandbox import Sandbox

MOST_PEOPLE = 100_000_000
"""Over all replicas; a person takes about a hundred bytes of memory."""
PEOPLE = "people."
"""How the path of a drift begins that changes the people."""


class Part(Strict):
    """A world or a policy by name, with settings that its own schema checks."""

    name: str = Field(min_length=1)
    settings: dict[str, Any] = {}


class Drift(Strict):
    """A scheduled change of something that the world owns, or of the people (`people.…`)."""

    tick: Tick
    """The first tick at which the new value holds, or at which it begins to change."""
    what: str
    """A path that the world knows, such as `items.train.gc`, or one of people, such as `people.tastes.gc`."""
    add: float = 0.0
    times: float = 1.0
    """new = old · times + add; with a weight w of its shape, old · (1 + (times − 1) · w) + add · w."""
    until: Tick | None = None
    """The first tick at which the old value holds again."""
    shape: Literal["sudden", "gradual", "recurring", "seasonal"] = "sudden"
    """`gradual`: in equal steps over some ticks; `recurring`: for some ticks of every period; `seasonal`:
    up and down with the sine of the period, which takes as much as it gives."""
    over: Annotated[int, Field(ge=1)] | None = None
    """In how many ticks a gradual change is complete."""
    period: Annotated[int, Field(ge=2)] | None = None
    """Ticks from one beginning to the next (recurring, seasonal)."""
    lasts: Annotated[int, Field(ge=1)] | None = None
    """For how many ticks of every period a recurring change holds."""
    phase: Share = 0.0
    """The part of its period that a seasonal change has behind it at its tick."""
    among: str | None = None
    """Only people of this group or segment (paths of people)."""
    note: str = ""
    """The sentence that marks it in the report."""

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        in_order(self.tick, self.until)
        return self

    @model_validator(mode="after")
    def _shaped(self) -> Self:
        needs = {"gradual": {"over"}, "recurring": {"period", "lasts"}, "seasonal": {"period"}}
        given = {name for name in ("over", "period", "lasts") if getattr(self, name) is not None}
        wanted = needs.get(self.shape, set())
        if given != wanted:
            told = [", ".join(sorted(names)) or "nothing" for names in (wanted, given)]
            problem = f"of over, period and lasts a {self.shape} change needs {told[0]}, found {told[1]}"
            raise ValueError(problem)
        if self.phase and self.shape != "seasonal":
            problem = f"phase is for a seasonal change, and this one is {self.shape}"
            raise ValueError(problem)
        if self.period is not None and self.lasts is not None and self.lasts >= self.period:
            problem = f"it lasts {self.lasts} of every {self.period} ticks, which is always"
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _of_people(self) -> Self:
        if self.among is not None and not self.of_people:
            problem = f"among is for paths of people (people.…), and what is {self.what!r}"
            raise ValueError(problem)
        return self

    @property
    def of_people(self) -> bool:
        """Return whether it changes the people and not the world."""
        return self.what.startswith(PEOPLE)


class Latency(Timed):
    """How long an answer takes in simulated time: a lognormal, between two ticks."""

    median_ms: NotNegative = 200.0
    """The median, in simulated milliseconds."""
    spread: NotNegative = 0.3
    """Standard deviation of the logarithm."""


FaultKind = Literal[
    "error",
    "timeout",
    "reset_peer",
    "slow_close",
    "jitter",
    "nan",
    "wrong_action",
    "wrong_schema",
    "partial_batch",
    "restart",
    "stale_features",
    "poisoned",
]


class FaultSpec(Timed):
    """Calls that go wrong on purpose."""

    kind: FaultKind = "error"
    """`error`, `nan`, `wrong_action`, `wrong_schema`: no answer that can be used. `timeout`: none until the
    deadline. `reset_peer`: the connection breaks on the way. `slow_close`: the answer takes `ms` longer;
    `jitter`: anything up to `ms`. `partial_batch`: at a moment a `share` of a society's people get none.
    `restart`: in a tick a society's sessions begin without an answer. `stale_features`: the model sees what
    it saw of the person in an earlier tick. `poisoned`: an item at random stands first."""
    rate: Share = 0.01
    """The chance of a call; of a moment (`partial_batch`) or a tick (`restart`) in a society."""
    group: str | None = None
    """Only for people of this group."""
    ms: NotNegative = 1000.0
    """Simulated milliseconds of `slow_close` and `jitter`."""
    share: Share = 0.5
    """The part of a batch that is lost (`partial_batch`)."""


class GuardSpec(Strict):
    """A rule that the model's answers must keep; what breaks it is replaced or vetoed, and recorded."""

    name: Name
    forbid: tuple[str, ...] = ()
    """Items that may not be proposed."""
    group: str | None = None
    """Only to people of this group."""
    replace: str | None = None
    """The item proposed instead; None: the person gets no answer."""

    @model_validator(mode="after")
    def _replacement_is_allowed(self) -> Self:
        if self.replace in self.forbid:
            problem = f"{self.replace!r} is forbidden and cannot be the replacement"
            raise ValueError(problem)
        return self


class Criterion(Strict):
    """A claim about a metric that the verdict judges."""

    metric: str
    group: str | None = None
    """Only people of this group."""
    at_least: float | None = None
    at_most: float | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    why: str = ""
    """Why this matters and where the threshold comes from."""
    opinion: bool = False
    """Says that what a language model thinks (`opinion:…`) may decide it."""

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            problem = "give either at_least or at_most"
            raise ValueError(problem)
        return self


class Time(Strict):
    """How simulated time passes."""

    ticks: Annotated[int, Field(ge=1, le=1_000_000)] = 30
    unit: str = "day"
    max_turns: Annotated[int, Field(ge=1, le=1000)] = 8
    """A session ends after so many turns at the latest."""
    budget_s: Positive | None = None
    """Simulated seconds that a session may take; None: no limit."""
    think_s: NotNegative = 10.0
    """Simulated seconds a person takes for a turn besides waiting."""
    deadline_ms: Positive = 10_000.0
    """An answer with a longer simulated latency counts as a policy error."""
    wall_limit_s: Positive = 60.0
    """Wall-clock seconds after which a call to the model is given up and the run not completed."""


class Scenario(Strict):
    """A rehearsal, as it is written in a catalogue."""

    name: Name
    version: int = Field(default=1, ge=1)
    title: str = ""
    description: str = ""
    extends: str | None = None
    """The name or file of the scenario that this one changes."""
    about: About | None = None
    """What a catalogue says about it; it determines nothing."""
    world: Part
    people: People = People()
    policy: Part
    slate: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many items a model may propose at a time; what it ranks further down is not shown."""
    columns: tuple[str, ...] | None = None
    """The columns of a turn that are recorded besides its keys; None: all that the world fills."""
    time: Time = Time()
    replicas: Annotated[int, Field(ge=1, le=100_000)] = 10
    """How many independent societies are rehearsed; intervals are over them."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    latency: tuple[Latency, ...] = ()
    drift: tuple[Drift, ...] = ()
    observation: tuple[Observation, ...] = ()
    """Noise between people and the model, one after another."""
    feedback: Late | None = None
    """When a policy that learns is told what came of its answers; None: at the end of each tick."""
    faults: tuple[FaultSpec, ...] = ()
    guards: tuple[GuardSpec, ...] = ()
    sandbox: Sandbox = Sandbox()
    """What a model that is not Rehearse's own may reach."""
    bounds: Bounds = Bounds()
    """How much a run may take before it is stopped, to be gone on with later."""
    monitors: tuple[Monitor, ...] = ()
    """What is watched over the ticks for shifts, in place of what usually is: the mix of answers, acceptance,
    satisfaction, goal completion and failed calls. It changes nobody's life."""
    criteria: tuple[Criterion, ...] = ()
    search: Space | None = None
    """Where the search for failure looks: dotted paths, each with a range or a list of values. It changes no
    run."""
    assumptions: tuple[str, ...] = Field(min_length=1)
    """What is taken for granted; a verdict is worth no more than these."""
    limitations: tuple[str, ...] = Field(min_length=1)
    """What this scenario cannot show."""

    @model_validator(mode="after")
    def _fits_a_machine(self) -> Self:
        if self.people_in_all > MOST_PEOPLE:
            counted = f"people.count × replicas = {self.people.count:,} × {self.replicas:,}"
            problem = f"{counted} is more than {MOST_PEOPLE:,} people"
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _bounded_is_recorded(self) -> Self:
        for bound, column in (("harm", "harm"), ("money", "spent")):
            unseen = self.columns is not None and column not in self.columns
            if unseen and getattr(self.bounds, bound) is not None:
                problem = f"bounds.{bound} needs the column {column!r}, which is not among columns"
                raise ValueError(problem)
        return self

    @property
    def people_in_all(self) -> Count:
        """Return the number of people over all replicas."""
        return self.people.count * self.replicas
