"""Putting a rehearsal together: from a scenario to a simulation that stands at its first tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from rehearse import registry
from rehearse.chance import Chance
from rehearse.columns import Columns, Rows
from rehearse.compiled import expect
from rehearse.contract import Begins, Ints, Learner, Network, Stage, Users, World
from rehearse.dialogue.opinion import COLUMN as OPINION
from rehearse.engine import Simulation
from rehearse.engine.kernel import BLOCK, FELT
from rehearse.engine.machine import give_back
from rehearse.experiments.dressing import dressed
from rehearse.experiments.resources import Meter, held_memory
from rehearse.experiments.society import sample_of_ties
from rehearse.policies.loading import load
from rehearse.policies.recorded import recorded, remotes
from rehearse.policies.sandbox import must_allow_url, walled
from rehearse.policies.stack import Stack, stack
from rehearse.record.reading import RunRecord
from rehearse.record.recorder import Recorder
from rehearse.record.words import WORDS, recall
from rehearse.scenario.model import Scenario

Override = Mapping[tuple[int, int, int, int], int]
"""(replica, user, tick, turn) to the item that is answered instead."""


@dataclass(frozen=True, slots=True)
class Props:
    """What a scenario needs besides itself, and how the work is cut up (which changes no result)."""

    policy: object | None = None
    """A model given as an object or callable instead of by the scenario's reference."""
    data: Path | None = None
    """The table that the world is fed with."""
    trust: bool = False
    """Whether the policy may be loaded by running code that its file holds (pickle)."""
    replicas: Sequence[int] | None = None
    """Only these societies; None: all of the scenario."""
    only: Rows | None = None
    """Only these people (sound where nothing couples them)."""
    block: int = BLOCK
    tile: int | None = None
    """Rows of every call to the model; None: the default of the seam, 256 for a foreign one."""
    override: Override | None = None
    answers: Path | None = None
    """A run whose answers are given again, where the model is somewhere else; None: it is asked."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A simulation and what was built for it."""

    simulation: Simulation
    stage: Stage
    columns: tuple[str, ...] | None = None
    """The columns of turns that are recorded; None: all."""

    @property
    def policy(self) -> Stack:
        """Return the model under test as it is now, within its conditions."""
        return cast("Stack", self.simulation.policy)

    @property
    def coupled(self) -> bool:
        """Return whether anything joins people: ties, a shared learner, a queue."""
        sim, learns = self.simulation, isinstance(self.policy, Learner)
        return sim.users.coupled or sim.world.coupled or self.policy.coupled or learns

    @property
    def sandbox(self) -> dict[str, Any]:
        """Return the rules of the sandbox and what it refused, for the manifest."""
        return self.policy.walls_told()

    @property
    def refusals(self) -> int:
        """Return how often a model tried what the sandbox does not allow."""
        return sum(self.sandbox.get("refused", {}).values())

    @property
    def memory(self) -> int:
        """Return the bytes that the run holds now."""
        return held_memory()

    def new_recorder(self) -> Recorder:
        """Return a recorder for all of these societies that has recorded nothing yet."""
        return Recorder(
            self.stage.replicas,
            columns=None if self.columns is None else frozenset(self.columns),
            items=len(self.stage.items),
        )

    def write_to(self, path: Path) -> None:
        """Hear where the run is kept: nothing to do where everything is in one process."""

    def gather(self, meter: Meter) -> dict[str, Any]:  # noqa: ARG002 - what shards need
        """Bring together what is kept elsewhere, at the end of a run; return facts for the manifest."""
        return {}

    def sample_of_ties(self) -> Columns | None:
        """Return some ties for the report, or None where nobody knows anybody."""
        return sample_of_ties(self.simulation)

    def close(self) -> None:
        """Let go of what the run needed besides memory."""


OPINIONS = f"""SELECT DISTINCT reply, {OPINION} FROM {WORDS}
    JOIN turns USING (replica, tick, "user", session, turn) WHERE answered <> ''"""
"""What a language model thought of answers, in SQL."""


def assemble(scenario: Scenario, props: Props | None = None) -> Assembly:
    """Build world, people and policy and seat them; raises UserError where one cannot be built."""
    props = props or Props()
    expect(scenario.people_in_all * scenario.time.ticks)
    chance = Chance(scenario.seed)
    chosen = range(scenario.replicas) if props.replicas is None else sorted(props.replicas)
    replicas = np.asarray(chosen, dtype=np.int32)
    world = world_of(scenario, props.data, chance, replicas)
    if props.answers is not None:
        _recall(world, RunRecord(props.answers))
    make_people: Callable[..., Users] = registry.load("people", scenario.people.model)
    users = dressed(make_people(scenario.people, world, chance, replicas, props.only), world, scenario)
    give_back()  # what drawing a graph took is several times what it leaves
    stage = Stage(
        items=world.items,
        features=users.feature_names,
        groups=users.groups,
        replicas=replicas,
        slate=min(scenario.slate, len(world.items)),
        seed=scenario.seed,
        people=scenario.people.count if props.only is None else 0,
        ties=_network(users),
        deadline_ms=scenario.time.deadline_ms,
    )
    policy = met(scenario, stage, props)
    simulation = Simulation(
        world=world,
        users=users,
        policy=policy,
        chance=chance,
        time=scenario.time,
        block=props.block,
        felt_before=tuple(name for name in FELT if _recorded(scenario, f"{name}_before")),
        felt_after=tuple(name for name in (*FELT, *getattr(users, "told", ())) if _recorded(scenario, name)),
    )
    return Assembly(simulation, stage, scenario.columns)


def _network(users: Users) -> Network | None:
    ties = getattr(users, "ties", None)
    return None if ties is None else Network(ties.indptr, ties.indices)


def _recall(world: World, record: RunRecord) -> None:
    """Let a language model that lends its words say them as it did, where a record is made again."""
    domain = getattr(world, "domain", None)
    if domain is not None and (record.folder / WORDS).is_dir():
        recall(record.query(f"SELECT heard, said, answered, reply, own FROM {WORDS}"), domain)
    judge = getattr(world, "judge", None)
    if judge is not None and (record.folder / WORDS).is_dir():
        judge.recall(record.query(OPINIONS))


def met(scenario: Scenario, stage: Stage, props: Props) -> Stack:
    """Return the scenario's policy, or the one given as an object, within its conditions."""
    given = props.policy if props.policy is not None else scenario.policy.name
    with walled(scenario.sandbox):
        inner = load(given, stage, settings=scenario.policy.settings, trust=props.trust)
        elsewhere = list(remotes(inner))
        if not elsewhere or props.answers is None:
            for remote in elsewhere:
                must_allow_url(remote.origin().get("url", ""))
                remote.meet()
            return stack(inner, scenario, stage, tile=props.tile, override=props.override)
        whole = stack(inner, scenario, stage, tile=props.tile)
        return recorded(whole, RunRecord(props.answers))


def _recorded(scenario: Scenario, column: str) -> bool:
    return scenario.columns is None or column in scenario.columns


def world_of(scenario: Scenario, data: Path | None, chance: Chance, replicas: Ints | None = None) -> World:
    """Return the scenario's world before its first tick, told of its societies where it has any."""
    factory = registry.load("worlds", scenario.world.name)
    settings: Mapping[str, Any] = scenario.world.settings
    drift = tuple(change for change in scenario.drift if not change.of_people)
    with walled(scenario.sandbox):
        world: World = factory(settings, data=data, drift=drift, chance=chance)
    if replicas is not None and isinstance(world, Begins):
        world.begin(replicas)
    return world
