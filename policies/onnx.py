"""Models in ONNX files, run by ONNX Runtime in this process, on one thread of the CPU.

A model has either one input for each feature, by name, of shape (n,) or (n, 1), or a single matrix of all
of them. What comes out is read by `policies.signature`. Opening a file runs no code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.contract import Decisions, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies.complaints import Complaints
from rehearse.policies.files import content_of, digest, safely
from rehearse.policies.settings import checked
from rehearse.policies.signature import Signature, SignatureSettings

SUFFIX = ".onnx"
KINDS: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class OnnxPolicy:
    """A model that ONNX Runtime runs; `session` is its InferenceSession."""

    foreign = True
    reads = True

    def __init__(
        self, session: Any, stage: Stage, settings: Mapping[str, Any], name: str, version: str
    ) -> None:
        """Match the inputs of a model with the features; raises PolicyLoadError where they do not fit."""
        given = checked(SignatureSettings, settings, name)
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._session, self._inputs = session, session.get_inputs()
        _check_kinds(self._inputs, name)
        self._kinds = [KINDS[place.type] for place in self._inputs]
        self._whole = _takes_all(self._inputs, stage)
        wanted = None if self._whole else [place.name for place in self._inputs]
        self._signature = Signature(given, stage, name, wanted)
        self._outputs = [place.name for place in session.get_outputs()]
        self._check_width()

    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, for the manifest."""
        made = self._session.get_modelmeta()
        return {
            "kind": "onnx",
            "version": self.version,
            "producer": made.producer_name,
            "graph": made.graph_name,
        }

    def decide(self, requests: Requests) -> Decisions:
        """Run the model."""
        found = self._session.run(None, self._fed(requests))
        outputs = {name: _flat(value) for name, value in zip(self._outputs, found, strict=True)}
        return self._signature.read(outputs, requests, self.complaints)

    def _fed(self, requests: Requests) -> dict[str, Any]:
        values = self._signature.of(requests)
        if self._whole:
            return {self._inputs[0].name: values.astype(self._kinds[0])}
        column = {name: values[:, i] for i, name in enumerate(self._signature.names)}
        return {
            place.name: column[place.name].astype(kind).reshape([-1, 1][: len(place.shape)])
            for place, kind in zip(self._inputs, self._kinds, strict=True)
        }

    def _check_width(self) -> None:
        names = self._signature.names
        if not self._whole:
            missing = [place.name for place in self._inputs if place.name not in names]
            if missing:
                problem = (
                    f"{self.name} has the input {missing[0]!r}, which policy.settings.features leaves out."
                )
                raise PolicyLoadError(problem, "Name a feature for every input, or leave features out.")
            return
        width = self._inputs[0].shape[1]
        if isinstance(width, int) and width != len(names):
            problem = (
                f"{self.name} takes {width} columns, and is to be given {len(names)}: {', '.join(names)}."
            )
            raise PolicyLoadError(
                problem, "Say in policy.settings.features which ones, in the model's order."
            )


def from_file(path: Path, stage: Stage, settings: Mapping[str, Any]) -> OnnxPolicy:
    """Return the model in a file; its version is the digest of the file. Raises PolicyLoadError."""
    content = content_of(path)
    try:
        import onnxruntime
    except ImportError:
        problem = f"{path} is an ONNX file, and ONNX Runtime is not installed."
        raise PolicyLoadError(problem, "Run: pip install 'rehearse[onnx]'.") from None
    how = onnxruntime.SessionOptions()
    how.intra_op_num_threads = how.inter_op_num_threads = 1  # the same sums in the same order, on any machine
    how.log_severity_level = 3
    session = safely(
        f"the model {path}",
        lambda: onnxruntime.InferenceSession(content, how, providers=["CPUExecutionProvider"]),
    )
    return OnnxPolicy(session, stage, settings, path.name, digest(content))


def _takes_all(inputs: Sequence[Any], stage: Stage) -> bool:
    """Tell whether a model has one input for all features."""
    (first, *others) = inputs
    return not others and len(first.shape) == 2 and (first.shape[1] != 1 or first.name not in stage.features)


def _check_kinds(inputs: Sequence[Any], name: str) -> None:
    if not inputs:
        problem = f"{name} has no inputs."
        raise PolicyLoadError(problem, "Save a model that is given the features.")
    for place in inputs:
        if place.type not in KINDS or not 1 <= len(place.shape) <= 2:
            problem = f"{name} has the input {place.name!r}, a {place.type} of shape {place.shape}."
            raise PolicyLoadError(problem, "Models are given numbers: a column each, or a matrix of all.")


def _flat(value: Any) -> Any:
    """Return an output with a row a request; a column of one place is a plain column."""
    return value[:, 0] if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == 1 else value
