"""Saving a chart of a run, a sweep or a comparison: `rehearse picture`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import AsJson
from rehearse.experiments.commands.printing import lines_of, print_json

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts


def picture(
    folder: Annotated[Path, typer.Argument(metavar="RUN|SWEEP", help="The folder of a run, or of a sweep.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which chart. Without it their names are listed.")
    ] = None,
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A .svg, .png (extra pictures), .html, .csv or .json (Vega-Lite). Default: NAME.html.",
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Charts of the comparison: this run less the first.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="METRIC", help="Of a sweep: charts of this. May be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save a chart of a run's report, of a sweep or of a comparison as a picture, a page or its data."""
    charts = _charts(folder, against, metric or [])
    if name is None:
        if to is not None:
            problem = f"--to {to}: it is not said which chart."
            raise UserError(problem, f"Name one of {', '.join(charts)}.")
        told = [(chart.name, chart.title) for chart in charts.values()]
        print_json({"charts": dict(told)}) if as_json else typer.echo("\n".join(lines_of(told)))
        return
    path = charts[name].save(to or Path(f"{name}.html"))
    print_json({"chart": name, "file": str(path)}) if as_json else typer.echo(str(path))


def _charts(folder: Path, against: Path | None, metrics: list[str]) -> Charts:
    from rehearse.experiments.sweep.results import Sweep, is_sweep

    sweep = is_sweep(folder)
    for option, given, fits in (
        ("--metric", bool(metrics), sweep),
        ("--against", against is not None, not sweep),
    ):
        if given and not fits:
            problem = f"{str(folder)!r} is a {'sweep' if sweep else 'run'}, for which there is no {option}."
            raise UserError(problem, "Leave it out.")
    if sweep:
        return Sweep.at(folder).charts(*metrics)
    if against is not None:
        from rehearse.experiments.asking import compare

        return compare(folder, against).charts()
    from rehearse.experiments.outcome import finished

    return finished(folder).charts()
