"""Late news: what a policy that learns is told of a turn waits until it is due.

Each turn's delay is one draw of its own, D = ⌊F⁻¹(u)⌋ ticks, by the law for its label. A turn of tick t is
told at the end of tick t + D, in the order (replica, user, tick, turn). What is not due by the last tick is
never told: the policy learns from a censored sample (Chapelle, "Modeling delayed feedback in display
advertising", KDD 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Feedback, Flags, Stage
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.scenario.distributions import quantile
from rehearse.scenario.feedback import Late
from rehearse.scenario.people import Distribution

NEVER = 1 << 40
"""The tick at which something is due that is never told."""
KEPT = "late/"
"""How the names of what waits begin in the state of a policy."""
COUNT = "count"
DETAIL = "detail/"
"""How the names of columns begin that come from `Feedback.detail`."""
ACTED = f"{DETAIL}model"
"""Which model acted: told with a label that comes by itself too."""

NOBODY = {
    "replica": np.int32, "user": np.int64, "turn": np.int16, "happened": np.int32, "due": np.int64,
    "group": np.int8, "choice": np.int32, "reward": np.float32, "propensity": np.float32, "label": np.int8,
    "harm": np.float32,
}  # fmt: skip
"""The columns of what waits, besides features and slates."""

Table = dict[str, Any]


class Post:
    """What is on its way to a policy that learns; `detail` names the columns of `Feedback.detail`."""

    def __init__(self, spec: Late, stage: Stage, detail: Mapping[str, Any] | None = None) -> None:
        self._spec = spec
        self._replicas = np.sort(stage.replicas)
        self._chance = Chance(stage.seed)
        kinds = NOBODY | {DETAIL + name: kind for name, kind in (detail or {}).items()}
        self._waiting: Table = {name: np.zeros(0, dtype=kind) for name, kind in kinds.items()}
        self._waiting |= {"features": np.zeros((0, 0), np.float32), "slate": np.zeros((0, 1), np.int32)}

    def __len__(self) -> int:
        """Return how many turns wait."""
        return len(self._waiting["due"])

    def deliver(self, feedback: Feedback) -> Feedback:
        """Take in the turns of a tick; return what is due at its end."""
        turns = _table_of(feedback)
        turns["due"] = self._due(feedback)
        whole = _stacked([self._waiting, *([turns] if self._spec.what == "turns" else _split(turns))])
        whole = _taken(whole, np.lexsort([whole[n] for n in ("turn", "happened", "user", "replica")]))
        here = whole["due"] <= feedback.tick
        self._waiting = _taken(whole, np.flatnonzero(~here & (whole["due"] < NEVER)))
        told = _taken(whole, np.flatnonzero(here))
        told.pop("due")
        for name in ("label", "harm"):
            if getattr(feedback, name) is None and _blank(told[name]).all():
                told[name] = None
        detail = {n.removeprefix(DETAIL): told.pop(n) for n in list(told) if n.startswith(DETAIL)}
        return replace(feedback, **told, detail=detail)

    def state(self) -> dict[str, Array]:
        """Return what waits, by society: each array has a row for each, filled up to the longest."""
        counts = np.array([self._mine(replica).sum() for replica in self._replicas], dtype=np.int64)
        kept: dict[str, Array] = {COUNT: counts}
        for name, array in self._waiting.items():
            shape = (len(counts), int(counts.max()), *array.shape[1:])
            kept[name] = np.zeros(shape, dtype=array.dtype)
            for place, replica in enumerate(self._replicas):
                kept[name][place, : counts[place]] = array[self._mine(replica)]
        return {KEPT + name: array for name, array in kept.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        kept = {n.removeprefix(KEPT): a for n, a in state.items() if n.startswith(KEPT)}
        counts = np.asarray(kept.pop(COUNT), dtype=np.int64)
        self._waiting = {
            name: np.concatenate([rows[:count] for rows, count in zip(array, counts, strict=True)])
            for name, array in kept.items()
        }

    def _mine(self, replica: int) -> Flags:
        mine: Flags = self._waiting["replica"] == replica
        return mine

    def _due(self, feedback: Feedback) -> NDArray[np.int64]:
        spec, now = self._spec, np.full(len(feedback.user), feedback.tick, dtype=np.int64)
        if not spec.holds(feedback.tick):
            return now
        if spec.what == "labels" and feedback.label is None and len(now):
            problem = "feedback.what is labels, and this world's turns have none."
            raise UserError(problem, "Let whole turns be told late: feedback.what: turns.")
        u = self._uniform(feedback)
        delay = _ticks(spec.delay, u)
        if spec.positives is not None:
            good = feedback.reward > 0.0 if feedback.label is None else feedback.label == 1
            delay = np.where(good, _ticks(spec.positives, u), delay)
        if spec.lost_after is not None:
            delay = np.where(delay > spec.lost_after, NEVER, delay)
        return now + delay

    def _uniform(self, feedback: Feedback) -> Floats:
        u = np.empty(len(feedback.user))
        for turn in np.unique(feedback.turn).tolist():
            rows = np.flatnonzero(feedback.turn == turn)
            who = feedback.replica[rows], feedback.user[rows]
            u[rows] = self._chance.uniform("feedback", *who, tick=feedback.tick, turn=turn)[:, 0]
        return u


def _ticks(law: Distribution, u: Floats) -> NDArray[np.int64]:
    return np.floor(np.clip(quantile(law, u), 0.0, NEVER)).astype(np.int64)


def _table_of(feedback: Feedback) -> Table:
    turns: Table = {f.name: getattr(feedback, f.name) for f in fields(Feedback)}
    tick = turns.pop("tick")
    turns |= {DETAIL + name: array for name, array in turns.pop("detail").items()}
    for name, blank in (("label", NOTHING), ("harm", np.nan)):
        if turns[name] is None:
            turns[name] = np.full(len(feedback.user), blank, dtype=NOBODY[name])
    return turns | {"happened": np.full(len(feedback.user), tick, dtype=np.int32)}


def _blank(array: NDArray[Any]) -> Flags:
    return np.asarray(np.isnan(array) if array.dtype.kind == "f" else array == NOTHING)


def _split(table: Table) -> list[Table]:
    """Return the turns without the labels that come later, told at once, and those labels by themselves."""
    now = table["happened"].astype(np.int64)
    later = (table["due"] > now) & (table["label"] != NOTHING)
    at_once = table | {"due": now}
    if not later.any():
        return [at_once]
    label = np.where(later, np.int8(NOTHING), table["label"])
    bare = _taken(table, np.flatnonzero(later))
    bare["slate"] = np.full_like(bare["slate"], NOTHING)
    bare["choice"] = np.full_like(bare["choice"], NOTHING)
    bare["reward"] = np.zeros_like(bare["reward"])
    for name in ("propensity", "harm", *(n for n in bare if n.startswith(DETAIL) and n != ACTED)):
        bare[name] = np.full_like(bare[name], NOTHING if bare[name].dtype.kind == "i" else np.nan)
    return [at_once | {"label": label}, bare]


def _stacked(parts: list[Table]) -> Table:
    """Return tables one below the other, narrow slates (and features of nobody) widened."""
    filled = [part for part in parts if len(part["due"])] or parts[:1]
    return {name: np.concatenate(_widened([part[name] for part in filled])) for name in filled[0]}


def _widened(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    if arrays[0].ndim == 1:
        return arrays
    most = max(array.shape[1] for array in arrays)
    gaps = [((0, 0), (0, most - array.shape[1])) for array in arrays]
    return [np.pad(a, gap, constant_values=NOTHING) for a, gap in zip(arrays, gaps, strict=True)]


def _taken(table: Table, rows: Rows) -> Table:
    return {name: array.take(rows, axis=0) for name, array in table.items()}
