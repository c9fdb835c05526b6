"""Models behind HTTP, asked in batches over connections that are kept.

    http://host:8080/v2/models/NAME     the Open Inference Protocol, version 2
    http://host:5000/invocations        MLflow's scoring server
    http://host/v1/chat/completions     a chat assistant with tools (`policies.http.chat`)
    http://host/anything/else           plain JSON: instances in, predictions out

Calls go to the host of the reference and to no other. Where the infrastructure fails, the people of that
call have no answer and the fault `unreached`, which is counted apart from the model's own failures. What
the server answered is in the record, so a run is replayed without it (`policies.recorded`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from rehearse.columns import Rows, everywhere
from rehearse.contract import NOTHING, Decisions, Policy, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.http.chat import ChatPolicy
from rehearse.policies.http.protocols import FORMS, Form, OpenInference, protocol_of
from rehearse.policies.http.settings import CHAT, HttpSettings
from rehearse.policies.http.wire import Reply, Wire, check_address
from rehearse.policies.settings import checked
from rehearse.policies.signature import Signature

SCHEMES = ("http://", "https://")
CHAT_PATH = "/chat/completions"


def from_address(url: str, stage: Stage, settings: Mapping[str, Any]) -> Policy:
    """Return the model at an address, by the protocol that settings or the address say."""
    chats = settings.get("protocol", CHAT if url.endswith(CHAT_PATH) else None) == CHAT
    return ChatPolicy(url, stage, settings) if chats else HttpPolicy(url, stage, settings)


class HttpPolicy:
    """A model behind HTTP; an answer that a call could not bring is a fault of the rows in that call."""

    foreign = True
    reads = True
    remote = True
    """A record holds all that is known of its answers."""
    pads = True
    """Its calls have one size already."""

    def __init__(self, url: str, stage: Stage, settings: Mapping[str, Any]) -> None:
        """Take an address and settings; nobody is called yet. Raises PolicyLoadError."""
        given = checked(HttpSettings, settings, url)
        check_address(url)
        protocol = given.protocol or protocol_of(url)
        self.name = _name_of(url)
        self.version = given.version or "unknown"
        self.complaints = Complaints(self.name)
        self.columns: dict[str, Any] = {"attempts": np.int8} if given.retries else {}
        if given.price_per_call or given.price_per_row:
            self.columns["spent"] = np.float64
        self.tile = given.batch * given.concurrency
        self._given, self._stage, self._protocol = given, stage, protocol
        self._form: Form = FORMS[protocol](url, given)
        timeout_ms = given.timeout_ms if given.timeout_ms is not None else stage.deadline_ms
        self._wire = Wire(url, given.secrets, timeout_ms / 1000.0)
        self._wanted: tuple[str, ...] | None = None

    @cached_property
    def _signature(self) -> Signature:
        return Signature(self._given, self._stage, self.name, self._wanted)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._given.concurrency, thread_name_prefix="rehearse-http")

    def meet(self) -> None:
        """Find the server before the first question; raises PolicyLoadError where it cannot be asked."""
        status, reply = self._wire.find(self._form.about)
        if isinstance(self._form, OpenInference):
            if status >= 400:
                problem = f"{self._form.about} answered {status}, so the model is not there."
                raise PolicyLoadError(problem, "Correct the name of the model, or load it into the server.")
            self._learn(reply)
        self._signature.names  # noqa: B018 - columns that do not fit are found out now

    def _learn(self, reply: bytes) -> None:
        try:
            metadata = json.loads(reply)
        except ValueError:
            return
        if not isinstance(metadata, Mapping) or not isinstance(self._form, OpenInference):
            return
        self._wanted = self._form.hear(metadata)
        versions: Sequence[object] = metadata.get("versions") or ()
        if self._given.version is None and len(versions) == 1:
            self.version = str(versions[0])

    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, for the manifest."""
        return {"kind": "http", "url": self._wire.url, "protocol": self._protocol, "version": self.version}

    def decide(self, requests: Requests) -> Decisions:
        """Ask the server about each person; several calls are under way at a time."""
        starts = range(0, len(requests), self._given.batch)
        calls = [np.arange(s, min(s + self._given.batch, len(requests))) for s in starts]
        ask = partial(self._call, requests)
        replies = [ask(calls[0])] if len(calls) == 1 else list(self._pool.map(ask, calls))
        return Decisions.join(
            [self._read(reply, requests, rows) for reply, rows in zip(replies, calls, strict=True)]
        )

    def _body(self, requests: Requests, rows: Rows) -> bytes:
        return self._form.body(self._signature, requests.take(self._full(rows)))

    def _full(self, rows: Rows) -> Rows:
        missing = self._given.batch - len(rows)
        return np.concatenate([rows, np.full(missing, rows[0])]) if missing else rows

    def _call(self, requests: Requests, rows: Rows) -> Reply:
        return self._wire.ask(self._form.asks, self._body(requests, rows), self._given.retries)

    def _read(self, reply: Reply, requests: Requests, rows: Rows) -> Decisions:
        n = len(rows)
        try:
            decisions = self._decisions(reply, requests, rows)
        except AnswerError as error:
            self.complaints.note(error.fault, error.sentence)
            decisions = Decisions.of(np.full(n, NOTHING), fault=error.fault)
        if not self.columns:
            return decisions
        cost = reply.attempts * (self._given.price_per_call / n + self._given.price_per_row)
        told = {"attempts": reply.attempts, "spent": cost}
        return replace(decisions, detail={c: everywhere(told[c], n, k) for c, k in self.columns.items()})

    def _decisions(self, reply: Reply, requests: Requests, rows: Rows) -> Decisions:
        if reply.error is not None:
            raise reply.error
        asked = requests.take(self._full(rows))
        return self._form.read(reply.value, self._signature, asked, self.complaints).take(
            np.arange(len(rows))
        )


def _name_of(url: str) -> str:
    _, v2, name = url.partition("/v2/models/")
    return name.removesuffix("/infer") if v2 else url
