"""`q-learning-v1`: a seller that learns its price by Q-learning from what it earned, tick by tick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.chance import Chance
from rehearse.columns import Array
from rehearse.contract import Decisions, Feedback, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.policies.learners import LAST_VERSION
from rehearse.policies.prices import had, nearest, prices_of
from rehearse.policies.settings import checked
from rehearse.qlearning import QTables, Rule, Whole
from rehearse.scenario.base import Positive, Share, Strict

MOST_STATES = 1_000_000
PRICE, OWN = "price_", "own_price"


class QLearningSettings(Strict):
    """Settings of `q-learning-v1`."""

    rate: Share = 0.15
    """α, the part of a value that is new."""
    decay: Positive = 0.01
    """β: it explores with chance e^(−β · ticks)."""
    discount: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.95
    """δ, what the next tick is worth beside this one."""
    start: float = 0.0
    """What every price is thought to be worth before anything is known."""
    state: tuple[str, ...] | None = None
    """The features that it looks at, all of them prices; None: own_price and every price_SELLER."""


class QLearning:
    """Offers one price to a whole society in a tick; each society learns alone (see `rehearse.qlearning`).

    The state is the price of the world nearest to each feature that it looks at: the prices that it
    and its rivals asked last (memory 1, as Calvano and others 2020). The reward is the mean over the
    people who came. A tick in which nobody came does not count.
    """

    name = "q-learning-v1"
    version = "1"
    foreign = False
    rationales = ("best so far", "exploring")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(QLearningSettings, settings, self.name)
        self._prices = prices_of(stage, self.name)
        self._seen = self._places(given.state, stage)
        self._replicas = np.sort(stage.replicas)
        rule, m = Rule(given.rate, given.decay, given.discount), len(self._prices)
        self._tables = QTables(rule, len(self._replicas), m ** len(self._seen), m, given.start)

    def decide(self, requests: Requests) -> Decisions:
        """Ask the price that is best after those asked last, or explore."""
        who, state = self._who(requests.replica), self._state(requests.features)
        explores, drawn = self._explores(requests, who)
        best = self._tables.best(who, state)
        m = len(self._prices)
        action = np.where(explores, (drawn * m).astype(np.int64), best)
        exploring = self._tables.exploring(who)
        return Decisions.of(
            had(action.astype(np.int32), requests.available),
            score=self._tables.values[who, state, action],
            propensity=exploring / m + (1.0 - exploring) * (action == best),
            rationale=explores.astype(np.int8),
            version=np.minimum(self._tables.period[who], LAST_VERSION),
        )

    def learn(self, feedback: Feedback) -> None:
        """Learn what the prices of the tick before were worth, and note what was earned in this one."""
        if not len(feedback.user):
            return
        first = np.unique(feedback.replica, return_index=True)[1]
        who = self._who(feedback.replica)
        count = np.bincount(who, minlength=len(self._replicas))
        earned = np.bincount(who, weights=feedback.reward, minlength=len(self._replicas))
        some = who[first]
        action = np.maximum(feedback.slate[first, 0], 0).astype(np.int64)
        self._tables.move(some, self._state(feedback.features[first]), action, earned[some] / count[some])

    def state(self) -> dict[str, Array]:
        """Return the tables."""
        return self._tables.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._tables.restore(state)

    def _places(self, named: tuple[str, ...] | None, stage: Stage) -> list[int]:
        prices = tuple(name for name in stage.features if name == OWN or name.startswith(PRICE))
        for name in named or ():
            if name not in stage.features:
                problem = f"policy.settings.state: models cannot see a feature {name!r} here."
                raise PolicyLoadError(problem, did_you_mean(name, stage.features))
        chosen = prices if named is None else named
        if len(stage.items) ** len(chosen) > MOST_STATES:
            problem = f"{self.name}: {len(chosen)} prices of {len(stage.items)} make too many states."
            raise PolicyLoadError(problem, "Name fewer features under policy.settings.state.")
        return [stage.features.index(name) for name in chosen]

    def _who(self, replica: Array) -> Whole:
        return np.searchsorted(self._replicas, replica)

    def _state(self, features: Array) -> Whole:
        state = np.zeros(len(features), dtype=np.int64)
        for place in self._seen:
            state = state * len(self._prices) + nearest(self._prices, features[:, place])
        return state

    def _explores(self, requests: Requests, who: Whole) -> tuple[Array, Array]:
        """Return for each request whether its society explores in this tick, and a draw of the price."""
        chance = requests.chance or Chance(0)
        drawn = chance.uniform("policy/q-learning", requests.replica, 0, tick=requests.tick, count=2)
        return drawn[:, 0] < self._tables.exploring(who), drawn[:, 1]
