"""Forks: a recorded run gone on with from some tick under a changed scenario, as a run of its own.

It is the counterfactual of a whole society: the same people, with all that they have lived through,
and the same luck, meet something else from that tick on. What came before the tick is lived again,
from the last kept checkpoint or from the first tick, and held against the record of the parent. A
fork in which nothing is changed has the digest of its parent.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rehearse.agents.goals import Agenda
from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments import footprint
from rehearse.experiments.build import Assembly, Props
from rehearse.experiments.composition import only_python, with_policy
from rehearse.experiments.folder import (
    CHECKPOINTS,
    STATES,
    RunFolder,
    checkpoint_name,
    refuse_used,
    run_name,
    same_file,
    writing,
)
from rehearse.experiments.metrics import check
from rehearse.experiments.outcome import Finished
from rehearse.experiments.rebuilding import Leg, in_legs, legs_of
from rehearse.experiments.replaying import Comparer
from rehearse.experiments.running import (
    RUNS,
    Progress,
    complete,
    continued,
    first_manifest,
)
from rehearse.policies.loading import pinned
from rehearse.record.reading import RunRecord
from rehearse.scenario.edit import changed
from rehearse.scenario.lifecycle import Arrivals, Churn, Returns
from rehearse.scenario.load import amended, to_yaml
from rehearse.scenario.model import Scenario

WORDS = ("title", "description", "name", "version", "assumptions", "limitations")
MAY_CHANGE = (
    *("policy", "slate", "latency", "drift", "observation", "faults", "guards", "criteria", "time", *WORDS),
    *("people.behaviour", "people.memory", "people.goals"),
    *("people.society.influences", "people.society.order", "people.society.rules"),
    *("people.arrivals", "people.churn", "people.returns", "people.strategy"),
)
"""Paths of a scenario that may differ from some tick on; the world adds settings of its own."""
SETTLED = (
    *("people.behaviour.satisfaction_start", "people.memory.size"),
    *("people.arrivals.start", "people.returns.forgets"),
)
"""What is settled before the first tick all the same."""


class NotTheParentError(UserError):
    """A run lived again is not what was recorded: what came of it is no fork."""


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork that is about to be made."""

    parent: RunRecord
    tick: int
    legs: list[Leg]
    """Those of the parent, then its own."""

    @property
    def scenario(self) -> Scenario:
        """Return the scenario from the tick on."""
        return self.legs[-1].scenario

    @property
    def changes(self) -> dict[str, Any]:
        """Return the paths whose values differ from the parent's, with the new values."""
        found = dict(_differences(_with_hazards(self.parent.scenario), _with_hazards(self.scenario)))
        another = "policy.name" in found
        return {path: new for path, new in found.items() if not (another and "policy.settings" in path)}


def fork(
    parent: Path,
    tick: int,
    *,
    sets: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    policy: object | None = None,
    parent_policy: object | None = None,
    out: Path | None = None,
    trust: bool = False,
    progress: Progress | None = None,
    over_memory: bool = False,
    say: Callable[[str], None] | None = None,
) -> Finished:
    """Go on with a finished run from the start of a tick, with something changed, in a new folder.

    Changes are `key=value` texts (`sets`), values by dotted path (`settings`), and a policy as in
    `run`; `parent_policy` is the parent's, where it was given as an object. Raises UserError where
    that cannot be changed at a tick or the parent cannot be lived again, or memory will not do (unless
    `over_memory`), NotFoundError where there is no such run. What it will take is told to `say`.
    """
    record = RunRecord(parent)
    _check_tick(record, tick)
    scenario = amended(with_policy(record.scenario, policy), sets)
    scenario = changed(scenario, settings) if settings else scenario
    scenario = scenario.model_copy(update={"policy": pinned(scenario.policy)})
    legs = legs_of(record, parent_policy)
    given = only_python(policy)
    asked = Fork(record, tick, [*legs, Leg(tick, scenario, _props(legs[-1], scenario, given, trust=trust))])
    path = out if out is not None else RUNS / run_name(scenario)
    refuse_used(path)
    memory = footprint.stated(scenario, legs[-1].props.data, over_memory=over_memory, say=say)
    return _made(asked, path, {"memory_mb": memory.in_mb}, progress)


def _props(before: Leg, scenario: Scenario, given: object | None, *, trust: bool) -> Props:
    """Return what the fork is built with: the same model is met in the same way."""
    if given is None and scenario.policy.name == before.scenario.policy.name:
        return replace(before.props, answers=None)
    return replace(before.props, policy=given, trust=trust, tile=None, answers=None)


def _made(asked: Fork, path: Path, noted: Mapping[str, Any], progress: Progress | None) -> Finished:
    assembly = in_legs(asked.legs)
    _check_changes(asked, assembly)
    check(asked.scenario.criteria, assembly.stage.groups)
    manifest = _manifest(asked, assembly, path) | dict(noted)
    folder = RunFolder.create(path, to_yaml(asked.scenario), manifest)
    try:
        _take_over(asked, path)
    except UserError:
        shutil.rmtree(path, ignore_errors=True)  # a part of what was recorded is not to be gone on with
        raise
    production = continued(asked.scenario, assembly, folder, manifest)
    production.witness = Witness(Comparer(asked.parent, assembly), asked.tick).keep
    try:
        return complete(production, progress)
    except NotTheParentError:
        shutil.rmtree(path, ignore_errors=True)
        raise


def witness_of(record: RunRecord, assembly: Assembly) -> Callable[[int, Columns, Columns], None] | None:
    """Return who holds a fork that is gone on with against its parent; None where there is none."""
    for fork in record.manifest.get("forks", ())[-1:]:
        if Path(fork["run"]).is_dir():
            return Witness(Comparer(RunRecord(Path(fork["run"])), assembly), fork["tick"]).keep
    return None


