"""Manners: people who do not do as they feel, and are people like any other in all else.

Who has which manner is drawn once, by the shares of the scenario, and stands in the column `manner`: 0
for the sincere, then the kinds in their order. In a turn one draw, the same for what a person says and
what he or she answers, decides whether they act so. What follows from an answer follows for everybody
alike: goals, patience, memory and trust go by what was taken, not by why.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rehearse.agents.appraisal import Appraisal
from rehearse.agents.choice import first_choice
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import NOTHING, Codes, Flags, Requests, Turn
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.noise import Manner
from rehearse.scenario.people import SINCERE

COLUMN = "manner"


class Manners:
    """Who of a crowd has which manner, and what that makes of what they say and answer."""

    def __init__(
        self, kinds: Sequence[Manner], columns: Columns, features: Sequence[str], chance: Chance
    ) -> None:
        """Draw who has which manner; raises ScenarioError for a feature that the model does not see."""
        self._kinds = kinds
        self._columns = columns
        self._features = tuple(features)
        for place, kind in enumerate(kinds):
            for name in kind.says:
                if name not in features:
                    problem = f"people.manners.{place}.says: the model sees no feature {name!r}."
                    raise ScenarioError(problem, did_you_mean(name, features))
        if kinds and COLUMN in columns:
            problem = f"people.traits: {COLUMN!r} is the name of what people.manners make."
            raise ScenarioError(problem, "Choose another name for the trait.")
        if kinds:
            columns[COLUMN] = _dealt([kind.share for kind in kinds], columns, chance)

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Return what the codes in the column are called."""
        return {COLUMN: (SINCERE, *(kind.name for kind in self._kinds))} if self._kinds else {}

    def says(self, turn: Turn, asked: Requests) -> Requests:
        """Return what is asked, with what some say of themselves in the place of what is so."""
        for code, kind in enumerate(self._kinds, start=1):
            rows = np.flatnonzero(self._acts(turn, code, kind)) if kind.says else np.zeros(0, np.int64)
            for name, shift in kind.says.items():
                at = self._features.index(name)
                asked.features[rows, at] = asked.features[rows, at] * shift.times + shift.add
        return asked

    def answers(self, turn: Turn, seen: Appraisal, position: Codes) -> Codes:
        """Return the places that people take, where `position` is what they would take as they feel."""
        for code, kind in enumerate(self._kinds, start=1):
            acts = self._acts(turn, code, kind)
            if kind.answers != "sincerely" and acts.any():
                position = np.where(acts, _answered(kind.answers, turn, seen), position).astype(np.int8)
        return position

    def _acts(self, turn: Turn, code: int, kind: Manner) -> Flags:
        if not kind.holds(turn.tick):
            return np.zeros(len(turn), dtype=np.bool_)
        mine: Flags = self._columns[COLUMN].take(turn.rows) == code
        return mine & (turn.uniform("manner")[:, 0] < kind.rate)


def _answered(how: str, turn: Turn, seen: Appraisal) -> Codes:
    if how == "always":
        return first_choice(seen.utilities.T)
    if how == "contrarily":
        return _worst(seen.utilities, seen.outside)
    return _any(seen.utilities > -np.inf, turn.uniform("manner/answer")[:, 0])


def _worst(utilities: Floats, outside: Floats) -> Codes:
    """Return the place of what is worth least, (k, n) beside taking nothing; the first of equals."""
    there = np.where(utilities > -np.inf, utilities, np.inf)
    place, least = there.argmin(axis=0), there.min(axis=0)
    return np.where(least < outside, place, NOTHING).astype(np.int8)


def _any(there: Flags, uniform: Floats) -> Codes:
    """Return any of the places that hold something, (k, n), or nothing, all as likely."""
    wanted = (uniform * (there.sum(axis=0) + 1)).astype(np.int64)
    reached = np.cumsum(there, axis=0) == wanted + 1
    return np.where(reached.any(axis=0), reached.argmax(axis=0), NOTHING).astype(np.int8)


def _dealt(shares: Sequence[float], columns: Columns, chance: Chance) -> Codes:
    drawn = chance.uniform(COLUMN, columns["replica"], columns["user"])[:, 0]
    place = np.searchsorted(np.cumsum(shares), drawn, side="right")
    return np.where(place < len(shares), place + 1, 0).astype(np.int8)
