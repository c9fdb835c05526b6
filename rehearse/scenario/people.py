"""How a scenario describes its people: who they are, what they want, how they behave, whom they know."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Count, Name, NotNegative, Positive, Share, Strict
from rehearse.scenario.emergence import ALONG_TIES
from rehearse.scenario.instead import Instead
from rehearse.scenario.laws import Laws
from rehearse.scenario.lifecycle import Arrivals, Churn, Returns, by_friends
from rehearse.scenario.noise import Manner
from rehearse.scenario.society import Society
from rehearse.scenario.strategy import Strategy

SINCERE = "sincere"
"""The manner of people who do as they feel."""


class Normal(Strict):
    """A normal distribution."""

    mean: float = Field(default=0.0, description="The mean.")
    sd: NotNegative = Field(default=1.0, description="The standard deviation.")


class Lognormal(Strict):
    """e to the power of a normal: median e**mean."""

    mean: float = Field(default=0.0, description="The mean of its logarithm.")
    sd: NotNegative = Field(default=1.0, description="The standard deviation of its logarithm.")


class Uniform(Strict):
    """All values between two bounds are as likely."""

    low: float = Field(default=0.0, description="The lower bound.")
    high: float = Field(default=1.0, description="The upper bound.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            problem = f"low {self.low:g} lies above high {self.high:g}"
            raise ValueError(problem)
        return self


class Exponential(Strict):
    """Waiting for something without memory."""

    mean: Positive = Field(default=1.0, description="The mean.")


class Weibull(Strict):
    """Waiting that tires (shape above 1) or hardens (below): P(X > x) = e^-(x/scale)^shape."""

    shape: Positive = Field(default=1.0, description="The shape.")
    scale: Positive = Field(default=1.0, description="The scale.")


class Pareto(Strict):
    """A heavy tail: P(X > x) = (least / x)**tail; the mean is infinite up to a tail of 1."""

    least: Positive = Field(default=1.0, description="The least value.")
    tail: Positive = Field(default=1.5, description="The exponent of the tail.")


class Beta(Strict):
    """A share between 0 and 1."""

    a: Positive = Field(description="The first shape; the mean is a / (a + b).")
    b: Positive = Field(description="The second shape.")


class Discrete(Strict):
    """One of some values, each with its share (shares are scaled to add up to 1)."""

    values: tuple[float, ...] = Field(min_length=1, description="The values.")
    shares: tuple[NotNegative, ...] | None = Field(default=None, description="None: equal shares.")

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, value: object) -> object:
        # Where Distribution looked first, a list in a file is a list still, which a strict tuple refuses.
        if not isinstance(value, dict):
            return value
        return {key: tuple(part) if isinstance(part, list) else part for key, part in value.items()}

    @model_validator(mode="after")
    def _a_share_each(self) -> Self:
        if self.shares is not None and len(self.shares) != len(self.values):
            problem = f"{len(self.values)} values need as many shares, found {len(self.shares)}"
            raise ValueError(problem)
        if self.shares is not None and sum(self.shares) <= 0.0:
            problem = "at least one share must be above 0"
            raise ValueError(problem)
        return self


class Distribution(Strict):
    """How a number varies from person to person: exactly one law, held within bounds."""

    constant: float | None = Field(default=None, description="The same for everybody.")
    normal: Normal | None = None
    lognormal: Lognormal | None = None
    uniform: Uniform | None = None
    exponential: Exponential | None = None
    weibull: Weibull | None = None
    pareto: Pareto | None = None
    beta: Beta | None = None
    discrete: Discrete | None = None
    column: str | None = None
    """A column of the source table."""
    low: float | None = None
    """Values below are set to this."""
    high: float | None = None
    """Values above are set to this."""

    @model_validator(mode="before")
    @classmethod
    def _number_is_constant(cls, value: object) -> object:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return {"constant": value} if plain else value

    @model_validator(mode="after")
    def _exactly_one_law(self) -> Self:
        known = set(type(self).model_fields) - {"low", "high"}
        laws = sorted(name for name in known if getattr(self, name) is not None)
        if len(laws) != 1:
            problem = f"give exactly one law, found {laws or 'none'}"
            raise ValueError(problem)
        if self.low is not None and self.high is not None and self.low > self.high:
            problem = f"low {self.low:g} lies above high {self.high:g}"
            raise ValueError(problem)
        return self


class Source(Strict):
    """A table that people are drawn from: a row a person."""

    table: str
    """A CSV or Parquet file, or `world` for the table that the world ships with (or is fed)."""
    use: Literal["as_is", "resample"] = "resample"
    """`as_is` takes row i (again from the start when there are more people); `resample` draws rows."""
    weight: str | None = None
    """The column that says how likely a row is drawn (only with `resample`)."""

    @model_validator(mode="after")
    def _weight_is_for_drawing(self) -> Self:
        if self.weight is not None and self.use == "as_is":
            problem = "weight says how rows are drawn: give it with use: resample, or leave it out"
            raise ValueError(problem)
        return self


class Correlation(Strict):
    """A Gaussian copula between traits: the correlation of their normal scores.

    A taste is named `taste_<attribute>`. A trait that is a column of the source table is then drawn
    from the values of that column apart from the others, not taken with the person's row.
    """

    of: tuple[Name, ...] = Field(min_length=2)
    matrix: tuple[tuple[float, ...], ...] | Literal["measured"]
    """Symmetric with ones on the diagonal; `measured` takes the rank correlations of the source table."""


class Grouping(Strict):
    """The groups among which a model must be fair: bands of one trait."""

    trait: str
    """A trait, or a column of the source table (of text: `names` are then its words)."""
    cuts: tuple[float, ...] = ()
    """Ascending; a value equal to a cut belongs to the band above. None: the values themselves are codes."""
    names: tuple[str, ...] = Field(min_length=1, max_length=100)
    """One more than there are cuts; or the names of codes 0, 1, …"""

    @model_validator(mode="after")
    def _a_name_for_every_band(self) -> Self:
        if any(high <= low for low, high in pairwise(self.cuts)):
            problem = f"cuts must ascend, found {list(self.cuts)}"
            raise ValueError(problem)
        if self.cuts and len(self.names) != len(self.cuts) + 1:
            problem = f"{len(self.names)} names for {len(self.cuts)} cuts, which make one group more"
            raise ValueError(problem)
        if len(set(self.names)) < len(self.names):
            problem = f"a name stands twice in {list(self.names)}"
            raise ValueError(problem)
        return self


class Segment(Strict):
    """A part of the people who differ from the base persona in some traits."""

    name: Name
    share: Share
    traits: dict[str, Distribution] = {}
    tastes: dict[str, Distribution] = {}


class Drains(Strict):
    """What uses up patience, in turns of patience each time."""

    turn: NotNegative = 0.0
    """Every turn."""
    repeat: NotNegative = 1.0
    """The model proposes what was shown before in this session."""
    contradiction: NotNegative = 0.5
    """The model proposes again what this person took before and was badly served by."""
    bad_offer: NotNegative = 0.5
    """Nothing proposed comes near what the person could have without the model."""
    error: NotNegative = 1.0
    """No answer came."""
    wait_per_second: NotNegative = 0.2
    """Each second of simulated latency beyond the free one."""
    free_wait_ms: NotNegative = 1000.0


class Behaviour(Strict):
    """How people act in a turn; what varies from person to person is a trait (see `TRAITS`)."""

    choice: Literal["logit", "cascade", "always"] = "logit"
    """`logit`: multinomial logit over slate and outside option; `cascade`: item by item from the top;
    `always`: the first that can be had, whatever it is worth."""
    repeats: bool = True
    """Whether people may take an item that they had before; where not, every item had is kept in mind."""
    outside: float = 0.0
    """Utility of taking nothing; a trait `reservation`, where people have one, is added to it."""
    reservation: Literal["fixed", "logsum"] = "fixed"
    """`logsum`: added to it is s · ln Σ e^(u/s) over everything that can be had (s: the noise)."""
    relax: NotNegative = 0.0
    """How much less the outside option is worth with every turn that brought nothing."""
    position_bias: NotNegative = 0.0
    """Utility lost per place down the slate (logit)."""
    attention: Share = 0.9
    """The chance to look at the next item after one that was not taken (cascade)."""
    bad_margin: NotNegative = 2.0
    """An offer whose best item lies this far below the outside option is a bad one."""
    satisfaction_rate: Share = 0.3
    """How far satisfaction moves towards each new impression."""
    drains: Drains = Drains()
    recovery: Share = 0.5
    """The part of the lost patience that comes back with each tick."""
    quits: bool = True
    """After a setback people leave with chance (1 − p/P)²; at p = 0 they leave in any case."""
    content: Share = 0.05
    """The chance to leave content after taking something, though the goal needs more."""
    boredom: NotNegative = 0.0
    """Utility lost by an item for each time it is remembered as taken (decayed)."""
    taste_change: float = 0.0
    """How far tastes move towards the attributes of an item that was taken, times how good it turned out."""
    visit_rate: Share = 1.0
    """The chance that a person with a goal opens a session in a tick, at full trust."""
    visit_trust: NotNegative = 1.0
    """How strongly distrust keeps people away: the chance is visit_rate · trust**visit_trust."""
    satisfaction_start: Share = 0.5
    """Satisfaction to begin with, unless there is a trait `satisfaction`."""


class MemorySpec(Strict):
    """What people keep of what happened to them."""

    on: bool = True
    size: int = Field(default=8, ge=1, le=64)
    """How many events are remembered."""
    decay: Share = 0.9
    """What is left of an event's weight after a tick."""
    weight: NotNegative = 1.0
    """Utility per unit of remembered experience of an item, measured from .5."""
    trust_rate: Share = 0.2
    """How far trust moves towards each experience: an item taken; 0 for an error or a session abandoned."""
    trust_weight: float = 0.5
    """Utility per unit of trust, measured from .5, that is added to whatever the model proposes."""
    habit_rate: Share = 0.1
    """How far the habit of using the model moves with each session opened or passed over."""
    habit_weight: Share = 0.0
    """How far full habit makes up for distrust: t = trust**visit_trust becomes t + this · (1 − t)."""


