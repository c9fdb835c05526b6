"""Turns of a recorded run, lived again with another policy asked beside the one that decided.

A run repeats itself to the bit, so the other policy is asked in exactly the contexts in which the logging
policy decided, with what that one knew then. Nothing is changed by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.contract import Decisions, Exchange, Learner, Requests, Users
from rehearse.errors import UserError
from rehearse.experiments.build import Assembly
from rehearse.experiments.intervals import Unit
from rehearse.experiments.offpolicy.estimates import Turns
from rehearse.experiments.offpolicy.rewards import Seen, predictions
from rehearse.policies.chances import Chances

Floats = NDArray[np.float64]
NUMBERS_HELD = 100_000_000
"""Chances, of turns times items, that are held for a model of rewards."""


@dataclass(slots=True)
class Ears:
    """What is heard of every turn, block by block; `target` None: the deciding policy alone."""

    target: Chances | None
    keeps: bool = False
    """Whether all that a model of rewards needs is kept too."""
    oracle: bool = False
    parts: dict[str, list[Any]] = field(default_factory=dict)
    _heard: tuple[Floats | None, Floats | None] = (None, None)

    @classmethod
    def at(cls, assembly: Assembly, target: Chances | None, *, model: object = None) -> Self:
        """Listen to a simulation; its policy must not be another from some tick on."""
        ears = cls(target, keeps=model is not None, oracle=model == "oracle")
        truth = ears.oracle or bool(target is not None and target.sees_truth)
        assembly.policy.overheard(ears.hear, truth=truth)
        assembly.simulation.watchers.append(ears)
        return ears

    def hear(self, requests: Requests, decisions: Decisions) -> None:
        """Ask the target what is asked."""
        chances = None if self.target is None else self.target.of(requests)
        rows = np.arange(len(decisions))
        known = requests.truth(rows) if self.oracle and requests.truth is not None else None
        self._heard = chances, known

    def on_turn(self, exchange: Exchange) -> None:
        """Keep what came of it, of turns with an answer."""
        some = np.flatnonzero(exchange.decisions.action >= 0)
        if (exchange.decisions.slate[:, 1:] >= 0).any():
            problem = "this run offers slates of several items, and a propensity is that of the first alone."
            raise UserError(problem, "Evaluate a run with slate: 1.")
        turn, action = exchange.turn.take(some), exchange.decisions.action[some]
        self._keep(
            reward=exchange.outcomes.reward[some],
            propensity=exchange.decisions.propensity[some],
            replica=turn.replica,
            user=turn.user,
        )
        chances, known = self._heard
        if chances is not None:
            mine = chances[some]
            # As coarse as what it is divided by, so that a policy weighs 1, and not nearly 1, against itself.
            kind = exchange.decisions.propensity.dtype
            self._keep(target=mine[np.arange(len(some)), action].astype(kind))
            if self.keeps:
                self._keep(chances=mine, features=exchange.requests.features[some], action=action)
        if known is not None:
            self._keep(truth=known[some])

    def on_tick(self, tick: int, users: Users) -> None:
        """Do nothing: all is heard turn by turn."""

    @property
    def again(self) -> bool:
        """Tell whether anybody was answered twice: what was answered first may then tell on the second."""
        people = (self.all("replica").astype(np.int64) << 40) | self.all("user").astype(np.int64)
        return len(np.unique(people)) < len(people)

    def all(self, name: str) -> Floats:
        """Return a column of all turns, in the order in which they were heard."""
        return np.concatenate(self.parts[name]).astype(np.float64)

    def turns(self, unit: Unit, model: object = None) -> Turns:
        """Return the turns, with what a model of rewards says of them."""
        if not any(map(len, self.parts.get("reward", ()))):
            problem = "not one turn of this run has an answer."
            raise UserError(problem, "Run it with more people or ticks.")
        replica, user = self.all("replica").astype(np.int64), self.all("user").astype(np.int64)
        who = replica if unit == "replicas" else (replica << 40) | user
        reward, propensity = self.all("reward"), self.all("propensity")
        if self.target is None:
            return Turns(reward=reward, propensity=propensity, target=propensity, who=who, unit=unit)
        target, predicted, expected = self.all("target"), None, None
        if model is not None:
            q, action = self._predicted(model, reward, who), self.all("action").astype(np.int64)
            predicted = q[np.arange(len(q)), action]
            expected = (q * self.all("chances")).sum(axis=1)
        return Turns(
            reward=reward,
            propensity=propensity,
            target=target,
            who=who,
            unit=unit,
            predicted=predicted,
            expected=expected,
        )

    def _predicted(self, model: object, reward: Floats, who: NDArray[np.int64]) -> Floats:
        chances = self.all("chances")
        seen = Seen(self.all("features"), self.all("action").astype(np.int64), reward, chances.shape[1])
        half = np.unique(who, return_inverse=True)[1].reshape(-1) % 2 == 0
        return predictions(model, seen, half, self.all("truth") if "truth" in self.parts else None)

    def _keep(self, **columns: Any) -> None:
        for name, array in columns.items():
            self.parts.setdefault(name, []).append(array)
        held = sum(len(part) for part in self.parts.get("chances", ())) * _width(self.parts.get("chances"))
        if held > NUMBERS_HELD:
            problem = f"a model of rewards would have to hold more than {NUMBERS_HELD:,} chances of items."
            raise UserError(
                problem, "Evaluate a smaller run, or leave the model of rewards out (model=None)."
            )


def lived(assembly: Assembly, ticks: int) -> None:
    """Let so many ticks pass."""
    for _ in range(ticks):
        assembly.simulation.advance()


def must_not_learn(policy: object, name: str) -> None:
    """Refuse a target that learns: it would not be the same in its own turns as in another's."""
    if isinstance(policy, Learner) or hasattr(policy, "learn"):
        problem = f"{name} learns, so what it earns depends on what it was shown."
        remedy = "Run it itself (rehearse run), or give the policy that it has become, which does not learn."
        raise UserError(problem, remedy)


def _width(parts: list[Any] | None) -> int:
    return parts[0].shape[1] if parts else 0
