"""Bandits: models that learn from each answer what an item is worth, and try what may yet be better.

With s_a the sum of rewards that item a earned in a society and n_a how often it was shown there (`Tally`),
and t the sum of all n_a:

    ucb-v1        argmax of s_a / n_a + √(alpha · ln t / n_a), every item once first
                  (alpha 2: UCB1 of Auer, Cesa-Bianchi and Fischer, Machine Learning 47, 2002)
    thompson-v1   item a with the chance that θ_a is the largest of θ ~ Beta(success + s, failure + n − s)
                  (Thompson 1933; Agrawal and Goyal, "Analysis of Thompson sampling", COLT 2012)

Each society learns alone, between ticks, in the order (replica, user, turn); people of one tick are served by
what was known when it began. UCB1 gives one answer, its propensity is 1. Thompson's chances are worked out
first, by the trapezoidal rule, and the item is drawn by them: the propensity is the chance of drawing it, and
not an estimate of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Flags, Requests, Stage
from rehearse.exact import Floats, exp, log, total
from rehearse.policies.baselines import SlateLength
from rehearse.policies.learners import Ranking, Tally, put_first
from rehearse.policies.picking import drawn, one_hot, open_to
from rehearse.policies.settings import check_k, checked
from rehearse.scenario.base import Positive, Strict

NODES = 40
"""Points for each item at which its posterior is looked at."""
REACH, TAIL = 7.0, 16.0
"""How far they lie from the mode: in standard deviations, and in units of an exponential tail."""
AT_A_TIME = 1 << 20
"""Numbers worked on at once, so that what lies in between stays small; it changes no result."""


class BanditSettings(Strict):
    """What bandits have in common."""

    k: SlateLength = None
    """Items in a slate; those behind the first go by what is known of them."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""


class UpperConfidenceSettings(BanditSettings):
    """Settings of `ucb-v1`."""

    alpha: Positive = 2.0
    """How far the bound lies above the mean: 2 is UCB1; 0.5 explores less."""


class UpperConfidence:
    """The item whose upper confidence bound is highest; of equals the lower number."""

    name = "ucb-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(UpperConfidenceSettings, settings, self.name)
        self._alpha = given.alpha
        self._ranking = Ranking(stage, check_k(given.k, stage), avoid_shown=given.avoid_shown)
        self._tally = Tally(*self._ranking.order.shape)

    def decide(self, requests: Requests) -> Decisions:
        """Give the items with the highest bounds."""
        slate, _ = self._ranking.slates(requests)
        society = self._ranking.society(requests.replica)
        score = self._bounds()[society, np.maximum(slate[:, 0], 0)]
        known = np.where(np.isfinite(score), score, np.nan)
        return Decisions.of(slate, score=known, propensity=1.0, version=self._tally.learned)

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        return one_hot(self._ranking.slates(requests)[0][:, 0], len(requests.items))

    def learn(self, feedback: Feedback) -> None:
        """Add the tick's rewards, in the order of the feedback."""
        self._tally.add(feedback, self._ranking.society)
        self._ranking.by(self._bounds())

    def state(self) -> dict[str, Array]:
        """Return the sums behind the bounds and how often it learned."""
        return self._tally.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._tally.restore(state)
        self._ranking.by(self._bounds())

    def _bounds(self) -> Floats:
        tally = self._tally
        shown = np.maximum(tally.shown, 1)
        turns = np.maximum(tally.shown.sum(axis=1, keepdims=True), 1)
        reach = np.sqrt(self._alpha * log(turns.astype(np.float64)) / shown)
        return np.where(tally.shown > 0, tally.reward / shown + reach, np.inf)


class ThompsonSettings(BanditSettings):
    """Settings of `thompson-v1`."""

    success: Positive = 1.0
    """Pseudo-counts of success that each arm begins with."""
    failure: Positive = 1.0
    """Of what is known before anything was shown: Beta(success, failure)."""


