"""People who call an assistant with a goal, and say what is on their agenda (`callers-v1`).

A session is a dialogue, a turn is what a person says and what the assistant answers. With goal G = (C, R),
constraints and questions, and agenda A (Schatzmann and others 2007; Schatzmann and Young 2009):

    begin    G among the goals of 1 to 3 entities; A = constraints over questions over goodbye
    say      the top item of A, and more of its kind in the same breath with a chance each
    noise    each act is lost, or taken for another one, before the assistant hears it (`Channel`)
    listen   answers are noted; what is not wanted is corrected; G changes where nothing fits
    push     what replies to the answer goes on top of A
    leave    after goodbye; when patience is below 1; after a contradiction with chance (1 − p/P)²

Chances are those of PyDial (`behaviour`), patience p of P turns falls by what annoys (`Drains`). Where it
departs: a person who is out of patience hangs up and says nothing more; of several questions that
an answer leaves open the first one comes back on top; an alternative that does not exist leaves the
person with the venue there was. Satisfaction moves towards what people rated such turns with (USS,
Sun and others 2021): .455 after "nothing fits", .485 after a question, .515 after information, .5175
after a booking; and to 0 when not understood, to 1 when all is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import features, population
from rehearse.agents.among import Among
from rehearse.agents.becoming import become
from rehearse.agents.dialogue import mind as minds
from rehearse.agents.dialogue.behaviour import Behaviour, CallerSettings
from rehearse.agents.dialogue.goals import GoalMaker
from rehearse.agents.dialogue.listening import Listener, draws
from rehearse.agents.dialogue.mind import Mind
from rehearse.agents.dialogue.speaking import DRAWS, plan, speak
from rehearse.agents.dialogue.tables import Table, Tables
from rehearse.agents.source import WORLD
from rehearse.agents.unfit import LIFE, SOCIETY, refuse
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows, everywhere
from rehearse.contract import (
    NOTHING,
    Codes,
    Decisions,
    End,
    Fault,
    Flags,
    Intent,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Turn,
    World,
    unanswered,
)
from rehearse.dialogue import menu
from rehearse.dialogue.acts import CALLED, NO_ACT, Act, packed, says
from rehearse.dialogue.belief import KEPT, Belief
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.noise import DRAWS as NOISE_DRAWS
from rehearse.dialogue.noise import Channel
from rehearse.dialogue.talk import NO_TEXT, Passage, Reply, Said, Talk
from rehearse.dialogue.worth import due
from rehearse.errors import ContractError, ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.people import People, Source
from rehearse.scenario.wrong import check

UNFIT = (*SOCIETY, *LIFE, "tastes", "laws")
FELT = ((Act.NOOFFER, 0.455), (Act.REQUEST, 0.485), (Act.INFORM, 0.515), (Act.BOOKED, 0.5175))
"""How satisfied people were with turns in which an assistant did this, 0 to 1: (rating − 1) / 4."""


def build(
    people: People, world: World, chance: Chance, replicas: NDArray[np.int32], only: Rows | None = None
) -> Callers:
    """Draw the people of a scenario; raises ScenarioError where the world holds no dialogue."""
    domain: Domain | None = getattr(world, "domain", None)
    if domain is None:
        problem = f"people.model callers-v1 calls an assistant, and the world {world.name!r} is no dialogue."
        raise ScenarioError(problem, "Use the world assist-v1, or people.model crowd-v1.")
    refuse(people, UNFIT, "Leave it out, or use people.model crowd-v1 in a world of items.")
    settings = check(CallerSettings, people.settings, under="people.settings")
    table = world.table()
    if table is not None and people.source is None:
        people = people.model_copy(update={"source": Source(table=WORLD)})
    own = tuple(name for name in Behaviour.model_fields if _has(people, name))
    drawn = population.draw(
        people,
        attributes=world.attributes,
        needs=own,
        table=table,
        chance=chance,
        replicas=replicas,
        only=only,
    )
    return Callers(people, drawn, settings, domain, getattr(world, "channel", Channel()), world, chance)


class Callers:
    """People who call an assistant (`contract.Users`); see the module's docstring."""

    coupled = False

    def __init__(
        self,
        people: People,
        drawn: Columns,
        settings: CallerSettings,
        domain: Domain,
        channel: Channel,
        world: World,
        chance: Chance,
    ) -> None:
        """Give people all that they have before the first call."""
        self.people, self.settings, self.domain, self.channel = people, settings, domain, channel
        self.items = world.items
        self.groups = population.group_names(people)
        self.traits = population.trait_names(drawn)
        situation = (*world.features, *_session_features(domain))
        self.feature_names = features.feature_names(situation, people.visible, self.traits)[:-1]
        self.columns = _columns(drawn, domain, settings)
        self._goals = GoalMaker(domain, settings.goals)
        self._chance = chance
        self._replicas = len(np.unique(np.asarray(drawn["replica"])))
        self._tables = Tables()

    @property
    def may_drift(self) -> tuple[str, ...]:
        """Return the columns that a schedule may move; `visits` weighs the chance to call."""
        known = (name for name in self.traits if _has(self.people, name) or name in self.people.visible)
        return ("visits", *(name for name in known if name != "patience"))

    def join(self, people: People, among: Among) -> None:
        """Be some of a population; people do not hear of one another."""

    def oversee(self, people: People, group: Callable[[], Array]) -> None:
        """Be whoever sums up people that shards hold."""

    def gathered(self, columns: Columns, tick: int) -> None:
        """Be seen with everybody's columns."""
        del tick
        self.columns = columns

    def open(self, tick: int) -> Rows:
        """Return who calls in this tick."""
        people = self.columns
        who = people["replica"], people["user"]
        u = self._chance.uniform("visit", *who, tick=tick)[:, 0]
        likely: Floats | float = self.settings.visit_rate
        if "visits" in people:
            likely = likely * people.numbers("visits")
        rows = np.flatnonzero(u < likely)
        for name in ("session", "sessions"):
            _raw(people, name)[rows] += 1
        _raw(people, "progress")[rows] = 0.0
        return rows

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what is on the agenda; the assistant hears what comes through."""
        table = self._tables.begin(turn.rows) if turn.turn == 0 else self._tables.of(turn.rows)
        mind = self._begin(turn) if turn.turn == 0 else Mind.of(self.columns, turn.rows)
        u = turn.uniform("say", DRAWS)
        said = speak(mind, self.domain, self._likely(turn.rows), u, first=turn.turn == 0)
        heard = said
        if not self.channel.clear:
            heard = self.channel.heard(said, self.domain, turn.uniform("noise", said.shape[1] * NOISE_DRAWS))
        belief = Belief.of(self.columns, turn.rows).hear(heard, self.domain)
        mind.due = due(self.domain, belief, mind.want, mind.books, said)
        mind.said = said
        _raw(self.columns, "due")[turn.rows] = mind.due
        talk = Talk(self.domain, heard, belief, turn.rows, tuple(table.past))
        table.meant, table.mind, table.talk = said, mind, talk
        return self._requests(turn, offer, talk)

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Listen: note, correct, change the goal, be pleased or not, leave or go on."""
        del offer
        table = self._tables.of(turn.rows)
        talk, mind = _spoken(table)
        reply = spoken(talk, decisions)
        answer = Said(self.domain, mind.goal, table.meant, talk.said, reply.said, reply.calls, reply.text)
        u = turn.uniform("listen", draws(reply.said.shape[1]))
        before = mind.progress
        listener = Listener(mind, self.domain, self._likely(turn.rows), u, reply.said, mind.said)
        listener.listen(self.settings.goals.change)
        error = decisions.fault != Fault.NONE
        listener.drained(self.settings.drains, error, decisions.latency.astype(np.float64) / 1000.0)
        end = self._end(mind, listener, decisions.fault)
        self._store(turn, mind, talk.belief.say(reply.said, self.domain))
        self._please(turn.rows, mind, listener, error)
        table.past.append(Passage(turn.rows, answer))
        on = ((mind.due >> np.maximum(decisions.action, 0)) & 1 == 1) | (mind.progress > before)
        taken = on & (decisions.action >= 0) & ~listener.contradicted
        return Responses(
            choice=np.where(taken, decisions.action, NOTHING).astype(np.int32),
            position=np.where(taken, 0, NOTHING).astype(np.int8),
            utility=np.where(taken, np.float32(1.0), np.float32(np.nan)),
            end=end,
            said=answer,
        )

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Take over what the world says becomes of people: what is booked for them."""
        del decisions, responses
        become(self.columns, turn.rows, outcomes)

    def close(self, turn: Turn, end: Codes) -> None:
        """Hang up."""
        del end
        if len(turn):
            self._tables.leave(turn.rows)

    def socialise(self, tick: int) -> None:
        """Do nothing: callers do not know one another."""

    def live(self, tick: int) -> None:
        """Let patience recover."""
        del tick
        patience, rested = _raw(self.columns, "patience"), _raw(self.columns, "patience_max")
        patience += np.float32(self.settings.recovery) * (rested - patience)

    def summary(self) -> dict[str, Floats]:
        """Return mean satisfaction by replica."""
        satisfaction = self.columns.numbers("satisfaction").reshape(self._replicas, -1)
        return {"satisfaction": satisfaction.mean(axis=1)}

    def _begin(self, turn: Turn) -> Mind:
        mind = minds.begin(self.columns, turn.rows, self._goals.draw(turn, self.columns))
        slots = len(self.domain.slots)
        u = turn.uniform("plan", 2 * slots)
        plan(mind, self.domain, u[:, :slots], self.settings.goals.disclosure, u[:, slots:])
        mind.store(self.columns, turn.rows)
        return mind

    def _store(self, turn: Turn, mind: Mind, belief: Belief) -> None:
        mind.store(self.columns, turn.rows)
        for name, column in KEPT.items():
            _raw(self.columns, column)[turn.rows] = getattr(belief, name)
        _raw(self.columns, "progress")[turn.rows] = mind.progress

    def _please(self, rows: Rows, mind: Mind, listener: Listener, error: Flags) -> None:
        felt = np.full(len(rows), 0.5)
        for act, level in FELT:
            felt[says(listener.answer, act)] = level
        felt[mind.complete] = 1.0
        felt[listener.repeated | listener.puzzled | listener.contradicted | error] = 0.0
        satisfaction = _raw(self.columns, "satisfaction")
        was = satisfaction[rows].astype(np.float64)
        satisfaction[rows] = was + self.settings.satisfaction_rate * (felt - was)

    def _end(self, mind: Mind, listener: Listener, fault: Codes) -> Codes:
        end = np.zeros(len(mind), dtype=np.int8)
        done = mind.complete
        stops = says(listener.answer, Act.BYE)
        end[listener.leaves()] = End.ABANDONED
        failed = (end == End.ABANDONED) & (fault != Fault.NONE)
        end[failed] = unanswered(fault[failed])
        end[stops] = End.POLICY_STOP
        end[says(listener.answer, Act.TRANSFER)] = End.TRANSFERRED
        goes = says(mind.said, Act.BYE)
        end[goes] = np.where(mind.ending > 0, mind.ending, End.USER_STOP)[goes]
        end[done & (goes | stops)] = End.GOAL_MET
        return end

    def _likely(self, rows: Rows) -> Callable[[str], Floats | float]:
        """Return how likely a behaviour is: a trait of that name, or the setting."""

        def likely(name: str) -> Floats | float:
            if name in self.columns:
                return self.columns.numbers(name, rows)
            return float(getattr(self.settings.behaviour, name))

        return likely

    def _requests(self, turn: Turn, offer: Offer, talk: Talk) -> Requests:
        n = len(turn)
        intent = np.full(n, Intent.MORE if turn.turn else Intent.FIRST, dtype=np.int8)
        visible = [
            _raw(self.columns, features.RENAMED.get(v, v)).take(turn.rows) for v in self.people.visible
        ]
        last = [np.asarray(column)[:, None] for column in (*visible, everywhere(turn.turn, n, np.float32))]
        seen = [offer.features, _seen(talk), *last]
        return Requests(
            names=self.feature_names,
            features=np.concatenate(seen, axis=1, dtype=np.float32),
            items=self.items,
            replica=turn.replica,
            user=turn.user,
            tick=turn.tick,
            turn=turn.turn,
            intent=intent,
            group=_raw(self.columns, "group").take(turn.rows),
            shown=np.empty((n, 0), dtype=np.int32),
            available=offer.available,
            chance=turn.chance,
            talk=talk,
        )


def _spoken(table: Table) -> tuple[Talk, Mind]:
    """Return what was said last at a table, and by whom; raises ContractError where nobody has spoken."""
    if table.talk is None or table.mind is None:
        problem = "callers were asked to respond before they said anything."
        raise ContractError(problem, "Call ask before respond.")
    return table.talk, table.mind


def spoken(talk: Talk, decisions: Decisions) -> Reply:
    """Return what assistants say: in their own words, or as the house puts the item that they answered.

    The house speaks too where a guard, a fault or a what-if has put another item in place of the answer.
    """
    own = decisions.reply if decisions.reply is not None else Reply.silent(len(talk))
    item = np.asarray(decisions.action, dtype=np.int32)
    theirs = (menu.item_of(talk.domain, own.said) == item) & (item >= 0)
    said, calls, text = own.said.copy(), own.calls.copy(), np.where(theirs, own.text, NO_TEXT)
    rows = np.flatnonzero(~theirs)
    if len(rows):
        house = menu.speak(talk.domain, talk.belief.take(rows), item[rows])
        # Who called tools and then answered with an item did both.
        both = np.where(((said[rows] >= 0).any(axis=1) | (item[rows] < 0))[:, None], NO_ACT, calls[rows])
        said[rows], calls[rows] = house.said, packed(np.concatenate([both, house.calls], axis=1), CALLED)
    return Reply(said, calls, text)


def _session_features(domain: Domain) -> tuple[str, ...]:
    known = (f"known_{slot}" for slot in domain.slots[: domain.informable])
    return (*known, "matches", "venue", "booked", "questions", *_HEARD.values())


_HEARD = {
    Act.INFORM: "informs", Act.REQUEST: "requests", Act.REQALTS: "alternatives", Act.BOOK: "books",
    Act.NEGATE: "negates", Act.BYE: "bye",
}  # fmt: skip


def _seen(talk: Talk) -> NDArray[np.float32]:
    belief, domain = talk.belief, talk.domain
    known = belief.known[:, : domain.informable] != -1
    matches = domain.fits(belief.known).sum(axis=1) / len(domain.table)
    heard = [belief.did(act) for act in _HEARD]
    parts = [
        *known.T, matches, belief.venue >= 0, belief.booked >= 0, belief.asked.sum(axis=1), *heard,
    ]  # fmt: skip
    return np.stack([np.asarray(part, dtype=np.float32) for part in parts], axis=1)


def _columns(drawn: Columns, domain: Domain, settings: CallerSettings) -> Columns:
    columns = Columns(dict(drawn), length=drawn.length)
    n = drawn.length
    columns["alive"] = np.ones(n, dtype=np.bool_)
    columns["sessions"] = np.zeros(n, dtype=np.int32)
    columns["session"] = np.full(n, NOTHING, dtype=np.int32)
    columns["patience_max"] = np.array(drawn["patience"], dtype=np.float32)
    columns["patience"] = np.array(drawn["patience"], dtype=np.float32)
    columns["satisfaction"] = np.full(n, settings.satisfaction_start, dtype=np.float32)
    columns["progress"] = np.zeros(n, dtype=np.float32)
    minds.add_columns(columns, domain)
    return columns


def _has(people: People, name: str) -> bool:
    return name in people.traits or any(name in segment.traits for segment in people.segments)


def _raw(columns: Mapping[str, Array], name: str) -> NDArray[Any]:
    return columns[name]
