"""A triage rule: which item, by the band in which one feature lies."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from rehearse.contract import Decisions, Requests, Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.policies.picking import had
from rehearse.policies.settings import checked, item_number
from rehearse.scenario.base import Strict


class BandsSettings(Strict):
    """Settings of `bands-v1`."""

    feature: str
    """The feature that decides."""
    cuts: tuple[float, ...]
    """Ascending; a value equal to a cut belongs to the band above."""
    items: tuple[str | int, ...] | None = None
    """The item of each band, by name or number, one more than there are cuts; None: items 0, 1, …"""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(high <= low for low, high in pairwise(self.cuts)):
            problem = f"cuts must ascend, found {list(self.cuts)}"
            raise ValueError(problem)
        return self


class Bands:
    """An item for each band of a feature; who cannot have it gets the first item that can be had.

    The score is the feature itself.
    """

    name = "bands-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(BandsSettings, settings, self.name)
        if given.feature not in stage.features:
            problem = f"policy.settings.feature: models cannot see a feature {given.feature!r} here."
            raise PolicyLoadError(problem, did_you_mean(given.feature, stage.features))
        named = range(len(given.cuts) + 1) if given.items is None else given.items
        if len(named) != len(given.cuts) + 1:
            problem = f"policy.settings has {len(named)} items for {len(given.cuts)} cuts."
            raise PolicyLoadError(problem, "Give one item more than cuts.")
        self._items = np.array([item_number(i, stage, "policy.settings.items") for i in named], np.int32)
        self._feature = stage.features.index(given.feature)
        # As float32 on both sides: a value that was written equal to a cut is equal to it.
        self._cuts = np.array(given.cuts, dtype=np.float32)

    def decide(self, requests: Requests) -> Decisions:
        """Look up each person's band."""
        seen = requests.features[:, self._feature]
        item = self._items.take(np.searchsorted(self._cuts, seen, side="right"))
        return Decisions.of(had(item, requests.available), score=seen, propensity=1.0)
