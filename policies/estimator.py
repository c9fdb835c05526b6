"""Objects with `predict_proba` or `predict` as policies: scikit-learn's estimators and their like.

Their classes are items, by name or number. With `predict_proba` the item with the highest
probability is proposed, its score is that probability; what the person cannot have is left out, and
what was shown earlier in the session while others are left. With `predict` alone the label is the
answer. The columns are the features that the model was fitted on, by name; without names, all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rehearse.columns import Array, Rows
from rehearse.contract import Decisions, Fault, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.answers import read
from rehearse.policies.baselines import SlateLength
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.picking import Picker
from rehearse.policies.settings import check_k, checked
from rehearse.scenario.base import Strict


class EstimatorSettings(Strict):
    """Settings of a model with `predict_proba`."""

    k: SlateLength = None
    """Items in a slate."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session, while something else is left."""


class ProbabilityPolicy:
    """A model with `predict_proba` and `classes_`; items that are no class of it are never proposed."""

    foreign = True

    def __init__(
        self, model: Any, stage: Stage, settings: Mapping[str, Any], name: str, version: str
    ) -> None:
        given = checked(EstimatorSettings, settings, name)
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._model = model
        self._inputs = Inputs(model, stage, name)
        self._classes = _classes(model, stage, name)
        self._choosing = Choosing(len(stage.items), check_k(given.k, stage), avoid_shown=given.avoid_shown)

    def decide(self, requests: Requests) -> Decisions:
        """Propose the most probable items."""
        chances = np.asarray(self._model.predict_proba(self._inputs.of(requests)), dtype=np.float64)
        if chances.shape != (len(requests), len(self._classes)):
            sentence = f"predict_proba gave shape {chances.shape} for {len(requests)} requests"
            raise AnswerError(Fault.WRONG_SHAPE, sentence)
        return self._choosing.decide(chances, self._classes, requests, self.complaints)


class Choosing:
    """How the probabilities of classes become slates: the most probable items that a person can have."""

    def __init__(self, items: int, k: int, *, avoid_shown: bool) -> None:
        self._items = items
        self._picker = Picker(items, k, avoid_shown=avoid_shown)

    def decide(self, chances: Floats, classes: Rows, requests: Requests, complaints: Complaints) -> Decisions:
        """Return decisions by the probabilities (n, c) of classes, which are items by number (c,)."""
        scores = np.full((len(requests), self._items), -np.inf)
        scores[:, classes] = chances
        broken = ~np.isfinite(chances).all(axis=1)
        scores[broken] = 0.0
        slate, score = self._picker.best(requests, lambda rows: scores[rows])
        if broken.any():
            complaints.note(Fault.NOT_A_NUMBER, "predict_proba gave a probability that is no number")
        fault = np.where(broken, np.int8(Fault.NOT_A_NUMBER), np.int8(Fault.NONE))
        made = Decisions.of(slate, score=score, propensity=1.0, fault=fault)
        return read(made, requests, complaints)


class LabelPolicy:
    """A model with `predict` alone: the label that it predicts is its answer."""

    foreign = True

    def __init__(
        self, model: Any, stage: Stage, settings: Mapping[str, Any], name: str, version: str
    ) -> None:
        if settings:
            problem = f"policy.settings.{next(iter(settings))}: a model with `predict` alone has no settings."
            raise PolicyLoadError(problem, "Leave policy.settings out.")
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._model = model
        self._inputs = Inputs(model, stage, name)
        if hasattr(model, "classes_"):
            _classes(model, stage, name)

    def decide(self, requests: Requests) -> Decisions:
        """Propose the predicted item."""
        return read(self._model.predict(self._inputs.of(requests)), requests, self.complaints)


class Inputs:
    """The columns that a fitted model wants, found among the features by name."""

    def __init__(self, model: Any, stage: Stage, name: str) -> None:
        wanted = getattr(model, "feature_names_in_", None)
        self._names = None if wanted is None else [str(w) for w in wanted]
        self._columns: Rows = np.arange(len(stage.features), dtype=np.int64)
        if self._names is not None:
            self._columns = np.array([_column(w, stage, name) for w in self._names], dtype=np.int64)
            return
        count = getattr(model, "n_features_in_", len(stage.features))
        if count != len(stage.features):
            problem = f"{name} was fitted on {count} features without names; here are {len(stage.features)}."
            raise PolicyLoadError(problem, f"Fit it on a data frame with these columns: {_listed(stage)}.")

    def of(self, requests: Requests) -> Any:
        """Return the inputs (n, wanted): a data frame for a model fitted with names, else an array."""
        values = requests.features.take(self._columns, axis=1).astype(np.float64)
        if self._names is None:
            return values
        import pandas as pd

        return pd.DataFrame(values, columns=self._names, copy=False)


def adapt(
    model: object, stage: Stage, settings: Mapping[str, Any], name: str, version: str
) -> ProbabilityPolicy | LabelPolicy:
    """Return a fitted model as a policy; PolicyLoadError where features or classes do not fit the world."""
    unfitted = hasattr(model, "fit") and not any(
        hasattr(model, mark) for mark in ("classes_", "n_features_in_", "feature_names_in_")
    )
    if unfitted:
        problem = f"{name} is a {type(model).__name__} that has not been fitted."
        raise PolicyLoadError(problem, "Fit it before you save it.")
    probable: Callable[..., object] | None = getattr(model, "predict_proba", None)
    if probable is not None and hasattr(model, "classes_"):
        return ProbabilityPolicy(model, stage, settings, name, version)
    return LabelPolicy(model, stage, settings, name, version)


def _column(wanted: str, stage: Stage, name: str) -> int:
    if wanted not in stage.features:
        problem = f"{name} needs the feature {wanted!r}, which models cannot see here."
        hint = did_you_mean(wanted, stage.features)
        raise PolicyLoadError(problem, f"{hint} There is: {_listed(stage)}.")
    return stage.features.index(wanted)


def _listed(stage: Stage) -> str:
    return ", ".join(stage.features)


def _classes(model: Any, stage: Stage, name: str) -> Rows:
    labels: Array = np.asarray(model.classes_)
    return np.array([item_of(label, stage, name) for label in labels.reshape(-1).tolist()], dtype=np.int64)


def item_of(label: object, stage: Stage, name: str) -> int:
    """Return the item that a label of a model is, by name or number; PolicyLoadError where it is none."""
    if isinstance(label, str) and label in stage.items:
        return stage.items.index(label)
    number = float(label) if isinstance(label, int | float) else -1.0
    if number.is_integer() and 0 <= number < len(stage.items):
        return int(number)
    problem = f"{name} has the class {label!r}, which is no item of this world."
    known = f"Items: {', '.join(stage.items[:12])}{', …' if len(stage.items) > 12 else ''}."
    raise PolicyLoadError(problem, f"Fit it with item names or numbers as labels. {known}")
