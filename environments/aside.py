"""What an item is worth to one person beside taste · attributes, and how much of it the person knows.

With μ_pi = Σ_a β_pa x_ia the worth by tastes,

    beta      u_pi ~ Beta′(μ_pi, sd)         a beta variable with this mean and standard deviation
    normal    u_pi ~ N(μ_pi, sd)
    known     v_pi = k_pi · u_pi             k_pi ~ Beta′(mean, sd), what the person expects

as Chaney, Stewart and Engelhardt draw true and known utilities ("How algorithmic confounding in
recommendation systems increases homogeneity and decreases utility", RecSys 2018). Every pair of a person
and an item has draws of its own, for good: where tastes move, the worth moves with them. A beta variable
lies between 0 and 1, and μ is held 10 sd² away from either: with less room there is no such variable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from rehearse.columns import Array
from rehearse.contract import Turn
from rehearse.environments.gammas import Pairs, beta
from rehearse.environments.scores import utilities
from rehearse.exact import Floats, normal_from_uniform
from rehearse.scenario.base import NotNegative, Share, Strict

ROOM = 10.0
LAW = "world/utility"


class Known(Strict):
    """What part of an item's worth people know before they take it."""

    mean: Share = 1.0
    """The mean part, 0 to 1."""
    sd: Annotated[float, Field(ge=0.0, le=0.15)] = 0.0
    """Its standard deviation."""


class Utility(Strict):
    """How worth differs from what tastes say, for each person and item; up to 32 bytes for each pair."""

    law: Literal["beta", "normal"] = "normal"
    """`normal`: added to what tastes say; `beta`: a share of it."""
    sd: NotNegative = 0.0
    """Standard deviation; with `beta` at most .15."""
    known: Known = Known()


class Aside:
    """What is worked out for some people, kept until their tastes or the items change."""

    def __init__(self, law: Utility) -> None:
        self._law = law
        self._table: Array | None = None
        self._tastes = np.zeros((0, 0))
        self._true = self._beside = np.zeros((0, 0))
        self._luck: dict[str, Floats] = {}
        """What is drawn for pairs whatever tastes are, by purpose; NaN where it is not drawn yet."""

    def of(self, turn: Turn, tastes: Floats, table: Floats) -> tuple[Floats, Floats]:
        """Return true utilities, and what people expect beside taste · attributes: (n, m) each."""
        self._keep(int(turn.rows.max(initial=-1)) + 1, table)
        old = np.flatnonzero((self._tastes.take(turn.rows, axis=0) != tastes).any(axis=1))
        if len(old):
            some = turn.take(old)
            by_taste = utilities(tastes.take(old, axis=0), table)
            true = self._worth(some, by_taste)
            self._tastes[some.rows] = tastes.take(old, axis=0)
            self._true[some.rows] = true
            self._beside[some.rows] = true * self._share(some) - by_taste
        return self._true.take(turn.rows, axis=0), self._beside.take(turn.rows, axis=0)

    def _keep(self, size: int, table: Floats) -> None:
        if size > len(self._tastes):
            self._luck = {}
        if self._table is not table or size > len(self._tastes):
            self._table = table
            self._tastes = np.full((size, table.shape[1]), np.nan)
            self._true, self._beside = np.empty((size, len(table))), np.empty((size, len(table)))

    def _worth(self, turn: Turn, mean: Floats) -> Floats:
        sd = self._law.sd
        if sd == 0.0:
            return mean
        if self._law.law == "normal":
            return mean + sd * self._drawn("normal", turn, lambda p: normal_from_uniform(p.uniform(LAW)))
        drawn = _beta_prime(_pairs(turn, mean.shape[1]), LAW, mean.reshape(-1), sd)
        return drawn.reshape(mean.shape)

    def _share(self, turn: Turn) -> Floats | float:
        known = self._law.known
        if known.sd == 0.0:
            return known.mean
        return self._drawn(
            "known",
            turn,
            lambda p: _beta_prime(p, "world/known", np.full(len(p.user), known.mean), known.sd),
        )

    def _drawn(self, name: str, turn: Turn, draw: Callable[[Pairs], Floats]) -> Floats:
        """Return what these people draw for every item, once for good."""
        shape = self._true.shape
        luck = self._luck.setdefault(name, np.full(shape, np.nan))
        new = np.flatnonzero(np.isnan(luck[turn.rows, 0]))
        if len(new):
            luck[turn.rows[new]] = draw(_pairs(turn.take(new), shape[1])).reshape(len(new), shape[1])
        return luck.take(turn.rows, axis=0)


def _pairs(turn: Turn, items: int) -> Pairs:
    replica, user = np.repeat(turn.replica, items), np.repeat(turn.user, items)
    return Pairs(turn.chance, replica, user, np.tile(np.arange(items), len(turn)))


def _beta_prime(pairs: Pairs, purpose: str, mean: Floats, sd: float) -> Floats:
    """Return beta variables with these means and standard deviation."""
    room = ROOM * sd * sd
    middle = np.clip(mean, room, 1.0 - room)
    whole = middle * (1.0 - middle) / (sd * sd) - 1.0
    return beta(pairs, purpose, middle * whole, (1.0 - middle) * whole)
