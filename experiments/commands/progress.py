"""The progress bar: people, turns a second and the time left, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rehearse.compiled import announce

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from rehearse.experiments.sweep.conducting import Tally


class _Drawn:
    """A bar on stderr; silent where nobody can see it."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        """Take what stands before the bar."""
        self.title = title
        self.visible = sys.stderr.isatty() and not quiet
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Draw the bar."""
        if self.visible:
            self._progress = _drawn()
            self._task = self._progress.add_task(self.title, total=None, detail="")
            self._progress.start()
            announce(self._progress.console.print)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(f"{line}\n")

    def _move(self, total: int, completed: int, detail: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total, completed=completed, detail=detail)


class Bar(_Drawn):
    """A bar that is told of every tick of a run."""

    def __call__(self, *, tick: int, ticks: int, users: int, user_turns: int, seconds: float) -> None:
        """Move the bar to a tick."""
        pace = f"{user_turns / seconds:,.0f} turns/s" if seconds > 0 else ""
        detail = f"tick {tick:,}/{ticks:,} · {users:,} users · {user_turns:,} turns · {pace}"
        self._move(ticks, tick, detail)


class SweepBar(_Drawn):
    """A bar that is told of every run of a sweep."""

    def __call__(self, tally: Tally) -> None:
        """Move the bar to how far the sweep is, with what the runs came to so far."""
        judged = [f"{n:,} {word}" for word, n in sorted(tally.verdicts.items()) if word]
        failed = [f"{tally.failed:,} failed"] if tally.failed else []
        at = tally.earlier + tally.made + tally.failed
        self._move(tally.runs, at, " · ".join([f"run {at:,}/{tally.runs:,}", *judged, *failed]))


class SearchBar(_Drawn):
    """A bar that is told of every batch of a search."""

    def __call__(self, doing: str, done: int, of: int) -> None:
        """Move the bar to how far the search is with what it is doing."""
        self._move(of, done, f"{doing} {done:,}/{of:,}")


def _drawn() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[detail]} · left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
