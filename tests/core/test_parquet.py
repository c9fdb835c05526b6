"""The quick writer: what it writes reads like what DuckDB wrote, whatever the columns hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import parquet
from rehearse.columns import Columns, stacked
from rehearse.tables import query, read_table, write_pages, write_table

pytest.importorskip("pyarrow", reason="the quick writer is pyarrow's: extra `fast`")

KINDS = ("i1", "i2", "i4", "i8", "f4", "f8", "?")
SAID = ("", "it's", "größer")


def page(seed, rows):
    """Return a page with a column of every kind: in order, at random, all the same, with gaps, codes."""
    chance = np.random.default_rng(seed)
    columns = {f"any_{kind}": chance.integers(0, 100, rows).astype(kind) for kind in KINDS}
    columns |= {f"same_{kind}": np.full(rows, 1, dtype=kind) for kind in KINDS}
    gaps = chance.random(rows).astype("f4")
    gaps[::3] = np.nan
    columns |= {"user": np.sort(chance.integers(0, 1 << 40, rows)), "gaps": gaps}
    columns |= {"nothing": np.full(rows, np.nan), "far": chance.integers(-(1 << 62), 1 << 62, rows)}
    return Columns(columns | {"code": chance.integers(0, len(SAID), rows).astype("i1")})


def both(folder, pages, words):
    """Return what is read of the same pages written by either writer."""
    write_pages(folder / "quick.parquet", pages, words)
    write_table(folder / "plain.parquet", stacked(pages), words=words)
    return read_table(folder / "quick.parquet"), read_table(folder / "plain.parquet")


def assert_same(found, expected):
    """Assert that two tables have the same columns of the same types with the same bits."""
    assert list(found) == list(expected)
    for name in expected:
        assert found[name].dtype == expected[name].dtype, name
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=4).filter(any), st.integers(0, 1 << 30))
def test_both_writers_write_the_same_table(tmp_path_factory, sizes, seed):
    """Pages of any length read the same, in type and bits, whichever writer wrote them."""
    pages = [page(seed + i, rows) for i, rows in enumerate(sizes)]
    assert parquet.can_write(pages)
    assert_same(*both(tmp_path_factory.mktemp("both"), pages, {"code": SAID}))


def test_pages_may_lack_columns_and_differ_in_type(tmp_path):
    """A column that a page lacks is filled there, and types widen to one that holds all."""
    pages = [
        Columns({"a": np.arange(3, dtype="i4"), "b": np.ones(3, "f4")}),
        Columns({"a": np.arange(2, dtype="i2"), "c": np.arange(2, dtype="i4")}),
    ]
    found, expected = both(tmp_path, pages, {})
    assert_same(found, expected)
    assert found["c"].tolist() == [-1, -1, -1, 0, 1]


def test_sql_passes_over_what_is_not_known(tmp_path):
    """NaN is NULL in the file, so that a mean leaves it out."""
    table = Columns({"x": np.array([1.0, np.nan, 3.0], "f4")})
    write_pages(tmp_path / "t.parquet", [table], {})
    assert query("SELECT avg(x) AS mean FROM t", t=tmp_path / "t.parquet")["mean"][0] == 2.0


def test_nothing_half_written_is_left(tmp_path):
    """After writing, and after a failure, the folder holds whole tables and nothing else."""
    write_pages(tmp_path / "t.parquet", [page(1, 10)], {"code": SAID})
    with pytest.raises(IndexError):
        write_pages(tmp_path / "u.parquet", [page(1, 10)], {"code": ()})
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_the_quick_writer_does_not_import_pandas(tmp_path):
    """Writing takes the time of writing, not the second that importing pandas takes."""
    code = (
        "import sys, pathlib, numpy as np; from rehearse.columns import Columns; "
        "from rehearse.tables import write_pages; "
        "write_pages(pathlib.Path(sys.argv[1]), [Columns({'x': np.arange(3), 'w': np.zeros(3, int)})], "
        "{'w': ('no',)}); print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "t.parquet")], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]
