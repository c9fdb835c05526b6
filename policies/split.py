"""Split: some of the people are served by a challenger, the others by the champion.

A person is the challenger's where u < share(t), with one draw u for each person for ever: nobody changes
sides while the share stays, and who has come over stays as it grows.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import model_validator

from rehearse.chance import Chance
from rehearse.contract import Decisions, Requests, Stage
from rehearse.policies.composed import Composed, Composition, Load, noted
from rehearse.scenario.base import Share, Strict, Tick

ARMS = ("champion", "challenger")


class Step(Strict):
    """The challenger's share from a tick on."""

    tick: Tick
    """From this tick on."""
    share: Share
    """This share of the people, 0 to 1."""


class Split(Composition):
    """A champion, and a challenger that serves a share of the people."""

    registered = "split-v1"
    parts = ARMS
    champion: Any
    """The model that serves the others."""
    challenger: Any
    """The model that serves the share."""
    share: Share = 0.0
    """The part of the people that the challenger serves, before the ramp begins."""
    ramp: tuple[Step, ...] = ()
    """Its share from some ticks on, in their order."""

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        ticks = [step.tick for step in self.ramp]
        if ticks != sorted(set(ticks)):
            problem = f"the steps of the ramp begin at {ticks}, which does not ascend"
            raise ValueError(problem)
        return self

    def at(self, tick: int) -> float:
        """Return the challenger's share at a tick."""
        return next((step.share for step in reversed(self.ramp) if step.tick <= tick), self.share)

    def made(self, stage: Stage, load: Load, where: str) -> Composed:
        """Return the policy."""
        parts = {arm: load(getattr(self, arm), arm) for arm in ARMS}
        return SplitPolicy(self, parts, stage, where)


class SplitPolicy(Composed):
    """Two arms; columns `arm` (who serves the person) and `arm_chance` (how likely that was)."""

    def __init__(self, given: Split, parts: dict[str, Any], stage: Stage, where: str) -> None:
        super().__init__(given.registered, parts, stage, {"arm": np.int8, "arm_chance": np.float32})
        self._given, self._purpose = given, f"policy/split{where}"
        self.words["arm"] = ARMS

    def decide(self, requests: Requests) -> Decisions:
        """Let each person's arm answer."""
        share = self._given.at(requests.tick)
        chance = requests.chance or Chance(0)
        luck = chance.uniform(self._purpose, requests.replica, requests.user)[:, 0]
        arm = (luck < share).astype(np.int8)
        likely = np.where(arm == 1, share, 1.0 - share).astype(np.float32)
        return noted(self.share_out(requests, arm), arm=arm, arm_chance=likely)
