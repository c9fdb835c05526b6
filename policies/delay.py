"""Delay: one model among others takes its time, as a scenario's `latency` makes the whole take it."""

from __future__ import annotations

from typing import Any

import numpy as np

from rehearse.contract import Decisions, Requests, Stage
from rehearse.policies.composed import Composed, Composition, Load, noted
from rehearse.policies.conditions import later
from rehearse.scenario.model import Latency


class Delay(Composition):
    """A model, and how long its answers take."""

    registered = "delayed-v1"
    parts = ("policy",)
    policy: Any
    """The model."""
    latency: tuple[Latency, ...] = (Latency(),)
    """Lognormal laws, of which the last one that holds at a tick counts, as in a scenario's `latency`."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:
        """Return the policy."""
        return DelayedPolicy(self, load(self.policy, "policy"), stage, where)


class DelayedPolicy(Composed):
    """A model whose answers take their time; column `answer_ms`: how long, of this model alone."""

    def __init__(self, given: Delay, policy: Any, stage: Stage, where: str) -> None:
        super().__init__(given.registered, {"policy": policy}, stage, {"answer_ms": np.float32})
        self._given, self._purpose = given, f"delay{where}"

    def decide(self, requests: Requests) -> Decisions:
        """Answer, later."""
        answer = later(requests, self.ask("policy", requests), self._given.latency, self._purpose)
        return noted(answer, answer_ms=answer.latency)
