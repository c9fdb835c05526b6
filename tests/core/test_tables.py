"""Tables in files: what is written is read again, and a bad file is one clear sentence."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.errors import DataError
from rehearse.tables import ask, query, read_table, write_table


def table() -> Columns:
    """Return a small table of every kind of column."""
    return Columns(
        {
            "n": np.arange(3),
            "code": np.array([1, 0, 1], np.int8),
            "x": np.array([0.5, np.nan, -1], np.float32),
            "text": np.array(["a", "it's", ""]),
            "pair": np.arange(6).reshape(3, 2),
        }
    )


def test_a_table_is_read_as_it_was_written(tmp_path):
    """Numbers, text and codes come back, codes as their words, wide columns as one a place."""
    write_table(tmp_path / "t.parquet", table(), {"note": "it's"}, {"code": ("no", "yes")})
    found = read_table(tmp_path / "t.parquet")
    assert found["code"].tolist() == ["yes", "no", "yes"]
    assert found["text"].tolist() == ["a", "it's", ""]
    assert np.isnan(found["x"][1])
    assert found["pair_1"].tolist() == [1, 3, 5]


def test_nothing_half_written_is_left(tmp_path):
    """After writing, the folder holds the table and nothing else."""
    write_table(tmp_path / "t.parquet", table())
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "there is no file"),
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"a,b\n", "no rows"),
        ("torn.parquet", b"PAR1 and then nothing", "could not be read"),
    ],
)
def test_a_bad_file_is_one_clear_message(tmp_path, name, content, says):
    """A file that is missing, empty, without rows or torn is said in one sentence."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_table(path)


def test_a_query_sees_files_and_columns_under_their_names(tmp_path):
    """SQL joins a table in memory with one in a file."""
    write_table(tmp_path / "t.parquet", table())
    sql = "SELECT count(*) AS n FROM a JOIN b ON a.n = b.n"
    assert query(sql, a=table(), b=str(tmp_path / "*.parquet"))["n"][0] == 3


def test_a_wrong_column_name_is_a_data_error():
    """SQL that names what is not there is said in DuckDB's words, without a traceback."""
    with pytest.raises(DataError, match="zz"):
        query("SELECT zz FROM a", a=table())


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT n,\n zz FROM a", r'SQL .* "zz" not found .* \(line 2, at `zz FROM a`\)'),
        ("SELECT FROM", "SQL cannot be answered.* There are the views a;"),
        ("", "asks nothing"),
    ],
)
def test_what_is_wrong_with_sql_is_said_with_its_place(sql, says):
    """Whoever writes SQL is told what of it is wrong, and where; no table is blamed."""
    with pytest.raises(DataError, match=says):
        ask(sql, a=table())
