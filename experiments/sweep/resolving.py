"""The runs of a plan that rehearses scenarios: each point resolved, and what determines its runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rehearse import errors
from rehearse.errors import ScenarioError
from rehearse.experiments import composition
from rehearse.experiments.manifest import environment, file_digest, inputs
from rehearse.experiments.sweep.designs import points
from rehearse.experiments.sweep.listing import SEED, Run, Task, named, seeds_of
from rehearse.experiments.sweep.plan import Planned
from rehearse.policies.loading import pinned
from rehearse.redact import refuse_secrets
from rehearse.scenario.document import Node, node_of
from rehearse.scenario.edit import changed, put
from rehearse.scenario.load import digest as scenario_digest
from rehearse.scenario.load import load, to_yaml
from rehearse.scenario.model import Scenario
from rehearse.scenario.references import with_files
from rehearse.scenario.wrong import check

SCENARIO, POLICY = "scenario", "policy"


def of_scenarios(planned: Planned, seeds: int | None, *, trust: bool) -> Iterator[Run]:
    """Go over the runs of a plan, as `listing.runs` does."""
    plan = planned.plan
    data = None if plan.data is None else (planned.folder / plan.data).resolve()
    if data is not None:
        file_digest(data)  # a table that is not there is told before anything is run
    bases: dict[str, Scenario] = {}
    for point, values in enumerate(points(planned)):
        scenario = _at(planned, dict(zip(planned.axes, values, strict=True)), bases)
        what = determining(scenario, data, plan.metrics)
        fed = None if data is None else str(data)
        common = Task(scenario.model_dump_json(), fed, metrics=plan.metrics, trust=trust, keep=plan.keep)
        for seed in seeds_of(planned, point, scenario.seed, seeds):
            yield Run(named(what | {SEED: seed}), point, seed, values, replace(common, seed=seed))


def _at(planned: Planned, values: dict[str, Any], bases: dict[str, Scenario]) -> Scenario:
    """Return the scenario of a point."""
    asked = values.get(SCENARIO, planned.plan.scenario)
    key = json.dumps(asked, sort_keys=True)
    if key not in bases:
        bases[key] = _base(planned, asked)
    rest = {name: value for name, value in values.items() if name not in {SCENARIO, POLICY}}
    scenario = _changed(planned, bases[key], {name: ("axes", value) for name, value in rest.items()})
    if POLICY in values:
        scenario = _with_policy(planned, scenario, values[POLICY])
    return scenario.model_copy(update={"policy": pinned(scenario.policy)})


def _base(planned: Planned, asked: Any) -> Scenario:
    where = planned.place("axes" if SCENARIO in planned.axes else SCENARIO)
    if isinstance(asked, str):
        file = planned.folder / asked
        scenario = load(file if file.suffix in {".yaml", ".yml"} else asked)
    elif isinstance(asked, dict):
        scenario = load(asked)
    else:
        problem = f"{where}: a scenario is named, or written out, found {asked!r}."
        raise ScenarioError(problem, "Give a name of the catalogue, a YAML file, or a map.")
    refuse_secrets(to_yaml(scenario))
    if planned.plan.reduced and scenario.about is not None:
        scenario = changed(scenario, scenario.about.reduced)
    return _changed(planned, scenario, {name: ("set", value) for name, value in planned.plan.set.items()})


def _changed(planned: Planned, scenario: Scenario, edits: dict[str, tuple[str, Any]]) -> Scenario:
    """Return a scenario with values changed; what is wrong with one names its place in the plan."""
    if not edits:
        return scenario
    tree = node_of(scenario.model_dump(mode="json"), planned.place(SCENARIO))
    for name, (part, value) in edits.items():
        tree = put(tree, name.split("."), node_of(value, planned.place(part, name)))
    return check(Scenario, with_files(tree, planned.folder, confined=False).plain(), tree=tree)


def _with_policy(planned: Planned, scenario: Scenario, policy: Any) -> Scenario:
    if isinstance(policy, dict):
        return _changed(planned, scenario, {POLICY: ("axes", policy)})
    if not isinstance(policy, str):
        problem = f"{planned.place('axes', POLICY)}: a policy is given by reference, found {policy!r}."
        raise ScenarioError(problem, "Write a name such as greedy-v1, or model.py:decide.")
    tree = Node(
        {POLICY: Node({"name": Node(policy, planned.place("axes", POLICY))}, planned.tree.place)},
        planned.tree.place,
    )
    found = with_files(tree, planned.folder, confined=False).plain()
    return composition.with_policy(scenario, found[POLICY]["name"])


def determining(scenario: Scenario, data: Path | None, metrics: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what determines the runs of a scenario, but for their seeds."""
    return {
        "scenario": scenario_digest(scenario.model_copy(update={SEED: 0})),
        "inputs": sorted(inputs_of(scenario, data).values()),
        "metrics": metrics,
        "code": _code(),
    }


def inputs_of(scenario: Scenario, data: Path | None) -> dict[str, str]:
    """Return the digest of every file that a run reads, those of its policy's parts too."""
    parts = composition.parts_of(scenario.policy.name, scenario.policy.settings)
    files = [Path(name.partition("?")[0].partition(":")[0]) for _, name in parts]
    return inputs(scenario, data) | {str(f.resolve()): file_digest(f) for f in files if f.is_file()}


@cache
def _code() -> str:
    """Return the digest of Rehearse's own code and of the versions of what it counts with."""
    found = hashlib.sha256(json.dumps(environment()["packages"], sort_keys=True).encode())
    root = Path(errors.__file__).parent
    for room in sorted(root.iterdir()):  # some are links, which rglob would not follow
        for path in sorted(room.rglob("*.py")) if room.is_dir() else [room]:
            if path.suffix == ".py":
                found.update(path.relative_to(root).as_posix().encode())
                found.update(path.read_bytes())
    return found.hexdigest()
