"""The run folder while it is written: parts, checkpoints, and nothing that looks finished too early.

Turns wait in memory until there are enough for a part or a checkpoint is due. Then the part, and after
it the checkpoint, go to the sink, which writes them in the background, each aside, synced and renamed. A
run that is killed goes on from its last checkpoint; parts that are younger than it are written again.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from rehearse.columns import Array, Columns, stacked
from rehearse.dialogue.domain import Domain
from rehearse.errors import OutputError
from rehearse.record.parts import Words, write_part
from rehearse.record.reading import MANIFEST, SCENARIO, SESSIONS, TICKS, TURNS, USERS
from rehearse.record.recorder import no_turns
from rehearse.record.scope import Scope, sessions_of
from rehearse.record.sink import Sink
from rehearse.record.words import WORDS, write_words
from rehearse.scenario.model import Scenario
from rehearse.tables import commit, write_table, write_text

CHECKPOINTS = "checkpoint"
STATES = "states"
"""Checkpoints that stay, for forks."""
CHECKPOINT_SECONDS = 2.0
CHECKPOINT_SHARE = 0.05
"""The part of a run's time that checkpoints may take; large societies are written down less often."""
PART_ROWS = 1 << 18
"""Turns that are written as a part at once, checkpoint or not: they need not wait in memory."""


