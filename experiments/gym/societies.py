"""Societies whose sessions are held from outside, on chairs.

The engine is the one that runs every rehearsal; what stands here says only who sits down when. A
society is a replica of the scenario. People meet only between sessions, so that the sessions of a
tick may be held in any order and any company. Where they may not (a queue, stock: the world is
coupled), all sessions of a tick are held together, and whoever has no chair is answered by a policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Rows
from rehearse.contract import NOTHING, Decisions, End, Exchange, Ints, Stage
from rehearse.engine import Asked
from rehearse.experiments.build import Props, assemble
from rehearse.policies.given import Given
from rehearse.policies.loading import load
from rehearse.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms people come to chairs."""

    scenario: Scenario
    data: Path | None = None
    others: str | None = None
    """The policy of those without a chair; None: the scenario's. It does not learn."""
    life: bool = False
    """Whether one person is followed through all sessions of a life."""


@dataclass(frozen=True, slots=True)
class Party:
    """People of a society who sat down at the same time and go on together, turn by turn."""

    society: Society
    asked: Asked
    chairs: Ints
    """The chair of each person, shape (n,); NOTHING for those without one."""

    def answer(self, slates: Ints) -> Exchange:
        """Answer people by the slates of their chairs, shape (chairs, k); return what came of it."""
        decisions = self.society.decided(self.asked, slates[self.chairs], self.chairs)
        return self.society.engine.follow(self.asked, decisions)

    def after(self, exchange: Exchange) -> Party | None:
        """Return those who are still there after a turn; None: nobody on a chair is."""
        asked = self.society.engine.go_on(exchange)
        chairs = self.chairs[exchange.end == End.NONE]
        if asked is not None and (chairs >= 0).any():
            return Party(self.society, asked, chairs)
        self.society.play_out(asked)
        self.society.parties -= 1
        return None

    def dismiss(self) -> None:
        """End the sessions from outside; where they are held together, the others' policy takes over."""
        turn = self.asked.turn
        if self.society.together:
            self.society.play_out(self.asked)
        else:
            stop = np.full(len(turn), End.POLICY_STOP, dtype=np.int8)
            self.society.engine.users.close(turn, stop)
        self.society.parties -= 1


class Society:
    """A replica of a scenario, one tick after another; `number` says which, and in lives also whose."""

    def __init__(self, terms: Terms, number: int) -> None:
        count = terms.scenario.people.count
        replica, user = divmod(number, count) if terms.life else (number, NOTHING)
        self._terms = terms

        def policy(settings: Mapping[str, Any], stage: Stage) -> Given:
            ref, own = (terms.scenario.policy.name, settings) if terms.others is None else (terms.others, {})
            return Given(lambda: load(ref, stage, own), stage)

        props = Props(policy=policy, data=terms.data, replicas=[replica], tile=0)
        assembly = assemble(terms.scenario, props)
        self.engine, self.stage, self._policy = assembly.simulation, assembly.stage, assembly.policy
        self.followed = int(np.searchsorted(self.engine.users.columns["user"], user))
        """In a life, the row of the person."""
        self.together = self.engine.world.coupled or (terms.life and assembly.coupled)
        self.parties = 0
        """How many parties are at the table."""
        self._waiting: Rows = np.zeros(0, dtype=np.int64)
        # Whether its first tick has begun, and its last is over.
        self.begun = self.over = False

    def has_guests(self) -> bool:
        """Tell whether somebody waits for a chair, after letting ticks pass if nobody does."""
        while not len(self._waiting):
            if self.parties or not self._next_tick():
                return False
        return True

    def sit(self, chairs: Ints) -> Party:
        """Let those who wait sit down on free chairs: as many as there are, or all come along."""
        if self.together:
            rows, self._waiting = self._waiting, self._waiting[:0]
            chairs = self._dealt(rows, chairs)
        else:
            rows, self._waiting = np.split(self._waiting, [len(chairs)])
            chairs = chairs[: len(rows)]
        self.parties += 1
        return Party(self, self.engine.open(rows), chairs)

    def decided(self, asked: Asked, slates: Ints, chairs: Ints) -> Decisions:
        """Return the answers to people, those from outside within the scenario's conditions."""
        given: Any = self._policy.asked.policy
        given.lay_down(slates, chairs >= 0)
        return self._policy.decide(asked.requests)

    def play_out(self, asked: Asked | None) -> None:
        """Hold sessions to their end with nobody on a chair."""
        while asked is not None:
            chairs = np.full(len(asked.turn), NOTHING, dtype=np.int32)
            decisions = self.decided(asked, chairs[:, None], chairs)
            asked = self.engine.go_on(self.engine.follow(asked, decisions))

    def _next_tick(self) -> bool:
        if self.begun and not self.over:
            self.engine.finish()
        self.begun, self.over = True, self.engine.tick >= self.engine.time.ticks
        if self.over:
            return False
        rows = self.engine.begin()
        if self._terms.life and self.followed not in rows:
            rows = self._without_the_followed(rows)
        elif self._terms.life and not self.together:
            rows = np.array([self.followed], dtype=np.int64)
        self._waiting = rows
        return True

    def _without_the_followed(self, rows: Rows) -> Rows:
        if self.together and len(rows):
            self.play_out(self.engine.open(rows))
        return rows[:0]

    def _dealt(self, rows: Rows, chairs: Ints) -> Ints:
        """Deal chairs to some of the people, in a life to the one followed, else to others at each tick."""
        dealt = np.full(len(rows), NOTHING, dtype=np.int32)
        count = min(len(rows), len(chairs))
        first = np.searchsorted(rows, self.followed) if self._terms.life else self.engine.tick * count
        dealt[(first + np.arange(count)) % len(rows)] = chairs[:count]
        return dealt
