"""What a learning policy is told: its turns of a tick, in an order that blocks cannot change."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Rows
from rehearse.contract import NOTHING, Exchange, Feedback, Ints, Users

DETAIL = "detail/"
"""How the names of columns begin that come from `Decisions.detail`."""


class Notebook:
    """A watcher that keeps the turns of the tick for the policy to learn from, and of them no more."""

    def __init__(self) -> None:
        """Start with an empty page."""
        self._turns: list[dict[str, NDArray[Any]]] = []

    def on_turn(self, exchange: Exchange) -> None:
        """Keep what a policy learns from."""
        turn = exchange.turn
        self._turns.append(
            {
                "rows": turn.rows,
                "turn": np.full(len(turn), turn.turn, np.int16),
                "replica": turn.replica,
                "user": turn.user,
                "features": exchange.requests.features,
                "slate": exchange.decisions.slate,
                "choice": exchange.responses.choice,
                "reward": exchange.outcomes.reward,
                "propensity": exchange.decisions.propensity,
                "group": exchange.requests.group,
            }
        )
        told = {"label": exchange.outcomes.label, "harm": exchange.outcomes.harm}
        self._turns[-1] |= {name: array for name, array in told.items() if array is not None}
        self._turns[-1] |= {DETAIL + name: array for name, array in exchange.decisions.detail.items()}

    def on_tick(self, tick: int, users: Users) -> None:
        """Do nothing: the page is handed over when the kernel asks for it."""

    def hand_over(self, tick: int) -> Feedback:
        """Return the tick's feedback in the order (replica, user, turn), and start a new page."""
        turns, self._turns = self._turns, []
        if not turns:
            return _nothing(tick)
        widest = max(part["slate"].shape[1] for part in turns)
        for part in turns:
            part["slate"] = _widened(part["slate"], widest)
        order = np.lexsort((_joined(turns, "turn"), _joined(turns, "rows")))
        names = [name for name in turns[0] if name != "rows"]
        whole: dict[str, Any] = {
            name: _joined(turns, name, used_up=True).take(order, axis=0) for name in names
        }
        detail = {name.removeprefix(DETAIL): whole.pop(name) for name in names if name.startswith(DETAIL)}
        return Feedback(**whole, tick=tick, detail=detail)


def _joined(turns: list[dict[str, NDArray[Any]]], name: str, *, used_up: bool = False) -> NDArray[Any]:
    # A tick of a million people holds hundreds of megabytes: what is joined is let go at once.
    return np.concatenate([part.pop(name) if used_up else part[name] for part in turns])


def _widened(slate: Ints, widest: int) -> Ints:
    if slate.shape[1] == widest:
        return slate
    more = np.full((len(slate), widest - slate.shape[1]), NOTHING, dtype=np.int32)
    return np.concatenate([slate, more], axis=1)


def _nothing(tick: int) -> Feedback:
    none: Rows = np.zeros(0, dtype=np.int64)
    return Feedback(
        features=np.zeros((0, 0), np.float32),
        slate=np.zeros((0, 1), np.int32),
        choice=none.astype(np.int32),
        reward=none.astype(np.float32),
        propensity=none.astype(np.float32),
        replica=none.astype(np.int32),
        user=none,
        turn=none.astype(np.int16),
        group=none.astype(np.int8),
        tick=tick,
    )
