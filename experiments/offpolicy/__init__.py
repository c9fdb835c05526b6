"""Off-policy evaluation: what another policy would earn, told from what one policy did.

    found = rehearse.off_policy("runs/mine", "table-v1", settings={"chances": [[0.2, 0.8]]})
    print(found["dr"].value, found["dr"].error, found.truth)

On plain arrays: `evaluate(Turns(reward=…, propensity=…, target=…))`, or `ips`, `snips`, `dr`. See `estimates`
for equations and sources, `rewards` for the models behind dm and dr.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearse.contract import Stage
from rehearse.errors import UserError, did_you_mean
from rehearse.experiments.build import Assembly, assemble
from rehearse.experiments.composition import only_python, with_policy
from rehearse.experiments.importing import Log
from rehearse.experiments.intervals import Unit
from rehearse.experiments.offpolicy.asking import Ears, lived, must_not_learn
from rehearse.experiments.offpolicy.estimates import (
    Estimate,
    OffPolicy,
    Turns,
    dr,
    effective_sample_size,
    evaluate,
    ips,
    on_policy,
    snips,
    weights,
)
from rehearse.experiments.rebuilding import Leg, in_legs, legs_of
from rehearse.policies.chances import Chances
from rehearse.policies.loading import load
from rehearse.policies.sandbox import walled
from rehearse.record.reading import RunRecord

__all__ = [
    "Estimate",
    "OffPolicy",
    "Turns",
    "dr",
    "effective_sample_size",
    "evaluate",
    "ips",
    "of_log",
    "of_run",
    "on_policy",
    "snips",
    "weights",
]


def of_run(
    folder: Path,
    target: object,
    *,
    settings: Mapping[str, Any] | None = None,
    policy: object | None = None,
    model: object = "items",
    clip: float | None = None,
    truth: bool = True,
    confidence: float = 0.95,
    trust: bool = False,
) -> OffPolicy:
    """Return what a target policy would earn in a recorded run's place; see `rehearse.off_policy`."""
    record = RunRecord(folder)
    legs = legs_of(record, policy)
    if len(legs) > 1:
        problem = f"{str(folder)!r} forked off from another run, under which another policy decided."
        raise UserError(problem, "Evaluate a run that was made in one piece.")
    unit: Unit = "replicas" if record.manifest.get("coupled", True) else "users"
    ticks = int(record.manifest["tick"])
    assembly = in_legs(legs)
    beside = _beside(assembly, legs[0], target, settings, trust=trust)
    ears = Ears.at(assembly, beside, model=model)
    lived(assembly, ticks)
    found = evaluate(ears.turns(unit, model), clip=clip, confidence=confidence)
    known = None
    if truth:
        known = on_policy(_own_turns(legs[0], target, settings, ticks, unit, trust=trust), confidence)
    return replace(found, truth=known, notes=tuple(_notes(found, ears, beside)))


def of_log(log: Log, target: str, *, clip: float | None = None, confidence: float = 0.95) -> OffPolicy:
    """Return what a target policy would have earned, from an imported log; see `rehearse.off_policy`."""
    told = log.query("SELECT * FROM turns LIMIT 1")
    for name in ("reward", "propensity", target):
        if name not in told:
            problem = f"the log has no column {name!r}."
            remedy = (
                f"{did_you_mean(name, told)} Say in read_log what is reward, propensity and the target's."
            )
            raise UserError(problem, remedy)
    rows = log.query(f'SELECT "user", reward, propensity, "{target}" AS target FROM turns')
    turns = Turns(
        reward=rows.numbers("reward"),
        propensity=rows.numbers("propensity"),
        target=rows.numbers("target"),
        who=rows["user"].astype("int64"),
    )
    return evaluate(turns, clip=clip, confidence=confidence)


def _beside(
    assembly: Assembly, leg: Leg, target: object, settings: Mapping[str, Any] | None, *, trust: bool
) -> Chances:
    stage: Stage = assembly.stage
    with walled(leg.scenario.sandbox):
        made: Any = load(target, stage, settings=settings, trust=trust)
        must_not_learn(made, made.name)
        return Chances(made, stage, leg.props.tile)


def _own_turns(
    leg: Leg,
    target: object,
    settings: Mapping[str, Any] | None,
    ticks: int,
    unit: Unit,
    *,
    trust: bool,
) -> Turns:
    """Return the turns of the target itself, among the same people with the same luck."""
    scenario = with_policy(leg.scenario, target)
    if settings is not None:
        written = scenario.policy.model_copy(update={"settings": dict(settings)})
        scenario = scenario.model_copy(update={"policy": written})
    props = replace(leg.props, policy=only_python(target), trust=trust, answers=None)
    assembly = assemble(scenario, props)
    ears = Ears.at(assembly, None)
    lived(assembly, ticks)
    return ears.turns(unit)


def _notes(found: OffPolicy, ears: Ears, target: Chances) -> list[str]:
    """Return what a reader should know before trusting the estimates."""
    said = []
    if target.drawn:
        said.append(
            f"{target.name} does not say how likely its answers are (`probabilities`): the answer that it"
            " gives stands for them, which is as right and less sharp."
        )
    if found.units < 2:
        said.append(
            "There is but one independent society, since something couples its people: no error can be told."
        )
    if found.mean_weight < 0.95 and abs(found.mean_weight - 1.0) > 3.0 * found["ips"].error:
        said.append(
            f"The weights average {found.mean_weight:.2f} and not 1: the target gives answers that the"
            " logging policy never gave, and nobody knows what those earn."
        )
    if ears.again:
        said.append(
            "Estimates are of the turns that the logging policy met; the truth also counts that people come,"
            " stay and ask otherwise when the target decides."
        )
    return said
