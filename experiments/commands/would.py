"""What would have been: the same people, but for one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import (
    AsJson,
    Data,
    Quiet,
    Replicas,
    Seed,
    Sets,
    Ticks,
    Trust,
    Users,
)
from rehearse.experiments.commands.printing import lines_of, print_json, stdout_for_us
from rehearse.experiments.commands.progress import Bar

Of = Annotated[
    str, typer.Argument(metavar="RUN|SCENARIO", help="A run's folder, or a scenario, which is run first.")
]
Flip = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT", help="group or segment (of two), or a trait that is 0 or 1. May be repeated."
    ),
]
Instead = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="What everybody has: income*1.1, income=50000, group=blue."),
]
Without = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Leave an event out: faults.0, drift.1, …")
]
WithoutTie = Annotated[
    list[str] | None, typer.Option(metavar="A-B", help="Two people who do not know each other: 12-57.")
]
Model = Annotated[
    str | None, typer.Option(metavar="REF", help="The model of a scenario. Default: the scenario's.")
]
Where = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the new runs and the table go.")]


def counterfactual(
    of: Of,
    *,
    flip: Flip = None,
    instead: Instead = None,
    without: Without = None,
    without_tie: WithoutTie = None,
    sets: Sets = None,
    policy: Model = None,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    replicas: Replicas = None,
    out: Where = None,
    as_json: AsJson = False,
    trust: Trust = False,
    quiet: Quiet = False,
) -> None:
    """Live again with one thing otherwise: whose decisions flip, what follows, and through whom.

    The same people with the same luck; `attribution.parquet` has a row for each of them.
    """
    from rehearse.experiments.counterfactual import Change
    from rehearse.experiments.counterfactual import counterfactual as made
    from rehearse.scenario.load import load

    change = Change(flip or (), instead or (), without or (), without_tie or (), sets or ())
    recorded = Path(of).is_dir()
    if recorded and any(value is not None for value in (users, ticks, seed, replicas, policy, data)):
        problem = "a recorded run keeps its people, its model and its data."
        raise UserError(problem, "Leave --policy, --data, --users, --ticks, --seed and --replicas out.")
    with stdout_for_us(), Bar(of, quiet=quiet) as bar:
        found = made(
            Path(of) if recorded else load(of, users=users, ticks=ticks, seed=seed, replicas=replicas),
            change,
            policy=policy,
            data=data,
            out=out,
            trust=trust,
            progress=bar,
        )
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        where = [
            ("before", found.a),
            ("after", found.b),
            ("people", str(Path(found.b).parent / "attribution.parquet")),
        ]
        typer.echo("\n".join([found.table(), "", *lines_of(where)]))
