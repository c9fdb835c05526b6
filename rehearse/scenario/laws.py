"""The laws that people may live by: how they choose, change, feel, leave and come back.

A scenario names them under `people.laws`, each in place of (or besides) what `people.behaviour`
says. Equations and sources stand with the laws themselves, in `rehearse.agents.laws`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Name, NotNegative, Positive, Share, Strict

Attraction = Literal["exponential", "linear", "sigmoid", "double-sigmoid"]
"""What utility makes of an item: see `rehearse.agents.laws.attraction`."""
Turns = Annotated[int, Field(ge=1, le=1_000_000)]


class OneOf(Strict):
    """A choice among laws: exactly one is given."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = sorted(type(self).model_fields)
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            problem = f"give exactly one of {', '.join(names)}; found {given or 'none'}"
            raise ValueError(problem)
        return self


# ── Choice ────────────────────────────────────────────────────────────────────────────────────────


class Proportional(Strict):
    """An item is taken with a chance in proportion to its attraction, nothing to that of `outside`."""

    of: Attraction = "exponential"
    shift: float = 0.0
    """With `linear`: added to every utility, that of taking nothing too."""


class Sequential(Strict):
    """From the top, each item is taken with chance attention · scale · attraction, else the next."""

    of: Attraction = "sigmoid"
    shift: float = 0.0
    """With `linear`: added to every utility."""
    attention: Share = 1.0
    """The chance to look at an item at all; whoever does not goes on."""
    scale: Positive = 1.0


class Reaction(Strict):
    """One way to react to an item, such as a click or a like."""

    weight: float = 1.0
    """What it counts in the feedback of a slate."""
    shift: float = 0.0
    """Added to the utility: rare reactions have a negative one."""


class Each(Strict):
    """Every item of a slate gets reactions of its own; the first that pleases is the one taken."""

    reactions: dict[Name, Reaction] = Field(min_length=1)
    similarity: NotNegative = 0.0
    """Taken off the chance of a reaction, times how alike the item is to the others of the slate."""


class Attention(Strict):
    """Taken is the item whose utility times its rank (from 1) to a power is largest; never nothing."""

    exponent: float = -0.8
    """How attention falls down the slate: 0 not at all."""


class Choice(OneOf):
    """How people take something of a slate, in place of `behaviour.choice`."""

    proportional: Proportional | None = None
    sequential: Sequential | None = None
    each: Each | None = None
    attention: Attention | None = None


# ── Tastes and satisfaction ───────────────────────────────────────────────────────────────────────


class Reinforcement(Strict):
    """Interests that grow or shrink with what is taken: RecSim's interest evolution."""

    of: Name
    """The attribute, or the block of attributes, whose tastes are interests between -1 and 1."""
    rate: Share = 0.3


class Walk(Strict):
    """Tastes that wander: a normal step with every turn."""

    of: Name
    """The attribute or the block of attributes."""
    sd: NotNegative = 0.1
    states: tuple[Name, ...] = ()
    """Only when one of these states of the journey is entered; none named: always."""


class Slerp(Strict):
    """Tastes that turn towards what was taken and keep their length."""

    of: Name
    """The attribute or the block of attributes."""
    part: Share = 0.05
    """Of the angle between tastes and attributes."""


class Tastes(Strict):
    """How tastes change, besides `behaviour.taste_change`."""

    reinforcement: Reinforcement | None = None
    walk: Walk | None = None
    slerp: Slerp | None = None


class Exposure(Strict):
    """Satisfaction by what somebody was exposed to for long: RecSim's long-term satisfaction.

    A trait `exposure` says where it begins.
    """

    of: Name
    """The attribute, 0 to 1, that lowers it above `neutral` and raises it below."""
    memory: Share = 0.7
    """What is left of it with the next item."""
    effect: float = 2.0
    neutral: float = 0.5
    sensitivity: float = 0.01
    innovation: NotNegative = 0.05
    """Standard deviation of what chance adds with each item."""


class Satisfaction(OneOf):
    """What satisfaction follows, in place of the impressions of each turn."""

    exposure: Exposure | None = None


# ── Leaving ───────────────────────────────────────────────────────────────────────────────────────


class Watching(Strict):
    """How long an item holds a person: as long as it is, or as the budget lasts."""

    length: Name
    """The attribute that holds its length; the column `watched` tells how much of it was watched."""
    quality: Name | None = None
    """An attribute that gives back (or takes) budget for each unit watched."""
    gives_back: NotNegative = 0.0


class Budget(Strict):
    """Time, or interest, that is used up; the session ends when nothing is left.

    A trait `budget` says how much there is.
    """

    turn: NotNegative = 0.0
    """What every turn takes."""
    nothing: NotNegative = 0.0
    """What a turn takes in which nothing was taken."""
    taken: NotNegative = 0.0
    """What a turn takes in which something was taken."""
    watching: Watching | None = None
    refills: bool = True
    """Every session begins with all of it; else it is all there ever is, and who used it up stays away."""


