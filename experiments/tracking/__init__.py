"""Rehearsals in MLflow tracking: what was rehearsed, what came of it, and the files that prove it.

    run = rehearse.run("lending", policy="models:/credit@champion")
    rehearse.track(run.folder, "http://127.0.0.1:5000", experiment="credit")

A rehearsal becomes one run of MLflow: parameters, metrics with their intervals and tick by tick, tags (the
digest, the commit), the people as a data set, the report. The version of a registered model that was
rehearsed is tagged with the verdict. What is logged is read off the folder of the run, which stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearse.errors import OutputError, UserError
from rehearse.experiments.tracking.store import Store, must_be_installed
from rehearse.experiments.tracking.telling import FILES, Told, both, told
from rehearse.log import get_log, log_to
from rehearse.record.reading import RunRecord

__all__ = ["FILES", "Tracked", "attempt", "destination", "track", "track_all"]

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
ENVIRONMENT = "mlflow"
"""The word for the server or store that the environment names."""
LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a rehearsal was logged."""

    run_id: str
    experiment: str
    uri: str
    """Without a name or password."""
    children: tuple[str, ...] = ()
    """Run ids below this one."""
    left_out: tuple[str, ...] = ()
    """What could not be logged beside it, a sentence each."""

    @property
    def sentence(self) -> str:
        """Return where it is, in words."""
        nested = f" with {len(self.children)} runs below it" if self.children else ""
        return f"run {self.run_id}{nested} of the experiment {self.experiment!r} at {self.uri}"


def destination(uri: str | None = None) -> str:
    """Return the address to log to: None or `mlflow` is that of MLFLOW_TRACKING_URI. Raises UserError."""
    asked = None if uri in {None, "", ENVIRONMENT} else uri
    found = asked or os.environ.get(URI)
    if not found:
        problem = "no MLflow server or store is named."
        raise UserError(problem, f"Set {URI}, or give one: http://127.0.0.1:5000 or sqlite:///mlflow.db.")
    if asked and urlsplit(asked).password:
        problem = "the address of the MLflow server holds a password, which would be kept with the run."
        raise UserError(problem, f"Set {URI} in the environment instead, or MLFLOW_TRACKING_PASSWORD.")
    must_be_installed()
    return found


def track(
    folder: str | Path,
    uri: str | None = None,
    *,
    experiment: str | None = None,
    parent: str | None = None,
    params: Mapping[str, Any] | None = None,
    files: Sequence[str] = FILES,
) -> Tracked:
    """Log a finished run to MLflow, and return where it is.

    `uri` is a server or store (None: MLFLOW_TRACKING_URI), `experiment` its experiment (None: that of
    `parent`, else MLFLOW_EXPERIMENT_NAME, else the scenario's name), `parent` the id of the run to nest it
    under. `params` are logged besides the scenario's own, and `files` of the folder as artifacts.
    Raises UserError for what cannot be used, and OutputError where the server or store does not take it.
    """
    found = told(RunRecord(folder), params or {}, files)
    with Store(destination(uri)) as store:
        where = experiment or _experiment_of(store, parent) or _usual(found)
        return _logged(store, store.experiment(where), where, found, parent)


def track_all(
    folders: Sequence[str | Path],
    uri: str | None = None,
    *,
    name: str,
    experiment: str | None = None,
    params: Sequence[Mapping[str, Any]] | None = None,
    files: Sequence[str] = FILES,
    artifacts: Sequence[Path] = (),
) -> Tracked:
    """Log several runs, a sweep say, as one parent run called `name` with a run each below it.

    `params` are parameters of each run besides its scenario's, in the order of the folders; `artifacts`
    are files of the parent, such as the table of results. The parent counts the verdicts. A folder that
    is no finished run is left out, and told in `left_out`. Raises as `track` does.
    """
    more = list(params) if params is not None else [{}] * len(folders)
    found, left_out = [], []
    for folder, one in zip(folders, more, strict=True):
        try:
            found.append(told(RunRecord(folder), one, files))
        except UserError as error:
            left_out.append(str(error))
    if not found:
        problem = f"none of the {len(folders)} folders is a finished run."
        raise UserError(problem, left_out[0] if left_out else "Give the folders of runs.")
    with Store(destination(uri)) as store:
        where = experiment or _usual(found[0])
        place = store.experiment(where)
        top = _logged(store, place, where, both(name, found, artifacts), None)
        below = [_logged(store, place, where, one, top.run_id) for one in found]
    left_out += [sentence for one in below for sentence in one.left_out]
    return Tracked(top.run_id, where, top.uri, tuple(one.run_id for one in below), tuple(left_out))


def attempt(folder: Path, uri: str) -> Tracked | str:
    """Log a run that has just finished; what stands in the way is returned as a sentence, never raised."""
    try:
        found = track(folder, uri)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is made, and has its verdict
        _note(folder, "not_tracked", problem=f"{type(error).__name__}: {error}")
        return f"the run is kept, but was not logged to MLflow: {error}"
    _note(folder, "tracked", run_id=found.run_id, experiment=found.experiment, uri=found.uri)
    return found


def _note(folder: Path, event: str, **facts: str) -> None:
    with suppress(OSError), log_to(folder / LOG):
        get_log("track").info(event, **facts)


def _logged(store: Store, place: str, experiment: str, found: Told, parent: str | None) -> Tracked:
    run_id = store.begin(place, found, parent)
    left_out = store.fill(run_id, found)
    return Tracked(run_id, experiment, store.shown, left_out=tuple(left_out))


def _usual(found: Told) -> str:
    return os.environ.get(EXPERIMENT) or found.scenario


def _experiment_of(store: Store, parent: str | None) -> str | None:
    if parent is None:
        return None
    try:
        return store.experiment_of(parent)
    except OutputError as error:
        raise OutputError(error.problem, "Give the run id of a run that MLflow has as `parent`.") from None
