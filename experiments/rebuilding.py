"""Building a recorded run again, from what its folder says, through every fork that it came by.

A run that forked off goes on under another scenario from some tick on. Its manifest says what held
before (`forks`, the oldest first), so that it can be lived again from the first tick without the run
that it came from. The turn to the next scenario is taken at the start of that tick, before drift:
people keep all that they have, the same model keeps what it learned, and the world is at the tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from rehearse.agents.wrapped import innermost
from rehearse.columns import Rows
from rehearse.contract import Remembers, Users, World
from rehearse.dialogue.domain import Domain
from rehearse.engine import Simulation
from rehearse.errors import UserError
from rehearse.experiments.build import Assembly, Override, Props, assemble, met, world_of
from rehearse.experiments.dressing import dressed, exchanged, same_dress
from rehearse.experiments.manifest import file_digest
from rehearse.policies.stack import Stack
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario
from rehearse.scenario.wrong import check


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of a run that is lived under one scenario, from a tick on."""

    start: int
    scenario: Scenario
    props: Props


@dataclass(frozen=True, slots=True)
class Turning:
    """What takes a simulation over to the next leg; it is built before the run, so that it cannot fail."""

    leg: Leg
    world: World
    policy: Stack
    same_model: bool
    """The model goes on with what it has learned."""
    same_people: bool
    dress: Users | None
    """People as this leg's scenario dresses them; None: as before."""

    @classmethod
    def of(cls, earlier: Leg, leg: Leg, assembly: Assembly) -> Self:
        """Build the world and the policy of a leg; raises UserError where that cannot be done."""
        before, after = earlier.scenario, leg.scenario
        stage = replace(assembly.stage, slate=min(after.slate, len(assembly.stage.items)))
        same_name = before.policy.name == after.policy.name
        return cls(
            leg=leg,
            world=world_of(after, leg.props.data, assembly.simulation.chance, stage.replicas),
            policy=met(after, stage, leg.props),
            same_model=same_name and earlier.props.policy is leg.props.policy,
            same_people=before.people == after.people,
            dress=None if same_dress(before, after) else _dress(leg, assembly),
        )

    def __call__(self, simulation: Simulation) -> None:
        """Turn to the leg, at the start of its first tick."""
        for past in range(self.leg.start):
            self.world.drift(past)
        self.world.restore(simulation.world.state())
        if self.same_model and isinstance(simulation.policy, Remembers):
            self.policy.restore(simulation.policy.state())
        if not self.same_people:
            people: Any = simulation.users
            people.change(self.leg.scenario.people)
        if self.dress is not None:
            simulation.users = exchanged(simulation.users, self.dress)
        simulation.world, simulation.time = self.world, self.leg.scenario.time
        simulation.meet(self.policy)


def _dress(leg: Leg, assembly: Assembly) -> Users:
    simulation = assembly.simulation
    users = dressed(innermost(simulation.users), simulation.world, leg.scenario, since=leg.start)
    if users.feature_names != assembly.stage.features:
        problem = "observation: what a model sees would have other names from a tick on."
        raise UserError(problem, "Let the same features have an indicator as before.")
    if getattr(users, "told", ()) != getattr(simulation.users, "told", ()):
        problem = "people.strategy: other columns would be recorded from a tick on."
        raise UserError(problem, "Let people change the same features as before.")
    return users


def rebuilt(
    record: RunRecord,
    policy: object | None = None,
    *,
    replicas: Sequence[int] | None = None,
    only: Rows | None = None,
    override: Override | None = None,
) -> Assembly:
    """Build a recorded run again, at its first tick.

    `policy` is the model, where it was given as a Python object. Raises UserError where an input is
    gone or has changed.
    """
    legs = legs_of(record, policy)
    asked = [
        replace(leg, props=replace(leg.props, replicas=replicas, only=only, override=override))
        for leg in legs
    ]
    if override is not None:  # what a model elsewhere answers to another life, it has to be asked
        asked = [replace(leg, props=replace(leg.props, answers=None)) for leg in asked]
    return in_legs(asked)


