"""The sink: writes what a run leaves behind, in order, on a thread of its own, and never holds much.

A run hands over pieces of work with the bytes that they hold. They are done one after the other, so
that a checkpoint which is handed over after its turns is written after them. Where more bytes wait
than may, the run waits too (back pressure): what is held is at most QUEUE_BYTES or one piece, whichever
is more. What goes wrong is raised in the run, the next time that it turns to the sink.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Work = Callable[[], None]

QUEUE_BYTES = 1 << 27


@dataclass(slots=True)
class Sink:
    """Does what it is handed, in order, in the background, until it is stopped."""

    limit: int = QUEUE_BYTES
    held: int = 0
    """Bytes of the work that waits and of that which is being done."""
    _waiting: deque[tuple[Work, int]] = field(default_factory=deque)
    _undone: int = 0
    _error: BaseException | None = None
    _stopped: bool = False
    _thread: threading.Thread | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, work: Work, size: int) -> None:
        """Hand over work that holds so many bytes, once there is room; raise what went wrong before."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._undone or self.held + size <= self.limit)
            self.check()
            self._waiting.append((work, size))
            self.held += size
            self._undone += 1
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
                self._thread.start()

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error

    def drain(self) -> None:
        """Wait until everything is done; raise what went wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._undone)
            self.check()

    def stop(self) -> None:
        """Drop what waits, wait for what is being done, and take nothing more."""
        with self._changed:
            self._stopped = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._did_one():
            pass

    def _did_one(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            if not self._waiting:
                return False
            work, size = self._waiting.popleft()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the run raises it
            self._error = error
            self._waiting.clear()
        with self._changed:
            self.held -= size
            self._undone -= 1
            self._changed.notify_all()
        return True
