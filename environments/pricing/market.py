"""A market of sellers with logit demand: shares, profits, and the prices that theory names.

With a_i the quality of seller i's product, c_i its cost, p_i its price, a_0 the worth of buying
nothing and μ how much products differ in the eyes of buyers (all in units of money, for one buyer):

    share    q_i = e^((a_i − p_i)/μ) / (e^(a_0/μ) + Σ_j e^((a_j − p_j)/μ))
    profit   π_i = (p_i − c_i) · q_i

A seller alone best sets p = c + m with m = μ / (1 − q): x = m/μ solves x = 1 + k · e^−x, with k the
weight of its product at cost over the weight of all else. Newton's method finds it, from the left.
Nash prices are best replies to one another; the joint maximum adds one and the same m to all costs,
where 1 − q is the share of those who buy nothing. The market is that of Calvano, Calzolari, Denicolò
and Pastorello, "Artificial intelligence, algorithmic pricing, and collusion", AER 110 (2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rehearse.errors import UserError
from rehearse.exact import Floats, exp, log, total

STEPS = 10_000
CLOSE = 1e-14


@dataclass(frozen=True, slots=True)
class LogitMarket:
    """Sellers and the buyers between them; a seller is a position in `quality` and `cost`.

    Raises UserError where the two differ in length, or `scale` is not above 0. The defaults are the
    duopoly of Calvano and others.
    """

    quality: tuple[float, ...] = (2.0, 2.0)
    """What each product is worth to a buyer, in units of money."""
    cost: tuple[float, ...] = (1.0, 1.0)
    """What a unit costs each seller."""
    outside: float = 0.0
    """What buying nothing is worth."""
    scale: float = 0.25
    """μ: the larger, the less prices decide."""

    def __post_init__(self) -> None:
        """Refuse a market that cannot be."""
        if not self.quality or len(self.quality) != len(self.cost) or self.scale <= 0.0:
            found = f"{len(self.quality)} qualities, {len(self.cost)} costs and a scale of {self.scale:g}"
            problem = f"a market was asked for with {found}."
            raise UserError(problem, "Give each seller a quality and a cost, and a scale above 0.")

    def __len__(self) -> int:
        """Return the number of sellers."""
        return len(self.quality)

    def demand(self, prices: ArrayLike) -> Floats:
        """Return each seller's share of the buyers at prices (…, sellers); the rest buy nothing."""
        worth = (np.asarray(self.quality) - np.asarray(prices, dtype=np.float64)) / self.scale
        nothing = np.full((*worth.shape[:-1], 1), self.outside / self.scale)
        utility = np.concatenate([worth, nothing], axis=-1)
        weight = exp(utility - utility.max(axis=-1, keepdims=True))
        return np.asarray(weight[..., :-1] / total(weight)[..., None])

    def profits(self, prices: ArrayLike) -> Floats:
        """Return each seller's profit for each buyer at prices (…, sellers), in units of money."""
        margin = np.asarray(prices, dtype=np.float64) - np.asarray(self.cost)
        return np.asarray(margin * self.demand(prices))

    def best_replies(self, prices: ArrayLike) -> Floats:
        """Return the price that is best for each seller if all others keep theirs: shape (sellers,)."""
        given = np.asarray(prices, dtype=np.float64)
        utility = np.append(np.asarray(self.quality) - given, self.outside) / self.scale
        others = np.tile(utility, (len(self), 1))
        np.fill_diagonal(others, -np.inf)
        margin = self._margin(self._at_cost() - _log_of_sum(others))
        return np.asarray(np.asarray(self.cost) + margin)

    def nash(self) -> Floats:
        """Return the prices at which each is the best reply to the others, by best-response dynamics."""
        prices = np.asarray(self.cost, dtype=np.float64)
        for _ in range(STEPS):
            before, prices = prices, self.best_replies(prices)
            if np.abs(prices - before).max() < CLOSE:
                break
        return prices

    def monopoly(self) -> Floats:
        """Return the prices that make the sum of all profits largest."""
        weight = _log_of_sum(self._at_cost()[None]) - self.outside / self.scale
        return np.asarray(np.asarray(self.cost) + self._margin(weight))

    def grid(self, count: int = 15, beyond: float = 0.1) -> Floats:
        """Return each seller's prices to choose from, ascending: shape (sellers, count).

        They lie at equal distances from below its Nash price to above its monopoly price, by `beyond`
        times the distance of the two.
        """
        low, high = self.nash(), self.monopoly()
        reach = beyond * (high - low)
        steps = np.arange(count) / max(count - 1, 1)
        return np.asarray((low - reach)[:, None] + (high - low + 2.0 * reach)[:, None] * steps)

    def _at_cost(self) -> Floats:
        return np.asarray((np.asarray(self.quality) - np.asarray(self.cost)) / self.scale)

    def _margin(self, log_weight: Floats) -> Floats:
        """Return m = μx with x = 1 + e^(log_weight − x)."""
        x = np.ones_like(log_weight)
        for _ in range(STEPS):
            pull = exp(log_weight - x)
            step = (x - 1.0 - pull) / (1.0 + pull)
            x = x - step
            if np.abs(step).max() < CLOSE:
                break
        return np.asarray(self.scale * x)


def _log_of_sum(utility: Floats) -> Floats:
    """Return ln Σ e^u over the last axis."""
    best = utility.max(axis=-1, keepdims=True)
    weights = np.where(np.isneginf(utility), 0.0, exp(np.maximum(utility, -1e300) - best))
    return np.asarray(best[..., 0] + log(total(weights)))
