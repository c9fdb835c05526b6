"""Running a scenario to its end: run, resume, replay."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rehearse.agents.model import Rehearsal
from rehearse.columns import Array
from rehearse.engine.kernel import BLOCK
from rehearse.errors import UserError
from rehearse.experiments.build import Assembly, Props, assemble
from rehearse.experiments.folder import RunFolder, refuse_used
from rehearse.experiments.manifest import SCHEMA_VERSION, environment, file_digest, inputs, now, people_digest
from rehearse.experiments.metrics import check
from rehearse.experiments.resources import Meter
from rehearse.experiments.society import sample_of_ties, table_of_users
from rehearse.log import get_log, log_to
from rehearse.record.reading import TIES, VERDICT, RunRecord
from rehearse.record.recorder import Recorder
from rehearse.scenario.load import digest as scenario_digest
from rehearse.scenario.load import to_yaml
from rehearse.scenario.model import Part, Scenario
from rehearse.tables import write_table, write_text

RUNS = Path("runs")
LOG = "log.jsonl"


class Progress(Protocol):
    """Someone who is told how far a run is."""

    def __call__(self, *, tick: int, ticks: int, users: int, user_turns: int, seconds: float) -> None:
        """Hear that some ticks are done."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """What a run came to."""

    folder: Path
    digest: str
    verdict: str
    """pass, fail or unsure"""
    user_turns: int
    seconds: float
    criteria: list[dict[str, Any]]

    @property
    def turns(self) -> RunRecord:
        """Return the record of the run, for its tables."""
        return RunRecord(self.folder)


@dataclass(slots=True)
class Production:
    """A run in progress: the simulation, its record, its folder and its manifest."""

    scenario: Scenario
    assembly: Assembly
    folder: RunFolder
    recorder: Recorder
    manifest: dict[str, Any]
    meter: Meter
    data: Path | None = None

    def play(self, progress: Progress | None = None) -> None:
        """Go on to the last tick, with a checkpoint whenever one is due."""
        simulation = self.assembly.simulation
        model = Rehearsal(simulation)
        self.recorder.keep = self.folder.keep
        simulation.watchers.append(self.recorder)
        log = get_log("run")
        while simulation.tick < self.scenario.time.ticks:
            model.step()
            log.info("tick", tick=simulation.tick - 1, user_turns=self.recorder.user_turns)
            if self.folder.due and simulation.tick < self.scenario.time.ticks:
                self.checkpoint()
            if progress is not None:
                self._tell(progress)

    def checkpoint(self) -> None:
        """Write down all that a resumed run needs."""
        simulation = self.assembly.simulation
        spent: dict[str, Array] = {
            "record/links": self.recorder.links,
            "record/user_turns": np.array([self.recorder.user_turns]),
            "record/spent": np.array([self.meter.wall, self.meter.cpu]),
        }
        self.folder.checkpoint(simulation.tick, simulation.state() | spent)
        self.manifest |= {"tick": simulation.tick, "user_turns": self.recorder.user_turns}
        self.folder.write_manifest(self.manifest)

    def finish(self) -> Finished:
        """Write the rest of the record, judge it, and write the report."""
        from rehearse.experiments.report import write
        from rehearse.experiments.verdict import judge

        simulation = self.assembly.simulation
        table, words = table_of_users(simulation, self.scenario)
        self.folder.close(table, words)
        ties = sample_of_ties(simulation)
        if ties is not None:
            write_table(self.folder.path / TIES, ties)
        self.manifest |= self._results()
        self.folder.write_manifest(self.manifest)
        verdict = judge(RunRecord(self.folder.path), self.scenario)
        write_text(self.folder.path / VERDICT, verdict.model_dump_json(indent=2) + "\n")
        write(self.folder.path)
        self.manifest["status"] = "finished"
        self.folder.write_manifest(self.manifest)
        self.folder.drop_checkpoints()
        return finished(self.folder.path)

    def _results(self) -> dict[str, Any]:
        simulation = self.assembly.simulation
        return {
            "status": "simulated",
            "tick": simulation.tick,
            "digest": self.recorder.digest,
            "user_turns": self.recorder.user_turns,
            "seconds": round(self.meter.wall, 3),
            "finished": now(),
            "marks": marks(self.scenario, simulation.marks),
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
) -> Finished:
    """Rehearse a scenario and keep the run in a folder.

    `policy` is a reference such as `greedy-v1` or `model.py:decide`, or the model itself; None takes
    the scenario's. Nothing is written before scenario, people, world and policy are known to work.
    Raises UserError for what the caller can mend, NotCompletedError where the run broke off.
    """
    scenario = with_policy(scenario, policy)
    path = out if out is not None else RUNS / _run_name(scenario)
    refuse_used(path)
    given = None if isinstance(policy, str) else policy
    props = Props(policy=given, data=data, trust=trust, block=block, tile=tile)
    return _complete(_begin(scenario, props, path), progress)


def resume(folder: Path, *, progress: Progress | None = None, policy: object | None = None) -> Finished:
    """Finish a run that was interrupted, to the digest that it would have had.

    Raises NotFoundError where the folder is no run, OutputError where it cannot be gone on with.
    """
    record = RunRecord(folder, finished=False)
    manifest = record.manifest
    if manifest.get("status") == "finished":
        return finished(folder)
    scenario = record.scenario
    props = recorded_props(record, policy)
    assembly = assemble(scenario, props)
    kept = RunFolder(folder, words=_words(assembly))
    recorder = Recorder(assembly.stage.replicas)
    meter = Meter()
    found = kept.latest_checkpoint()
    if found is not None:
        tick, state = found
        assembly.simulation.restore(state, tick)
        recorder.links = np.asarray(state["record/links"], dtype=np.uint8)
        recorder.user_turns = int(state["record/user_turns"][0])
        meter = Meter(*(float(x) for x in state["record/spent"]))
    manifest["status"] = "running"
    production = Production(scenario, assembly, kept, recorder, manifest, meter, props.data)
    return _complete(production, progress)


def finished(folder: Path) -> Finished:
    """Return what a finished run came to, from its folder."""
    record = RunRecord(folder)
    return Finished(
        folder=folder,
        digest=record.manifest["digest"],
        verdict=record.verdict["verdict"],
        user_turns=record.manifest["user_turns"],
        seconds=record.manifest["seconds"],
        criteria=record.verdict["criteria"],
    )


def with_policy(scenario: Scenario, policy: object | None) -> Scenario:
    """Return the scenario with the policy that was asked for instead of its own."""
    if policy is None:
        return scenario
    given = getattr(policy, "__name__", type(policy).__name__)
    name = policy if isinstance(policy, str) else f"python:{given}"
    path, colon, attribute = name.partition(":")
    if Path(path).is_file():  # a run is replayed from elsewhere too
        name = f"{Path(path).resolve()}{colon}{attribute}"
    settings = scenario.policy.settings if name == scenario.policy.name else {}
    return scenario.model_copy(update={"policy": Part(name=name, settings=settings)})


def recorded_props(record: RunRecord, policy: object | None = None) -> Props:
    """Return what a recorded run was built with; raises UserError where an input is gone or changed."""
    manifest = record.manifest
    if policy is None and manifest["policy"].get("given_as_object"):
        problem = f"the policy of {str(record.folder)!r} was given as a Python object."
        raise UserError(problem, "Give it again: `policy=…` in Python.")
    for name, digest in manifest["inputs"].items():
        if file_digest(Path(name)) != digest:
            problem = f"{name!r} has changed since the run was made."
            raise UserError(problem, "Bring the old file back, or run the scenario again.")
    data = manifest.get("data")
    return Props(
        policy=policy,
        data=Path(data) if data else None,
        trust=manifest["policy"].get("trusted", False),
        tile=manifest["tile"],
    )


def marks(scenario: Scenario, drifts: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return everything that was scheduled to happen, with its tick, for pictures and alarms."""
    found = [{"tick": tick, "kind": "drift", "note": note} for tick, note in drifts]
    found += [
        {"tick": spec.start, "kind": kind, "note": spec.note or f"{kind} from tick {spec.start}"}
        for kind, specs in (("latency", scenario.latency), ("fault", scenario.faults))
        for spec in specs
        if spec.start > 0 or spec.until is not None
    ]
    return sorted(found, key=lambda mark: (mark["tick"], mark["kind"]))


