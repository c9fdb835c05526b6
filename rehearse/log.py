"""The log of a run: structlog events as JSON lines in a file, and nothing anywhere else.

    with log_to(folder / "log.jsonl"):
        get_log("run").info("tick", tick=3, user_turns=1200)

Outside of `log_to` an event costs a microsecond or two and goes nowhere. The settings that a program has
made for structlog itself are neither used nor changed.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from rehearse.redact import redacted


class _Sink:
    """Where events go: the file that was opened last and is still open, or nowhere."""

    __slots__ = ("files", "last")

    def __init__(self) -> None:
        """Begin with no file."""
        self.files: list[TextIO] = []
        self.last: Path | None = None

    def write(self, line: str) -> None:
        """Append a line; a log that cannot be written never ends a run."""
        with contextlib.suppress(OSError, ValueError):
            self.files[-1].write(f"{redacted(line)}\n")

    debug = info = warning = error = critical = exception = msg = write


_SINK = _Sink()


def _only_while_open(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if not _SINK.files:
        raise structlog.DropEvent
    return event


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def get_log(name: str) -> FilteringBoundLogger:
    """Return a log whose events carry this name under `log`."""
    lazy = structlog.wrap_logger(
        _SINK,
        processors=[
            _only_while_open,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=_plain),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("INFO"),
    )
    log: FilteringBoundLogger = lazy.bind(log=name)
    return log


def events(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Go over the events of a name in a log; nothing of lines torn when a run was killed, or of no log."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event["event"] == name:
                yield event


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Append events to a file, line by line, until the block ends; an inner block has its own file."""
    with path.open("a", encoding="utf-8", buffering=1) as file:
        _SINK.files.append(file)
        _SINK.last = path
        try:
            yield
        finally:
            _SINK.files.remove(file)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Take events down until the block ends, for a process that has no log of the run (`pass_on`)."""
    lines: list[str] = []
    with io.StringIO() as file:
        _SINK.files.append(file)
        try:
            yield lines
        finally:
            _SINK.files.remove(file)
            lines += file.getvalue().splitlines()


def pass_on(lines: Iterable[str]) -> None:
    """Append events that were `heard` elsewhere, where a log is open."""
    for line in lines if _SINK.files else ():
        _SINK.write(line)


def last_log() -> Path | None:
    """Return the file that `log_to` opened last in this process, or None."""
    return _SINK.last


def keep_traceback(error: BaseException, **facts: Any) -> Path:
    """Write an unexpected error with its traceback where it can be found, and return that file.

    That is the log of the run if there was one, else a new temporary file.
    """
    path = _SINK.last
    if path is None or not path.parent.is_dir():
        with tempfile.NamedTemporaryFile(prefix="rehearse-", suffix=".log.jsonl", delete=False) as file:
            path = Path(file.name)
    with log_to(path):
        get_log("rehearse").error("unexpected error", exc_info=error, **facts)
    return path
