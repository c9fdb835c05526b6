"""`rehearse explore`: a scenario live in the browser."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from rehearse.errors import UserError
from rehearse.experiments.commands.options import Data, Seed, Sets, Ticks, Trust, Users
from rehearse.experiments.commands.printing import whole

PAGE = "rehearse.experiments.explore.page"
ASKED = "REHEARSE_EXPLORE"


def explore(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A name of the catalogue, or a YAML file.")
    ],
    *,
    policy: Annotated[
        str | None, typer.Option(metavar="REF", help="The model: a name, FILE.py:FUNCTION, or FILE.skops.")
    ] = None,
    data: Data = None,
    users: Users = None,
    ticks: Ticks = None,
    seed: Seed = None,
    sets: Sets = None,
    trust: Trust = False,
    port: Annotated[str, typer.Option(metavar="N", help="Where to listen, on this machine only.")] = "8765",
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Explore a scenario in the browser: turn its dials, step through it, watch its graph (extra viz)."""
    from rehearse.scenario.document import parse_value
    from rehearse.scenario.load import load

    _must_be_installed()
    numbers = {"users": users, "ticks": ticks, "seed": seed}
    load(scenario, sets=sets or (), **numbers)  # a mistake is told here, not in the browser
    asked: dict[str, object] = {
        name: whole(f"--{name}", text) for name, text in numbers.items() if text is not None
    }
    given = {"policy": policy, "data": None if data is None else str(data), "trust": trust or None}
    asked |= {name: value for name, value in given.items() if value is not None}
    pairs = (text.partition("=") for text in sets or ())
    asked |= {path.strip(): parse_value(text, path).plain() for path, _, text in pairs}
    os.environ[ASKED] = json.dumps({"name": scenario, **asked})
    _serve(whole("--port", port), opens=not no_open)


def _must_be_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("solara", "altair", "matplotlib") if find_spec(name) is None]
    if missing:
        problem = f"exploring needs {', '.join(missing)}, not installed here."
        raise UserError(problem, 'Install the extra: pip install "rehearse[viz]".')


def _serve(port: int, *, opens: bool) -> None:
    os.environ.setdefault("SOLARA_TELEMETRY_MIXPANEL_ENABLE", "False")
    from solara.__main__ import cli

    arguments = ["run", PAGE, "--host", "localhost", "--port", str(port), "--production"]
    cli(args=[*arguments, "--open" if opens else "--no-open"], standalone_mode=False)
