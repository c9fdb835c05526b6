"""What goes into somebody else's model and what comes out of it, by name.

Models that are no Python objects (files of ONNX, servers) take columns and give outputs under names of
their own. Settings say which is which; where they say nothing, the names that libraries give are known.
An output of scores, a column for each class, is read as scikit-learn's probabilities are; an output of
actions holds items, by name or number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rehearse.columns import Array, Rows
from rehearse.contract import Decisions, Fault, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.answers import read
from rehearse.policies.baselines import SlateLength
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.estimator import Choosing, item_of
from rehearse.policies.settings import check_k
from rehearse.scenario.base import Strict

KNOWN = {
    "scores": ("scores", "probabilities", "output_probability", "predict_proba", "probability"),
    "action": ("action", "actions", "label", "output_label", "predict", "predictions", "class"),
    "score": ("score",),
    "propensity": ("propensity",),
}
"""What outputs are called by skl2onnx, MLServer and their like, by what they are."""


class Outputs(Strict):
    """Which output is what; None: the names that are known, or else the only output that there is."""

    action: str | None = None
    """Items by name or number: one a row, or a slate."""
    scores: str | None = None
    """A column for each class; the item with the highest is proposed."""
    score: str | None = None
    """The score of the action."""
    propensity: str | None = None
    """The chance of the action."""
    classes: tuple[str | int, ...] | None = None
    """The items that the columns of `scores` are, by name or number; None: all items in order."""


class SignatureSettings(Strict):
    """Settings of every model that is asked by columns."""

    features: tuple[str, ...] | dict[str, str] | None = None
    """Which features it is given, in order; `{its name: feature}` where it has other names; None: all."""
    outputs: Outputs = Outputs()
    """Which output is what."""
    k: SlateLength = None
    """Items in a slate, where there are scores."""
    avoid_shown: bool = True
    """Pass over what was shown earlier in the session while something is left, where there are scores."""


class Signature:
    """The columns that a model takes, and how its outputs become decisions."""

    def __init__(
        self, given: SignatureSettings, stage: Stage, name: str, wanted: Sequence[str] | None = None
    ) -> None:
        """Match settings with a stage; `wanted` are the columns that the model says it takes, if it does."""
        asked = given.features if given.features is not None else wanted or stage.features
        pairs = dict(asked) if isinstance(asked, Mapping) else {feature: feature for feature in asked}
        self.names = tuple(pairs)
        """What the model calls its columns."""
        places = [_place(feature, stage, name) for feature in pairs.values()]
        self._columns: Rows = np.array(places, dtype=np.int64)
        self._outputs, self._name, self._stage = given.outputs, name, stage
        k = check_k(given.k, stage)
        labels = given.outputs.classes
        self._classes = None if labels is None else _items(labels, stage, name)
        self._choosing = Choosing(len(stage.items), k, avoid_shown=given.avoid_shown)

    def of(self, requests: Requests) -> Floats:
        """Return the values of the columns, shape (n, columns), as exactly as models see them."""
        return requests.features.take(self._columns, axis=1).astype(np.float64)

    def read(self, outputs: Mapping[str, Any], requests: Requests, complaints: Complaints) -> Decisions:
        """Return outputs, by name, as decisions; raises AnswerError where they cannot be read."""
        found = self._roles(outputs)
        told = {role: outputs[name] for role, name in found.items() if role != "scores"}
        if "scores" in found and (self._outputs.action is None or self._outputs.scores is not None):
            chances, classes = self._scores(
                outputs[found["scores"]], len(requests), known="action" not in found
            )
            if classes is not None and self._outputs.action is None:
                return self._choosing.decide(chances, classes, requests, complaints)
            told = {"score": chances.max(axis=1)} | told  # which class a column is, the model keeps to itself
        if "action" not in found:
            raise AnswerError(
                Fault.WRONG_SHAPE, f"gave {_listed(outputs)}, none of which is said to be its action"
            )
        return read(told, requests, complaints)

    def _roles(self, outputs: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for role, known in KNOWN.items():
            said = getattr(self._outputs, role)
            if said is not None and said not in outputs:
                raise AnswerError(Fault.WRONG_SHAPE, f"gave {_listed(outputs)} and no {said!r}")
            name = said or next((n for n in known if n in outputs), None)
            if name is not None:
                found[role] = name
        if not {"action", "scores"} & found.keys() and len(outputs) == 1:
            (name,) = outputs
            found["scores" if _is_matrix(outputs[name]) else "action"] = name
        elif "scores" not in found and self._outputs.action is None and _is_matrix(outputs[found["action"]]):
            found["scores"] = found.pop("action")
        return found

    def _scores(self, raw: Any, n: int, *, known: bool) -> tuple[Floats, Rows | None]:
        """Return scores (n, c) and the items of their columns; if `known`, all in order unless said."""
        classes = self._classes
        if (
            isinstance(raw, Sequence) and len(raw) and isinstance(raw[0], Mapping)
        ):  # by class, a mapping a row
            labels = list(raw[0])
            classes = _items(labels, self._stage, self._name) if classes is None else classes
            raw = [[row.get(label, np.nan) for label in labels] for row in raw]
        if classes is None and known:
            classes = np.arange(len(self._stage.items), dtype=np.int64)
        try:
            chances = np.asarray(raw, dtype=np.float64)
        except (TypeError, ValueError):
            raise AnswerError(Fault.NOT_A_NUMBER, "gave scores that are no numbers") from None
        width = (
            chances.shape[1]
            if classes is None and chances.ndim == 2
            else (0 if classes is None else len(classes))
        )
        if chances.shape != (n, width) or not width:
            sentence = f"gave scores of shape {chances.shape} for {n} requests and {width} classes"
            raise AnswerError(Fault.WRONG_SHAPE, sentence)
        return chances, classes


def _is_matrix(raw: Any) -> bool:
    """Tell scores of several classes from actions: numbers with a fraction, or a mapping, a row."""
    if isinstance(raw, Sequence) and not isinstance(raw, str) and len(raw) and isinstance(raw[0], Mapping):
        return True
    try:
        table: Array = np.asarray(raw)
    except ValueError:  # rows of different lengths
        return False
    return table.ndim == 2 and table.shape[1] > 1 and table.dtype.kind == "f"


def _items(labels: Sequence[Any], stage: Stage, name: str) -> Rows:
    return np.array([item_of(label, stage, name) for label in labels], dtype=np.int64)


def _place(feature: str, stage: Stage, name: str) -> int:
    if feature not in stage.features:
        problem = f"{name} is to be given the feature {feature!r}, which models cannot see here."
        hint = did_you_mean(feature, stage.features)
        remedy = f"{hint} Say in policy.settings.features what its columns are; there is: "
        raise PolicyLoadError(problem, f"{remedy}{', '.join(stage.features)}.")
    return stage.features.index(feature)


def _listed(outputs: Mapping[str, Any]) -> str:
    return f"the outputs {', '.join(map(repr, outputs))}" if outputs else "no outputs"
