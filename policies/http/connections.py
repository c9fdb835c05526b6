"""Connections to one server, kept from call to call: `http.client`, which costs a third of larger clients.

Nothing is followed elsewhere, and no proxy is taken from the environment.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from functools import cached_property
from multiprocessing.connection import wait
from urllib.parse import quote, urlsplit

CHUNK = 1 << 18
"""Bytes that are read at a time."""
ALLOWED = "/%?&=:@+,;~!$'()*[]-._"
"""What stands for itself in the path of an address."""
FAILURES = (OSError, http.client.HTTPException)
"""What is raised where a server cannot be asked; TimeoutError, among them, where it is too late."""


class TooLongError(Exception):
    """A reply has more bytes than are read."""


class Connections:
    """Whoever calls takes a connection that nobody uses, or a new one; safe to use from several threads."""

    def __init__(self, url: str, timeout_s: float, longest: int) -> None:
        """Take the address of any page of the server, and how long and how large a reply may be."""
        parts = urlsplit(url)
        self._host, self._port, self._secure = parts.hostname or "", parts.port, parts.scheme == "https"
        self._timeout_s, self._longest = timeout_s, longest
        self._idle: list[http.client.HTTPConnection] = []

    def send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Return status and body of a reply; raises one of FAILURES, or TooLongError."""
        due = time.monotonic() + self._timeout_s
        parts = urlsplit(url)
        target = quote(parts.path or "/", ALLOWED) + (
            f"?{quote(parts.query, ALLOWED)}" if parts.query else ""
        )
        connection = self._taken()
        try:
            connection.request(method, target, body, dict(headers))
            _hurry(connection, due)
            response = connection.getresponse()
            reply = response.status, self._read(connection, response, due)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append(connection)
        return reply

    def _taken(self) -> http.client.HTTPConnection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            # What can be read before anything was asked is the end of a connection that the server closed.
            if connection.sock is not None and not wait([connection.sock], 0):
                connection.sock.settimeout(self._timeout_s)
                return connection
            connection.close()
        return self._new()

    def _new(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._timeout_s, context=self._certificates
        )

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _read(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, due: float
    ) -> bytes:
        chunks: list[bytes] = []
        length = 0
        while chunk := response.read1(CHUNK):
            chunks.append(chunk)
            length += len(chunk)
            if length > self._longest:
                raise TooLongError
            _hurry(connection, due)
        whole = b"".join(chunks)
        if response.length:
            raise http.client.IncompleteRead(whole, response.length)
        response.close()
        return whole


def _hurry(connection: http.client.HTTPConnection, due: float) -> None:
    """Let a connection wait no longer than until a moment; TimeoutError where it is past."""
    left = due - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    if connection.sock is not None:  # else it is closed with this reply, and has its time already
        connection.sock.settimeout(left)
