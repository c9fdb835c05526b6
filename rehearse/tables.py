"""Tables in files: the one door to DuckDB, which reads and queries them, and writes small ones."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rehearse import parquet
from rehearse.columns import Array, Columns, stacked
from rehearse.errors import DataError, OutputError
from rehearse.redact import redacted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Filled:
    """Parquet files that lack some columns, and what stands for these, in SQL."""

    path: str
    missing: Mapping[str, str]


CHECK = "Check the file and the names of its columns."
POINTED = 40
"""So many characters are quoted of a statement from a mistake on."""
View = Columns | Path | str | Filled
"""What a query can see under a name: a table in memory, or a Parquet/CSV file or glob of files."""
KINDS = (".csv", ".parquet")
"""What the names of tables end in."""
Words = Mapping[str, tuple[str, ...]]
"""For a column of codes: what code 0, 1, … is called."""


def _connect() -> DuckDBPyConnection:
    """Return a connection with names of its own; what is registered under them goes when it is closed."""
    connection = _database(os.getpid()).cursor()
    connection.execute("SET enable_progress_bar = false")
    return connection


@lru_cache(maxsize=1)
def _database(_process: int) -> DuckDBPyConnection:
    """Return this process's database in memory: making one takes longer than most questions put to it."""
    import duckdb

    # One thread: row order in, row order out, and no contention with the run itself.
    return duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})


def read_table(path: Path) -> Columns:
    """Return a CSV or Parquet file as columns; text columns become arrays of str.

    Raises DataError where there is no such file, its kind is unknown, or it cannot be read.
    """
    if not path.is_file():
        problem = f"there is no file {str(path)!r}."
        raise DataError(problem, "Check the path; a table is a .csv or .parquet file.")
    if path.stat().st_size == 0:
        problem = f"the table {str(path)!r} is empty."
        raise DataError(problem, "Write a header line and at least one row.")
    if path.suffix not in KINDS:
        problem = f"{str(path)!r} is no table: its name ends in none of {', '.join(KINDS)}."
        raise DataError(problem, "Rename it, or write it as one: a header line, then a row a line.")
    table = query("SELECT * FROM source", source=path)
    if table.length == 0:
        problem = f"the table {str(path)!r} has a header ({', '.join(table)}) and no rows."
        raise DataError(problem, "Give at least one row.")
    return table


class Held:
    """Tables that are kept in memory to be asked many times; close it, or use it as a context."""

    def __init__(self) -> None:
        """Begin with no table."""
        self._connection = _connect()

    def __enter__(self) -> Self:
        """Keep the tables until the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the tables."""
        self._connection.close()

    def hold(self, name: str, table: Columns, words: Words | None = None) -> None:
        """Keep a table under a name; codes in a column named in `words` are kept as their words."""
        self._connection.register("source", _flat(table))
        self._connection.execute(f'CREATE TEMP TABLE "{name}" AS {_selected(table, words or {})}')
        self._connection.unregister("source")

    def query(self, sql: str) -> Columns:
        """Run one SELECT over the tables, as `query` does."""
        import duckdb

        try:
            return _fetched(self._connection, sql)
        except duckdb.Error as error:
            problem = f"a table could not be read: {_first_line(error)}."
            raise DataError(problem, _hint(error) or CHECK) from error


def query(sql: str, **views: View) -> Columns:
    """Run one SELECT over named views and return its result as columns.

    NULL becomes NaN in numbers and "" in text. Raises DataError with DuckDB's own words.
    """
    import duckdb

    try:
        return _found(sql, views)
    except duckdb.Error as error:
        problem = f"a table could not be read: {_first_line(error)}."
        raise DataError(problem, _hint(error) or CHECK) from error


def ask(sql: str, **views: View) -> Columns:
    """Do as `query` with a SELECT that somebody wrote: the DataError says what of it is wrong, and where."""
    import duckdb

    try:
        return _found(sql, views)
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        problem = f"this SQL cannot be answered: {_first_line(error)}{_place(error)}."
        names, first = ", ".join(views), next(iter(views), "")
        asked = f"There are the views {names}; SELECT * FROM {first} LIMIT 1 shows columns."
        raise DataError(problem, _hint(error) or asked) from error
    except duckdb.Error as error:
        problem = f"a table could not be read: {_first_line(error)}."
        raise DataError(problem, _hint(error) or CHECK) from error


def _found(sql: str, views: Mapping[str, View]) -> Columns:
    connection = _connect()
    try:
        for name, view in views.items():
            _register(connection, name, view)
        return _fetched(connection, sql)
    finally:
        connection.close()


def _fetched(connection: DuckDBPyConnection, sql: str) -> Columns:
    answer = connection.execute(sql)
    found = None if answer is None else answer.fetchnumpy()
    if found is None:
        problem = f"the SQL {sql!r} asks nothing."
        raise DataError(problem, "Write one SELECT.")
    return Columns({name: _plain(values) for name, values in found.items()})


