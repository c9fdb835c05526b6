"""What a learning policy is told: its turns of a tick, in an order that blocks cannot change."""

from __future__ import annotations

import numpy as np

from rehearse.columns import Rows
from rehearse.contract import NOTHING, Exchange, Feedback, Ints, Users


class Notebook:
    """A watcher that keeps the turns of the tick for the policy to learn from."""

    def __init__(self) -> None:
        """Start with an empty page."""
        self._turns: list[Exchange] = []

    def on_turn(self, exchange: Exchange) -> None:
        """Keep the turn."""
        self._turns.append(exchange)

    def on_tick(self, tick: int, users: Users) -> None:
        """Do nothing: the page is handed over when the kernel asks for it."""

    def hand_over(self, tick: int) -> Feedback:
        """Return the tick's feedback in the order (replica, user, turn), and start a new page."""
        turns, self._turns = self._turns, []
        if not turns:
            return _nothing(tick)
        number = np.concatenate([np.full(len(e.turn), e.turn.turn, np.int16) for e in turns])
        rows = np.concatenate([e.turn.rows for e in turns])
        order = np.lexsort((number, rows))
        return Feedback(
            features=np.concatenate([e.requests.features for e in turns])[order],
            slate=_slates(turns)[order],
            choice=np.concatenate([e.responses.choice for e in turns])[order],
            reward=np.concatenate([e.outcomes.reward for e in turns])[order],
            propensity=np.concatenate([e.decisions.propensity for e in turns])[order],
            replica=np.concatenate([e.turn.replica for e in turns])[order],
            user=np.concatenate([e.turn.user for e in turns])[order],
            turn=number[order],
            tick=tick,
        )


def _slates(turns: list[Exchange]) -> Ints:
    widest = max(e.decisions.slate.shape[1] for e in turns)
    slates = np.full((sum(len(e.turn) for e in turns), widest), NOTHING, dtype=np.int32)
    at = 0
    for exchange in turns:
        slate = exchange.decisions.slate
        slates[at : at + len(slate), : slate.shape[1]] = slate
        at += len(slate)
    return slates


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
        tick=tick,
    )