class Misses(Strict):
    """Leaving in frustration, after so many turns in which nothing was taken."""

    after: Turns
    in_a_row: bool = False


class Stay(Strict):
    """How long people mean to stay: S(t) = e^-(t/scale)^shape, a Weibull distribution."""

    shape: Positive
    """Below 1 whoever stayed is the likelier to go on staying; 1: no memory; above 1 people tire."""
    scale: Positive
    unit: Literal["turn", "second"] = "turn"
    """`second`: of what turns take by `laws.seconds`."""


class Temper(Strict):
    """Temper, used up by slates that bring too little. A trait `temper` says where a session begins."""

    enough: Positive = 2.0
    """The feedback (see `laws.choice.each`) at which a slate costs nothing."""
    least: float = 1.0
    """Below this the person leaves."""


class State(Strict):
    """A state of a journey: where it leads after a turn, by name, with what chance."""

    to: dict[Name, Share] = Field(min_length=1)
    taken: dict[Name, Share] | None = None
    """The same after a turn in which something was taken; None: as `to`."""
    looks: Literal["slate", "around"] = "slate"
    """`around`: looks at the whole catalogue by itself (column `viewed`), whatever the model proposes."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        for name, chances in (("to", self.to), ("taken", self.taken)):
            whole = 1.0 if chances is None else sum(chances.values())
            if abs(whole - 1.0) > 1e-9:
                problem = f"the chances under {name} add up to {whole:g}, not to 1"
                raise ValueError(problem)
        return self


class Journey(Strict):
    """States that a session goes through, a Markov chain with a step a turn, until an end is reached."""

    start: dict[Name, Share] = Field(min_length=1)
    states: dict[Name, State] = Field(min_length=1, max_length=100)
    ends: dict[Name, Literal["goal_met", "abandoned", "user_stop"]] = Field(min_length=1)
    """The absorbing ends, and what each is called in the record."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if abs(sum(self.start.values()) - 1.0) > 1e-9:
            problem = f"the chances under start add up to {sum(self.start.values()):g}, not to 1"
            raise ValueError(problem)
        named = {name for state in self.states.values() for name in {**state.to, **(state.taken or {})}}
        unknown = sorted((named - {*self.states, *self.ends}) | (set(self.start) - set(self.states)))
        if unknown or set(self.states) & set(self.ends):
            problem = f"there is no state or end {unknown}" if unknown else "a state has the name of an end"
            raise ValueError(problem)
        return self


class Leaving(Strict):
    """Why people leave a session; where several reasons meet, the first one here is the one told."""

    usual: bool = True
    """The goal met, patience used up, leaving content: what `goals` and `behaviour` say counts too."""
    journey: Journey | None = None
    budget: Budget | None = None
    temper: Temper | None = None
    misses: Misses | None = None
    takes: Turns | None = None
    """Content after having taken so many items."""
    turns: Turns | None = None
    """After so many turns, whatever happened: a fixed depth."""
    stay: Stay | None = None


# ── Returning, and time ───────────────────────────────────────────────────────────────────────────


class DayOfReturn(Strict):
    """After how many ticks people come back, the sooner the better they were served: KuaiSim's law.

    A trait `return_bias`, where people have it, is added to the chance.
    """

    within: Annotated[int, Field(ge=1, le=1000)]
    """Ticks by which everybody is back."""
    base: float = 0.75
    by_reward: float = 0.0
    """Added to the chance, times the mean reward of a turn of the session."""


class Returning(OneOf):
    """When people come back after a session."""

    day: DayOfReturn | None = None


class Page(Strict):
    """A page of results: turns come on pages."""

    turns: Turns
    seconds: NotNegative


class Seconds(Strict):
    """What a turn takes, in simulated seconds, in place of `time.think_s`: see `time.budget_s`."""

    session: NotNegative = 0.0
    """Before the first turn, such as writing a query."""
    turn: NotNegative = 0.0
    """Looking at what is proposed, such as reading a snippet."""
    taken: NotNegative = 0.0
    """What was taken, such as reading and marking a document."""
    page: Page | None = None


class Laws(Strict):
    """Which laws people live by."""

    choice: Choice | None = None
    tastes: Tastes = Tastes()
    satisfaction: Satisfaction | None = None
    leaving: Leaving = Leaving()
    returning: Returning | None = None
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.leaving.stay is not None and self.leaving.stay.unit == "second" and self.seconds is None:
            problem = "leaving.stay counts seconds, and laws.seconds does not say what a turn takes"
            raise ValueError(problem)
        walk, journey = self.tastes.walk, self.leaving.journey
        states = set() if journey is None else set(journey.states)
        if walk is not None and (unknown := sorted(set(walk.states) - states)):
            problem = f"tastes.walk: the journey has no state {unknown[0]!r}"
            raise ValueError(problem)
        return self
