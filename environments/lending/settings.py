"""What a scenario writes under `world.settings` of `lending-v1`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Name, NotNegative, Positive, Share, Strict

LAWS = ("curve", "logistic", "chance", "repaid", "defaulted", "qualifies")


class Term(Strict):
    """A loan that can be granted."""

    amount: Positive = 1.0
    """How much is lent, in units of money."""
    rate: float = 0.3
    """Interest over the whole loan, as a share of the amount."""
    gain: float | None = None
    """What the lender gains when it is repaid; None: amount · rate."""
    loss: float | None = None
    """What the lender loses when it is not; None: the amount."""

    @property
    def interest(self) -> float:
        """Return what the borrower pays besides the amount."""
        return self.amount * self.rate


class Curve(Strict):
    """The chance to repay by score, told at some scores."""

    table: str | None = None
    """A CSV or Parquet file with the columns below; `data`: the table that the run is given."""
    at: Name = "score"
    """The column of the table that holds the scores."""
    of: Name | dict[Name, Name] = "repays"
    """The column that holds the chance, or one for each group."""
    by: Name | None = None
    """The column that names the group of each row, where there is a row for each score of each group."""
    as_told: Literal["repaid", "defaulted"] = "repaid"
    """What the numbers are the chance of."""
    scale: Positive = 1.0
    """What they are multiplied by: .01 for percentages."""
    scores: tuple[float, ...] = ()
    """Without a table: the scores, ascending."""
    chances: tuple[float, ...] | dict[Name, tuple[float, ...]] = ()
    """Without a table: the chance at each of them, or those of each group."""
    between: Literal["nearest", "linear", "below"] = "nearest"
    """The chance at a score that is not told: that of the nearest one (of two, the lower), on the line
    between its neighbours, or that of the next one below. Beyond the ends it is that of the end."""

    @model_validator(mode="after")
    def _table_or_numbers(self) -> Self:
        problem = ""
        if (self.table is None) == (not self.scores):
            problem = "give either a table, or scores with chances"
        elif any(high <= low for low, high in pairwise(self.scores)):
            problem = f"scores must ascend, found {list(self.scores)}"
        rows = self.chances.values() if isinstance(self.chances, dict) else [self.chances]
        if not problem and any(len(row) != len(self.scores) for row in rows):
            problem = f"{len(self.scores)} scores need as many chances (for each group)"
        if problem:
            raise ValueError(problem)
        return self


class Logistic(Strict):
    """The chance to repay as 1 / (1 + e^−(constant + Σ weight · trait))."""

    constant: float = 0.0
    """The log-odds where all traits are 0."""
    weights: dict[Name, float] = Field(default_factory=dict)
    """What a unit of each trait adds to the log-odds."""


class Repayment(Strict):
    """Who would repay: exactly one of `curve`, `logistic`, `chance`, `repaid`, `defaulted`, `qualifies`."""

    curve: Curve | None = None
    """By score and group."""
    logistic: Logistic | None = None
    """By traits."""
    chance: Name | None = None
    """A trait that holds it."""
    repaid: Name | None = None
    """A trait that says it: 1 for those who would repay, 0 for those who would not."""
    defaulted: Name | None = None
    """The other way round: 1 for those who would default."""
    qualifies: float | dict[Name, float] | None = None
    """From this score on people repay, below they do not; one for all, or one for each group."""
    burden: NotNegative = 0.0
    """How much a unit of interest takes from the log-odds of repaying."""

    @model_validator(mode="after")
    def _exactly_one_law(self) -> Self:
        given = [name for name in LAWS if getattr(self, name) is not None]
        if len(given) != 1:
            problem = f"give exactly one of {', '.join(LAWS)}; found {', '.join(given) or 'none'}"
            raise ValueError(problem)
        return self


class Change(Strict):
    """How a score moves by what happens; it stays within bounds."""

    repaid: float = 0.0
    """Points for a loan that was repaid."""
    default: float = 0.0
    """Points for one that was not."""
    refused: float = 0.0
    """Who applied and was refused everywhere."""
    low: float | None = None
    """The lowest score; None: the lowest there is."""
    high: float | None = None
    """The highest score; None: the highest there is."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            problem = f"low {self.low:g} lies above high {self.high:g}"
            raise ValueError(problem)
        return self


