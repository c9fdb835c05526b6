"""Cuts: yes from a value of one feature on, for all alike or by group; drawn by lot at the cut if asked.

With feature x, the group's cut c and the chance q at the cut,

    yes if x > c, yes with chance q if x = c, no if x < c

`Cuts` is what every policy of this kind decides by, whether its cuts are written down (`threshold-v1`) or
learned (`policies/fair.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rehearse.columns import Array
from rehearse.contract import NOTHING, Decisions, Flags, Ints, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.settings import checked, item_number
from rehearse.scenario.base import Share, Strict


class YesOrNo(Strict):
    """What a policy that says yes or no is told of the world it is in."""

    yes: str | int = 1
    """The item that is answered for yes, by name or number."""
    no: str | int = 0
    """The item that is answered for no."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The two items of a policy that says yes or no."""

    yes: int
    no: int

    @classmethod
    def of(cls, given: YesOrNo, stage: Stage) -> Self:
        """Find the items; raises PolicyLoadError where there is no such item, or both are one."""
        yes, no = (item_number(getattr(given, n), stage, f"policy.settings.{n}") for n in ("yes", "no"))
        if yes == no:
            problem = f"policy.settings: yes and no are both the item {stage.items[yes]!r}."
            raise PolicyLoadError(problem, "Name two items.")
        return cls(yes, no)

    def decide(self, requests: Requests, chance: Floats, **told: Any) -> Decisions:
        """Answer yes with these chances; no where yes cannot be had, else whatever can."""
        if requests.available is not None:
            chance = np.where(requests.available[:, self.yes], chance, 0.0)
        yes: Flags = chance >= 1.0
        by_lot = (chance > 0.0) & ~yes
        if by_lot.any():
            yes = yes | (by_lot & (requests.uniform("cut")[:, 0] < chance))
        slate = np.where(yes, self.yes, self.no)
        if requests.available is not None:
            can = requests.available[np.arange(len(slate)), slate]
            first = np.where(requests.available.any(axis=1), requests.available.argmax(axis=1), NOTHING)
            slate = np.where(can, slate, first)
        return Decisions.of(slate, propensity=np.where(yes, chance, 1.0 - chance), **told)


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cuts of each society and group."""

    at: Floats
    """Shape (replicas, groups)."""
    lot: Floats
    """The chance of a yes at the cut, shape (replicas, groups)."""

    def chance(self, value: Floats, society: Ints, group: Array) -> Floats:
        """Return the chance that each person hears yes."""
        code = np.asarray(group, dtype=np.int64)
        # As float32 on both sides: a value that was written equal to a cut is equal to it.
        x, cut = value.astype(np.float32), self.at.astype(np.float32)[society, code]
        return np.where(x == cut, self.lot[society, code], (x > cut).astype(np.float64))


def by_group(given: float | Mapping[str, float], stage: Stage, path: str) -> Floats:
    """Return a number for each group, shape (groups,); PolicyLoadError for one that is not there."""
    if not isinstance(given, Mapping):
        return np.full(len(stage.groups), float(given))
    for name in given:
        if name not in stage.groups:
            problem = f"{path} names the group {name!r}, which is not there."
            raise PolicyLoadError(problem, did_you_mean(name, stage.groups))
    missing = [name for name in stage.groups if name not in given]
    if missing:
        problem = f"{path} says nothing of the group {missing[0]!r}."
        raise PolicyLoadError(problem, "Give a number for every group, or one for all.")
    return np.array([float(given[name]) for name in stage.groups])


def feature_number(name: str, stage: Stage, path: str = "policy.settings.feature") -> int:
    """Return the position of a feature; raises PolicyLoadError where models see no such feature."""
    if name not in stage.features:
        problem = f"{path} names {name!r}, which no model can see here."
        remedy = f"{did_you_mean(name, stage.features)} Traits are seen that people.visible names."
        raise PolicyLoadError(problem, remedy)
    return stage.features.index(name)


class ThresholdSettings(YesOrNo):
    """Settings of `threshold-v1`."""

    feature: str = "score"
    """What is looked at."""
    at: float | dict[str, float] = 0.0
    """The value from which the answer is yes: one for all, or one for each group."""
    at_cut: Share | dict[str, Share] = 1.0
    """The chance of a yes for those exactly at the cut."""


class Threshold:
    """Yes from a value of a feature on."""

    name = "threshold-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(ThresholdSettings, settings, self.name)
        self._answers = Answers.of(given, stage)
        self._feature, self._place = given.feature, feature_number(given.feature, stage)
        self._replicas = np.sort(stage.replicas)
        each = np.ones((len(self._replicas), 1))
        at, lot = (by_group(getattr(given, n), stage, f"policy.settings.{n}") for n in ("at", "at_cut"))
        self._cuts = Cuts(each * at, each * lot)

    def decide(self, requests: Requests) -> Decisions:
        """Compare each person's feature with the cut of their group."""
        value = requests.features[:, self._place].astype(np.float64)
        society = np.searchsorted(self._replicas, requests.replica)
        chance = self._cuts.chance(value, society.astype(np.int32), requests.group)
        return self._answers.decide(requests, chance, score=value)

    def published(self) -> dict[str, Array]:
        """Return the cut of each society and group."""
        return {f"threshold.{self._feature}": self._cuts.at.copy()}
