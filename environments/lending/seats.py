"""The order in which the people of a society are served."""

from __future__ import annotations

import numpy as np

from rehearse.contract import Ints


def seats_of(society: Ints) -> Ints:
    """Return the number of each row among those of its society, from 0."""
    order = np.argsort(society, kind="stable")
    sorted_ = society[order]
    first = np.flatnonzero(np.append(True, sorted_[1:] != sorted_[:-1])) if len(sorted_) else sorted_
    counts = np.diff(np.append(first, len(sorted_)))
    found = np.empty(len(society), dtype=np.int32)
    found[order] = np.arange(len(society)) - np.repeat(first, counts)
    return found
