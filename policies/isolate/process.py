"""A process that is not trusted, asked one thing at a time: within a time, an amount of memory and of words.

Whatever goes wrong with it ends it, with all that it began, and raises EndedError; the next question begins
it again. Time is limited everywhere. What is held of memory, and how many processes there are, is looked
at every 50 ms where the system tells of other processes (Linux); elsewhere it is not limited.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearse.contract import Fault
from rehearse.errors import NotCompletedError, PolicyLoadError
from rehearse.policies.complaints import AnswerError
from rehearse.policies.isolate import guardian
from rehearse.policies.sandbox import MEASURED, outside

POLL_S = 0.05
"""Seconds between two looks at memory and processes."""
BEGINS_S = 120.0
"""Seconds within which a fresh Python must be there, on a machine however busy."""
ENDS_S = 30.0
"""Seconds within which a guardian must have told of an end."""
LONGEST = 64 * 2**20
"""Bytes of an answer."""
CHUNK = 1 << 20
MOST_PROCESSES = 64
"""Processes that may be there at a time where a model may begin some."""
FEW = 4
"""And where it may not: libraries ask programs about the machine, which are gone when it answers."""
BEGAN = "tried to begin processes behind the back of the sandbox"
COUNTER = struct.Struct("q")


class EndedError(AnswerError):
    """The process was ended, or ended by itself."""

    def __init__(self, fault: Fault, what: str) -> None:
        """Keep what it did: a sentence without its subject."""
        super().__init__(fault, what)
        self.final = fault != Fault.CRASHED


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take."""

    memory_mb: float | None = None
    """MiB beyond what it held when it began; None: as much as there is."""
    processes: bool = True
    """Whether it may begin others."""


