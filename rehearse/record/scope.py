"""How much of a run is kept: every turn, those of some people, a row a session, or none.

What is kept changes nothing else: the recorder digests every turn before, so that the digest is the
same and a replay proves it. People are chosen by their number and the seed alone, the same ones in
every replica and every run; whoever is chosen is kept whole, from the first tick to the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import NOTHING, End, Fault
from rehearse.errors import UserError
from rehearse.record.recorder import KINDS, no_turns

Kind = Literal["all", "sample", "sessions", "none"]
SUMMED = ("reward", "regret", "cost", "harm", "latency")
"""Of these a session row holds the sum over the turns in which they are known, and how many those are."""
DRAWN = 1 << 16
"""People chosen among at a time."""
LAST = ("end", "satisfaction", "patience", "progress")
FIRST = ("satisfaction_before", "patience_before", "progress_before")


@dataclass(slots=True)
class Scope:
    """What is kept of a run; `str(scope)` is how it is asked for."""

    kind: Kind = "all"
    share: float = 1.0
    """Of the people; below 1 only where `kind` is `sample`."""
    seed: int = 0
    _chosen: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    @classmethod
    def of(cls, asked: str, seed: int) -> Self:
        """Read `all`, `sessions`, `none` or `sample:SHARE`; raises UserError for anything else."""
        if asked in {"all", "sessions", "none"}:
            return cls(asked, seed=seed)  # type: ignore[arg-type]
        head, _, number = asked.partition(":")
        share = _number(number) if head == "sample" else 0.0
        if not 0.0 < share <= 1.0:
            problem = f"--record {asked}: this says not what to keep of the turns."
            raise UserError(problem, "Write all, sessions, none, or a share of the people: sample:0.01.")
        return cls("sample", share, seed)

    @classmethod
    def in_manifest(cls, manifest: Any) -> Self:
        """Return what a recorded run kept."""
        return cls.of(manifest.get("record", "all"), manifest.get("seed", 0))

    def __str__(self) -> str:
        """Return how this is asked for."""
        return f"sample:{self.share:g}" if self.kind == "sample" else self.kind

    @property
    def view(self) -> Literal["turns", "sessions"]:
        """Return the name of the table that what is kept goes to."""
        return "sessions" if self.kind == "sessions" else "turns"

    @property
    def has_turns(self) -> bool:
        """Return whether turns are kept, of everybody or of some."""
        return self.kind in {"all", "sample"}

    def keeps_turns_of(self, user: int) -> bool:
        """Return whether a person's turns are kept."""
        return self.has_turns and bool(self.chooses(np.array([user]))[0])

    def chooses(self, users: ArrayLike) -> NDArray[np.bool_]:
        """Return of which people, by number, something is kept."""
        users = np.asarray(users, dtype=np.int64)
        if self.kind != "sample":
            return np.full(users.shape, self.kind != "none")
        self._choose(int(users.max(initial=-1)) + 1)
        return self._chosen.take(users)

    def kept(self, turns: Columns) -> Columns:
        """Return what is kept of a tick's turns, which stand in the order of the record."""
        if self.kind == "none":
            return Columns(length=0)
        if self.kind == "sample" and turns.length:
            return turns.take(np.flatnonzero(self.chooses(turns["user"])))
        return sessions_of(turns) if self.kind == "sessions" else turns

    def _choose(self, people: int) -> None:
        chance = Chance(self.seed)
        while len(self._chosen) < people:
            users = np.arange(len(self._chosen), len(self._chosen) + DRAWN)
            chosen = chance.uniform("recorded", 0, users)[:, 0] < self.share
            self._chosen = np.concatenate([self._chosen, chosen])


def sessions_of(turns: Columns) -> Columns:
    """Return one row a session, from turns in the order of the record.

    `turn` is the number of the last one. `answers`, `accepted`, `judged`, `right`, `calls` (that neither
    scenario nor infrastructure made fail), `failed` (of those) and `faults` are counts of turns;
    `NAME_sum` and `NAME_turns` are of the turns in which NAME is known.
    """
    turns = _filled(turns) if turns.length else no_turns()
    first = np.flatnonzero(turns["turn"] == 0)
    last = np.append(first[1:], turns.length).astype(np.int64) - 1 if len(first) else first
    which = np.repeat(np.arange(len(first)), last + 1 - first)

    def count(where: Array) -> Array:
        return np.bincount(which[np.asarray(where)], minlength=len(first)).astype(np.int16)

    rows = {name: turns[name][first] for name in ("replica", "tick", "user", "session")}
    rows |= {"turn": turns["turn"][last]}
    rows |= {name: turns[name][at] for at, names in ((first, FIRST), (last, LAST)) for name in names}
    for name, where in _events(turns).items():
        rows[name] = count(where)
    for name in SUMMED:
        if name in turns:
            known = np.isfinite(turns.numbers(name))
            # bincount adds one after the other: the same sum on every machine.
            rows[f"{name}_sum"] = np.bincount(which[known], turns.numbers(name)[known], len(first))
            rows[f"{name}_turns"] = count(known)
    return Columns(rows, length=len(first))


def _filled(turns: Columns) -> Columns:
    """Return turns with all columns that sessions are read from; one that is not recorded holds nothing."""
    missing = {n: np.dtype(kind) for kind, names in KINDS.items() for n in names if n not in turns}
    nothing = {"f": np.nan, "i": NOTHING}
    held = {n: np.full(turns.length, nothing[kind.kind], kind) for n, kind in missing.items()}
    codes: dict[str, Array] = {
        n: np.zeros(turns.length, np.int8) for n in ("end", "fault", "intent") if n in missing
    }
    return Columns({**turns, **held, **codes}) if missing else turns


def _events(turns: Columns) -> dict[str, Array]:
    calls = (turns["end"] != End.INFRA_ERROR) & ~np.isin(turns["fault"], Fault.elsewhere())
    faults = turns["fault"] != Fault.NONE
    answered = np.asarray(turns["action"], np.int64) >= 0
    return {
        "answers": answered,
        "accepted": answered & (np.asarray(turns["choice"], np.int64) >= 0),
        "judged": turns["right"] != NOTHING,
        "right": turns["right"] == 1,
        "calls": calls,
        "failed": calls & faults,
        "faults": faults,
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
