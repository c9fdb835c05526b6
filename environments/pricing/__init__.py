"""The world `pricing-v1`: buyers, prices, rivals and stock; and markets of sellers that learn.

LogitMarket    sellers and one mass of buyers: shares, profits, Nash and monopoly prices
learn          sessions of sellers that all learn by Q-learning in such a market, to rest
world          the world that a pricing model is rehearsed in
"""

from __future__ import annotations

from rehearse.environments.pricing.learning import QLearning, Sessions, learn
from rehearse.environments.pricing.market import LogitMarket

__all__ = ["LogitMarket", "QLearning", "Sessions", "learn"]