def in_legs(legs: Sequence[Leg]) -> Assembly:
    """Build the first leg of a run, with the turns to the others scheduled."""
    first, *others = [*(a for a, b in pairwise(legs) if a.start < b.start), legs[-1]]
    assembly = assemble(first.scenario, first.props)
    simulation, ticks = assembly.simulation, legs[-1].scenario.time.ticks
    simulation.time = first.scenario.time.model_copy(update={"ticks": ticks})
    for earlier, leg in pairwise([first, *others]):
        simulation.scheduled[leg.start] = Turning.of(earlier, leg, assembly)
    return assembly


def last_policy(assembly: Assembly) -> Stack:
    """Return the policy that a run ends with."""
    turns = [turn for _, turn in sorted(assembly.simulation.scheduled.items())]
    return turns[-1].policy if turns and isinstance(turns[-1], Turning) else assembly.policy


def legs_of(record: RunRecord, policy: object | None = None) -> list[Leg]:
    """Return the legs of a recorded run, each with what it was built with; see `rebuilt`."""
    forks: list[dict[str, Any]] = record.manifest.get("forks", [])
    _must_be_one_object(record, forks)
    last = recorded_props(record, policy)
    starts = [0, *(int(fork["tick"]) for fork in forks)]
    legs = [
        Leg(start, check(Scenario, fork["before"]["scenario"]), _props(fork["before"], last, policy))
        for start, fork in zip(starts, forks, strict=False)
    ]
    return [*legs, Leg(starts[-1], record.scenario, last)]


def recorded_props(record: RunRecord, policy: object | None = None) -> Props:
    """Return what a recorded run was built with; raises UserError where an input is gone or changed."""
    manifest = record.manifest
    of_old = any(fork["before"]["policy"]["given_as_object"] for fork in manifest.get("forks", ()))
    given = manifest["policy"].get("given_as_object")
    if policy is None and (given or of_old):
        problem = f"the policy of {str(record.folder)!r} was given as a Python object."
        raise UserError(problem, "Give it again: `policy=…` in Python.")
    for name, digest in manifest["inputs"].items():
        if file_digest(Path(name)) != digest:
            problem = f"{name!r} has changed since the run was made."
            raise UserError(problem, "Bring the old file back, or run the scenario again.")
    data = manifest.get("data")
    return Props(
        policy=policy if given or not of_old else None,
        data=Path(data) if data else None,
        trust=manifest["policy"].get("trusted", False),
        tile=manifest["tile"],
        answers=record.folder if manifest.get("status") in {"finished", "stopped"} else None,
    )


def words_of(assembly: Assembly) -> dict[str, tuple[str, ...]]:
    """Return what the codes of rationales, guards and models are called now."""
    policy = assembly.policy
    return {"rationale": policy.rationales, "guard": policy.guards, **policy.words}


def domain_of(assembly: Assembly) -> Domain | None:
    """Return what people and model speak of, where the world is a dialogue."""
    found: Domain | None = getattr(assembly.simulation.world, "domain", None)
    return found


def _props(before: Mapping[str, Any], last: Props, policy: object | None) -> Props:
    own = before["policy"]
    given = policy if own["given_as_object"] else None
    return replace(last, policy=given, trust=own["trusted"], tile=before["tile"])


def _must_be_one_object(record: RunRecord, forks: Sequence[Mapping[str, Any]]) -> None:
    policies = [*(fork["before"]["policy"] for fork in forks), record.manifest["policy"]]
    given = {policy["reference"] for policy in policies if policy["given_as_object"]}
    if len(given) > 1:
        problem = f"{str(record.folder)!r} met several policies that were Python objects: {sorted(given)}."
        raise UserError(problem, "Put them into files, such as model.py:decide, and run it again.")
