"""Rehearsing: run a scenario, finish a run that was interrupted, prove a record by running it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rehearse.experiments.commands.options import (
    Alerts,
    AsJson,
    Data,
    Folder,
    KeepCheckpoints,
    Model,
    On,
    Out,
    OverMemory,
    Quiet,
    Record,
    Replicas,
    Seed,
    Sets,
    Shards,
    Ticks,
    Tile,
    Track,
    Trust,
    Users,
    Wanted,
)
from rehearse.experiments.commands.printing import complain, lines_of, print_json, stdout_for_us, whole
from rehearse.experiments.commands.progress import Bar

if TYPE_CHECKING:
    from rehearse.experiments.deciding import Evidence
    from rehearse.experiments.outcome import Finished
    from rehearse.experiments.shards import Spread

EXIT_CODES = {"pass": 0, "fail": 1, "unsure": 3, "not completed": 4}
DIFFERS = 1
SAID = 3
"""Problems with the model's answers that are printed; the log of the run has them all."""


def run(
    scenario: Wanted,
    *,
    policy: Model = None,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
    out: Out = None,
    keep_checkpoints: KeepCheckpoints = None,
    record: Record = "all",
    tile: Tile = None,
    over_memory: OverMemory = False,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
    shards: Shards = None,
    on: On = "local",
    track: Track = None,
    alert: Alerts = None,
) -> int:
    """Rehearse a scenario; print the verdict and where the record and the report are.

    The exit code is 0 for pass, 1 for fail, 3 for unsure, 2 for a mistake in what was asked, and 4 if
    the run was not completed.
    """
    from rehearse.scenario.load import load

    found = load(scenario, sets=sets or (), users=users, ticks=ticks, seed=seed, replicas=replicas)
    from rehearse.experiments import alerts, running  # a mistake in the scenario is told before these load

    uri = _uri(track)
    to = alerts.receivers(alert or (), found)
    with stdout_for_us(), Bar(found.name, quiet=quiet) as bar:
        finished = running.run(
            found,
            policy=policy,
            data=data,
            out=out,
            trust=trust,
            progress=bar,
            keep_checkpoints=_if_given("--keep-checkpoints", keep_checkpoints),
            tile=_if_given("--tile", tile),
            spread=_spread(shards, on),
            over_memory=over_memory,
            say=None if quiet or as_json else bar.say,
            record=record,
        )
        tracked = _tracked(finished, uri)
    alerts.send(finished, to, complain)
    return _told(finished, as_json=as_json, quiet=quiet, tracked=tracked)


def decide(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name of the catalogue, or a YAML file.")
    ],
    *,
    policy: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The model, as in `rehearse run`. Default: the scenario's."),
    ] = None,
    most: Annotated[str, typer.Option(metavar="N", help="How many runs at most.")] = "64",
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
    out: Out = None,
    record: Record = "all",
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> int:
    """Run a scenario with seed after seed, and stop as soon as every criterion is decided.

    Looking after every run costs nothing: the intervals hold at every look. Exit codes as of `run`.
    """
    from rehearse.scenario.load import load

    found = load(scenario, sets=sets or (), users=users, ticks=ticks, seed=seed, replicas=replicas)
    from rehearse.experiments import deciding

    with stdout_for_us(), Bar(found.name, quiet=quiet) as bar:
        decision = deciding.decide(
            found,
            most=whole("--most", most),
            out=out,
            look=None if quiet or as_json else lambda heard: bar.say(_so_far(heard)),
            policy=policy,
            data=data,
            trust=trust,
            progress=bar,
            record=record,
        )
    if as_json:
        print_json(decision.model_dump(mode="json"))
    elif not quiet:
        typer.echo("\n".join([decision.table(), "", *lines_of([("runs", run) for run in decision.runs])]))
    return EXIT_CODES[decision.verdict]


def _so_far(heard: Evidence) -> str:
    words = [standing.verdict for standing in heard.standings]
    return f"run {heard.runs}: {len(words) - words.count('unsure')} of {len(words)} criteria decided"


def check(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name of the catalogue, or a YAML file.")
    ],
    *,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    sets: Sets = None,
) -> None:
    """Check that a scenario can be run, and say how much memory it will take; run nothing."""
    from rehearse.experiments import footprint
    from rehearse.experiments.build import Props, assemble
    from rehearse.scenario.load import load

    found = load(scenario, sets=sets or (), users=users, ticks=ticks, seed=seed, replicas=replicas)
    with stdout_for_us():
        memory = footprint.expected(found, data)
        footprint.must_fit(memory, found)
        assemble(footprint.small(found), Props(data=data))
    typer.echo(f"{found.name}: {found.people_in_all:,} people, {found.time.ticks:,} {found.time.unit}s.")
    typer.echo(str(memory))


