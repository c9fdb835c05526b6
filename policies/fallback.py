"""Fallback: another model answers where the first gives no answer, or takes too long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.contract import Decisions, Fault, Requests, Stage
from rehearse.policies.composed import Composed, Composition, Load, noted, put_together
from rehearse.scenario.base import Positive


class Fallback(Composition):
    """A model, and the one that stands in for it."""

    registered = "fallback-v1"
    parts = ("first", "then")
    first: Any
    """The model that is asked first."""
    then: Any
    """The model that stands in."""
    after_ms: Positive | None = None
    """The first is given up after so many simulated milliseconds; None: only where it fails."""

    def made(self, stage: Stage, load: Load, where: str) -> Composed:  # noqa: ARG002 - it draws nothing
        """Return the policy."""
        return FallbackPolicy(self, {part: load(getattr(self, part), part) for part in self.parts}, stage)


class FallbackPolicy(Composed):
    """The first answer that there is; columns `fell_back` (1, 0) and `first_fault`.

    Whoever falls back has waited for the first, and then waits for the second. What the first has to tell
    stays in the record.
    """

    def __init__(self, given: Fallback, parts: dict[str, Any], stage: Stage) -> None:
        own = {"fell_back": np.int8, "first_fault": np.int8}
        super().__init__(given.registered, parts, stage, own)
        self._patience = np.float32(np.inf if given.after_ms is None else given.after_ms)
        self.words["first_fault"] = Fault.words()

    def decide(self, requests: Requests) -> Decisions:
        """Let the first answer, and the second where there is none."""
        first = self.ask("first", requests)
        over = (first.fault != Fault.NONE) | (first.latency > self._patience)
        told = {"fell_back": over.astype(np.int8), "first_fault": first.fault}
        rows, others = np.flatnonzero(over), np.flatnonzero(~over)
        if not len(rows):
            return noted(first, **told)
        second = self.ask("then", requests.take(rows))
        waited = np.minimum(first.latency, self._patience)[rows]
        second = replace(second, latency=(second.latency + waited).astype(np.float32))
        whole = put_together([first.take(others), second], [others, rows])
        return noted(whole, **told, **{name: first.detail[name] for name in self._inner["first"].values()})