class Harm(Strict):
    """What harms an applicant, in the world's own unit."""

    default: NotNegative = 1.0
    """A loan that could not be repaid."""
    refusal: NotNegative = 0.5
    """A refusal of somebody who would have repaid, and found no other lender."""


class Experience(Strict):
    """How good a loan turns out for the one who took it, 0 to 1 (.5: as expected)."""

    repaid: Share = 0.75
    """Where the loan is repaid."""
    default: Share = 0.1
    """Where it cannot be."""


class Bank(Strict):
    """A lender whose money can run out."""

    cash: NotNegative
    """What is in the till of each society's bank to begin with."""
    term: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Ticks after which a loan comes back, or is written off; 0: by the end of the turn."""
    closes: bool = False
    """Once the till cannot pay the smallest loan, nobody is served any more."""


class Lender(Strict):
    """Another lender, with rules that never change."""

    name: Name
    """What it is called."""
    at_least: float | dict[Name, float] = 0.0
    """The score from which it grants; one for all, or one for each group."""
    rate: float = 0.3
    """The interest it takes, as a share of the loan."""


class Market(Strict):
    """The other lenders that an applicant may go to."""

    lenders: tuple[Lender, ...] = Field(min_length=1, max_length=100)
    seek: Share = 1.0
    """The chance that somebody who got no loan here asks the others, the cheapest first."""
    compare: Share = 0.0
    """The chance that somebody who was granted one here takes that of a cheaper lender instead."""


class Pool(Strict):
    """Applicants are drawn afresh: after each turn another one, of the pool as it is then, takes the place.

    A share of `shift`, as far as there is so much, moves from the borrower's score in the pool of the
    borrower's group to the next score above (repaid) or below (default).
    """

    scores: tuple[float, ...] = Field(min_length=2)
    """Ascending."""
    shares: dict[Name, tuple[NotNegative, ...]] = Field(min_length=1)
    """Of each group: how its applicants are spread over the scores to begin with."""
    groups: tuple[NotNegative, ...] | None = None
    """The share of each group among applicants; None: all alike."""
    shift: Share = 0.01
    """The part of its group that moves by a step of the score after each outcome."""

    @model_validator(mode="after")
    def _one_share_each(self) -> Self:
        wrong = [name for name, row in self.shares.items() if len(row) != len(self.scores) or sum(row) <= 0.0]
        problem = ""
        if any(high <= low for low, high in pairwise(self.scores)):
            problem = f"scores must ascend, found {list(self.scores)}"
        elif wrong:
            problem = f"shares of {wrong[0]} must be {len(self.scores)} numbers, not all of them 0"
        elif self.groups is not None and (len(self.groups) != len(self.shares) or sum(self.groups) <= 0.0):
            problem = f"groups must be {len(self.shares)} shares, one a group, not all of them 0"
        if problem:
            raise ValueError(problem)
        return self


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    terms: dict[Name, Term] = Field(default={"grant": Term()}, min_length=1)
    """The loans by name: the items, after the refusal."""
    refusal: Name = "refuse"
    """The name of the item that is no loan."""
    score: Name = "score"
    """The trait that is the applicant's score."""
    groups: tuple[Name, ...] = ()
    """The names of `people.groups`, in their order: needed where something here is told by group."""
    repayment: Repayment
    change: Change | None = None
    """None: scores stay."""
    labels: Literal["granted", "always"] = "granted"
    """Whether one sees only of borrowers if they repaid, or of everybody if they would have."""
    harm: Harm = Harm()
    welfare: NotNegative = 0.0
    """How much a unit of harm counts against the lender's gain in what the ideal answer would be."""
    experience: Experience = Experience()
    table: Literal["data"] | None = None
    """`data`: people come from the table that the run is given (`people.source.table: world`)."""
    bank: Bank | None = None
    """None: money never runs out."""
    market: Market | None = None
    """None: this is the only lender."""
    pool: Pool | None = None
    """None: applicants are the people of the scenario, and each keeps what becomes of him or her."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problem = ""
        if self.refusal in self.terms:
            problem = f"{self.refusal!r} is both the refusal and a loan"
        elif self.pool is not None and self.change is not None:
            problem = (
                "change moves the scores of people who stay, and pool draws new people: give one of them"
            )
        elif self.pool is not None and self.groups != tuple(self.pool.shares):
            problem = f"groups must be those of the pool in their order: {list(self.pool.shares)}"
        if problem:
            raise ValueError(problem)
        return self
