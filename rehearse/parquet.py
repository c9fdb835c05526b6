"""Large tables to Parquet, quickly: the one door to pyarrow, which is optional (extra `fast`).

How a column is written follows from what it holds (`docs/design/record.md` has the measurements):
whole numbers as packed differences, which is small and quick for ids in order as for items at random;
numbers of single precision byte by byte in planes, then zstd; words, truths and numbers that take few
values through a dictionary, then zstd. Smallest and largest value are kept for KEYS alone, so that a
reader finds a tick or a person without reading the rest.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rehearse.columns import Array, Columns, same_columns
from rehearse.compiled import SWITCH

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("replica", "tick", "user")
GROUP_ROWS = 1 << 20
LEVEL = 1
"""Of zstd."""
LOOKED_AT, FEW = 256, 16
"""A column of floats goes through a dictionary where so many of its values are at most so many different."""

How = Literal["differences", "planes", "dictionary"]


@cache
def _installed() -> bool:
    return find_spec("pyarrow") is not None


def can_write(pages: Sequence[Columns]) -> bool:
    """Return whether pyarrow is there and not switched off, and the pages hold but numbers and truths."""
    if os.environ.get(SWITCH) == "0" or not _installed():
        return False
    return all(a.dtype.kind in "iufb" for page in pages for a in page.values())


def write_pages(path: Path, pages: Sequence[Columns], words: Mapping[str, tuple[str, ...]]) -> None:
    """Write pages one below the other as one Parquet file, without putting them together first.

    `pages` have 1-D columns, whose types may differ from page to page; what a page lacks is filled
    as in `same_columns`. NaN is written as NULL, as DuckDB does, so that SQL passes it over. Codes in
    a column named in `words` are written as their words. Raises OSError.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = same_columns(pages)
    kinds = {name: _how(name, parts, words) for name, parts in columns.items()}
    arrays = [
        pa.chunked_array([_array(part, words.get(name)) for part in parts]) for name, parts in columns.items()
    ]
    fields = [
        pa.field(name, a.type, nullable=a.null_count > 0) for name, a in zip(columns, arrays, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    names = {how: [n for n, kind in kinds.items() if kind == how] for how in ("dictionary", "planes")}
    packed = {name: "NONE" if kind == "differences" else "ZSTD" for name, kind in kinds.items()}
    pq.write_table(
        table,
        path,
        row_group_size=GROUP_ROWS,
        use_dictionary=names["dictionary"],
        column_encoding={name: _ENCODINGS[kind] for name, kind in kinds.items() if kind in _ENCODINGS},
        compression=packed,
        compression_level={name: LEVEL for name, how in packed.items() if how == "ZSTD"},
        write_statistics=[name for name in KEYS if name in kinds],
        store_schema=False,
    )


_ENCODINGS = {"differences": "DELTA_BINARY_PACKED", "planes": "BYTE_STREAM_SPLIT"}


def _how(name: str, parts: Sequence[Array], words: Mapping[str, tuple[str, ...]]) -> How:
    kind = parts[0].dtype.kind
    if name in words or kind == "b":
        return "dictionary"
    if kind != "f":
        return "differences"
    longest = max(parts, key=len)
    some = longest[:: max(1, len(longest) // LOOKED_AT)]
    return "dictionary" if len(np.unique(some)) <= FEW else "planes"


def _array(values: Array, words: tuple[str, ...] | None) -> pa.Array[Any]:
    # Not pa.array: the first call of it imports pandas, which takes more than a second.
    import pyarrow as pa

    kind = pa.from_numpy_dtype(values.dtype)
    held = _bits(values) if values.dtype.kind == "b" else pa.py_buffer(np.ascontiguousarray(values))
    known = ~np.isnan(values) if values.dtype.kind == "f" else None
    valid = None if known is None or known.all() else _bits(known)
    found = pa.Array.from_buffers(kind, len(values), [valid, held])
    return found if words is None else pa.DictionaryArray.from_arrays(found, _strings(words))


def _bits(truths: Array) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(np.asarray(truths, dtype=np.bool_), bitorder="little"))


def _strings(words: tuple[str, ...]) -> pa.Array[Any]:
    import pyarrow as pa

    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(words), buffers)
