"""Models in an MLflow registry: `models:/credit@champion`, `models:/credit/3`.

An alias moves, so a run resolves it once, before its first tick, and goes on with the version and the
digest of its files (`pinned`): the scenario that it records names both. A scikit-learn model saved with
skops and an ONNX model are read without running code; anything else (a pickle, a pyfunc) needs trust.
The registry is the setting `registry`, or that of the environment (MLFLOW_REGISTRY_URI, MLFLOW_TRACKING_URI).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rehearse.contract import Decisions, Policy, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.policies import estimator, onnx
from rehearse.policies.complaints import Complaints
from rehearse.policies.files import TRUST, from_saved, safely
from rehearse.policies.settings import checked
from rehearse.policies.signature import Signature, SignatureSettings

SCHEME = "models:/"
REFERENCE = re.compile(r"models:/(?P<name>[^/@?]+)(?:@(?P<alias>[^/@?]+)|/(?P<version>\d+))")
FORMS = "Write models:/NAME@ALIAS or models:/NAME/VERSION."
OURS = ("registry", "alias", "digest")
"""Settings that say which model it is; all others are those of the model."""
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own seven take minutes to say that no server is there
}
META = "registered_model_meta"
"""A file that fetching writes; it is no part of the model."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A version of a model, with its files in a folder of this process."""

    folder: Path
    name: str
    version: str
    run_id: str | None
    registry: str
    digest: str
    keeps: tempfile.TemporaryDirectory[str]
    """The folder goes with the process."""


class RegisteredPolicy:
    """A model of a registry, asked as its kind is asked."""

    foreign = True

    def __init__(self, inner: Any, fetched: Fetched, alias: str | None) -> None:
        self.name, self.version = fetched.name, fetched.version
        self.complaints: Complaints = inner.complaints
        self._inner: Policy = inner
        self._fetched, self._alias = fetched, alias

    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, for the manifest."""
        found = self._fetched
        return {
            "kind": "mlflow",
            "registry": found.registry,
            "name": found.name,
            "alias": self._alias,
            "version": found.version,
            "run_id": found.run_id,
            "digest": found.digest,
        }

    def decide(self, requests: Requests) -> Decisions:
        """Let the model answer."""
        return self._inner.decide(requests)


class PyfuncPolicy:
    """A model of MLflow's python_function flavour, which is given a data frame or an array."""

    foreign = True

    def __init__(
        self, model: Any, stage: Stage, settings: Mapping[str, Any], name: str, version: str
    ) -> None:
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._model = model
        schema = model.metadata.get_input_schema()
        self._named = schema is None or schema.has_input_names()
        names = schema.input_names() if schema is not None and schema.has_input_names() else None
        kinds = schema.pandas_types() if names and not schema.is_tensor_spec() else ()
        self._kinds = dict(zip(names or (), kinds, strict=False))
        self._signature = Signature(checked(SignatureSettings, settings, name), stage, name, names)

    def decide(self, requests: Requests) -> Decisions:
        """Let the model predict, and read what it says."""
        import pandas as pd

        values: Any = self._signature.of(requests)
        if self._named:
            values = pd.DataFrame(values, columns=list(self._signature.names)).astype(self._kinds)
        found = self._model.predict(values)
        if isinstance(found, pd.DataFrame):
            found = {str(name): column.to_numpy() for name, column in found.items()}
        outputs = found if isinstance(found, Mapping) else {"predictions": np.asarray(found)}
        return self._signature.read(outputs, requests, self.complaints)


def from_registry(ref: str, stage: Stage, settings: Mapping[str, Any], *, trust: bool) -> RegisteredPolicy:
    """Return the model that a reference names; raises PolicyLoadError."""
    ours = {name: str(settings[name]) for name in OURS if name in settings}
    rest = {name: value for name, value in settings.items() if name not in OURS}
    name, alias, version = _parsed(ref)
    registry = _registry(ours.get("registry"))
    fetched = _fetched(registry, name, version or _version_of(registry, name, alias))
    if ours.get("digest", fetched.digest) != fetched.digest:
        problem = f"version {fetched.version} of {name} holds other files than when the run was made."
        raise PolicyLoadError(problem, "Bring the old files back, or run the scenario again.")
    inner = _adapted(fetched, stage, rest, trust=trust)
    return RegisteredPolicy(inner, fetched, alias or ours.get("alias"))


def pinned(ref: str, registry: str | None) -> str:
    """Return a reference that names a version and its digest, whatever becomes of the alias."""
    text, _, query = ref.partition("?")
    name, alias, version = _parsed(text)
    if "digest=" in query:
        return ref
    said = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    where = _registry(registry or said.get("registry"))
    fetched = _fetched(where, name, version or _version_of(where, name, alias))
    said |= {"digest": fetched.digest} | ({"alias": alias} if alias else {})
    return f"{SCHEME}{name}/{fetched.version}?{'&'.join(f'{key}={value}' for key, value in said.items())}"


