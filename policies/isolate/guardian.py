"""The guardian of a process that is not trusted: it begins it, tells of its end, and ends all that it left.

It is a small process of its own, between Rehearse and the one that it guards, and needs nothing but Python:
`python guardian.py FD` reads from a socket what it is to begin. When that socket closes, since whoever
began it has ended in whatever way, it kills what it guards and goes. On Linux whatever its process leaves
behind becomes its own child, so nothing gets away; elsewhere the process group is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

Begin = Callable[..., object]
"""What a new process does with the descriptors that it is given: requests, replies, words, progress."""
NEWS = struct.Struct("!ci")
BEGUN, ENDED = b"p", b"e"
BEGIN, KILL = b"b", b"k"
MOST = 8
"""Descriptors that come with a word, at most."""
LINUX = sys.platform == "linux"
DIE_WITH_PARENT, ADOPT = 1, 36
"""PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER (linux/prctl.h)."""
PATIENCE_S = 5.0


def guard(control: socket.socket, begin: Begin) -> NoReturn:
    """Begin processes one after another as the socket says; never returns."""
    with contextlib.suppress(OSError):
        os.setsid()
    _process_control(ADOPT, 1)
    ears, mouth = os.pipe()
    for end in (ears, mouth):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    child = 0
    while True:
        waiting: list[Any] = [control, ears]
        ready, _, _ = select.select(waiting, [], [])
        if ears in ready:
            os.read(ears, 4096)
        status = _reaped(child) if child else None
        if status is not None:
            _end_all(child)
            child = 0
            _tell(control, ENDED, status)
        if control in ready:
            child = _obey(control, child, begin)


def _obey(control: socket.socket, child: int, begin: Begin) -> int:
    word, given, *_ = socket.recv_fds(control, 1, MOST)
    if word == BEGIN:
        child = _begun(control, begin, given)
        _tell(control, BEGUN, child)
        return child
    if child:
        _end_all(child)
    if not word:
        os._exit(0)
    _tell(control, ENDED, -signal.SIGKILL)
    return 0


def _tell(control: socket.socket, news: bytes, number: int) -> None:
    """Say something; if nobody listens any more, the socket says so, too."""
    with contextlib.suppress(OSError):
        control.sendall(NEWS.pack(news, number))


def _begun(control: socket.socket, begin: Begin, given: list[int]) -> int:
    child = os.fork()
    if child:
        for descriptor in given:
            os.close(descriptor)
        return child
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _process_control(DIE_WITH_PARENT, signal.SIGKILL)
        os.setpgid(0, 0)
        _no_core()
        control.close()
        begin(*given)
    finally:
        os._exit(70)


def descendants(process: int) -> list[int]:
    """Return all processes that a process began, and they; nothing where the system does not tell."""
    found: list[int] = []
    for task in _listed(f"/proc/{process}/task"):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{process}/task/{task}/children").read_text(encoding="ascii")
            for child in map(int, text.split()):
                found += [child, *descendants(child)]
    return found


def _end_all(child: int) -> None:
    """Kill a process and all that came of it, until none is left."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for victim in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(victim, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _reaped(child: int) -> int | None:
    """Return how a process ended (its exit code, or -signal), None if it has not; reap all others too."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            process, code = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            if process == child:
                status = os.waitstatus_to_exitcode(code)
    return status


def _process_control(option: int, value: int) -> None:
    """Ask something of Linux about this process."""
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _no_core() -> None:
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


def run_program(command: list[str], requests: int, replies: int, words: int, *_: int) -> None:
    """Become another program, which reads requests and writes replies as its standard input and output."""
    for descriptor, place in ((requests, 0), (replies, 1), (words, 2)):
        os.dup2(descriptor, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    try:
        os.execvp(command[0], command)  # noqa: S606 - what the scenario says
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())


def _main(descriptor: int) -> NoReturn:
    control = socket.socket(fileno=descriptor)
    with control.makefile("rb", buffering=0) as file:
        told: dict[str, Any] = json.loads(file.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if "command" in told:
        command: list[str] = told["command"]
        guard(control, lambda *given: run_program(command, *given))
    sys.path[:] = told["path"]
    from rehearse.policies.isolate.worker import work

    guard(control, work)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
