"""Many runs from one plan: `rehearse sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rehearse.errors import StoppedError, UserError
from rehearse.experiments.commands.options import AsJson, Quiet, Trust
from rehearse.experiments.commands.printing import (
    as_data,
    lines_of,
    print_json,
    stdout_for_us,
    table_of,
    whole,
)
from rehearse.experiments.commands.progress import SweepBar

if TYPE_CHECKING:
    from rehearse.experiments.sweep.results import Sweep

SOME_FAILED = 4
SHOWN = 12
"""Points and errors that are printed."""


def sweep(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A YAML file: scenario, axes, seeds.")],
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the sweep. Default: sweeps/NAME.")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Processes that work. Default: one a core; 0: none, all is made here."
        ),
    ] = None,
    on: Annotated[str, typer.Option(metavar="WHERE", help="Where runs are made: local, ray.")] = "local",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the sweep in the folder; no run is made again.")
    ] = False,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Make every N-th run only, from the I-th on.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many runs, how long and how much disk; make a few.")
    ] = False,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> int:
    """Make the runs that a plan asks for, and one table of what they gave.

    The exit code is 0 when all runs were made, and 4 when some failed: those are in the table `runs` with
    their errors, and are tried again with --resume.
    """
    many = None if jobs is None else whole("--jobs", jobs)
    if dry_run:
        from rehearse.experiments.sweep.pilot import estimate

        with stdout_for_us():
            found = estimate(plan, jobs=many, trust=trust)
        print_json(as_data(found)) if as_json else typer.echo(str(found))
        return SOME_FAILED if found.problem else 0
    made = _made(
        plan, quiet=quiet, out=out, jobs=many, on=on, resume=resume, shard=_shard(shard), trust=trust
    )
    return _told(made, as_json=as_json, quiet=quiet)


def _made(plan: Path, *, quiet: bool, **given: Any) -> Sweep:
    from rehearse.experiments.sweep.conducting import Interrupted
    from rehearse.experiments.sweep.conducting import sweep as conduct

    try:
        with stdout_for_us(), SweepBar(plan.stem, quiet=quiet) as bar:
            return conduct(plan, progress=bar, **given)
    except Interrupted as stop:  # typer would make something else of a KeyboardInterrupt
        raise StoppedError(str(stop)) from None


def _shard(text: str | None) -> tuple[int, int]:
    which, slash, of = (text or "1/1").partition("/")
    if not slash:
        problem = f"--shard {text}: this is not of the form I/N."
        raise UserError(problem, "Write, for example, --shard 1/4.")
    return whole("--shard", which), whole("--shard", of)


def _told(made: Sweep, *, as_json: bool, quiet: bool) -> int:
    failed, tally = made.failed, made.tally
    if as_json:
        counts = {row: int(n) for row, n in _counts(made)}
        spent = {} if tally is None else {"seconds": tally.seconds, "own_seconds": tally.own_seconds}
        print_json({"sweep": str(made.folder), "runs": counts, **spent})
    elif not quiet:
        typer.echo("\n".join(_summary(made)))
    return SOME_FAILED if failed.length else 0


def _counts(made: Sweep) -> list[tuple[str, int]]:
    found = made.query("SELECT status, count(*) AS n FROM runs GROUP BY status ORDER BY status")
    return list(zip(found["status"].tolist(), found["n"].tolist(), strict=True))


def _summary(made: Sweep) -> list[str]:
    tally, failed = made.tally, made.failed
    counts = ", ".join(f"{n:,} {status}" for status, n in _counts(made))
    rows = [("runs", counts)]
    if tally is not None and tally.made:
        before = f", {tally.earlier:,} were there already" if tally.earlier else ""
        rows.append(
            (
                "made",
                f"{tally.made:,} now in {tally.seconds:,.1f} s ({tally.own_seconds:,.1f} s of runs){before}",
            )
        )
    errors = list(dict.fromkeys(failed["error"].tolist()))[:SHOWN]
    rows += [("error", error) for error in errors]
    rows += [
        ("table", str(made.folder / "results.parquet")),
        ("ask", f'rehearse query {made.folder} "SELECT …"'),
    ]
    return [*_verdicts(made), *lines_of(rows)]


def _verdicts(made: Sweep) -> list[str]:
    """Return how many runs of each point pass, where anything is judged."""
    axes = made.axes
    asked = "".join(f', first("{axis}") AS "{axis}"' for axis in axes)
    counted = ", ".join(
        f"count(*) FILTER (verdict = '{w}') AS \"{w}\"" for w in ("pass", "unsure", "fail", "not completed")
    )
    found = made.query(
        f"SELECT point{asked}, {counted} FROM runs WHERE verdict <> '' GROUP BY point ORDER BY point"
    )
    if not found.length:
        return []
    names = [
        name for name in found if name != "point" and not (name == "not completed" and not any(found[name]))
    ]
    rows = [list(row) for row in zip(*(found[name].tolist() for name in names), strict=True)]
    more = [f"… {len(rows) - SHOWN:,} points more"] if len(rows) > SHOWN else []
    return [*table_of(names, rows[:SHOWN]), *more, ""]
