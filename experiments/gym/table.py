"""A table of chairs: who sits there, what they ask, and what came of the answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Codes, End, Exchange, Flags, Ints, Singles
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.experiments.gym.societies import Party, Society, Terms
from rehearse.record.recorder import columns_of

ASKED = ("replica", "user", "tick", "turn")
"""What is said of a question: whose it is, and when."""
LONGEST_WAIT = 20
"""After so many societies in which nobody opened a session, nobody is waited for any longer."""


@dataclass(slots=True)
class Round:
    """What came of the answers to all chairs; a chair that was free has zeros."""

    reward: Floats
    end: Codes
    """Why the session at each chair ended (an `End`), or NONE."""
    columns: dict[str, Array] = field(default_factory=dict)
    """The turns in the words of the record, a row a chair."""

    def note(self, exchange: Exchange, chairs: Ints) -> None:
        """Write down what came of a party."""
        seated = np.flatnonzero(chairs >= 0)
        at = chairs.take(seated)
        self.reward[at] = exchange.outcomes.reward.take(seated)
        self.end[at] = exchange.end.take(seated)
        for name, values in columns_of(exchange).items():
            if name not in self.columns:
                self.columns[name] = np.zeros((len(self.end), *values.shape[1:]), dtype=values.dtype)
            self.columns[name][at] = values.take(seated, axis=0)


class Table:
    """Chairs, and the people of a scenario who come to them, society after society."""

    def __init__(self, terms: Terms, chairs: int) -> None:
        self._terms = terms
        self._societies = [Society(terms, 0)]
        self._opened = 1
        self._parties: list[Party] = []
        self.stage = self._societies[0].stage
        self.taken: Flags = np.zeros(chairs, dtype=np.bool_)
        """Which chairs somebody sits on."""
        self.features: Singles = np.zeros((chairs, len(self.stage.features)), dtype=np.float32)
        """What a model may see of whoever sits there, or sat there last."""
        self.available: Flags = np.ones((chairs, len(self.stage.items)), dtype=np.bool_)
        """Which items they can have."""
        self.who = {name: np.zeros(chairs, dtype=np.int64) for name in ASKED}
        """Whom, and when."""

    def seat(self) -> None:
        """Let people come until all chairs are taken; raises UserError where nobody ever comes."""
        while not self.taken.all():
            self._welcome(self._host())

    def seat_again(self) -> bool:
        """Let the person whose life is followed come again; return whether that happened."""
        again = self._societies[0].has_guests()
        if again:
            self._welcome(self._societies[0])
        return again

    def answer(self, slates: Ints) -> Round:
        """Answer all chairs by slates (chairs, k); those whose session ends leave their chair."""
        made = Round(np.zeros(len(self.taken)), np.zeros(len(self.taken), dtype=np.int8))
        parties, self._parties = self._parties, []
        for party in parties:
            exchange = party.answer(slates)
            made.note(exchange, party.chairs)
            left = party.after(exchange)
            if left is not None:
                self._parties.append(left)
                self._look_at(left)
        self.taken &= made.end == End.NONE
        return made

    def clear(self) -> None:
        """Let everybody leave; a life that was followed is over."""
        for party in self._parties:
            party.dismiss()
        self._parties.clear()
        self.taken[:] = False
        if self._terms.life:
            self._societies = [society for society in self._societies if not society.begun]

    def still_here(self) -> bool:
        """Tell whether the person whose life is followed has not left for good."""
        society = self._societies[0]
        return bool(society.engine.users.columns["alive"][society.followed])

    def _host(self) -> Society:
        """Return the first society in which somebody waits for a chair, a new one if there is none."""
        for society in tuple(self._societies):
            if society.has_guests():
                return society
            if society.over:
                self._societies.remove(society)
        for _ in range(LONGEST_WAIT):
            society = Society(self._terms, self._opened)
            self._opened += 1
            if society.has_guests():
                self._societies.append(society)
                return society
        problem = f"nobody opened a session in {LONGEST_WAIT} societies of the scenario, one after another."
        raise UserError(problem, "Give people goals and reasons to come, or let more ticks pass (ticks=).")

    def _welcome(self, host: Society) -> None:
        party = host.sit(np.flatnonzero(~self.taken).astype(np.int32))
        self._parties.append(party)
        self.taken[party.chairs[party.chairs >= 0]] = True
        self._look_at(party)

    def _look_at(self, party: Party) -> None:
        seated = np.flatnonzero(party.chairs >= 0)
        at, requests = party.chairs.take(seated), party.asked.requests
        self.features[at] = requests.features.take(seated, axis=0)
        if requests.available is not None:
            self.available[at] = requests.available.take(seated, axis=0)
        else:
            self.available[at] = True
        self.who["replica"][at] = requests.replica.take(seated)
        self.who["user"][at] = requests.user.take(seated)
        self.who["tick"][at], self.who["turn"][at] = requests.tick, requests.turn
