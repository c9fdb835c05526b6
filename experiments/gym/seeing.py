"""What a learner sees and says: observations, actions, and what it is told besides.

`observed` is what stands between a model's requests and a learner's observations, here and when the
trained learner is rehearsed (`as_policy`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.contract import Codes, End, Fault, Flags, Intent, Requests, Singles, Stage
from rehearse.experiments.gym.table import ASKED, Round, Table
from rehearse.record.recorder import is_digested

LIMIT = float(np.finfo(np.float32).max)
CODES = {"intent": Intent, "fault": Fault, "end": End}
Act = Callable[[Singles, NDArray[np.int8]], Array]
"""Observations (n, f) and masks (n, m) to actions (n,) or slates (n, k)."""


def observed(features: Singles, missing: float = 0.0) -> Singles:
    """Return features as an observation: `missing` in place of NaN, infinities as the largest numbers."""
    return np.nan_to_num(features, nan=missing, posinf=LIMIT, neginf=-LIMIT)


def mask_of(requests: Requests) -> NDArray[np.int8]:
    """Return 1 for each item that a person can have, shape (n, m)."""
    if requests.available is None:
        return np.ones((len(requests), len(requests.items)), dtype=np.int8)
    return requests.available.astype(np.int8)


def as_policy(act: Act, *, missing: float = 0.0, name: str = "trained") -> Callable[[Requests], Array]:
    """Return what was trained in an environment as a policy for `rehearse.run`.

    `act(observations, masks)` answers a batch: actions (n,) or slates (n, k).
    """

    def decide(requests: Requests) -> Array:
        return act(observed(requests.features, missing), mask_of(requests))

    decide.__qualname__ = name
    return decide


def spaces_of(stage: Stage) -> tuple[Any, Any]:
    """Return the observation space and the action space of one person."""
    from gymnasium import spaces

    seen = spaces.Box(-LIMIT, LIMIT, shape=(len(stage.features),), dtype=np.float32)
    if stage.slate == 1:
        return seen, spaces.Discrete(len(stage.items))
    return seen, spaces.MultiDiscrete([len(stage.items)] * stage.slate)


def told_before(table: Table) -> dict[str, Array]:
    """Return what goes with an observation: whom it is about, when, and which items can be had."""
    who: dict[str, Array] = {name: column.copy() for name, column in table.who.items()}
    return who | {"action_mask": table.available.astype(np.int8)}


def told_after(made: Round) -> dict[str, Array]:
    """Return the columns of turns, words in place of codes; no wall-clock times, which never repeat."""
    columns = {name: a for name, a in made.columns.items() if name not in ASKED and is_digested(name)}
    for name, code in CODES.items():
        columns[name] = np.array(code.words())[np.asarray(columns[name], dtype=np.int8)]
    return columns


def cut_off(end: Codes, max_turns: int) -> Flags:
    """Tell which sessions a limit of the scenario cut off, by why they ended.

    Where sessions have one turn, that turn is all of it: nothing was cut off.
    """
    return np.asarray((end == End.TIME_BUDGET) | ((end == End.TURN_CAP) & (max_turns > 1)))
