"""The sandbox: code that is not Rehearse's own is loaded, asked and taught within walls.

An audit hook of Python hears what the process is about to do. It does nothing but where walls stand: in a
thread that asks a model just now, and in threads that a model began. It cannot be removed, so it is set
the first time walls are needed and looks up one word from then on. What the walls forbid raises
SandboxError, counts, and is said in the log; a model that catches the error has tried all the same.

This holds what Python does. C code that calls the system by itself is not seen.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rehearse import redact
from rehearse.errors import PolicyLoadError, SandboxError
from rehearse.log import get_log
from rehearse.policies.outward import CHECKS, Hosts, Tried, looks_up
from rehearse.policies.written import FILES, Mouth, Places, Stream
from rehearse.scenario.sandbox import Sandbox

MEASURED = Path("/proc/self/statm").exists()
"""Whether the system tells what other processes hold."""
MOST_KINDS = 100
"""Different things that are remembered of what a model tried; beyond, they count together."""
OTHERS = "tried other things"
DEFAULT_PORTS = {"http": 80, "https": 443}
THREADS = frozenset({"_thread.start_new_thread", "_thread.start_joinable_thread"})


class Walls:
    """What a model may do, and what it tried."""

    def __init__(self, spec: Sandbox) -> None:
        self.spec = spec
        self.hosts = Hosts(spec.allow)
        self.places = Places(spec.write)
        self.mouth = Mouth()
        self.refused: dict[str, int] = {}
        """How often it tried what, by `tried to …`."""

    @property
    def count(self) -> int:
        """Return how many tries were refused."""
        return sum(self.refused.values())

    def told(self) -> dict[str, Any]:
        """Return the rules and what was refused, for the manifest."""
        counted: dict[str, Any] = {"refused": dict(self.refused), "printed": self.mouth.said}
        if self.spec.isolate and not MEASURED:
            counted["not_limited"] = f"memory and processes: {sys.platform} does not tell what others hold"
        return self.spec.model_dump(mode="json") | counted

    def add(self, told: Mapping[str, Any]) -> None:
        """Count what was refused elsewhere, or before, as `told` has it."""
        for what, times in told.get("refused", {}).items():
            self._note(what, times)
        self.mouth.said += told.get("printed", 0)

    def note(self, what: str, times: int) -> None:
        """Count what was refused, and say it in the log when it is new."""
        if what not in self.refused:
            get_log("policy").warning("refused", problem=what)
        self._note(what, times)

    def hear(self, text: str) -> None:
        """Pass on what a model writes that is in another process."""
        out = sys.stdout
        self.mouth.say(text, out.real.write if isinstance(out, Stream) else out.write)

    def judge(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise SandboxError where an audit event is not allowed."""
        tried = self._tried(event, args)
        if tried is not None:
            self.note(tried.what, 1)
            problem = f"the model {tried.what}."
            raise SandboxError(problem, tried.remedy)

    def _tried(self, event: str, args: tuple[Any, ...]) -> Tried | None:
        if event in FILES:
            return self.places.judge(event, args)
        return _bare_thread(args[0]) if event in THREADS else CHECKS[event](self.hosts, self.spec, args)

    def _note(self, what: str, times: int) -> None:
        kept = what if what in self.refused or len(self.refused) < MOST_KINDS else OTHERS
        self.refused[kept] = self.refused.get(kept, 0) + times


