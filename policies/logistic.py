"""A model that is trained again and again on what came out: logistic regression, fitted to its optimum.

Of n people with features x and labels y (1 or 0), weights w and a constant c minimise

    mean of −y ln p − (1 − y) ln(1 − p),  p = 1 / (1 + e^−(w · x + c)),  plus λ/2 · |w|²

which is the repeated risk minimisation of Perdomo and others, "Performative prediction" (ICML 2020), where
people answer to the model that is in service (`people.strategy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.columns import Array, Rows
from rehearse.contract import Decisions, Feedback, Requests, Stage
from rehearse.errors import ContractError
from rehearse.exact import Floats, sigmoid
from rehearse.policies.cuts import Answers, YesOrNo, feature_number
from rehearse.policies.learners import LAST_VERSION
from rehearse.policies.newton import fit
from rehearse.policies.settings import checked
from rehearse.scenario.base import NotNegative, Share

SESSION = ("turn", "refusals")
"""Features of the session, which are not looked at unless they are named."""
SEEN = "seen/"


class LogisticSettings(YesOrNo):
    """Settings of `logistic-v1`."""

    features: tuple[str, ...] | None = None
    """What it looks at; None: all that it may see but for the number of the turn and of refusals."""
    penalty: NotNegative = 1e-3
    """λ in the loss: mean log-loss + λ/2 · |weights|², the constant without a penalty."""
    cut: Share = 0.5
    """The chance of a good outcome from which the answer is yes."""
    start: Share = 1.0
    """The chance of a yes before it has learned anything."""
    weights: dict[str, float] | None = None
    """The model to begin with, by feature, `1` for the constant; None: it knows nothing yet."""
    window: Annotated[int, Field(ge=1)] | None = 1
    """How many of the last ticks it is trained on; None: all."""
    every: Annotated[int, Field(ge=1)] = 1
    """Ticks between two trainings."""
    stops: Annotated[int, Field(ge=0)] | None = None
    """After so many trainings it stays as it is; None: never."""


class Logistic:
    """Yes where the chance of a good outcome (label 1) reaches the cut; each society trains its own.

    It learns from the turns whose label is known, and from what it was shown, which need not be true.
    With labels of one kind alone it stays as it is. Raises ContractError in a world without labels.
    """

    name = "logistic-v1"
    version = "1"
    foreign = False
    rationales = ("not trained yet", "trained")

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(LogisticSettings, settings, self.name)
        self._settings, self._answers = given, Answers.of(given, stage)
        usual = tuple(name for name in stage.features if name not in SESSION)
        self._names = usual if given.features is None else given.features
        self._places = [feature_number(name, stage, "policy.settings.features") for name in self._names]
        self._replicas: list[int] = np.sort(stage.replicas).tolist()
        self._seen: dict[str, Array] = {}
        self._learned = np.zeros(1, dtype=np.int64)
        self._ticks = np.zeros(1, dtype=np.int64)
        societies = len(self._replicas)
        self._kept: dict[str, Floats] = {
            "weights": np.zeros((societies, len(self._names) + 1)),
            "trained": np.zeros(societies),
            "loss": np.full(societies, np.nan),
            "accuracy": np.full(societies, np.nan),
        }
        if given.weights is not None:
            for name, weight in given.weights.items():
                at = len(self._names) if name == "1" else self._name(name, stage)
                self._kept["weights"][:, at] = weight
            self._kept["trained"][:] = 1.0

    def decide(self, requests: Requests) -> Decisions:
        """Work out each person's chance of a good outcome, and compare it with the cut."""
        society = np.searchsorted(self._replicas, requests.replica)
        weights = self._kept["weights"]
        z = weights[society, -1].copy()
        for j, place in enumerate(self._places):
            z += weights[society, j] * requests.features[:, place].astype(np.float64)
        score = sigmoid(z)
        trained = self._kept["trained"][society] > 0.0
        chance = np.where(trained, (score >= self._settings.cut).astype(np.float64), self._settings.start)
        return self._answers.decide(
            requests, chance, score=score, version=int(self._learned[0]), rationale=trained.astype(np.int8)
        )

    def learn(self, feedback: Feedback) -> None:
        """Train again on what was seen."""
        if feedback.label is None and len(feedback.user):
            problem = f"{self.name} learns from labels, and this world has none."
            raise ContractError(problem, "Use a policy that learns from rewards, such as epsilon-v1.")
        given = self._settings
        self._ticks += 1
        self._note(feedback)
        done = given.stops is not None and int(self._learned[0]) >= given.stops
        if done or int(self._ticks[0]) % given.every:
            return
        for society, replica in enumerate(self._replicas):
            self._train(society, replica)
        self._learned = np.minimum(self._learned + 1, LAST_VERSION)

    def published(self) -> dict[str, Array]:
        """Return each society's weights, and its constant; nothing before they are trained."""
        if not self._kept["trained"].all():
            return {}
        weights = self._kept["weights"].copy()
        told: dict[str, Array] = {f"weight.{name}": weights[:, j] for j, name in enumerate(self._names)}
        return told | {"constant": weights[:, -1]}

    def state(self) -> dict[str, Array]:
        """Return the weights (the constant last), loss and accuracy of each society, and what was seen."""
        counts = {"learned": self._learned, "ticks": self._ticks}
        return {name: array.copy() for name, array in {**self._kept, **counts, **self._seen}.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._kept = {name: np.array(state[name], dtype=np.float64) for name in self._kept}
        self._learned, self._ticks = (np.array(state[n], dtype=np.int64) for n in ("learned", "ticks"))
        mine = tuple(f"{SEEN}{replica}/" for replica in self._replicas)
        self._seen = {name: np.array(array) for name, array in state.items() if name.startswith(mine)}

    def _name(self, name: str, stage: Stage) -> int:
        feature_number(name, stage, "policy.settings.weights")
        return self._names.index(name)

    def _note(self, feedback: Feedback) -> None:
        """Keep what is learned from, and drop what is older than the window."""
        label = feedback.label if feedback.label is not None else np.zeros(0, dtype=np.int8)
        window = self._settings.window
        for replica in self._replicas:
            mine: Rows = np.flatnonzero((feedback.replica == replica) & (label >= 0))
            fresh: dict[str, Array] = {
                "features": feedback.features[mine][:, self._places] if len(mine) else self._none(),
                "label": label[mine],
                "tick": np.full(len(mine), feedback.tick, dtype=np.int32),
            }
            names = {name: f"{SEEN}{replica}/{name}" for name in fresh}
            if names["tick"] in self._seen:
                fresh = {n: np.concatenate([self._seen[names[n]], a]) for n, a in fresh.items()}
            young = slice(None) if window is None else fresh["tick"] > np.int32(feedback.tick - window)
            self._seen |= {names[n]: array[young] for n, array in fresh.items()}

    def _none(self) -> Array:
        return np.zeros((0, len(self._places)), dtype=np.float32)

    def _train(self, society: int, replica: int) -> None:
        label = np.asarray(self._seen[f"{SEEN}{replica}/label"], dtype=np.float64)
        if not len(label) or label.min() == label.max():
            return
        features = np.asarray(self._seen[f"{SEEN}{replica}/features"], dtype=np.float64)
        found = fit(features, label, self._settings.penalty)
        self._kept["weights"][society] = [*found.weights, found.constant]
        self._kept["trained"][society] = 1.0
        self._kept["loss"][society], self._kept["accuracy"][society] = found.loss, found.accuracy
