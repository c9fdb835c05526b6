"""`rehearse new`: a working scenario, world or policy to begin from, with its test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


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

    for path in write(kind, name, out):
        typer.echo(str(path))
