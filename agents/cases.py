"""Cases of a queue: people who come once, at a moment of their own, and are served or not.

All are drawn at the start; in which tick each comes follows from the world's stream of arrivals, and
the exact moment is theirs (`arrival`). A case that came and was neither served nor lost asks the model
again at the start of the next tick. Traits, groups, segments, correlations and a source table are those
of every population; goals, memory, friends, coming and going are not for cases.

Columns besides the traits that the scenario gives, one row a case:

    arrival, due        the moment it comes, in time units from 0; the tick in which that is
    status              a position in the world's `status`; from 2 on the case is over
    alive               came and waits
    wait, server        from arrival to the start of service, and who serves; NaN and -1 before
    sessions, session   how often the model was asked about it; the number of the present time, from 0
    satisfaction        how it turned out, 0 to 1; .5 before
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import features, population
from rehearse.agents.becoming import become
from rehearse.agents.blocks import raw
from rehearse.agents.persona import TRAITS
from rehearse.agents.unfit import LIFE, SOCIETY, refuse
from rehearse.chance import Chance
from rehearse.columns import Columns, Rows, everywhere
from rehearse.contract import (
    NOTHING,
    Codes,
    Decisions,
    End,
    Fault,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Turn,
    World,
    unanswered,
)
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.people import People

FIXED = frozenset({"urgency", "service", "leaves_after", "harmed_after", "arrival"})
"""What a case brings with it: its clocks run from its arrival on."""
UNFIT = (*SOCIETY, *LIFE, "laws")
WAITS, OVER = 1, 2
"""Codes of `status`: came and was not served yet; the first of those of cases that are over."""


@runtime_checkable
class HasArrivals(Protocol):
    """A world to which cases come."""

    items: tuple[str, ...]
    features: tuple[str, ...]
    status: tuple[str, ...]
    """What the codes of the column `status` mean; from 2 on a case is over."""

    def comings(self, count: int, replicas: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int32]]:
        """Return when each case of each society comes, and in which tick: (replicas, count)."""
        ...


def build(
    people: People,
    world: World,
    chance: Chance,
    replicas: NDArray[np.int32],
    only: Rows | None = None,
) -> Waiting:
    """Draw the cases of a scenario; `only` keeps just these in each society.

    Raises ScenarioError for a world to which no cases come, and for what cases cannot have.
    """
    if not isinstance(world, HasArrivals):
        problem = f"people.model is cases-v1, and no cases come to the world {world.name!r}."
        raise ScenarioError(problem, "Use the world triage-v1 (kind: queue), or another model of people.")
    refuse(people, UNFIT, "Leave it out: cases know nobody, and world.settings.arrivals says when they come.")
    drawn = population.draw(
        people,
        attributes=world.attributes,
        needs=world.needs,
        table=world.table(),
        chance=chance,
        replicas=replicas,
        only=only,
    )
    arrival, due = world.comings(people.count, replicas)
    ids = slice(None) if only is None else np.asarray(only, dtype=np.int64)
    columns = _begun(people, drawn, world.needs)
    columns["arrival"] = np.ascontiguousarray(arrival[:, ids]).reshape(-1)
    columns["due"] = np.ascontiguousarray(due[:, ids]).reshape(-1)
    return Waiting(people, columns, world, replicas)


def _begun(people: People, drawn: Columns, needs: tuple[str, ...]) -> Columns:
    """Return what was drawn and is of use to cases, as they are before they come."""
    given = {*people.traits, *needs, *people.visible}
    kept = [name for name in drawn if name not in TRAITS or name in given]
    columns = Columns({name: drawn[name] for name in kept}, length=drawn.length)
    n = drawn.length
    for name in ("service", "leaves_after", "harmed_after"):
        if name in columns and not (raw(columns, name) >= 0.0).all():
            problem = f"people.traits.{name} is below 0, or missing, for some cases."
            raise ScenarioError(problem, "Give it a law of times from 0, or a bound (low: 0).")
    columns["alive"] = np.zeros(n, dtype=np.bool_)
    columns["status"] = np.zeros(n, dtype=np.int8)
    columns["wait"] = np.full(n, np.nan, dtype=np.float32)
    columns["server"] = np.full(n, NOTHING, dtype=np.int32)
    columns["session"] = np.full(n, -1, dtype=np.int32)
    columns["sessions"] = np.zeros(n, dtype=np.int32)
    columns["satisfaction"] = np.full(n, 0.5, dtype=np.float32)
    for name in {"progress", "patience"} - set(columns):
        columns[name] = np.zeros(n, dtype=np.float32)
    return columns


class Waiting:
    """Cases that come, ask and wait (`contract.Users`)."""

    coupled = False
    """Cases meet only in the world's queue."""

    def __init__(
        self, people: People, columns: Columns, world: HasArrivals, replicas: NDArray[np.int32]
    ) -> None:
        self.people = people
        self.columns = columns
        self.items = world.items
        self.groups = population.group_names(people)
        traits = population.trait_names(columns)
        self.feature_names = features.feature_names(world.features, people.visible, traits)[:-2]
        self.words = {"status": world.status}
        """What the codes in columns are called."""
        refusals: tuple[str, ...] = getattr(world, "refusals", ())
        self._refused = np.array([name in refusals for name in (*world.items, "")])
        self._replicas = replicas

    @property
    def may_drift(self) -> tuple[str, ...]:
        """Return the traits that a schedule may move: those of the scenario's own, for models to see."""
        given = {*self.people.traits, *self.people.visible}
        return tuple(name for name in self.columns if name in given - FIXED)

    def open(self, tick: int) -> Rows:
        """Return the cases that come in this tick and those that wait from before."""
        columns = self.columns
        rows = np.flatnonzero((raw(columns, "due") <= tick) & (raw(columns, "status") < OVER))
        columns["alive"][rows] = True
        columns["status"][rows] = WAITS
        for name in ("session", "sessions"):
            raw(columns, name)[rows] += 1
        return rows

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Show the model what may be seen of each case."""
        n, visible = len(turn), self.people.visible
        shown = [np.asarray(self.columns[name].take(turn.rows), np.float32) for name in visible]
        return Requests(
            names=self.feature_names,
            features=np.column_stack([offer.features, *shown]),
            items=self.items,
            replica=turn.replica,
            user=turn.user,
            tick=turn.tick,
            turn=turn.turn,
            intent=everywhere(0, n, np.int8),
            group=np.asarray(self.columns["group"].take(turn.rows), np.int8),
            shown=np.empty((n, 0), dtype=np.int32),
            available=offer.available,
            chance=turn.chance,
        )

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Take the class that was given; who is refused or got no answer takes nothing."""
        failed = decisions.fault != Fault.NONE
        took = ~failed & ~self._refused[decisions.action]
        return Responses(
            choice=np.where(took, decisions.action, np.int32(NOTHING)),
            position=np.where(took, np.int8(0), np.int8(NOTHING)),
            utility=np.where(took, np.float32(0.0), np.float32(np.nan)),
            end=np.where(failed, unanswered(decisions.fault), End.USER_STOP).astype(np.int8),
        )

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Become what the world says; who is served or lost is gone."""
        become(self.columns, turn.rows, outcomes)
        over = np.flatnonzero(raw(self.columns, "status").take(turn.rows) >= OVER)
        self.columns["alive"][turn.rows.take(over)] = False
        lived = np.flatnonzero(~np.isnan(outcomes.experience))
        self.columns["satisfaction"][turn.rows.take(lived)] = outcomes.experience.take(lived)

    def close(self, turn: Turn, end: Codes) -> None:
        """Do nothing: being asked about leaves nothing behind."""

    def socialise(self, tick: int) -> None:
        """Do nothing: cases know nobody."""

    def live(self, tick: int) -> None:
        """Do nothing: a case's clocks run in the world."""

    def summary(self) -> dict[str, Floats]:
        """Return how many cases of each society are in each state at the end of the tick."""
        status = np.asarray(self.columns["status"], dtype=np.int64).reshape(len(self._replicas), -1)
        return {
            f"cases_{word.replace(' ', '_')}": (status == code).sum(axis=1).astype(np.float64)
            for code, word in enumerate(self.words["status"])
        }
