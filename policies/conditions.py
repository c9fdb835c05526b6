"""What the scenario does to answers on their way: waiting, deadlines, guards, what-ifs.

Each is a policy round another one, and only changes what it is there for. Draws are addressed by
person and moment, so that no condition depends on who else is asked, or in what order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from rehearse.contract import NOTHING, Decisions, Fault, Flags, Ints, Requests, Stage
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import exp, normal_from_uniform
from rehearse.policies.judge import failed
from rehearse.scenario.model import GuardSpec, Latency

Key = tuple[int, int, int, int]
"""Replica, user, tick, turn."""


class Decider(Protocol):
    """Whatever answers requests."""

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request."""
        ...


class Overheard:
    """Changes nothing; someone hears each question and its answer."""

    def __init__(self, inner: Decider, by: Callable[[Requests, Decisions], None]) -> None:
        self._inner, self._by = inner, by

    def decide(self, requests: Requests) -> Decisions:
        """Answer, and let it be heard."""
        decisions = self._inner.decide(requests)
        self._by(requests, decisions)
        return decisions


class Slow:
    """Adds simulated latency: a lognormal, of the last description that holds at the tick."""

    def __init__(self, inner: Decider, latencies: Sequence[Latency]) -> None:
        self._inner = inner
        self._latencies = latencies

    def decide(self, requests: Requests) -> Decisions:
        """Answer, later."""
        return later(requests, self._inner.decide(requests), self._latencies)


def later(
    requests: Requests, decisions: Decisions, latencies: Sequence[Latency], purpose: str = "latency"
) -> Decisions:
    """Return decisions that take as long as the last law that holds at the tick says, on top."""
    holding = [law for law in latencies if law.holds(requests.tick)]
    if not holding or not len(requests):
        return decisions
    law = holding[-1]
    wait = np.full(len(requests), law.median_ms)
    if law.spread:
        draws = normal_from_uniform(requests.uniform(purpose)[:, 0])
        wait = wait * exp(law.spread * draws)
    return replace(decisions, latency=(decisions.latency + wait).astype(np.float32))


class Deadline:
    """Drops answers whose simulated latency passed the deadline; people wait until then and no longer."""

    def __init__(self, inner: Decider, deadline_ms: float) -> None:
        self._inner = inner
        self._deadline = np.float32(deadline_ms)

    def decide(self, requests: Requests) -> Decisions:
        """Answer, unless it took too long."""
        decisions = self._inner.decide(requests)
        late = decisions.latency > self._deadline
        if not late.any():
            return decisions
        latency = np.minimum(decisions.latency, self._deadline)
        return failed(replace(decisions, latency=latency), late, Fault.TOO_SLOW)


class Guarded:
    """Keeps forbidden items from people: another item takes their place, or there is no answer.

    The guard recorded is the last one that changed the answer. A replacement that is in the slate
    already, or that the person cannot have, leaves the place empty; a slate without a first item is a veto.
    """

    def __init__(self, inner: Decider, guards: Sequence[GuardSpec], stage: Stage, first: int = 0) -> None:
        self._inner = inner
        self._guards = [_Guard(i, first + i, guard, stage) for i, guard in enumerate(guards)]

    def decide(self, requests: Requests) -> Decisions:
        """Answer within the rules."""
        decisions = self._inner.decide(requests)
        for guard in self._guards:
            decisions = guard.keep(requests, decisions)
        return decisions


class _Guard:
    def __init__(self, place: int, code: int, spec: GuardSpec, stage: Stage) -> None:
        path = f"guards.{place}"
        self._number = np.int8(code)
        forbidden = [_item(name, stage, f"{path}.forbid") for name in spec.forbid]
        self._forbidden = np.array(forbidden, dtype=np.int32)
        self._group = group_number(spec.group, stage, f"{path}.group")
        self._instead = None if spec.replace is None else _item(spec.replace, stage, f"{path}.replace")

    def keep(self, requests: Requests, decisions: Decisions) -> Decisions:
        """Return the decisions with what is forbidden taken out."""
        broken = np.isin(decisions.slate, self._forbidden) & concerns(requests, self._group)[:, None]
        return without(requests, decisions, broken, self._number, self._instead)


