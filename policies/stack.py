"""The policy as the kernel meets it: the model behind its seam, within the scenario's conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Policy, Publishes, Requests, Stage
from rehearse.policies.asked import Asked
from rehearse.policies.conditions import Deadline, Decider, Faulty, Guarded, Key, Override, Slow
from rehearse.scenario.model import Scenario


class Stack:
    """A policy within its conditions; it is, does and remembers what the model inside does."""

    def __init__(self, asked: Asked, top: Decider, guards: tuple[str, ...]) -> None:
        inner = asked.policy
        self.asked = asked
        """The seam, which keeps the account of calls, time and memory."""
        self.name, self.version = asked.name, asked.version
        self.guards = guards
        """The words for `Decisions.guard`."""
        self.foreign = asked.foreign
        self.rationales: tuple[str, ...] = tuple(getattr(inner, "rationales", ()))
        self.coupled = bool(getattr(inner, "coupled", False))
        self.sees_truth = bool(getattr(inner, "sees_truth", False)) and not asked.foreign
        self._top = top

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request."""
        return self._top.decide(requests)

    def published(self) -> Mapping[str, Array]:
        """Return what the public knows of the model; nothing of one that tells nothing."""
        inner = self.asked.policy
        return inner.published() if isinstance(inner, Publishes) else {}

    def state(self) -> dict[str, Array]:
        """Return what the model remembers, as arrays."""
        return self.asked.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Give the model back what it remembered."""
        self.asked.restore(state)


class LearningStack(Stack):
    """The stack of a model that learns between ticks."""

    def learn(self, feedback: Feedback) -> None:
        """Tell the model what happened in the tick."""
        self.asked.learn(feedback)


def stack(
    policy: Policy,
    scenario: Scenario,
    stage: Stage,
    *,
    tile: int | None = None,
    override: Mapping[Key, int] | None = None,
) -> Stack:
    """Put the scenario's latency, deadline, faults and guards round a policy.

    `tile` None takes the default of the seam. `override` changes single answers, by
    (replica, user, tick, turn). Raises ScenarioError where a fault or guard names what is not there.
    """
    asked = Asked(policy, stage, tile, scenario.time.wall_limit_s)
    top: Any = asked
    if scenario.latency:
        top = Slow(top, scenario.latency)
    top = Deadline(top, scenario.time.deadline_ms)
    if scenario.faults:
        top = Faulty(top, scenario.faults, stage, scenario.time.deadline_ms)
    if scenario.guards:
        top = Guarded(top, scenario.guards, stage)
    if override:
        top = Override(top, override)
    kind = LearningStack if hasattr(policy, "learn") else Stack
    return kind(asked, top, tuple(guard.name for guard in scenario.guards))
