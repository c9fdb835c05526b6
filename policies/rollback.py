"""Rollback: when what is watched breaches its bound for some ticks on end, the previous version serves again.

At the end of each tick the mean of what is watched is taken over the turns that came to be known in it, in
each society by itself, and held against the bound, or given to a detector, which needs no bound. A tick with
too few turns is no breach and no relief. Who went back stays back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from rehearse.columns import Array
from rehearse.contract import NOTHING, Decisions, Feedback, Flags, Publishes, Requests, Stage
from rehearse.detect import Chart, Spec, Watcher
from rehearse.errors import PolicyLoadError, UserError, did_you_mean
from rehearse.exact import Floats
from rehearse.policies.composed import MODEL, Composed, Composition, Load, models_of, noted

BACK = "rolled_back"
REFERENCE = 10
"""Ticks that tell a detector what is usual, where it is not said."""
OF_DETECTOR = "detector."
KEPT = {"back": np.int8, "breaches": np.int32, "monitored": np.float32}
"""What is remembered of each society: whether it went back, ticks in breach on end, the last mean."""


class Rollback(Composition):
    """A version in service, and the one before it, to which to return."""

    registered = "rollback-v1"
    parts = ("current", "previous")
    current: Any
    """The version in service."""
    previous: Any
    """The version to return to."""
    monitor: Literal["reward", "acceptance", "label", "harm", "failures"] = "reward"
    """What is watched: the mean reward or harm of a turn, the share of answers that were taken, of known
    labels that are 1, or of turns without an answer."""
    at_least: float | None = None
    """Below this the mean of a tick is a breach."""
    at_most: float | None = None
    """Above this it is one."""
    detector: Spec | None = None
    """In place of a bound: goes back when this rings, such as `{name: cusum, side: down, reference: 10}`.
    A chart told of no mean, sd or reference takes the first ten ticks for what is usual."""
    ticks: Annotated[int, Field(ge=1)] = 3
    """After so many ticks in breach on end the previous version serves."""
    turns: Annotated[int, Field(ge=1)] = 20
    """A tick with fewer turns of a society does not count."""
    of: str | None = None
    """Only turns of this model within the current version, as the record calls it; None: of all of it."""
    against: str | None = None
    """The mean over the turns of this model is taken off; None: the bound is absolute."""

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if sum(given is not None for given in (self.at_least, self.at_most, self.detector)) != 1:
            problem = "give one of at_least, at_most and detector"
            raise ValueError(problem)
        return self

    def made(self, stage: Stage, load: Load, where: str) -> Composed:  # noqa: ARG002 - it draws nothing
        """Return the policy."""
        return RollbackPolicy(self, {part: load(getattr(self, part), part) for part in self.parts}, stage)

    def watcher(self, societies: int) -> Watcher | None:
        """Return the detector at work on so many societies; None where there is a bound."""
        detector = self.detector
        if isinstance(detector, Chart) and {detector.mean, detector.sd, detector.reference} == {None}:
            detector = detector.model_copy(update={"reference": REFERENCE})
        return None if detector is None else detector.watcher(societies)

    def breached(self, mean: Floats) -> Flags:
        """Tell where a mean is beyond the bound."""
        low, high = self.at_least, self.at_most
        below: Flags = mean < (-np.inf if low is None else low)
        return below | (mean > (np.inf if high is None else high))


class RollbackPolicy(Composed):
    """The current version until it has to go; columns `rolled_back` (1, 0) and `monitored` (last mean)."""

    def __init__(self, given: Rollback, parts: dict[str, Any], stage: Stage) -> None:
        own = {BACK: np.int8, "monitored": np.float32}
        super().__init__(given.registered, parts, stage, own, learns=True)
        self._given = given
        self._kept: dict[str, NDArray[Any]] = {n: np.zeros(len(self.replicas), k) for n, k in KEPT.items()}
        self._kept["monitored"][:] = np.nan
        self._watcher = given.watcher(len(self.replicas))
        self._models = {name: self._code(name) for name in (given.of, given.against) if name is not None}

    def decide(self, requests: Requests) -> Decisions:
        """Let the version in service answer."""
        society = self.society(requests.replica)
        back = self._kept["back"][society]
        answer = self.share_out(requests, back)
        return noted(answer, rolled_back=back, monitored=self._kept["monitored"][society])

    def hear(self, feedback: Feedback) -> None:
        """Tell the parts, and hold what came of it against the bound."""
        super().hear(feedback)
        mean = self._mean(feedback, self._given.of)
        if self._given.against is not None:
            mean = mean - self._mean(feedback, self._given.against)
        judged, kept = ~np.isnan(mean) & (self._kept["back"] == 0), self._kept
        kept["monitored"][judged] = mean[judged]
        if self._watcher is not None:
            kept["back"][judged & self._watcher.hear(np.where(judged, mean, np.nan))] = 1
            return
        breaches = np.where(self._given.breached(mean), kept["breaches"] + 1, 0)
        kept["breaches"][judged] = breaches[judged]
        kept["back"][judged & (kept["breaches"] >= self._given.ticks)] = 1

    def published(self) -> Mapping[str, Array]:
        """Return what is known of the version in service in each society, where both tell the same things."""
        parts = [part.policy for part in self.parts.values()]
        now, before = (part.published() if isinstance(part, Publishes) else {} for part in parts)
        back = self._kept["back"] == 1
        if not back.any():
            return now
        return {name: _by_society(back, now[name], before[name]) for name in now if name in before}

    def state(self) -> dict[str, Array]:
        """Return what is remembered of each society, and what the parts remember."""
        heard = {} if self._watcher is None else self._watcher.state()
        told = {f"{OF_DETECTOR}{name}": array for name, array in heard.items()}
        return super().state() | {name: array.copy() for name, array in self._kept.items()} | told

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        super().restore(state)
        self._kept = {name: np.array(state[name], dtype=kind) for name, kind in KEPT.items()}
        if self._watcher is not None:
            names = (name for name in state if name.startswith(OF_DETECTOR))
            self._watcher.restore({name.removeprefix(OF_DETECTOR): state[name] for name in names})

    def _code(self, name: str) -> int:
        inner = models_of("current", self.parts["current"].policy)
        known = [model.removeprefix("current.") for model in inner]
        if name not in known:
            problem = f"{self._given.registered}: there is no model {name!r} in the current version."
            raise PolicyLoadError(problem, did_you_mean(name, known))
        return known.index(name)

    def _mean(self, feedback: Feedback, model: str | None) -> Floats:
        """Return each society's mean of what is watched, NaN where it was told of too few turns."""
        mine = self.acted("current", feedback)
        if model is not None:
            mine &= (
                np.asarray(feedback.detail[MODEL] == self._models[model])
                if MODEL in feedback.detail
                else False
            )
        value = self._watched(feedback)
        rows = np.flatnonzero(mine & ~np.isnan(value))
        society, among = self.society(feedback.replica[rows]), len(self.replicas)
        count = np.bincount(society, minlength=among)
        total = np.bincount(society, weights=value[rows], minlength=among)
        return np.where(count >= self._given.turns, total / np.maximum(count, 1), np.nan)

    def _watched(self, feedback: Feedback) -> Floats:
        what, none = self._given.monitor, np.full(len(feedback.user), np.nan)
        if what == "label":
            return none if feedback.label is None else np.where(feedback.label >= 0, feedback.label, np.nan)
        if what == "harm" and feedback.harm is None and len(none):
            problem = f"{self._given.registered} monitors harm, and this world has none."
            raise UserError(problem, "Monitor the reward instead.")
        found: dict[str, Any] = {
            "reward": feedback.reward,
            "harm": feedback.harm,
            "acceptance": np.where(feedback.slate[:, 0] >= 0, feedback.choice >= 0, np.nan),
            "failures": feedback.slate[:, 0] < 0,
        }
        whole = feedback.detail.get(BACK, np.zeros(len(none))) != NOTHING  # not a label alone, come late
        return np.where(whole, none if found[what] is None else found[what], np.nan)


def _by_society(back: Flags, now: Array, before: Array) -> Array:
    """Return numbers of the version in service, shape (societies,) or (societies, groups)."""
    numbers = (np.asarray(array, dtype=np.float64) for array in (now, before))
    one, other = (array[:, None] if array.ndim == 1 else array for array in numbers)
    whole = np.where(back[:, None], other, one)
    return whole[:, 0] if whole.shape[1] == 1 else whole
