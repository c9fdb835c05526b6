"""Cuts that are learned: the most useful ones, freely or under a condition of fairness.

Values of the feature are told apart on a grid v_0 < … < v_K. Of each society and group there is known
how many applied at each value, m_k, and the chance p_k that a yes turns out well, estimated from the
labels seen there, or stated. A yes to those at v_k is then worth

    U_k = m_k · (p_k · gain − (1 − p_k) · loss)

    max-utility          each group's cut c maximises Σ_{k ≥ c} U_k (or one cut that of all groups)
    equal-opportunity    the same share of those who would turn out well hears yes in every group,
                         Σ_{k ≥ c} m_k p_k / Σ m_k p_k (Hardt, Price and Srebro 2016)
    demographic-parity   the same share of all hears yes in every group, Σ_{k ≥ c} m_k / Σ m_k

Between two cuts a group is served by lot at the lower one, so that shares can be the same to the last
digit; each group's utility is then a broken line over the share, and the best common share is one of its
corners. ml-fairness-gym takes the convex hull of the line instead, which is the same where p ascends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Ints, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.exact import Floats
from rehearse.policies.cuts import Answers, Cuts, YesOrNo, by_group, feature_number
from rehearse.policies.learners import LAST_VERSION
from rehearse.policies.settings import checked
from rehearse.scenario.base import NotNegative, Positive, Share, Strict

Rule = Literal["max-utility", "equal-opportunity", "demographic-parity"]
MOST_VALUES = 100_000
ROUNDING = 2.0**-22


class Grid(Strict):
    """The values that are told apart: low, low + step, … up to high."""

    low: float
    """The first value."""
    high: float
    """The last value."""
    step: Positive
    """From one to the next."""

    @model_validator(mode="after")
    def _some_values(self) -> Self:
        if not 0.0 < self.high - self.low <= self.step * MOST_VALUES:
            problem = f"{self.low:g} to {self.high:g} by {self.step:g} are no values, or too many"
            raise ValueError(problem)
        return self

    @property
    def values(self) -> Floats:
        """Return the values, ascending."""
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        return np.asarray(self.low + self.step * np.arange(count), dtype=np.float64)

    def places(self, value: Floats) -> Ints:
        """Return the place of the value that each number reaches; the ends hold what lies beyond."""
        # What is shown has 32 bits: it may lie a little below the value that it was meant to reach.
        slack = ROUNDING * max(abs(self.low), abs(self.high))
        place = np.searchsorted(self.values, value + slack, side="right") - 1
        return np.clip(place, 0, len(self.values) - 1).astype(np.int32)


class FairSettings(YesOrNo):
    """Settings of `max-utility-v1`, `equal-opportunity-v1` and `demographic-parity-v1`."""

    feature: str = "score"
    """The feature that holds the score."""
    grid: Grid
    gain: Positive = 1.0
    """What a yes that turns out well is worth."""
    loss: NotNegative = 1.0
    """What one that does not costs."""
    chances: tuple[Share, ...] | dict[str, tuple[Share, ...]] | None = None
    """The chance that a yes turns out well at each value of the grid, for all or by group: an oracle's
    knowledge. None: learned from labels."""
    prior: Share = 0.5
    """The chance before any label was seen."""
    prior_weight: Positive = 1.0
    """How many labels the prior counts for, at each value."""
    pooled: bool = False
    """One cut for all groups (`max-utility-v1` alone)."""
    burn_in: Annotated[int, Field(ge=0)] = 1
    """Ticks in which everybody hears yes; the first cut is learned from them."""
    every: Annotated[int, Field(ge=1)] = 1
    """Ticks between two trainings."""
    stops: Annotated[int, Field(ge=0)] | None = None
    """After so many trainings the cuts stay; None: never."""
    keep: Share = 1.0
    """What is left of a turn's weight after a tick: 1 learns from all, 0 from the last tick alone."""
    margin: float | dict[str, float] = 0.0
    """Added to the learned cuts: one for all, or one for each group."""
    explore: Share = 0.0
    """The chance of a yes below the cut, so that labels are seen there too."""


