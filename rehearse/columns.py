"""Columns: one table of equally long numpy arrays, a row a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from rehearse.errors import ContractError, DataError, did_you_mean

Array = NDArray[np.generic]
Rows = NDArray[np.int64]
SHOWN = 12
"""Columns, and rows of each, that a printed table shows at most."""
LISTED = 20
"""Rows that a notebook shows at most."""


def everywhere(value: ArrayLike, n: int, kind: DTypeLike) -> NDArray[Any]:
    """Return a column of one value in n rows, told once (stride 0) and read only.

    It is what np.broadcast_to gives, at a tenth of its cost.
    """
    return np.ndarray((n,), kind, np.asarray(value, dtype=kind).tobytes(), 0, (0,))


def some(array: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Return some rows of an array; what is told once for all rows (stride 0) stays told once."""
    if len(array) and not array.strides[0]:
        return np.broadcast_to(array[0], (len(rows), *array.shape[1:]))
    return array.take(rows, axis=0)


def either(few: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `any` over the first axis, of shape (k, n): at a fraction of its cost where k is small."""
    found = np.zeros(few.shape[1], dtype=np.bool_)
    for one in few:
        found |= one
    return found


class Columns(Mapping[str, Array]):
    """Named arrays with one length; a column may have more dimensions than one.

    Reading a name gives the array itself: writing into it changes the table. Assigning to a name
    adds or replaces a column, whose first dimension must have the table's length.
    """

    __slots__ = ("_arrays", "cells", "length")

    def __init__(self, arrays: Mapping[str, Array] | None = None, *, length: int | None = None) -> None:
        """Take the arrays; `length` is needed only where there are none."""
        self._arrays: dict[str, Array] = {}
        self.cells: dict[str, Any] = {}
        """The columns as they are read and written one cell at a time: `cells[name][row]` is a Python value.

        A view of a column's memory takes half the time of numpy's own `item`. Where numpy would have to
        judge a value first (flags, more dimensions than one), a view can only be read.
        """
        first = next(iter(arrays.values())) if arrays else None
        self.length = length if length is not None else (0 if first is None else len(first))
        for name, array in (arrays or {}).items():
            self[name] = array

    def __getitem__(self, name: str) -> Array:
        """Return a column, itself and not a copy."""
        try:
            return self._arrays[name]
        except KeyError:
            problem = f"there is no column {name!r}."
            raise ContractError(problem, did_you_mean(name, self._arrays)) from None

    def __setitem__(self, name: str, array: Array) -> None:
        """Add or replace a column."""
        if len(array) != self.length:
            problem = f"column {name!r} has {len(array)} rows where the table has {self.length}."
            raise ContractError(problem, "Give one value a row.")
        self._arrays[name] = array
        self.cells[name] = _view(array)

    def __getstate__(self) -> tuple[dict[str, Array], int]:
        return self._arrays, self.length

    def __setstate__(self, state: tuple[dict[str, Array], int]) -> None:
        self.__init__(state[0], length=state[1])  # type: ignore[misc]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a column."""
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        """Go over the names, in the order they were added."""
        return iter(self._arrays)

    def __repr__(self) -> str:
        """Return the first columns with their first and last rows, for those who look."""
        with np.printoptions(threshold=SHOWN, edgeitems=3, precision=6):
            told = [f"{name}: {self[name]}" for name in list(self)[:SHOWN]]
        rest = [f"… {len(self) - SHOWN} columns more"] if len(self) > SHOWN else []
        return "\n".join([f"Columns of {self.length:,} rows", *told, *rest])

    def _repr_html_(self) -> str:
        """Return the first rows as a table, for a notebook."""
        heads = "".join(f"<th>{escape(name)}</th>" for name in self)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(_said(self[name][row]))}</td>' for name in self)}</tr>"
            for row in range(min(self.length, LISTED))
        )
        more = f"<p>… {self.length - LISTED:,} rows more</p>" if self.length > LISTED else ""
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"

    def __len__(self) -> int:
        """Return the number of columns; `length` is the number of rows."""
        return len(self._arrays)

    def numbers(self, name: str, rows: Rows | None = None) -> NDArray[np.float64]:
        """Return a column (or some of its rows) as float64, for arithmetic; DataError if it holds words."""
        column = self[name]
        chosen = column if rows is None else column.take(rows, axis=0)
        try:
            return np.asarray(chosen, dtype=np.float64)
        except ValueError as wrong:
            problem = f"column {name!r} holds words where numbers are needed."
            raise DataError(problem, "Correct the column, or name another.") from wrong

    def take(self, rows: Rows) -> Columns:
        """Return a new table of these rows, copied."""
        return Columns({name: a.take(rows, axis=0) for name, a in self._arrays.items()}, length=len(rows))

    @property
    def nbytes(self) -> int:
        """Return the bytes that the arrays hold."""
        return sum(a.nbytes for a in self._arrays.values())

    def save(self, path: Path) -> None:
        """Write the arrays to one uncompressed .npz file."""
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{k: np.asarray(v) for k, v in self._arrays.items()})

    @classmethod
    def load(cls, path: Path) -> Columns:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls({name: file[name] for name in file.files})


def same_columns(tables: Sequence[Columns]) -> dict[str, list[Array]]:
    """Return by name the columns of all tables, one array a table, of one type, ready to be joined.

    Where a table lacks a column it is filled: NaN for a number with a point, -1 for one without.
    """
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: _of_one_type(name, tables) for name in names}


def stacked(tables: Sequence[Columns]) -> Columns:
    """Return tables one below the other, as `same_columns` makes them fit; empty ones leave no trace."""
    filled = [t for t in tables if len(t)]
    if len(filled) < 2:
        return filled[0] if filled else Columns(length=0)
    return Columns({name: np.concatenate(parts) for name, parts in same_columns(filled).items()})


def _of_one_type(name: str, tables: Sequence[Columns]) -> list[Array]:
    kind = np.result_type(*(table[name].dtype for table in tables if name in table))
    missing = np.nan if kind.kind == "f" else -1
    return [
        table[name].astype(kind, copy=False) if name in table else np.full(table.length, missing, dtype=kind)
        for table in tables
    ]


def _said(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


class _Vectors:
    """A column that has an array a row, or values that memory views do not know; read only."""

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, row: int) -> Any:
        return self._array.item(row) if self._array.ndim == 1 else self._array[row]


def _view(array: Array) -> Any:
    if array.ndim != 1 or array.dtype.char not in "?bBhHiIlLqQfd" or not array.dtype.isnative:
        return _Vectors(array)
    view = memoryview(array)  # type: ignore[arg-type]
    return view.toreadonly() if array.dtype.char == "?" else view
