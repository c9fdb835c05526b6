"""Tables of logs: CSV, Parquet, JSON (a list of objects) and JSON Lines.

Objects within objects become columns with a dot (`info.cost`). A list counts as how many elements it
has, unless a row is wanted for each of them: then the elements' fields stand beside the outer ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.errors import DataError
from rehearse.tables import View

JSON, LINES = ".json", ".jsonl"


def source_of(source: str | Path | Columns, each: str | None) -> View:
    """Return a log as something that SQL can be asked of; raises DataError where it cannot be read."""
    if isinstance(source, Columns):
        return source
    path = Path(source)
    if path.suffix not in {JSON, LINES}:
        if each is not None:
            problem = f"{str(path)!r} has no lists: a row for each {each!r} was asked for."
            raise DataError(problem, "Leave out `each`, which is for .json and .jsonl files.")
        return path
    rows = [dict(_flat(row)) for outer in _objects(path) for row in _spread(outer, each)]
    if not rows:
        problem = f"{str(path)!r} holds no rows."
        raise DataError(problem, "Give a list of objects, at least one.")
    return Columns({name: _column(rows, name) for name in dict.fromkeys(n for row in rows for n in row)})


def _objects(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == JSON else [json.loads(x) for x in text.splitlines() if x]
    except OSError as error:
        problem = f"{str(path)!r} could not be read: {error.strerror}."
        raise DataError(problem, "Check the path.") from error
    except ValueError as error:
        problem = f"{str(path)!r} is no {path.suffix[1:]}: {error}."
        raise DataError(problem, "Give a list of objects (.json), or an object a line (.jsonl).") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        problem = f"{str(path)!r} holds a {type(found).__name__} where a list of objects belongs."
        raise DataError(problem, "Give a list of objects, one a session or a turn.")
    return found


def _spread(row: Mapping[str, Any], each: str | None) -> Iterator[Mapping[str, Any]]:
    if each is None:
        yield row
        return
    inner = row.get(each)
    if not isinstance(inner, list):
        problem = f"a row for each {each!r} was asked for, and that is {type(inner).__name__}, not a list."
        raise DataError(problem, f"Fields here: {', '.join(row)}.")
    for element in inner:
        yield {**row, each: element}


def _flat(row: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{name}.")
        else:
            yield f"{head}{name}", len(value) if isinstance(value, list) else value


def _column(rows: list[dict[str, Any]], name: str) -> Array:
    """Return numbers where all that is there are numbers, else text; what is missing is NaN or ""."""
    values = [row.get(name) for row in rows]
    if all(value is None or isinstance(value, int | float) for value in values):
        numbers = np.array([np.nan if value is None else float(value) for value in values])
        whole = np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all()
        return numbers.astype(np.int64) if whole and np.abs(numbers).max(initial=0) < 2**53 else numbers
    return np.array(["" if value is None else str(value) for value in values])
