"""Models of rewards q̂(x, a), for the direct method and doubly robust estimates.

    a number     the same reward for every answer
    items        the mean reward of each item
    table        the mean reward of each item in each context (rows of features that are alike)
    linear       a ridge regression for each item on the features
    oracle       what the world says an item is truly worth (`World.truth`)
    an object    with `fit` and `predict` (or `predict_proba`), such as an estimator of scikit-learn; it sees
                 the features and, beside them, 1 for the item and 0 for the others

Whatever is learned is learned on one half of the independent units and used on the other (cross-fitting:
Chernozhukov and others, "Double/debiased machine learning", 2018), so that errors stay honest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.errors import UserError, did_you_mean

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Model = Callable[[Floats], Floats]
"""From features (n, f) to predicted rewards of all items (n, m)."""
RIDGE = 1.0
"""What is added to the diagonal of each item's normal equations, features being scaled."""
NAMES = ("items", "table", "linear", "oracle")


@dataclass(frozen=True, slots=True)
class Seen:
    """What models of rewards learn from: n logged turns."""

    features: Floats
    action: Ints
    reward: Floats
    items: int

    def where(self, mask: NDArray[np.bool_]) -> Seen:
        """Return some of the turns."""
        return Seen(self.features[mask], self.action[mask], self.reward[mask], self.items)


def predictions(model: Any, seen: Seen, half: NDArray[np.bool_], truth: Floats | None) -> Floats:
    """Return the predicted reward of every item in every turn (n, m), learned on the other half.

    Raises UserError for what is no model of rewards.
    """
    if isinstance(model, int | float):
        return np.full((len(seen.reward), seen.items), float(model))
    if model == "oracle":
        if truth is None:
            problem = "the oracle knows nothing here."
            raise UserError(problem, f"Choose one of {', '.join(NAMES[:-1])}, or a number.")
        return truth
    learn = _learner(model)
    found = np.empty((len(seen.reward), seen.items))
    for mask in (half, ~half):
        found[mask] = learn(seen.where(~mask if (~mask).any() else mask))(seen.features[mask])
    return found


def _learner(model: Any) -> Callable[[Seen], Model]:
    known: dict[str, Callable[[Seen], Model]] = {"items": _items, "table": _table, "linear": _linear}
    if isinstance(model, str):
        if model not in known:
            problem = f"there is no model of rewards {model!r}."
            raise UserError(problem, f"{did_you_mean(model, NAMES)} A number will do too.")
        return known[model]
    if not (hasattr(model, "fit") and hasattr(model, "predict")):
        problem = f"a {type(model).__name__} is no model of rewards."
        raise UserError(
            problem, f"Give one of {', '.join(NAMES)}, a number, or an object with fit and predict."
        )
    return lambda seen: _fitted(model, seen)


def _means(cell: Ints, reward: Floats, count: int, otherwise: Floats | float) -> Floats:
    times = np.bincount(cell, minlength=count)
    sums = np.bincount(cell, weights=reward, minlength=count)
    return np.where(times > 0, sums / np.maximum(times, 1), otherwise)


def _items(seen: Seen) -> Model:
    means = _means(seen.action, seen.reward, seen.items, float(seen.reward.mean()))
    return lambda features: np.tile(means, (len(features), 1))


def _table(seen: Seen) -> Model:
    contexts, place = np.unique(seen.features, axis=0, return_inverse=True)
    by_item = _items(seen)(seen.features[:1])[0]
    count = len(contexts) * seen.items
    cell = place.reshape(-1) * seen.items + seen.action
    means = _means(cell, seen.reward, count, np.tile(by_item, len(contexts))).reshape(-1, seen.items)
    row_of = {context.tobytes(): row for context, row in zip(contexts, means, strict=True)}

    def predict(features: Floats) -> Floats:
        distinct, which = np.unique(features, axis=0, return_inverse=True)
        rows = np.stack([row_of.get(context.tobytes(), by_item) for context in distinct])
        return rows[which.reshape(-1)]

    return predict


def _linear(seen: Seen) -> Model:
    centre, spread = seen.features.mean(axis=0), seen.features.std(axis=0)
    scale = np.where(spread > 0.0, spread, 1.0)

    def inputs(features: Floats) -> Floats:
        return np.column_stack([np.ones(len(features)), (features - centre) / scale])

    weights = np.zeros((1 + seen.features.shape[1], seen.items))
    weights[0] = seen.reward.mean()
    pull = RIDGE * np.eye(len(weights))
    pull[0, 0] = 1e-9
    for item in np.unique(seen.action):
        mine = seen.action == item
        x = inputs(seen.features[mine])
        weights[:, item] = np.linalg.solve(x.T @ x + pull, x.T @ seen.reward[mine])
    return lambda features: np.asarray(inputs(features) @ weights)


def _fitted(model: Any, seen: Seen) -> Model:
    mine = copy.deepcopy(model)
    marks = np.eye(seen.items)
    mine.fit(np.column_stack([seen.features, marks[seen.action]]), seen.reward)

    def predict(features: Floats) -> Floats:
        columns = []
        for item in range(seen.items):
            x = np.column_stack([features, np.tile(marks[item], (len(features), 1))])
            columns.append(_mean_of(mine, x))
        return np.column_stack(columns)

    return predict


def _mean_of(model: Any, x: Floats) -> Floats:
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(x), dtype=np.float64)
    worth = np.asarray(model.classes_, dtype=np.float64)
    return np.asarray(np.asarray(model.predict_proba(x), dtype=np.float64) @ worth)
