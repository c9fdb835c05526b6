"""Items from a table: a row an item, with its name and its attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rehearse.environments.items import Catalogue
from rehearse.errors import DataError, did_you_mean
from rehearse.scenario.base import Strict
from rehearse.tables import read_table


class Listed(Strict):
    """Items that a table lists; every other column of numbers is an attribute of theirs."""

    table: str
    """A CSV or Parquet file."""
    name: str = "item"
    """The column that holds their names."""


def catalogue_of(given: Listed) -> Catalogue:
    """Return the items of a table; DataError where it has none, names one twice or has gaps."""
    table = read_table(Path(given.table))
    if given.name not in table:
        problem = f"world.settings.items: {given.table!r} has no column {given.name!r}."
        raise DataError(problem, did_you_mean(given.name, table))
    names = tuple(str(name) for name in table[given.name].tolist())
    numeric = tuple(n for n, a in table.items() if n != given.name and a.dtype.kind in "bif")
    values = np.zeros((len(names), len(numeric)))
    for place, column in enumerate(numeric):
        values[:, place] = table.numbers(column)
    problem = ""
    if not names or not numeric:
        problem = f"it has {len(names)} rows and {len(numeric)} columns of numbers besides the names."
    elif len(set(names)) < len(names):
        problem = f"{next(n for n in names if names.count(n) > 1)!r} stands twice in {given.name!r}."
    elif not np.isfinite(values).all():
        problem = f"{numeric[int(np.flatnonzero(~np.isfinite(values).all(axis=0))[0])]!r} has gaps."
    if problem:
        problem = f"world.settings.items: items cannot be read from {given.table!r}: {problem}"
        raise DataError(problem, "Give a row for each item, with a name of its own and a number everywhere.")
    return Catalogue(names, numeric, values)
