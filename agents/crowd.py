"""The crowd: all people of a run as columns, acting as the engine's `Users`.

This module says in which order things happen to people; what happens stands in the modules it
calls: `features` (ask), `appraisal` and `choice` (respond), `feelings`, `patience`, `memory`, `goals`,
`measures`. Each behaviour of one person is written out again, readable line by line, in `scalar`.

Columns besides those that `population.draw` makes, one row a person:

    alive, adopted                                     is here; uses the model
    sessions, session                                  sessions opened; the number of the present one, from 0
    intent, refusals, shown (n, 10)                    what this session has come to
    satisfaction, patience, patience_max               0 to 1; turns left; turns when rested
    trust, habit, memory_* (n, k)                      what memory holds
    progress, goal_* (n, g), goals_met, goals_given_up what is wanted, and how far it is got
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import features, graph, had, measures, memory, patience, population, start
from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.appraisal import appraise
from rehearse.agents.becoming import become
from rehearse.agents.blocks import chunks, moved, raw
from rehearse.agents.feelings import Feelings
from rehearse.agents.goals import Agenda, Goals, places, widen
from rehearse.agents.laws.conduct import MADE, Conduct
from rehearse.agents.laws.law import Setting
from rehearse.agents.lifecycle import Lifecycle
from rehearse.agents.manners import Manners
from rehearse.agents.social.circles import Circles, meet
from rehearse.agents.social.loading import Given
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import (
    NOTHING,
    Codes,
    Decisions,
    End,
    Fault,
    Intent,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Turn,
    World,
)
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.people import People
from rehearse.scenario.society import FRIENDS

QUIT, CONTENT, CHOOSE = 0, 1, 2
"""Which of a turn's draws serves what; from CHOOSE on one for the logit, or one a place for the cascade."""


def build(
    people: People,
    world: World,
    chance: Chance,
    replicas: NDArray[np.int32],
    only: Rows | None = None,
) -> Crowd:
    """Draw the people of a scenario and tie them to one another.

    `only` keeps just these user ids in each replica; it is for people who do not influence one
    another, and raises ScenarioError for others.
    """
    drawn = population.draw(
        people,
        attributes=world.attributes,
        needs=tuple(name for name in world.needs if people.laws is None or name not in MADE),
        table=world.table(),
        chance=chance,
        replicas=replicas,
        only=only,
    )
    layers: dict[str, Ties] = {}
    if only is None:
        groups = np.asarray(drawn["group"], dtype=np.int8)
        layers = graph.build_all(
            people.society, count=people.count, replicas=replicas, groups=groups, chance=chance
        )
    elif meet(people) and (people.society.graphs or people.society.rules):
        problem = "people.society: only some people were asked for, but they are influenced by others."
        raise ScenarioError(problem, "Run everybody, or set people.society.graph.kind to none.")
    return Crowd(
        people,
        drawn,
        chance=chance,
        items=world.items,
        situation=world.features,
        ties=layers.pop(FRIENDS, None),
        layers=layers,
        replicas=replicas,
        refusals=getattr(world, "refusals", ()),
        attributes=world.attributes,
    )