class Thompson:
    """Each item as often as it may be the best; rewards lie between 0 and 1 (others are cut off there)."""

    name = "thompson-v1"
    version = "1"
    foreign = False
    rationales = ("best so far", "exploring")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(ThompsonSettings, settings, self.name)
        k = check_k(self._given.k, stage)
        self._ranking = Ranking(stage, k, avoid_shown=self._given.avoid_shown)
        self._tally = Tally(*self._ranking.order.shape)

    def decide(self, requests: Requests) -> Decisions:
        """Draw the first item by its chance to be the best."""
        chances = self.probabilities(requests)
        slate, _ = self._ranking.slates(requests)
        best = slate[:, 0].copy()
        rows = np.flatnonzero(best >= 0)
        first = best.copy()
        first[rows] = drawn(chances[rows], requests.uniform("thompson")[rows, 0])
        slate = put_first(slate, first)
        place = np.maximum(first, 0)
        society = self._ranking.society(requests.replica)
        return Decisions.of(
            slate,
            score=self._means()[society, place],
            propensity=chances[np.arange(len(first)), place],
            rationale=(first != best).astype(np.int8),
            version=self._tally.learned,
        )

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        can = open_to(requests, avoid_shown=self._given.avoid_shown)
        society = self._ranking.society(requests.replica)
        keys = np.column_stack(
            [society.astype("<i4").view(np.uint8).reshape(-1, 4), np.packbits(can, axis=1)]
        )
        _, first, which = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        success, failure = self._posterior()
        some = society[first]
        return best_of(success[some], failure[some], can[first])[which.reshape(-1)]

    def learn(self, feedback: Feedback) -> None:
        """Add the tick's rewards, in the order of the feedback."""
        within = np.clip(feedback.reward, 0.0, 1.0)
        self._tally.add(replace(feedback, reward=within), self._ranking.society)
        self._ranking.by(self._means())

    def state(self) -> dict[str, Array]:
        """Return the sums behind the posteriors and how often it learned."""
        return self._tally.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._tally.restore(state)
        self._ranking.by(self._means())

    def _posterior(self) -> tuple[Floats, Floats]:
        tally = self._tally
        return self._given.success + tally.reward, self._given.failure + (tally.shown - tally.reward)

    def _means(self) -> Floats:
        success, failure = self._posterior()
        return success / (success + failure)


def best_of(success: Floats, failure: Floats, can: Flags) -> Floats:
    """Return the chance of each of m beta variables to be the largest of those that count: (n, m).

    All three have shape (n, m). Where none counts the chances are 0.
    """
    step = max(AT_A_TIME // (NODES * success.shape[1] ** 2), 1)
    parts = [slice(start, start + step) for start in range(0, len(success), step)]
    return np.concatenate([_best_of(success[p], failure[p], can[p]) for p in parts]) if parts else success


def _best_of(a: Floats, b: Floats, can: Flags) -> Floats:
    # On the scale of log-odds t the density is σ(t)^a σ(−t)^b: smooth, with its mode at ln(a / b).
    mode, spread = log(a) - log(b), np.sqrt(1.0 / a + 1.0 / b)
    low = mode - np.maximum(REACH * spread, TAIL / a)
    high = mode + np.maximum(REACH * spread, TAIL / b)
    ladder = np.arange(NODES) / (NODES - 1.0)
    nodes = (low[:, :, None] + (high - low)[:, :, None] * ladder).reshape(len(a), -1)
    nodes.sort(axis=1)
    mass, below = _masses(a, b, mode, nodes)
    mass = np.where(can[:, :, None], mass, 0.0)
    below = np.where(can[:, :, None], below, 1.0)
    chance = total(mass * _others(below))
    return np.asarray(chance / np.maximum(total(chance), 1e-300)[:, None])


def _masses(a: Floats, b: Floats, mode: Floats, nodes: Floats) -> tuple[Floats, Floats]:
    """Return what of each density lies between nodes, and what below the middle of it: (n, m, nodes − 1)."""
    up, down = _log_sigmoids(nodes)
    top_up, top_down = _log_sigmoids(mode)
    level = a[:, :, None] * (up[:, None] - top_up[:, :, None])
    level += b[:, :, None] * (down[:, None] - top_down[:, :, None])
    density = exp(level)
    mass = 0.5 * (density[:, :, 1:] + density[:, :, :-1]) * np.diff(nodes, axis=1)[:, None]
    ends = np.cumsum(mass, axis=2)
    whole = ends[:, :, -1:]
    return mass / whole, (ends - 0.5 * mass) / whole


def _log_sigmoids(t: Floats) -> tuple[Floats, Floats]:
    """Return ln σ(t) and ln σ(−t)."""
    rest = log(1.0 + exp(-np.abs(t)))
    return np.minimum(t, 0.0) - rest, np.minimum(-t, 0.0) - rest


def _others(below: Floats) -> Floats:
    """Return the product over all other rows of the second axis."""
    before, after = np.ones_like(below), np.ones_like(below)
    np.cumprod(below[:, :-1], axis=1, out=before[:, 1:])
    np.cumprod(below[:, :0:-1], axis=1, out=after[:, -2::-1])
    return before * after
