"""Items mixed into another model's slates: a start-up phase, exploration, and room for what is new.

In the first ticks people are shown only what is mixed in, in random order. Later so many places of a
slate, drawn at random, hold it, and the others what the model ranks, in its order: the start-up phase
and the random interleaving of T-RECS (Lucherini and others, arXiv:2107.08959), with the departure that
no item stands twice in a slate. What is mixed in is drawn from all that a person can have, or is what
can be had since this tick (new items, which a model that learns knows nothing of).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from rehearse.columns import Array
from rehearse.contract import NOTHING, Decisions, Feedback, Flags, Ints, Policy, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.baselines import Random, SlateLength
from rehearse.policies.settings import check_k, checked
from rehearse.registry import entries
from rehearse.scenario.base import Strict

NEVER = -1


class InterleavedSettings(Strict):
    """Settings of `interleaved-v1`."""

    policy: str
    """The registered model whose slates these are."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings."""
    k: SlateLength = None
    """Items in a slate."""
    count: Annotated[int, Field(ge=0, le=1000)] = 1
    """How many items are mixed into a slate."""
    of: Literal["any", "newest"] = "any"
    """Any item that can be had, or only those that can be had since this tick."""
    startup: Annotated[int, Field(ge=0)] = 0
    """In so many ticks nothing else is shown."""


def build(settings: Mapping[str, Any], stage: Stage) -> Interleaved:
    """Return the model within; raises PolicyLoadError for one that is not built in."""
    given = checked(InterleavedSettings, settings, Interleaved.name)
    known = {n: e for n, e in entries("policies").items() if e.target.startswith("rehearse.policies.")}
    if given.policy not in known:
        problem = f"policy.settings.policy: there is no built-in policy {given.policy!r} to mix items into."
        raise PolicyLoadError(problem, did_you_mean(given.policy, known))
    inner: Policy = known[given.policy].load()(given.settings, stage)
    kind = InterleavedLearner if hasattr(inner, "learn") else Interleaved
    return kind(given, inner, stage)


class Interleaved:
    """A model into whose slates other items are mixed."""

    name = "interleaved-v1"
    version = "1"
    foreign = False
    rationales = ("ranked", "mixed in")

    def __init__(self, given: InterleavedSettings, inner: Policy, stage: Stage) -> None:
        self._given, self._inner = given, inner
        self._slate = check_k(given.k, stage)
        # Since when an item is there, everybody of a society hears from whoever first sees it.
        self.coupled = given.of == "newest" or bool(getattr(inner, "coupled", False))
        self.sees_truth = bool(getattr(inner, "sees_truth", False))
        self._replicas = np.sort(stage.replicas)
        self._since = np.full((len(stage.replicas), len(stage.items)), NEVER, dtype=np.int32)
        few = min(max(given.count, 1), len(stage.items))
        self._few, self._some = (Random({"k": k}, stage) for k in (few, self._slate))

    def decide(self, requests: Requests) -> Decisions:
        """Ask the model, and mix other items into its slates."""
        fresh = self._fresh(requests)
        inner = self._inner.decide(requests)
        slate = mixed(inner.slate, fresh, requests.uniform("places", self._slate))
        if requests.tick < self._given.startup:
            alone = np.full(slate.shape, NOTHING, dtype=np.int32)
            alone[:, : fresh.shape[1]] = fresh[:, : self._slate]
            # Who cannot have any is served by the model from the start.
            slate = np.where((fresh >= 0).any(axis=1, keepdims=True), alone, slate)
        first = (slate[:, :1] == fresh).any(axis=1) & (slate[:, 0] >= 0)
        return Decisions.of(
            slate,
            score=np.where(first, np.float32(np.nan), inner.score),
            version=inner.version,
            rationale=first.astype(np.int8),
        )

    def _fresh(self, requests: Requests) -> Ints:
        """Return the items to be mixed in, in random order, padded with -1: (n, c)."""
        starting = requests.tick < self._given.startup
        if self._given.of == "any":
            return (self._some if starting else self._few).decide(requests).slate[:, : self._most(starting)]
        there = self._new(requests)
        some = np.flatnonzero(there.any(axis=0)).astype(np.int32)
        luck = np.where(there[:, some], requests.uniform("mixed", there.shape[1])[:, some], 2.0)
        order = np.argsort(luck, axis=1)[:, : self._most(starting)]
        return np.where(np.take_along_axis(luck, order, axis=1) < 1.0, some[order], np.int32(NOTHING))

    def _new(self, requests: Requests) -> Flags:
        """Return which items each person can have that nobody of their society could before this tick."""
        can = requests.available
        can = np.ones((len(requests), len(requests.items)), dtype=np.bool_) if can is None else can
        society = np.searchsorted(self._replicas, requests.replica)
        for one in np.unique(society):
            since, seen = self._since[one], can[society == one].any(axis=0)
            since[(since == NEVER) & seen] = requests.tick
        return np.asarray(can & (self._since[society] == requests.tick))

    def _most(self, starting: bool) -> int:  # noqa: FBT001 - two cases, told by the caller
        return self._slate if starting else self._given.count

    def state(self) -> dict[str, Array]:
        """Return since when each item can be had, and what the model remembers."""
        inner = self._inner.state() if hasattr(self._inner, "state") else {}
        return {"since": self._since.copy()} | {f"inner/{name}": a for name, a in inner.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._since = np.array(state["since"], dtype=np.int32)
        if hasattr(self._inner, "restore"):
            own = {n.removeprefix("inner/"): a for n, a in state.items() if n.startswith("inner/")}
            self._inner.restore(own)


class InterleavedLearner(Interleaved):
    """The same round a model that learns."""

    def learn(self, feedback: Feedback) -> None:
        """Tell the model what happened in the tick, whatever was mixed in."""
        learn = getattr(self._inner, "learn")  # noqa: B009 - a Policy need not learn
        learn(feedback)


def mixed(ranked: Ints, fresh: Ints, luck: Floats) -> Ints:
    """Return slates (n, k) of ranked items (n, r) with fresh ones (n, c) at places drawn by luck (n, k)."""
    n, k = luck.shape
    every = np.arange(n)[:, None]
    new = np.zeros((n, int(max(ranked.max(initial=0), fresh.max(initial=0))) + 2), dtype=np.bool_)
    new[every, fresh] = True
    kept = (ranked >= 0) & ~new[every, ranked]
    old = np.take_along_axis(ranked, np.argsort(~kept, axis=1, kind="stable"), axis=1)
    given = np.minimum((fresh >= 0).sum(axis=1), k)
    long = np.minimum(given + kept.sum(axis=1), k)
    order = np.argsort(np.where(np.arange(k) < long[:, None], luck, 2.0), axis=1)
    takes = np.zeros((n, k), dtype=np.bool_)
    np.put_along_axis(takes, order, np.arange(k) < given[:, None], axis=1)
    from_fresh = np.minimum(np.cumsum(takes, axis=1) - 1, fresh.shape[1] - 1)
    from_old = np.minimum(np.cumsum(~takes, axis=1) - 1, old.shape[1] - 1)
    slate = np.where(
        takes,
        np.take_along_axis(fresh, np.maximum(from_fresh, 0), axis=1) if fresh.shape[1] else NOTHING,
        np.take_along_axis(old, np.maximum(from_old, 0), axis=1),
    )
    return np.where(np.arange(k) < long[:, None], slate, NOTHING).astype(np.int32)
