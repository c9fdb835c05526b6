"""One person's session as an episode, or one person's life: a `gymnasium.Env`."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any, ClassVar, Literal

import gymnasium
import numpy as np

from rehearse.columns import Array
from rehearse.contract import End, Singles
from rehearse.experiments.gym.beginning import begun, reseeded
from rehearse.experiments.gym.seeing import cut_off, observed, spaces_of, told_after, told_before
from rehearse.experiments.gym.table import Round, Table
from rehearse.scenario.model import Scenario


class Sessions(gymnasium.Env[Singles, Any]):
    """The people of a scenario, one session after another, as the environment of a learner.

    The learner stands where the policy stands in `rehearse.run`, with the scenario's latency, faults and
    guards round its answers. Episodes come in the order in which a run has the sessions: all of a tick by
    user, tick after tick; after the last tick the next replica of the scenario begins.

    Observation: the features that a model may see, float32, shape (f,), named in `feature_names`; NaN is
    replaced by `missing`. Action: the number of an item, or a slate of numbers; an item twice in a slate, or
    one that cannot be had, is a policy error, as in a run. Reward: the world's.
    Terminated: the session ended. Truncated: the scenario's cap on turns or time ended it (not where
    sessions have one turn); the observation is then the last one that was answered.
    Info: whom it is about and when, `action_mask` (int8, (m,)) of the next action, and after a step the
    record's columns of the turn (choice, regret, satisfaction, end, …) that hold something.
    `reset(seed=…)` begins with that root seed; `reset()` goes on with the next person, and ends an
    unfinished session (`policy_stop`).

    With `episode="life"` an episode is all sessions of one person, user after user: terminated when he or
    she has left for good, truncated at the end of the scenario. Where people influence one another, or the
    world is coupled, everybody else is answered by `others`, a policy that does not learn (None: the
    scenario's own). `changes` are those of `rehearse.load`: users, ticks, seed, settings.
    Raises UserError for what cannot be had.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self,
        scenario: str | Path | Scenario,
        *,
        episode: Literal["session", "life"] = "session",
        others: str | None = None,
        data: str | Path | None = None,
        missing: float = 0.0,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        self.render_mode = render_mode
        self.missing = missing
        self._terms = begun(scenario, episode, others, data, changes)
        self._table = Table(self._terms, 1)
        self.feature_names, self.items = self._table.stage.features, self._table.stage.items
        self.observation_space, self.action_space = spaces_of(self._table.stage)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Singles, dict[str, Any]]:
        """Begin the next episode, with `seed` the first one of that root seed; `options` are not used."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._table = Table(reseeded(self._terms, seed), 1)
        self._table.clear()
        self._table.seat()
        return self._seen(), _one(told_before(self._table))

    def step(self, action: Any) -> tuple[Singles, float, bool, bool, dict[str, Any]]:
        """Answer the person who asks."""
        if not self._table.taken[0]:
            message = "the episode is over, or has not begun. Call reset() before the next step()."
            raise gymnasium.error.ResetNeeded(message)
        made = self._table.answer(np.asarray(action, dtype=np.int32).reshape(1, -1))
        terminated, truncated = self._over(made)
        info = _one(told_before(self._table)) | _one(told_after(made))
        return self._seen(), float(made.reward[0]), terminated, truncated, info

    def _over(self, made: Round) -> tuple[bool, bool]:
        end = made.end
        if end[0] == End.NONE or (self._terms.life and self._table.seat_again()):
            return False, False
        if self._terms.life:
            gone = not self._table.still_here()
            return gone, not gone
        cut = bool(cut_off(end, self._terms.scenario.time.max_turns)[0])
        return not cut, cut

    def _seen(self) -> Singles:
        return observed(self._table.features[0], self.missing)


def _one(columns: dict[str, Array]) -> dict[str, Any]:
    """Return the one row of columns as plain values, without those that hold no number there."""
    values = {name: a[0].item() if a.ndim == 1 else a[0] for name, a in columns.items()}
    return {name: value for name, value in values.items() if not (isinstance(value, float) and isnan(value))}
