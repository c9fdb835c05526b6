"""Goals: what people want, as a small stack each; the one on top is pursued.

A goal arises at the start, at a rate, after another was met, or because a friend's was met; it
changes with what is experienced; it ends met, given up at its deadline, or given up in
disappointment. A column of shape (n, g) holds the stack, the top in place 0:

    goal_kind      which goal, a position in `people.goals`; -1 is an empty place
    goal_strength  the utility that the wish adds to every item
    goal_deadline  the last tick on which it is pursued
    goal_got       how much was got of what is needed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.among import Among
from rehearse.agents.blocks import raw
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import NOTHING, Flags
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.distributions import law_of, quantile
from rehearse.scenario.people import Distribution, GoalSpec, People

EMPTY: dict[str, float] = {"goal_kind": NOTHING, "goal_strength": 0, "goal_deadline": 0, "goal_got": 0}
"""The columns of the stack, and what an empty place holds."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """The goals of a scenario, each rule as an array over the kinds of goal."""

    names: tuple[str, ...]
    need: Floats
    bearable: Floats
    """−∞ where whatever is taken serves."""
    days: Floats
    """Ticks until the goal is given up."""
    rate: Floats
    at_start: Floats
    disappointment: Floats
    contagion: Floats
    revision: Floats
    learning: Floats
    strength: tuple[Distribution, ...]
    after: tuple[tuple[int, ...], ...]
    """For each kind the kinds that arise when it was met."""

    @classmethod
    def of(cls, specs: Sequence[GoalSpec]) -> Self:
        """Read the scenario's goals; raise ScenarioError for names that cannot be right."""
        names = tuple(spec.name for spec in specs)
        _check(specs, names)
        return cls(
            names=names,
            need=np.array([s.need for s in specs]),
            bearable=np.array([-np.inf if s.bearable is None else s.bearable for s in specs]),
            days=np.array([float(s.deadline) for s in specs]),
            rate=np.array([s.rate if s.after is None else 0.0 for s in specs]),
            at_start=np.array([s.at_start for s in specs]),
            disappointment=np.array([s.disappointment for s in specs]),
            contagion=np.array([s.contagion for s in specs]),
            revision=np.array([s.revision for s in specs]),
            learning=np.array([s.learning for s in specs]),
            strength=tuple(s.strength for s in specs),
            after=tuple(tuple(i for i, s in enumerate(specs) if s.after == name) for name in names),
        )


def places(people: People) -> int:
    """Return how many goals a stack has room for: nobody holds the same goal twice."""
    return min(people.stack, len(people.goals))


def widen(columns: Columns, stack: int) -> None:
    """Give people room for so many goals, where there are more kinds of them now."""
    more = stack - columns["goal_kind"].shape[1]
    for name, nothing in EMPTY.items() if more > 0 else ():
        column = raw(columns, name)
        empty = np.full((columns.length, more), nothing, dtype=column.dtype)
        columns[name] = np.concatenate([column, empty], axis=1)


def add_columns(columns: Columns, stack: int) -> None:
    """Give people an empty stack of so many goals."""
    n = columns.length
    columns["goal_kind"] = np.full((n, stack), NOTHING, dtype=np.int8)
    columns["goal_strength"] = np.zeros((n, stack), dtype=np.float32)
    columns["goal_deadline"] = np.zeros((n, stack), dtype=np.int32)
    columns["goal_got"] = np.zeros((n, stack), dtype=np.float32)
    columns["progress"] = np.zeros(n, dtype=np.float32)
    columns["goals_met"] = np.zeros(n, dtype=np.int32)
    columns["goals_given_up"] = np.zeros(n, dtype=np.int32)
    columns["goal_just_met"] = np.full(n, NOTHING, dtype=np.int8)


