"""What is said to servers and what they say: three forms of one question.

v2      the Open Inference Protocol: POST …/v2/models/NAME/infer, a tensor for each feature or one of all
mlflow  POST …/invocations: {"dataframe_split": {"columns": […], "data": […]}} -> {"predictions": […]}
json    POST {"instances": [{…}, …]} -> {"predictions": […]}: a person each, with the features by name and,
        as for a Python function, items, shown, intent and turn, in dialogues acts, text and history;
        an answer each, as of a Python function
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import add
from typing import Any, Protocol

import numpy as np

from rehearse.contract import Decisions, Fault, Requests
from rehearse.exact import Floats
from rehearse.policies.answers import read, read_each
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.function import people
from rehearse.policies.http.settings import HttpSettings, ProtocolName
from rehearse.policies.http.wire import encoded
from rehearse.policies.signature import Signature

PEOPLE = ("items", "shown", "intent", "turn")
"""What a person's question holds besides the features, in plain JSON."""
SPEAKERS = (*PEOPLE, "acts", "text", "history")
"""The same where people speak."""


class Form(Protocol):
    """How a server is asked and understood."""

    asks: str
    """Where questions go."""
    about: str
    """Where the server tells of the model."""

    def body(self, signature: Signature, requests: Requests) -> bytes:
        """Return a question."""
        ...

    def read(
        self, reply: object, signature: Signature, requests: Requests, complaints: Complaints
    ) -> Decisions:
        """Return a reply as decisions; raises AnswerError where it cannot be read."""
        ...