class Override:
    """Changes single answers: what if this person had been offered something else then.

    The item takes the first place; the rest of the slate stays. The simulated wait stays too.
    """

    def __init__(self, inner: Decider, answers: Mapping[Key, int]) -> None:
        self._inner = inner
        self._answers = dict(answers)
        self._moments = {(tick, turn) for _, _, tick, turn in self._answers}

    def decide(self, requests: Requests) -> Decisions:
        """Answer, with the changes that fall on this moment."""
        decisions = self._inner.decide(requests)
        if (requests.tick, requests.turn) not in self._moments:
            return decisions
        people = zip(requests.replica.tolist(), requests.user.tolist(), strict=True)
        found = [self._answers.get((r, u, requests.tick, requests.turn), NOTHING) for r, u in people]
        item = np.array(found, dtype=np.int32)
        changed = item != NOTHING
        fresh = np.column_stack([item, np.where(decisions.slate == item[:, None], NOTHING, decisions.slate)])
        order = np.argsort(fresh < 0, axis=1, kind="stable")
        fresh = np.take_along_axis(fresh, order, axis=1)[:, : decisions.slate.shape[1]].astype(np.int32)
        return replace(
            decisions,
            slate=np.where(changed[:, None], fresh, decisions.slate),
            score=np.where(changed, np.float32(np.nan), decisions.score),
            propensity=np.where(changed, np.float32(np.nan), decisions.propensity),
            rationale=np.where(changed, np.int8(NOTHING), decisions.rationale),
            fault=np.where(changed, np.int8(Fault.NONE), decisions.fault),
            guard=np.where(changed, np.int8(NOTHING), decisions.guard),
        )


def without(
    requests: Requests, decisions: Decisions, broken: Flags, guard: np.int8, instead: int | None
) -> Decisions:
    """Return the decisions without the places (n, k) that break a rule: an item instead, or no answer."""
    tripped = broken.any(axis=1)
    if not tripped.any():
        return decisions
    rows = np.flatnonzero(tripped)
    slate = decisions.slate.copy()
    slate[rows] = _mended(requests.take(rows), slate[rows], broken[rows], instead)
    # Score and chance were those of the model's own answer.
    return replace(
        decisions,
        slate=slate,
        score=np.where(tripped, np.float32(np.nan), decisions.score),
        propensity=np.where(tripped, np.float32(np.nan), decisions.propensity),
        rationale=np.where(tripped, np.int8(NOTHING), decisions.rationale),
        guard=np.where(tripped, guard, decisions.guard),
    )


def _mended(requests: Requests, slate: Ints, broken: Flags, instead: int | None) -> Ints:
    if instead is None:
        return np.full_like(slate, NOTHING)
    mended = np.where(broken, np.int32(NOTHING), slate)
    fits = ~(mended == instead).any(axis=1)
    if requests.available is not None:
        fits &= requests.available[:, instead]
    every = np.arange(len(slate))
    mended[every, broken.argmax(axis=1)] = np.where(fits, np.int32(instead), np.int32(NOTHING))
    order = np.argsort(mended < 0, axis=1, kind="stable")
    return np.take_along_axis(mended, order, axis=1)


def concerns(requests: Requests, group: int | None) -> Flags:
    """Tell whose requests a rule for a group concerns; None: everybody's."""
    return np.ones(len(requests), dtype=bool) if group is None else np.asarray(requests.group == group)


def group_number(name: str | None, stage: Stage, path: str) -> int | None:
    """Return the code of a group (None: none); raise ScenarioError where there is no such group."""
    if name is None:
        return None
    if name not in stage.groups:
        problem = f"{path} names {name!r}, and there is no such group."
        raise ScenarioError(problem, did_you_mean(name, stage.groups))
    return stage.groups.index(name)


def _item(name: str, stage: Stage, path: str) -> int:
    if name not in stage.items:
        problem = f"{path} names {name!r}, which is no item of this world."
        raise ScenarioError(problem, did_you_mean(name, stage.items))
    return stage.items.index(name)
