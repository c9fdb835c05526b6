"""What a model writes: files, and words on the terminal.

It may write temporary files, caches, and where the scenario says; the folder of the run itself is not its
to touch. What it prints is passed on up to a limit, without secrets, and kept in the log.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rehearse.log import get_log
from rehearse.policies.outward import Tried
from rehearse.redact import redacted

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
COMPILED = "__pycache__"
"""Python and numba write what they compiled into folders of this name, wherever the sources are."""
PATHS: dict[str, tuple[tuple[int, int | None], ...]] = {
    **dict.fromkeys(("os.remove", "os.rmdir"), ((0, 1),)),
    "os.mkdir": ((0, 2),),
    **dict.fromkeys(("os.rename", "os.link"), ((0, 2), (1, 3))),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    **dict.fromkeys(("os.chown", "os.utime"), ((0, 3),)),
}
"""Events that change files, and where in their arguments a path and the folder that it begins at stand."""
FILES = frozenset(PATHS) | {"open"}
MOST_SAID = 10_000
"""Characters that a model may print in a run."""


class Places:
    """Where a model may write."""

    def __init__(self, folders: Sequence[str]) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        allowed = (tempfile.gettempdir(), cache, "~/Library/Caches", *folders)
        self._allowed = tuple(_real(Path(folder).expanduser()) for folder in allowed)
        self._closed: list[str] = []

    def close(self, folder: Path) -> None:
        """Let nothing be written in a folder, wherever it is."""
        self._closed.append(_real(folder))

    @property
    def closed(self) -> list[str]:
        """Return the folders in which nothing may be written."""
        return list(self._closed)

    def keep_closed(self, folders: Sequence[str]) -> None:
        """Let nothing be written in these folders, as `closed` has them."""
        self._closed = list(folders)

    def may_write(self, path: str) -> bool:
        """Tell whether a file or folder may be made, changed or removed."""
        real = _real(path)
        if _within(real, self._closed):
            return False
        return real == os.devnull or COMPILED in Path(real).parts or _within(real, self._allowed)

    def judge(self, event: str, args: tuple[Any, ...]) -> Tried | None:
        """Return what an audit event would write where it may not, or None."""
        for path in _opened(args) if event == "open" else _changed(event, args):
            made = event == "os.mkdir" and os.path.isdir(path)  # noqa: PTH112 - asked for what is there
            if not made and not self.may_write(path):
                folder = os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120
                return Tried(f"tried to write {path}", f"Where it must, add {folder!r} to sandbox.write.")
        return None


class Mouth:
    """What a model has printed."""

    def __init__(self) -> None:
        self.said = 0
        """Characters, those that were dropped among them."""
        self._passed = 0
        self._line = ""

    def say(self, text: str, write: Callable[[str], object]) -> None:
        """Pass on what fits, by the line, so that no secret is cut in two."""
        self.said += len(text)
        fits = text[: MOST_SAID - self._passed]
        self._passed += len(fits)
        self._line += fits
        *lines, self._line = self._line.split("\n")
        for line in lines:
            self._pass_on(f"{line}\n", write)
        if len(fits) < len(text) and fits:
            self.end(write)
            write(f"\nrehearse: the model printed more than {MOST_SAID:,} characters; the rest is dropped.\n")

    def end(self, write: Callable[[str], object]) -> None:
        """Pass on a line that was begun."""
        if self._line:
            self._pass_on(self._line, write)
            self._line = ""

    def _pass_on(self, line: str, write: Callable[[str], object]) -> None:
        hidden = redacted(line)
        get_log("policy").info("said", text=hidden.rstrip("\n"))
        write(hidden)


class Stream:
    """Standard output or error while a model is asked: it speaks through its mouth, others straight on."""

    def __init__(self, real: Any, mouth: Callable[[], Mouth | None]) -> None:
        self.real = real
        self._mouth = mouth

    def write(self, text: str) -> int:
        """Write text."""
        mouth = self._mouth()
        if mouth is None:
            self.real.write(text)
        else:
            mouth.say(text, self.real.write)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Bytes:
        """Return the stream for bytes."""
        return Bytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class Bytes:
    """The bytes below a stream."""

    def __init__(self, above: Stream) -> None:
        self._above = above

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._above.write(bytes(data).decode(errors="replace"))
        return len(data)

    def flush(self) -> None:
        """Write what waits."""
        self._above.flush()


def _opened(args: tuple[Any, ...]) -> Iterable[str]:
    path, _, flags = args
    writes = isinstance(flags, int) and flags & WRITES
    return [os.fsdecode(path)] if writes and not isinstance(path, int) else []


def _changed(event: str, args: tuple[Any, ...]) -> Iterable[str]:
    for at, folder in PATHS[event]:
        path = args[at]
        if not isinstance(path, int):
            begins = args[folder] if folder is not None and len(args) > folder else -1
            yield _below(os.fsdecode(path), begins)


def _below(path: str, folder: object) -> str:
    """Return a path that begins at an open folder from its root, where the system tells it."""
    if not isinstance(folder, int) or folder < 0 or path.startswith(os.sep):
        return path
    return os.path.join(os.path.realpath(f"/proc/self/fd/{folder}"), path)  # noqa: PTH118


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)


def _real(path: str | Path) -> str:
    return os.path.realpath(path)
