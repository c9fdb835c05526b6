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


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A run's folder, a policy as in `rehearse run --policy`, or a scenario."
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one; differences are B minus A.")],
    *,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="On what to rehearse policies. Default: what the run was."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="With which model to rehearse scenarios. Default: each with its own."
        ),
    ] = None,
    across: Annotated[
        bool, typer.Option("--across", help="Compare two runs though their scenarios differ.")
    ] = False,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where new runs go, DIR/a and DIR/b, and DIR/compare.html."),
    ] = None,
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


def counterfactual(
    of: Annotated[
        str, typer.Argument(metavar="RUN|SCENARIO", help="A run's folder, or a scenario, which is run first.")
    ],
    *,
    flip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT", help="group or segment (of two), or a trait that is 0 or 1. May be repeated."
        ),
    ] = None,
    instead: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What everybody has: income*1.1, income=50000, group=blue."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Leave an event out: faults.0, drift.1, …")
    ] = None,
    without_tie: Annotated[
        list[str] | None, typer.Option(metavar="A-B", help="Two people who do not know each other: 12-57.")
    ] = None,
    sets: Sets = None,
    policy: Annotated[
        str | None, typer.Option(metavar="REF", help="The model of a scenario. Default: the scenario's.")
    ] = None,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the new runs and the table go.")
    ] = None,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Live again with one thing otherwise: whose decisions flip, what follows, and through whom.

    The same people with the same luck; `attribution.parquet` has a row for each of them.
    """
    from rehearse.experiments.counterfactual import Change
    from rehearse.experiments.counterfactual import counterfactual as made
    from rehearse.scenario.load import load

    change = Change(flip or (), instead or (), without or (), without_tie or (), sets or ())
    recorded = Path(of).is_dir()
    if recorded and any(value is not None for value in (users, ticks, seed, replicas, policy, data)):
        problem = "a recorded run keeps its people, its model and its data."
        raise UserError(problem, "Leave --policy, --data, --users, --ticks, --seed and --replicas out.")
    with stdout_for_us(), Bar(of, quiet=quiet) as bar:
        found = made(
            Path(of) if recorded else load(of, users=users, ticks=ticks, seed=seed, replicas=replicas),
            change,
            policy=policy,
            data=data,
            out=out,
            trust=trust,
            progress=bar,
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        where = [
            ("before", found.a),
            ("after", found.b),
            ("people", str(Path(found.b).parent / "attribution.parquet")),
        ]
        typer.echo("\n".join([found.table(), "", *lines_of(where)]))


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
