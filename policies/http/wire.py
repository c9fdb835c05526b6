"""Bytes to a server and back: connections that are kept, a deadline, marks of synthetic traffic.

Whatever lies between the model and us (no connection, no answer in time, a gateway without a service) is
`Fault.UNREACHED`; what the server says of the question itself (400, 422, 500) is the model's own failure.
Calls go to the host named and to no other (`connections`).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rehearse.contract import Fault
from rehearse.errors import PolicyLoadError
from rehearse.policies.complaints import AnswerError

if TYPE_CHECKING:
    from rehearse.policies.http.connections import Connections

LONGEST = 64 * 2**20
"""Bytes of a reply that are read; a longer one is cut off and counts as a failure of the model."""
OF_INFRASTRUCTURE = frozenset({401, 403, 404, 407, 408, 421, 425, 429, 502, 503, 504})
"""Statuses that say that the model was not asked."""
QUOTED = 200
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call: decoded values, or what went wrong."""

    value: object
    error: AnswerError | None
    attempts: int


class Wire:
    """A server that is sent JSON; safe to use from several threads."""

    def __init__(self, url: str, hidden: Mapping[str, str], timeout_s: float) -> None:
        """Take the address, headers with the environment variables that hold their values, and limits."""
        self.url = url
        self._variables = dict(hidden)
        self._timeout_s = timeout_s
        self._trace = secrets.token_hex(16)

    @cached_property
    def _secrets(self) -> dict[str, str]:
        missing = [name for name in self._variables.values() if name not in os.environ]
        if missing:
            problem = f"the environment has no variable {missing[0]!r}, which holds a secret for {self.url}."
            raise PolicyLoadError(problem, "Set it, and run again.")
        return {header: os.environ[name] for header, name in self._variables.items()}

    @cached_property
    def _connections(self) -> Connections:
        from rehearse.policies.http.connections import Connections

        return Connections(self.url, self._timeout_s, LONGEST)

    @cached_property
    def _headers(self) -> dict[str, str]:
        return marks() | self._secrets

    def ask(self, url: str, body: bytes, retries: int) -> Reply:
        """Send a question, and again where the infrastructure failed, so often at most."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return Reply(decoded(self.post(url, body)), None, attempts)
            except AnswerError as error:
                if error.fault != Fault.UNREACHED or attempts > retries:
                    return Reply(None, error, attempts)

    def post(self, url: str, body: bytes) -> bytes:
        """Send a body and return the reply; AnswerError UNREACHED or RAISED where there is none to use."""
        status, reply = self._send("POST", url, body)
        if status < 300:
            return reply
        text = self._plain(reply.decode(errors="replace").strip()[:QUOTED])
        if status < 400 or status in OF_INFRASTRUCTURE:
            raise AnswerError(Fault.UNREACHED, f"was not reached: {self.url} answered {status} {text}")
        raise AnswerError(Fault.RAISED, f"answered {status} {text}")

    def find(self, url: str) -> tuple[int, bytes]:
        """Ask for what a server says of itself; raises PolicyLoadError where no server answers."""
        try:
            return self._send("GET", url, None)
        except AnswerError as error:
            problem = f"the model {error.sentence}."
            raise PolicyLoadError(problem, "Start its server, or correct the address.") from None

    def _send(self, method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
        from rehearse.policies.http.connections import FAILURES, TooLongError

        headers = self._headers | {"traceparent": f"00-{self._trace}-{secrets.token_hex(8)}-01"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._connections.send(method, url, body, headers)
        except TooLongError:
            raise AnswerError(Fault.WRONG_SHAPE, f"answered more than {LONGEST:,} bytes") from None
        except TimeoutError:
            raise self._late() from None
        except FAILURES as error:
            said = self._plain(f"{type(error).__name__}: {error}"[:QUOTED])
            raise AnswerError(Fault.UNREACHED, f"was not reached at {self.url}: {said}") from None

    def _late(self) -> AnswerError:
        sentence = f"was not reached at {self.url}: no answer within {1000 * self._timeout_s:g} ms"
        return AnswerError(Fault.UNREACHED, sentence)

    def _plain(self, text: str) -> str:
        """Return a text of others without the secrets that it may repeat."""
        for secret in filter(None, self._secrets.values()):
            text = text.replace(secret, HIDDEN)
        return text


def marks() -> dict[str, str]:
    """Return the headers by which services know this traffic from that of people."""
    try:
        ours = version("rehearse")
    except PackageNotFoundError:  # run from its sources
        ours = "unreleased"
    return {
        "User-Agent": f"rehearse/{ours} (synthetic traffic)",
        "baggage": "user_agent.synthetic.type=test",
        "Accept": "application/json",
    }


def check_address(url: str) -> None:
    """Raise PolicyLoadError where an address cannot be called, or holds a password."""
    parts = urlsplit(url)
    if not parts.hostname or not re.search(r"^[^:]+(:\d+)?$|\](:\d+)?$", parts.netloc.rpartition("@")[2]):
        problem = f"{url!r} names no host, or no port that can be."
        raise PolicyLoadError(problem, "Write http://host:port/v2/models/NAME, or …/invocations.")
    if parts.username or parts.password:
        problem = f"the address of the model at {parts.hostname} holds a name or a password."
        raise PolicyLoadError(
            problem, "Name an environment variable: settings: {secrets: {Authorization: MY_TOKEN}}."
        )


def encoded(body: object) -> bytes:
    """Return a question as bytes."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def decoded(reply: bytes) -> object:
    """Return a reply as plain values; raises AnswerError where it is no JSON."""
    try:
        found: object = json.loads(reply)
    except ValueError:
        raise AnswerError(Fault.WRONG_SHAPE, f"answered {reply[:80]!r}, which is no JSON") from None
    return found
