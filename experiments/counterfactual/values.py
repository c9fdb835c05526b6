"""What a counterfactual comes to: tables of who was touched, what was decided otherwise, what followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from rehearse.experiments.intervals import Unit
from rehearse.experiments.pictures.showing import Shown
from rehearse.scenario.base import Strict

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts


class Moved(Strict):
    """How an outcome moved, for everybody or some."""

    kind: Literal["group", "segment"] | None
    name: str | None
    people: int
    touched: float
    """The share of people for whom anything differs."""
    flipped: float | None
    """The share of the turns that both lives have in which the model answered otherwise."""
    outcome: str
    before: float | None
    after: float | None
    difference: float | None
    """A person, after − before."""
    low: float | None
    high: float | None
    p_corrected: float | None
    """Corrected by Holm for all rows of the table."""


class Share(Strict):
    """Some of the people, by what differs first or by how far they are from the change."""

    name: str
    people: int
    first_tick: float | None
    """The mean."""
    differences: Mapping[str, float]
    """Of each outcome: the sum over these people."""


class Counterfactual(Shown, Strict):
    """What one change does to everybody."""

    change: str
    a: str
    """The folder of the run as it was."""
    b: str
    unit: Unit
    confidence: float
    people: int
    touched: int
    turns: int
    """That both lives have."""
    flipped: int
    rows: tuple[Moved, ...]
    causes: tuple[Share, ...]
    reach: tuple[Share, ...]
    """By ties; empty where nobody knows anybody."""
    most: tuple[Mapping[str, Any], ...]
    """The people whose lives changed most, from the table `attribution.parquet`."""

    def table(self) -> str:
        """Return it as lines to print."""
        from rehearse.experiments.counterfactual.telling import table

        return table(self)

    def charts(self) -> Charts:
        """Return a forest for each outcome, by its name."""
        from rehearse.experiments.pictures.of_differences import of_counterfactual

        return of_counterfactual(self)

    def __str__(self) -> str:
        """Return the table."""
        return self.table()

    def markup(self) -> str:
        """Return who was touched and how outcomes moved, as HTML."""
        from rehearse.experiments.pictures.of_differences import counterfactual_tables

        return counterfactual_tables(self)
