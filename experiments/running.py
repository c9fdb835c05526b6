"""Running a scenario to its end: run, and resume what was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.engine.kernel import BLOCK
from rehearse.errors import NotCompletedError
from rehearse.experiments import composition, footprint
from rehearse.experiments.bounds import Watch
from rehearse.experiments.build import Assembly, Props
from rehearse.experiments.folder import RunFolder, refuse_used, run_name
from rehearse.experiments.manifest import (
    SCHEMA_VERSION,
    environment,
    inputs,
    kept_every,
    now,
    people_digest,
    scope_of,
)
from rehearse.experiments.marks import marks
from rehearse.experiments.metrics import check
from rehearse.experiments.metrics.consumption import add_courses
from rehearse.experiments.monitor import check_monitors
from rehearse.experiments.outcome import LOG, Finished, finished
from rehearse.experiments.rebuilding import Leg, domain_of, last_policy, legs_of, words_of
from rehearse.experiments.resources import Meter
from rehearse.experiments.shards import ONE_PROCESS, Spread, assembled
from rehearse.experiments.society import table_of_users
from rehearse.log import get_log, log_to
from rehearse.policies.loading import pinned
from rehearse.policies.recorded import sources
from rehearse.record.reading import TIES, VERDICT, RunRecord
from rehearse.record.recorder import Recorder
from rehearse.redact import refuse_secrets
from rehearse.scenario.load import digest as scenario_digest
from rehearse.scenario.load import to_yaml
from rehearse.scenario.model import Scenario
from rehearse.tables import write_table, write_text

RUNS = Path("runs")
STOPPED = "stopped"
"""The status of a run that has a result so far, and can be resumed."""


class Progress(Protocol):
    """Someone who is told how far a run is."""

    def __call__(self, *, tick: int, ticks: int, users: int, user_turns: int, seconds: float) -> None:
        """Hear that some ticks are done."""
        ...


@dataclass(slots=True)
class Production:
    """A run in progress: the simulation, its record, its folder and its manifest."""

    scenario: Scenario
    assembly: Assembly
    folder: RunFolder
    recorder: Recorder
    manifest: dict[str, Any]
    meter: Meter
    witness: Callable[[int, Columns, Columns], None] | None = None
    """Someone who is shown each finished tick before it is kept."""

    def play(self, progress: Progress | None = None) -> None:
        """Go on to the last tick, with a checkpoint whenever one is due."""
        from rehearse.agents.model import Rehearsal  # Mesa takes seconds to load: mistakes are told before

        simulation = self.assembly.simulation
        model = Rehearsal(simulation)
        self.recorder.keep = self._keep
        self.assembly.write_to(self.folder.path)
        self.assembly.policy.keep_off(self.folder.path)
        simulation.watchers.append(self.recorder)
        lived = max((fork["tick"] for fork in self.manifest.get("forks", ())), default=0)
        log, watch = get_log("run"), Watch(self.scenario, self.assembly, self.recorder, self.meter)
        while simulation.tick < self.scenario.time.ticks:
            if simulation.tick in simulation.scheduled:
                self.checkpoint()  # what waits to be written is called by the words of the earlier policy
            model.step()
            log.info("tick", tick=simulation.tick - 1, user_turns=self.recorder.user_turns)
            if progress is not None:
                self._tell(progress)
            if simulation.tick <= lived:
                watch.begin()  # what was lived before is the parent's
            if simulation.tick < self.scenario.time.ticks and not self._stops(watch):
                self._rest()
            if "stopped" in self.manifest:
                break

    def checkpoint(self, *, stays: bool = False) -> None:
        """Write down all that a resumed run needs; with `stays`, for forks of the finished run too."""
        simulation = self.assembly.simulation
        spent: dict[str, Array] = {
            "record/links": self.recorder.links,
            "record/user_turns": np.array([self.recorder.user_turns]),
            "record/spent": np.array([self.meter.wall, self.meter.cpu]),
            "record/money": np.array([self.recorder.spent]),
        }
        self.manifest |= {"tick": simulation.tick, "user_turns": self.recorder.user_turns}
        self.manifest["sandbox"] = self.assembly.sandbox
        self.folder.checkpoint(simulation.tick, simulation.state() | spent, self.manifest, stays=stays)

    def finish(self, *, report: bool = True) -> Finished:
        """Write the rest of the record, judge it, and write the report, unless nobody wants one."""
        from rehearse.experiments.report import write
        from rehearse.experiments.report.facts import Remembered
        from rehearse.experiments.verdict import judge

        shards = self.assembly.gather(self.meter)
        simulation = self.assembly.simulation
        self.folder.close(*table_of_users(simulation, self.scenario))
        followed = self.scenario.people.society.emergence.measures
        if self.folder.scope.kind == "all" and "consumption" in followed:
            add_courses(self.folder.path)
        if (ties := self.assembly.sample_of_ties()) is not None:
            write_table(self.folder.path / TIES, ties)
        self.manifest |= self._results() | shards
        self.folder.write_manifest(self.manifest)
        record = Remembered(self.folder.path)
        verdict = judge(record, self.scenario)
        write_text(self.folder.path / VERDICT, verdict.model_dump_json(indent=2) + "\n")
        if report:
            write(self.folder.path, record)
        stopped = "stopped" in self.manifest
        self.manifest["status"] = STOPPED if stopped else "finished"
        self.folder.write_manifest(self.manifest)
        if not stopped:
            self.folder.drop_checkpoints()
        return finished(self.folder.path)

    def _keep(self, tick: int, turns: Columns, society: Columns) -> None:
        if self.witness is not None:
            self.witness(tick, turns, society)
        self.folder.words = words_of(self.assembly)
        self.folder.domain = domain_of(self.assembly)
        self.folder.keep(tick, turns, society)

    def _rest(self) -> None:
        """Write a checkpoint if one is due, and one that stays if this is a tick whose state is kept."""
        tick, every = self.assembly.simulation.tick, self.manifest.get("keep_checkpoints")
        stays = every is not None and tick % every == 0
        if stays or self.folder.due:
            self.checkpoint(stays=stays)

    def broke_off(self, problem: str) -> None:
        """Write down why the run could not go on."""
        tick = self.assembly.simulation.tick
        get_log("run").error("not_completed", tick=tick, problem=problem)
        self.folder.write_manifest(self.manifest | {"broke_off": {"tick": tick, "problem": problem}})

    def _stops(self, watch: Watch) -> bool:
        """Write a checkpoint to go on from where a bound is reached, and say so in the manifest."""
        stop = watch.stop()
        if stop is not None:
            get_log("run").warning("stopped", **stop)
            self.checkpoint()
            self.manifest["stopped"] = stop
        return stop is not None

    def _results(self) -> dict[str, Any]:
        simulation = self.assembly.simulation
        return {
            "status": "simulated",
            "tick": simulation.tick,
            "digest": self.recorder.digest,
            "user_turns": self.recorder.user_turns,
            **({"spent": round(self.recorder.spent, 6)} if self.recorder.spent else {}),
            "seconds": round(self.meter.wall, 3),
            "finished": now(),
            "coupled": self.manifest["coupled"] or self.assembly.coupled,
            "marks": marks(self.scenario, simulation.marks, self.manifest.get("forks", ())),
            "sandbox": self.assembly.sandbox,
            "resources": self.meter.resources(self.assembly.policy.asked.account, self.recorder.user_turns),
        }

    def _tell(self, progress: Progress) -> None:
        progress(
            tick=self.assembly.simulation.tick,
            ticks=self.scenario.time.ticks,
            users=self.assembly.simulation.users.columns.length,
            user_turns=self.recorder.user_turns,
            seconds=self.meter.wall,
        )


def run(
    scenario: Scenario,
    *,
    policy: object | None = None,
    data: Path | None = None,
    out: Path | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    block: int = BLOCK,
    tile: int | None = None,
    keep_checkpoints: int | None = None,
    spread: Spread = ONE_PROCESS,
    over_memory: bool = False,
    say: Callable[[str], None] | None = None,
    record: str = "all",
    report: bool = True,
) -> Finished:
    """Rehearse a scenario and keep the run in a folder.

    `policy` is a reference such as `greedy-v1` or `model.py:decide`, or the model itself; None takes
    the scenario's. With `keep_checkpoints`, the state at every so many ticks stays in the folder, for
    quick forks. `spread` deals the run to shards, which changes no result. `record` says what is kept of
    the turns: all, sessions (a row each), none, or those of a share of the people (`sample:0.01`). How
    much memory the run will take is told to `say` first, and one that would not fit is refused unless
    `over_memory` is set. Without `report` that is left to be written later. Nothing is written before
    scenario, people, world and policy are known to work.
    Raises UserError for what the caller can mend, NotCompletedError where the run broke off.
    """
    scenario = composition.with_policy(scenario, policy)
    scenario = scenario.model_copy(update={"policy": pinned(scenario.policy)})
    path = out if out is not None else RUNS / run_name(scenario)
    refuse_used(path)
    given = composition.only_python(policy)
    props = Props(policy=given, data=data, trust=trust, block=block, tile=tile)
    kept = scope_of(scenario, record) | kept_every(keep_checkpoints)
    meter = Meter()
    memory = footprint.stated(scenario, data, spread, over_memory=over_memory, say=say)
    noted = {"memory_mb": memory.in_mb}
    leg = Leg(0, scenario, props)
    with assembled([leg], spread) as assembly:
        return complete(_begin(leg, assembly, path, meter, noted | kept), progress, report=report)


def resume(
    folder: Path,
    *,
    progress: Progress | None = None,
    policy: object | None = None,
    spread: Spread = ONE_PROCESS,
    over_memory: bool = False,
    say: Callable[[str], None] | None = None,
) -> Finished:
    """Finish a run that was interrupted, to the digest that it would have had, in any number of shards.

    A fork is held against its parent again, as far as the tick at which it forked off. Raises
    NotFoundError where the folder is no run, OutputError where it cannot be gone on with, UserError
    where memory will not do, unless `over_memory`.
    """
    from rehearse.experiments.forking import witness_of

    record = RunRecord(folder, finished=False)
    manifest = record.manifest
    if manifest.get("status") == "finished":
        return finished(folder)
    manifest["status"] = "running"
    for told in ("stopped", "broke_off"):
        manifest.pop(told, None)
    legs = legs_of(record, policy)
    memory = footprint.stated(record.scenario, legs[-1].props.data, spread, over_memory=over_memory, say=say)
    manifest["memory_mb"] = memory.in_mb
    with assembled(legs, spread) as assembly:
        folder_to = RunFolder(folder, record.scope)
        production = continued(record.scenario, assembly, folder_to, manifest)
        production.witness = witness_of(record, assembly)
        return complete(production, progress)


def continued(
    scenario: Scenario, assembly: Assembly, folder: RunFolder, manifest: dict[str, Any]
) -> Production:
    """Return a run that goes on from the last checkpoint in its folder, or from the first tick."""
    recorder, meter = assembly.new_recorder(), Meter()
    found = folder.latest_checkpoint()
    if found is not None:
        tick, state = found
        assembly.simulation.restore(state, tick)
        recorder.links = np.array(state["record/links"], dtype=np.uint8)
        recorder.user_turns = int(state["record/user_turns"][0])
        meter = Meter(*(float(x) for x in state["record/spent"]))
        recorder.spent = float(state["record/money"][0]) if "record/money" in state else 0.0
        assembly.policy.heard_of(manifest.get("sandbox", {}))
    return Production(scenario, assembly, folder, recorder, manifest, meter)


def _begin(leg: Leg, assembly: Assembly, path: Path, meter: Meter, noted: Mapping[str, Any]) -> Production:
    scenario = leg.scenario
    check(scenario.criteria, assembly.stage.groups)
    check_monitors(scenario.monitors, scenario.criteria)
    manifest = first_manifest(scenario, leg.props, assembly, path) | dict(noted)
    text = to_yaml(scenario)
    refuse_secrets(text)
    folder = RunFolder.create(path, text, manifest)
    return Production(scenario, assembly, folder, assembly.new_recorder(), manifest, meter)


def complete(production: Production, progress: Progress | None, *, report: bool = True) -> Finished:
    """Play a run to its end, or to a bound; judge it and write its report, unless nobody wants one."""
    with log_to(production.folder.path / LOG):
        try:
            with production.folder:
                production.play(progress)
                return production.finish(report=report)
        except NotCompletedError as error:
            production.broke_off(error.problem)
            raise


def first_manifest(scenario: Scenario, props: Props, assembly: Assembly, path: Path) -> dict[str, Any]:
    """Return the manifest of a run that is about to begin; its policy is the one that it ends with."""
    files = inputs(scenario, props.data)
    policy = last_policy(assembly)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": path.name,
        "status": "running",
        "tick": 0,
        "scenario": {"name": scenario.name, "version": scenario.version, "digest": scenario_digest(scenario)},
        "seed": scenario.seed,
        "replicas": scenario.replicas,
        "users": scenario.people.count,
        "coupled": assembly.coupled,
        "tile": policy.asked.tile,
        "items": list(assembly.stage.items),
        "groups": list(assembly.stage.groups),
        "features": list(assembly.stage.features),
        "monitors": [monitor.model_dump(mode="json") for monitor in scenario.monitors],
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "reference": scenario.policy.name,
            "given_as_object": props.policy is not None,
            "foreign": policy.foreign,
            "sources": [source.origin() for source in sources(policy.asked.policy)],
            "trusted": props.trust,
        },
        "sandbox": policy.walls_told(),
        "data": str(props.data.resolve()) if props.data else None,
        "inputs": files,
        "people_digest": people_digest(scenario, files),
        "started": now(),
        **environment(),
    }
