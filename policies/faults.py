"""Faults: calls that go wrong on purpose, in twelve ways, at the rates, times and for the groups asked for.

Whatever its kind, a call without an answer is recorded as injected, so that it is never held against the
model; an answer that is late, stale or poisoned is still an answer. The words are Toxiproxy's where it has
one. A scenario's `faults` strike the whole policy; `faulty-v1` strikes one model among others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array
from rehearse.contract import NOTHING, Codes, Decisions, Fault, Feedback, Flags, Requests, Singles, Stage
from rehearse.errors import ScenarioError
from rehearse.policies.baselines import Random
from rehearse.policies.composed import Composed, Composition, Load, noted, put_together
from rehearse.policies.conditions import Decider, concerns, group_number
from rehearse.policies.judge import failed
from rehearse.scenario.model import FaultKind, FaultSpec

KINDS: tuple[str, ...] = get_args(FaultKind)
LATER = {"slow_close", "jitter"}
"""Kinds that only make an answer late."""


class Strikes:
    """The faults of a scenario or of a model: whom they strike, and what becomes of answers."""

    def __init__(
        self, faults: Sequence[FaultSpec], stage: Stage, deadline_ms: float, purpose: str = "fault"
    ) -> None:
        groups = [group_number(fault.group, stage, f"faults.{i}.group") for i, fault in enumerate(faults)]
        self._faults = [(f"{purpose}/{i}", *pair) for i, pair in enumerate(zip(faults, groups, strict=True))]
        self._deadline = np.float32(deadline_ms)
        self._random = Random({"k": 1}, stage)

    def struck(self, requests: Requests) -> Iterator[tuple[str, FaultSpec, Flags]]:
        """Tell for each fault that holds now whom it strikes."""
        for purpose, fault, group in self._faults:
            if fault.holds(requests.tick) and len(requests):
                yield purpose, fault, _hit(purpose, fault, requests) & concerns(requests, group)

    def strike(self, requests: Requests, decisions: Decisions) -> tuple[Decisions, Codes]:
        """Return what becomes of answers, and the kind that struck each last (-1: none)."""
        kinds: Codes = np.full(len(requests), NOTHING, dtype=np.int8)
        for purpose, fault, struck in self.struck(requests):
            hit = struck & (decisions.fault == Fault.NONE)
            kinds[hit] = KINDS.index(fault.kind)
            decisions = self._changed(purpose, fault, requests, decisions, hit)
        return decisions, kinds

    def _changed(
        self, purpose: str, fault: FaultSpec, requests: Requests, decisions: Decisions, hit: Flags
    ) -> Decisions:
        if fault.kind == "stale_features":
            return decisions
        if fault.kind == "poisoned":
            return self._poisoned(requests, decisions, hit)
        wait = decisions.latency
        if fault.kind == "timeout":
            wait = np.where(hit, self._deadline, wait)
        elif fault.kind == "slow_close":
            wait = np.where(hit, wait + np.float32(fault.ms), wait)
        elif fault.kind in {"jitter", "reset_peer"}:
            luck = requests.uniform(f"{purpose}/how")[:, 0]
            wait = np.where(hit, wait + luck * fault.ms if fault.kind == "jitter" else wait * luck, wait)
        decisions = replace(decisions, latency=wait.astype(np.float32))
        return decisions if fault.kind in LATER else failed(decisions, hit, Fault.INJECTED)

    def _poisoned(self, requests: Requests, decisions: Decisions, hit: Flags) -> Decisions:
        rows, others = np.flatnonzero(hit), np.flatnonzero(~hit)
        some = decisions.take(rows)
        slate = np.full_like(some.slate, NOTHING)
        slate[:, :1] = self._random.decide(requests.take(rows)).slate
        nothing: Singles = np.full(len(rows), np.nan, dtype=np.float32)
        none: Codes = np.full(len(rows), NOTHING, dtype=np.int8)
        # What the model said of its own answer does not hold of this one.
        some = replace(some, slate=slate, score=nothing, propensity=nothing, rationale=none, reply=None)
        return put_together([decisions.take(others), some], [others, rows])


class Faulty:
    """A policy whose calls go wrong as the scenario says."""

    def __init__(self, inner: Decider, faults: Sequence[FaultSpec], stage: Stage, deadline_ms: float) -> None:
        for place, fault in enumerate(faults):
            if fault.kind == "stale_features":
                problem = f"faults.{place}.kind is stale_features, which a scenario has another word for."
                remedy = "Write `observation: [{kind: stale, …}]`, or strike one model with faulty-v1."
                raise ScenarioError(problem, remedy)
        self._inner = inner
        self._strikes = Strikes(faults, stage, deadline_ms)

    def decide(self, requests: Requests) -> Decisions:
        """Answer, unless the call goes wrong."""
        return self._strikes.strike(requests, self._inner.decide(requests))[0]


class Faults(Composition):
    """A model, and what goes wrong with calls to it."""

    registered = "faulty-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    faults: tuple[FaultSpec, ...]
    """What goes wrong, one after another, as in a scenario's `faults`."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:
        """Return the policy."""
        return FaultyPolicy(self, load(self.policy, "policy"), stage, where)