@dataclass(frozen=True, slots=True)
class Witness:
    """Sees to it that what is lived again is what the parent recorded."""

    comparer: Comparer
    tick: int

    def keep(self, tick: int, turns: Columns, society: Columns) -> None:
        """Compare a tick before the fork; raises NotTheParentError where it differs."""
        if tick >= self.tick:
            return
        self.comparer.keep(tick, turns, society)
        if self.comparer.found is not None:
            folder = str(self.comparer.record.folder)
            problem = f"{folder!r} cannot be lived again: at {self.comparer.found}."
            raise NotTheParentError(
                problem, "Fork a run that was made with this code: `rehearse replay` tells."
            )


def _check_tick(record: RunRecord, tick: int) -> None:
    ticks = record.scenario.time.ticks
    if not 0 <= tick < ticks:
        problem = f"{str(record.folder)!r} cannot fork at tick {tick}: it has the ticks 0 to {ticks - 1}."
        raise UserError(problem, "Give one of them: what is changed holds from its start.")
    for earlier in record.manifest.get("forks", ())[-1:]:
        if tick < earlier["tick"]:
            problem = f"{str(record.folder)!r} is itself a fork at tick {earlier['tick']}."
            raise UserError(problem, f"Give that tick or a later one, or fork {earlier['run']!r}.")


def _check_changes(asked: Fork, assembly: Assembly) -> None:
    """Raise UserError for a change of what is settled before the first tick."""
    own = getattr(assembly.simulation.world, "may_change", ())
    may = (*MAY_CHANGE, *(f"world.settings.{name}" for name in own))
    wrong = [path for path in asked.changes if not _within(path, may) or _within(path, SETTLED)]
    if "people.goals" in asked.changes and not wrong:
        wrong = _settled_goals(asked)
    if wrong:
        problem = f"{wrong[0]} cannot be changed at tick {asked.tick}: it is settled before the first tick."
        can = ", ".join(path for path in may if path not in WORDS)
        remedy = f"A fork may change {can}. For all else make a new run: `rehearse run {asked.parent.folder}"
        raise UserError(problem, f"{remedy}/scenario.yaml --set {wrong[0]}=…`.")
    if asked.scenario.time.ticks <= asked.tick:
        problem = f"time.ticks is {asked.scenario.time.ticks}, and the fork begins at tick {asked.tick}."
        raise UserError(problem, "Let the run last longer than that.")
    Agenda.of(asked.scenario.people.goals)


def _settled_goals(asked: Fork) -> list[str]:
    """Return what differs in the goals that people may hold already: their names and how many begin so."""
    before, after = asked.parent.scenario.people.goals, asked.scenario.people.goals
    for place, goal in enumerate(before):
        now = after[place] if place < len(after) else None
        if now is None or now.name != goal.name:
            return [f"people.goals.{place}.name"]
        if now.at_start != goal.at_start:
            return [f"people.goals.{place}.at_start"]
    return []


def _within(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}.") for place in places)


def _data(scenario: Scenario) -> dict[str, Any]:
    return scenario.model_dump(mode="json", exclude={"extends"})


def _with_hazards(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data, with hazards of 0 where it says nothing of coming and going."""
    people = scenario.people
    without = {"arrivals": Arrivals(start=people.count), "churn": Churn(), "returns": Returns()}
    hazards = {name: getattr(people, name) or none for name, none in without.items()}
    return _data(scenario.model_copy(update={"people": people.model_copy(update=hazards)}))


def _differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the paths at which two scenarios differ, with what the second has there; a list is one value."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if before != after:
            yield path, after
        return
    for key in dict.fromkeys([*before, *after]):
        yield from _differences(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))


def _take_over(asked: Fork, path: Path) -> None:
    """Begin where the parent's last kept checkpoint up to the tick is, with what it recorded until then."""
    source, ticks = asked.parent.folder, range(asked.tick, 0, -1)
    kept = next((t for t in ticks if (source / STATES / checkpoint_name(t)).is_file()), None)
    if kept is None:
        return
    with writing(path):
        view = asked.parent.scope.view
        for part in sorted((source / view).glob("ticks-*.parquet")):
            if int(part.stem.split("-")[2]) < kept:
                same_file(part, path / view / part.name)
        # Last, for a resumed run trusts it to have all that was recorded before.
        same_file(source / STATES / checkpoint_name(kept), path / CHECKPOINTS / checkpoint_name(kept))


def _manifest(asked: Fork, assembly: Assembly, path: Path) -> dict[str, Any]:
    """Return the manifest: the policy is the new one, the people and their luck are those of the parent."""
    parent, leg = asked.parent.manifest, asked.legs[-1]
    own = first_manifest(leg.scenario, leg.props, assembly, path)
    same_length = leg.scenario.time.ticks == asked.parent.scenario.time.ticks
    said = ", ".join(f"{name} = {value}" for name, value in asked.changes.items()) or "nothing changed"
    fork = {
        "run": str(asked.parent.folder.resolve()),
        "digest": parent["digest"],
        "tick": asked.tick,
        "note": f"forked from {parent['run']}: {said}",
        "changes": asked.changes,
        "before": {
            "scenario": _data(asked.parent.scenario),
            "policy": parent["policy"],
            "tile": parent["tile"],
        },
    }
    return own | {
        "coupled": parent["coupled"] or own["coupled"],
        "inputs": parent["inputs"] | own["inputs"],
        "people_digest": parent["people_digest"] if same_length else own["people_digest"],
        "record": parent.get("record", "all"),
        "forks": [*parent.get("forks", ()), fork],
    }
