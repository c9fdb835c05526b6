"""Workers: warm processes that are fed runs one ahead, and replaced when they die."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

from rehearse.errors import NotCompletedError
from rehearse.experiments.processes import begun, server
from rehearse.experiments.sweep.keeping import Lines, lines_in
from rehearse.experiments.sweep.listing import Task
from rehearse.experiments.sweep.working import Said, work

WORKING = "rehearse.experiments.sweep.working"
OF_SCENARIOS = (
    "rehearse.experiments.sweep.measuring",
    "rehearse.agents.model",
    "rehearse.agents.crowd",
    "duckdb",
    "scipy.special",
    "scipy.sparse",
)
"""What a rehearsal needs besides, which takes seconds to import."""
AHEAD = 0.2
"""Seconds of work that a worker is sent ahead."""
MOST_AHEAD = 2000
STRIKES = 2
"""A run that so many workers died of has failed."""
HOPELESS = 6
"""So many workers that died one after the other without a run made: something else is wrong."""
BEAT = 0.5
"""Seconds between two looks at the clock."""
Hear = Callable[[Said], None]
Sent = tuple[str, Task]
Take = Callable[[], Sent | None]


@dataclass(slots=True)
class Worker:
    """A process, the pipe to it, and the runs that it has been sent and has not told of."""

    process: BaseProcess
    words: Connection
    lines: Path | None = None
    """The file that it writes to, once it has said so."""
    sent: deque[Sent] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    """When it began with the first of these, as far as it is known."""

    def send(self, run: Sent) -> None:
        """Send a run; one who is gone is noticed elsewhere."""
        if not self.sent:
            self.since = time.monotonic()
        self.sent.append(run)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.words.send(run)

    def end(self) -> None:
        """End the process at once: whatever it has made is written."""
        self.process.kill()
        self.process.join()
        self.words.close()


@dataclass(slots=True)
class Strikes:
    """What becomes of runs whose workers died: they are made again, and fail at the second strike."""

    waiting: deque[Sent] = field(default_factory=deque)
    in_vain: int = 0
    """Workers that died since the last run was made."""
    _of_run: dict[str, int] = field(default_factory=dict)

    def again(self) -> Sent | None:
        """Return a run that is to be made again."""
        return self.waiting.popleft() if self.waiting else None

    def struck(self, run: Sent) -> dict[str, Any] | None:
        """Hear that a worker died of a run; return its line if it has failed.

        Raises NotCompletedError where it cannot be the runs.
        """
        name = run[0]
        self.in_vain += 1
        if self.in_vain >= HOPELESS:
            problem = f"{HOPELESS} workers of the sweep died one after the other."
            raise NotCompletedError(problem, "Try a run by itself (--jobs 0), and look at the memory.")
        self._of_run[name] = self._of_run.get(name, 0) + 1
        if self._of_run[name] < STRIKES:
            self.waiting.append(run)
            return None
        return failed(name, f"{STRIKES} workers died of it, one after the other.")


def failed(name: str, problem: str) -> dict[str, Any]:
    """Return the line of a run that failed with its worker."""
    return {"run": name, "seconds": None, "error": problem}


class Crew:
    """Some workers that make the runs of a sweep in one folder."""

    def __init__(
        self, folder: Path, jobs: int, limit_s: float | None = None, *, rehearses: bool = True
    ) -> None:
        """Take the folder of the sweep, how many workers, and after how long a run is given up.

        Workers load ahead what a rehearsal needs, if any of the runs is one.
        """
        self._folder, self._jobs, self._limit = folder, jobs, limit_s
        self._context = server([WORKING, *(OF_SCENARIOS if rehearses else ())])
        self._workers: list[Worker] = []
        self._own = Lines(folder)
        self._strikes = Strikes()
        self._mean = AHEAD

    def __enter__(self) -> Self:
        """Begin the workers."""
        self._workers = [self._begun() for _ in range(self._jobs)]
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.end()
        self._own.close()

    def make(self, take: Take, hear: Hear) -> None:
        """Have runs made; `hear` is told of each, in the order in which they are finished.

        `take` gives the next one, or None while there is none until more is heard.
        Raises NotCompletedError where workers die one after the other whatever they are sent.
        """
        self._feed(take)
        while any(worker.sent for worker in self._workers):
            ready = wait([worker.words for worker in self._workers], timeout=BEAT)
            for worker in list(self._workers):
                if worker.words in ready:
                    self._listen(worker, hear)
                elif self._limit is not None and self._overdue(worker):
                    self._given_up(worker, hear)
            self._feed(take)

    def _feed(self, take: Take) -> None:
        ahead = min(1 + int(AHEAD / max(self._mean, 1e-6)), MOST_AHEAD) if self._limit is None else 1
        for worker in self._workers:
            while len(worker.sent) < ahead:
                run = self._strikes.again() or take()
                if run is None:
                    return
                worker.send(run)

    def _listen(self, worker: Worker, hear: Hear) -> None:
        try:
            told: Any = worker.words.recv()
        except (EOFError, OSError):
            self._replace(worker, hear)
            return
        if isinstance(told, str):
            worker.lines = Path(told)
            return
        for said in told:
            worker.sent.popleft()
            self._heard(said, hear)
        worker.since = time.monotonic()

    def _heard(self, said: Said, hear: Hear) -> None:
        self._mean += 0.1 * (said.seconds - self._mean)
        self._strikes.in_vain = 0
        hear(said)

    def _replace(self, worker: Worker, hear: Hear) -> None:
        """Put a new worker in the place of one that has died; what it had not finished is made again."""
        worker.end()
        written = {} if worker.lines is None else {line["run"]: line for line in lines_in(worker.lines)}
        while worker.sent and worker.sent[0][0] in written:  # finished, and not told any more
            self._heard(Said.of(written[worker.sent.popleft()[0]]), hear)
        line = self._strikes.struck(worker.sent.popleft()) if worker.sent else None
        self._strikes.waiting.extendleft(reversed(worker.sent))
        if line is not None:
            self._failed(line, hear)
        self._workers[self._workers.index(worker)] = self._begun()

    def _overdue(self, worker: Worker) -> bool:
        return bool(worker.sent) and time.monotonic() - worker.since > (self._limit or 0.0)

    def _given_up(self, worker: Worker, hear: Hear) -> None:
        name, _ = worker.sent.popleft()
        self._failed(failed(name, f"it took longer than limit_s: {self._limit:g} seconds."), hear)
        self._replace(worker, hear)

    def _failed(self, line: dict[str, Any], hear: Hear) -> None:
        self._own.add(line)
        self._heard(Said.of(line), hear)

    def _begun(self) -> Worker:
        ours, theirs = self._context.Pipe()
        return Worker(begun(self._context, "rehearse-sweep", work, (theirs, self._folder)), ours)
