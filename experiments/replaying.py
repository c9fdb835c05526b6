"""Replay: a record proves itself by being made again, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.experiments.build import Assembly
from rehearse.experiments.rebuilding import domain_of, legs_of, words_of
from rehearse.experiments.shards import ONE_PROCESS, Spread, assembled
from rehearse.record.parts import readable
from rehearse.record.reading import RunRecord
from rehearse.record.recorder import is_digested
from rehearse.record.words import WORDS, told

KEYS = ("replica", "user", "turn")
Words = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first turn at which a replay and its record differ."""

    replica: int
    tick: int
    user: int
    turn: int
    column: str
    recorded: object
    replayed: object

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = f"tick {self.tick}, replica {self.replica}, user {self.user}, turn {self.turn}"
        return f"{where}: {self.column} was {self.recorded} in the record and is {self.replayed} now"


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay showed."""

    same: bool
    digest: str
    recorded_digest: str
    user_turns: int
    difference: Difference | None = None

    @property
    def detail(self) -> str:
        """Return the finding as a sentence."""
        if self.same:
            return f"The replay of {self.user_turns:,} user-turns gave the same digest {self.digest}."
        if self.difference is not None:
            return f"The replay differs from the record, first at {self.difference}."
        return f"The replay gave digest {self.digest}, the record says {self.recorded_digest}."


@dataclass(slots=True)
class Comparer:
    """Holds each replayed tick against the stored one and remembers the first difference."""

    record: RunRecord
    assembly: Assembly
    found: Difference | None = field(default=None)

    def keep(self, tick: int, turns: Columns, _society: Columns) -> None:
        """Compare a tick."""
        if self.found is not None:
            return
        scope = self.record.scope
        kept = scope.kept(turns)
        if scope.kind == "none":
            return
        sql = f"SELECT * FROM {scope.view} WHERE tick = {tick} ORDER BY {', '.join(KEYS)}"
        stored = self.record.query(sql)
        (table,), words = readable([kept], words_of(self.assembly))
        self.found = _first_difference(tick, stored, _in_words(table, words)) or self._spoken(tick, kept)

    def _spoken(self, tick: int, turns: Columns) -> Difference | None:
        """Compare what passed in words, where anything did."""
        domain = domain_of(self.assembly)
        now = {} if domain is None else told(turns, domain)
        if not now:
            return None
        sql = f"SELECT * FROM {WORDS} WHERE tick = {tick} ORDER BY {', '.join(KEYS)}"
        return _first_difference(tick, self.record.query(sql), now)


def replay(folder: Path, *, policy: object | None = None, spread: Spread = ONE_PROCESS) -> Replay:
    """Run a recorded run again, in memory, and say whether every turn and the digest are the same.

    `spread` deals the run to shards. Raises UserError where an input is gone or has changed, or the
    record cannot be read.
    """
    record = RunRecord(folder)
    with assembled(legs_of(record, policy), spread) as assembly:
        return _held_against(record, assembly)


def _held_against(record: RunRecord, assembly: Assembly) -> Replay:
    from rehearse.agents.model import Rehearsal  # Mesa takes seconds to load: mistakes are told before

    comparer = Comparer(record, assembly)
    recorder = assembly.new_recorder()
    recorder.keep = comparer.keep
    assembly.simulation.watchers.append(recorder)
    model = Rehearsal(assembly.simulation)
    for _ in range(int(record.manifest["tick"])):  # fewer than the scenario's, where bounds stopped it
        model.step()
        if comparer.found is not None:
            break
    recorded = str(record.manifest["digest"])
    same = comparer.found is None and recorder.digest == recorded
    return Replay(same, recorder.digest, recorded, recorder.user_turns, comparer.found)


def _in_words(table: Columns, words: Words) -> dict[str, Array]:
    plain: dict[str, Array] = dict(table)
    for name, vocabulary in words.items():
        plain[name] = np.array(vocabulary)[plain[name]]
    return plain


def _first_difference(tick: int, stored: Columns, replayed: dict[str, Array]) -> Difference | None:
    length = len(replayed["turn"]) if replayed else 0
    if stored.length != length:
        return Difference(-1, tick, -1, -1, "the number of turns", stored.length, length)
    places: list[tuple[int, str]] = []
    for name, now in replayed.items():
        if not is_digested(name):
            continue
        if name not in stored:
            return Difference(-1, tick, -1, -1, f"column {name!r}", "missing", "there")
        at = np.flatnonzero(_unequal(stored[name], now))
        if at.size:
            places.append((int(at[0]), name))
    if not places:
        return None
    row, name = min(places)
    keys: dict[str, Any] = {key: int(replayed[key][row]) for key in KEYS}
    was, now = stored[name][row], replayed[name][row]
    return Difference(tick=tick, column=name, recorded=was, replayed=now, **keys)


def _unequal(was: Array, now: Array) -> Array:
    if now.dtype.kind == "f":
        was = was.astype(now.dtype)
        return np.asarray((was != now) & ~(np.isnan(was) & np.isnan(now)))
    return np.asarray(was != now)
