"""The command line: `rehearse COMMAND …`, what it prints, and what its exit code means.

    0    the verdict is pass; or what was asked for was done
    1    the verdict is fail; or a replay differs from its record
    2    the user's mistake: nothing was run
    3    the verdict is unsure: the evidence does not decide
    4    not completed: infrastructure, a model that hangs, an internal error
    130  interrupted (Ctrl-C)

Commands raise, and only `main` turns what was raised into one message on stderr and an exit code. This
module and the commands import nothing heavy at the top, so that `rehearse --help` stays quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from rehearse import threads
from rehearse.errors import RehearseError, StoppedError, UserError
from rehearse.experiments.commands import (
    browse,
    catalogue,
    create,
    evaluate,
    explore,
    logs,
    pair,
    picture,
    runs,
    search,
    study,
    sweep,
    would,
)
from rehearse.redact import redacted

OK, FAIL, MISTAKE, UNSURE, NOT_COMPLETED, INTERRUPTED = 0, 1, 2, 3, 4, 130
BROKEN_PIPE = 141
"""What shells report of a program whose reader has gone: `rehearse list | head`."""

_Usage = typer.BadParameter.__mro__[1]
"""typer's UsageError, which it exports under no name of its own."""

COMMANDS = (
    ("list", browse.list_all, "What there is: scenarios, worlds, policies."),
    ("show", browse.show, "Show a scenario, a world or a policy."),
    ("schema", browse.schema, "Print the JSON Schema of scenario files."),
    ("new", create.new, "Begin a scenario, world or policy."),
    ("check", runs.check, "Check a scenario, and say how much memory it will take."),
    ("run", runs.run, "Rehearse a scenario and judge the model."),
    ("decide", runs.decide, "Run seed after seed until the evidence decides."),
    ("resume", runs.resume, "Finish a run that was interrupted."),
    ("fork", runs.fork, "Go on with a run from some tick under changed conditions."),
    ("counterfactual", would.counterfactual, "Live again with one thing otherwise."),
    ("replay", runs.replay, "Prove a record by running it again."),
    ("report", study.report, "Write the report of a run again, or of a sweep."),
    ("track", study.track, "Log runs to MLflow tracking."),
    ("compare", pair.compare, "Compare two policies or two runs."),
    ("sweep", sweep.sweep, "Make the runs of a plan, and one table of them."),
    ("search", search.search, "Look for what breaks a model, and shrink it."),
    ("suite", catalogue.suite, "Run a suite of the catalogue, with one page."),
    ("evaluate", evaluate.evaluate, "Estimate what another policy would earn."),
    ("journey", study.journey, "Tell one person's life; ask what if."),
    ("journeys", study.journeys, "Find the lives worth reading."),
    ("export", study.export, "Write the labelled cases to retrain on."),
    ("explore", explore.explore, "Turn a scenario's dials in the browser."),
    ("import", logs.read, "Measure sessions that were held elsewhere."),
    ("picture", picture.picture, "Save a chart of a run, a sweep or a comparison."),
    ("query", study.query, "Ask a run's record, or the table of a sweep, in SQL."),
)

app = typer.Typer(
    name="rehearse",
    help="A dress rehearsal for decision models: simulated people hold sessions with the model before "
    "production does. Begin with `rehearse run travel`.",
    add_completion=False,
    rich_markup_mode=None,  # rich would double the time that --help takes
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command, _summary in COMMANDS:
    app.command(_name, short_help=_summary)(_command)
app.add_typer(catalogue.app, name="catalogue", short_help="Audit the catalogue, add to it, retire from it.")


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"rehearse {version_of('rehearse')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name) and return its exit code; never raise."""
    threads.hold()
    try:
        code = app(args=argv, prog_name="rehearse", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BaseException as error:  # noqa: BLE001 - the one place where everything ends in a message
        return _told(error)
    if code == INTERRUPTED:
        _say(_how_to_go_on())
    return code if isinstance(code, int) else OK


def _told(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return _told_of_stop(error)
    if isinstance(error, _Usage):
        _say(_usage(error))
        return MISTAKE
    if isinstance(error, RehearseError):
        _say(str(error))
        codes = {UserError: MISTAKE, StoppedError: INTERRUPTED}
        return next((code for kind, code in codes.items() if isinstance(error, kind)), NOT_COMPLETED)
    if isinstance(error, OSError) and error.filename is not None:
        _say(f"{str(error.filename)!r} cannot be used: {error.strerror}. Check the path and its permissions.")
        return MISTAKE
    if isinstance(error, MemoryError):
        _say("there is not enough memory. Lower --users or --replicas.")
        return NOT_COMPLETED
    _say(_unexpected(error))
    return NOT_COMPLETED


def _told_of_stop(stop: SystemExit) -> int:
    if isinstance(stop.__context__, BrokenPipeError):
        return BROKEN_PIPE
    _say(f"something called sys.exit({stop.code!r}) in the middle: a model must return, not exit.")
    return NOT_COMPLETED


def _usage(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "rehearse"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{' '.join(text.split()).rstrip('.?!')}{_end_of(text)} See `{command} --help`."


def _end_of(text: str) -> str:
    last = text.rstrip()[-1:]
    return last if last in {"?", "!"} else "."


def _unexpected(error: BaseException) -> str:
    from rehearse.log import keep_traceback

    kept = keep_traceback(error, command=sys.argv[1:])
    name = type(error).__name__
    return f"internal error, {name}: {error}. The traceback is in {kept}; please report it with the scenario."


def _how_to_go_on() -> str:
    from rehearse.log import last_log

    log = last_log()
    if log is None:
        return "interrupted before anything was written."
    return f"interrupted. Go on with `rehearse resume {log.parent}`."


def _say(message: str) -> None:
    typer.echo(f"rehearse: {redacted(message)}", err=True)