def _begin(scenario: Scenario, props: Props, path: Path) -> Production:
    meter = Meter()
    assembly = assemble(scenario, props)
    check(scenario.criteria, assembly.stage.groups)
    manifest = _first_manifest(scenario, props, assembly, path)
    folder = RunFolder.create(path, to_yaml(scenario), manifest)
    folder.words = _words(assembly)
    recorder = Recorder(assembly.stage.replicas)
    return Production(scenario, assembly, folder, recorder, manifest, meter, props.data)


def _complete(production: Production, progress: Progress | None) -> Finished:
    with log_to(production.folder.path / LOG):
        production.play(progress)
        return production.finish()


def _first_manifest(scenario: Scenario, props: Props, assembly: Assembly, path: Path) -> dict[str, Any]:
    files = inputs(scenario, props.data)
    policy = assembly.policy
    return {
        "schema_version": SCHEMA_VERSION,
        "run": path.name,
        "status": "running",
        "tick": 0,
        "scenario": {
            "name": scenario.name,
            "version": scenario.version,
            "digest": scenario_digest(scenario),
        },
        "seed": scenario.seed,
        "replicas": scenario.replicas,
        "users": scenario.people.count,
        "coupled": assembly.coupled,
        "tile": assembly.policy.asked.tile,
        "items": list(assembly.stage.items),
        "groups": list(assembly.stage.groups),
        "features": list(assembly.stage.features),
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "reference": scenario.policy.name,
            "given_as_object": props.policy is not None,
            "foreign": policy.foreign,
            "trusted": props.trust,
        },
        "data": str(props.data.resolve()) if props.data else None,
        "inputs": files,
        "people_digest": people_digest(scenario, files),
        "started": now(),
        **environment(),
    }


def _words(assembly: Assembly) -> Mapping[str, tuple[str, ...]]:
    return {"rationale": tuple(assembly.policy.rationales), "guard": tuple(assembly.policy.guards)}


def _run_name(scenario: Scenario) -> str:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{scenario.name}-{stamp}-{secrets.token_hex(2)}"
