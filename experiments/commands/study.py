"""Looking at a run: the report, one life, lives worth reading, SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import AsJson, Folder
from rehearse.experiments.commands.printing import (
    as_data,
    lines_of,
    print_json,
    stdout_for_us,
    table_of,
    whole,
)

if TYPE_CHECKING:
    from rehearse.experiments.journey.story import Journey
    from rehearse.experiments.journey.whatif import WhatIf
    from rehearse.experiments.least_change import LeastChange

if TYPE_CHECKING:
    from rehearse.experiments.tracking import Tracked


def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of a sweep.")],
) -> None:
    """Write the report of a finished run again, or that of a sweep, and print where it is."""
    from rehearse.experiments.report import write
    from rehearse.experiments.sweep.results import Sweep, is_sweep

    typer.echo(str(Sweep.at(folder).report() if is_sweep(folder) else write(folder)))


def track(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Finished runs, or sweeps.")],
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="URI", help="An MLflow server or store. Default: MLFLOW_TRACKING_URI."),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Default: MLFLOW_EXPERIMENT_NAME, or the scenario's name."),
    ] = None,
    parent: Annotated[
        str | None, typer.Option(metavar="ID", help="The MLflow run to nest the run under.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a new run above all of these, as for a sweep.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Log runs to MLflow tracking: settings, metrics, verdict, report, people and the model's version."""
    from rehearse.experiments import tracking

    if parent is not None and name is not None:
        problem = "--parent names a run that is there, and --name a new one."
        raise UserError(problem, "Give one of them.")
    with stdout_for_us():
        if name is not None:
            logged = [tracking.track_all(folders, to, name=name, experiment=experiment)]
        else:
            logged = [_tracked(folder, to, experiment, parent) for folder in folders]
    for one in logged:
        for sentence in one.left_out:
            typer.echo(f"rehearse: warning: {sentence}", err=True)
    if as_json:
        print_json({"tracked": [as_data(one) for one in logged]})
    else:
        typer.echo("\n".join(one.sentence for one in logged))


def _tracked(folder: Path, to: str | None, experiment: str | None, parent: str | None) -> Tracked:
    from rehearse.experiments import tracking
    from rehearse.experiments.sweep.results import Sweep, is_sweep

    if is_sweep(folder):
        return Sweep.at(folder).track(to, experiment=experiment)
    return tracking.track(folder, to, experiment=experiment, parent=parent)


def query(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of a sweep.")],
    sql: Annotated[
        str,
        typer.Argument(help="One SELECT over turns, users, ticks (and ties); of a sweep: results, runs."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Ask a run's record in SQL, such as "SELECT choice, count(*) FROM turns GROUP BY choice".

    Of a sweep: "SELECT point, avg(estimate) FROM results WHERE metric = 'regret' GROUP BY point".
    """
    from rehearse.experiments.sweep.results import Sweep, is_sweep
    from rehearse.record.reading import RunRecord

    found = Sweep.at(folder).query(sql) if is_sweep(folder) else RunRecord(folder).query(sql)
    names = list(found)
    rows = [list(row) for row in zip(*(found[name].tolist() for name in names), strict=True)]
    if as_json:
        print_json({"columns": names, "rows": rows})
    else:
        typer.echo("\n".join(table_of(names, rows)))


def export(
    folder: Folder,
    *,
    failing: Annotated[
        bool, typer.Option("--failing/--all", help="Only cases in which the model failed, or every turn.")
    ] = True,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REASON", help="Only these: wrong, harm, regret, session, error, criterion:METRIC."
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="SQL", help='Only these turns, such as "tick > 5".')
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .parquet or .csv. Default: RUN/failing.parquet.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write labelled cases to retrain on: what the model saw, answered, should have, and what came of it.

    A manifest beside the file (FILE.json) says from which run they are and what counts as failing.
    """
    from rehearse.experiments.exporting import export as write

    with stdout_for_us():
        found = write(folder, to, failing=failing, only=only or (), where=where)
    if as_json:
        print_json(as_data(found))
        return
    rows = [("cases", f"{found.cases:,}"), *((name, f"{n:,}") for name, n in found.reasons.items())]
    typer.echo("\n".join(lines_of([*rows, ("file", str(found.file)), ("manifest", str(found.manifest))])))


def journey(
    folder: Folder,
    *,
    user: Annotated[str, typer.Option(metavar="ID", help="Whose life, by the person's number.")],
    replica: Annotated[str, typer.Option(metavar="N", help="In which of the independent societies.")] = "0",
    what_if: Annotated[
        str | None,
        typer.Option(metavar="CHANGE", help="With one answer changed: tick=3,turn=1,action=train."),
    ] = None,
    least_change: Annotated[
        bool,
        typer.Option("--least-change", help="The least change of what the model saw that turns its answer."),
    ] = False,
    may_change: Annotated[
        str | None, typer.Option(metavar="NAMES", help="What the person could change: score+,debt-,hours.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="ACTION", help="What the answer is to become.")] = None,
    tick: Annotated[str | None, typer.Option(metavar="N", help="Of which tick's first turn.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell one person's life: who it is, every session and turn in words, memory, goals and friends."""
    from rehearse.experiments import journey as lives
    from rehearse.experiments.least_change import least_change as search
    from rehearse.record.reading import RunRecord

    record, who, where = RunRecord(folder), whole("--user", user), whole("--replica", replica)
    told: Journey | WhatIf | LeastChange
    with stdout_for_us():
        if least_change:
            told = search(
                record,
                who,
                where,
                tick=None if tick is None else whole("--tick", tick),
                may_change=[name.strip() for name in (may_change or "").split(",") if name.strip()],
                to=to,
            )
        elif what_if is not None:
            told = lives.what_if(record, who, where, what_if)
        else:
            told = lives.tell(record, who, where)
    if as_json:
        print_json(as_data(told))
    else:
        typer.echo(told.text())


def journeys(
    folder: Folder,
    *,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help='Only these people, such as "trust < 0.3 AND abandoned > 2".'),
    ] = None,
    limit: Annotated[str, typer.Option(metavar="N", help="How many people and paths to name.")] = "10",
    as_json: AsJson = False,
) -> None:
    """Find lives worth reading: who matches, the frequent paths, the typical, the odd, the worst served."""
    from rehearse.experiments.journeys import find
    from rehearse.record.reading import RunRecord

    found = find(RunRecord(folder), where, whole("--limit", limit))
    if as_json:
        print_json(as_data(found))
    else:
        typer.echo(found.text())
