"""The people of the common workload: tastes, moods and a ring of memories, and nothing more.

They hold one session a tick with whatever ranks a slate for them (`scrolling` says what they do in a
turn); after the sessions their tastes mix by a tenth with the mean of their friends'. The workload is
what agent-based frameworks are compared on: it asks for every part of the engine once.

Columns, one row a person, besides those that every population has:

    taste (n, 16), covariates (n, 4)                         drawn; who they are
    memory_item, memory_value (n, 8), memory_next            the last items taken and their outcomes
    outcome                                                  how the last turn turned out
    patience, patience_max                                   turns left; 5 to 10 when rested
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import graph
from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.blocks import chunks
from rehearse.agents.scrolling import COVARIATES, DIMS, RING, Catalogue, observe, scroll
from rehearse.agents.social.averaging import DeGroot
from rehearse.agents.social.drive import work
from rehearse.agents.social.rule import View
from rehearse.agents.ties import Ties
from rehearse.agents.unfit import LIFE, refuse
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows, everywhere
from rehearse.contract import Codes, Decisions, Offer, Outcomes, Requests, Responses, Turn, World
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.people import People

UNFIT = (*LIFE, "laws", "traits", "tastes", "segments", "groups", "visible", "source")
SPREAD = 0.25
"""The standard deviation of tastes: 16 of them make a vector of length about 1."""
LEAST_PATIENCE, PATIENCES = 5, 6
MOOD = 0.6
MIX = 0.1
FEATURES = (
    *(f"remembered_{i}" for i in range(DIMS)),
    *(f"outcome_{i}" for i in range(RING)),
    *("turn", "session", "last_outcome", "patience"),
    *(f"covariate_{i}" for i in range(COVARIATES)),
)


def build(
    people: People,
    world: World,
    chance: Chance,
    replicas: NDArray[np.int32],
    only: Rows | None = None,
) -> Scrollers:
    """Draw the people of the workload; raises ScenarioError where the world's items have other dimensions.

    `only` keeps just these user ids in each replica; it is for people who do not know one another.
    """
    if len(world.attributes) != DIMS + 1:
        problem = f"people.model workload-v1 needs items of {DIMS} dimensions and a quality, and the world "
        problem += f"{world.name!r} has the attributes {', '.join(world.attributes[:4])} …"
        raise ScenarioError(problem, "Use the world workload-v1, or people.model crowd-v1.")
    refuse(people, UNFIT, "Leave it out, or use people.model crowd-v1.")
    ids = np.arange(people.count, dtype=np.int64) if only is None else np.asarray(only, dtype=np.int64)
    columns = _drawn(ids, chance, replicas)
    if people.society.graph.kind != "none" and only is not None:
        problem = "people.society: only some people were asked for, but they are influenced by others."
        raise ScenarioError(problem, "Run everybody, or set people.society.graph.kind to none.")
    ties = _ties(people, chance, replicas)
    return Scrollers(columns, world.items, ties, chance)


class Scrollers:
    """People who scroll through slates (`contract.Users`)."""

    groups: tuple[str, ...] = ("all",)
    feature_names: tuple[str, ...] = FEATURES

    def __init__(self, columns: Columns, items: tuple[str, ...], ties: Ties | None, chance: Chance) -> None:
        self.columns = columns
        self.items = items
        self.ties = ties
        self.coupled = ties is not None
        self._chance = chance
        self._among = EVERYBODY
        self._numbers = np.unique(np.asarray(columns["replica"], dtype=np.int32))
        self._replicas = len(self._numbers)
        self._table: NDArray[np.floating] | None = None

    def join(self, people: People, among: Among) -> None:
        """Be some of a population, and hear of the others."""
        self._among = among
        ties = _ties(people, self._chance, self._numbers)
        self.ties = None if ties is None else among.of(ties)
        self.coupled = ties is not None

    def oversee(self, people: People, group: Callable[[], Array]) -> None:
        """Be whoever sums up people that shards hold: know who their friends are."""
        del group
        self.ties = _ties(people, self._chance, self._numbers)

    def open(self, tick: int) -> Rows:
        """Let everybody open a session."""
        people = self.columns
        for name in ("session", "sessions"):
            people[name][...] = np.asarray(people[name], dtype=np.int32) + 1
        people["patience"][...] = people["patience_max"]
        return np.arange(people.length, dtype=np.int64)

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Show the model what there is to see of these people."""
        n = len(turn)
        nothing: Codes = everywhere(0, n, np.int8)
        return Requests(
            names=FEATURES,
            features=observe(self.columns, turn.rows, self._catalogue(offer), turn.turn),
            items=self.items,
            replica=turn.replica,
            user=turn.user,
            tick=turn.tick,
            turn=turn.turn,
            intent=nothing,
            group=nothing,
            shown=np.empty((n, 0), dtype=np.int32),
        )

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Choose, live through it, go on or leave."""
        done = scroll(
            self.columns, turn.rows, self._catalogue(offer), decisions.slate, turn.uniform("scroll", 3)
        )
        return Responses(choice=done.choice, position=done.position, utility=done.utility, end=done.end)

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Do nothing: people have lived through it when they respond."""

    def close(self, turn: Turn, end: Codes) -> None:
        """Do nothing: sessions leave no more behind."""

    def socialise(self, tick: int) -> None:
        """Let tastes mix by a tenth with the mean of the friends'."""
        if self.ties is not None:
            law = DeGroot(column="taste", weight=MIX, own=0.0)
            rows, part = self._among.part(self.columns.length)
            heard = self._among.heard(self.columns, law.hears)
            mine = self._among.mine(self.columns)
            view = View(heard, self.ties, rows, part, Chance(0), tick, law.name, mine=mine)
            work(law, view, self.columns)

    def live(self, tick: int) -> None:
        """Do nothing: nobody joins or leaves for good."""

    def summary(self) -> dict[str, Floats]:
        """Return mean satisfaction by replica."""
        satisfaction = self.columns.numbers("satisfaction").reshape(self._replicas, -1)
        return {"satisfaction": satisfaction.mean(axis=1)}

    def _catalogue(self, offer: Offer) -> Catalogue:
        if offer.attributes is not self._table:
            self._table = offer.attributes
            self._items = Catalogue(
                vectors=np.ascontiguousarray(offer.attributes[:, :DIMS], dtype=np.float32),
                quality=np.ascontiguousarray(offer.attributes[:, DIMS], dtype=np.float64),
            )
        return self._items


