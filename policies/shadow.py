"""Shadow: a candidate is asked what the live model is asked; its answers are recorded and never shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from rehearse.contract import Decisions, Fault, Feedback, Flags, Requests, Stage
from rehearse.policies.composed import Composed, Composition, Load, noted

CANDIDATE = "candidate_"
TOLD = {
    "action": np.int32,
    "score": np.float32,
    "propensity": np.float32,
    "latency": np.float32,
    "version": np.int16,
    "fault": np.int8,
}
"""What is recorded of the candidate's answer, each as `candidate_…`."""


class Shadow(Composition):
    """A live model, and a candidate in its shadow."""

    registered = "shadow-v1"
    parts = ("live", "candidate")
    live: Any
    """The model whose answers people get."""
    candidate: Any
    """The model in the shadow."""
    candidate_learns: bool = True
    """Whether the candidate, if it learns, is told what the live model did and what came of it."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:  # noqa: ARG002 - it draws nothing
        """Return the policy."""
        return ShadowPolicy(self, load(self.live, "live"), load(self.candidate, "candidate"), stage)


class ShadowPolicy(Composed):
    """What the live model answers; columns `candidate_…` and `agrees` (1, 0, or -1 where one failed)."""

    aside = ("candidate",)

    def __init__(self, given: Shadow, live: Any, candidate: Any, stage: Stage) -> None:
        own = {"agrees": np.int8} | {CANDIDATE + name: kind for name, kind in TOLD.items()}
        super().__init__(given.registered, {"live": live, "candidate": candidate}, stage, own)
        self._learns = given.candidate_learns
        self.words[f"{CANDIDATE}fault"] = Fault.words()

    def decide(self, requests: Requests) -> Decisions:
        """Show the live model's answer, and note the candidate's."""
        live, other = self.ask("live", requests), self.ask("candidate", requests)
        both = (live.fault == Fault.NONE) & (other.fault == Fault.NONE)
        agrees = np.where(both, live.action == other.action, -1).astype(np.int8)
        inner = {name: other.detail[name] for name in self._inner["candidate"].values()}
        seen = {CANDIDATE + name: getattr(other, name) for name in TOLD}
        return noted(live, **inner, **seen, agrees=agrees)

    def hear(self, feedback: Feedback) -> None:
        """Tell both what the live model did."""
        for word in ("live", "candidate") if self._learns else ("live",):
            self.parts[word].learn(self.told(word, feedback))

    def acted(self, word: str, feedback: Feedback) -> Flags:  # noqa: ARG002 - the candidate never does
        """Return in which turns the live model acted: of those both are told."""
        return super().acted("live", feedback)
