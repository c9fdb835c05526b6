"""Five models, each with a defect planted in one corner of what they may meet; elsewhere they do well.

They are yardsticks for `rehearse search`: the scenarios beside this file pass as they are written, and the
ranges under `search:` hold the corner in which the model breaks.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from rehearse.dialogue import menu
from rehearse.policies.assistants import SlotFilling

RULES = SimpleNamespace(enough=3, questions=8)


def lender(requests):
    """Grant from a score of 480 on, but to nobody young who earns little and scores high.

    Such people were not among those that it was trained on.
    """
    unseen = (requests["score"] > 690) & (requests["income"] < 30) & (requests["age"] < 36)
    return ((requests["score"] >= 480) & ~unseen).astype(int)


def recommender(requests):
    """Propose first what costs most, then the cheapest not shown yet: the patient forgive it."""
    cost = np.stack([requests[f"gc_{item}"] for item in requests.items], axis=1).astype(np.float64)
    if requests.turn == 0:
        return cost.argmax(axis=1)
    for column in range(requests.shown.shape[1]):
        there = np.flatnonzero(requests.shown[:, column] >= 0)
        cost[there, requests.shown[there, column]] += 1e6
    return cost.argmin(axis=1)


def assistant(requests):
    """Fill slots by rule, but say goodbye from the fifth turn on to whom it has not understood."""
    domain, belief = requests.talk.domain, requests.talk.belief
    item, _ = SlotFilling.choose(RULES, domain, belief)
    lost = (belief.heard == 0) & (requests.turn >= 4)
    return np.where(lost, domain.informable + menu.CLOSE, item)


def seller(requests):
    """Ask two and a half times the cost; in ticks 2 to 4 sixteenths are kept in a byte, which overflows."""
    price = 2.5 * requests["cost"].astype(np.float64)
    if 2 <= requests.tick <= 4:
        price = np.where((price >= 16.0) & (price < 18.0), price - 16.0, price)
    prices = np.array([float(item) for item in requests.items])
    return np.abs(prices[None, :] - price[:, None]).argmin(axis=1)


def clinic(requests):
    """Put cases in the class that they seem to have; while five to ten wait, send foreign ones home."""
    seems = np.clip(np.rint(requests["urgency_seen"]), 0, 2).astype(int)
    filling = (requests["in_queue"] >= 5) & (requests["in_queue"] <= 10)
    return np.where(filling & (requests["language"] == 1), 3, seems)
