"""Estimating off-policy what another policy would earn."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import AsJson, Folder, Trust
from rehearse.experiments.commands.printing import print_json, stdout_for_us


def evaluate(
    run: Folder,
    *,
    policy: Annotated[
        str, typer.Option(metavar="REF", help="The target: a policy as in `rehearse run --policy`.")
    ],
    settings: Annotated[
        str | None, typer.Option(metavar="JSON", help="Its settings, as one JSON object.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="What dm and dr believe of rewards: items, table, linear, oracle, none, or a number.",
        ),
    ] = "items",
    clip: Annotated[
        str | None, typer.Option(metavar="W", help="Also estimate with weights held below this.")
    ] = None,
    no_truth: Annotated[
        bool, typer.Option("--no-truth", help="Do not run the target itself beside the estimates.")
    ] = False,
    as_json: AsJson = False,
    trust: Trust = False,
) -> None:
    """Estimate from a run what another policy would earn (IPS, SNIPS, DM, DR), beside what it does earn."""
    from rehearse.experiments.offpolicy import of_run

    with stdout_for_us():
        found = of_run(
            run,
            policy,
            settings=_object(settings),
            model=_model(model),
            clip=None if clip is None else _above_0("--clip", clip),
            truth=not no_truth,
            trust=trust,
        )
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo(found.table())


def _object(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        problem = f"--settings {text}: this is no JSON object."
        raise UserError(problem, "Write, for example, --settings '{\"epsilon\": 0.2}'.")
    return found


def _model(text: str) -> object:
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _above_0(option: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not found > 0.0:
        problem = f"{option} {text}: this is no number above 0."
        raise UserError(problem, f"Write, for example, {option} 10.")
    return found
