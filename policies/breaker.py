"""CircuitBreaker: a model that fails too often is not asked for a while, then tried with a few.

In each society by itself. Closed, all requests pass; when at the end of a tick so large a share of those of
the tick failed, the circuit opens: for some ticks every request is refused at once. Then a share passes on
trial, and by how these went the circuit closes, or opens again (Nygard, Release It!, 2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse.columns import Array
from rehearse.contract import Decisions, Fault, Feedback, Requests, Stage
from rehearse.policies.composed import Composed, Composition, Load, noted, put_together
from rehearse.scenario.base import Share

FAILED = "breaker_failed"
STATES = ("closed", "open", "trial")
CLOSED, OPEN, TRIAL = range(3)


class CircuitBreaker(Composition):
    """A model, and when it is left alone."""

    registered = "circuit-breaker-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    failures: Share = 0.5
    """The share of failed requests in a tick from which on the circuit opens."""
    turns: Annotated[int, Field(ge=1)] = 20
    """A tick with fewer requests of a society opens nothing."""
    ticks: Annotated[int, Field(ge=1)] = 3
    """For so many ticks it stays open."""
    trial: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """The share of requests that pass on trial."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:
        """Return the policy."""
        return BreakerPolicy(self, load(self.policy, "policy"), stage, where)


class BreakerPolicy(Composed):
    """Columns `breaker` (closed, open, trial) and `breaker_failed` (1, 0, or -1 where it was not asked)."""

    def __init__(self, given: CircuitBreaker, policy: Any, stage: Stage, where: str) -> None:
        own = {"breaker": np.int8, FAILED: np.int8}
        super().__init__(given.registered, {"policy": policy}, stage, own, learns=True)
        self._given, self._purpose = given, f"breaker{where}"
        self.words["breaker"] = STATES
        self._state: NDArray[np.int8] = np.zeros(len(self.replicas), dtype=np.int8)
        self._left: NDArray[np.int32] = np.zeros(len(self.replicas), dtype=np.int32)

    def decide(self, requests: Requests) -> Decisions:
        """Ask the model where the circuit lets it."""
        now = self._state[self.society(requests.replica)]
        lucky = requests.uniform(self._purpose)[:, 0] < self._given.trial
        through = (now == CLOSED) | ((now == TRIAL) & lucky)
        rows, others = np.flatnonzero(through), np.flatnonzero(~through)
        asked = self.ask("policy", requests.take(rows))
        whole = put_together([asked, self.refusals(len(others))], [rows, others])
        failed = np.where(through, whole.fault != Fault.NONE, -1).astype(np.int8)
        return noted(whole, breaker=now, **{FAILED: failed})

    def hear(self, feedback: Feedback) -> None:
        """Tell the model, and open or close the circuit of each society."""
        super().hear(feedback)
        failed: Array = feedback.detail.get(FAILED, np.zeros(len(feedback.user), dtype=np.int8))
        rows = np.flatnonzero(np.asarray(failed, dtype=np.int8) >= 0)
        society, among = self.society(feedback.replica[rows]), len(self.replicas)
        asked = np.bincount(society, minlength=among)
        bad = np.bincount(society, weights=np.asarray(failed[rows], np.float64), minlength=among)
        broken = (asked > 0) & (bad >= self._given.failures * asked) & (bad > 0)
        was, self._left = self._state, np.maximum(self._left - 1, 0)
        opens = np.where(was == TRIAL, broken, (was == CLOSED) & broken & (asked >= self._given.turns))
        stays = np.where(was == OPEN, np.where(self._left > 0, OPEN, TRIAL), was)
        calm = (was == TRIAL) & (asked > 0) & ~broken
        self._state = np.where(opens, OPEN, np.where(calm, CLOSED, stays)).astype(np.int8)
        self._left = np.where(opens, self._given.ticks, self._left).astype(np.int32)

    def state(self) -> dict[str, Array]:
        """Return where each society's circuit stands, and what the model remembers."""
        return super().state() | {"breaker": self._state.copy(), "left": self._left.copy()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        self._state = np.array(state["breaker"], dtype=np.int8)
        self._left = np.array(state["left"], dtype=np.int32)