class FaultyPolicy(Composed):
    """A model whose calls go wrong; column `injected`: the kind that struck last."""

    def __init__(self, given: Faults, policy: Any, stage: Stage, where: str) -> None:
        self._stale = any(fault.kind == "stale_features" for fault in given.faults)
        own = {"injected": np.int8}
        super().__init__(given.registered, {"policy": policy}, stage, own, learns=self._stale)
        self._strikes = Strikes(given.faults, stage, stage.deadline_ms, f"faulty{where}")
        self.words["injected"] = KINDS
        size = len(self.replicas), 0
        self._seen: Flags = np.zeros(size, dtype=np.bool_)
        self._features: Singles = np.zeros((*size, len(stage.features)), dtype=np.float32)

    def decide(self, requests: Requests) -> Decisions:
        """Answer, unless the call goes wrong."""
        answer = self.ask("policy", self._aged(requests) if self._stale else requests)
        answer, kinds = self._strikes.strike(requests, answer)
        return noted(answer, injected=kinds)

    def hear(self, feedback: Feedback) -> None:
        """Tell the model, and keep what it saw of each person last."""
        super().hear(feedback)
        rows = np.flatnonzero(feedback.slate[:, 0] >= 0) if self._stale else np.zeros(0, dtype=np.int64)
        if not len(rows):
            return
        more = int(feedback.user[rows].max()) + 1 - self._seen.shape[1]
        if more > 0:
            self._seen = np.pad(self._seen, ((0, 0), (0, more)))
            self._features = np.pad(self._features, ((0, 0), (0, more), (0, 0)))
        place = self.society(feedback.replica[rows]), feedback.user[rows]
        self._seen[place], self._features[place] = True, feedback.features[rows]

    def state(self) -> dict[str, Array]:
        """Return what was last seen of people, where that matters, and what the model remembers."""
        kept: dict[str, Array] = {"seen": self._seen.copy(), "features": self._features.copy()}
        return super().state() | (kept if self._stale else {})

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        if self._stale and "seen" in state:
            self._seen = np.array(state["seen"], dtype=np.bool_)
            self._features = np.array(state["features"], dtype=np.float32)

    def _aged(self, requests: Requests) -> Requests:
        """Return the requests with what was seen of some people in an earlier tick."""
        known = np.flatnonzero(requests.user < self._seen.shape[1])
        place = self.society(requests.replica[known]), requests.user[known]
        old = np.zeros(len(requests), dtype=np.bool_)
        for _, fault, struck in self._strikes.struck(requests):
            if fault.kind == "stale_features":
                old |= struck
        rows = known[self._seen[place] & old[known]]
        features = requests.features.copy()
        features[rows] = self._features[self.society(requests.replica[rows]), requests.user[rows]]
        return replace(requests, features=features)


def _hit(purpose: str, fault: FaultSpec, requests: Requests) -> Flags:
    if fault.kind not in {"partial_batch", "restart"}:
        return np.asarray(requests.uniform(purpose)[:, 0] < fault.rate)
    chance, nobody = requests.chance or Chance(0), np.zeros(len(requests), dtype=np.int64)
    moment = {"tick": requests.tick, "turn": requests.turn if fault.kind == "partial_batch" else 0}
    together = chance.uniform(f"policy/{purpose}", requests.replica, nobody, **moment)[:, 0] < fault.rate
    if fault.kind == "restart":
        return np.asarray(together & (requests.turn == 0))
    return np.asarray(together & (requests.uniform(f"{purpose}/how")[:, 0] < fault.share))
