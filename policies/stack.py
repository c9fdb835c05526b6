"""The policy as the kernel meets it: the model behind its seam, within the scenario's conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Policy, Publishes, Requests, Stage
from rehearse.policies.asked import Asked
from rehearse.policies.composed import Composed
from rehearse.policies.conditions import Deadline, Decider, Guarded, Key, Overheard, Override, Slow
from rehearse.policies.faults import LATER, Faulty
from rehearse.policies.late import KEPT, Post
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
        self.words: Mapping[str, tuple[str, ...]] = getattr(inner, "words", {})
        """What other codes of its decisions are called, by column: of a policy made of others."""
        self.coupled = bool(getattr(inner, "coupled", False))
        self.sees_truth = bool(getattr(inner, "sees_truth", False)) and not asked.foreign
        self._top = top

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request."""
        return self._top.decide(requests)

    def overheard(self, by: Callable[[Requests, Decisions], None], *, truth: bool = False) -> None:
        """Let someone hear every question and its answer; with `truth`, what the world knows too."""
        self._top = Overheard(self._top, by)
        self.sees_truth = self.sees_truth or truth

    def published(self) -> Mapping[str, Array]:
        """Return what the public knows of the model; nothing of one that tells nothing."""
        inner = self.asked.policy
        return inner.published() if isinstance(inner, Publishes) else {}

    def walls_told(self) -> dict[str, Any]:
        """Return the rules of the sandbox and what it refused, for the manifest."""
        return {} if self.asked.walls is None else self.asked.walls.told()

    def keep_off(self, folder: Path) -> None:
        """Let no model write into a folder, which holds the record."""
        if self.asked.walls is not None:
            self.asked.walls.places.close(folder)

    def heard_of(self, told: Mapping[str, Any]) -> None:
        """Count what was refused elsewhere, or before, as `walls_told` has it."""
        if self.asked.walls is not None:
            self.asked.walls.add(told)

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


class LateStack(LearningStack):
    """The stack of a model that is told late what came of its answers."""

    def __init__(self, asked: Asked, top: Decider, guards: tuple[str, ...], post: Post) -> None:
        super().__init__(asked, top, guards)
        self.post = post
        """What is on its way to the model."""

    def learn(self, feedback: Feedback) -> None:
        """Tell the model what is due at the end of the tick."""
        super().learn(self.post.deliver(feedback))

    def state(self) -> dict[str, Array]:
        """Return what the model remembers and what is on its way to it."""
        return super().state() | self.post.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self.post.restore(state)
        super().restore({name: array for name, array in state.items() if not name.startswith(KEPT)})


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
    if isinstance(policy, Composed):
        policy.seat(tile, scenario.time.wall_limit_s)
    own: tuple[str, ...] = getattr(policy, "guards", ())
    asked = Asked(policy, stage, tile, scenario.time.wall_limit_s)
    top: Any = asked
    if scenario.latency:
        top = Slow(top, scenario.latency)
    top = Deadline(top, scenario.time.deadline_ms)
    if scenario.faults:
        top = Faulty(top, scenario.faults, stage, scenario.time.deadline_ms)
    if any(fault.kind in LATER for fault in scenario.faults):
        top = Deadline(top, scenario.time.deadline_ms)
    if scenario.guards:
        top = Guarded(top, scenario.guards, stage, first=len(own))
    if override:
        top = Override(top, override)
    guards = (*own, *(guard.name for guard in scenario.guards))
    if not hasattr(policy, "learn"):
        return Stack(asked, top, guards)
    if scenario.feedback is not None:
        post = Post(scenario.feedback, stage, getattr(policy, "columns", None))
        return LateStack(asked, top, guards, post)
    return LearningStack(asked, top, guards)
