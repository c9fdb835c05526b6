"""Feelings: what a turn and a tick leave in people, written into their columns.

Satisfaction, trust and tastes move part of the way with every event; patience drains with setbacks
and comes back with rest; what a session has come to is kept for its next turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rehearse.agents import memory, patience
from rehearse.agents.appraisal import Appraisal
from rehearse.agents.blocks import moved, raw, turned
from rehearse.agents.patience import Setbacks
from rehearse.columns import Columns, Rows
from rehearse.compiled import twin_of
from rehearse.contract import Decisions, Flags, Intent, Ints, Turn
from rehearse.exact import Floats
from rehearse.scenario.people import People


@dataclass(frozen=True, slots=True)
class Feelings:
    """How a scenario's people feel: the laws of their behaviour, and the columns that it moves."""

    people: People
    columns: Columns

    def setbacks(self, turn: Turn, seen: Appraisal, error: Flags) -> Setbacks:
        """Return what went against these people in this turn."""
        action = seen.places[0]
        answered, again = ~error, np.zeros(len(error), dtype=np.bool_)
        _find(raw(self.columns, "shown"), turn.rows, action, again)
        return Setbacks(
            repeat=answered & again,
            contradiction=answered & (action >= 0) & seen.bitter,
            bad_offer=answered & (seen.best <= seen.outside - self.people.behaviour.bad_margin),
            error=error,
        )

    def lose_patience(self, turn: Turn, decisions: Decisions, setbacks: Setbacks, uniform: Floats) -> Flags:
        """Let patience drain; return who has had enough."""
        behaviour, columns = self.people.behaviour, self.columns
        before = columns.numbers("patience", turn.rows)
        left = patience.drained(before, setbacks, decisions.latency, behaviour.drains)
        columns["patience"][turn.rows] = left
        most = columns.numbers("patience_max", turn.rows)
        chance = patience.quit_chance(left, most) if behaviour.quits else 0.0
        return patience.leaves(left, chance, setbacks.felt(behaviour.drains), uniform)

    def note(self, turn: Turn, decisions: Decisions, taken: Flags, error: Flags) -> None:
        """Keep what this session has come to, for the next turn of it."""
        columns, rows = self.columns, turn.rows
        raw(columns, "refusals")[rows] += ~taken
        columns["intent"][rows] = np.where(error, Intent.RETRY, np.where(taken, Intent.MORE, Intent.ANOTHER))
        answered = slice(None) if not error.any() else ~error
        _show(raw(columns, "shown"), rows[answered], decisions.slate[answered])

    def please(self, rows: Rows, impression: Floats) -> None:
        """Move satisfaction towards an impression, 0 to 1, unless it follows a law of its own."""
        if self.people.laws is not None and self.people.laws.satisfaction is not None:
            return
        satisfaction = self.columns.numbers("satisfaction", rows)
        rate = self.people.behaviour.satisfaction_rate
        self.columns["satisfaction"][rows] = moved(satisfaction, impression, rate)

    def trust(self, rows: Rows, experience: Floats | float) -> None:
        """Move trust in the model towards an experience, 0 to 1."""
        trust = self.columns.numbers("trust", rows)
        self.columns["trust"][rows] = moved(trust, experience, self.people.memory.trust_rate)

    def change_tastes(self, rows: Rows, attributes: Floats, experience: Floats) -> None:
        """Draw tastes towards the attributes of what was taken, the further the better it turned out."""
        taste = self.columns.numbers("taste", rows)
        step = (self.people.behaviour.taste_change * experience)[:, None]
        self.columns["taste"][rows] = taste + step * (attributes - taste)

    def rest(self, piece: slice) -> None:
        """Let a tick pass over patience and memory."""
        columns, behaviour = self.columns, self.people.behaviour
        most = columns["patience_max"][piece].astype(np.float64)
        now = columns["patience"][piece].astype(np.float64)
        columns["patience"][piece] = patience.recovered(now, most, behaviour.recovery)
        if self.people.memory.on:
            memory.fade(columns, piece, self.people.memory.decay)


def _find_plainly(shown: Ints, rows: Rows, action: Ints, found: Flags) -> None:
    found[:] = (action >= 0) & (turned(shown.take(rows, axis=0), np.int32) == action).any(axis=0)


@twin_of(_find_plainly)
def _find(shown: Ints, rows: Rows, action: Ints, found: Flags) -> None:
    """Find out who was shown an action before in this session."""
    for i in range(len(rows)):
        for place in range(shown.shape[1]):
            found[i] |= action[i] >= 0 and shown[rows[i], place] == action[i]


def _show_plainly(shown: Ints, rows: Rows, slate: Ints) -> None:
    kept = shown.take(rows, axis=0)
    new = min(slate.shape[1], kept.shape[1])
    kept[:, new:] = kept[:, : kept.shape[1] - new].copy()
    kept[:, :new] = slate[:, :new]
    shown[rows] = kept


@twin_of(_show_plainly)
def _show(shown: Ints, rows: Rows, slate: Ints) -> None:
    """Put slates in front of what was shown in this session."""
    new, room = min(slate.shape[1], shown.shape[1]), shown.shape[1]
    for i in range(len(rows)):
        for place in range(room - 1, new - 1, -1):
            shown[rows[i], place] = shown[rows[i], place - new]
        for place in range(new):
            shown[rows[i], place] = slate[i, place]
