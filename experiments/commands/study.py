"""Looking at a run: the report, one life, lives worth reading, SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import AsJson, Folder
from rehearse.experiments.commands.printing import as_data, print_json, stdout_for_us, table_of, whole


def report(folder: Folder) -> None:
    """Write the report of a finished run again, and print where it is."""
    from rehearse.experiments.report import write

    typer.echo(str(write(folder)))


def track(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="The folders of finished runs.")],
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
            logged = [tracking.track(folder, to, experiment=experiment, parent=parent) for folder in folders]
    for one in logged:
        for sentence in one.left_out:
            typer.echo(f"rehearse: warning: {sentence}", err=True)
    if as_json:
        print_json({"tracked": [as_data(one) for one in logged]})
    else:
        typer.echo("\n".join(one.sentence for one in logged))


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


def journey(
    folder: Folder,
    *,
    user: Annotated[str, typer.Option(metavar="ID", help="Whose life, by the person's number.")],
    replica: Annotated[str, typer.Option(metavar="N", help="In which of the independent societies.")] = "0",
    what_if: Annotated[
        str | None,
        typer.Option(metavar="CHANGE", help="With one answer changed: tick=3,turn=1,action=train."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell one person's life: who it is, every session and turn in words, memory, goals and friends."""
    from rehearse.experiments import journey as lives
    from rehearse.record.reading import RunRecord

    record, who, where = RunRecord(folder), whole("--user", user), whole("--replica", replica)
    with stdout_for_us():
        told = (
            lives.tell(record, who, where) if what_if is None else lives.what_if(record, who, where, what_if)
        )
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
