"""The world `assist-v1`: an assistant that people call, with a database of which every call has a copy.

An item is what the assistant does in a turn (`dialogue.menu`): ask for a slot, recommend, name another one,
answer, book, offer more help, have it said again, put through, close. A model may also answer in acts
or text, and call tools (`dialogue.tools`); its item is then what its acts amount to. With a person's
final goal (constraints C, questions R, a booking or none), venue v and entity e that is booked:

    success       v has all of C; each answer that was heard is true of v; e is v, booked for the right
                  details, where a booking is wanted, and nothing is booked where none is;
                  where no entity has all of C: nothing is booked, and the person knows that nothing fits
    truth u_i     1 where item i brings the person on (`dialogue.worth`), else 0: in turns
    regret        max u − u_action: a turn wasted; and `missed` turns more in the last turn of a session
                  that is over without success
    reward        `success` once the end state is right (taken back if it no longer is), − `turn` each turn
                  (20 and 1 in PyDial; 80, 40 and 1 in ConvLab)
    harm          1 in a turn in which something was booked that the person does not want, else 0
    right         the action is among those that bring the person on

Success is read off the end state, never off what anybody says: a session may end with the goal met, as the
person believes, and be no success. It is recorded with every turn as it stands; the last one counts.

What a tool books takes hold here, in this call's own copy of the database (a row's column `booked`), and
is gone with the call. Noise on what people say is a setting of the world, and can drift: `noise.value`.
It departs from PyDial in that acts carry no confidence: what is heard is one best guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import Decisions, End, Offer, Outcomes, Responses, Turn
from rehearse.dialogue.acts import NO_SLOT, OTHER, Act, act_of, slot_of, value_of
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.menu import menu
from rehearse.dialogue.noise import Channel
from rehearse.dialogue.opinion import COLUMN, QUESTION, Judge
from rehearse.dialogue.talk import Said
from rehearse.dialogue.worth import as_utilities
from rehearse.environments.assist import camrest, domains
from rehearse.environments.assist.domains import client_of
from rehearse.exact import Floats
from rehearse.scenario.base import NotNegative, Share, Strict
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

Flags = NDArray[np.bool_]
UNHEARD = -1
KINDS = ("drop", "intent", "slot", "value")
ROUNDING = 1e-9
NOISE = "noise."
"""How the path of a drift begins that moves one of these chances."""


class Noise(Strict):
    """The chances that an act of a person is lost, or taken for another act, slot or value: one at most."""

    drop: Share = 0.0
    """It is lost."""
    intent: Share = 0.0
    """It is taken for another act."""
    slot: Share = 0.0
    """It is taken to be about another slot."""
    value: Share = 0.0
    """It is taken to say another value."""

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        whole = self.drop + self.intent + self.slot + self.value
        if whole > 1.0 + ROUNDING:
            problem = f"noise: an act is hit by one cause at most, and the chances add up to {whole:g}"
            raise ValueError(problem)
        return self


class Reward(Strict):
    """What the operator gains."""

    success: float = 20.0
    """What a conversation brings that did what the person wanted."""
    turn: NotNegative = 1.0
    """What each turn costs."""


class Opinions(Strict):
    """A language model that says what it thinks of how the assistant speaks."""

    client: str | domains.ClientSpec
    question: str = QUESTION
    """What it is asked; the answer, and that a number from 0 to 100 is wanted, follow."""


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    domain: str = "lodging"
    """A domain that ships, or a YAML file of one's own; data given for the run (CamRest676) replaces it."""
    client: str | domains.ClientSpec = ""
    """A language model that renders acts and reads text instead of the templates: the address of a chat
    model, or FILE.py:NAME of what gives something with `complete(prompt)`. None by itself."""
    judge: Opinions | None = None
    """Given: the column `opinion_politeness` has its opinion of every answer, 0 to 1."""
    noise: Noise = Noise()
    reward: Reward = Reward()
    missed: NotNegative = 10.0
    """How many turns a session without success is as bad as."""