def write_table(
    path: Path, table: Columns, metadata: Mapping[str, str] | None = None, words: Words | None = None
) -> None:
    """Write columns to a Parquet file, aside first and then renamed, so that it is whole or absent.

    Codes in a column named in `words` are written as their words; a column of more dimensions
    becomes one column a place (`name_0`, `name_1`, …).
    """
    import duckdb

    connection = _connect()
    aside = path.with_name(f".{path.name}.part")
    try:
        connection.register("source", _flat(table))
        connection.execute(_copy_statement(table, aside, metadata or {}, words or {}))
    except duckdb.IOException as error:
        aside.unlink(missing_ok=True)
        problem = f"{str(path)!r} could not be written: {_first_line(error)}."
        raise OutputError(problem, "Free some space, or choose another folder.") from error
    finally:
        connection.close()
    commit(aside, path)


def write_pages(path: Path, pages: Sequence[Columns], words: Words | None = None) -> None:
    """Write pages of numbers as one table, as `write_table` does, by the quickest writer that is installed.

    Raises OutputError or OSError where the file cannot be written.
    """
    if not parquet.can_write(pages):
        write_table(path, stacked(pages), words=words)
        return
    aside = path.with_name(f".{path.name}.part")
    try:
        parquet.write_pages(aside, pages, words or {})
        commit(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def commit(aside: Path, path: Path) -> None:
    """Make a file that was written aside the real one: synced to disk, renamed, and the name synced."""
    with aside.open("rb+") as file:
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file aside, then rename it, so that it is whole or absent; secrets are hidden."""
    write_bytes(path, redacted(text).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside, then rename it, so that it is whole or absent."""
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(content)
    commit(aside, path)


def _selected(table: Columns, words: Words) -> str:
    """Return the SELECT of a table that is registered as `source`, its codes as words."""
    chosen = [
        f'{_list(words[name])}[CAST("{name}" AS BIGINT) + 1] AS "{name}"' if name in words else f'"{name}"'
        for name in _flat(table)
    ]
    return f"SELECT {', '.join(chosen)} FROM source"


def _copy_statement(table: Columns, path: Path, metadata: Mapping[str, str], words: Words) -> str:
    options = "FORMAT parquet, PARQUET_VERSION V2, COMPRESSION zstd, COMPRESSION_LEVEL 1"
    options += ", DICTIONARY_SIZE_LIMIT 1024"
    if metadata:
        pairs = ", ".join(f"{key}: {_quoted(value)}" for key, value in metadata.items())
        options += f", KV_METADATA {{{pairs}}}"
    return f"COPY ({_selected(table, words)}) TO {_quoted(str(path))} ({options})"


def _flat(table: Columns) -> dict[str, Array]:
    flat: dict[str, Array] = {}
    for name, values in table.items():
        if values.ndim == 1:
            flat[name] = values.astype(object) if values.dtype.kind == "U" else np.ascontiguousarray(values)
        else:
            flat |= {f"{name}_{i}": np.ascontiguousarray(values[:, i]) for i in range(values.shape[1])}
    return flat


def _register(connection: DuckDBPyConnection, name: str, view: View) -> None:
    if isinstance(view, Columns):
        connection.register(name, _flat(view))
        return
    path, missing = (view.path, view.missing) if isinstance(view, Filled) else (str(view), {})
    more = "".join(f', {value} AS "{column}"' for column, value in missing.items())
    reader = f"read_csv({_quoted(path)})" if path.endswith(".csv") else None
    reader = reader or f"read_parquet({_quoted(path)}, union_by_name = true)"
    connection.execute(f'CREATE TEMP VIEW "{name}" AS SELECT *{more} FROM {reader}')


def _plain(values: Any) -> Array:
    missing = np.ma.getmaskarray(values)
    plain: Array = np.ma.getdata(values)
    if plain.dtype.kind == "O":
        return np.array(["" if gone else str(v) for v, gone in zip(plain, missing, strict=True)], dtype=str)
    if missing.any():
        plain = plain.astype(np.float64)
        plain[missing] = np.nan
    return plain


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(words: tuple[str, ...]) -> str:
    # As an ENUM the words are written as a dictionary at once, instead of being hashed row by row.
    quoted = ", ".join(_quoted(w) for w in words)
    kind = f"ENUM({', '.join(_quoted(w) for w in dict.fromkeys(words))})"
    return f"(CAST([{quoted}] AS {kind}[]))"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".!")


def _hint(error: Exception) -> str:
    """Return what DuckDB says that may have been meant, or nothing where it says nothing."""
    said = (line for line in str(error).splitlines() if line.startswith(("Candidate b", "Did you mean")))
    near = next(said, "")
    return f"{near.rstrip('?')}{'?' if near.endswith('?') else '.'}" if near else ""


def _place(error: Exception) -> str:
    """Return where in a statement the mistake is, as DuckDB points at it: a line, and under it a caret."""
    shown = re.search(r"^(LINE (\d+): )(.*)\n( *)\^", str(error), flags=re.MULTILINE)
    if shown is None:
        return ""
    head, line, text, before = shown.groups()
    return f" (line {line}, at `{text[len(before) - len(head) :][:POINTED]}`)"
