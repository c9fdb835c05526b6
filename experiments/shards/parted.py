"""What a shard of parted societies does: it has some people of each, and hears of the others.

A policy that learns is told the turns of all shards in the order of one process, in every shard: each
then knows the same, and nothing that was learned need be sent. Of the digest a shard makes the
leaves of its own people; whoever leads the run makes the links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from rehearse.agents.among import Some
from rehearse.columns import Array
from rehearse.contract import NOTHING, Feedback, Policy, Remembers, Users
from rehearse.engine import Simulation
from rehearse.engine.feedback import Notebook
from rehearse.experiments.build import Assembly
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.shards.sayings import TELLS, Link, Page
from rehearse.experiments.shards.states import LINKS, State
from rehearse.experiments.shards.work import Shard
from rehearse.record.digest import Leaves
from rehearse.record.recorder import Recorder
from rehearse.scenario.society import Society


class PartedShard(Shard):
    """A shard with some of the people of each society."""

    recorder: LeafRecorder

    def assemble(self) -> Assembly:
        """Build the simulation of this shard's people, who learn from and hear of all."""
        built = super().assemble()
        self._join(built.simulation.users)
        kept = {f.name: getattr(built.simulation, f.name) for f in fields(Simulation) if f.init}
        kept["watchers"] = []
        return replace(built, simulation=PartedSimulation(**kept, link=self.link))

    def share(self, leg: Leg) -> Leg:
        """Return a leg of the run with this shard's people only."""
        start, stop = self.task.deal.users_of(self.task.shard)
        whole = super().share(leg if leg.start else without_society(leg))
        return replace(whole, props=replace(whole.props, only=np.arange(start, stop)))

    def _join(self, users: Any) -> None:
        """Let this shard's people know, and hear of, all others."""
        deal = self.task.deal
        rows = [deal.rows_of(shard) for shard in range(deal.shards)]
        still: dict[str, Array] = {
            "user": np.tile(np.arange(deal.count, dtype=np.int64), len(deal.replicas)),
            "replica": np.repeat(np.asarray(deal.replicas, dtype=np.int32), deal.count),
        }
        among = Some(self.task.shard, rows, still, lambda columns: self.link.ask(TELLS, columns)[1])
        users.join(self.task.legs[0].scenario.people, among)

    def record(self) -> Recorder:
        """Return a recorder that makes leaves."""
        whole = self.assembly.new_recorder()
        return LeafRecorder(whole.replicas, columns=whole.columns, items=whole.items)

    def proved(self, page: Page) -> Page:
        """Return a page with the leaves of its turns."""
        users = self.simulation.users
        ties = users.state() if self.task.shard == 0 and isinstance(users, Remembers) else {}
        return replace(page, leaves=self.recorder.made, ties=ties)

    def state(self) -> State:
        """Return what is needed to go on from here; whoever leads the run keeps the links."""
        return {name: a for name, a in super().state().items() if name != LINKS}


@dataclass(slots=True, kw_only=True)
class LeafRecorder(Recorder):
    """A recorder of some people of each society: it makes leaves and no links."""

    made: Leaves | None = None

    def on_tick(self, tick: int, users: Users) -> None:  # noqa: ARG002 - as every watcher is called
        """Make the leaves of the tick and hand its turns over."""
        turns = self.turns_of_tick()
        self.made = self.leaves(turns)
        self.user_turns += turns.length
        if self.keep is not None:
            self.keep(tick, turns, self.counted(tick, turns))


@dataclass(slots=True, kw_only=True)
class PartedSimulation(Simulation):
    """A simulation of some people of each society: a policy that learns is told the turns of all."""

    link: Link

    def meet(self, policy: Policy) -> None:
        """Go on with this policy, taking notes for it, if it learns, that all shards put together."""
        Simulation.meet(self, policy)
        if self.notebook is not None:
            self.watchers.remove(self.notebook)
            self.notebook = SharedNotebook(self.link)
            self.watchers.append(self.notebook)


class SharedNotebook(Notebook):
    """Notes that all shards put together."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def hand_over(self, tick: int) -> Feedback:
        """Return the tick's feedback of all shards in the order (replica, user, turn)."""
        mine = super().hand_over(tick)
        _, parts = self._link.ask(TELLS, mine)
        return joined(parts)


def without_society(leg: Leg) -> Leg:
    """Return the leg with people who know nobody: so some of them can be built by themselves."""
    people = leg.scenario.people.model_copy(update={"society": Society()})
    return replace(leg, scenario=leg.scenario.model_copy(update={"people": people}))


def joined(parts: Sequence[Feedback]) -> Feedback:
    """Return the feedback of all shards in the order (replica, user, turn)."""
    filled = [part for part in parts if len(part.user)] or [parts[0]]
    widest = max(part.slate.shape[1] for part in filled)
    order = np.argsort(np.concatenate([part.replica for part in filled]), kind="stable")
    arrays: dict[str, Array] = {}
    for name in (f.name for f in fields(Feedback) if f.name not in {"tick", "detail"}):
        columns = [getattr(part, name) for part in filled]
        if columns[0] is None:  # what this world does not have
            continue
        if name == "slate":
            columns = [_wide(slate, widest) for slate in columns]
        arrays[name] = np.concatenate(columns)
    told: Any = arrays
    detail = {name: np.concatenate([part.detail[name] for part in filled]) for name in filled[0].detail}
    whole = replace(parts[0], **told, detail=detail)
    return whole if len(filled) == 1 else whole.take(order)


def _wide(slate: Array, places: int) -> Array:
    return np.pad(slate, ((0, 0), (0, places - slate.shape[1])), constant_values=NOTHING)
