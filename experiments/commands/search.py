"""The search for what breaks a model: `rehearse search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rehearse.experiments.commands.options import (
    AsJson,
    Data,
    Model,
    Quiet,
    Replicas,
    Sets,
    Ticks,
    Trust,
    Users,
    Wanted,
)
from rehearse.experiments.commands.printing import print_json, stdout_for_us, whole
from rehearse.experiments.commands.progress import SearchBar

FOUND = 1
Against = Annotated[
    str,
    typer.Option(metavar="CRITERION", help="A criterion by its metric, METRIC[GROUP] of a group, or worst."),
]
Budget = Annotated[
    str, typer.Option(metavar="N", help="Runs of the search; shrinking tries as many steps at most.")
]
Searcher = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="tpe (Optuna), evolution or random. Default: the best installed."),
]
OfSearcher = Annotated[str, typer.Option(metavar="N", help="Of the searcher; the runs have the scenario's.")]
Axes = Annotated[
    list[str] | None,
    typer.Option(
        "--axis",
        metavar="PATH=RANGE",
        help="A field and its range: [LOW, HIGH], {log: …}, {values: …}. May be repeated.",
    ),
]
Where = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder of the search. Default: searches/NAME.")
]
Jobs = Annotated[
    str | None,
    typer.Option(metavar="N", help="Processes that work. Default: one a core; 0: none, all is made here."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the search in the folder; no run is made again.")
]
Shrink = Annotated[
    bool, typer.Option("--shrink/--no-shrink", help="Whether what is found is looked into and shrunk.")
]


def search(
    scenario: Wanted,
    *,
    against: Against = "worst",
    budget: Budget = "100",
    searcher: Searcher = None,
    seed: OfSearcher = "1",
    axes: Axes = None,
    policy: Model = None,
    sets: Sets = None,
    users: Users = None,
    ticks: Ticks = None,
    replicas: Replicas = None,
    data: Data = None,
    out: Where = None,
    jobs: Jobs = None,
    resume: Resume = False,
    shrink: Shrink = True,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> int:
    """Look for what breaks a model, in the ranges that the scenario declares under `search:`.

    What is found is shrunk to the least that still fails, and written as a scenario. The exit code is 1 when
    something failed, 0 when nothing did.
    """
    from rehearse.scenario.load import load

    base = load(scenario, sets=sets or (), users=users, ticks=ticks, replicas=replicas)
    from rehearse.experiments.search import conducting  # a mistake in the scenario is told before this loads
    from rehearse.experiments.search.space import typed

    asked = conducting.Asked(against, whole("--budget", budget), searcher, whole("--seed", seed), shrink)
    with stdout_for_us(), SearchBar(base.name, quiet=quiet) as bar:
        found = conducting.search(
            base,
            asked,
            axes=dict(typed(text) for text in axes or ()),
            origin=scenario,
            policy=policy,
            data=data,
            out=out,
            jobs=None if jobs is None else whole("--jobs", jobs),
            resume=resume,
            trust=trust,
            progress=bar,
        )
    if as_json:
        print_json(found.data())
    elif not quiet:
        typer.echo(str(found))
    return FOUND if found.found else 0
