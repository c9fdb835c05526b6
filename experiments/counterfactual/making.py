"""Making a counterfactual: the run as it was, the run as it would have been, and what parts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.errors import UserError
from rehearse.experiments import running
from rehearse.experiments.composition import only_python
from rehearse.experiments.counterfactual.attribution import CAUSES, Lives, attribute
from rehearse.experiments.counterfactual.change import Change
from rehearse.experiments.counterfactual.summing import distances, shares, summed_up
from rehearse.experiments.counterfactual.values import Counterfactual, Share
from rehearse.experiments.folder import run_name
from rehearse.experiments.intervals import Unit
from rehearse.experiments.rebuilding import rebuilt, recorded_props
from rehearse.experiments.verdict import CONFIDENCE
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario
from rehearse.tables import write_table, write_text

TABLE, RESULT = "attribution.parquet", "counterfactual.json"
NAMED = 10
FAR = 4
"""Ties beyond which people are told of together."""


@dataclass(frozen=True, slots=True)
class _Given:
    """What a run is made with."""

    policy: object | None
    data: Path | None
    trust: bool
    progress: running.Progress | None
    say: Callable[[str], None] | None

    def run(self, scenario: Scenario, folder: Path, **more: Any) -> RunRecord:
        made = running.run(
            scenario,
            policy=self.policy,
            data=self.data,
            out=folder,
            trust=self.trust,
            progress=self.progress,
            say=self.say,
            **more,
        )
        return made.turns


def counterfactual(
    of: Path | Scenario,
    change: Change,
    *,
    policy: object | None = None,
    data: Path | None = None,
    out: Path | None = None,
    trust: bool = False,
    progress: running.Progress | None = None,
    say: Callable[[str], None] | None = None,
    confidence: float = CONFIDENCE,
) -> Counterfactual:
    """Rehearse a recorded run (or a scenario, which is run first) again with one thing changed.

    The new runs lie in `out`, as `a` and `b`, with a table of a row a person (`attribution.parquet`).
    `policy` is the model of a scenario, or of a run to which it was given as an object. Raises UserError
    for a change that cannot be made, or a run that did not keep all turns.
    """
    given = _Given(policy, data, trust, progress, say)
    if isinstance(of, Scenario):
        after = change.of(of)
        folder = out if out is not None else running.RUNS / f"counterfactual-{run_name(of)}"
        before, more = given.run(of, folder / "a"), {}
    else:
        before = RunRecord(of)
        _must_be_whole(before)
        after = change.of(before.scenario)
        folder = out if out is not None else running.RUNS / f"counterfactual-{run_name(after)}"
        props = recorded_props(before, policy)
        given = _Given(props.policy, props.data, props.trust, progress, say)
        more = {"tile": props.tile}
    return laid_beside(before, given.run(after, folder / "b", **more), change, folder, policy, confidence)


def laid_beside(
    before: RunRecord,
    after: RunRecord,
    change: Change,
    folder: Path,
    policy: object | None = None,
    confidence: float = CONFIDENCE,
) -> Counterfactual:
    """Return what parts two runs of the same people, and write it into a folder."""
    lives = attribute(before, after)
    people = lives.people
    coupled = before.manifest.get("coupled", True) or after.manifest.get("coupled", True)
    unit: Unit = "replicas" if coupled else "users"
    reach = _reach(lives, before, change, policy)
    found = Counterfactual(
        change=change.said,
        a=str(before.folder),
        b=str(after.folder),
        unit=unit,
        confidence=confidence,
        people=people.length,
        touched=int((people.numbers("first_tick") >= 0).sum()),
        turns=int(people.numbers("turns").sum()),
        flipped=int(people.numbers("flipped").sum()),
        rows=summed_up(lives, unit, confidence),
        causes=shares(lives, [(cause, people["cause"] == cause) for cause in CAUSES]),
        reach=reach,
        most=tuple(_most(lives)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / TABLE, people)
    write_text(folder / RESULT, found.model_dump_json(indent=2) + "\n")
    return found


def _must_be_whole(record: RunRecord) -> None:
    if record.scope.kind != "all" or record.manifest.get("forks"):
        what = "is a fork" if record.manifest.get("forks") else f"was recorded with --record {record.scope}"
        problem = f"{str(record.folder)!r} {what}: its turns cannot be laid beside others from the first on."
        raise UserError(problem, "Take a run of all turns from the first tick: `rehearse run`.")


def _reach(lives: Lives, record: RunRecord, change: Change, policy: object | None) -> tuple[Share, ...]:
    """Return who was reached through how many ties; the distances go into the table too."""
    if not record.scenario.people.society.graphs:
        return ()
    given = only_python(policy) if record.manifest["policy"].get("given_as_object") else None
    away = distances(lives, rebuilt(record, given), change.sources)
    if away is None:
        return ()
    lives.people["ties"] = away
    touched = lives.people.numbers("first_tick") >= 0
    by = [(_tied(n), touched & (away == n)) for n in range(FAR)]
    by += [(f"{FAR} ties or more", touched & (away >= FAR)), ("no path of ties", touched & (away < 0))]
    return tuple(share for share in shares(lives, by) if share.people)


def _tied(n: int) -> str:
    return "changed first" if n == 0 else f"{n} tie{'s' * (n > 1)} away"


def _most(lives: Lives) -> list[dict[str, Any]]:
    """Return the rows of the people whose rewards (or satisfaction) changed most."""
    people = lives.people
    by = next(name for name in ("reward", "satisfaction", "sessions") if name in lives.outcomes)
    moved = lives.moved(by)
    order = np.argsort(-np.abs(np.nan_to_num(moved)), kind="stable")[:NAMED]
    rows = [{name: people[name][i].item() for name in people} for i in order.tolist() if moved[i]]
    return [{n: None if isinstance(v, float) and v != v else v for n, v in row.items()} for row in rows]  # noqa: PLR0124 - NaN
