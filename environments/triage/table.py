"""A table of cases of one's own: when each came, how urgent it was, how long serving it took.

Columns: `arrival` (time units from 0; needed), `urgency` (a class by name, or its number from 0),
`service` (time units), and any more, such as a group. Rows may stand in any order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rehearse.columns import Columns
from rehearse.errors import DataError, did_you_mean


def read_cases(path: Path, classes: tuple[str, ...], home: str | None) -> Columns:
    """Return the cases of a CSV or Parquet file in the order of arrival; DataError for what does not fit."""
    from rehearse.tables import read_table

    table = read_table(path)
    if "arrival" not in table:
        problem = f"the table {str(path)!r} has no column 'arrival'."
        raise DataError(problem, did_you_mean("arrival", table))
    for name in ("arrival", "service"):
        if name in table:
            _check_times(table, name, path)
    if "urgency" in table and table["urgency"].dtype.kind == "U":
        table["urgency"] = _codes(table, classes if home is None else (*classes, home), path)
    order = np.argsort(table.numbers("arrival"), kind="stable")
    return table.take(order)


def _check_times(table: Columns, name: str, path: Path) -> None:
    column = table[name]
    if column.dtype.kind not in "iuf":
        problem = f"column {name!r} of {str(path)!r} holds no numbers."
        raise DataError(problem, "Give times in time units from 0.")
    values = table.numbers(name)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0.0)))
    if wrong.size:
        problem = f"column {name!r} of {str(path)!r} is {values[wrong[0]]:g} in row {wrong[0] + 1}."
        raise DataError(problem, "Give times in time units from 0, with no gaps.")


def _codes(table: Columns, names: tuple[str, ...], path: Path) -> np.ndarray:
    words, place = np.unique(table["urgency"], return_inverse=True)
    for word in words.tolist():
        if word not in names:
            problem = f"column 'urgency' of {str(path)!r} holds {word!r}, which is no class."
            raise DataError(problem, did_you_mean(word, names))
    return np.array([names.index(word) for word in words.tolist()], dtype=np.int64)[place]
