"""A journey: a session as a Markov chain of states, a step after each turn, until an end is reached.

    P(next = j | state = i) = to_ij,  or taken_ij after a turn in which something was taken

With Q the chances among states and R those of the ends, N = (I − Q)^−1 are the expected numbers of turns
in each state, N·1 the expected turns of a session, (2N − I)·N·1 − (N·1)² their variance, and N·R the
chances of the ends (Kemeny and Snell, "Finite Markov chains", 1960). With states that look around it is
the chain of organic and bandit sessions of RecoGym (Rohde and others, arXiv:1808.00720, 2018).

The column `state` holds the number of the state, in the order of the scenario, in which a turn is held.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.blocks import chunks, raw
from rehearse.agents.choice import anything, worth
from rehearse.agents.laws.law import Law, Moment, Setting
from rehearse.columns import Rows
from rehearse.contract import NOTHING, Codes, End, Flags, Ints, Offer, Turn
from rehearse.exact import Floats
from rehearse.scenario import laws as written

LOOKED_AT = 1 << 16
"""Utilities held at once while people look around."""


def steps(chances: Mapping[str, float], names: tuple[str, ...]) -> Floats:
    """Return the running sums of chances in the order of names; the last that can happen takes the rest."""
    each = np.array([chances.get(name, 0.0) for name in names])
    reached = np.cumsum(each)
    reached[np.flatnonzero(each)[-1] :] = 1.0
    return reached


def follow(reached: Floats, uniform: Floats) -> Codes:
    """Return the next state or end of each person: running sums (n, s) and a uniform number each."""
    return np.asarray((reached <= uniform[:, None]).sum(axis=1), dtype=np.int8)


class Journey(Law):
    """Leaving when the journey has come to an end."""

    told: tuple[str, ...] = ("state",)

    def __init__(self, law: written.Journey, setting: Setting) -> None:
        """Make tables of the chances, and a column of the state."""
        self.states = tuple(law.states)
        names = (*law.states, *law.ends)
        self._people, self._chance = setting.columns, setting.chance
        self._start = steps(law.start, self.states)
        self._passed = np.stack([steps(state.to, names) for state in law.states.values()])
        self._taken = np.stack([steps(state.taken or state.to, names) for state in law.states.values()])
        self._around = np.array([state.looks == "around" for state in law.states.values()])
        ends = [End[word.upper()] for word in law.ends.values()]
        self._ends = np.array([End.NONE] * len(self.states) + ends, dtype=np.int8)
        for name in ("state", "state_next"):
            setting.add(name, np.zeros(setting.columns.length, dtype=np.int8))
        if self._around.any():
            self.told = ("state", "viewed")
            setting.add("viewed", np.full(setting.columns.length, NOTHING, dtype=np.int32))

    def open(self, rows: Rows, tick: int) -> None:
        """Begin in a state."""
        people = self._people
        replica, user = people["replica"].take(rows), people["user"].take(rows)
        uniform = self._chance.uniform("laws/journey", replica, user, tick=tick)[:, 0]
        people["state"][rows] = follow(np.broadcast_to(self._start, (len(rows), len(self._start))), uniform)
        if "viewed" in people:
            people["viewed"][rows] = NOTHING

    def ask(self, turn: Turn) -> None:
        """Enter the state that the last turn led to."""
        if turn.turn > 0:
            self._people["state"][turn.rows] = self._people["state_next"].take(turn.rows)

    def look_around(self, turn: Turn, offer: Offer, position: Codes) -> Flags:
        """Let those who look around see something by themselves; return who does.

        They take nothing of the slate: their `position` becomes -1. What they see is drawn from all that
        can be had, in proportion to e^(u/s).
        """
        around = self._around.take(raw(self._people, "state").take(turn.rows))
        if around.any():
            some = np.flatnonzero(around)
            position[some] = NOTHING
            self._people["viewed"][turn.rows.take(some)] = self._views(turn.take(some), offer.take(some))
        return around

    def meet(self, moment: Moment) -> Codes:
        """Go on to the next state; who comes to an end leaves."""
        state = raw(self._people, "state").take(moment.turn.rows)
        taken = moment.taken[:, None]
        reached = np.where(taken, self._taken.take(state, axis=0), self._passed.take(state, axis=0))
        following = follow(reached, moment.turn.uniform("laws/journey/step")[:, 0])
        self._people["state_next"][moment.turn.rows] = np.where(
            following < len(self.states), following, state
        )
        return self._ends.take(following)

    def _views(self, turn: Turn, offer: Offer) -> Ints:
        count = offer.attributes.shape[-2]
        uniform = turn.uniform("laws/journey/view")[:, 0]
        seen = np.empty(len(turn), dtype=np.int32)
        for piece in chunks(len(turn), max(1, LOOKED_AT // max(count, 1))):
            rows = turn.rows[piece]
            utilities = self._worths(rows, offer.take(np.arange(piece.start, piece.stop)), count)
            seen[piece] = anything(utilities, self._people.numbers("noise", rows), uniform[piece])
        return seen

    def _worths(self, rows: Rows, offer: Offer, count: int) -> NDArray[np.float64]:
        places = np.repeat(np.arange(count, dtype=np.int32)[:, None], len(rows), axis=1)
        utilities = worth(raw(self._people, "taste").take(rows, axis=0), offer.attributes, places)
        if offer.available is not None:
            utilities[~offer.available.T] = -np.inf
        return utilities
