"""The world of the common workload: 1,000 items that are vectors with a quality, and no ground truth.

The workload is what agent-based frameworks are compared on. What people took turns out as they found
it (`outcome` among their columns); nobody works out what would have been best for them, which is the
dearest thing that other worlds do: no column `ideal`, `regret` or `right` is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from rehearse.chance import Chance
from rehearse.columns import Array, Columns, everywhere
from rehearse.contract import NOTHING, Decisions, Offer, Outcomes, Responses, Turn
from rehearse.errors import ScenarioError
from rehearse.exact import Floats, matmul
from rehearse.scenario.base import Strict
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

DIMS = 16


class Settings(Strict):
    """How many items there are, and what they are like."""

    items: int = Field(default=1000, ge=5, le=32_767)
    """How many items there are."""
    spread: float = 0.25
    """The standard deviation of each of the 16 dimensions."""
    quality: float = 0.3
    """The standard deviation of quality, in logits."""


def build(
    settings: Mapping[str, Any], *, data: Path | None, drift: tuple[Drift, ...], chance: Chance
) -> Workload:
    """Draw the items; raises ScenarioError where the settings, a data file or a drift do not fit."""
    if data is not None or drift:
        asked = f"the data file {str(data)!r}" if data is not None else f"a drift of {drift[0].what!r}"
        problem = f"{asked} was given to the world workload-v1, which reads no data and never changes."
        raise ScenarioError(problem, "Leave it out, or use the world recommend-v1.")
    return Workload(check(Settings, dict(settings), under="world.settings"), chance)


class Workload:
    """Items that are vectors (`contract.World`)."""

    name = "workload-v1"
    features: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    coupled = False
    bytes_per_user = 0
    """What is kept about each person: nothing."""

    def __init__(self, settings: Settings, chance: Chance) -> None:
        count = settings.items
        self.items = tuple(f"item-{i}" for i in range(count))
        self.attributes = (*(f"vector_{i}" for i in range(DIMS)), "quality")
        drawn = chance.normal("world/items", 0, np.arange(count), count=DIMS + 1)
        self.table_of_items: Floats = drawn * np.append(np.full(DIMS, settings.spread), settings.quality)

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out all items, the same for everybody."""
        return Offer(attributes=self.table_of_items, features=np.empty((len(turn), 0), dtype=np.float32))

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let things be as people found them; what was taken is worth its outcome."""
        n = len(turn)
        outcome = np.asarray(people["outcome"].take(turn.rows), dtype=np.float32)
        unknown = everywhere(np.nan, n, np.float32)
        return Outcomes(
            reward=outcome,
            experience=unknown,
            ideal=everywhere(NOTHING, n, np.int32),
            regret=unknown,
            right=everywhere(NOTHING, n, np.int8),
        )

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return each person's utility of every item in the first place of a slate, shape (n, m)."""
        tastes = 2.0 * people.numbers("taste", turn.rows)
        return np.asarray(matmul(tastes, self.table_of_items[:, :DIMS].T) + self.table_of_items[:, DIMS])

    def table(self) -> Columns | None:
        """Return None: nobody comes from data."""
        return None

    def drift(self, tick: int) -> list[str]:
        """Change nothing."""
        return []

    def state(self) -> dict[str, Array]:
        """Return nothing: all follows from the settings and the seed."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Have nothing to take back."""