def fork(
    folder: Folder,
    *,
    tick: Annotated[
        str, typer.Option(metavar="N", help="From the start of which tick on something is changed.")
    ],
    sets: Sets = None,
    policy: Annotated[
        str | None, typer.Option(metavar="REF", help="Another model from that tick on, as in `rehearse run`.")
    ] = None,
    out: Out = None,
    over_memory: OverMemory = False,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> int:
    """Go on with a run from some tick under changed conditions, as the counterfactual of a society.

    The fork is a run of its own with a record, a verdict and a report; `rehearse compare RUN FORK` tells
    what the change did. What came before the tick is lived again and is the same, bit for bit.
    """
    from rehearse.experiments import forking

    at = whole("--tick", tick)
    with stdout_for_us(), Bar(f"{folder.name} from {at}", quiet=quiet) as bar:
        finished = forking.fork(
            folder,
            at,
            sets=sets or (),
            policy=policy,
            out=out,
            trust=trust,
            progress=bar,
            over_memory=over_memory,
            say=None if quiet or as_json else bar.say,
        )
    then = f"rehearse compare {folder} {finished.folder}"
    return _told(finished, as_json=as_json, quiet=quiet, then=then)


def resume(
    folder: Folder,
    *,
    over_memory: OverMemory = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    shards: Shards = None,
    on: On = "local",
) -> int:
    """Finish a run that was interrupted, to the same digest as if it had not been."""
    from rehearse.experiments import running

    with stdout_for_us(), Bar(folder.name, quiet=quiet) as bar:
        finished = running.resume(
            folder,
            progress=bar,
            spread=_spread(shards, on),
            over_memory=over_memory,
            say=None if quiet or as_json else bar.say,
        )
    return _told(finished, as_json=as_json, quiet=quiet)


def replay(folder: Folder, *, as_json: AsJson = False, shards: Shards = None, on: On = "local") -> int:
    """Run a record again and prove that it is the same, or say at which turn it differs (exit code 1)."""
    from rehearse.experiments.replaying import replay as replay_run

    with stdout_for_us():
        found = replay_run(folder, spread=_spread(shards, on))
    if as_json:
        print_json({"run": str(folder), "same": found.same, "digest": found.digest, "detail": found.detail})
    else:
        typer.echo(found.detail)
    return 0 if found.same else DIFFERS


def _spread(shards: str | None, on: str) -> Spread:
    from rehearse.experiments.shards import Spread

    return Spread(1 if shards is None else whole("--shards", shards), on)


def _uri(track: str | None) -> str | None:
    """Return the address to log to, if the run is to be logged; raises UserError before anything is run."""
    if track is None:
        return None
    from rehearse.experiments.tracking import destination

    return destination(track)


def _tracked(finished: Finished, uri: str | None) -> str:
    """Log a run, if it is to be, and return where it is; that it could not be logged is a warning."""
    if uri is None:
        return ""
    from rehearse.experiments.tracking import Tracked, attempt

    found = attempt(finished.folder, uri)
    for sentence in found.left_out if isinstance(found, Tracked) else (found,):
        typer.echo(f"rehearse: warning: {sentence}", err=True)
    return found.sentence if isinstance(found, Tracked) else ""


def _if_given(option: str, text: str | None) -> int | None:
    return None if text is None else whole(option, text)


def _told(finished: Finished, *, as_json: bool, quiet: bool, then: str = "", tracked: str = "") -> int:
    if as_json:
        print_json(
            {
                "run": str(finished.folder),
                "digest": finished.digest,
                "verdict": finished.verdict,
                "user_turns": finished.user_turns,
                "seconds": finished.seconds,
                "criteria": finished.criteria,
            }
        )
    elif not quiet:
        typer.echo("\n".join(_summary(finished, then, tracked)))
    return EXIT_CODES[finished.verdict]


def _summary(finished: Finished, then: str, tracked: str) -> list[str]:
    from rehearse.experiments.verdict import Verdict

    verdict = Verdict.model_validate(finished.turns.verdict)
    pace = f", {finished.user_turns / finished.seconds:,.0f} a second" if finished.seconds else ""
    rows = [
        ("turns", f"{finished.user_turns:,} in {finished.seconds:,.1f} s{pace}"),
        *(("problem", f"The model {problem}.") for problem in finished.problems[:SAID]),
        ("digest", finished.digest),
        ("record", str(finished.folder)),
        ("report", str(finished.folder / "report.html")),
        *([("tracked", tracked)] if tracked else []),
        *([("next", then)] if then else []),
        *([("go on", f"rehearse resume {finished.folder}")] if finished.verdict == "not completed" else []),
    ]
    return [verdict.table(), "", *lines_of(rows)]
