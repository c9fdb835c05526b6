"""Strategic people: what they show is a best response to what is publicly known of the model.

With true features x, of which those in S can be made to look otherwise, weights w and a threshold t that
the model publishes (`contract.Publishes`):

    weights      x'_S = x_S + ε · w_S, which maximises w · x' − |x' − x|² / (2ε)
                 (Perdomo and others, "Performative prediction", ICML 2020)
    threshold    x' = t where x < t and cost · (t − x) ≤ gain, else x
                 (Hardt and others, "Strategic classification", ITCS 2016)

Only what is shown changes: traits, and what follows from them in the world, stay. A person answers to the
model that is in service in that turn. Columns, one row a person, as of the last time that he or she asked,
recorded with the turn:

    shown_F, true_F    a feature as the model is told it (before any noise), and as it is
    effort             what the change cost
    burden             what reaching the threshold would cost, worth it or not; 0 for weights
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rehearse.agents.wrapped import Wrapped
from rehearse.columns import Array
from rehearse.contract import Flags, Ints, Offer, Policy, Publishes, Requests, Singles, Turn, Users
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.strategy import Strategy

WEIGHT, THRESHOLD = "weight.", "threshold."


class Strategic(Wrapped):
    """People who show what serves them (`contract.Users`)."""

    def __init__(self, inner: Users, law: Strategy) -> None:
        """Resolve the names; raises ScenarioError for a feature or group that there is not."""
        super().__init__(inner)
        self._law = law
        self._societies: Ints = np.unique(inner.columns["replica"]).astype(np.int32)
        self._places = {name: _place(name, inner.feature_names) for name in law.features}
        self._cost = _costs(law, inner.groups)
        self._policy: Policy | None = None
        made = [f"{what}_{name}" for name in law.features for what in ("shown", "true")]
        self.told = (*getattr(inner, "told", ()), *made, "effort", "burden")
        for name in (*made, "effort", "burden"):
            if name not in inner.columns:
                inner.columns[name] = np.zeros(inner.columns.length, dtype=np.float32)

    def meets(self, policy: Policy) -> None:
        """Hear which model is in service."""
        self._policy = policy
        super().meets(policy)

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person asks, and show what serves them."""
        requests = super().ask(turn, offer)
        known: Mapping[str, Array] = {}
        if isinstance(self._policy, Publishes):
            known = self._policy.published()
        features, people = requests.features.copy(), self.columns
        effort, burden = np.zeros(len(turn)), np.zeros(len(turn))
        for name, place in self._places.items():
            true = features[:, place].copy()
            shown, spent, needed = self._answer(turn, requests, name, true, known)
            features[:, place] = shown
            people[f"true_{name}"][turn.rows], people[f"shown_{name}"][turn.rows] = true, shown
            effort, burden = effort + spent, burden + needed
        people["effort"][turn.rows], people["burden"][turn.rows] = effort, burden
        return replace(requests, features=features)

    def _answer(
        self, turn: Turn, requests: Requests, name: str, true: Singles, known: Mapping[str, Array]
    ) -> tuple[Floats, Floats, Floats]:
        """Return what people show of a feature, what that costs them, and what a threshold asks of them."""
        law, x, nothing = self._law, true.astype(np.float64), np.zeros(len(true))
        society = np.searchsorted(self._societies, turn.replica).astype(np.int32)
        if law.to == "weights" and WEIGHT + name in known:
            weight = _each(known[WEIGHT + name], (len(self._societies),))[society]
            step = self._bounded(law.strength * weight) * self._plays(turn)
            return x + step, step * step / (2.0 * law.strength or 1.0), nothing
        if law.to == "threshold" and THRESHOLD + name in known:
            cuts = _each(known[THRESHOLD + name], (len(self._societies), len(self.groups)))
            # As the model compares them: in 32 bits.
            cut = cuts[society, requests.group].astype(np.float32).astype(np.float64)
            gap = np.maximum(cut - x, 0.0)
            needed = np.where(np.isfinite(gap), gap, 0.0) * self._cost[requests.group]
            moves = (gap > 0.0) & np.isfinite(gap) & (needed <= law.gain) & (self._bounded(gap) == gap)
            moves &= self._plays(turn)
            return np.where(moves, cut, x), np.where(moves, needed, 0.0), needed
        return x, nothing, nothing

    def _bounded(self, step: Floats) -> Floats:
        most = np.inf if self._law.most is None else self._law.most
        return np.clip(step, -most, most)

    def _plays(self, turn: Turn) -> Flags:
        if self._law.share >= 1.0:
            return np.ones(len(turn), dtype=np.bool_)
        drawn = turn.chance.uniform("strategy", turn.replica, turn.user)[:, 0]
        return np.asarray(drawn < self._law.share)


def _each(given: Array, shape: tuple[int, ...]) -> Floats:
    told = np.asarray(given, dtype=np.float64)
    return np.broadcast_to(told[:, None] if 1 == told.ndim < len(shape) else told, shape)


def _place(name: str, features: tuple[str, ...]) -> int:
    if name not in features:
        problem = f"people.strategy.features: models cannot see {name!r}."
        raise ScenarioError(problem, f"{did_you_mean(name, features)} Name it under people.visible first.")
    return features.index(name)


def _costs(law: Strategy, groups: tuple[str, ...]) -> Floats:
    if not isinstance(law.cost, dict):
        return np.full(len(groups), law.cost)
    if set(law.cost) != set(groups):
        problem = (
            f"people.strategy.cost is told for {', '.join(law.cost)}; the groups are {', '.join(groups)}."
        )
        raise ScenarioError(problem, "Give one number for all, or one for each of people.groups.names.")
    return np.array([law.cost[name] for name in groups])
