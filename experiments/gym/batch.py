"""Many people's sessions at a time: a `gymnasium.vector.VectorEnv` over columns, not over environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rehearse.columns import Array
from rehearse.contract import End, Flags, Singles
from rehearse.errors import UserError
from rehearse.exact import Floats
from rehearse.experiments.gym.beginning import begun, reseeded
from rehearse.experiments.gym.seeing import cut_off, observed, spaces_of, told_after, told_before
from rehearse.experiments.gym.table import Table
from rehearse.scenario.model import Scenario

Step = tuple[Singles, Floats, Flags, Flags, dict[str, Any]]


class SessionsBatch(VectorEnv[Singles, Any, Array]):
    """The people of a scenario on `num_envs` chairs, an episode a session; see `Sessions` for the rest.

    Whoever's session ends makes room for the next person in the same step (`AutoresetMode.SAME_STEP`): the
    observation, `action_mask`, and who and when in the infos are then the next person's, `final_obs` holds
    the last observation of the one who left, and `final_info` the record's columns of that last turn. The
    columns of the turns just taken stand in the infos for all chairs.

    Where a tick has fewer sessions than there are chairs, further replicas of the scenario are opened. They
    share no people, but each costs memory and time, so give the scenario more people than chairs. In a
    coupled world all sessions of a tick are held together; who has no chair is answered by `others`.
    `reset(seed=…)` takes one root seed for all chairs. Lives cannot be batched: `UserError`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        scenario: str | Path | Scenario,
        num_envs: int = 1,
        *,
        episode: str = "session",
        others: str | None = None,
        data: str | Path | None = None,
        missing: float = 0.0,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        if episode == "life":
            problem = "lives do not keep step with one another, so they cannot be batched."
            raise UserError(problem, 'Give make_vec vectorization_mode="sync", or take episode="session".')
        self.render_mode, self.missing, self.num_envs = render_mode, missing, num_envs
        self._terms = begun(scenario, episode, others, data, changes)
        self._table = Table(self._terms, num_envs)
        stage = self._table.stage
        self.feature_names, self.items = stage.features, stage.items
        self.single_observation_space, self.single_action_space = spaces_of(stage)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Singles, dict[str, Any]]:
        """Let people come to all chairs, with `seed` the first ones of that root seed."""
        if seed is not None and not isinstance(seed, (int, np.integer)):
            problem = f"reset was given {type(seed).__name__} as a seed."
            raise UserError(problem, "All chairs are one society's: give one whole number.")
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._table = Table(reseeded(self._terms, seed), self.num_envs)
        self._table.clear()
        self._table.seat()
        return self._seen(), _masked(told_before(self._table), self._all)

    def step(self, actions: Any) -> Step:
        """Answer everybody, each by the action of his or her chair."""
        slates = np.asarray(actions, dtype=np.int32).reshape(self.num_envs, -1)
        made = self._table.answer(slates)
        over: Flags = made.end != End.NONE
        truncated = cut_off(made.end, self._terms.scenario.time.max_turns)
        told = told_after(made)
        last = self._left(told, over) if over.any() else {}
        self._table.seat()
        infos = _masked(told | told_before(self._table), self._all) | last
        return self._seen(), made.reward, over & ~truncated, truncated, infos

    def _left(self, told: dict[str, Array], over: Flags) -> dict[str, Any]:
        """Return the infos about those who leave."""
        final = _masked(told | told_before(self._table), over)
        return {"final_obs": self._seen(), "_final_obs": over, "final_info": final, "_final_info": over}

    def _seen(self) -> Singles:
        return observed(self._table.features, self.missing)

    @property
    def _all(self) -> Flags:
        return np.ones(self.num_envs, dtype=np.bool_)


def _masked(columns: dict[str, Array], chairs: Flags) -> dict[str, Array]:
    """Return infos as Gymnasium has them: beside each a mask that says for which chairs it holds."""
    return columns | {f"_{name}": chairs & ~_empty(column) for name, column in columns.items()}


def _empty(column: Array) -> Flags:
    """Tell which chairs have no number in a column, shape (chairs,)."""
    none = np.isnan(column) if column.ndim == 1 and column.dtype.kind == "f" else False
    return np.broadcast_to(none, len(column))