@dataclass(slots=True)
class RunFolder:
    """Where a run is kept while it goes on."""

    path: Path
    scope: Scope = field(default_factory=Scope)
    words: Words = field(default_factory=dict)
    """For the columns `rationale` and `guard`: what their codes are called."""
    domain: Domain | None = None
    """What people and model speak of, where they speak."""
    pages: list[tuple[int, Columns]] = field(default_factory=list)
    society: list[Columns] = field(default_factory=list)
    rows_waiting: int = 0
    shard: str = ""
    """At the end of the names of parts, where several processes write them."""
    last_checkpoint: float = field(default_factory=time.monotonic)
    checkpoint_cost: float = 0.0
    """Seconds that the last checkpoint took."""
    sink: Sink = field(default_factory=Sink)
    _under_way: bool = False
    """Whether a checkpoint waits in the sink."""

    def __enter__(self) -> Self:
        """Take what a run hands over, until it is finished or broke off."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write nothing more: what is not written yet is younger than the last checkpoint."""
        self.sink.stop()

    @classmethod
    def create(cls, path: Path, scenario_text: str, manifest: Mapping[str, Any]) -> RunFolder:
        """Make the folder with its scenario and manifest; raises OutputError where it cannot."""
        refuse_used(path)
        with writing(path):
            (path / TURNS).mkdir(parents=True)
            (path / CHECKPOINTS).mkdir()
            write_text(path / SCENARIO, scenario_text)
        folder = cls(path, Scope.in_manifest(manifest))
        if folder.scope.view == SESSIONS:
            with writing(path):
                (path / SESSIONS).mkdir()
        folder.write_manifest(manifest)
        return folder

    def keep(self, tick: int, turns: Columns, society: Columns) -> None:
        """Take a finished tick from the recorder; it waits for its part. Raises what writing met with."""
        self.sink.check()
        kept = self.scope.kept(turns)
        if kept.length:
            self.pages.append((tick, kept))
        self.society.append(society)
        self.rows_waiting += kept.length
        if self.rows_waiting >= PART_ROWS:
            self._hand_over()

    def flush(self) -> None:
        """Have the waiting turns written, and wait for that."""
        self._hand_over()
        self.sink.drain()

    def forget(self, tick: int) -> None:
        """Clear away this shard's parts that hold turns of this tick or a later one."""
        for view in (self.scope.view, WORDS):
            for part in (self.path / view).glob(f"ticks-*{self.shard}.parquet"):
                if _first_tick(part) >= tick:
                    part.unlink()
        for torn in (self.path / self.scope.view).glob(f".*{self.shard}.parquet.part"):
            torn.unlink()

    @property
    def due(self) -> bool:
        """Return whether it is time for a checkpoint; one at a time."""
        pause = max(CHECKPOINT_SECONDS, self.checkpoint_cost / CHECKPOINT_SHARE)
        return not self._under_way and time.monotonic() - self.last_checkpoint >= pause

    def checkpoint(
        self, tick: int, state: Mapping[str, Array], manifest: Mapping[str, Any], *, stays: bool = False
    ) -> None:
        """Have the waiting turns written, then the state at the start of a tick, then the manifest.

        With `stays` the state is kept when the run is finished, for forks.
        """
        self._hand_over()
        ticks = {f"ticks/{name}": a for name, a in stacked(self.society).items()}
        arrays = {name: np.array(a) for name, a in state.items()} | ticks  # the run goes on changing its own
        told = _json(manifest)
        self._under_way = True
        size = sum(a.nbytes for a in arrays.values())
        self.sink.put(lambda: self._write_checkpoint(tick, arrays, told, stays=stays), size)

    def latest_checkpoint(self) -> tuple[int, dict[str, Array]] | None:
        """Return the last checkpoint's tick and state, and clear away parts that are younger."""
        found = sorted((self.path / CHECKPOINTS).glob("tick-*.npz"))
        tick = int(found[-1].stem.removeprefix("tick-")) if found else 0
        for torn in self.path.rglob(".*.part"):
            torn.unlink()
        self.forget(tick)
        for filler in self.path.glob(
            "*/nothing.parquet"
        ):  # of a run that was stopped before anything happened
            filler.unlink()
        if not found:
            return None
        with np.load(found[-1], allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        rows = {k.removeprefix("ticks/"): state.pop(k) for k in list(state) if k.startswith("ticks/")}
        self.society = [Columns(rows)] if rows else []
        return tick, state

    def close(self, users: Columns, words: Words) -> None:
        """Write what is left: the last turns, the ticks, the people as they are at the end."""
        self._hand_over()
        self.sink.drain()
        self._fill(TURNS, no_turns())
        if self.scope.view == SESSIONS:
            self._fill(SESSIONS, sessions_of(no_turns()))
        if self.scope.kind == "sample":
            users = Columns({**users, "recorded": self.scope.chooses(users["user"])})
        with writing(self.path):
            write_table(self.path / TICKS, stacked(self.society))
            write_table(self.path / USERS, users, words=words)

    def drop_checkpoints(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, whole or not at all."""
        with writing(self.path):
            write_text(self.path / MANIFEST, _json(manifest))

    def _write_checkpoint(
        self, tick: int, arrays: Mapping[str, Array], manifest: str, *, stays: bool
    ) -> None:
        began = time.monotonic()
        target = self.path / CHECKPOINTS / checkpoint_name(tick)
        aside = target.with_name(f".{target.name}.part")
        with writing(self.path):
            with aside.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            commit(aside, target)
            if stays:
                (self.path / STATES).mkdir(exist_ok=True)
                same_file(target, self.path / STATES / target.name)
            for old in (self.path / CHECKPOINTS).glob("tick-*.npz"):
                if old != target:
                    old.unlink()
            write_text(self.path / MANIFEST, manifest)
        self.last_checkpoint = time.monotonic()
        self.checkpoint_cost = self.last_checkpoint - began
        self._under_way = False

    def _fill(self, name: str, nothing: Columns) -> None:
        """See to it that a table has a file to be read from, where nothing was kept of it."""
        if not any((self.path / name).glob("*.parquet")):
            _write_part(self.path / name / "nothing.parquet", [nothing], self.words)

    def _hand_over(self) -> None:
        if not self.pages:
            return
        first, final = self.pages[0][0], self.pages[-1][0]
        path = self.path / self.scope.view / f"ticks-{first:07d}-{final:07d}{self.shard}.parquet"
        pages, words, domain = [turns for _, turns in self.pages], self.words, self.domain
        self.pages, self.rows_waiting = [], 0

        def write() -> None:
            _write_part(path, pages, words)
            if domain is not None:
                with writing(self.path):
                    write_words(self.path / WORDS / path.name, pages, domain)

        self.sink.put(write, sum(page.nbytes for page in pages))


def _write_part(path: Path, pages: list[Columns], words: Words) -> None:
    with writing(path):
        write_part(path, pages, words)


def _first_tick(part: Path) -> int:
    return int(part.stem.split("-")[1])


def _json(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=2, default=str) + "\n"


def checkpoint_name(tick: int) -> str:
    """Return what the checkpoint at the start of a tick is called."""
    return f"tick-{tick:07d}.npz"


def same_file(source: Path, target: Path) -> None:
    """Let a file that never changes be found in a second place: linked, or copied where it cannot be."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def refuse_used(path: Path) -> None:
    """Raise OutputError where something is already there."""
    with writing(path):
        used = path.exists() and (not path.is_dir() or any(path.iterdir()))
    if used:
        problem = f"{str(path)!r} already holds something."
        raise OutputError(problem, "Give --out a new or empty folder; runs are never overwritten.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an OutputError that says where and why."""
    try:
        yield
    except OSError as error:
        problem = f"{str(error.filename or path)!r} could not be written: {error.strerror or error}."
        remedy = "Choose a folder that can be written, or free some space; an interrupted run can be resumed."
        raise OutputError(problem, remedy) from error


def run_name(scenario: Scenario) -> str:
    """Return a name for the folder of a run that was given none."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{scenario.name}-{stamp}-{secrets.token_hex(2)}"
