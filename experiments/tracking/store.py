"""The door to MLflow tracking, through its client alone: a run that the caller has open is left in peace."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rehearse.errors import OutputError, UserError
from rehearse.experiments.tracking.telling import Told
from rehearse.policies.mlflow import client, shown
from rehearse.redact import redacted

MOST_METRICS, MOST_TEXTS = 1000, 100
"""Metrics, and parameters or tags, that a server takes in one call."""
SQLITE = "sqlite:///"
CONTEXT = "mlflow.data.context"
UNREACHED = ("Max retries exceeded", "Connection aborted", "Read timed out")
QUOTED = 200
LOGGED = "models:/"
REMEDY = "Mend that, then log the run with `rehearse track RUN`."


def must_be_installed() -> None:
    """Raise UserError where mlflow is not there."""
    if find_spec("mlflow") is None:
        problem = "runs are to be logged to MLflow, and mlflow is not installed."
        raise UserError(problem, "Run: pip install 'rehearse[mlflow]'.")


class Store:
    """An MLflow server or store that runs are logged to; in its block every failure is an OutputError."""

    def __init__(self, uri: str) -> None:
        """Take the address; nobody is called yet."""
        self.shown = shown(uri)
        self._uri = uri
        self._client: Any = None

    def __enter__(self) -> Self:
        """Begin to speak with it."""
        with self._talking(), _quiet():
            self._client = client(self._uri)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made where there is none."""
        with self._talking(), _quiet():
            found = self._client.get_experiment_by_name(name)
            if found is not None:
                return str(found.experiment_id)
            return str(self._client.create_experiment(name, artifact_location=self._beside(name)))

    def experiment_of(self, run_id: str) -> str:
        """Return the name of the experiment that a run belongs to."""
        with self._talking():
            return str(self._client.get_experiment(self._client.get_run(run_id).info.experiment_id).name)

    def begin(self, experiment_id: str, told: Told, parent: str | None) -> str:
        """Begin a run, and return its id."""
        nested = {} if parent is None else {"mlflow.parentRunId": parent}
        with self._talking():
            run = self._client.create_run(
                experiment_id, start_time=told.started, run_name=told.name, tags=dict(told.tags) | nested
            )
            return str(run.info.run_id)

    def fill(self, run_id: str, told: Told) -> list[str]:
        """Log all that is told of a run and end it; return what of it does not matter to the run's own data.

        A run that cannot be filled is marked as failed, where that can be done.
        """
        try:
            with self._talking():
                self._write(run_id, told)
                status = "FINISHED" if told.complete else "KILLED"
                self._client.set_terminated(run_id, status=status, end_time=told.finished)
        except OutputError:
            with self._talking(quietly=True):
                self._client.set_terminated(run_id, status="FAILED", end_time=told.finished)
            raise
        return [sentence for model in told.models for sentence in self._mark(run_id, told, model)]

    def _write(self, run_id: str, told: Told) -> None:
        from mlflow.entities import Metric, Param

        params = [Param(key, value) for key, value in told.params.items()]
        for batch in _batches(params, MOST_TEXTS):
            self._client.log_batch(run_id, params=batch)
        metrics = [Metric(value.name, value.value, told.finished, value.tick) for value in told.values]
        for batch in _batches(metrics, MOST_METRICS):
            self._client.log_batch(run_id, metrics=batch)
        self._write_people(run_id, told)
        for path in told.files:
            self._client.log_artifact(run_id, str(path))

    def _write_people(self, run_id: str, told: Told) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if told.people is None:
            return
        name, digest, source, profile = told.people
        dataset = Dataset(name, digest, "rehearse", source, profile=profile)
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag(CONTEXT, "people")])])

    def _mark(self, run_id: str, told: Told, model: Mapping[str, Any]) -> Iterator[str]:
        """Tag the version of a registered model with the verdict, and link the run to it."""
        name, version = str(model["name"]), str(model["version"])
        try:
            with self._talking():
                registry = self._registry(str(model["registry"]))
                tags = {f"rehearse.verdict.{told.scenario}": told.verdict}
                tags[f"rehearse.run.{told.scenario}"] = run_id
                for key, value in tags.items():
                    registry.set_model_version_tag(name, version, key, value)
                self._link(run_id, registry.get_model_version(name, version))
        except OutputError as error:
            yield f"Version {version} of {name} was not tagged with the verdict: {error}"

    def _link(self, run_id: str, version: Any) -> None:
        from mlflow.entities import LoggedModelInput

        logged = version.model_id or str(version.source).removeprefix(
            LOGGED
        )  # a store tells one or the other
        if "/" not in logged:
            self._client.log_inputs(run_id, models=[LoggedModelInput(logged)])

    def _registry(self, registry: str) -> Any:
        """Return a client of the registry that a model came from; a manifest names it without a password."""
        named = (self._uri, os.environ.get("MLFLOW_REGISTRY_URI"), os.environ.get("MLFLOW_TRACKING_URI"))
        return client(next((uri for uri in named if uri and shown(uri) == registry), registry))

    def _beside(self, name: str) -> str | None:
        """Return where artifacts go: beside a store in SQLite, not where the command happens to be run."""
        if not self._uri.startswith(SQLITE):
            return None
        folder = Path(self._uri.removeprefix(SQLITE)).resolve().parent / "mlartifacts"
        return (folder / name.replace("/", "_")).as_uri()

    @contextmanager
    def _talking(self, *, quietly: bool = False) -> Iterator[None]:
        """Turn what MLflow raises into an OutputError in one sentence, or into nothing."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            if quietly:
                return
            problem = f"MLflow at {self.shown} {self._said(error)}."
            raise OutputError(problem, REMEDY) from error

    def _said(self, error: Exception) -> str:
        text = redacted(str(error).strip().replace(self._uri, self.shown))
        if any(word in text for word in UNREACHED):
            return "cannot be reached"
        return f"did not take it: {text.splitlines()[0][:QUOTED].rstrip('.')}" if text else "did not take it"


def _batches(rows: Sequence[Any], size: int) -> Iterator[list[Any]]:
    them = iter(rows)
    while batch := list(islice(them, size)):
        yield batch


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a fresh store from telling of each of its migrations."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