class Crowd:
    """People who ask, choose, remember, influence one another and live on (`contract.Users`)."""

    def __init__(
        self,
        people: People,
        drawn: Columns,
        *,
        chance: Chance,
        items: tuple[str, ...],
        situation: tuple[str, ...] = (),
        ties: Ties | None = None,
        layers: Mapping[str, Ties] | None = None,
        replicas: NDArray[np.int32] | None = None,
        refusals: tuple[str, ...] = (),
        attributes: tuple[str, ...] = (),
    ) -> None:
        """Take what was drawn, and give people all that they have before the first tick.

        `ties` are those of the layer `friends`; `layers` are all others. `refusals` are items that
        nobody can take.
        """
        self.people = people
        self.items = items
        self._refusals = np.array([items.index(name) for name in refusals], np.int32) if refusals else None
        self.ties = ties
        self.replicas = np.unique(drawn["replica"]) if replicas is None else replicas
        self.groups = population.group_names(people)
        self.traits = population.trait_names(drawn)
        self.agenda = Agenda.of(people.goals)
        self.columns = start.begin(people, drawn, len(items))
        self.conduct = Conduct(people.laws, Setting(self.columns, attributes, chance))
        known = (*self.traits, *(name for name in self.conduct.told if name not in self.traits))
        self.feature_names = features.feature_names(situation, people.visible, known)
        self._life = Lifecycle(people, self.columns, chance)
        self._manners = Manners(people.manners, self.columns, self.feature_names, chance)
        self._goals = Goals(self.agenda, self.columns, chance)
        self._goals.begin(np.arange(self.columns.length), 0)
        self._circles = Circles(people.society, ties, layers or {}, chance, len(self.replicas))
        self._circles.begin(self.columns)
        self.coupled = self._circles.coupled or (ties is not None and meet(people))
        measures.begin(people.society.emergence, self.columns)
        self._chance = chance
        self._among = EVERYBODY
        self._by_adoption = "adopted" in drawn
        self._offer: Offer | None = None

    def join(self, people: People, among: Among) -> None:
        """Be some of a population with these rules, and hear of the others.

        It is for people who were built by themselves, without a society.
        """
        self.people, self._among = people, among
        layers = self._layers(people, lambda: among.whole(self.columns)["group"])
        friends = layers.pop(FRIENDS, None)
        self._circles = Circles(people.society, friends, layers, self._chance, len(self.replicas), among)
        self._circles.begin(self.columns)
        self.ties = None if friends is None else among.of(friends)
        self.coupled = self._circles.coupled or (friends is not None and meet(people))
        measures.begin(people.society.emergence, self.columns)

    def oversee(self, people: People, group: Callable[[], Array]) -> None:
        """Be whoever sums up a population that shards hold; `group` returns everybody's groups.

        It is for people who were built by themselves, without a society.
        """
        self.people = people
        layers = self._layers(people, group)
        self.ties = layers.pop(FRIENDS, None)
        self._circles = Circles(people.society, self.ties, layers, self._chance, len(self.replicas))

    def _layers(self, people: People, group: Callable[[], Array]) -> dict[str, Ties]:
        by_group = any(graph.kind == "stochastic_block" for graph in people.society.graphs.values())
        everybody = people.count * len(self.replicas)
        return graph.build_all(
            people.society,
            count=people.count,
            replicas=np.asarray(self.replicas, dtype=np.int32),
            groups=np.asarray(group(), np.int8) if by_group else np.zeros(everybody, np.int8),
            chance=self._chance,
        )

    def change(self, people: People) -> None:
        """Go on by other rules; who people are and what they have by now stays."""
        self.people, self.agenda = people, Agenda.of(people.goals)
        widen(self.columns, places(people))
        had.begin(self.columns, len(self.items), repeats=people.behaviour.repeats)
        self._goals = Goals(self.agenda, self.columns, self._chance)
        self._life.change(people)
        self._circles.change(people.society)
        self._circles.begin(self.columns)
        self.coupled = self._circles.coupled or (self.ties is not None and meet(people))

    def add_rule(
        self, given: Given, settings: Mapping[str, Any] | None = None, layer: str | None = None
    ) -> None:
        """Let one more social rule work from the next tick on: a name, a function or a `Rule`."""
        self._circles.add(given, settings, layer, self.columns)
        self.coupled = True

    def tie(self, given: Any, weight: str | None = None) -> None:
        """Let people know one another as in a networkx graph, the same in every replica."""
        self.ties = self._circles.tie(given, weight, self.columns, self.people.society)
        self.coupled = self._circles.coupled or meet(self.people)

    def open(self, tick: int) -> Rows:
        """Return who opens a session: those who are here, want something and feel like coming."""
        self._goals.begin(self._life.admit(tick), tick)
        came = [self._come(piece, tick) for piece in chunks(self.columns.length)]
        rows = np.concatenate(came) if came else np.zeros(0, dtype=np.int64)
        columns = self.columns
        who = slice(None) if len(rows) == columns.length else rows
        raw(columns, "sessions")[who] += 1
        raw(columns, "session")[who] += 1
        columns["adopted"][who] = True
        columns["intent"][who] = Intent.FIRST
        columns["refusals"][who] = 0
        columns["shown"][who] = NOTHING
        self.conduct.open(rows, tick)
        return rows

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person asks, and what the model may see of them."""
        self.conduct.ask(turn)
        visible = self.people.visible
        asked = features.ask(
            turn, offer, self.columns, items=self.items, names=self.feature_names, visible=visible
        )
        return self._manners.says(turn, asked)

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Choose, count it towards the goal, lose patience, be pleased or not, leave or go on."""
        self._offer = offer
        seen = appraise(
            turn, offer, decisions, people=self.people, goals=self._goals, refusals=self._refusals
        )
        behaviour = self.people.behaviour
        draws = turn.uniform("respond", CHOOSE + self.conduct.draws(behaviour, len(seen.places)))
        position, away = self.conduct.choose(turn, offer, seen, draws[:, CHOOSE:], behaviour)
        position = self._manners.answers(turn, seen, position)
        taken = position >= 0
        cell = np.maximum(position, 0).astype(np.int64) * len(turn) + np.arange(len(turn))
        utility = np.where(taken, seen.utilities.reshape(-1).take(cell), np.nan)
        surplus = utility - seen.outside
        progress = self._goals.advance(turn.rows, taken, surplus)
        error = decisions.fault != Fault.NONE
        setbacks = self._feelings.setbacks(turn, seen, error)
        setback = setbacks.felt(behaviour.drains)
        end = patience.reasons(
            content=taken & ~setback & (draws[:, CONTENT] < behaviour.content),
            leaves=self._feelings.lose_patience(turn, decisions, setbacks, draws[:, QUIT]),
            fault=decisions.fault,
            progress=progress,
            available=offer.available,
        )
        attending = slice(None) if away is None else ~away
        impression = patience.impression(surplus, taken, error)
        self._feelings.please(turn.rows[attending], impression[attending])
        self._feelings.note(turn, decisions, taken, error)
        choice = np.where(taken, seen.places.reshape(-1).take(cell), np.int32(NOTHING))
        responses = Responses(choice, position, utility.astype(np.float32), end)
        end, seconds = self.conduct.meet(turn, offer, responses)
        return replace(responses, end=end, seconds=seconds)

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Take in how it turned out, and what becomes of people by it."""
        become(self.columns, turn.rows, outcomes)
        self.conduct.remember(turn, responses, outcomes)
        self._goals.take_back(turn.rows, outcomes.missed)
        if not self.people.behaviour.repeats:
            got = responses.without(outcomes.missed).choice
            had.note(self.columns, turn.rows[got >= 0], got[got >= 0])
        lived = np.flatnonzero((responses.choice >= 0) & ~np.isnan(outcomes.experience))
        rows = turn.rows.take(lived)
        item = responses.choice.take(lived)
        experience = outcomes.experience.take(lived).astype(np.float64)
        self._feelings.please(rows, experience)
        if self.agenda.learning.any():
            self._goals.learn(rows, experience)
        if self.people.behaviour.taste_change != 0.0 and self._offer is not None:
            attributes = self._offer.take(lived).of(item[:, None])[:, 0]
            self._feelings.change_tastes(rows, attributes, experience)
        if self.people.memory.on:
            memory.push(self.columns, rows, item, experience)
            self._feelings.trust(rows, experience)
            self._feelings.trust(turn.rows[decisions.fault != Fault.NONE], 0.0)

    def close(self, turn: Turn, end: Codes) -> None:
        """End the session of these people, each for a reason."""
        self.conduct.close(turn)
        met, left = end == End.GOAL_MET, end == End.ABANDONED
        self._goals.met(turn.rows[met], turn.tick)
        vain = left | (end == End.POLICY_ERROR) | (end == End.INFRA_ERROR)
        if vain.any() and self.agenda.disappointment.any():
            some = turn.where(vain)
            self._goals.disappoint(some.rows, some.uniform("close")[:, 0])
        if self.people.memory.on:
            self._feelings.trust(turn.rows[left], 0.0)

    def socialise(self, tick: int) -> None:
        """Influence one another along the ties, in the order in which the scenario names the ways."""
        if self.ties is not None:
            self._life.look(self.ties, self._among)
        self.ties = self._circles.advance(self.columns, self.ties, tick)

    def live(self, tick: int) -> None:
        """Let a tick pass: people rest, forget, come and go; goals expire and arise."""
        for piece in chunks(self.columns.length):
            rows = np.arange(piece.start, piece.stop)
            self._feelings.rest(piece)
            self._life.decide(piece, tick)
            self._goals.expire(piece, tick)
            for kind, rate in enumerate(self.agenda.rate):
                self._goals.arise("rate", rows, kind, rate, first=tick + 1)
        if self.ties is not None:
            self._goals.catch(self.ties, self._among, tick + 1)
        for column, goal, kind in self._circles.woken(self.agenda.names):
            self._goals.arise(f"word/{goal}", np.flatnonzero(self.columns[column]), kind, 1.0, first=tick + 1)
        self.columns["goal_just_met"][:] = NOTHING
        measures.note_adoptions(self.people.society.emergence, self.columns, self.ties, tick, self._among)

    def summary(self) -> dict[str, Floats]:
        """Return measures of the society now, each of shape (replicas,)."""
        count = len(self.replicas)
        ties = None if self.ties is None else self._life.ties(self.ties)
        found = measures.summary(self.columns, count, ties, self.people.society.emergence)
        return found | self._life.census(count) | self._circles.measures(self.columns)

    @property
    def may_drift(self) -> tuple[str, ...]:
        """Return the columns that a schedule may move besides tastes; `visits` weighs the chance to come."""
        moving = start.STARTS.union(self.conduct.told)
        return ("visits", *(name for name in self.traits if name not in moving))

    @property
    def told(self) -> tuple[str, ...]:
        """Return the columns that the record tells of each turn besides the usual ones."""
        return self.conduct.told

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """Return what the codes in columns of manners and of social rules are called."""
        return self._manners.words | self._circles.words()

    def state(self) -> dict[str, Array]:
        """Return what must be kept to go on later besides the columns: ties that have changed."""
        return self._circles.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._circles.restore(state)
        self.ties = self._circles.friends(self.ties)

    def gathered(self, columns: Columns, tick: int) -> None:
        """Be seen, by `summary`, with everybody's columns as shards hold them at the end of a tick."""
        self.columns = columns
        self._life.gathered(columns, tick)

    @property
    def _feelings(self) -> Feelings:
        return Feelings(self.people, self.columns)

    def _come(self, piece: slice, tick: int) -> Rows:
        columns, mind, behaviour = self.columns, self.people.memory, self.people.behaviour
        wants = raw(columns, "alive")[piece] & (raw(columns, "goal_kind")[piece, 0] >= 0)
        if self._by_adoption:
            wants &= raw(columns, "adopted")[piece]
        wants = self.conduct.come(piece, tick, wants)
        rows: Rows = piece.start + np.flatnonzero(wants)
        likely: Floats | float = behaviour.visit_rate
        if mind.on:
            likely = memory.visit_chance(
                columns.numbers("trust", rows),
                columns.numbers("habit", rows),
                rate=behaviour.visit_rate,
                by_trust=behaviour.visit_trust,
                by_habit=mind.habit_weight,
            )
        drawn = self._chance.uniform("visit", columns["replica"][rows], columns["user"][rows], tick=tick)
        if "visits" in columns:
            likely = likely * columns.numbers("visits", rows)
        comes = drawn[:, 0] < likely
        if mind.on:
            habit = columns.numbers("habit", rows)
            columns["habit"][rows] = moved(habit, comes.astype(np.float64), mind.habit_rate)
        return rows[comes]
