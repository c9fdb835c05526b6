"""Comparing two policies, or two recorded runs, on the same people with the same luck."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import (
    AsJson,
    Data,
    Quiet,
    Replicas,
    Seed,
    Sets,
    Ticks,
    Trust,
    Users,
)
from rehearse.experiments.commands.printing import lines_of, print_json, stdout_for_us
from rehearse.experiments.commands.progress import Bar

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord
    from rehearse.scenario.model import Scenario


A = Annotated[
    str,
    typer.Argument(
        metavar="A", help="A run's folder, a policy as in `rehearse run --policy`, or a scenario."
    ),
]
B = Annotated[str, typer.Argument(metavar="B", help="The other one; differences are B minus A.")]
OnWhat = Annotated[
    str | None,
    typer.Option(metavar="SCENARIO", help="On what to rehearse policies. Default: what the run was."),
]
Model = Annotated[
    str | None,
    typer.Option(metavar="REF", help="With which model to rehearse scenarios. Default: each with its own."),
]
Across = Annotated[
    bool,
    typer.Option("--across", help="Compare runs though their scenarios differ."),
]
Where = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where new runs go, DIR/a and DIR/b, and DIR/compare.html.")
]


def compare(
    a: A,
    b: B,
    *,
    scenario: OnWhat = None,
    policy: Model = None,
    across: Across = False,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
    out: Where = None,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Compare two policies, two scenarios or two recorded runs: differences with paired intervals.

    For everybody, every group and every segment, corrected for how many are looked at; and whose lives
    changed most, side by side in `compare.html`.
    """
    from rehearse.experiments.compare import compare as compare_runs
    from rehearse.experiments.report.compared import write
    from rehearse.record.reading import RunRecord
    from rehearse.scenario.load import load

    sides = [RunRecord(side) if Path(side).is_dir() else None for side in (a, b)]
    options = {"users": users, "ticks": ticks, "seed": seed, "replicas": replicas}
    folder = out or Path("runs") / f"compare-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    staged = scenario is None and not any(sides) and _are_scenarios(a, b)
    if staged:
        asked = [load(side, sets=sets or (), **options) for side in (a, b)]
        stages = [(one, data, policy) for one in asked]
    else:
        found = None if scenario is None else load(scenario, sets=sets or (), **options)
        _must_fit(sides, scenario, [policy, *options.values(), *(sets or ())])
        stages = [(*_stage(sides, found, data), side) for side in (a, b)]
    with stdout_for_us():
        kept = next((str(record.scope) for record in sides if record is not None), "all")
        one, other = (
            record or _rehearsed(stage, folder / name, kept, trust=trust, quiet=quiet)
            for record, stage, name in zip(sides, stages, "ab", strict=True)
        )
        compared = compare_runs(one, other, across=across or staged)
        page = write(compared, one, other, folder)
    if as_json:
        runs = {"a": str(one.folder), "b": str(other.folder)}
        print_json({"runs": runs, "comparison": compared.model_dump(mode="json"), "page": str(page)})
    else:
        where = [("A", str(one.folder)), ("B", str(other.folder)), ("page", str(page))]
        typer.echo("\n".join([compared.table(), "", *lines_of(where)]))


def _are_scenarios(*names: str) -> bool:
    """Return whether both are scenarios: of the catalogue, or YAML files."""
    from rehearse.scenario.load import catalogue

    known = {listed.name for listed in catalogue()}
    return all(name in known or Path(name).suffix in {".yaml", ".yml"} for name in names)


def _must_fit(recorded: list[RunRecord | None], scenario: str | None, changes: list[str | None]) -> None:
    """Refuse what would not be used."""
    if scenario is None and not any(recorded):
        problem = "A and B are policies, and it is not said on what to rehearse them."
        raise UserError(problem, "Name it: --scenario travel. A recorded run is given by its folder.")
    if scenario is not None and all(recorded):
        problem = f"A and B are recorded runs, so that --scenario {scenario} would not be used."
        raise UserError(problem, "Leave it out.")
    if scenario is None and any(change is not None for change in changes):
        problem = (
            "a recorded run cannot be changed by --users, --ticks, --seed, --replicas, --policy or --set."
        )
        raise UserError(problem, "Leave them out, or compare two policies with --scenario.")


def _stage(
    recorded: list[RunRecord | None], asked: Scenario | None, data: Path | None
) -> tuple[Scenario, Path | None]:
    """Return on which scenario and data new runs are made: what was asked for, else as the recorded run."""
    if asked is not None:
        return asked, data
    record = next(record for record in recorded if record is not None)
    fed = record.manifest.get("data")
    return record.scenario, data or (Path(fed) if fed else None)


def _rehearsed(
    stage: tuple[Scenario, Path | None, str | None], folder: Path, kept: str, *, trust: bool, quiet: bool
) -> RunRecord:
    from rehearse.experiments import running

    scenario, data, policy = stage
    with Bar(policy or scenario.name, quiet=quiet) as bar:
        finished = running.run(
            scenario, policy=policy, data=data, out=folder, trust=trust, progress=bar, record=kept
        )
    return finished.turns
