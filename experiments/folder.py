"""The run folder while it is written: parts, checkpoints, and nothing that looks finished too early.

Turns wait in memory until there are enough for a part or a checkpoint is due. Then the part file is
written, then the checkpoint, each aside and renamed. A run that is killed goes on from its last
checkpoint; parts that are younger than it are written again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.contract import End, Fault, Intent
from rehearse.errors import OutputError
from rehearse.record.reading import MANIFEST, SCENARIO, TICKS, TURNS, USERS
from rehearse.record.recorder import no_turns
from rehearse.tables import commit, write_table, write_text

CHECKPOINTS = "checkpoint"
STATES = "states"
"""Checkpoints that stay, for forks."""
CHECKPOINT_SECONDS = 2.0
CHECKPOINT_SHARE = 0.05
"""The part of a run's time that checkpoints may take; large societies are written down less often."""
PART_ROWS = 1 << 18
"""Turns that are written as a part at once, checkpoint or not: they need not wait in memory."""
NOT_FILLED = {"score": np.nan, "propensity": np.nan, "measured_ms": np.nan, "rationale": -1, "guard": -1}
"""Columns that are left out of a part where they hold nothing but this."""


@dataclass(slots=True)
class RunFolder:
    """Where a run is kept while it goes on."""

    path: Path
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For the columns `rationale` and `guard`: what their codes are called."""
    pages: list[tuple[int, Columns]] = field(default_factory=list)
    society: list[Columns] = field(default_factory=list)
    rows_waiting: int = 0
    parts: int = 0
    last_checkpoint: float = field(default_factory=time.monotonic)
    checkpoint_cost: float = 0.0
    """Seconds that the last checkpoint took."""

    @classmethod
    def create(cls, path: Path, scenario_text: str, manifest: Mapping[str, Any]) -> RunFolder:
        """Make the folder with its scenario and manifest; raises OutputError where it cannot."""
        refuse_used(path)
        with writing(path):
            (path / TURNS).mkdir(parents=True)
            (path / CHECKPOINTS).mkdir()
            write_text(path / SCENARIO, scenario_text)
        folder = cls(path)
        folder.write_manifest(manifest)
        return folder

    def keep(self, tick: int, turns: Columns, society: Columns) -> None:
        """Take a finished tick from the recorder; it waits for the next checkpoint."""
        self.pages.append((tick, turns))
        self.society.append(society)
        self.rows_waiting += turns.length
        if self.rows_waiting >= PART_ROWS:
            with writing(self.path):
                self._write_part()

    @property
    def due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        pause = max(CHECKPOINT_SECONDS, self.checkpoint_cost / CHECKPOINT_SHARE)
        return time.monotonic() - self.last_checkpoint >= pause

    def checkpoint(self, tick: int, state: Mapping[str, Array]) -> None:
        """Write the waiting turns, then the state at the start of a tick; drop older checkpoints."""
        began = time.monotonic()
        with writing(self.path):
            self._write_part()
            target = self.path / CHECKPOINTS / checkpoint_name(tick)
            aside = target.with_name(f".{target.name}.part")
            society = _stacked(self.society)
            ticks = {f"ticks/{name}": a for name, a in society.items()}
            arrays = {name: np.asarray(a) for name, a in {**state, **ticks}.items()}
            with aside.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            commit(aside, target)
            for old in (self.path / CHECKPOINTS).glob("tick-*.npz"):
                if old != target:
                    old.unlink()
        self.last_checkpoint = time.monotonic()
        self.checkpoint_cost = self.last_checkpoint - began

    def latest_checkpoint(self) -> tuple[int, dict[str, Array]] | None:
        """Return the last checkpoint's tick and state, and clear away parts that are younger."""
        found = sorted((self.path / CHECKPOINTS).glob("tick-*.npz"))
        tick = int(found[-1].stem.removeprefix("tick-")) if found else 0
        for torn in self.path.rglob(".*.part"):
            torn.unlink()
        for part in (self.path / TURNS).glob("*.parquet"):
            if int(part.stem.split("-")[1]) >= tick:
                part.unlink()
        if not found:
            return None
        with np.load(found[-1], allow_pickle=False) as file:
            state = {name: file[name] for name in file.files}
        rows = {k.removeprefix("ticks/"): state.pop(k) for k in list(state) if k.startswith("ticks/")}
        self.society = [Columns(rows)] if rows else []
        self.parts = len(list((self.path / TURNS).glob("*.parquet")))
        return tick, state

    def close(self, users: Columns, words: Mapping[str, tuple[str, ...]]) -> None:
        """Write what is left: the last turns, the ticks, the people as they are at the end."""
        with writing(self.path):
            self._write_part(last=True)
            write_table(self.path / TICKS, _stacked(self.society))
            write_table(self.path / USERS, users, words=words)

    def drop_checkpoints(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, whole or not at all."""
        with writing(self.path):
            write_text(self.path / MANIFEST, json.dumps(manifest, indent=2, default=str) + "\n")

    def _write_part(self, *, last: bool = False) -> None:
        if not self.rows_waiting and not (last and self.parts == 0):
            return
        held = [(tick, turns) for tick, turns in self.pages if turns.length] or [(0, no_turns())]
        first, final = held[0][0], held[-1][0]
        table, words = readable(_stacked([turns for _, turns in held]), self.words)
        write_table(self.path / TURNS / f"ticks-{first:07d}-{final:07d}.parquet", table, words=words)
        self.parts += 1
        self.pages, self.rows_waiting = [], 0


def readable(
    turns: Columns, words: Mapping[str, tuple[str, ...]]
) -> tuple[Columns, dict[str, tuple[str, ...]]]:
    """Return turns without the columns that hold nothing, and the words of its codes."""
    kept = {name: a for name, a in turns.items() if not _empty(name, a)}
    named = {"intent": Intent.words(), "fault": Fault.words(), "end": End.words()}
    for name in ("rationale", "guard"):
        if name in kept:  # -1 is "none": one place further, it is the empty word
            kept[name] = kept[name].astype(np.int16) + 1
            named[name] = ("", *words.get(name, ()))
    return Columns(kept, length=turns.length), {k: v for k, v in named.items() if k in kept}


def keep_state(folder: Path, tick: int) -> None:
    """Let the checkpoint that was just written at a tick stay when the run is finished."""
    name = checkpoint_name(tick)
    with writing(folder):
        (folder / STATES).mkdir(exist_ok=True)
        same_file(folder / CHECKPOINTS / name, folder / STATES / name)


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


def _stacked(tables: list[Columns]) -> Columns:
    filled = [t for t in tables if len(t)]
    if len(filled) < 2:
        return filled[0] if filled else Columns(length=0)
    names = dict.fromkeys(name for table in filled for name in table)
    return Columns({name: np.concatenate([_column(t, name, filled) for t in filled]) for name in names})


def _column(table: Columns, name: str, tables: list[Columns]) -> Array:
    if name in table:
        return table[name]
    kind = next(t[name].dtype for t in tables if name in t)
    return np.full(table.length, np.nan if kind.kind == "f" else -1, dtype=kind)


def _empty(name: str, values: Array) -> bool:
    if name not in NOT_FILLED or not len(values):
        return False
    neutral = NOT_FILLED[name]
    return bool(np.isnan(values).all() if np.isnan(neutral) else (values == neutral).all())
