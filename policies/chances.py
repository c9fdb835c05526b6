"""How likely a policy is to give each answer: said by itself, or told by what it answers.

A policy may have `probabilities(requests)`, of shape (n, m): the chance of each item to be the first of its
answer. Of one that has not, the item that it answers stands for its chances: 1 for it, 0 for the others. It
draws with luck of its own, which nobody else draws with; so whatever is averaged over people with the drawn
item in place of the chances has the same mean, and only a larger variance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.chance import Chance, key_of
from rehearse.contract import Policy, Requests, Stage
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.policies.asked import Asked, private
from rehearse.policies.picking import one_hot

CLOSE = 1e-3
"""How far chances may be from adding up to 1."""


class Chances:
    """A policy that is asked how likely its answers are, beside the one that decides."""

    def __init__(self, policy: Policy, stage: Stage, tile: int | None = None) -> None:
        self._asked = Asked(policy, stage, tile)
        self._items = len(stage.items)
        self._said: Any = getattr(policy, "probabilities", None)
        high, low = key_of(stage.seed, "asked beside")
        self._chance = Chance(high << 32 | low)
        self.name = policy.name
        self.sees_truth = bool(getattr(policy, "sees_truth", False)) and not self._asked.foreign
        self.drawn = False
        """Whether an item that it drew has stood for its chances."""

    def of(self, requests: Requests) -> Floats:
        """Return the chances (n, m); 0 everywhere for those to whom it has no answer."""
        own = replace(requests, chance=self._chance)
        if self._said is None:
            made = self._asked.decide(own)
            self.drawn = self.drawn or bool((made.propensity < 1.0).any())
            return one_hot(made.action, self._items)
        said = np.asarray(self._said(private(own) if self._asked.foreign else own), dtype=np.float64)
        if said.shape != (len(requests), self._items):
            problem = f"{self.name}: `probabilities` gave shape {said.shape} for {len(requests)} requests."
            raise UserError(problem, f"Return a row a request and a column for each of {self._items} items.")
        if not (said >= 0.0).all() or (np.abs(said.sum(axis=1) - 1.0) > CLOSE).any():
            problem = f"{self.name}: `probabilities` are negative somewhere, or do not add up to 1."
            raise UserError(problem, "Return the chance of each item to be the answer.")
        return said