def _parsed(ref: str) -> tuple[str, str, str]:
    found = REFERENCE.fullmatch(ref)
    if found is None:
        problem = f"{ref!r} names no model of a registry."
        raise PolicyLoadError(problem, FORMS)
    return found["name"], found["alias"] or "", found["version"] or ""


def _registry(said: str | None) -> str:
    uri = said or os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        problem = "no MLflow registry is named."
        remedy = (
            "Set MLFLOW_TRACKING_URI, or policy.settings.registry: sqlite:///store.db or http://host:5000."
        )
        raise PolicyLoadError(problem, remedy)
    if said and urlsplit(said).password:
        problem = "policy.settings.registry holds a password."
        raise PolicyLoadError(problem, "Set MLFLOW_TRACKING_URI in the environment instead.")
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        problem = f"there is no registry {uri}."
        raise PolicyLoadError(problem, "Check the path: three slashes before a relative one, four before /.")
    return uri


def client(uri: str) -> Any:
    """Return a client of the server or store at an address; raises ImportError where mlflow is not there."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import mlflow

    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def shown(uri: str) -> str:
    """Return an address without a name or password."""
    parts = urlsplit(uri)
    return uri if not parts.password else uri.replace(parts.netloc, f"***@{parts.hostname}")


def _client(registry: str) -> Any:
    try:
        return client(registry)
    except ImportError:
        problem = "the model is in an MLflow registry, and mlflow is not installed."
        raise PolicyLoadError(problem, "Run: pip install 'rehearse[mlflow]'.") from None


def _asked(what: str, ask: Callable[[], Any], there: Callable[[], list[str]]) -> Any:
    """Return what a registry answers; what it does not have is told with what there is."""
    try:
        return safely(what, ask)
    except PolicyLoadError as error:
        try:
            hint = did_you_mean(what.rpartition(" ")[2], there())
        except Exception:  # noqa: BLE001 - a registry that cannot be asked cannot be asked for that either
            hint = "Check that the registry can be reached."
        raise PolicyLoadError(error.problem, hint) from None


def _version_of(registry: str, name: str, alias: str) -> str:
    client = _client(registry)
    _asked(
        f"the registered model {name}",
        lambda: client.get_registered_model(name),
        lambda: [model.name for model in client.search_registered_models(max_results=100)],
    )
    found = _asked(
        f"the alias {alias}",
        lambda: client.get_model_version_by_alias(name, alias),
        lambda: list(client.get_registered_model(name).aliases),
    )
    return str(found.version)


@cache
def _fetched(registry: str, name: str, version: str) -> Fetched:
    """Return a version with its files; a process fetches each once, so that it cannot change meanwhile."""
    client = _client(registry)
    from mlflow.artifacts import download_artifacts

    found = _asked(
        f"of {name} the version {version}",
        lambda: client.get_model_version(name, version),
        lambda: [str(v.version) for v in client.search_model_versions(f"name='{name}'", max_results=100)],
    )
    keeps = tempfile.TemporaryDirectory(prefix="rehearse-model-")
    source = client.get_model_version_download_uri(name, version)
    where = safely(
        f"version {version} of {name}",
        lambda: download_artifacts(artifact_uri=source, dst_path=keeps.name, tracking_uri=registry),
    )
    folder = Path(where)
    run_id = found.run_id or None
    return Fetched(folder, name, version, run_id, shown(registry), _digest_of(folder), keeps)


def _digest_of(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != META:
            one = hashlib.sha256(path.read_bytes()).hexdigest()
            whole.update(f"{path.relative_to(folder).as_posix()} {one}\n".encode())
    return f"sha256-{whole.hexdigest()}"


def _adapted(fetched: Fetched, stage: Stage, settings: Mapping[str, Any], *, trust: bool) -> Any:
    from mlflow.models import Model

    flavors: Mapping[str, Any] = Model.load(str(fetched.folder)).flavors
    name, version = fetched.name, fetched.version
    if "onnx" in flavors:
        return onnx.from_file(fetched.folder / flavors["onnx"]["data"], stage, settings)
    path = fetched.folder / flavors.get("sklearn", {}).get("pickled_model", "")
    if path.suffix != ".skops" and not trust:
        problem = f"version {version} of {name} is no skops or ONNX file: opening it can run any code."
        raise PolicyLoadError(problem, f'Log it with serialization_format="skops", or {TRUST}.')
    if "sklearn" in flavors:
        model, _ = from_saved(path, trust=trust)
        return estimator.adapt(model, stage, settings, name, version)
    from mlflow.pyfunc import load_model

    model = safely(f"version {version} of {name}", lambda: load_model(str(fetched.folder)))
    return PyfuncPolicy(model, stage, settings, name, version)