def _ties(people: People, chance: Chance, replicas: NDArray[np.int32]) -> Ties | None:
    groups = np.zeros(people.count * len(replicas), dtype=np.int8)
    return graph.build(
        people.society.graph, count=people.count, replicas=replicas, groups=groups, chance=chance
    )


def _drawn(ids: Rows, chance: Chance, replicas: NDArray[np.int32]) -> Columns:
    n = len(ids) * len(replicas)
    columns = Columns(length=n)
    columns["replica"] = replicas.astype(np.int32).repeat(len(ids))
    columns["user"] = np.tile(ids, len(replicas))
    columns["group"] = np.zeros(n, dtype=np.int8)
    columns["segment"] = np.zeros(n, dtype=np.int8)
    columns["alive"] = np.ones(n, dtype=np.bool_)
    columns["session"] = np.full(n, -1, dtype=np.int32)
    columns["sessions"] = np.zeros(n, dtype=np.int32)
    columns["satisfaction"] = np.full(n, MOOD, dtype=np.float32)
    for name in ("progress", "outcome", "patience", "patience_max"):
        columns[name] = np.zeros(n, dtype=np.float32)
    columns["taste"] = np.empty((n, DIMS), dtype=np.float32)
    columns["covariates"] = np.empty((n, COVARIATES), dtype=np.float32)
    columns["memory_item"] = np.zeros((n, RING), dtype=np.int16)
    columns["memory_value"] = np.zeros((n, RING), dtype=np.float32)
    columns["memory_next"] = np.zeros(n, dtype=np.int8)
    for piece in chunks(n):
        who = columns["replica"][piece], columns["user"][piece]
        columns["taste"][piece] = SPREAD * chance.normal("people/taste", *who, count=DIMS)
        columns["covariates"][piece] = chance.normal("people/covariates", *who, count=COVARIATES)
        drawn = chance.uniform("people/patience", *who)[:, 0]
        columns["patience_max"][piece] = LEAST_PATIENCE + np.floor(PATIENCES * drawn)
    return columns
