"""Cache: an answer given to the same question in an earlier tick is given again, for some ticks.

A question is what the model may see of the situation, rounded; each society has answers of its own. Of
several who asked the same in a tick the first (by user and turn) is remembered. An answer that people got
otherwise than it was given here, or not at all, for something round the cache changed it, is not remembered.
An answer with an item that a person cannot have is no answer for them, and the model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.columns import Array
from rehearse.contract import NOTHING, Codes, Decisions, Feedback, Flags, Ints, Requests, Singles, Stage
from rehearse.errors import UserError
from rehearse.policies.composed import MODEL, Composed, Composition, Load, noted, put_together
from rehearse.policies.cuts import feature_number
from rehearse.scenario.base import NotNegative

CACHED, ACTION = "cached", "cache_action"
Keys = NDArray[np.uint64]


class Cache(Composition):
    """A model, and how long its answers are kept."""

    registered = "cache-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    ticks: Annotated[int, Field(ge=1)] = 7
    """For so many ticks after the one in which it was given an answer is given again."""
    features: tuple[str, ...] | None = None
    """What makes a question; None: all that the model may see."""
    digits: Annotated[int, Field(ge=-6, le=6)] = 3
    """Features are the same if they are equal to so many places after the point."""
    latency_ms: NotNegative = 1.0
    """Simulated milliseconds until an answer that was kept."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:  # noqa: ARG002 - it draws nothing
        """Return the policy."""
        return CachePolicy(self, load(self.policy, "policy"), stage)


class Known(NamedTuple):
    """The answers that a society has, in the order of their keys."""

    key: Keys
    slate: Ints
    model: Codes
    until: NDArray[np.int32]
    """The first tick at which an answer is too old."""


class CachePolicy(Composed):
    """Columns `cached` (1, 0) and `cache_action` (its item); whose answer it was is who acts."""

    def __init__(self, given: Cache, policy: Any, stage: Stage) -> None:
        super().__init__(
            given.registered, {"policy": policy}, stage, {CACHED: np.int8, ACTION: np.int32}, learns=True
        )
        self._given, names = given, stage.features if given.features is None else given.features
        self._places = [feature_number(name, stage, f"{given.registered}, features") for name in names]
        none = np.zeros(0, dtype=np.int32)
        nothing = Known(
            none.astype(np.uint64), np.zeros((0, stage.slate), np.int32), none.astype(np.int8), none
        )
        self._known = [nothing for _ in self.replicas]

    def decide(self, requests: Requests) -> Decisions:
        """Give the answer that is known, or ask the model; UserError in a dialogue."""
        if requests.talk is not None:
            problem = f"{self._given.registered} knows questions by their features, and here people talk."
            raise UserError(problem, "Leave the cache out where what was said counts.")
        slate = np.full((len(requests), self.stage.slate), NOTHING, dtype=np.int32)
        model = np.full(len(requests), NOTHING, dtype=np.int8)
        society, keys = self.society(requests.replica), self._keys(requests.features)
        for place in np.unique(society):
            known, mine = self._known[place], np.flatnonzero(society == place)
            at = np.searchsorted(known.key, keys[mine])
            at[at == len(known.key)] = 0
            if len(known.key):
                there = (known.key[at] == keys[mine]) & (known.until[at] > requests.tick)
                slate[mine[there]], model[mine[there]] = known.slate[at[there]], known.model[at[there]]
        hit = (slate[:, 0] >= 0) & _to_be_had(slate, requests.available)
        rows, others = np.flatnonzero(hit), np.flatnonzero(~hit)
        again = self.given(slate[rows], model[rows], latency=self._given.latency_ms)
        asked = self.ask("policy", requests.take(others))
        whole = put_together([asked, again], [others, rows])
        return noted(whole, cached=hit.astype(np.int8), cache_action=whole.action)

    def hear(self, feedback: Feedback) -> None:
        """Tell the model, remember its answers, and forget old ones."""
        super().hear(feedback)
        cached: Codes = np.asarray(feedback.detail.get(CACHED, np.zeros(len(feedback.user))), dtype=np.int8)
        got = feedback.slate[:, 0]
        fresh = (cached == 0) & (got >= 0) & (got == feedback.detail.get(ACTION, got))
        fresh &= self.acted("policy", feedback)
        some = feedback.take(np.flatnonzero(fresh))
        keys, until = self._keys(some.features), np.int32(feedback.tick + 1 + self._given.ticks)
        slate, model = _wide(some.slate, self.stage.slate), some.detail.get(MODEL, np.zeros(len(keys)))
        society = self.society(some.replica)
        for place, known in enumerate(self._known):
            mine = np.flatnonzero(society == place)
            # Of one key the first stays: this tick's before what was known.
            key = np.concatenate([keys[mine], known.key])
            ends = np.concatenate([np.full(len(mine), until), known.until])
            _, first = np.unique(key, return_index=True)
            kept = first[ends[first] > feedback.tick + 1]
            self._known[place] = Known(
                key[kept],
                np.concatenate([slate[mine], known.slate])[kept],
                np.concatenate([np.asarray(model, np.int8)[mine], known.model])[kept],
                ends[kept],
            )

    def state(self) -> dict[str, Array]:
        """Return what each society knows, filled up to the longest, and what the model remembers."""
        counts = np.array([len(known.key) for known in self._known], dtype=np.int64)
        kept: dict[str, Array] = {"known/count": counts}
        for name in Known._fields:
            arrays = [getattr(known, name) for known in self._known]
            gaps = [[(0, int(counts.max()) - len(a)), *[(0, 0)] * (a.ndim - 1)] for a in arrays]
            kept[f"known/{name}"] = np.stack([np.pad(a, gap) for a, gap in zip(arrays, gaps, strict=True)])
        return super().state() | kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        counts = np.asarray(state["known/count"], dtype=np.int64).tolist()
        arrays: list[Any] = [state[f"known/{name}"] for name in Known._fields]
        self._known = [Known(*(a[place, :n].copy() for a in arrays)) for place, n in enumerate(counts)]

    def _keys(self, features: Singles) -> Keys:
        """Return a number for each question; equal questions have equal ones."""
        keys: Keys = np.zeros(len(features), dtype=np.uint64)
        if not len(features):
            return keys
        scale = 10.0**self._given.digits
        for place in self._places:
            rounded = (
                np.round(features[:, place].astype(np.float64) * scale) + 0.0
            )  # there is no minus nought
            keys = (keys ^ rounded.view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            keys ^= keys >> np.uint64(29)
        return keys


def _to_be_had(slate: Ints, available: Flags | None) -> Flags:
    if available is None:
        return np.ones(len(slate), dtype=np.bool_)
    there = np.take_along_axis(available, np.maximum(slate, 0), axis=1) | (slate < 0)
    return np.asarray(there.all(axis=1))


def _wide(slate: Ints, places: int) -> Ints:
    gap = ((0, 0), (0, max(places - slate.shape[1], 0)))
    return np.pad(slate, gap, constant_values=NOTHING)[:, :places]
