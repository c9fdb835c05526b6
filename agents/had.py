"""What people had before, where nobody takes the same thing twice (`people.behaviour.repeats: false`).

The column `had` (n, ceil(m / 8)) holds a bit for each item, so that nothing is forgotten, as memories are.
"""

from __future__ import annotations

import numpy as np

from rehearse.agents.blocks import raw
from rehearse.columns import Columns, Rows
from rehearse.contract import Flags, Ints

BITS = 8


def begin(columns: Columns, items: int, *, repeats: bool) -> None:
    """Give people a note of what they had of so many items, nothing yet, where it matters."""
    if not repeats and "had" not in columns:
        columns["had"] = np.zeros((columns.length, -(-items // BITS)), dtype=np.uint8)


def before(columns: Columns, rows: Rows, places: Ints) -> Flags:
    """Return which items in slates (k, n), places first, these people had before."""
    items = np.maximum(places, 0)
    bits = raw(columns, "had")[rows[None, :], items // BITS]
    return np.asarray((bits >> (items % BITS).astype(np.uint8)) & 1, dtype=np.bool_) & (places >= 0)


def note(columns: Columns, rows: Rows, item: Ints) -> None:
    """Note what these people, each once, have had now."""
    raw(columns, "had")[rows, item // BITS] |= (1 << (item % BITS)).astype(np.uint8)
