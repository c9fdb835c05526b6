"""Columns: one table, equal lengths, and nothing lost when written."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.errors import ContractError, DataError


def test_a_misspelt_column_is_answered_with_the_nearest():
    """Asking for a column that is not there names the one that was probably meant."""
    with pytest.raises(ContractError, match="'patience'"):
        Columns({"patience": np.zeros(2)})["patiense"]


def test_a_column_of_another_length_is_refused():
    """All columns have the same number of rows."""
    table = Columns({"a": np.zeros(3)})
    with pytest.raises(ContractError, match="4 rows where the table has 3"):
        table["b"] = np.zeros(4)


def test_taking_rows_copies():
    """Changing taken rows leaves the table as it was."""
    table = Columns({"a": np.arange(4.0), "m": np.arange(8.0).reshape(4, 2)})
    some = table.take(np.array([2, 0]))
    some["a"][:] = 9
    assert table["a"].tolist() == [0, 1, 2, 3]
    assert some["m"].tolist() == [[4, 5], [0, 1]]


def test_a_printed_table_is_short():
    """Names, the first and last rows, and how much more there is."""
    table = Columns({f"column{k}": np.arange(1000) for k in range(40)})
    told = repr(table)
    assert told.startswith("Columns of 1,000 rows\ncolumn0: [  0   1   2 ... 997 998 999]\n")
    assert told.endswith("28 columns more")


def test_what_is_saved_is_loaded(tmp_path):
    """Saving and loading keeps names, types and values."""
    table = Columns({"a": np.arange(3, dtype=np.int8), "b": np.array([1.5, np.nan, -0.0], np.float32)})
    table.save(tmp_path / "t.npz")
    again = Columns.load(tmp_path / "t.npz")
    assert list(again) == ["a", "b"]
    assert again["a"].dtype == np.int8
    assert again["b"].tobytes() == table["b"].tobytes()


def test_words_are_no_numbers():
    """A column of words asked for as numbers is the table's fault, and the message names the column."""
    with pytest.raises(DataError, match="'score' holds words"):
        Columns({"score": np.array(["300", "abc"])}).numbers("score")
