"""Putting a rehearsal together from shards: what `build.assemble` does for one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import UserError, did_you_mean
from rehearse.experiments.build import Assembly
from rehearse.experiments.rebuilding import Leg, in_legs, last_policy
from rehearse.experiments.resources import Meter, held_memory
from rehearse.experiments.shards import Spread
from rehearse.experiments.shards.conductor import Conductor
from rehearse.experiments.shards.deal import Deal, deal
from rehearse.experiments.shards.ensemble import Ensemble
from rehearse.experiments.shards.gathering import Gathering, Whole
from rehearse.experiments.shards.parted import without_society
from rehearse.experiments.shards.rooms import Room
from rehearse.experiments.shards.sayings import Task
from rehearse.policies.sandbox import added
from rehearse.record.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Dealt(Assembly):
    """A simulation in shards, and what was built for it."""

    simulation: Conductor

    @property
    def sandbox(self) -> dict[str, Any]:
        """Return the rules of the sandbox and what it refused: so far before a resume, and in all shards."""
        return added(self.policy.walls_told(), [page.sandbox for page in self.simulation.pages])

    @property
    def memory(self) -> int:
        """Return the bytes that all processes hold now."""
        return held_memory() + sum(page.memory for page in self.simulation.pages)

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

    def sample_of_ties(self) -> Columns | None:
        """Return some ties for the report, or None where nobody knows anybody."""
        return self.simulation.sample_of_ties()

    def close(self) -> None:
        """End the shards."""
        self.simulation.ensemble.room.close()


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
    if dealt.by == "users" and not hasattr(sim.users, "join"):
        problem = f"people.model {legs[0].scenario.people.model!r} cannot be parted."
        raise UserError(problem, f"Give --shards {len(dealt.replicas)} at most, or more --replicas.")
    room = _room(spread.on, dealt.shards)
    try:
        ensemble = Ensemble(room, tuple(Task(s, tuple(legs), dealt) for s in range(dealt.shards)))
        facts = ensemble.assemble()
    except BaseException:
        room.close()
        raise
    sim.users.coupled = any(fact.coupled for fact in facts)
    whole = Whole(ensemble, dealt, facts[0].columns)
    _oversee(sim.users, legs[0], dealt, whole)
    conductor = Conductor(
        world=sim.world,
        users=sim.users,
        policy=sim.policy,
        chance=sim.chance,
        time=sim.time,
        scheduled=sim.scheduled,
        ensemble=ensemble,
        deal=dealt,
        whole=whole,
    )
    return Dealt(conductor, known.stage)


def _oversee(users: Any, leg: Leg, dealt: Deal, whole: Whole) -> None:
    """Let the people here stand for all, whom the shards hold."""
    users.columns = whole
    if dealt.by == "users":
        users.oversee(leg.scenario.people, lambda: whole["group"])


def _room(on: str, shards: int) -> Room:
    kind, _, address = on.partition(":")
    if on == "local":
        from rehearse.experiments.shards.local import LocalRoom

        return LocalRoom()
    if kind == "ray":
        from rehearse.experiments.shards.cluster import RayRoom

        return RayRoom(shards, on if address.startswith("//") else address or "local")
    problem = f"shards were to live on {on!r}."
    raise UserError(problem, did_you_mean(kind, ("local", "ray")))


def _of_one(leg: Leg) -> Leg:
    """Return the leg with one person in each society: that tells what there is to know."""
    first = leg if leg.start else without_society(leg)
    return replace(first, props=replace(first.props, only=np.zeros(1, np.int64)))


def _together(known: Assembly) -> str:
    """Return what joins people within a tick, or nothing."""
    sim = known.simulation
    if sim.world.coupled:
        return f"the world {sim.world.name!r}"
    stacks = (sim.policy, last_policy(known))
    return next((f"the policy {s.name!r}" for s in stacks if getattr(s, "coupled", False)), "")
