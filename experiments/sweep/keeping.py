"""The folder of a sweep: a line for every run that was made, and the tables made of them.

    plan.yaml         the plan as it was given last
    done/*.jsonl      a line a run, in a file for each process that made runs; a torn last line is no line
    records/NAME/     run folders, where the plan keeps any
    results.parquet   a row a run and metric
    runs.parquet      a row a run
    decisions.parquet a row a point and criterion, where seeds go on until they are decided

A line goes to the file in one write when its run is done, so that whoever is killed loses the run in
flight and no other. Files of `done` have names of their own: folders merge by copying.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.errors import OutputError
from rehearse.redact import redacted
from rehearse.tables import write_table, write_text

if TYPE_CHECKING:
    from rehearse.experiments.sweep.listing import Run

PLAN, DONE, RECORDS = "plan.yaml", "done", "records"
RESULTS, RUNS, DECISIONS = "results.parquet", "runs.parquet", "decisions.parquet"
NUMBERS = ("estimate", "low", "high")
WORDS = ("metric", "group", "unit", "verdict")
Done = dict[str, dict[str, Any]]
"""By name of the run: what its line says."""


class Lines:
    """A file of one process that finished runs are added to."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the sweep; the file is made with the first line."""
        self.path = folder / DONE / f"{secrets.token_hex(8)}.jsonl"
        self._file: int | None = None

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line at once, so that it is there however this process ends."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        os.write(self._file, f"{redacted(json.dumps(line, separators=(',', ':')))}\n".encode())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def begin(folder: Path, plan: str, *, resume: bool) -> None:
    """Make the folder of a sweep, or go on in one; raises OutputError where neither can be."""
    if (folder / DONE).is_dir() and not resume:
        problem = f"there is a sweep in {str(folder)!r} already."
        raise OutputError(problem, "Go on with it (--resume), or choose another folder (--out).")
    if not (folder / DONE).is_dir() and folder.exists() and any(folder.iterdir()):
        problem = f"{str(folder)!r} is there already and holds something else than a sweep."
        raise OutputError(problem, "Choose another folder (--out).")
    try:
        (folder / DONE).mkdir(parents=True, exist_ok=True)
        write_text(folder / PLAN, plan)
    except OSError as error:
        problem = f"{str(folder)!r} cannot be written: {error.strerror}."
        raise OutputError(problem, "Choose another folder (--out).") from error
    for torn in (folder / RECORDS).glob(".*.part"):
        shutil.rmtree(torn, ignore_errors=True)


def done(folder: Path) -> Done:
    """Return the lines of all runs that were made, by name: of one made twice, that which did not fail."""
    found: Done = {}
    for path in sorted((folder / DONE).glob("*.jsonl")):
        for line in lines_in(path):
            if line["run"] not in found or "error" in found[line["run"]]:
                found[line["run"]] = line
    return found


def lines_in(path: Path) -> Iterator[dict[str, Any]]:
    """Go over the whole lines of a file; nothing where there is none."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for text in file:
            if text.endswith(b"\n"):
                yield json.loads(text)


def is_done(run: Run, found: Done, folder: Path) -> bool:
    """Return whether a run need not be made (again): it has a result, and its record where that is kept."""
    line = found.get(run.name)
    if line is None or "error" in line:
        return False
    kept = run.task.keep == "runs" or (run.task.keep == "failing" and line.get("verdict") == "fail")
    return bool(run.task.function) or not kept or (folder / RECORDS / run.name).is_dir()


def write_tables(folder: Path, axes: Iterable[str], runs: Iterable[Run], found: Done) -> None:
    """Write the tables of a plan's runs, in the plan's order, from what is done of them.

    The results depend on the plan alone; of `runs`, seconds and errors do not.
    """
    names, listed = list(axes), list(runs)
    made = [run for run in listed if "lines" in found.get(run.name, {})]
    lines = [found[run.name]["lines"] for run in made]
    which = np.repeat(np.arange(len(made)), [len(told) for told in lines])
    rows = [line for told in lines for line in told]
    heads = _heads(names, made)
    results: dict[str, Array] = {name: column[which] for name, column in heads.items()}
    results |= {name: words_of(line[name] for line in rows) for name in WORDS[:2]}
    results |= {name: numbers_of(line[name] for line in rows) for name in NUMBERS}
    results["n"] = np.array([line["n"] for line in rows], dtype=np.int64)
    results |= {name: words_of(line[name] for line in rows) for name in WORDS[2:]}
    write_table(folder / RESULTS, Columns(results))
    write_table(folder / RUNS, Columns(_heads(names, listed) | _of_runs(listed, found)))


def write_decisions(folder: Path, table: Columns) -> None:
    """Write how the criteria of every point stand, where seeds go on until they are decided."""
    write_table(folder / DECISIONS, table)


def _of_runs(listed: list[Run], found: Done) -> dict[str, Array]:
    lines = [found.get(run.name, {}) for run in listed]
    status = ["missing" if not line else "failed" if "error" in line else "done" for line in lines]
    return {
        "status": np.array(status, dtype=object),
        "verdict": words_of(line.get("verdict", "") for line in lines),
        "digest": words_of(line.get("digest", "") for line in lines),
        "user_turns": np.array([line.get("user_turns", 0) for line in lines], dtype=np.int64),
        "seconds": numbers_of(line.get("seconds") for line in lines),
        "error": words_of(line.get("error", "") for line in lines),
    }


def _heads(axes: list[str], runs: list[Run]) -> dict[str, Array]:
    """Return the columns that say which run it is and where in the plan."""
    heads: dict[str, Array] = {
        "run": words_of(run.name for run in runs),
        "point": np.array([run.point for run in runs], dtype=np.int64),
    }
    heads |= {name: column_of([run.values[i] for run in runs]) for i, name in enumerate(axes)}
    return heads | {"seed": np.array([run.seed for run in runs], dtype=np.int64)}


def column_of(values: list[Any]) -> Array:
    """Return the values of an axis as a column: numbers as numbers, anything else as text."""
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.array(values, dtype=np.float64)
    told = (value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values)
    return words_of(told)


def words_of(values: Iterable[str]) -> Array:
    """Return texts as a column."""
    return np.array(list(values), dtype=object)


def numbers_of(values: Iterable[float | None]) -> Array:
    """Return numbers as a column, NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
