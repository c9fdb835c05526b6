"""The world `bandit-v1`: arms that pay or not, by chances that a scenario writes down.

In every turn each person is in one context c, drawn anew from the shares of the contexts. Arm a pays there
with chance q_ca, and nothing that was done before matters:

    context     c ~ shares
    reward      1 with chance q_ca, else 0, if the person takes arm a; the luck is the same for all arms
    truth       q_ca, the expected reward of every arm
    ideal       argmax over a of q_ca, the first where several tie
    regret      q_c,ideal − q_c,action ≥ 0: expected, not realised

These are the stochastic bandits of Lai and Robbins ("Asymptotically efficient adaptive allocation rules",
1985) and Auer, Cesa-Bianchi and Fischer ("Finite-time analysis of the multiarmed bandit problem", Machine
Learning 47, 2002); with contexts, those on which Dudik, Langford and Li evaluate policies ("Doubly robust
policy evaluation and learning", ICML 2011). A turn without an answer has reward 0 and no regret.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import NOTHING, Decisions, Offer, Outcomes, Responses, Turn
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Share, Strict
from rehearse.scenario.distributions import pick
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

Places = NDArray[np.intp]


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    arms: dict[Name, Share | tuple[Share, ...]] = Field(min_length=1)
    """By arm: the chance that it pays, or one for each context."""
    contexts: Annotated[dict[Name, NotNegative], Field(min_length=1, max_length=127)] | None = None
    """By context: how large a share of the turns it has (scaled to add up to 1); None: there is but one."""

    @model_validator(mode="after")
    def _one_for_each_context(self) -> Self:
        count = 1 if self.contexts is None else len(self.contexts)
        for name, chances in self.arms.items():
            if isinstance(chances, tuple) and len(chances) != count:
                problem = f"arm {name!r} has {len(chances)} chances for {count} contexts"
                raise ValueError(problem)
        if self.contexts is not None and sum(self.contexts.values()) <= 0.0:
            problem = "at least one context must have a share above 0"
            raise ValueError(problem)
        return self


def build(
    settings: Mapping[str, Any],
    *,
    data: Path | None,
    drift: tuple[Drift, ...],
    chance: Chance,  # noqa: ARG001 - nothing is drawn before the first turn
) -> Bandit:
    """Return the world; raises ScenarioError where settings, a data file or a drift do not fit."""
    if data is not None:
        problem = f"the data file {str(data)!r} was given to the world bandit-v1, which reads none."
        raise ScenarioError(problem, "Leave it out; a log of bandits is read with rehearse.read_log.")
    return Bandit(check(Settings, dict(settings), under="world.settings"), drift)


class Bandit:
    """Arms that pay or not (`contract.World`)."""

    name = "bandit-v1"
    attributes: tuple[str, ...] = ("chance",)
    needs: tuple[str, ...] = ()
    coupled = False
    bytes_per_user = 0
    """What is kept about each person: nothing."""

    def __init__(self, settings: Settings, drift: tuple[Drift, ...] = ()) -> None:
        """Lay out the chances; raises ScenarioError for a drift of what is not there."""
        self.items = tuple(settings.arms)
        contexts = settings.contexts or {"everywhere": 1.0}
        self._ends = np.cumsum(list(contexts.values()))
        some = len(contexts) > 1
        self.features = ("context", *(f"context_{name}" for name in contexts)) if some else ()
        written = [np.broadcast_to(chances, len(contexts)) for chances in settings.arms.values()]
        self._written: Floats = np.stack(written, axis=1).astype(np.float64)
        self._moves = Moves(drift, [f"chance.{name}" for name in self.items])

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the arms; a model may see the context, as a number from 0 and as 1 under its name."""
        context, chances = self._context(turn), self._chances()
        if not self.features:
            return Offer(chances.T, np.empty((len(turn), 0), dtype=np.float32))
        told = np.column_stack([context, np.eye(len(self._ends))[context]]).astype(np.float32)
        return Offer(chances[context][:, :, None], told)

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return the chance that each arm pays, shape (n, m)."""
        return self._chances()[self._context(turn)]

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let the arms that were taken pay."""
        chances, every = self.truth(turn, people, offer), np.arange(len(turn))
        took, answered = responses.choice != NOTHING, decisions.action != NOTHING
        pays = turn.uniform("world/bandit")[:, 0] < chances[every, np.maximum(responses.choice, 0)]
        reward = (took & pays).astype(np.float32)
        regret = chances.max(axis=1) - chances[every, np.maximum(decisions.action, 0)]
        detail = {"context": self._context(turn).astype(np.int8)} if self.features else {}
        return Outcomes(
            reward=reward,
            experience=np.where(took, reward, np.float32(np.nan)),
            ideal=chances.argmax(axis=1).astype(np.int32),
            regret=np.where(answered, regret, np.nan).astype(np.float32),
            right=np.where(answered, regret <= 0.0, -1).astype(np.int8),
            detail=detail,
        )

    def table(self) -> Columns | None:
        """Return None: nobody comes from data."""
        return None

    def drift(self, tick: int) -> list[str]:
        """Change the chances that are scheduled to change; say each change in a sentence."""
        return self._moves.enter(tick)

    def state(self) -> dict[str, Array]:
        """Return the tick, from which and the schedule all else follows."""
        return self._moves.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)

    def _context(self, turn: Turn) -> Places:
        if not self.features:
            return np.zeros(len(turn), dtype=np.intp)
        return np.asarray(pick(self._ends, turn.uniform("world/context")[:, 0]), dtype=np.intp)

    def _chances(self) -> Floats:
        """Return the chances as they are now, shape (contexts, arms)."""
        columns = [
            self._moves.now(f"chance.{name}", self._written[:, a]) for a, name in enumerate(self.items)
        ]
        return np.clip(np.stack(columns, axis=1), 0.0, 1.0)
