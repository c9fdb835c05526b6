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
        str, typer.Argument(metavar="A", help="A run's folder, or a policy as in `rehearse run --policy`.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one; differences are B minus A.")],
    *,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="On what to rehearse policies. Default: what the run was."),
    ] = None,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where new runs go: DIR/a and DIR/b.")
    ] = None,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Compare two policies, or two recorded runs: differences with paired intervals, also for each group."""
    from rehearse.experiments.compare import compare as compare_runs
    from rehearse.record.reading import RunRecord
    from rehearse.scenario.load import load

    recorded = [RunRecord(side) if Path(side).is_dir() else None for side in (a, b)]
    options = {"users": users, "ticks": ticks, "seed": seed, "replicas": replicas}
    asked = None if scenario is None else load(scenario, sets=sets or (), **options)
    _must_fit(recorded, scenario, [*options.values(), *(sets or ())])
    folder = out or Path("runs") / f"compare-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    stage = _stage(recorded, asked, data)
    with stdout_for_us():
        kept = next((str(record.scope) for record in recorded if record is not None), "all")
        one = recorded[0] or _rehearsed(stage, a, folder / "a", kept, trust=trust, quiet=quiet)
        other = recorded[1] or _rehearsed(stage, b, folder / "b", kept, trust=trust, quiet=quiet)
        found = compare_runs(one, other)
    if as_json:
        runs = {"a": str(one.folder), "b": str(other.folder)}
        print_json({"runs": runs, "comparison": found.model_dump(mode="json")})
    else:
        where = [("A", str(one.folder)), ("B", str(other.folder))]
        typer.echo("\n".join([found.table(), "", *lines_of(where)]))


def _must_fit(recorded: list[RunRecord | None], scenario: str | None, changes: list[str | None]) -> None:
    """Refuse what would not be used."""
    if scenario is None and not any(recorded):
        problem = "A and B are policies, and it is not said on what to rehearse them."
        raise UserError(problem, "Name it: --scenario travel. A recorded run is given by its folder.")
    if scenario is not None and all(recorded):
        problem = f"A and B are recorded runs, so that --scenario {scenario} would not be used."
        raise UserError(problem, "Leave it out.")
    if scenario is None and any(change is not None for change in changes):
        problem = "a recorded run cannot be changed by --users, --ticks, --seed, --replicas or --set."
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
    stage: tuple[Scenario, Path | None], policy: str, folder: Path, kept: str, *, trust: bool, quiet: bool
) -> RunRecord:
    from rehearse.experiments import running

    scenario, data = stage
    with Bar(policy, quiet=quiet) as bar:
        finished = running.run(
            scenario, policy=policy, data=data, out=folder, trust=trust, progress=bar, record=kept
        )
    return finished.turns
