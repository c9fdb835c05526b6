"""Where to send whom: uniformly, in proportion to what is known of each place, or where most is gained.

What was found at a place is censored: with a inspectors there at most a incidents are seen. With s seen in
a tick, the likelihood of a rate r is Poisson(s; r) where s < a, and P(Y ≥ a; r) where s = a. The estimate
of each place is the r at which the score, which falls with r, is 0:

    −N + S / r + Σ p(a − 1; r) / P(Y ≥ a; r) = 0          N, S: ticks and finds that were not full

    uniform         each inspector to any place
    proportional    to place k with chance in proportion to its estimate; with `epsilon` to any
    greedy          one inspector after another to where P(Y_k ≥ a_k + 1) is largest; with `alpha` below 1
                    the allocation that finds most among those in which the shares found of two places
                    differ by `alpha` at most (Elzayn and others 2019)

As in D'Amour and others (2020): estimates from the last `window` ticks, anew every `refit` ticks, and
uniform for the first `burn`. Each society is learned apart. It works in worlds that tell what was seen at
each place by a feature `seen_PLACE`, such as sites, and is refused in others.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse import exact
from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Ints, Requests, Stage
from rehearse.errors import PolicyLoadError
from rehearse.exact import Floats
from rehearse.policies.picking import had
from rehearse.policies.settings import checked
from rehearse.scenario.base import Share, Strict

Counts = NDArray[np.int64]
LAST_VERSION = 32767
HALVINGS = 50
FLAT = 1e-3
"""A slope of the log-likelihood below this is none."""
MOST_PLANS = 200_000
"""So many allocations are looked through for a fair one."""


class AllocationSettings(Strict):
    """Settings of `allocation-v1`."""

    rule: Literal["uniform", "proportional", "greedy"] = "greedy"
    """Equal shares, shares as incidents were seen, or all where the estimate is highest."""
    epsilon: Share = 0.0
    """The chance that an inspector is sent to any place instead."""
    alpha: Share = 1.0
    """How far the shares found of two places may differ, as estimated (greedy)."""
    window: int = Field(default=100, ge=1)
    """Ticks that an estimate looks back."""
    refit: int = Field(default=10, ge=1)
    """Ticks between two estimates."""
    burn: int = Field(default=25, ge=0)
    """Ticks before the first estimate, in which everybody is sent anywhere."""


class Allocation:
    """Sends inspectors to places, and learns from what they find there and from nothing else."""

    name = "allocation-v1"
    version = "1"
    foreign = False
    rationales = ("by rule", "anywhere")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        self._given = checked(AllocationSettings, settings, self.name)
        _must_be_places(stage)
        self._replicas = np.sort(stage.replicas)
        self._m = len(stage.items)
        shape = (len(self._replicas), self._m)
        self._sent = np.zeros((0, *shape), dtype=np.int64)
        self._found = np.zeros((0, *shape), dtype=np.int64)
        self._plan = np.zeros(shape, dtype=np.int64)
        self._learned = 0
        self.estimates: Floats = np.zeros(shape)
        """The rate of each place as estimated, shape (societies, places); 0 before the first estimate."""

    def decide(self, requests: Requests) -> Decisions:
        """Send each inspector somewhere."""
        u = requests.uniform("allocation", 2)
        society = np.searchsorted(self._replicas, requests.replica)
        epsilon = self._epsilon()
        anywhere = u[:, 0] < epsilon
        chances = self._chances(society, requests.user)
        item = np.where(anywhere, (u[:, 1] * self._m).astype(np.int32), _drawn(chances, u[:, 1]))
        item = had(item.astype(np.int32), requests.available)
        at = np.maximum(item, 0)[:, None]
        return Decisions.of(
            item,
            score=self.estimates[society, at[:, 0]],
            propensity=epsilon / self._m + (1.0 - epsilon) * np.take_along_axis(chances, at, axis=1)[:, 0],
            rationale=anywhere.astype(np.int8),
            version=min(self._learned, LAST_VERSION),
        )

    def learn(self, feedback: Feedback) -> None:
        """Count who was sent where and what they found; estimate and plan anew when it is time."""
        society = np.searchsorted(self._replicas, feedback.replica)
        took = feedback.choice >= 0
        cell = society[took] * self._m + feedback.choice[took]
        found = cell[feedback.reward[took] > 0.0]
        shape = (1, len(self._replicas), self._m)
        counted = [np.bincount(c, minlength=shape[1] * shape[2]).reshape(shape) for c in (cell, found)]
        keep = slice(-self._given.window, None)
        self._sent = np.concatenate([self._sent, counted[0]])[keep]
        self._found = np.concatenate([self._found, counted[1]])[keep]
        self._learned += 1
        if self._learned >= self._given.burn and self._learned % self._given.refit == 0:
            self._estimate()
        if self._given.rule == "greedy" and self.estimates.any():
            units = counted[0][0].sum(axis=1)
            self._plan_for(units)

    def state(self) -> dict[str, Array]:
        """Return what was seen, the estimates, the plan (a row a society) and how often it learned."""
        return {
            "sent": self._sent.swapaxes(0, 1).copy(),
            "found": self._found.swapaxes(0, 1).copy(),
            "estimates": self.estimates.copy(),
            "plan": self._plan.copy(),
            "learned": np.array([self._learned]),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._sent = np.array(state["sent"], dtype=np.int64).swapaxes(0, 1)
        self._found = np.array(state["found"], dtype=np.int64).swapaxes(0, 1)
        self.estimates = np.array(state["estimates"], dtype=np.float64)
        self._plan = np.array(state["plan"], dtype=np.int64)
        self._learned = int(np.asarray(state["learned"], dtype=np.int64)[0])

    def _epsilon(self) -> float:
        uninformed = self._given.rule == "uniform" or not self.estimates.any()
        return 1.0 if uninformed else self._given.epsilon

    def _chances(self, society: Counts, user: Counts) -> Floats:
        """Return how likely the rule sends each inspector to each place, shape (n, m)."""
        if self._given.rule == "greedy":
            plan = self._plan[society]
            units = np.maximum(plan.sum(axis=1), 1)
            ends = np.cumsum(plan, axis=1)
            number = (user % units)[:, None]
            return np.asarray((number < ends) & (number >= ends - plan), dtype=np.float64)
        rate = self.estimates[society]
        whole = exact.total(rate)[:, None]
        return np.asarray(np.where(whole > 0.0, rate / np.maximum(whole, 1e-300), 1.0 / self._m))

    def _estimate(self) -> None:
        self.estimates = censored_rates(self._sent, self._found)

    def _plan_for(self, units: Counts) -> None:
        for place, count in enumerate(units.tolist()):
            self._plan[place] = allocation(self.estimates[place], count, self._given.alpha)


def _must_be_places(stage: Stage) -> None:
    unseen = [item for item in stage.items if f"seen_{item}" not in stage.features]
    if unseen:
        problem = f"allocation-v1 looks at places, and {unseen[0]!r} is none: nothing is seen of it."
        raise PolicyLoadError(problem, "Use it in a world of sites: triage-v1 with kind: sites.")


def censored_rates(sent: Counts, found: Counts) -> Floats:
    """Return the most likely rates given who was sent and what was found, shape (ticks, …) to (…).

    A place that was never looked at has rate 0. Where a place was full whenever it was looked at, no rate
    is too large; it has the one from which on the data do not tell larger ones apart (FLAT).
    """
    most = int(sent.max(initial=0))
    open_ended = (sent > 0) & (found < sent)
    number, total = open_ended.sum(axis=0), np.where(open_ended, found, 0).sum(axis=0)
    full = np.stack([((sent == a) & (found == a)).sum(axis=0) for a in range(1, most + 1)] or [number * 0])
    low, high = np.zeros(number.shape), np.full(number.shape, 10.0 * (most + 2.0))
    for _ in range(HALVINGS):
        rate = (low + high) / 2.0
        up = _score(rate, number, total, full) > FLAT
        low, high = np.where(up, rate, low), np.where(up, high, rate)
    return np.where(sent.any(axis=0), (low + high) / 2.0, 0.0)


def _score(rate: Floats, number: Counts, total: Counts, full: Counts) -> Floats:
    """Return the slope of the log-likelihood at a rate above 0."""
    score = total / rate - number
    term, tail = exact.exp(-rate), np.ones(rate.shape)
    for a, count in enumerate(full, start=1):
        tail = tail - term  # P(Y ≥ a), while term is p(a − 1)
        # Far below, where the difference is lost, P(Y ≥ a) is p(a) = p(a − 1) · rate / a and little more.
        hazard = np.where(tail > 1e-9, term / np.maximum(tail, 1e-300), a / rate)
        score = score + count * hazard
        term = term * rate / a
    return score


def allocation(rate: Floats, units: int, alpha: float = 1.0) -> Counts:
    """Return how many of some inspectors to send to each place, shape (m,), to find most.

    With `alpha` below 1, the shares found (expected, of the rate) of two places differ by that at most;
    where no allocation keeps to it, the one that comes nearest. Raises PolicyLoadError where there are
    too many allocations to look through.
    """
    m = len(rate)
    reach = _reach(rate, units)
    if alpha >= 1.0:
        plan = np.zeros(m, dtype=np.int64)
        for _ in range(units):
            plan[np.argmax(reach[np.arange(m), plan])] += 1
        return plan
    if comb(units + m - 1, m - 1) > MOST_PLANS:
        problem = (
            f"policy.settings.alpha is {alpha:g}: {units} inspectors and {m} places are too many for it."
        )
        raise PolicyLoadError(problem, "Leave alpha out, or have fewer of them.")
    plans = _plans(units, m)
    found = np.concatenate([np.zeros((m, 1)), np.cumsum(reach, axis=1)], axis=1)
    each = found[np.arange(m), plans]
    share = each / np.maximum(rate, 1e-300)
    spread = share.max(axis=1) - share.min(axis=1)
    fair = spread <= max(alpha, float(spread.min()))
    best: Counts = plans[np.argmax(np.where(fair, each.sum(axis=1), -1.0))]
    return best


def _reach(rate: Floats, units: int) -> Floats:
    """Return P(Y_k ≥ a) for a = 1, … of each place, shape (m, units + 1)."""
    tails, term = np.empty((len(rate), units + 1)), exact.exp(-rate)
    tail = np.ones(len(rate))
    for a in range(1, units + 2):
        tail = np.maximum(tail - term, 0.0)
        tails[:, a - 1] = tail
        term = term * rate / a
    return tails


def _plans(units: int, places: int) -> Counts:
    """Return every way to send some inspectors to places, shape (ways, places)."""
    bars = np.array(list(combinations(range(units + places - 1), places - 1)), dtype=np.int64)
    bars = bars.reshape(comb(units + places - 1, places - 1), places - 1)
    ends = np.full((len(bars), 1), units + places - 1)
    edges = np.concatenate([np.full((len(bars), 1), -1), bars, ends], axis=1)
    return np.diff(edges, axis=1) - 1


def _drawn(chances: Floats, u: Floats) -> Ints:
    """Return the place into whose part of [0, 1) each draw falls; the last possible one at the very end."""
    beyond = np.cumsum(chances, axis=1) > u[:, None]
    last = chances.shape[1] - 1 - np.argmax(chances[:, ::-1] > 0.0, axis=1)
    return np.asarray(np.where(beyond.any(axis=1), beyond.argmax(axis=1), last), dtype=np.int32)
