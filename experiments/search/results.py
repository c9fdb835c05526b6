"""What comes out of a search: what was tried, the worst of it, and the scenario that is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.experiments.pictures.showing import Shown
from rehearse.experiments.search.aims import bound_of
from rehearse.experiments.search.space import Point, Values
from rehearse.experiments.search.trials import Outcome
from rehearse.experiments.sweep.keeping import column_of, numbers_of, words_of

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts
    from rehearse.experiments.search.region import Field
    from rehearse.experiments.search.writing import Shrunk

EVALUATIONS, SUMMARY, PAGE = "evaluations.parquet", "search.json", "report.html"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A point that was tried."""

    point: Point
    values: Values
    outcome: Outcome


@dataclass(frozen=True, slots=True, repr=False)
class Search(Shown):
    """A search for failure, done."""

    folder: Path
    scenario: str
    against: str
    searcher: str
    seed: int
    budget: int
    written: Outcome
    """What came of the scenario as it is written, which no budget is taken for."""
    evaluations: tuple[Evaluation, ...]
    at: Evaluation | None = None
    """The worst that fails with other seeds too; None where nothing does, or nothing was looked into."""
    region: tuple[Field, ...] = ()
    """Where it fails, field by field, those that matter most first; empty where nothing failed."""
    shrunk: Shrunk | None = None
    """The least that still fails; None where nothing failed, or nothing was to be shrunk."""

    @property
    def worst(self) -> Evaluation | None:
        """Return the evaluation with the least margin, the first of equals; None where none has one."""
        known = [e for e in self.evaluations if e.outcome.margin is not None]
        return min(known, key=lambda e: float(e.outcome.margin or 0.0), default=None)

    @property
    def found(self) -> bool:
        """Return whether a criterion fails somewhere."""
        return self.worst is not None and self.worst.outcome.fails

    @property
    def failures(self) -> int:
        """Return how many evaluations failed."""
        return sum(e.outcome.fails for e in self.evaluations)

    @property
    def file(self) -> Path | None:
        """Return the scenario that is left, as a file; None where there is none."""
        return None if self.shrunk is None else self.shrunk.file

    def table(self) -> Columns:
        """Return a row an evaluation: `number` from 1, the fields, `margin`, what was measured, `error`."""
        rows = self.evaluations
        lines: list[dict[str, Any]] = [e.outcome.line or {} for e in rows]
        names = list(rows[0].values) if rows else []
        columns: dict[str, Array] = {"number": np.arange(1, len(rows) + 1)}
        columns |= {name: column_of([e.values[name] for e in rows]) for name in names}
        columns["margin"] = numbers_of(e.outcome.margin for e in rows)
        columns["metric"] = words_of(e.outcome.criterion.metric for e in rows)
        columns |= {k: numbers_of(line.get(k) for line in lines) for k in ("estimate", "low", "high")}
        columns["verdict"] = words_of(e.outcome.word for e in rows)
        return Columns(columns | {"error": words_of(e.outcome.error for e in rows)})

    def data(self) -> dict[str, Any]:
        """Return the search as plain data, but for its evaluations."""
        worst = self.worst
        return {
            "search": str(self.folder),
            "scenario": self.scenario,
            "against": self.against,
            "searcher": self.searcher,
            "seed": self.seed,
            "evaluations": len(self.evaluations),
            "failures": self.failures,
            "found": self.found,
            "margin": None if worst is None else worst.outcome.margin,
            "metric": None if worst is None else worst.outcome.criterion.metric,
            "at": None if worst is None else worst.values,
            "region": [field.data() for field in self.region],
            "file": None if self.file is None else str(self.file),
        }

    def charts(self) -> Charts:
        """Return the margins as they were found, which fields matter, and the region, as charts by name."""
        from rehearse.experiments.pictures.of_searches import charts

        return charts(self)

    def markup(self) -> str:
        """Return what was found as HTML."""
        from rehearse.experiments.pictures.of_searches import tables

        return tables(self)

    def __str__(self) -> str:
        """Return what was found, as lines to print."""
        return "\n".join([*self._head(), *_region(self.region), *self._rest()])

    def _head(self) -> list[str]:
        how = f"{self.searcher}, seed {self.seed}, {len(self.evaluations)} evaluations"
        lines = [f"{self.scenario} against {self.against}: {how}", f"  as written  {measured(self.written)}"]
        if self.worst is None:
            return [*lines, "  No evaluation could be measured."]
        lines.append(f"  the worst   {measured(self.worst.outcome)}")
        lines += [f"              {name} = {shown(value)}" for name, value in self.worst.values.items()]
        return [*lines, f"  {self.failures} of {len(self.evaluations)} evaluations fail."]

    def _rest(self) -> list[str]:
        if self.shrunk is None:
            return [] if self.found else ["Nothing failed. Search longer, or in wider ranges."]
        return ["", *self.shrunk.lines()]


def measured(outcome: Outcome) -> str:
    """Return what came of a run, in words."""
    if outcome.margin is None or outcome.line is None:
        return f"not measured: {outcome.error}"
    line = outcome.line
    interval = f"{line['estimate']:.4g} ({line['low']:.4g} to {line['high']:.4g})"
    return f"{outcome.word}: {bound_of(outcome.criterion)}, found {interval}; margin {outcome.margin:+.3g}"


def shown(value: Any) -> str:
    """Return a value of a field as it is printed."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


REGION = ("field", "matters", "found", "as written", "fails from", "to")


def _region(fields: Sequence[Field]) -> list[str]:
    if not fields:
        return []
    from rehearse.experiments.commands.printing import table_of

    return ["", *table_of(list(REGION), [field.row() for field in fields])]
