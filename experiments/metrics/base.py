"""What a metric is: a name, a unit, which way is better, and how it is read off the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.intervals import FIXED, Interval, Method, Sample, signed_gap, widest_gap

Floats = NDArray[np.float64]
Better = Literal["higher", "lower"]
Scale = Literal["share", "points", "level", "turns", "ms", "s", "MB", "utility", "rate", "index", "amount"]
"""What a value is counted in. `share`: 0 to 1, told as a percentage; `points`: a difference of shares;
`level`: 0 to 1, told as such."""

JUDGED = "\"end\" NOT IN ('none', 'infra_error')"
"""A session is read from its last turn; failures of the infrastructure are counted apart."""


class Readable(Protocol):
    """A record that metrics can be read off: `RunRecord` is one."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Return what ran: items, groups, whether people are coupled, resources, marks."""
        ...

    def query(self, sql: str) -> Columns:
        """Run a SELECT over the views turns, users and ticks."""
        ...


Kind = Literal["group", "segment", "manner"]
"""By what the people are told apart: columns of users that hold words."""


class Part(NamedTuple):
    """Some of the people: a group, a segment, or those with a manner."""

    kind: Kind
    name: str


class By(NamedTuple):
    """The turns that one model answered, where the policy is made of several."""

    model: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """A mean over turns: the sum of `value` over those `where`, divided by how many those are.

    Both are SQL over the columns of turns. `per="tick"` divides by the ticks that people were there.
    `sessions` are SQL for the sum and the count over rows of sessions; None: turns are needed.
    """

    value: str
    where: str = "true"
    per: Literal["turn", "tick"] = "turn"
    sessions: tuple[str, str] | None = None

    @classmethod
    def of_sessions(cls, value: str, where: str, per: Literal["turn", "tick"] = "turn") -> Ratio:
        """Return a mean over sessions, read from the last turn of each: a row of sessions says the same."""
        summed = f"CASE WHEN {where} THEN CAST({value} AS DOUBLE) ELSE 0.0 END"
        return cls(value, where, per, (summed, f"CAST({where} AS INTEGER)"))

    @classmethod
    def of_column(cls, name: str) -> Ratio:
        """Return the mean of a column over the turns in which it is known."""
        return cls(name, f"isfinite({name})", sessions=(f"{name}_sum", f"{name}_turns"))

    def sums(self, *, of_sessions: bool) -> tuple[str, str]:
        """Return SQL for the sum and the count, over turns or over rows of sessions."""
        if of_sessions and self.sessions is not None:
            over, under = self.sessions
            return f"sum({over})", f"coalesce(sum({under}), 0)"
        return f"sum(CAST({self.value} AS DOUBLE)) FILTER ({self.where})", f"count(*) FILTER ({self.where})"


@dataclass(frozen=True, slots=True)
class Lives:
    """A mean over lives: the sum of `over` divided by that of `under`, both SQL over the columns of users."""

    over: str
    under: str


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a column over the turns in which it is known."""

    column: str
    level: float


@dataclass(frozen=True, slots=True)
class Society:
    """A measure of a whole society: one value for each replica number, NaN where there is none.

    It is given the record and a part of the people, or None for everybody.
    """

    measure: Callable[[Readable, Part | None], Mapping[int, float]]
    by_part: bool = True
    """Whether it can be taken of some of the people."""
    reads: Literal["turns", "every turn", "ticks"] = "turns"
    """What it is read off; `every turn`: those of a sample of the people would mislead."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the run used, measured once: a key of the manifest's `resources`."""

    key: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One number of the whole run, read off its turns."""

    measure: Callable[[Readable], float]


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference of another metric between any two groups."""

    of: Metric
    signed: bool = False
    """Whether it is the first of two groups minus the second, rather than how far they are apart."""

    def among(self, groups: int) -> bool:
        """Return whether there is one among so many groups."""
        return groups == 2 if self.signed else groups > 1

    def between(self, samples: Sequence[Sample], confidence: float, method: Method = FIXED) -> Interval:
        """Return its interval from a sample of each group."""
        return (signed_gap if self.signed else widest_gap)(samples, confidence, method)


@dataclass(frozen=True, slots=True)
class Repeats:
    """A mean over tasks that are tried again and again; see `metrics.repeats`."""

    k: int
    how: Literal["all", "any"]
    """Whether all of k sessions must succeed, or one."""
    whose: str | None = None


Measure = Ratio | Lives | Quantile | Society | Resource | Whole | Gap | Repeats


@dataclass(frozen=True, slots=True)
class Cases:
    """How to find the turns that show a metric at its worst.

    `where` and `order` are SQL over turns; `{quarter}` and `{late}` in them become the last tick of
    the first quarter of the run and the first of its last one. `why` is a sentence with fields in
    braces: `action`, `choice`, `ideal` (names of items) and every other column of the turn.
    """

    where: str
    order: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A question put to a record."""

    name: str
    scale: Scale
    better: Better
    meaning: str
    """One sentence: what it is."""
    phrase: str
    """How a value is told: `{}` stands for it (`73 of 100` where the scale is a share)."""
    measure: Measure
    needs: tuple[str, ...] = ()
    """Columns of turns or ticks that not every record has."""
    asked: str = ""
    """How a scenario asks for what it needs, where it must."""
    cases: Cases | None = None
    plain: str = field(default="")
    """What it is called in a heading."""

    @property
    def bounded(self) -> bool:
        """Return whether every value lies between 0 and 1."""
        return self.scale in {"share", "level"}

    @property
    def title(self) -> str:
        """Return the name as words."""
        return self.plain or self.name.replace("_", " ").replace(":", " of ")


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def turns_of(part: Part | By | None, view: Literal["turns", "sessions"] = "turns") -> str:
    """Return the SQL source of turns (or sessions) `t`: all, those of a part of the people, or a model's."""
    if part is None:
        return f"{view} t"
    if isinstance(part, By):
        return f"(SELECT * FROM {view} WHERE model = {quoted(part.model)}) t"
    some = f'SELECT replica, "user" FROM users WHERE "{part.kind}" = {quoted(part.name)}'
    return f'{view} t SEMI JOIN ({some}) chosen USING (replica, "user")'


def top_item(column: str, by: str) -> str:
    """Return SQL for the item that comes first in a column of turns."""
    ranked = f"FROM turns WHERE {column} >= 0 GROUP BY {column} ORDER BY {by} DESC, {column}"
    return f"(SELECT {column} {ranked} LIMIT 1)"
