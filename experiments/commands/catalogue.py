"""Looking after the catalogue, and running its suites."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rehearse.experiments.commands.options import AsJson, Quiet, Trust
from rehearse.experiments.commands.printing import lines_of, print_json, stdout_for_us, whole
from rehearse.experiments.commands.progress import SweepBar
from rehearse.experiments.commands.runs import EXIT_CODES

if TYPE_CHECKING:
    from rehearse.experiments.catalogue.audit import Audit
    from rehearse.experiments.suites import Suite

SHORT = 60
"""Characters of a value that are shown."""
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


def audit(
    *,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="REF", help="A model to run besides the references. May be repeated."),
    ] = None,
    catalogue: Own = None,
    alone: Annotated[bool, typer.Option("--own", help="Your own scenarios alone.")] = False,
    older_than: Annotated[
        str, typer.Option(metavar="DAYS", help="After how many days an audit is stale.")
    ] = "180",
    stamp: Annotated[
        bool,
        typer.Option("--stamp", help="Write into scenarios of yours that they were audited."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of the runs. Default: sweeps/catalogue-audit.")
    ] = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Run every scenario with its reference policies, and say what in the catalogue should be seen to.

    The exit code is 1 where a reference got another verdict than expected.
    """
    from rehearse.experiments.catalogue import audit as audits

    many = None if jobs is None else whole("--jobs", jobs)
    with stdout_for_us(), SweepBar("audit", quiet=quiet) as bar:
        found = audits.audit(
            policy or (),
            folder=catalogue,
            alone=alone,
            older_than=whole("--older-than", older_than),
            out=out,
            jobs=many,
            progress=bar,
        )
    if stamp:
        _stamp(found, catalogue)
    if as_json:
        print_json(audits.as_data(found))
    elif not quiet:
        typer.echo("\n".join(_findings(found)))
    return 0 if found.sound else 1


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The scenario.")],
    *,
    owner: Annotated[str | None, typer.Option(metavar="WHO", help="Who answers questions about it.")] = None,
    rationale: Annotated[str | None, typer.Option(metavar="WHY", help="Why it is in the catalogue.")] = None,
    risk: Annotated[
        list[str] | None, typer.Option(metavar="RISK", help="A risk that it covers. May be repeated.")
    ] = None,
    catalogue: Own = None,
) -> None:
    """Check a scenario and put it into your catalogue as its newest version; older ones are kept."""
    from rehearse.experiments.catalogue import shelf
    from rehearse.scenario.about import About
    from rehearse.scenario.load import load

    about = load(file).about or About()
    asked = {
        "owner": owner or _asked("Who owns it?", about.owner),
        "rationale": rationale or _asked("Why is it in the catalogue?", about.rationale),
        "risk": list(risk or ()),
    }
    where = shelf.add(file, {name: value for name, value in asked.items() if value}, catalogue)
    typer.echo(str(where))


def retire(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A scenario, or NAME@VERSION.")],
    *,
    because: Annotated[str, typer.Option(metavar="WHY", help="The reason, which is kept with it.")],
    catalogue: Own = None,
) -> None:
    """Mark a scenario of yours as no longer used: it is kept, not listed, and warns where it is loaded."""
    from rehearse.experiments.catalogue import shelf

    typer.echo(str(shelf.retire(name, because, catalogue)))


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A scenario: NAME, NAME@VERSION, or a file.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show the fields in which two scenarios, or two versions of one, differ once they are resolved."""
    from rehearse.experiments.catalogue.shelf import differences

    found = differences(a, b)
    if as_json:
        print_json({"a": a, "b": b, "differences": [{"field": f, "a": x, "b": y} for f, x, y in found]})
    else:
        typer.echo("\n".join(lines_of((field, f"{_short(x)} → {_short(y)}") for field, x, y in found)))


def _findings(found: Audit) -> list[str]:
    rows = [
        (f"{f.kind}", f"{f.scenario}: {f.sentence}" if f.scenario else f.sentence) for f in found.findings
    ]
    runs = sum(len(row) for row in found.verdicts.values())
    return [*lines_of(rows), f"{len(found.verdicts)} scenarios, {runs} runs, {len(rows)} findings."]


def _stamp(found: Audit, folder: Path | None) -> None:
    from datetime import UTC, datetime

    from rehearse.experiments.catalogue.shelf import stamp
    from rehearse.scenario.listing import catalogue, own

    off = {f.scenario for f in found.findings if f.kind == "unexpected"}
    for entry in catalogue(folder):
        if entry.name not in off and entry.file.parent.resolve() == own(folder).resolve():
            stamp(entry, datetime.now(UTC).date())


def _asked(question: str, known: str) -> str:
    """Return an answer that is not known yet, where somebody sits at the terminal."""
    return str(typer.prompt(question)) if not known and sys.stdin.isatty() else ""


def _short(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
for _name, _command, _summary in (
    ("audit", audit, "Say what in the catalogue should be seen to."),
    ("add", add, "Put a scenario into your catalogue."),
    ("retire", retire, "Mark a scenario as no longer used."),
    ("diff", diff, "Show what differs between two scenarios."),
):
    app.command(_name, short_help=_summary)(_command)
