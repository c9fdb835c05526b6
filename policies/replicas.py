"""Other people's objects as policies; one that learns gets a copy for each society.

Societies must stay independent: a learner that they shared would make them one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.columns import Array, Rows, everywhere
from rehearse.contract import Decisions, Feedback, Publishes, Requests, Stage
from rehearse.errors import ContractError, PolicyLoadError, UserError
from rehearse.policies.complaints import Complaints
from rehearse.policies.function import FunctionPolicy, PersonPolicy, adapt

LAST_VERSION = 32767
LEARNED = "learned"


class ObjectPolicy:
    """An object with `decide`, one for all societies."""

    foreign = True
    reads = True

    def __init__(self, thing: Any, name: str, version: str) -> None:
        self._thing, self._inner = thing, _asked(thing, name, version)
        self.name, self.version = self._inner.name, self._inner.version
        self.complaints = self._inner.complaints
        self.one_by_one = isinstance(self._inner, PersonPolicy)
        self.rationales: tuple[str, ...] = tuple(getattr(thing, "rationales", ()))
        self.coupled = bool(getattr(thing, "coupled", False))
        if callable(getattr(thing, "probabilities", None)):
            self.probabilities = thing.probabilities

    def decide(self, requests: Requests) -> Decisions:
        """Let the object answer."""
        return self._inner.decide(requests)

    def published(self) -> Mapping[str, Array]:
        """Return what the object publishes; nothing if it tells nothing."""
        return self._thing.published() if isinstance(self._thing, Publishes) else {}


class LearningPolicy:
    """An object with `decide` and `learn`, one for each society; asked about one society at a time.

    Versions are counted for an object that does not count them. It resumes if it has `state` and
    `restore`.
    """

    foreign = True
    by_replica = True

    def __init__(self, make: Callable[[], Any], stage: Stage, name: str, version: str) -> None:
        self._things: dict[int, Any] = {int(r): make() for r in stage.replicas}
        first = next(iter(self._things.values()))
        self._inner = {r: _asked(thing, name, version) for r, thing in self._things.items()}
        some = next(iter(self._inner.values()))
        self.name, self.version = some.name, some.version
        self.complaints = Complaints(self.name)
        for inner in self._inner.values():
            inner.complaints = self.complaints
        self.one_by_one = isinstance(some, PersonPolicy)
        self.rationales: tuple[str, ...] = tuple(getattr(first, "rationales", ()))
        self.coupled = bool(getattr(first, "coupled", False))
        self.resumable = hasattr(first, "state") and hasattr(first, "restore")
        self._learned = 0

    def decide(self, requests: Requests) -> Decisions:
        """Let the society's own copy answer; all rows must be of one society."""
        decisions = self._inner[int(requests.replica[0])].decide(requests)
        if decisions.version.any():
            return decisions
        return replace(decisions, version=everywhere(self._learned, len(decisions), np.int16))

    def learn(self, feedback: Feedback) -> None:
        """Tell each copy what happened in its society."""
        order = np.argsort(feedback.replica, kind="stable")
        replica = feedback.replica[order]
        starts, stops = (
            np.searchsorted(replica, list(self._things), side=side) for side in ("left", "right")
        )
        for thing, start, stop in zip(self._things.values(), starts, stops, strict=True):
            thing.learn(_part(feedback, order[start:stop]))
        self._learned = min(self._learned + 1, LAST_VERSION)

    def published(self) -> Mapping[str, Array]:
        """Return what the copies publish, a row a society; each tells of one society."""
        told = [thing.published() for thing in self._things.values() if isinstance(thing, Publishes)]
        names = told[0] if told else {}
        return {name: np.stack([np.asarray(each[name], dtype=np.float64) for each in told]) for name in names}

    def state(self) -> dict[str, Array]:
        """Return the arrays of every copy, and how often they learned; ContractError for other things."""
        kept: dict[str, Array] = {LEARNED: np.array([self._learned])}
        if self.resumable:
            for replica, thing in self._things.items():
                kept |= {f"{replica}/{name}": np.asarray(a) for name, a in thing.state().items()}
        loose = [name for name, array in kept.items() if array.dtype.kind == "O"]
        if loose:
            problem = (
                f"the state of the policy {self.name!r} holds {loose[0]!r}, which is no array of numbers."
            )
            raise ContractError(problem, "Give its state as arrays of numbers or text.")
        return kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave; UserError for an object that keeps its memory to itself."""
        self._learned = int(np.asarray(state[LEARNED], dtype=np.int64)[0])
        if not self.resumable:
            if self._learned:
                problem = f"the policy {self.name!r} learns, but has no `state` and `restore` to resume from."
                raise UserError(problem, "Run again from the start, or give it both.")
            return
        kept: dict[str, dict[str, Array]] = {str(replica): {} for replica in self._things}
        for name, array in state.items():
            society, slash, own = name.partition("/")
            if slash and society in kept:
                kept[society][own] = array
        for replica, thing in self._things.items():
            thing.restore(kept[str(replica)])


def _asked(thing: Any, name: str, version: str) -> FunctionPolicy | PersonPolicy:
    if not callable(thing.decide):
        problem = f"{name}: its `decide` is a {type(thing.decide).__name__}, not a method."
        raise PolicyLoadError(problem, "Write `def decide(self, requests)`.")
    return adapt(thing.decide, {}, name, version)


def _part(feedback: Feedback, mine: Rows) -> Feedback:
    """Return the turns at some positions, without what only policies of Rehearse may know."""
    return replace(feedback.take(mine), harm=None, detail={})
