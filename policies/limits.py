"""A limit on the wall clock for code that may never come back.

In the main thread an alarm interrupts the code, and `within` raises PolicyHungError. Code that
cannot be interrupted (it runs outside the main thread, holds on inside a C library, or swallows
every exception) is waited for a little longer; then a watchdog says so in one line and ends the
process with exit code 4. Only a library that never lets go of the interpreter escapes both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from rehearse.errors import PolicyHungError

GRACE_S = 10.0
"""Seconds that the watchdog waits beyond the limit."""
NOT_COMPLETED = 4
"""The exit code of a run that could not be completed."""
POLL_S = 0.2
SLACK_S = 1e-3
"""Timers may ring this much early."""
UNSTOPPABLE = "It cannot be interrupted; the run is not completed."
REMEDY = "Make it answer faster, or raise time.wall_limit_s."


class _OutOfTimeError(BaseException):
    """Raised inside the model's code by the alarm; not an Exception, so that a retry loop lets it pass."""


class _Limit:
    """Until when something may take, and what it is."""

    __slots__ = ("due", "grace", "seconds", "what")

    def __init__(self, what: str, seconds: float, grace: float) -> None:
        self.what, self.seconds, self.grace = what, seconds, grace
        self.begin()

    def begin(self) -> None:
        """Let the time begin now."""
        self.due = time.monotonic() + self.seconds

    @property
    def sentence(self) -> str:
        """Return what is to be said when the time is over."""
        return f"{self.what} gave no answer within {self.seconds:g} seconds of wall-clock time."


@contextlib.contextmanager
def within(seconds: float, what: str, grace: float = GRACE_S) -> Iterator[None]:
    """Let the body run for so many wall-clock seconds; raise PolicyHungError beyond that."""
    limit = _Limit(what, seconds, grace)
    alarm = _Alarm(limit)
    _WATCHDOG.watch(limit)
    try:
        with alarm:
            yield
    except _OutOfTimeError:
        alarm.rang = True
    finally:
        _WATCHDOG.release(limit)
    if alarm.rang:
        raise PolicyHungError(limit.sentence, REMEDY) from None


RENEWED: list[Callable[[], object]] = []
"""What else is told that the next person is asked."""


def forget() -> None:
    """Watch nothing that a process watched which this one is a copy of."""
    _WATCHDOG.forget()


def renew() -> None:
    """Let the time of the innermost limit of this thread begin anew: it answered, and is asked again."""
    for tell in RENEWED:
        tell()
    limit = _WATCHDOG.innermost()
    if limit is not None:
        limit.begin()


class _Alarm:
    """SIGALRM for the time of a `with` block; the handler and timer that were there come back after."""

    __slots__ = ("_interval", "_limit", "_on", "_other", "_other_due", "rang")

    def __init__(self, limit: _Limit) -> None:
        self._limit = limit
        self._on = _can_alarm()
        self._other_due = float("inf")
        self.rang = False

    def __enter__(self) -> None:
        if not self._on:
            return
        self._other = signal.signal(signal.SIGALRM, self._ring) or signal.SIG_DFL
        left, self._interval = signal.getitimer(signal.ITIMER_REAL)
        self._other_due = time.monotonic() + left if left else float("inf")
        self._set()

    def __exit__(self, *_: object) -> None:
        if not self._on:
            return
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._other)
        if self._other_due < float("inf"):
            left = max(self._other_due - time.monotonic(), SLACK_S)
            signal.setitimer(signal.ITIMER_REAL, left, self._interval)

    def _set(self) -> None:
        left = min(self._limit.due, self._other_due) - time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(left, SLACK_S))

    def _ring(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now >= self._limit.due - SLACK_S:
            self.rang = True
            raise _OutOfTimeError
        if now >= self._other_due - SLACK_S:
            self._serve_other(number, frame)
        self._set()

    def _serve_other(self, number: int, frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._interval)
        if callable(self._other):
            self._other(number, frame)
        left, _ = signal.getitimer(signal.ITIMER_REAL)  # it may have set its timer again
        self._other_due = time.monotonic() + left if left else float("inf")


def _can_alarm() -> bool:
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()


class _Watchdog:
    """A thread that ends the process when something outlives its limit and its grace."""

    def __init__(self) -> None:
        self._limits: dict[_Limit, int] = {}
        self._thread: threading.Thread | None = None

    def watch(self, limit: _Limit) -> None:
        """Begin to watch."""
        self._limits[limit] = threading.get_ident()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="rehearse-watchdog", daemon=True)
            self._thread.start()

    def release(self, limit: _Limit) -> None:
        """Watch no longer."""
        self._limits.pop(limit, None)

    def forget(self) -> None:
        """Watch nothing any more."""
        self._limits.clear()

    def innermost(self) -> _Limit | None:
        """Return the limit that this thread came under last, if any."""
        me = threading.get_ident()
        mine = [limit for limit, thread in tuple(self._limits.items()) if thread == me]
        return mine[-1] if mine else None

    def _run(self) -> None:
        while True:
            time.sleep(POLL_S)
            for limit in tuple(self._limits):
                if time.monotonic() > limit.due + limit.grace:
                    sys.stderr.write(f"\nrehearse: {limit.sentence} {UNSTOPPABLE} {REMEDY}\n")
                    sys.stderr.flush()
                    os._exit(NOT_COMPLETED)


_WATCHDOG = _Watchdog()