def added(told: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what walls told, with what others refused and heard counted, too."""
    whole = dict(told)
    for other in others:
        refused = dict(whole.get("refused", {}))
        for what, times in other.get("refused", {}).items():
            refused[what] = refused.get(what, 0) + times
        whole |= {"refused": refused, "printed": whole.get("printed", 0) + other.get("printed", 0)}
    return whole


class Within:
    """A `with` block in which this thread is held by walls; None: it is free."""

    __slots__ = ("_outer", "_streams", "_walls")

    def __init__(self, walls: Walls | None) -> None:
        self._walls = walls

    def __enter__(self) -> None:
        if self._walls is not None and not _HOOKED:
            _hook_in()
        self._outer: Walls | None = getattr(_HERE, "walls", None)
        _HERE.walls = self._walls
        if self._walls is not None:
            out, err = self._streams = sys.stdout, sys.stderr
            sys.stdout, sys.stderr = Stream(out, _mouth_here), Stream(err, _mouth_here)

    def __exit__(self, *_: object) -> None:
        if self._walls is not None:
            sys.stdout, sys.stderr = self._streams
            self._walls.mouth.end(sys.stdout.write)
        _HERE.walls = self._outer


_BUILDING: ContextVar[Walls | None] = ContextVar("walls", default=None)
_HERE = threading.local()
_SUSPECTS: weakref.WeakKeyDictionary[threading.Thread, weakref.ref[Walls]] = weakref.WeakKeyDictionary()
_HOOKED: list[bool] = []
_EVENTS = frozenset(CHECKS) | THREADS | FILES


@contextmanager
def walled(spec: Sandbox) -> Iterator[Walls]:
    """Let every model that is loaded or seated in the block be held by the same new walls."""
    walls = Walls(spec)
    redact.learn(spec.secrets)
    token = _BUILDING.set(walls)
    try:
        yield walls
    finally:
        _BUILDING.reset(token)


def current() -> Walls | None:
    """Return the walls of the scenario that is being built; None outside of one."""
    return _BUILDING.get()


def loading() -> Within:
    """Return a block for running a model's own code while it is loaded."""
    return Within(current())


def tries() -> int:
    """Return how many tries were refused so far by the walls round this thread."""
    walls: Walls | None = getattr(_HERE, "walls", None)
    return 0 if walls is None else walls.count


def outside() -> Within:
    """Return a block for what Rehearse itself must do while a model is asked, such as begin its server."""
    return Within(None)


def must_allow(host: str, port: int) -> None:
    """Raise PolicyLoadError where the scenario that is being built does not let a model call a host."""
    walls = current()
    if walls is None or walls.hosts.may_reach(host.strip("[]"), port):
        return
    problem = f"the model is at {host}:{port}, which the sandbox of the scenario does not allow."
    tried = looks_up(walls.hosts, walls.spec, (f"{host}:{port}",))
    raise PolicyLoadError(problem, "" if tried is None else tried.remedy)


def must_allow_url(url: str) -> None:
    """Raise PolicyLoadError where a model's address is at a host that may not be called."""
    parts = urlsplit(url)
    if parts.hostname:
        must_allow(parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme, 0))


def _hook_in() -> None:
    _HOOKED.append(True)
    sys.addaudithook(_hear)
    # Python 3.11 tells no hook of new threads.
    threading.Thread.start = _suspecting(threading.Thread.start)  # type: ignore[method-assign, assignment]


def _suspecting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    """Return `Thread.start` that lets threads be held which are begun within walls."""

    @wraps(start)
    def begun(thread: threading.Thread) -> None:
        walls = _walls_here()
        if walls is not None:
            _SUSPECTS[thread] = weakref.ref(walls)
        start(thread)

    return begun


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    walls = _walls_here()
    if walls is None or getattr(_HERE, "judging", False):
        return
    _HERE.judging = True
    try:
        walls.judge(event, args)
    finally:
        _HERE.judging = False


def _mouth_here() -> Mouth | None:
    walls = _walls_here()
    return None if walls is None else walls.mouth


def _bare_thread(begun: object) -> Tried | None:
    if isinstance(getattr(begun, "__self__", None), threading.Thread):
        return None
    return Tried("tried to begin a bare thread", "Begin threads by `threading.Thread`.")


def _walls_here() -> Walls | None:
    walls: Walls | None = getattr(_HERE, "walls", None)
    if walls is not None or not _SUSPECTS:
        return walls
    ident = threading.get_ident()
    for thread, round_it in list(_SUSPECTS.items()):
        if thread.ident == ident and thread.is_alive():
            return round_it()
    return None
