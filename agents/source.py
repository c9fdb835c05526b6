"""The table that people are drawn from: a row a person that was observed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.chance import Chance
from rehearse.columns import Columns, Rows
from rehearse.errors import DataError, ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.distributions import pick
from rehearse.scenario.people import Source

WORLD = "world"
"""The name of the table that the world ships with."""


@dataclass(frozen=True, slots=True)
class PeopleTable:
    """A table, what it is called in messages, and how its rows become people."""

    columns: Columns
    label: str
    resample: bool
    weights: Floats | None = None

    @property
    def numeric(self) -> tuple[str, ...]:
        """Return the names of the columns that hold one number a person."""
        return tuple(
            n for n, values in self.columns.items() if values.dtype.kind in "biuf" and values.ndim == 1
        )

    def rows(self, chance: Chance, replica: ArrayLike, user: Rows) -> Rows:
        """Return the row of the table that each person is."""
        if not self.resample:
            return user % self.columns.length
        u = chance.uniform("source", replica, user)[:, 0]
        if self.weights is None:
            return (u * self.columns.length).astype(np.int64)
        return pick(np.cumsum(self.weights), u)

    def numbers(self, name: str, why: str) -> Floats:
        """Return a column as float64; raises DataError where it is absent, is text, or has a gap."""
        if name not in self.columns:
            problem = f"{why} needs column {name!r}, which {self.label} does not have."
            raise DataError(problem, did_you_mean(name, self.columns))
        if name not in self.numeric:
            problem = (
                f"{why} needs numbers; column {name!r} of {self.label} holds {_kind(self.columns[name])}."
            )
            raise DataError(problem, did_you_mean(name, self.numeric))
        values = self.columns.numbers(name)
        _check_finite(values, name, self.label)
        return values


def open_table(source: Source | None, world: Columns | None) -> PeopleTable | None:
    """Return the table a scenario names, or None where it names none.

    `world` is the world's own table. Raises ScenarioError where the world has none, DataError where
    the file cannot be read or used.
    """
    if source is None:
        return None
    columns, label = _read(source.table, world)
    if columns.length == 0:
        problem = f"people.source: {label} has no rows."
        raise DataError(problem, "Give a table with one row a person.")
    table = PeopleTable(columns, label, source.use == "resample")
    if source.weight is None:
        return table
    return PeopleTable(columns, label, table.resample, _weights(table, source.weight))


def codes_of_words(words: NDArray[np.str_], names: Collection[str], label: str) -> NDArray[np.int8]:
    """Return the position of each word among the names; raises DataError for a word that is not there."""
    place = {name: code for code, name in enumerate(names)}
    distinct, inverse = np.unique(words, return_inverse=True)
    for word in distinct.tolist():
        if word not in place:
            problem = f"{label} holds {word!r}, which is no group."
            raise DataError(problem, f"Add it to people.groups.names, now {', '.join(names)}.")
    return np.array([place[word] for word in distinct.tolist()], dtype=np.int8)[inverse]


def _read(name: str, world: Columns | None) -> tuple[Columns, str]:
    if name != WORLD:
        from rehearse.tables import read_table

        return read_table(Path(name)), f"the table {name!r}"
    if world is None:
        problem = "people.source.table is 'world', but this world has no table of people."
        raise ScenarioError(
            problem,
            "Give the world its table (--data FILE), name a CSV or Parquet file, or leave source out.",
        )
    return world, "the world's table"


def _weights(table: PeopleTable, name: str) -> Floats:
    weights = table.numbers(name, "people.source.weight")
    below = np.flatnonzero(weights < 0.0)
    if below.size:
        problem = f"weight column {name!r} of {table.label} is {weights[below[0]]:g} in row {below[0] + 1}."
        raise DataError(problem, "A weight is a number from 0.")
    if not weights.any():
        problem = f"weight column {name!r} of {table.label} is 0 in every row."
        raise DataError(problem, "At least one row must be possible.")
    return weights


def _check_finite(values: Floats, name: str, label: str) -> None:
    gaps = np.flatnonzero(~np.isfinite(values))
    if gaps.size:
        found = f"{values[gaps[0]]:g} in row {gaps[0] + 1}"
        more = "" if gaps.size == 1 else f" (and {gaps.size - 1} more)"
        problem = f"column {name!r} of {label} is {found}{more}, counting rows of people from 1."
        raise DataError(problem, "Fill the gaps or leave these rows out.")


def _kind(values: np.ndarray) -> str:
    if values.ndim > 1:
        return f"{values.shape[1]} values a row"
    return {"U": "text", "O": "objects", "M": "dates"}.get(
        values.dtype.kind, f"values of kind {values.dtype}"
    )