class Learned:
    """What all policies with learned cuts have in common."""

    rule: ClassVar[Rule]
    name: str
    version = "1"
    foreign = False
    rationales = ("burning in", "by the cut")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(FairSettings, settings, self.name)
        self._settings, self._answers = given, Answers.of(given, stage)
        self._feature, self._place = given.feature, feature_number(given.feature, stage)
        if given.pooled and self.rule != "max-utility":
            problem = f"policy.settings.pooled: {self.name} has a cut for each group."
            raise PolicyLoadError(problem, "Leave it out, or use max-utility-v1.")
        self._replicas = np.sort(stage.replicas)
        self._values = given.grid.values
        self._known = _stated(given, stage, len(self._values))
        self._margin = by_group(given.margin, stage, "policy.settings.margin")
        shape = (len(self._replicas), len(stage.groups))
        self._counts = {name: np.zeros((*shape, len(self._values))) for name in ("applied", "seen", "well")}
        self._at, self._lot = np.full(shape, -np.inf), np.ones(shape)
        self._clock = np.zeros(2, dtype=np.int64)
        """Ticks that have passed, and trainings."""

    def decide(self, requests: Requests) -> Decisions:
        """Say yes from the cut of the person's group on."""
        value = requests.features[:, self._place].astype(np.float64)
        society = np.searchsorted(self._replicas, requests.replica).astype(np.int32)
        margin = self._margin[np.asarray(requests.group, dtype=np.int64)]
        reached = self._values.take(self._settings.grid.places(value - margin))
        by_cut = Cuts(self._at, self._lot).chance(reached, society, requests.group)
        chance = np.maximum(by_cut, self._settings.explore)
        trained = int(self._clock[1])
        return self._answers.decide(
            requests, chance, score=value, version=min(trained, LAST_VERSION), rationale=int(trained > 0)
        )

    def learn(self, feedback: Feedback) -> None:
        """Count who applied and what came out, and set the cuts anew where it is time."""
        given = self._settings
        self._counts = {name: counts * given.keep for name, counts in self._counts.items()}
        self._count(feedback)
        self._clock[0] += 1
        ticks, trained = self._clock.tolist()
        done = given.stops is not None and trained >= given.stops
        if not done and ticks >= given.burn_in and (ticks - given.burn_in) % given.every == 0:
            self._train()
            self._clock[1] += 1

    def published(self) -> dict[str, Array]:
        """Return the cut of each society and group; nothing while everybody hears yes."""
        return {f"threshold.{self._feature}": self._at + self._margin} if self._clock[1] else {}

    def state(self) -> dict[str, Array]:
        """Return the counts, the cuts, and how often it learned."""
        kept = {**self._counts, "at": self._at, "lot": self._lot, "clock": self._clock}
        return {name: array.copy() for name, array in kept.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._counts = {name: np.array(state[name], dtype=np.float64) for name in self._counts}
        self._at, self._lot = (np.array(state[name], dtype=np.float64) for name in ("at", "lot"))
        self._clock = np.array(state["clock"], dtype=np.int64)

    def _count(self, feedback: Feedback) -> None:
        if not len(feedback.user):
            return
        value = feedback.features[:, self._place].astype(np.float64)
        society = np.searchsorted(self._replicas, feedback.replica)
        cell = society, np.asarray(feedback.group, np.int64), self._settings.grid.places(value)
        label = np.full(len(value), -1) if feedback.label is None else feedback.label
        weights = {"applied": np.ones(len(value)), "seen": label >= 0, "well": label == 1}
        for name, weight in weights.items():
            np.add.at(self._counts[name], cell, np.asarray(weight, dtype=np.float64))

    def _train(self) -> None:
        given, counts = self._settings, self._counts
        learned = (counts["well"] + given.prior_weight * given.prior) / (counts["seen"] + given.prior_weight)
        chance = learned if self._known is None else np.broadcast_to(self._known, learned.shape)
        worth = counts["applied"] * (chance * given.gain - (1.0 - chance) * given.loss)
        if self.rule == "max-utility":
            summed = worth.sum(axis=1, keepdims=True) if given.pooled else worth
            place: Ints = np.broadcast_to(_best(summed), self._at.shape)
            lot: Floats = np.ones(self._at.shape)
        else:
            weight = counts["applied"] * (chance if self.rule == "equal-opportunity" else 1.0)
            pairs = [_fair(w, u) for w, u in zip(weight, worth, strict=True)]
            place, lot = np.stack([p for p, _ in pairs]), np.stack([q for _, q in pairs])
        cuts = np.append(self._values, np.inf)
        self._at, self._lot = cuts.take(place), np.array(lot, dtype=np.float64)


class MaxUtility(Learned):
    """The cuts that are worth most, by group or one for all."""

    name = "max-utility-v1"
    rule = "max-utility"


class EqualOpportunity(Learned):
    """The most useful cuts by which the same share of those who would turn out well hears yes."""

    name = "equal-opportunity-v1"
    rule = "equal-opportunity"


class DemographicParity(Learned):
    """The most useful cuts by which the same share of every group hears yes."""

    name = "demographic-parity-v1"
    rule = "demographic-parity"


def _from_above(values: Floats) -> Floats:
    """Return Σ_{k ≥ c} for c = K + 1 (none), K, …, 0, along the last axis."""
    none = np.zeros((*values.shape[:-1], 1))
    return np.concatenate([none, np.cumsum(values[..., ::-1], axis=-1)], axis=-1)


def _best(worth: Floats) -> Ints:
    """Return the place of the best cut; of cuts that are as good the lowest."""
    sums = _from_above(worth)[..., ::-1]
    return np.asarray(sums.argmax(axis=-1), dtype=np.int32)


def _fair(weight: Floats, worth: Floats) -> tuple[Ints, Floats]:
    """Return the place of each group's cut and the chance at it, all groups having the best common share.

    Both arguments have a row a group. A group of which nothing is known hears yes.
    """
    groups, places = weight.shape
    whole = weight.sum(axis=1)
    there = np.flatnonzero(whole > 0.0)
    share = np.minimum(_from_above(weight[there]) / whole[there, None], 1.0)
    share[:, -1] = 1.0  # the same number for all groups, whatever their sums were rounded to
    useful = _from_above(worth[there])
    corners = np.unique(share)
    lines = [_line(corners, s, u) for s, u in zip(share, useful, strict=True)]
    together = np.zeros(len(corners))
    for line in lines:
        together += line
    place, lot = np.zeros(groups, dtype=np.int32), np.ones(groups)
    if not len(there):
        return place, lot
    best = float(corners[len(corners) - 1 - together[::-1].argmax()])
    for group, each in zip(there.tolist(), share, strict=True):
        step = int(np.searchsorted(each, best, side="left"))
        place[group] = places - step
        if step > 0:
            lot[group] = (best - each[step - 1]) / (each[step] - each[step - 1])
    return place, lot


def _line(at: Floats, x: Floats, y: Floats) -> Floats:
    """Return the broken line through points with ascending x at some places; of equal x the first counts."""
    after = np.minimum(np.searchsorted(x, at, side="left"), len(x) - 1)
    before = np.maximum(after - 1, 0)
    gap = x[after] - x[before]
    part = np.where(gap > 0.0, (at - x[before]) / np.where(gap > 0.0, gap, 1.0), 1.0)
    return np.asarray(y[before] + part * (y[after] - y[before]))


def _stated(given: FairSettings, stage: Stage, values: int) -> Floats | None:
    if given.chances is None:
        return None
    rows = given.chances if isinstance(given.chances, dict) else dict.fromkeys(stage.groups, given.chances)
    if set(rows) != set(stage.groups) or any(len(row) != values for row in rows.values()):
        problem = f"policy.settings.chances need {values} numbers, one a value of the grid (for each group)."
        raise PolicyLoadError(problem, f"The groups are {', '.join(stage.groups)}.")
    return np.array([rows[name] for name in stage.groups], dtype=np.float64)