class OpenInference:
    """The Open Inference Protocol, version 2, with numbers as JSON."""

    def __init__(self, url: str, given: HttpSettings) -> None:
        self.about = url.removesuffix("/infer")
        self.asks = f"{self.about}/infer"
        self.input, self.datatype = given.input, given.datatype

    def hear(self, metadata: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Take in what the server says of its inputs; return the columns that it wants, if it names them."""
        inputs = [entry for entry in metadata.get("inputs") or () if isinstance(entry, Mapping)]
        kinds = {str(entry.get("datatype")) for entry in inputs}
        if self.datatype is None and kinds == {"FP64"}:
            self.datatype = "FP64"
        if len(inputs) == 1 and len(inputs[0].get("shape") or ()) == 2 and inputs[0]["shape"][1] != 1:
            self.input = self.input or str(inputs[0]["name"])
            return None
        return tuple(str(entry["name"]) for entry in inputs) or None

    def body(self, signature: Signature, requests: Requests) -> bytes:
        """Return tensors: one of all features, or one for each."""
        values, datatype = signature.of(requests), self.datatype or "FP32"
        if self.input is not None:
            data = plain(values.reshape(-1))
            whole = {"name": self.input, "shape": list(values.shape), "datatype": datatype, "data": data}
            return encoded({"inputs": [whole]})
        columns = zip(signature.names, plain(values.T), strict=True)
        shape = [len(values), 1]
        tensors = [{"name": n, "shape": shape, "datatype": datatype, "data": c} for n, c in columns]
        return encoded({"inputs": tensors})

    def read(
        self, reply: object, signature: Signature, requests: Requests, complaints: Complaints
    ) -> Decisions:
        """Return tensors as decisions."""
        tensors = _part(reply, "outputs")
        try:
            outputs = {t["name"]: np.array(t["data"]).reshape(t["shape"]) for t in tensors}
        except (TypeError, KeyError, ValueError) as error:
            raise AnswerError(Fault.WRONG_SHAPE, f"gave tensors that cannot be read: {error!r:.80}") from None
        whole = {name: a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for name, a in outputs.items()}
        return signature.read(whole, requests, complaints)


class Invocations:
    """MLflow's scoring server."""

    def __init__(self, url: str, _given: HttpSettings) -> None:
        self.asks = url
        self.about = f"{url.removesuffix('/invocations')}/ping"

    def body(self, signature: Signature, requests: Requests) -> bytes:
        """Return a data frame."""
        frame = {"columns": list(signature.names), "data": plain(signature.of(requests))}
        return encoded({"dataframe_split": frame})

    def read(
        self, reply: object, signature: Signature, requests: Requests, complaints: Complaints
    ) -> Decisions:
        """Return predictions as decisions: values, rows of scores, or a data frame as objects."""
        return signature.read(_by_name(_part(reply, "predictions")), requests, complaints)


class PlainJson:
    """A person each, and an answer each."""

    def __init__(self, url: str, given: HttpSettings) -> None:
        self.asks = self.about = url
        self._named = bool(given.outputs.model_fields_set)

    def body(self, signature: Signature, requests: Requests) -> bytes:
        """Return people as objects: put together as text, since many say the same but for numbers."""
        keys = [json.dumps(name) + ":" for name in signature.names]
        numbers = encoded(plain(signature.of(requests))).decode()[2:-2].split("],[")
        named = (",".join(map(add, keys, row.split(","))) for row in numbers)
        objects = (",".join(filter(None, pair)) for pair in zip(named, _rest(requests), strict=True))
        return f'{{"instances":[{{{"},{".join(objects)}}}]}}'.encode()

    def read(
        self, reply: object, signature: Signature, requests: Requests, complaints: Complaints
    ) -> Decisions:
        """Return answers as those of a Python function, or by the outputs that settings name."""
        found = _part(reply, "predictions")
        if self._named:
            return signature.read(_by_name(found), requests, complaints)
        found = _each(found, len(requests))
        if requests.talk is None and all(isinstance(answer, str) for answer in found):
            return read(found, requests, complaints)
        return read_each(found, requests, complaints)


FORMS: dict[ProtocolName, type[OpenInference | Invocations | PlainJson]] = {
    "v2": OpenInference,
    "mlflow": Invocations,
    "json": PlainJson,
}


def _rest(requests: Requests) -> Iterator[str]:
    """Go over what is told of people besides the features, as the inside of a JSON object."""
    if requests.talk is not None:
        yield from (_inside(person, SPEAKERS) for person in people(requests))
        return
    told: dict[bytes, str] = {}
    for i, key in enumerate(_situations(requests)):
        if key not in told:
            told[key] = _inside(next(people(requests.take(np.array([i])))), PEOPLE)
        yield told[key]


def _situations(requests: Requests) -> list[bytes]:
    """Return bytes that are the same for people who say the same."""
    parts = [requests.intent[:, None], requests.shown]
    parts += [] if requests.available is None else [requests.available]
    table = np.concatenate([np.ascontiguousarray(part).view(np.uint8) for part in parts], axis=1)
    listed: list[bytes] = table.view(f"V{table.shape[1]}")[:, 0].tolist()
    return listed


def _inside(person: Mapping[str, Any], keys: Sequence[str]) -> str:
    return encoded({key: person[key] for key in keys}).decode()[1:-1]


def predictions(reply: object, n: int) -> list[Any]:
    """Return the answers to so many people in plain JSON; raises AnswerError where there are others."""
    return _each(_part(reply, "predictions"), n)


def _each(found: object, n: int) -> list[Any]:
    if not isinstance(found, list) or len(found) != n:
        said = f"{len(found)} predictions" if isinstance(found, list) else f"a {type(found).__name__}"
        raise AnswerError(Fault.WRONG_SHAPE, f"gave {said} to {n} requests")
    return found


def protocol_of(url: str) -> ProtocolName:
    """Return the protocol that an address speaks, by how it is written."""
    if "/v2/models/" in url:
        return "v2"
    return "mlflow" if url.endswith("/invocations") else "json"


def plain(values: Floats) -> list[Any]:
    """Return numbers as JSON has them: what is no finite number is null."""
    known = np.isfinite(values)
    told = values if known.all() else values.astype(object)
    if not known.all():
        told[~known] = None
    listed: list[Any] = told.tolist()
    return listed


def _part(reply: object, key: str) -> Any:
    if not isinstance(reply, Mapping) or key not in reply:
        raise AnswerError(Fault.WRONG_SHAPE, f"answered without {key!r}: {reply!r:.80}")
    return reply[key]


def _by_name(rows: Any) -> dict[str, Any]:
    """Return predictions as columns: objects by their keys, anything else under one name."""
    if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows):
        return {key: [row.get(key) for row in rows] for key in rows[0]}
    return {"predictions": rows}
