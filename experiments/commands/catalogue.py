"""Looking after the catalogue, and running its suites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rehearse.experiments.commands.options import AsJson, Quiet, Trust
from rehearse.experiments.commands.printing import lines_of, print_json, stdout_for_us, whole
from rehearse.experiments.commands.progress import SweepBar
from rehearse.experiments.commands.runs import EXIT_CODES

if TYPE_CHECKING:
    from rehearse.experiments.suites import Suite

Own = Annotated[
    Path | None,
    typer.Option("--catalogue", metavar="DIR", help="Of your own scenarios. Default: ./catalogue."),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="WORD", help="A name (travel*), category or layer to keep. May be repeated."
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(metavar="N", help="Processes that work. Default: one a core; 0: none, all is made here."),
]


def suite(
    name: Annotated[str, typer.Argument(metavar="SUITE", help="smoke, release, stress, or one of yours.")],
    *,
    policy: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The model, as in `rehearse run`. Default: each scenario's own."),
    ] = None,
    only: Only = None,
    catalogue: Own = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder. Default: suites/NAME-TIME.")
    ] = None,
    jobs: Jobs = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the suite in the folder (--out).")
    ] = False,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> int:
    """Run all scenarios of a suite as one sweep; print how the model stood, and where the page is.

    Exit codes as of `run`: 0 pass, 1 fail, 3 unsure, 4 where a run was not completed and none failed.
    """
    from rehearse.experiments.suites import suite as conduct

    many = None if jobs is None else whole("--jobs", jobs)
    with stdout_for_us(), SweepBar(name, quiet=quiet) as bar:
        found = conduct(
            name,
            policy,
            only=only or (),
            catalogue=catalogue,
            out=out,
            jobs=many,
            resume=resume,
            trust=trust,
            progress=bar,
        )
    if as_json:
        print_json(_as_data(found))
    elif not quiet:
        typer.echo("\n".join([found.table(), "", *lines_of([("page", str(found.page))])]))
    return EXIT_CODES[found.verdict]


def _as_data(found: Suite) -> dict[str, Any]:
    told = [
        {
            "scenario": one.entry.name,
            "version": one.entry.version,
            "verdict": one.verdict,
            "sentence": one.sentence,
            "record": None if one.folder is None else str(one.folder),
            "report": None if one.report is None else str(one.report),
            "criteria": [c.model_dump(mode="json", exclude={"evidence"}) for c in one.criteria],
        }
        for one in found.scenarios
    ]
    return {
        "suite": found.name,
        "policy": found.policy,
        "verdict": found.verdict,
        "page": str(found.page),
        "scenarios": told,
    }
