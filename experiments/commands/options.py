"""Options that several commands share, each with the one sentence that explains it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Wanted = Annotated[
    str,
    typer.Argument(metavar="SCENARIO", help="A name of the catalogue (see `rehearse list`), or a YAML file."),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="REF", help="The model: a name, FILE.py:FUNCTION, or FILE.skops. Default: the scenario's."
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Record = Annotated[
    str,
    typer.Option(metavar="WHAT", help="What to keep: all, sessions (a row each), none, or sample:SHARE."),
]
Data = Annotated[Path | None, typer.Option(metavar="PATH", help="A CSV or Parquet file for the world.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Let the model's file run code when it is loaded (pickle).")
]
# Numbers come as text: the scenario says what is wrong with them better than typer would.
Users = Annotated[str | None, typer.Option(metavar="N", help="People in each society.")]
Ticks = Annotated[str | None, typer.Option(metavar="N", help="How long, in units of simulated time.")]
Seed = Annotated[str | None, typer.Option(metavar="N", help="The root of all chance.")]
Replicas = Annotated[str | None, typer.Option(metavar="N", help="How many independent societies.")]
Alerts = Annotated[
    list[str] | None,
    typer.Option(
        "--alert",
        metavar="URL",
        envvar="REHEARSE_ALERT",
        help="Tell Alertmanager (…/api/v2/alerts) or a webhook what failed and rang. May be repeated.",
    ),
]
Shards = Annotated[
    str | None, typer.Option(metavar="N", help="Deal the run to N processes; the result is the same.")
]
On = Annotated[
    str,
    typer.Option(metavar="WHERE", help="Where shards live: local, ray, or ray://HOST:PORT of a cluster."),
]
Tile = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Rows of every call to a model of yours, padded to that (256); 0: all who ask, not padded.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value: a dotted path = YAML. May be repeated."),
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A new folder for the run. Default: runs/NAME-TIME.")
]
KeepCheckpoints = Annotated[
    str | None,
    typer.Option(metavar="N", help="Keep the state at every N ticks, for quick forks (`rehearse fork`)."),
]
OverMemory = Annotated[bool, typer.Option("--over-memory", help="Run even where memory may not do.")]
Track = Annotated[
    str | None,
    typer.Option(metavar="URI", help="Log the run to this MLflow; `mlflow`: that of MLFLOW_TRACKING_URI."),
]
