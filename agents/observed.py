"""People whom the model sees through noise: what it is told of them is not what is.

With x a feature and u a uniform draw of the person's, feature by feature where u < rate:

    missing     a value that stands for none (NaN)
    stale       x of some sessions ago
    quantised   the nearest multiple of the step
    biased      x · times + add
    noisy       x + sd · ε, ε standard normal
    swapped     the features change places in a ring

Only `Requests.features` change. What a policy learns from is what it saw. Each person's noise is their own:
values never pass from one person to another, or a life would depend on who else was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rehearse.agents.wrapped import Wrapped
from rehearse.columns import Columns
from rehearse.contract import Codes, Flags, Ints, Offer, Requests, Singles, Turn, Users
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats, normal_from_uniform
from rehearse.scenario.drift import matching
from rehearse.scenario.noise import Observation

MOST = 127


class Observed(Wrapped):
    """People seen through noise (`contract.Users`); `Requests.noised` counts what is not as it is."""

    def __init__(self, inner: Users, specs: Sequence[Observation], since: int = 0) -> None:
        """Resolve the names of features and groups; raises ScenarioError for what there is not.

        What was seen before tick `since` is not remembered.
        """
        super().__init__(inner)
        self._blurs = [_Blur.of(i, spec, inner, since) for i, spec in enumerate(specs)]
        told = [blur.names[at] for blur in self._blurs if blur.spec.indicator for at in range(len(blur.at))]
        self._told = {name: len(inner.feature_names) + i for i, name in enumerate(dict.fromkeys(told))}
        self.feature_names = (*inner.feature_names, *(f"missing_{name}" for name in self._told))
        for blur in self._blurs:
            blur.make_room(inner.columns)

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person asks, and what the model makes out of them."""
        requests = super().ask(turn, offer)
        known = requests.features.shape[1]
        seen = np.zeros((len(turn), known + len(self._told)), dtype=np.float32)
        seen[:, :known] = requests.features
        for blur in self._blurs:
            hit = blur.look(turn, requests, seen, self.columns)
            if blur.spec.indicator:
                places = [self._told[name] for name in blur.names]
                seen[:, places] = np.maximum(seen[:, places], hit)
        noised = _counted(requests.features, seen[:, :known])
        return replace(requests, names=self.feature_names, features=seen, noised=noised)


@dataclass(frozen=True, slots=True)
class _Blur:
    """One kind of noise on some features."""

    spec: Observation
    purpose: str
    at: Ints
    """The places of its features."""
    names: tuple[str, ...]
    group: int | None
    memory: str
    """The column of what was seen in earlier sessions, the latest first."""

    @classmethod
    def of(cls, number: int, spec: Observation, users: Users, since: int) -> _Blur:
        """Resolve what a scenario says."""
        path = f"observation.{number}"
        if spec.group is not None and spec.group not in users.groups:
            problem = f"{path}.group names {spec.group!r}, and there is no such group."
            raise ScenarioError(problem, did_you_mean(spec.group, users.groups))
        at = _places(spec.features, users.feature_names, f"{path}.features")
        names = tuple(users.feature_names[place] for place in at)
        if spec.kind == "swapped" and len(names) < 2:
            problem = f"{path}.features: {names[0]!r} alone cannot change places."
            raise ScenarioError(problem, "Name two features or more.")
        group = None if spec.group is None else users.groups.index(spec.group)
        return cls(spec, path, np.array(at, dtype=np.int32), names, group, f"{path}.seen.{since}")

    def make_room(self, people: Columns) -> None:
        """Give people a memory of what was seen of them, where that is told again later."""
        if self.spec.age is not None and self.memory not in people:
            size = (people.length, (self.spec.age + 1) * len(self.at))
            people[self.memory] = np.full(size, np.nan, dtype=np.float32)

    def look(self, turn: Turn, requests: Requests, seen: Singles, people: Columns) -> Flags:
        """Change what is seen in place; return where it struck, shape (n, its features)."""
        if self.spec.age is not None and turn.turn == 0:
            self._note(turn, seen[:, self.at], people)
        hit = self._strikes(turn, requests)
        if hit.any():
            before = seen[:, self.at].astype(np.float64)
            seen[:, self.at] = np.where(hit, self._blurred(turn, before, people), before)
        return hit

    def _strikes(self, turn: Turn, requests: Requests) -> Flags:
        hit = np.zeros((len(turn), len(self.at)), dtype=np.bool_)
        if self.spec.holds(turn.tick) and self.spec.rate > 0.0:
            count = 1 if self.spec.kind == "swapped" else len(self.at)
            hit |= self._uniform(turn, self.purpose, count) < self.spec.rate
            if self.group is not None:
                hit &= (requests.group == self.group)[:, None]
        return hit

    def _uniform(self, turn: Turn, purpose: str, count: int) -> Floats:
        tick = 0 if self.spec.lasts == "ever" else turn.tick
        number = turn.turn if self.spec.lasts == "turn" else 0
        return turn.chance.uniform(purpose, turn.replica, turn.user, tick=tick, turn=number, count=count)

    def _blurred(self, turn: Turn, true: Floats, people: Columns) -> Floats:
        spec = self.spec
        if spec.kind == "missing":
            return np.full(true.shape, np.nan if spec.value is None else spec.value)
        if spec.kind == "stale":
            return np.asarray(people[self.memory].take(turn.rows, axis=0)[:, -len(self.at) :], np.float64)
        if spec.kind == "quantised":
            return np.asarray(np.rint(true / (spec.step or 1.0)) * (spec.step or 1.0))
        if spec.kind == "noisy":
            draws = normal_from_uniform(self._uniform(turn, f"{self.purpose}/size", len(self.at)))
            return np.asarray(true + (spec.sd or 0.0) * draws)
        return true[:, np.roll(np.arange(len(self.at)), 1)] if spec.kind == "swapped" else self._biased(true)

    def _biased(self, true: Floats) -> Floats:
        return true * self.spec.times + self.spec.add

    def _note(self, turn: Turn, now: Singles, people: Columns) -> None:
        """Put what is seen in this session before what was seen in the earlier ones; the oldest goes."""
        width = len(self.at)
        memory = people[self.memory].take(turn.rows, axis=0)
        memory[:, width:] = memory[:, :-width].copy()
        first = np.isnan(memory).all(axis=1)
        memory[first] = np.tile(now[first], (1, memory.shape[1] // width))
        memory[:, :width] = now
        people[self.memory][turn.rows] = memory


def _counted(true: Singles, seen: Singles) -> Codes:
    """Return how many features of each row differ; one that is missing on both sides does not."""
    differs = (true != seen) & ~(np.isnan(true) & np.isnan(seen))
    counts: Codes = np.minimum(differs.sum(axis=1), MOST).astype(np.int8)
    return counts


def _places(wanted: Sequence[str], names: Sequence[str], path: str) -> list[int]:
    found: list[int] = []
    for place, name in enumerate(wanted):
        meant = [names.index(known) for known in matching(name, names)]
        if not meant:
            problem = f"{path}.{place}: the model sees no feature {name!r}."
            raise ScenarioError(problem, did_you_mean(name, names))
        found += [i for i in meant if i not in found]
    return found
