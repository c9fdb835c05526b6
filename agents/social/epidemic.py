"""Contagion: people who infect one another, in discrete time.

A tick is synchronous: who is infectious at its start infects, and every stage ends, by what was at its
start. A susceptible person with k infectious friends is infected with chance 1 − (1 − τ)^k; where ties
have weights, k is the sum of their weights (contacts), and foes (ties below 0) pass nothing on.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse import exact
from rehearse.agents.social.rule import Moves, Rule, View, per_replica
from rehearse.columns import Array, Columns
from rehearse.contract import Flags
from rehearse.errors import DataError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.base import Name, Share


class Contagion(Rule):
    """What rules of contagion share: a column of stages, who infects whom, and who is ill at the start."""

    stages: ClassVar[tuple[str, ...]] = ("S", "I")
    """The codes 0, 1, … of the column; the first are susceptible, `I` infect."""
    words: ClassVar[dict[str, str]] = {
        "S": "susceptible",
        "E": "exposed",
        "I": "infected",
        "R": "recovered",
    }
    order: Literal["synchronous"] = "synchronous"
    column: Name = "infection"
    """The column of stages; measures are `<column>_infected` and so on: how many are in each stage."""
    transmission: Share = 0.1
    """The chance τ that one infectious friend infects a person in a tick."""
    infected: int = Field(default=1, ge=0)
    """How many of each society are infectious at the start, drawn among all; if no column says so."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the column of stages."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    @property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the stages."""
        return {self.column: tuple(self.words[name] for name in self.stages)}

    def begin(self, view: View) -> Moves:
        """Let some be infectious; stages that people have already may be letters or codes."""
        if view.has(self.column):
            return {self.column: self._codes(view.own(self.column))}
        u = view.uniform("infected")[:, 0].reshape(view.societies, -1)
        first = np.argsort(u, axis=1, kind="stable")[:, : self.infected]
        stage = np.zeros(u.shape, dtype=np.int8)
        np.put_along_axis(stage, first, np.int8(self.stages.index("I")), axis=1)
        return {self.column: stage.reshape(-1)}

    def measures(self, people: Columns, replicas: int) -> dict[str, Floats]:
        """Return how many are in each stage."""
        stage = np.asarray(people[self.column])
        return {
            f"{self.column}_{self.words[name]}": per_replica(stage == code, replicas).astype(np.float64)
            for code, name in enumerate(self.stages)
        }

    def move(self, view: View) -> Moves:
        """Return the stages after a tick."""
        stage = view.own(self.column)
        u = view.uniform("stage", 2)
        caught = (stage == 0) & (u[:, 0] < self._risk(view, stage == 0))
        after = np.where(caught, np.int8(1), stage)
        for name, (to, chance) in self._ends().items():
            over = (stage == self.stages.index(name)) & (u[:, 1] < chance)
            after = np.where(over, np.int8(self.stages.index(to)), after)
        return {self.column: after.astype(np.int8)}

    def at_rest(self, view: View) -> bool:
        """Tell whether no stage can end and nobody can be infected."""
        stage = view.own(self.column)
        ends = [stage == self.stages.index(name) for name, (_, chance) in self._ends().items() if chance]
        return not (np.any(ends) or self._risk(view, stage == 0).any())

    def _ends(self) -> dict[str, tuple[str, float]]:
        """Return the stages that end: for each what follows, and the chance in a tick."""
        return {}

    def _risk(self, view: View, susceptible: Flags) -> Floats:
        """Return the chance to be infected of those shown; 0 for those who cannot be."""
        infectious = (view.heard(self.column) == self.stages.index("I")).astype(np.float64)
        risk = np.zeros(len(view.rows))
        if susceptible.any() and infectious.any():
            contacts = view.ties.friendly().total(infectious)
            risk[susceptible] = at_least_once(contacts[susceptible], self.transmission)
        return risk

    def _codes(self, column: Array) -> NDArray[np.int8]:
        if column.dtype.kind == "U":
            known = {word: code for code, name in enumerate(self.stages) for word in (name, self.words[name])}
            unknown = set(np.unique(column).tolist()) - set(known)
            if unknown:
                word = min(unknown)
                problem = f"column {self.column!r} holds {word!r}, which is no stage of {self.title}."
                raise DataError(problem, did_you_mean(word, known))
            return np.array([known[word] for word in column.tolist()], dtype=np.int8)
        codes = np.asarray(column).astype(np.int8)
        wrong_rows = np.flatnonzero((codes != column) | (codes < 0) | (codes >= len(self.stages)))
        if wrong_rows.size:
            problem = (
                f"column {self.column!r} holds {column[wrong_rows[0]]}, which is no stage of {self.title}."
            )
            stages = ", ".join(f"{code} ({name})" for code, name in enumerate(self.stages))
            raise DataError(problem, f"Stages are {stages}.")
        return codes


class SIS(Contagion):
    """Who recovers can be infected again: S → I with 1 − (1 − τ)^k, I → S with chance `recovery`."""

    title: ClassVar[str] = "sis-v1"
    recovery: Share = 0.1
    """The chance to recover in a tick."""

    def _ends(self) -> dict[str, tuple[str, float]]:
        return {"I": ("S", self.recovery)}


class SIR(Contagion):
    """Who recovers is immune (Kermack and McKendrick 1927): S → I with 1 − (1 − τ)^k, I → R.

    With recovery 1 everybody is infectious for one tick: then each tie carries it at most once, and who
    was ever ill is a cluster of bond percolation (Newman 2002).
    """

    title: ClassVar[str] = "sir-v1"
    stages: ClassVar[tuple[str, ...]] = ("S", "I", "R")
    recovery: Share = 0.1
    """The chance to recover in a tick."""

    def _ends(self) -> dict[str, tuple[str, float]]:
        return {"I": ("R", self.recovery)}


class SEIR(SIR):
    """A person who was infected infects others only after a while: S → E → I → R."""

    title: ClassVar[str] = "seir-v1"
    stages: ClassVar[tuple[str, ...]] = ("S", "E", "I", "R")
    incubation: Share = 0.2
    """The chance in a tick that a person who was exposed becomes infectious."""

    def _ends(self) -> dict[str, tuple[str, float]]:
        return {"E": ("I", self.incubation), "I": ("R", self.recovery)}


class ReedFrost(Contagion):
    """Generations of an epidemic (Reed and Frost 1928; Abbey 1952): SIR in which all recover after a tick.

    Meant for a complete graph: each of I infectious people infects each susceptible one with chance τ.
    """

    title: ClassVar[str] = "reed-frost-v1"
    stages: ClassVar[tuple[str, ...]] = ("S", "I", "R")

    def _ends(self) -> dict[str, tuple[str, float]]:
        return {"I": ("R", 1.0)}


"""Whole exponents up to here are multiplied out."""


MOST_FACTORS = 1_000_000
"""Whole exponents up to here are multiplied out."""


def at_least_once(contacts: Floats, chance: float) -> Floats:
    """Return 1 − (1 − chance)^contacts; a power with a whole exponent is a product, factor by factor."""
    if not len(contacts):
        return np.zeros(0)
    whole = np.rint(contacts)
    if (whole == contacts).all() and whole.max() < MOST_FACTORS:
        powers = np.multiply.accumulate(np.concatenate([[1.0], np.full(int(whole.max()), 1.0 - chance)]))
        return np.asarray(1.0 - powers.take(whole.astype(np.int64)))
    if chance >= 1.0:
        return (contacts > 0.0).astype(np.float64)
    return np.asarray(1.0 - exact.exp(contacts * exact.log(1.0 - chance)))
