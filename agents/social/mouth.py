"""Word of mouth: people tell their friends how the model served them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from rehearse.agents.blocks import moved
from rehearse.agents.social.epidemic import at_least_once
from rehearse.agents.social.rule import Moves, Rule, View, per_replica
from rehearse.agents.ties import Ties
from rehearse.columns import Array, Columns
from rehearse.contract import Flags
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Share


class WordOfMouth(Rule):
    """The satisfied recommend the model to their friends, and the dissatisfied warn them of it.

    Who has used the model and is satisfied at least `praise_from`, or at most `warn_to`, tells each
    friend with chance `tells`. Who hears g who praise and b who warn moves trust by
    `trust_rate` towards the share g / (g + b · bad_weight); adopts with chance 1 − (1 − adopt)^g, if
    nobody warns; and gets the goal named `goal` with chance 1 − (1 − goal_chance)^g. Foes (ties below 0)
    are not believed. Column `word_heard` counts those who praised in the last tick.
    """

    title: ClassVar[str] = "word-of-mouth-v1"
    order: Literal["synchronous"] = "synchronous"
    praise_from: Share = 0.75
    """From this satisfaction on one praises."""
    warn_to: Share = 0.25
    """Up to this satisfaction one warns."""
    tells: Share = 0.2
    """The chance to tell a friend in a tick."""
    trust_rate: Share = 0.1
    """How far trust moves to what was heard, 0 to 1."""
    bad_weight: NotNegative = 2.0
    """How much more a warning counts than praise."""
    adopt: Share = 0.0
    """The chance that one who praises makes a friend adopt the model."""
    goal: Name | None = None
    """The goal that praise may awaken."""
    goal_chance: Share = 0.0
    """The chance that one who praises awakens the goal."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return how satisfied others are, and whether they have used the model."""
        return ("satisfaction", "sessions")

    @property
    def moves(self) -> tuple[str, ...]:
        """Return what word of mouth changes."""
        return ("trust", "adopted", "word_heard", "word_goal")

    def begin(self, view: View) -> Moves:
        """Let nobody have heard anything."""
        nothing = np.zeros(len(view.rows), dtype=np.int16)
        return {"word_heard": nothing, "word_goal": nothing.astype(np.bool_)}

    def measures(self, people: Columns, replicas: int) -> dict[str, Floats]:
        """Return how many heard praise in the tick."""
        heard = np.asarray(people["word_heard"], dtype=np.bool_)
        return {"heard_praise": per_replica(heard, replicas).astype(np.float64)}

    def move(self, view: View) -> Moves:
        """Return what those shown think after what they were told."""
        praise, warnings = self._told(view)
        said = praise + warnings * self.bad_weight
        share = np.divide(praise, said, out=np.zeros_like(said), where=said > 0.0)
        trust = view.own("trust").astype(np.float64)
        u = view.uniform("heed", 2)
        won = (u[:, 0] < at_least_once(praise, self.adopt)) & (warnings == 0.0)
        woken = u[:, 1] < at_least_once(praise, self.goal_chance)
        return {
            "trust": _like(view, "trust", np.where(said > 0.0, moved(trust, share, self.trust_rate), trust)),
            "adopted": view.own("adopted").astype(np.bool_) | won,
            "word_heard": np.minimum(praise, 32767).astype(np.int16),
            "word_goal": woken if self.goal is not None else np.zeros(len(woken), dtype=np.bool_),
        }

    def _told(self, view: View) -> tuple[Floats, Floats]:
        """Return how many of their friends praised the model to each of those shown, and how many warned."""
        ties = view.ties.friendly()
        owner, friend, _ = ties.around()
        used = view.heard("sessions") > 0
        satisfaction = view.heard("satisfaction")
        counts = []
        for what, speakers in (
            ("praise", satisfaction >= np.float32(self.praise_from)),
            ("warn", satisfaction <= np.float32(self.warn_to)),
        ):
            live = np.flatnonzero((used & speakers).take(friend))
            spoke = self._spoken(view, what, view.rows[owner[live]], friend[live])
            counts.append(_counted(owner[live[spoke]], ties))
        return counts[0], counts[1]

    def _spoken(self, view: View, what: str, listener: Array, speaker: Array) -> Flags:
        return view.between(what, np.asarray(listener, np.int64), np.asarray(speaker, np.int64)) < self.tells


def _counted(owner: Array, ties: Ties) -> Floats:
    return np.bincount(np.asarray(owner, np.int64), minlength=len(ties)).astype(np.float64)


def _like(view: View, name: str, values: Floats) -> Array:
    return np.asarray(values, dtype=view.own(name).dtype)
