"""The seam to the model: how it is asked, what its answers are worth, what they cost.

Code that Rehearse does not vouch for is called with tiles of one fixed size, padded by repeating
the first row, so that its arithmetic does not depend on how many people are still there. When a
call fails as a whole, its rows are asked again by halves until the bad ones stand alone; they get a
fault and an empty slate, the others their answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from rehearse.chance import Chance, key_of
from rehearse.columns import Array, Rows, everywhere
from rehearse.contract import NOTHING, Codes, Decisions, Fault, Feedback, Policy, Requests, Stage, nothing_of
from rehearse.errors import NotCompletedError
from rehearse.policies.answers import read
from rehearse.policies.complaints import AnswerError, Complaints, told
from rehearse.policies.limits import within
from rehearse.policies.sandbox import Walls, Within, current

FOREIGN_TILE = 256
OWN_TILE = 32768
"""Built-in policies give the same answers whatever the tile, so theirs is as large as a block."""
WEIGHED_CALLS = 32
CALLS_PER_TILE = 64
"""Enough to find three bad rows in a tile of 256; a model that always fails costs no more than that."""


@dataclass(slots=True)
class Account:
    """What asking the model has cost so far."""

    calls: int = 0
    rows: int = 0
    """Requests of people; the rows that only pad a tile are not counted."""
    cpu_s: float = 0.0
    """CPU seconds of the calling thread."""
    wall_s: float = 0.0
    peak_growth_bytes: int = 0
    """How far calls pushed up the peak memory of the process."""
    faults: dict[str, int] = field(default_factory=dict)
    """Rows without a usable answer, by the word of their fault."""

    @property
    def ms_per_row(self) -> float:
        """Return the mean wall-clock milliseconds per answer."""
        return 1000.0 * self.wall_s / max(self.rows, 1)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for the manifest."""
        return asdict(self) | {"ms_per_row": self.ms_per_row}


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether a model's answer to a row depends on how it is asked: rows whose answers moved, by cause."""

    rows: int
    repeated: int
    """The very same batch, asked again."""
    reordered: int
    """The same rows in reverse order."""
    company: int
    """Half of the rows, with copies of the first in place of the others."""

    @property
    def sensitive(self) -> bool:
        """Tell whether anything moved."""
        return bool(self.repeated or self.reordered or self.company)


