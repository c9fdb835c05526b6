"""Measuring sessions that were held elsewhere."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import AsJson
from rehearse.experiments.commands.printing import print_json, table_of


def read(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .parquet, .json or .jsonl file.")],
    *,
    columns: Annotated[
        list[str],
        typer.Option(
            "--as",
            metavar="NAME=SQL",
            help="What is what: user=task_id, session=trial, success='reward = 1'.",
        ),
    ],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="What to measure: goal_completion, pass^3, …"),
    ] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Only these rows.")] = None,
    each: Annotated[
        str | None, typer.Option(metavar="FIELD", help="In JSON: a row for each element of this list.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a log of sessions that were held elsewhere: with no --metric, all that it can answer."""
    from rehearse.experiments.importing import read_log
    from rehearse.experiments.metrics import HEADLINES, Measures, find

    log = read_log(file, dict(_pair(text) for text in columns), where=where, each=each)
    measures = Measures(log)
    asked = metrics or [name for name in HEADLINES if getattr(find(name).measure, "per", "") == "turn"]
    found = [(name, measures.interval(find(name), 0.95)) for name in asked]
    told = found if metrics else [(name, value) for name, value in found if isfinite(value.estimate)]
    rows: list[list[Any]] = [[name, v.estimate, v.low, v.high, v.n] for name, v in told]
    names = ["metric", "estimate", "low", "high", "users"]
    if as_json:
        print_json({"columns": names, "rows": rows, "items": log.items, "groups": log.groups})
    else:
        typer.echo("\n".join(table_of(names, rows)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, sql = text.partition("=")
    if not (name.strip() and equals and sql.strip()):
        problem = f"--as {text}: this says not what is what."
        raise UserError(problem, "Write NAME=COLUMN, such as --as user=task_id.")
    return name.strip(), sql.strip()
