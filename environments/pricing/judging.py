"""What each price would bring from each person, and which is best: the dearest part of the world."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rehearse.compiled import twin_of
from rehearse.contract import NOTHING, Ints
from rehearse.environments.pricing.buyers import Buyers
from rehearse.exact import Floats, exp_loop, sigmoid


class Judged(NamedTuple):
    """How good the prices offered were, n rows."""

    ideal: Ints
    """The number of the price that brings most, the lowest of several."""
    regret: Floats
    """What it would bring more than the price offered; NaN without one."""
    likely: Floats
    """The chance that the person buys at the price offered, 0 without one."""


def worth(buyers: Buyers, beyond: Floats, margin: Floats, *, welfare: bool) -> Floats:
    """Return what is expected of offering each price to each person, in money, shape (n, m).

    `beyond` (n, m) is what buying is worth to people beyond all else; `margin` (m,) what a sale earns.
    """
    profit = buyers.chances(beyond) * margin
    return profit + buyers.gain(beyond) if welfare else profit


def judge(buyers: Buyers, beyond: Floats, margin: Floats, action: Ints, *, welfare: bool) -> Judged:
    """Judge the prices offered, `action` (n,), NOTHING where none was."""
    n = len(action)
    found = np.empty(n, dtype=np.int32), np.empty((3, n))
    if welfare:
        values = worth(buyers, beyond, margin, welfare=True)
        _sum_up(values, buyers.chances(beyond), action, *found)
    else:
        _profit(beyond, buyers.sharp, margin, action, *found)
    ideal, (best, mine, likely) = found
    return Judged(ideal, np.where(action >= 0, best - mine, np.nan), np.where(action >= 0, likely, 0.0))


def _sum_up(values: Floats, chances: Floats, action: Ints, ideal: Ints, told: Floats) -> None:
    ideal[:] = values.argmax(axis=1)
    rows, offered = np.arange(len(action)), np.maximum(action, 0)
    told[0], told[1], told[2] = values[rows, ideal], values[rows, offered], chances[rows, offered]


def _profit_plainly(
    beyond: Floats, sharp: Floats, margin: Floats, action: Ints, ideal: Ints, told: Floats
) -> None:
    chances = sigmoid(beyond * sharp[:, None])
    _sum_up(chances * margin, chances, action, ideal, told)


@twin_of(_profit_plainly)
def _profit(beyond: Floats, sharp: Floats, margin: Floats, action: Ints, ideal: Ints, told: Floats) -> None:
    prices = len(margin)
    chance = np.empty(prices)
    for i in range(len(action)):
        for j in range(prices):
            chance[j] = -(beyond[i, j] * sharp[i])
        exp_loop(chance)
        top, most = 0, -np.inf
        for j in range(prices):
            chance[j] = 1.0 / (1.0 + chance[j])
            profit = chance[j] * margin[j]
            if profit > most:
                top, most = j, profit
        offered = 0 if action[i] == NOTHING else action[i]
        ideal[i] = top
        told[0, i] = most
        told[1, i] = chance[offered] * margin[offered]
        told[2, i] = chance[offered]
