"""What a worker does: it makes the runs that it is sent, writes a line for each, and says so."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from rehearse.errors import RehearseError
from rehearse.experiments.sweep import functions
from rehearse.experiments.sweep.keeping import RECORDS, Lines
from rehearse.experiments.sweep.listing import Task

OFTEN = 0.05
"""Seconds between words of a worker whose runs take less."""


class Said(NamedTuple):
    """What a worker says of a run that it has made."""

    run: str
    seconds: float
    verdict: str
    error: str
    line: dict[str, Any]
    """As it was written, but for the lines of the table; `judged` has those of criteria."""

    @classmethod
    def of(cls, line: dict[str, Any]) -> Said:
        """Return what is said of a line."""
        short = {name: value for name, value in line.items() if name != "lines"}
        short["judged"] = [told for told in line.get("lines", ()) if told["verdict"]]
        seconds = float(line["seconds"] or 0.0)
        return cls(line["run"], seconds, str(line.get("verdict", "")), str(line.get("error", "")), short)


class Bench:
    """Where one process makes runs."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the sweep."""
        self.lines = Lines(folder)
        self._records = folder / RECORDS

    def make(self, name: str, task: Task) -> Said:
        """Make a run, write its line, and return what to say of it."""
        line = line_of(name, task, self._records)
        self.lines.add(line)
        return Said.of(line)


def line_of(name: str, task: Task, records: Path) -> dict[str, Any]:
    """Make a run and return its line, which tells the error of one that failed."""
    began = time.perf_counter()
    try:
        found = _made(name, task, records)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is recorded and the sweep goes on
        found = {"error": _told(error)}
    return {"run": name, "seconds": round(time.perf_counter() - began, 6)} | found


def _made(name: str, task: Task, records: Path) -> dict[str, Any]:
    if task.function:
        return {"lines": functions.lines(functions.evaluated(task.function, task.given, task.seed))}
    from rehearse.experiments.sweep.measuring import made

    return made(task, name, records)


def work(words: Connection, folder: Path) -> None:
    """Make runs as they are sent, until there are no more, or until whoever leads the sweep is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who leads
    waiting: SimpleQueue[tuple[str, Task] | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(words, waiting), daemon=True).start()
    bench, said, last = Bench(folder), list[Said](), time.monotonic()
    words.send(str(bench.lines.path))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        while (sent := waiting.get()) is not None:
            said.append(bench.make(*sent))
            if waiting.empty() or time.monotonic() - last > OFTEN:
                words.send(said)
                said, last = [], time.monotonic()
    bench.lines.close()


def _listen(words: Connection, waiting: SimpleQueue[Any]) -> None:
    """Read ahead, so that nobody waits who sends; end this process with the one who leads the sweep."""
    try:
        while True:
            waiting.put(words.recv())
    except (EOFError, OSError):
        os._exit(0)


def _told(error: Exception) -> str:
    if isinstance(error, RehearseError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
