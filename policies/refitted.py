"""Any estimator, fitted again on what it caused: every so many ticks it is redeployed as a new version.

    reward   one estimator for each item, fitted on the turns in which that item was the answer: of a
             classifier the chance of a reward above 0, of a regressor the expected reward; the most wins
    label    one estimator for all, fitted on the turns whose label is known (`Outcomes.label`): yes from a
             chance (or a value) of `cut` on

With chance `epsilon` any item is answered. Until it was fitted once every item is as likely. Each society has
a model of its own. An estimator is anything with `fit` and `predict` (or `predict_proba`), such as those of
scikit-learn, named `package.module:Class` or given in Python. Where it draws (`random_state`) it draws by the
scenario's seed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from rehearse.columns import Array, Rows
from rehearse.contract import Decisions, Feedback, Policy, Requests, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.exact import Floats
from rehearse.policies import files
from rehearse.policies.cuts import YesOrNo, feature_number
from rehearse.policies.learners import LAST_VERSION
from rehearse.policies.logistic import SESSION
from rehearse.policies.picking import drawn, one_hot, open_to
from rehearse.policies.sandbox import loading
from rehearse.policies.settings import checked, item_number
from rehearse.scenario.base import Share

SEEN, FITTED = "seen", "fitted"


class RefittedSettings(YesOrNo):
    """Settings of `refitted-v1`."""

    estimator: str
    """`package.module:Class`, such as sklearn.linear_model:LogisticRegression, or an object of it."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """What the class is made with."""
    learns: Literal["reward", "label"] = "reward"
    """What it is fitted to."""
    every: Annotated[int, Field(ge=1)] = 1
    """Ticks between two fits."""
    window: Annotated[int, Field(ge=1)] | None = None
    """How many of the last ticks it is fitted to; None: all."""
    features: tuple[str, ...] | None = None
    """What it looks at; None: all that it may see but for the number of the turn and of refusals."""
    epsilon: Share = 0.1
    """The chance to answer any item."""
    cut: float = 0.5
    """With `label`: from which chance or value on the answer is yes."""


class Refitted:
    """An estimator in service, and all that it is fitted to again."""

    name = "refitted-v1"
    version = "1"
    foreign = True
    by_replica = True
    rationales = ("fitted", "exploring", "not fitted yet")

    def __init__(self, settings: Mapping[str, Any], stage: Stage, estimator: Any = None) -> None:
        given = checked(RefittedSettings, settings, self.name)
        self._given, self._seed = given, stage.seed
        self._estimator = _named(given) if estimator is None else estimator
        if not (hasattr(self._estimator, "fit") and hasattr(self._estimator, "predict")):
            problem = f"policy.settings.estimator: a {type(self._estimator).__name__} cannot be fitted."
            raise PolicyLoadError(problem, "Name a class with fit and predict.")
        usual = tuple(name for name in stage.features if name not in SESSION)
        names = usual if given.features is None else given.features
        self._places = [feature_number(name, stage, "policy.settings.features") for name in names]
        self._items = len(stage.items)
        self._yes, self._no = (
            item_number(getattr(given, n), stage, f"policy.settings.{n}") if given.learns == "label" else 0
            for n in ("yes", "no")
        )
        self._replicas: list[int] = np.sort(stage.replicas).tolist()
        self._rows: dict[str, Array] = {}
        self._models: dict[int, list[Any]] = {}
        self._ticks = self._learned = 0

    def decide(self, requests: Requests) -> Decisions:
        """Answer by the model in service; all rows must be of one society."""
        scores = self._scores(requests)
        chances = self._chances(requests, scores)
        luck = requests.uniform("refitted")[:, 0]
        item = drawn(chances, luck)
        best = np.where(np.isfinite(scores).any(axis=1), scores.argmax(axis=1), -1)
        every = np.arange(len(item))
        known = scores[every, item]
        return Decisions.of(
            np.where(chances[every, item] > 0.0, item, -1),
            score=np.where(np.isfinite(known), known, np.nan),
            propensity=chances[every, item],
            rationale=np.where(best < 0, 2, item != best).astype(np.int8),
            version=self._learned,
        )

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        return self._chances(requests, self._scores(requests))

    def learn(self, feedback: Feedback) -> None:
        """Keep what happened, and fit again where it is time."""
        given = self._given
        if given.learns == "label" and feedback.label is None and len(feedback.user):
            problem = f"{self.name} is to learn from labels, and this world has none."
            raise ContractError(problem, "Set policy.settings.learns: reward.")
        self._ticks += 1
        for replica in self._replicas:
            self._note(feedback, replica)
        if self._ticks % given.every:
            return
        for replica in self._replicas:
            for name in ("features", "item", "target"):
                self._rows[f"{FITTED}/{replica}/{name}"] = self._rows[f"{SEEN}/{replica}/{name}"]
            self._fit(replica)
        self._learned = min(self._learned + 1, LAST_VERSION)

    def state(self) -> dict[str, Array]:
        """Return what it was fitted to, and what it will be fitted to next."""
        return self._rows | {"counts": np.array([self._ticks, self._learned])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave, and fit the models in service again."""
        rest = dict(state)
        self._ticks, self._learned = (int(x) for x in np.asarray(rest.pop("counts")))
        mine = tuple(f"{what}/{replica}/" for what in (SEEN, FITTED) for replica in self._replicas)
        self._rows = {name: np.array(array) for name, array in rest.items() if name.startswith(mine)}
        self._models = {}
        if self._learned:
            for replica in self._replicas:
                self._fit(replica)

    def _note(self, feedback: Feedback, replica: int) -> None:
        given = self._given
        mine: Rows = np.flatnonzero((feedback.replica == replica) & (feedback.slate[:, 0] >= 0))
        target: Array = feedback.reward[mine]
        if given.learns == "label" and feedback.label is not None:
            mine = mine[feedback.label[mine] >= 0]
            target = feedback.label[mine]
        width = feedback.features.shape[1]
        features = feedback.features[mine][:, self._places] if width else np.zeros((0, len(self._places)))
        fresh: dict[str, Array] = {
            "features": features.astype(np.float32),
            "item": feedback.slate[mine, 0],
            "target": target.astype(np.float32),
            "tick": np.full(len(mine), feedback.tick, dtype=np.int32),
        }
        names = {name: f"{SEEN}/{replica}/{name}" for name in fresh}
        if names["tick"] in self._rows:
            fresh = {name: np.concatenate([self._rows[names[name]], a]) for name, a in fresh.items()}
        window = given.window
        young = slice(None) if window is None else fresh["tick"] > np.int32(feedback.tick - window)
        self._rows |= {names[name]: array[young] for name, array in fresh.items()}

    def _fit(self, replica: int) -> None:
        kept = {name: self._rows[f"{FITTED}/{replica}/{name}"] for name in ("features", "item", "target")}
        x, target = (np.asarray(kept[name], dtype=np.float64) for name in ("features", "target"))
        if self._given.learns == "label":
            self._models[replica] = [self._fitted(x, target, replica)]
            return
        parts = [np.flatnonzero(kept["item"] == number) for number in range(self._items)]
        self._models[replica] = [self._fitted(x[rows], target[rows], replica) for rows in parts]

    def _fitted(self, x: Floats, target: Floats, replica: int) -> Any:
        """Return a fitted model, the value itself where all targets are alike, or None without any."""
        if not len(target):
            return None
        model = copy.deepcopy(self._estimator)
        target = (target > 0.0).astype(np.float64) if hasattr(model, "predict_proba") else target
        if target.min() == target.max():
            return float(target[0])
        drawing = hasattr(model, "get_params") and "random_state" in model.get_params()
        if drawing and model.get_params()["random_state"] is None:
            model.set_params(random_state=(self._seed * 1009 + replica) % 2**31)
        model.fit(x, target)
        return model

    def _scores(self, requests: Requests) -> Floats:
        """Return what every item is worth by the model in service, -inf where it knows nothing."""
        scores = np.full((len(requests), self._items), -np.inf)
        models = self._models.get(int(requests.replica[0])) if len(requests) else None
        if not models:
            return scores
        x = np.nan_to_num(requests.features[:, self._places].astype(np.float64))
        if self._given.learns == "label":
            if models[0] is not None:
                good = _worth(models[0], x)
                scores[:, self._yes], scores[:, self._no] = good, self._given.cut
                scores[good >= self._given.cut, self._no] = -1.0
            return scores
        for item, model in enumerate(models):
            if model is not None:
                scores[:, item] = _worth(model, x)
        return scores

    def _chances(self, requests: Requests, scores: Floats) -> Floats:
        can = open_to(requests, avoid_shown=False)
        even = can / np.maximum(can.sum(axis=1), 1)[:, None]
        open_scores = np.where(can, scores, -np.inf)
        knows = np.isfinite(open_scores).any(axis=1)
        epsilon = np.where(knows, self._given.epsilon, 1.0)[:, None]
        return np.asarray(epsilon * even + (1.0 - epsilon) * one_hot(open_scores.argmax(axis=1), self._items))


def refitted(estimator: Any, **settings: Any) -> Callable[[Stage], Policy]:
    """Return a policy for Python: an estimator that is fitted again on what it caused; see `refitted-v1`."""

    def make(stage: Stage) -> Policy:
        return Refitted({"estimator": type(estimator).__name__} | settings, stage, estimator)

    make.__name__ = f"refitted {type(estimator).__name__}"
    return make


def _named(given: RefittedSettings) -> Any:
    module, colon, attribute = given.estimator.partition(":")
    if not colon:
        problem = f"policy.settings.estimator is {given.estimator!r}."
        raise PolicyLoadError(problem, "Name it like sklearn.linear_model:LogisticRegression.")
    thing, _ = files.from_module(module, attribute)
    if not isinstance(thing, type):
        return thing
    try:
        with loading():
            return thing(**given.parameters)
    except TypeError as error:
        problem = f"{given.estimator} could not be made with policy.settings.parameters: {error}."
        raise PolicyLoadError(problem, "Correct the parameters.") from None


def _worth(model: Any, x: Floats) -> Floats:
    if isinstance(model, float):
        return np.full(len(x), model)
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x), dtype=np.float64)[:, 1]
    return np.asarray(model.predict(x), dtype=np.float64)