class Goals:
    """The goals of all people: the rules, the columns that hold the stacks, and the luck."""

    __slots__ = ("_served", "agenda", "chance", "columns")

    def __init__(self, agenda: Agenda, columns: Columns, chance: Chance) -> None:
        """Take columns that `add_columns` has filled up."""
        self.agenda = agenda
        self.columns = columns
        self.chance = chance
        self._served: Flags = np.zeros(0, dtype=np.bool_)

    def begin(self, rows: Rows, tick: int) -> None:
        """Let the goals arise with which people begin who are here from a tick on."""
        for kind, share in enumerate(self.agenda.at_start):
            self.arise("start", rows, kind, share, first=tick)

    def arise(self, why: str, rows: Rows, kind: int, likely: float, *, first: int) -> None:
        """Let a goal arise by chance in those who lack it, to be pursued from tick `first` on."""
        some = self._lacking(rows, kind) if likely > 0.0 else rows[:0]
        if likely < 1.0 and len(some):
            some = some[self._uniform(f"{why}/{self.agenda.names[kind]}", some, first) < likely]
        self._push(some, kind, first)

    def catch(self, ties: Ties, among: Among, first: int) -> None:
        """Let goals arise in people some friend of whom met such a goal just now."""
        if not any(likely > 0.0 for likely in self.agenda.contagion):
            return
        just_met = among.heard(self.columns, ("goal_just_met",))["goal_just_met"]
        for kind, likely in enumerate(self.agenda.contagion):
            if likely > 0.0:
                rows = np.flatnonzero(ties.mean(just_met == kind) > 0.0)
                self.arise("friend", rows, kind, likely, first=first)

    def expire(self, piece: slice, tick: int) -> None:
        """Let people of a piece of the population give up the goals whose last tick this is."""
        kind, deadline = (raw(self.columns, name)[piece] for name in ("goal_kind", "goal_deadline"))
        over = (kind >= 0) & (deadline <= tick)
        some = np.flatnonzero(over.any(axis=1))
        if len(some):
            rows, gone = piece.start + some, over.take(some, axis=0)
            raw(self.columns, "goals_given_up")[rows] += gone.sum(axis=1, dtype=np.int32)
            self._remove(rows, gone)

    def met(self, rows: Rows, tick: int) -> None:
        """Let people leave the goal they pursued behind as met; what comes after it arises."""
        kind = self._top("goal_kind", rows)
        raw(self.columns, "goals_met")[rows] += 1
        self.columns["goal_just_met"][rows] = kind
        self._pop(rows)
        for earlier, later in enumerate(self.agenda.after):
            for goal in later:
                self._push(self._lacking(rows[kind == earlier], goal), goal, first=tick + 1)

    def disappoint(self, rows: Rows, uniform: Floats) -> None:
        """Let some of those who left a session in vain give up the goal they pursued."""
        given_up = rows[uniform < self._rule(self.agenda.disappointment, rows)]
        raw(self.columns, "goals_given_up")[given_up] += 1
        self._pop(given_up)

    def advance(self, rows: Rows, taken: Flags, surplus: Floats) -> Floats:
        """Count what people took towards the goal they pursue; return the progress, 0 to 1.

        An item gives 1 if it lies at least `bearable` above the outside option, and else nothing.
        """
        self._served = taken & (surplus >= self._rule(self.agenda.bearable, rows))
        return self._got(rows, self._served.astype(np.float64))

    def take_back(self, rows: Rows, missed: Flags | None) -> None:
        """Count nothing for those of the people who just took something that they missed it."""
        if missed is not None and missed.any():
            self._got(rows, -(self._served & missed).astype(np.float64))

    def _got(self, rows: Rows, more: Floats) -> Floats:
        got = self._top("goal_got", rows).astype(np.float64) + more
        self.columns["goal_got"][rows, 0] = got
        progress = np.minimum(got / self._rule(self.agenda.need, rows), 1.0)
        self.columns["progress"][rows] = progress
        return np.asarray(progress)

    def learn(self, rows: Rows, experience: Floats) -> None:
        """Let an experience change how strongly people want what they pursue."""
        change = self._rule(self.agenda.learning, rows) * (experience - 0.5)
        self.columns["goal_strength"][rows, 0] = self.strength(rows) + change

    def strength(self, rows: Rows) -> Floats:
        """Return the strength of the goal that each person pursues."""
        return self._top("goal_strength", rows).astype(np.float64)

    def markdown(self, rows: Rows, tick: int) -> Floats:
        """Return how much less the outside option is worth as the deadline of the goal comes near.

        With D ticks given and r left (1 on the last), that is revision · (D − r)/(D − 1).
        """
        days = self._rule(self.agenda.days, rows)
        left = self._top("goal_deadline", rows) - tick + 1.0
        near = np.clip((days - left) / np.maximum(days - 1.0, 1.0), 0.0, 1.0)
        return np.asarray(self._rule(self.agenda.revision, rows) * np.where(days > 1.0, near, 1.0))

    def _rule(self, rule: Floats, rows: Rows) -> Floats | float:
        """Return what a rule says for the goal that each person pursues; one number where all are alike."""
        if len(rule) == 1:
            return float(rule[0])
        return np.asarray(rule.take(np.maximum(self._top("goal_kind", rows), 0)))

    def _top(self, name: str, rows: Rows) -> NDArray[Any]:
        """Return the first place of the stacks; taking it from `[:, 0]` would copy everybody's."""
        column = raw(self.columns, name)
        return np.asarray(column.reshape(-1).take(rows * column.shape[1]))

    def _lacking(self, rows: Rows, kind: int) -> Rows:
        """Return who is here, does not have this goal, and has room for it."""
        held = raw(self.columns, "goal_kind").take(rows, axis=0)
        room = (held[:, -1] == NOTHING) & raw(self.columns, "alive").take(rows)
        lacks: Flags = room & (held != kind).all(axis=1)
        return rows[lacks]

    def _push(self, rows: Rows, kind: int, first: int) -> None:
        """Put a goal, pursued from tick `first` on, on top of the stacks of those who lack it."""
        values: dict[str, Array | float] = {
            "goal_kind": kind,
            "goal_strength": self._strengths(rows, kind, first),
            "goal_deadline": first + int(self.agenda.days[kind]) - 1,
            "goal_got": 0.0,
        }
        for name, value in values.items():
            stack = raw(self.columns, name)
            if stack.shape[1] > 1:
                stack[rows, 1:] = stack[rows, :-1]
            stack[rows, 0] = value
        self.columns["progress"][rows] = 0.0

    def _pop(self, rows: Rows) -> None:
        """Take the top off the stacks; those below move up."""
        for name, nothing in EMPTY.items():
            stack = raw(self.columns, name)
            if stack.shape[1] > 1:
                stack[rows, :-1] = stack[rows, 1:]
            stack[rows, -1] = nothing
        self._refresh(rows)

    def _remove(self, rows: Rows, gone: Flags) -> None:
        """Take the goals marked in `gone` (n, g), one or more a person, off the stacks; others move up."""
        if gone.shape[1] == 1:
            self._pop(rows)
            return
        order = np.argsort(gone, axis=1, kind="stable")
        trailing = np.sort(gone, axis=1)
        for name, nothing in EMPTY.items():
            kept = np.take_along_axis(raw(self.columns, name).take(rows, axis=0), order, axis=1)
            kept[trailing] = nothing
            self.columns[name][rows] = kept
        self._refresh(rows)

    def _refresh(self, rows: Rows) -> None:
        """Set the progress of people whose top goal, taken off, may have been followed by another."""
        if raw(self.columns, "goal_kind").shape[1] == 1:
            self.columns["progress"][rows] = 0.0
            return
        progress = np.minimum(self._top("goal_got", rows) / self._rule(self.agenda.need, rows), 1.0)
        self.columns["progress"][rows] = np.where(self._top("goal_kind", rows) >= 0, progress, 0.0)

    def _strengths(self, rows: Rows, kind: int, first: int) -> Floats:
        law = self.agenda.strength[kind]
        name, value = law_of(law)
        if name == "constant" or not len(rows):
            return np.full(len(rows), value if name == "constant" else 0.0)
        return quantile(law, self._uniform(f"strength/{self.agenda.names[kind]}", rows, first))

    def _uniform(self, purpose: str, rows: Rows, tick: int) -> Floats:
        replica, user = raw(self.columns, "replica").take(rows), raw(self.columns, "user").take(rows)
        return self.chance.uniform(f"goals/{purpose}", replica, user, tick=tick)[:, 0]


def _check(specs: Sequence[GoalSpec], names: tuple[str, ...]) -> None:
    for place, spec in enumerate(specs):
        if names.index(spec.name) < place:
            problem = f"people.goals.{place}: there are two goals named {spec.name!r}."
            raise ScenarioError(problem, "Give each goal a name of its own.")
        if spec.after is not None and spec.after not in names:
            problem = f"people.goals.{place}.after: there is no goal {spec.after!r}."
            raise ScenarioError(problem, did_you_mean(spec.after, names))
        if law_of(spec.strength)[0] == "column":
            problem = f"people.goals.{place}.strength: a goal's strength cannot be a column of a table."
            raise ScenarioError(problem, "Give a law such as constant, normal or uniform.")
