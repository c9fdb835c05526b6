"""What comes out of a sweep: its folder, and the tables in it, to be asked in SQL or taken as a frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rehearse.columns import Columns
from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.pictures.showing import Shown
from rehearse.experiments.sweep.keeping import DECISIONS, DONE, RECORDS, RESULTS, RUNS
from rehearse.record.reading import TICKS, TURNS, USERS
from rehearse.tables import Filled, View, ask

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts
    from rehearse.experiments.sweep.conducting import Tally
    from rehearse.experiments.tracking import Tracked

OF_RECORDS = {"turns": f"{TURNS}/*.parquet", "users": USERS, "ticks": TICKS}
REPORT = "report.html"
WHICH_RUN = f"regexp_extract(filename, '{RECORDS}/([0-9a-f]+)/', 1)"
FROM = ("run", "point", "seed", "metric", "group", "estimate", "low", "high", "n", "unit", "verdict")


@dataclass(frozen=True, slots=True, repr=False)
class Sweep(Shown):
    """A sweep in its folder, as far as it is done."""

    folder: Path
    tally: Tally | None = None
    """How it went, where it was made just now."""

    @classmethod
    def at(cls, folder: str | Path) -> Sweep:
        """Return the sweep in a folder; raises NotFoundError where there is none."""
        if not is_sweep(folder):
            problem = f"{str(folder)!r} is no folder of a sweep: it has no {RESULTS}."
            raise NotFoundError(problem, "Give the folder that `rehearse sweep` printed.")
        return cls(Path(folder))

    def query(self, sql: str) -> Columns:
        """Run a SELECT over the views `results` (a row a run and metric) and `runs` (a row a run).

        Where seeds go on until the evidence decides, `decisions` has a row a point and criterion.
        Where records are kept, the views turns, users and ticks hold those of all runs, each row with its
        `run`. Raises DataError that says where the SQL is wrong.
        """
        views: dict[str, View] = {
            "results": str(self.folder / RESULTS),
            "runs": str(self.folder / RUNS),
        }
        if (self.folder / DECISIONS).is_file():
            views["decisions"] = str(self.folder / DECISIONS)
        records = self.folder / RECORDS
        if records.is_dir() and any(records.iterdir()):
            named = {name: path for name, path in OF_RECORDS.items() if name in sql.lower()}
            views |= {n: Filled(f"{records}/*/{path}", {"run": WHICH_RUN}) for n, path in named.items()}
        return ask(sql, **views)

    def table(self, kind: Literal["columns", "pandas", "polars"] = "columns") -> Any:
        """Return the results, a row a run and metric, as columns, or as a frame of pandas or polars.

        Raises NotFoundError where the library is not installed.
        """
        found = self.query("SELECT * FROM results")
        return found if kind == "columns" else _frame(found, kind)

    def track(self, uri: str | None = None, *, experiment: str | None = None) -> Tracked:
        """Log the kept runs to MLflow below one parent run that has the table; see `tracking.track_all`.

        Raises NotFoundError where no record is kept.
        """
        from rehearse.experiments.tracking import track_all

        done = self.query("SELECT * FROM runs WHERE status = 'done'")
        folders = {name: self.folder / RECORDS / name for name in done["run"].tolist()}
        rows = [i for i, folder in enumerate(folders.values()) if folder.is_dir()]
        if not rows:
            problem = f"the sweep in {str(self.folder)!r} has kept no records of its runs."
            raise NotFoundError(problem, "Say `keep: runs` in the plan, and go on with --resume.")
        axes = self.axes
        return track_all(
            [list(folders.values())[i] for i in rows],
            uri,
            name=self.folder.name,
            experiment=experiment,
            params=[{axis: done[axis][i].item() for axis in axes} for i in rows],
            artifacts=[self.folder / RESULTS],
        )

    @property
    def axes(self) -> list[str]:
        """Return the names of the plan's axes."""
        return [name for name in self.query("SELECT * FROM results LIMIT 0") if name not in FROM]

    @property
    def failed(self) -> Columns:
        """Return the runs that failed, with the error of each."""
        return self.query("SELECT * FROM runs WHERE status = 'failed'")

    def points(self, metric: str, group: str = "") -> Columns:
        """Return a metric at every point: the axes, its mean over seeds, its standard error, how many seeds.

        Raises NotFoundError where no run has the metric.
        """
        axes = "".join(f', first("{axis}") AS "{axis}"' for axis in self.axes)
        found = self.query(
            f"""SELECT point{axes}, avg(estimate) AS mean,
            coalesce(stddev_samp(estimate) / sqrt(count(estimate)), 'nan') AS error, count(estimate) AS seeds
            FROM results WHERE metric = '{_quoted(metric)}' AND "group" = '{_quoted(group)}'
            GROUP BY point ORDER BY point"""
        )
        if not found.length:
            there = self.query("SELECT DISTINCT metric FROM results")["metric"].tolist()
            problem = f"no run of this sweep has the metric {metric!r}."
            raise NotFoundError(problem, did_you_mean(metric, there))
        return found

    def best(self, metric: str, *, highest: bool | None = None) -> dict[str, Any]:
        """Return the point with the best mean of a metric over its seeds: its axes, `mean`, `error`, `seeds`.

        `highest` says which way is better; None: as the metric itself says. The first of equals is taken.
        Raises UserError where it is left out for a number of one's own.
        """
        found = self.points(metric)
        up = _up(metric) if highest is None else highest
        means = [(-m if up else m) if math.isfinite(m) else math.inf for m in found["mean"].tolist()]
        row = means.index(min(means))
        return {name: found[name][row].item() for name in found}

    def charts(self, *metrics: str) -> Charts:
        """Return charts by name: metrics along each axis and over pairs of axes, and which axis matters.

        Without `metrics` the headlines that the sweep has. Raises NotFoundError where no run has one.
        """
        from rehearse.experiments.pictures.of_sweeps import charts

        return charts(self, metrics)

    def report(self, *metrics: str) -> Path:
        """Write `report.html`, a page with the table and the charts of some metrics, and return its path."""
        from rehearse.experiments.pictures.chart import page_of
        from rehearse.tables import write_text

        path = self.folder / REPORT
        write_text(path, page_of(self.charts(*metrics).values(), self.markup(), f"Sweep {self.folder.name}"))
        return path

    def __str__(self) -> str:
        """Return how many runs there are, and a row a point."""
        from rehearse.experiments.pictures.of_sweeps import text

        return text(self)

    def markup(self) -> str:
        """Return a row a point as HTML."""
        from rehearse.experiments.pictures.of_sweeps import tables

        return tables(self)


def is_sweep(folder: str | Path) -> bool:
    """Return whether a folder holds a sweep with its tables."""
    return (Path(folder) / DONE).is_dir() and (Path(folder) / RESULTS).is_file()


def _up(metric: str) -> bool:
    from rehearse.experiments.metrics import find

    try:
        return find(metric).better == "higher"
    except UserError:
        problem = f"{metric!r} is a number of your own: which way is better is not known."
        raise UserError(problem, f"Say best({metric!r}, highest=True), or False.") from None


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _frame(found: Columns, kind: str) -> Any:
    from importlib import import_module

    try:
        library = import_module(kind)
    except ImportError as error:
        problem = f"the table as {kind} was asked for, which is not installed."
        raise NotFoundError(problem, f"pip install {kind}, or take another kind.") from error
    return library.DataFrame(dict(found))