def build(
    settings: Mapping[str, Any], *, data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> Assist:
    """Return the world; settings that make no sense are a ScenarioError that names their path."""
    del chance
    checked = check(Settings, dict(settings), under="world.settings")
    corpus = camrest.read(data) if data is not None else None
    domain = corpus.domain if corpus is not None else domains.load(checked.domain)
    if checked.client:
        domain = domains.worded(domain, checked.client)
    return Assist(checked, domain, corpus.goals if corpus is not None else None, drift)


class Assist:
    """An assistant's desk and database; see the module's docstring."""

    name = "assist-v1"
    coupled = False
    attributes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    may_change = ("noise", "reward", "missed")

    def __init__(
        self, settings: Settings, domain: Domain, goals: Columns | None, drift: tuple[Drift, ...]
    ) -> None:
        """Take the domain, and the goals of real people where there are any."""
        self.domain = domain
        self.items = menu(domain)
        self._settings, self._goals = settings, goals
        self._moves = Moves(drift, (NOISE + kind for kind in KINDS), "the world assist-v1")
        self.channel = Channel()
        self.judge = None if settings.judge is None else _judge(settings.judge)
        self._hear()

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the menu: the same for everybody."""
        del people
        attributes = np.zeros((len(self.items), 0))
        return Offer(attributes=attributes, features=np.zeros((len(turn), 0), dtype=np.float32))

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what each item would bring each person, in turns, shape (n, m)."""
        del offer
        return as_utilities(_raw(people, "due")[turn.rows], len(self.items))

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let bookings take hold, and judge the end state as it now stands."""
        worth = self.truth(turn, people, offer)
        action = decisions.action
        gained = worth[np.arange(len(turn)), np.maximum(action, 0)]
        regret = np.where(action >= 0, worth.max(axis=1) - gained, np.nan)
        booked, details, fresh = self._booked(turn, people, responses.said)
        success = self._succeeded(turn, people, booked, details, responses)
        before = _raw(people, "success")[turn.rows]
        missed = (responses.end != End.NONE) & ~success & (action >= 0)
        law = self._settings.reward
        took = responses.choice >= 0
        return Outcomes(
            reward=(law.success * (success.astype(np.float64) - before) - law.turn).astype(np.float32),
            experience=np.where(took, np.where(success, 1.0, 0.5), np.nan).astype(np.float32),
            ideal=worth.argmax(axis=1).astype(np.int32),
            regret=(regret + missed * self._settings.missed).astype(np.float32),
            right=np.where(action < 0, -1, gained > 0).astype(np.int8),
            harm=(fresh & self._wrongly(turn, people, booked, details)).astype(np.float32),
            becomes={"booked": booked, "booked_for": details, "success": success.astype(np.int8)},
            detail=_counts(responses.said) | self._opinions(responses.said),
        )

    def table(self) -> Columns | None:
        """Return the goals of the data's people, a row each, or None."""
        return self._goals

    def drift(self, tick: int) -> list[str]:
        """Let noise be what is scheduled for this tick; say each change in a sentence."""
        told = self._moves.enter(tick)
        self._hear()
        return told

    def state(self) -> dict[str, Array]:
        """Return the tick: all else follows from it and the schedule."""
        return self._moves.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go to the tick that `state` gave."""
        self._moves.restore(state)
        self._hear()

    def _opinions(self, said: Said | None) -> dict[str, Array]:
        return {} if self.judge is None or said is None else {COLUMN: self.judge.opinions(said)}

    def _hear(self) -> None:
        """Make the line as noisy as it is in the present tick."""
        for kind in KINDS:
            chance = self._moves.now(NOISE + kind, getattr(self._settings.noise, kind))
            setattr(self.channel, kind, min(max(chance, 0.0), 1.0))

    def _booked(
        self, turn: Turn, people: Columns, said: Said | None
    ) -> tuple[NDArray[np.int16], NDArray[np.int16], Flags]:
        """Return what is booked after the calls, for what details, and for whom that is new."""
        booked, details = _raw(people, "booked")[turn.rows], _raw(people, "booked_for")[turn.rows]
        fresh = np.zeros(len(turn), dtype=np.bool_)
        if said is None:
            return booked, details, fresh
        acts, slots, values = act_of(said.calls), slot_of(said.calls), value_of(said.calls)
        pending = np.zeros(len(turn), dtype=np.bool_)
        for place in np.flatnonzero((said.calls >= 0).any(axis=0)):
            act, slot, value = acts[:, place], slots[:, place], values[:, place]
            books = (act == Act.BOOK) & (value < len(self.domain.entities))
            booked[books], details[books] = value[books], UNHEARD
            pending = np.where(act == Act.BOOK, books, pending & (act != Act.FIND) & (act != Act.LOOK_UP))
            fresh |= books
            given = pending & (act == Act.INFORM) & (slot != NO_SLOT) & (value < OTHER)
            rows = np.flatnonzero(given & (slot >= self.domain.constraints) & (slot < self.domain.informable))
            details[rows, slot[rows] - self.domain.constraints] = value[rows]
            booked[act == Act.CANCEL] = UNHEARD
        return booked, details, fresh & (booked >= 0)

    def _wrongly(
        self, turn: Turn, people: Columns, booked: NDArray[np.int16], details: NDArray[np.int16]
    ) -> Flags:
        """Tell for whom something is booked that they do not want."""
        domain, want = self.domain, _raw(people, "goal_now")[turn.rows]
        wanted = want[:, domain.constraints : domain.informable]
        agrees = (wanted == details[:, : domain.booking]).all(axis=1)
        right = _raw(people, "goal_books")[turn.rows] & domain.fit(want, booked) & agrees
        return np.asarray((booked >= 0) & ~right)

    def _succeeded(
        self,
        turn: Turn,
        people: Columns,
        booked: NDArray[np.int16],
        details: NDArray[np.int16],
        responses: Responses,
    ) -> Flags:
        """Tell whose end state, as it stands, is what they wanted."""
        domain, rows = self.domain, turn.rows
        want, venue = _raw(people, "goal_now")[rows], _raw(people, "venue")[rows]
        asks, heard = _raw(people, "goal_asks")[rows], _raw(people, "answers")[rows]
        true = (~asks | (heard == domain.table[np.maximum(venue, 0)])).all(axis=1)
        books = _raw(people, "goal_books")[rows]
        booking = np.where(books, (booked == venue) & (booked >= 0), booked < 0)
        fine = booking & ~self._wrongly(turn, people, booked, details)
        served = domain.fit(want, venue) & true & fine
        vain = (responses.end == End.INFEASIBLE) & ~domain.fits(want).any(axis=1) & (booked < 0)
        return np.asarray(served | vain)


def _judge(asked: Opinions) -> Judge:
    return Judge(client_of(asked.client, "world.settings.judge"), asked.question)


def _counts(said: Said | None) -> dict[str, Array]:
    """Return how many acts people meant, how many came through as meant, and how many were answered."""
    if said is None:
        return {}
    meant, heard = said.meant >= 0, said.heard >= 0
    came = ((said.meant[:, :, None] == said.heard[:, None, :]) & meant[:, :, None]).any(axis=2)
    acts = act_of(said.meant)
    return {
        "acts": meant.sum(axis=1, dtype=np.int8),
        "informs": (acts == Act.INFORM).sum(axis=1, dtype=np.int8),
        "questions": (acts == Act.REQUEST).sum(axis=1, dtype=np.int8),
        "acts_heard": heard.sum(axis=1, dtype=np.int8),
        "acts_right": came.sum(axis=1, dtype=np.int8),
        "acts_answered": (said.answer >= 0).sum(axis=1, dtype=np.int8),
    }


def _raw(people: Columns, name: str) -> NDArray[Any]:
    return people[name]
