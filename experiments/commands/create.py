"""`rehearse new`: a working scenario, world or policy to begin from, with its test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rehearse.experiments.commands.printing import lines_of

NEXT = {
    "scenario": "rehearse run {}",
    "policy": "rehearse run travel --policy {}:decide",
    "world": "{} says how scenarios find it",
}
"""What one does with a skeleton first."""


def new(
    kind: Annotated[Literal["scenario", "world", "policy"], typer.Argument(help="What to begin.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name: small letters, digits, underscores.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to write into; made if it is not there.")
    ] = Path(),
) -> None:
    """Write a working skeleton and its conformance test; never overwrite a file."""
    from rehearse.experiments.new import write

    thing, test = write(kind, name, out)
    typer.echo(f"{thing}\n{test}")
    typer.echo(
        "\n".join(lines_of([("next", NEXT[kind].format(thing)), ("test", f"pytest {test}")])), err=True
    )
