"""Putting a rehearsal together from shards: what `build.assemble` does for one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Columns
from rehearse.contract import Users
from rehearse.errors import UserError, did_you_mean
from rehearse.experiments.build import Assembly
from rehearse.experiments.rebuilding import Leg, in_legs, last_policy
from rehearse.experiments.resources import Meter
from rehearse.experiments.shards import Spread
from rehearse.experiments.shards.conductor import Conductor
from rehearse.experiments.shards.deal import deal
from rehearse.experiments.shards.ensemble import Ensemble
from rehearse.experiments.shards.rooms import Room
from rehearse.experiments.shards.work import Task
from rehearse.record.page import joined
from rehearse.record.recorder import Recorder
from rehearse.scenario.society import Society


@dataclass(frozen=True, slots=True)
class Dealt(Assembly):
    """A simulation in shards, and what was built for it."""

    simulation: Conductor

    def new_recorder(self) -> Recorder:
        """Return a recorder that hears of whole ticks from the shards."""
        return Gathering(self.stage.replicas, conductor=self.simulation)

    def write_to(self, path: Path) -> None:
        """Let the shards write the turns into a run folder."""
        self.simulation.path = path

    def gather(self, meter: Meter) -> dict[str, Any]:
        """Bring the people here, and count what the shards used up; return facts for the manifest."""
        spent = self.simulation.gather()
        account = self.policy.asked.account
        for each in spent:
            meter.earlier_cpu += each.cpu_s
            meter.elsewhere_mb += each.peak_memory_mb
            for name in ("calls", "rows", "cpu_s", "wall_s", "peak_growth_bytes"):
                setattr(account, name, getattr(account, name) + each.account[name])
        shards = self.simulation.ensemble
        told = {"number": len(spent), "dealt": self.simulation.deal.by, "on": shards.room.name}
        return {"shards": told | {"begun_again": shards.restarts}}

    def close(self) -> None:
        """End the shards."""
        self.simulation.ensemble.room.close()


@dataclass(slots=True, kw_only=True)
class Gathering(Recorder):
    """A recorder that hears of whole ticks instead of turns."""

    conductor: Conductor

    def on_tick(self, tick: int, users: Users) -> None:  # noqa: ARG002 - as every watcher is called
        """Take in what the shards said of the tick."""
        pages, dealt = self.conductor.pages, self.conductor.deal
        for shard, page in enumerate(pages):
            self.links[dealt.places_of(shard)] = page.links
        self.user_turns += sum(page.user_turns for page in pages)
        if self.keep is not None:
            turns = joined([page.turns for page in pages if page.turns is not None and page.turns.length])
            self.keep(tick, turns, joined([page.society for page in pages]))


def assemble_in_shards(legs: Sequence[Leg], spread: Spread) -> Dealt:
    """Build a rehearsal in shards; raises UserError where it cannot be built or dealt."""
    known = in_legs([_of_one(leg) for leg in legs])
    sim = known.simulation
    dealt = deal(
        shards=spread.shards,
        count=legs[0].scenario.people.count,
        replicas=tuple(known.stage.replicas.tolist()),
        together=_together(known),
    )
    room = _room(spread.on)
    try:
        ensemble = Ensemble(room, tuple(Task(s, tuple(legs), dealt) for s in range(dealt.shards)))
        sim.users.coupled = any(ensemble.assemble())
    except BaseException:
        room.close()
        raise
    sim.users.columns = Columns(length=dealt.count * len(dealt.replicas))
    conductor = Conductor(
        world=sim.world,
        users=sim.users,
        policy=sim.policy,
        chance=sim.chance,
        time=sim.time,
        scheduled=sim.scheduled,
        ensemble=ensemble,
        deal=dealt,
    )
    return Dealt(conductor, known.stage)


def _room(on: str) -> Room:
    kind = on.partition("://")[0]
    if kind == "local":
        from rehearse.experiments.shards.local import LocalRoom

        return LocalRoom()
    problem = f"shards were to live on {on!r}."
    raise UserError(problem, did_you_mean(kind, ("local", "ray")))


def _of_one(leg: Leg) -> Leg:
    """Return the leg with one person in each society, who knows nobody: that tells what there is to know."""
    people = leg.scenario.people.model_copy(update={"society": Society()})
    scenario = leg.scenario.model_copy(update={"people": people})
    return replace(leg, scenario=scenario, props=replace(leg.props, only=np.zeros(1, np.int64)))


def _together(known: Assembly) -> str:
    """Return what joins people within a tick, or nothing."""
    sim = known.simulation
    if sim.world.coupled:
        return f"the world {sim.world.name!r}"
    stacks = (sim.policy, last_policy(known))
    return next((f"the policy {s.name!r}" for s in stacks if getattr(s, "coupled", False)), "")
