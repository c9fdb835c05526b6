"""Plain numbers: the arithmetic of one person, to the bit that of thousands in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rehearse import exact


def single(x: float) -> float:
    """Return x as it is after it was stored in a float32 column."""
    return float(np.float32(x))


def exp(x: float) -> float:
    """Return e**x, the same bits as `exact.exp` gives in an array."""
    return float(exact.exp(x))


def log(x: float) -> float:
    """Return ln x, the same bits as `exact.log` gives in an array."""
    return float(exact.log(x))


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e**−x)."""
    return float(exact.sigmoid(x))


def total(numbers: Sequence[float]) -> float:
    """Return the sum, added in the tree of `exact.total`: halves onto halves, an odd one carried along."""
    parts = list(numbers)
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [a + b for a, b in zip(parts[:half], parts[half : 2 * half], strict=True)] + parts[2 * half :]
    return parts[0] if parts else 0.0