class Asked:
    """A policy that asks another one: in tiles, checked, accounted and within a limit of time.

    `tile` None takes the default: 256 for foreign models, 32,768 for built-in ones; 0 asks for all who
    ask at a time, not padded: quicker, for a model whose answers do not depend on the batch. Raises
    PolicyHungError when a call takes longer than `wall_limit_s`, NotCompletedError when a foreign
    model fails to learn; other failures of a foreign model become faults of rows.
    """

    def __init__(
        self, policy: Policy, stage: Stage, tile: int | None = None, wall_limit_s: float = 60.0
    ) -> None:
        self.policy = policy
        self.stage = stage
        self.name, self.version = policy.name, policy.version
        self.foreign = is_foreign(policy)
        default = getattr(policy, "tile", FOREIGN_TILE if self.foreign else OWN_TILE)
        self.tile = tile if tile is not None else default
        self._rows = self.tile or OWN_TILE
        self.wall_limit_s = wall_limit_s
        self.account = Account()
        self.walls: Walls | None = current()
        """What the sandbox lets a foreign model do, and what it tried; None outside of a scenario."""
        self.complaints: Complaints = getattr(policy, "complaints", Complaints(policy.name))
        pads = getattr(policy, "one_by_one", False) or getattr(policy, "pads", False)
        self._padded = self.tile > 0 and not pads
        self._by_replica = bool(getattr(policy, "by_replica", False))
        self._reads = bool(getattr(policy, "reads", False))
        self._rationales = len(getattr(policy, "rationales", ()))
        self._slate = stage.slate
        self._what = f"the decision model {policy.name!r}"
        self._elsewhere = 0.0
        limit_to: Callable[[float], None] | None = getattr(policy, "limit_to", None)
        self._limits_itself = limit_to is not None
        if limit_to is not None:
            limit_to(wall_limit_s)

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request; a row without a usable answer has a fault and an empty slate."""
        if not len(requests):
            return Decisions.of(np.zeros((0, 1), dtype=np.int32))
        answers = [self._answer(requests, rows) for rows in self._tiles(requests)]
        decisions = Decisions.join(answers).first(self._slate)
        self.account.rows += len(requests)
        if decisions.fault.any():
            self._count(decisions.fault)
        return decisions

    def _count(self, fault: Codes) -> None:
        for code, rows in enumerate(np.bincount(fault)[1:].tolist(), start=1):
            if rows:
                word = Fault(code).word
                self.account.faults[word] = self.account.faults.get(word, 0) + rows

    def learn(self, feedback: Feedback) -> None:
        """Let the policy learn, if it does."""
        learn: Callable[[Feedback], None] | None = getattr(self.policy, "learn", None)
        if learn is None:
            return
        if not self.foreign:
            learn(feedback)
            return
        try:
            with self._in_time(), self._held():
                learn(feedback)
        except NotCompletedError:
            raise
        except (Exception, SystemExit) as error:
            problem = f"{self._what} failed to learn from tick {feedback.tick}: it {told(error)}."
            raise NotCompletedError(problem, "Mend its learn method, and run again.") from error

    def state(self) -> dict[str, Array]:
        """Return what the policy remembers, as arrays; nothing if it remembers nothing."""
        state: Callable[[], dict[str, Array]] | None = getattr(self.policy, "state", None)
        with self._held():
            return {} if state is None else state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Give the policy back what it remembered."""
        restore: Callable[[Mapping[str, Array]], None] | None = getattr(self.policy, "restore", None)
        if restore is not None:
            with self._held():
                restore(state)

    def probe(self, requests: Requests) -> Probe:
        """Ask up to a tile of requests in other orders and company, and count the answers that move.

        The calls are not accounted for. A model that keeps state may answer differently afterwards.
        """
        rows = next(self._tiles(requests))
        half = rows[: max(len(rows) // 2, 1)]
        kept, self.account = self.account, Account()
        try:
            base = self._answer(requests, rows)
            return Probe(
                rows=len(rows),
                repeated=_moved(base, self._answer(requests, rows)),
                reordered=_moved(base, self._answer(requests, rows[::-1]).take(np.arange(len(rows))[::-1])),
                company=_moved(base.take(np.arange(len(half))), self._answer(requests, half)),
            )
        finally:
            self.account = kept

    def _in_time(self) -> AbstractContextManager[None]:
        return nullcontext() if self._limits_itself else within(self.wall_limit_s, self._what)

    def _held(self) -> Within:
        return Within(self.walls if self.foreign else None)

    @property
    def _tries(self) -> int:
        return 0 if self.walls is None else self.walls.count

    def _tiles(self, requests: Requests) -> Iterator[Rows]:
        count = len(requests)
        starts = [0]
        if self._by_replica:
            starts += (np.flatnonzero(np.diff(requests.replica)) + 1).tolist()
        for start, stop in zip(starts, [*starts[1:], count], strict=True):
            for begin in range(start, stop, self._rows):
                yield np.arange(begin, min(begin + self._rows, stop), dtype=np.int64)

    def _answer(self, requests: Requests, rows: Rows) -> Decisions:
        if self.foreign:
            return self._isolate(requests, rows, _Budget(CALLS_PER_TILE))
        asked = requests if len(rows) == len(requests) else requests.take(rows)
        answer, ms = self._timed(asked)
        # Our own policies leave the first place empty only where a person can have nothing at all.
        found_out = self._reads or not (answer.slate[:, 0] < 0).any()
        decisions = answer if found_out else read(answer, asked, self.complaints)
        return replace(decisions, measured=everywhere(ms, len(decisions), np.float32))

    def _isolate(self, requests: Requests, rows: Rows, budget: _Budget) -> Decisions:
        if budget.left:
            budget.left -= 1
            try:
                return self._call(requests, rows)
            except AnswerError as error:
                budget.error = error
                self.complaints.note(error.fault, error.sentence)
        if len(rows) > 1 and budget.left and not budget.error.final:
            halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
            return Decisions.join([self._isolate(requests, half, budget) for half in halves])
        return self._nothing(len(rows), budget.error.fault)

    def _nothing(self, n: int, fault: Fault) -> Decisions:
        told: Mapping[str, Any] = getattr(self.policy, "columns", {})
        blank = {name: everywhere(nothing_of(kind), n, kind) for name, kind in told.items()}
        return replace(Decisions.of(np.full(n, NOTHING), fault=fault), detail=blank)

    def _call(self, requests: Requests, rows: Rows) -> Decisions:
        padding = self.tile - len(rows) if self._padded else 0
        whole = not padding and len(rows) == len(requests) and rows[0] == 0 and (np.diff(rows) == 1).all()
        padded = rows if not padding else np.concatenate([rows, np.full(padding, rows[0])])
        asked = private(requests if whole else requests.take(padded))
        before = self._tries
        try:
            answer, ms = self._timed(asked)
        except (AnswerError, NotCompletedError):
            raise
        except (Exception, SystemExit) as error:
            fault = Fault.RAISED if self._tries == before else Fault.FORBIDDEN
            raise AnswerError(fault, told(error)) from error
        decisions = answer if self._reads else read(answer, asked, self.complaints)
        decisions = decisions.take(np.arange(len(rows))) if padding else decisions
        if (decisions.rationale >= self._rationales).any():
            known = decisions.rationale < self._rationales
            decisions = replace(decisions, rationale=np.where(known, decisions.rationale, np.int8(NOTHING)))
        return replace(decisions, measured=everywhere(ms, len(decisions), np.float32))

    def _timed(self, asked: Requests) -> tuple[Decisions, float]:
        account = self.account
        # Asking for the peak takes as long as a small model: once in a while is enough after the first calls.
        weighed = account.calls < WEIGHED_CALLS or account.calls % WEIGHED_CALLS == 0
        peak = _peak_bytes() if weighed else 0
        cpu, wall = time.thread_time(), time.perf_counter()
        try:
            if self.foreign:
                with self._in_time(), self._held():
                    answer = self.policy.decide(asked)
            else:
                answer = self.policy.decide(asked)
        finally:
            passed = time.perf_counter() - wall
            elsewhere = getattr(self.policy, "cpu_s", 0.0)
            account.cpu_s += time.thread_time() - cpu + elsewhere - self._elsewhere
            self._elsewhere = elsewhere
            account.wall_s += passed
            account.calls += 1
            account.peak_growth_bytes += _peak_bytes() - peak if weighed else 0
        return answer, 1000.0 * passed


@dataclass(slots=True)
class _Budget:
    """How many calls may still be spent on a tile, and what went wrong last."""

    left: int
    error: AnswerError = field(default_factory=lambda: AnswerError(Fault.RAISED, ""))


def is_foreign(policy: object) -> bool:
    """Tell whether a policy is code that Rehearse does not vouch for."""
    ours = type(policy).__module__.startswith("rehearse.policies.")
    return bool(getattr(policy, "foreign", not ours))


def private(requests: Requests) -> Requests:
    """Return requests without what a model in service would not see; its luck is its own."""
    chance = None
    if requests.chance is not None:
        high, low = key_of(requests.chance.seed, "the model's own")
        chance = Chance(high << 32 | low)
    nobodys: Codes = everywhere(NOTHING, len(requests), np.int8)
    # Tools remember what they were called for: each model has its own.
    talk = None if requests.talk is None else replace(requests.talk, desks={})
    return replace(requests, group=nobodys, noised=None, truth=None, chance=chance, talk=talk)


def _moved(one: Decisions, other: Decisions) -> int:
    width = max(one.slate.shape[1], other.slate.shape[1])
    wide = Decisions.of(np.full((1, width), NOTHING))
    slates = Decisions.join([wide, one]).slate[1:] != Decisions.join([wide, other]).slate[1:]
    moved = slates.any(axis=1)
    for name in ("score", "propensity", "fault"):
        first, second = getattr(one, name), getattr(other, name)
        moved |= (first != second) & ~(np.isnan(first) & np.isnan(second))
    return int(moved.sum())


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows keeps no such count
        return 0
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
