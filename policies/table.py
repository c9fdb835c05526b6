"""Chances written down: in each context every item has a chance to be the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.contract import NOTHING, Decisions, Requests, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.exact import Floats, total
from rehearse.policies.cuts import feature_number
from rehearse.policies.picking import drawn, open_to
from rehearse.policies.settings import checked, item_number
from rehearse.scenario.base import NotNegative, Strict

CLOSE = 1e-6
"""How far a row's chances may be from adding up to 1, as they are where a third is written .3333333."""
Row = Annotated[tuple[NotNegative, ...] | dict[str, NotNegative], Field(min_length=1)]


class TableSettings(Strict):
    """Settings of `table-v1`."""

    chances: tuple[Row, ...] = Field(min_length=1)
    """A row for each context: the chance of each item, in the order of the items or by name."""
    feature: str | None = "context"
    """The feature that says which row, as a whole number from 0; with one row it is not looked at."""


class Table:
    """An item drawn by the chances of the context; what a person cannot have leaves its share to the rest."""

    name = "table-v1"
    version = "1"
    foreign = False

    def __init__(self, settings: Mapping[str, Any], stage: Stage) -> None:
        given = checked(TableSettings, settings, self.name)
        self._rows = np.stack([_row(row, stage, place) for place, row in enumerate(given.chances)])
        self._place: int | None = None
        if len(self._rows) > 1:
            self._place = feature_number(given.feature or "", stage, "policy.settings.feature")

    def decide(self, requests: Requests) -> Decisions:
        """Draw an item for each request."""
        chances = self.probabilities(requests)
        item = drawn(chances, requests.uniform("table")[:, 0])
        propensity = chances[np.arange(len(item)), item]
        return Decisions.of(np.where(propensity > 0.0, item, NOTHING), propensity=propensity)

    def probabilities(self, requests: Requests) -> Floats:
        """Return the chance of each item to be the answer, shape (n, m)."""
        chances = self._rows[self._context(requests)]
        if requests.available is None:
            return np.asarray(chances)
        can = open_to(requests, avoid_shown=False)
        chances = np.where(can, chances, 0.0)
        whole = total(chances)
        even = can / np.maximum(can.sum(axis=1), 1)[:, None]  # nothing that it would give can be had
        return np.where(whole[:, None] > 0.0, chances / np.maximum(whole, 1e-300)[:, None], even)

    def _context(self, requests: Requests) -> Any:
        if self._place is None:
            return np.zeros(len(requests), dtype=np.intp)
        told = requests.features[:, self._place]
        row = np.rint(np.nan_to_num(told, nan=-1.0)).astype(np.intp)
        if (row < 0).any() or (row >= len(self._rows)).any():
            wrong = told[(row < 0) | (row >= len(self._rows))][0]
            problem = (
                f"{self.name} has rows for contexts 0 to {len(self._rows) - 1}, and was shown {wrong:g}."
            )
            raise ContractError(problem, "Give policy.settings.chances a row for every context.")
        return row


def _row(given: tuple[float, ...] | Mapping[str, float], stage: Stage, place: int) -> Floats:
    path = f"policy.settings.chances.{place}"
    row = np.zeros(len(stage.items))
    named = given.items() if isinstance(given, Mapping) else enumerate(given)
    for item, chance in named:
        row[item_number(item, stage, path)] = chance
    whole = float(total(row))
    if abs(whole - 1.0) > CLOSE:
        problem = f"{path}: the chances add up to {whole:g}."
        raise PolicyLoadError(problem, "Let the chances of a context add up to 1.")
    return np.asarray(row / whole)
