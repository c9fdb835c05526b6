"""What a run came to: its verdict, its record, its charts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rehearse.experiments.pictures.showing import Shown
from rehearse.experiments.streams import values_of
from rehearse.log import events
from rehearse.record.reading import RunRecord

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

LOG = "log.jsonl"


@dataclass(frozen=True, slots=True, repr=False)
class Finished(Shown):
    """What a run came to."""

    folder: Path
    digest: str
    verdict: str
    """pass, fail or unsure; `not completed` where bounds stopped the run"""
    user_turns: int
    seconds: float
    criteria: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    """What the monitors rang, in order of ticks; see `rehearse.experiments.monitor.Alarm`."""

    @property
    def turns(self) -> RunRecord:
        """Return the record of the run, for its tables."""
        return RunRecord(self.folder)

    def series(self, name: str) -> NDArray[np.float64]:
        """Return what `monitors` may watch, by name; shapes and errors are those of `streams.values_of`."""
        return values_of(self.turns, name)

    @property
    def problems(self) -> list[str]:
        """Return what was wrong with the model's answers, a sentence each, as the log of the run has it."""
        return list(dict.fromkeys(e["problem"] for e in events(self.folder / LOG, "policy_error")))

    def charts(self) -> Charts:
        """Return the charts of the run's report by name."""
        from rehearse.experiments.pictures.of_runs import charts

        return charts(self.folder, self.digest)

    def __str__(self) -> str:
        """Return the verdict, a line a criterion, and where the run is."""
        from rehearse.experiments.pictures.of_runs import text

        return text(self)

    def markup(self) -> str:
        """Return the verdict and the criteria as HTML."""
        from rehearse.experiments.pictures.of_runs import tables

        return tables(self)


def finished(folder: Path) -> Finished:
    """Return what a finished run came to, from its folder; raises NotFoundError where it is none."""
    record = RunRecord(folder)
    return Finished(
        folder=folder,
        digest=record.manifest["digest"],
        verdict=record.verdict["verdict"],
        user_turns=record.manifest["user_turns"],
        seconds=record.manifest["seconds"],
        criteria=record.verdict["criteria"],
        alarms=record.verdict["alarms"],
    )