class GoalSpec(Strict):
    """Something that people want."""

    name: Name
    rate: Share = 0.1
    """The chance that the goal arises in a tick for a person who does not have it."""
    at_start: Share = 0.0
    """The part of the people who begin with it."""
    after: Name | None = None
    """Arises when this goal was met, instead of at a rate."""
    need: Positive = 1.0
    """How much must be got: each item taken that serves the goal gives 1."""
    bearable: float | None = None
    """How far above the outside option, as perceived, an item serves the goal; None: whatever is taken."""
    strength: Distribution = Distribution(constant=1.0)
    """Utility that the wish adds to every item, so that a strong wish takes more readily."""
    deadline: int = Field(default=5, ge=1)
    """Ticks until the goal is given up."""
    disappointment: Share = 0.0
    """The chance that leaving a session in vain makes the person give the goal up."""
    contagion: Share = 0.0
    """The chance that it arises in a tick in which some friend met such a goal."""
    revision: NotNegative = 0.0
    """How much the outside option is marked down when the deadline is one tick away (linear before)."""
    learning: float = 0.0
    """How much the strength grows per unit of experience, measured from .5: news changes the wish."""


class People(Strict):
    """Who is served."""

    count: Count = 1000
    model: str = Field(default="crowd-v1", min_length=1)
    """How people behave: a registered name, or `people.py:build`. Others than crowd-v1 say what they read."""
    settings: dict[str, Any] = {}
    """What another model than crowd-v1 takes besides; its own schema checks it."""
    source: Source | None = None
    traits: dict[str, Distribution] = {}
    """Named numbers; the names in `agents.TRAITS` steer behaviour and have defaults.

    Four more steer it where they are given: `reservation` (added to the outside option), `habit` and
    `satisfaction` (where they begin), and `adopted` (from .5: uses the model from the start; others
    then come only once friends have made them adopt).
    """
    tastes: dict[str, Distribution] = {}
    """The weight of each attribute of the world's items in a person's utility; `each` for all others."""
    correlations: tuple[Correlation, ...] = ()
    segments: tuple[Segment, ...] = Field(default=(), max_length=100)
    """Whoever is in none of them is `base`."""
    groups: Grouping | None = None
    instead: tuple[Instead, ...] = ()
    """What is set instead of what is drawn: the same people, but for one thing."""
    visible: tuple[str, ...] = ()
    """Which traits the model may see; all else it must infer."""
    actionable: tuple[str, ...] = ()
    """Which of what it sees people can change: `score+` only up, `debt-` only down, `hours` both ways."""
    behaviour: Behaviour = Behaviour()
    laws: Laws | None = None
    """Laws of choice, taste, satisfaction, leaving and returning in place of the usual ones."""
    memory: MemorySpec = MemorySpec()
    goals: tuple[GoalSpec, ...] = Field(default=(GoalSpec(name="use", rate=1.0, at_start=1.0),), min_length=1)
    stack: int = Field(default=3, ge=1, le=8)
    """How many goals a person can hold at a time; the top one is pursued."""
    society: Society = Society()
    arrivals: Arrivals | None = None
    """None: everybody is here from the start."""
    churn: Churn | None = None
    """None: nobody leaves."""
    returns: Returns | None = None
    """None: who left stays away."""
    manners: tuple[Manner, ...] = Field(default=(), max_length=100)
    """Those who do not do as they feel; all others are `sincere`."""
    strategy: Strategy | None = None
    """None: people show what is true."""

    @model_validator(mode="after")
    def _ties_are_there_to_measure(self) -> Self:
        along = [name for name in self.society.emergence.measures if name in ALONG_TIES]
        if along and self.society.graph.kind == "none":
            problem = f"society.emergence asks for {along[0]}, a matter of ties, and society.graph has none"
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        whole = sum(s.share for s in self.segments)
        if whole > 1.0 + 1e-9:
            problem = f"the shares of the segments add up to {whole:g}, more than 1"
            raise ValueError(problem)
        _named_apart("segments", ["base", *(s.name for s in self.segments)])
        return self

    @model_validator(mode="after")
    def _manners_fit(self) -> Self:
        whole = sum(c.share for c in self.manners)
        if whole > 1.0 + 1e-9:
            problem = f"the shares of manners add up to {whole:g}, more than 1"
            raise ValueError(problem)
        _named_apart("manners", [SINCERE, *(c.name for c in self.manners)])
        return self

    @model_validator(mode="after")
    def _friends_are_known(self) -> Self:
        if self.society.graph.kind == "none" and by_friends(self.arrivals, self.churn, self.returns):
            problem = "friends decide who comes or goes, and society.graph.kind is none: nobody has friends"
            raise ValueError(problem)
        return self


def _named_apart(what: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        problem = f"the {what} {names[1:]} must have different names, none of them {names[0]!r}"
        raise ValueError(problem)