class Process:
    """A process under a guardian; `complete` returns how long an answer is that may be whole, else 0.

    `launch` is what the guardian is told (a program to run, or where to import the worker from), or what a
    copy of this process is to do. `say` is given what it writes as words.
    """

    def __init__(
        self,
        launch: Mapping[str, Any] | guardian.Begin,
        limits: Limits,
        complete: Callable[[bytearray], int],
        say: Callable[[str], None],
    ) -> None:
        self._launch, self._limits, self._complete, self._say = launch, limits, complete, say
        file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as we are
        file.truncate(COUNTER.size)
        self._file, self._counter = file, mmap.mmap(file.fileno(), COUNTER.size)
        self._control: socket.socket | None = None
        self._end: weakref.finalize[..., Process] | None = None
        self._pipes: tuple[int, int, int] | None = None
        self._pid, self._weighed, self._held_before = 0, 0.0, 0
        self._answer = bytearray()

    @property
    def alive(self) -> bool:
        """Tell whether it is there, as far as is known."""
        if self._pipes is not None and self._control is not None:
            ready, _, _ = select.select([self._control], [], [], 0.0)
            if ready:
                self._gone()
        return self._pipes is not None

    @property
    def progress(self) -> int:
        """Return how many people it has begun with in this answer, as it counts them itself."""
        count: int = COUNTER.unpack_from(self._counter)[0]
        return count

    def begin(self) -> None:
        """Begin it; raises PolicyLoadError where this system cannot."""
        if not hasattr(os, "fork"):
            problem = f"models cannot be isolated on {sys.platform}."
            raise PolicyLoadError(problem, "Leave sandbox.isolate out, or use a container.")
        if self._control is None:
            with outside():
                self._control = _guarded(self._launch)
            self._end = weakref.finalize(self, self._control.close)
        (requests, ours), (answers, replies), (words, says) = os.pipe(), os.pipe(), os.pipe()
        given = [requests, replies, says, self._file.fileno()]
        try:
            socket.send_fds(self._control, [guardian.BEGIN], given)
            news, self._pid = self._news(time.monotonic() + BEGINS_S)
        finally:
            for descriptor in given[:3]:
                os.close(descriptor)
        if news != guardian.BEGUN:
            for descriptor in (ours, answers, words):
                os.close(descriptor)
            problem = f"no process could be begun for a model within {BEGINS_S:g} s."
            raise NotCompletedError(problem, "See whether the machine is out of processes or memory.")
        for descriptor in (ours, answers, words):
            os.set_blocking(descriptor, False)
        self._pipes = (ours, answers, words)
        of_program = isinstance(self._launch, Mapping) and "command" in self._launch
        self._held_before = 0 if of_program else _held(self._pid)

    def ask(self, message: bytes, seconds: float) -> bytes:
        """Return its answer to a message; EndedError where there is none to be had.

        The time begins anew with each person whom it counts.
        """
        if self._pipes is None:
            raise EndedError(Fault.CRASHED, "was not there")
        self._idle()
        COUNTER.pack_into(self._counter, 0, 0)
        left, counted, due = memoryview(message), 0, time.monotonic() + seconds
        while True:
            ready = self._ready(writing=len(left) > 0)
            if self._pipes[0] in ready:
                left = left[self._write(left) :]
            if self._pipes[2] in ready:
                self.hear()
            if self._pipes[1] in ready and self._reads():
                self._weigh(processes=True)
                return bytes(self._answer)
            now = time.monotonic()
            if self.progress != counted:
                counted, due = self.progress, now + seconds
            if now > due:
                raise self._ended(Fault.HUNG, f"took longer than {seconds:g} s over an answer and was ended")
            if now > self._weighed + POLL_S:
                self._weigh(processes=False)

    def hear(self) -> None:
        """Pass on the words that it has written so far."""
        if self._pipes is not None:
            with contextlib.suppress(BlockingIOError):
                self._say(os.read(self._pipes[2], CHUNK).decode(errors="replace"))

    def close(self) -> None:
        """End it, and its guardian."""
        self._let_go()
        if self._end is not None:
            self._end()
        self._control = None

    def _idle(self) -> None:
        """See that nothing was said since the last answer: it would count as the next one."""
        self._answer.clear()
        with contextlib.suppress(BlockingIOError):
            if os.read(self._pipes[1], 1):  # type: ignore[index]
                raise self._ended(Fault.WRONG_SHAPE, "answered without being asked")
            raise self._died()

    def _ready(self, *, writing: bool) -> list[int]:
        ours, answers, words = self._pipes or (-1, -1, -1)
        readable, writable, _ = select.select([answers, words], [ours] if writing else [], [], POLL_S)
        return [*readable, *writable]

    def _write(self, left: memoryview) -> int:
        try:
            return os.write(self._pipes[0], left)  # type: ignore[index]
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise self._died() from None

    def _reads(self) -> bool:
        """Take in what has come; tell whether the answer is whole."""
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._pipes[1], CHUNK)  # type: ignore[index]
            if not chunk:
                raise self._died()
            self._answer += chunk
        length = self._complete(self._answer)
        if length > LONGEST or (not length and len(self._answer) > LONGEST):
            raise self._ended(Fault.FORBIDDEN, f"tried to answer with more than {LONGEST:,} bytes")
        if 0 < length < len(self._answer):
            raise self._ended(Fault.WRONG_SHAPE, "answered more than once")
        return length == len(self._answer) > 0

    def _weigh(self, *, processes: bool) -> None:
        """Look at what it holds; at the end of an answer also for processes that it began."""
        now = time.monotonic()
        weighs = now > self._weighed + POLL_S
        if not (MEASURED and (processes or weighs)):
            return
        began = guardian.descendants(self._pid)
        if len(began) > (MOST_PROCESSES if self._limits.processes else 0 if processes else FEW):
            raise self._ended(Fault.FORBIDDEN, BEGAN)
        most = self._limits.memory_mb
        if weighs and most is not None:
            self._weighed = now
            held = sum(_held(process) for process in (self._pid, *began)) - self._held_before
            if held > most * 2**20:
                raise self._ended(Fault.FORBIDDEN, f"tried to hold more than {most:g} MiB of memory")

    def _ended(self, fault: Fault, what: str) -> EndedError:
        """End it for a reason, which may be that a copy of it answered, too, or held as much again."""
        alone = self._limits.processes or not guardian.descendants(self._pid)
        if not alone and fault != Fault.HUNG:
            fault, what = Fault.FORBIDDEN, BEGAN
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(guardian.KILL)
                self._news(time.monotonic() + ENDS_S)
        self._let_go()
        return EndedError(fault, what)

    def _died(self) -> EndedError:
        """Return how it ended by itself."""
        return EndedError(Fault.CRASHED, f"ended by itself ({self._gone()})")

    def _gone(self) -> str:
        news, status = self._news(time.monotonic() + ENDS_S)
        self._let_go()
        if news != guardian.ENDED:
            return "its guardian has gone"
        if status >= 0:
            return f"exit code {status}"
        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
        return f"signal {-status}"

    def _news(self, until: float) -> tuple[bytes, int]:
        """Return what the guardian says next; nothing where it has gone."""
        told = b""
        while self._control is not None and len(told) < guardian.NEWS.size:
            ready, _, _ = select.select([self._control], [], [], max(until - time.monotonic(), 0.0))
            chunk = self._control.recv(guardian.NEWS.size - len(told)) if ready else b""
            if not chunk:
                self._control.close()
                self._control = None
            told += chunk
        return guardian.NEWS.unpack(told) if len(told) == guardian.NEWS.size else (b"", 0)

    def _let_go(self) -> None:
        if self._pipes is not None:
            self.hear()
            pipes, self._pipes = self._pipes, None
            for descriptor in pipes:
                os.close(descriptor)


def _guarded(launch: Mapping[str, Any] | guardian.Begin) -> socket.socket:
    """Begin a guardian; return the socket to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        if not isinstance(launch, Mapping):
            _copied(theirs, launch)
            return ours
        subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, guardian.__file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    ours.sendall(json.dumps(dict(launch)).encode() + b"\n")
    return ours


def _copied(control: socket.socket, begin: guardian.Begin) -> None:
    """Begin a guardian as a copy of this process, which knows the same objects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the copy has none of
        if os.fork():
            return
    try:
        gc.freeze()  # what is open here is not the copy's to close
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _close_all_but(control.fileno())
        guardian.guard(control, begin)
    finally:
        os._exit(70)


def _close_all_but(kept: int) -> None:
    """Let every descriptor lead nowhere, so that no file of the original is written to or its number used."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names alone are wanted
        with contextlib.suppress(OSError):
            if int(name) not in {kept, nowhere}:
                os.dup2(nowhere, int(name))


def _held(process: int) -> int:
    """Return the bytes that a process holds; 0 where the system does not tell."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * mmap.PAGESIZE
