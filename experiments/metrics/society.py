"""Measures of a whole society: how far it drifts. One value a replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.metrics.base import Floats, Part, Readable, turns_of

Ints = NDArray[np.int64]
SPARSE = 10
"""Kinds that were seen fewer times than this in both windows together are put into one."""
BANDS = 10
"""Satisfaction is told apart in so many bands."""


def psi(before: Floats, after: Floats, *, corrected: bool = True) -> float:
    """Return the population stability index Σ (q − p) ln(q / p) of two rows of counts.

    Rare kinds are put together and half a count is added to each, so that nothing is divided by 0.
    Two samples of one mix of k kinds differ by about (k − 1)(1/m + 1/n) through chance alone; with
    `corrected` that is taken off, and the index may come out slightly below 0.
    """
    early, late = _without_rare(before, after)
    if early.sum() <= 0 or late.sum() <= 0:
        return float("nan")
    p, q = _smooth(early), _smooth(late)
    chance = (len(p) - 1) * (1.0 / early.sum() + 1.0 / late.sum()) if corrected else 0.0
    return float(((q - p) * np.log(q / p)).sum() - chance)


def jensen_shannon(before: Floats, after: Floats) -> float:
    """Return the Jensen–Shannon divergence of two rows of counts in bits: 0 alike, 1 nothing in common."""
    if before.sum() <= 0 or after.sum() <= 0:
        return float("nan")
    p, q = before / before.sum(), after / after.sum()
    middle = (p + q) / 2.0
    return float((_information(p, middle) + _information(q, middle)) / 2.0)


def first_quarter(ticks: int) -> int:
    """Return how many ticks the first (and the last) window of a run has."""
    return max(1, ticks // 4)


def ticks_of(record: Readable) -> int:
    """Return how many ticks a run had."""
    return int(record.query("SELECT max(tick) + 1 AS n FROM ticks").numbers("n")[0])


def action_drift(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the PSI of the answers, last quarter of the run against the first."""
    return _drift(record, part, "action", "action >= 0")


def outcome_drift(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the PSI of (taken or not, band of satisfaction), last quarter against the first."""
    return _drift(record, part, outcome_kind(), "isfinite(satisfaction)")


def outcome_kind() -> str:
    """Return SQL for the number of a turn's outcome: twice its band of satisfaction, plus 1 if taken."""
    band = f"least({BANDS - 1}, greatest(0, floor(satisfaction * {BANDS})))"
    return f"CAST({band} AS INTEGER) * 2 + CAST(choice >= 0 AS INTEGER)"


def _drift(record: Readable, part: Part | None, kind: str, where: str) -> Mapping[int, float]:
    ticks = ticks_of(record)
    window = first_quarter(ticks)
    late = f"tick >= {ticks - window}"
    found = record.query(
        f"""SELECT replica, CAST({late} AS INTEGER) AS late, {kind} AS kind, count(*) AS n
        FROM {turns_of(part)} WHERE ({where}) AND (tick < {window} OR {late}) GROUP BY ALL ORDER BY ALL"""
    )
    kinds = int(found.numbers("kind").max()) + 1 if found.length else 1
    cell, n = _whole(found, "late") * kinds + _whole(found, "kind"), found.numbers("n")

    def moved(rows: slice) -> float:
        counts = np.bincount(cell[rows], weights=n[rows], minlength=2 * kinds).astype(np.float64)
        return psi(counts[:kinds], counts[kinds:])

    return _each(found, moved) if ticks > 1 else {}


def _each(found: Columns, measure: Callable[[slice], float]) -> dict[int, float]:
    replicas, starts = np.unique(_whole(found, "replica"), return_index=True)
    ends = [*starts.tolist(), found.length][1:]
    return {
        int(r): measure(slice(start, end))
        for r, start, end in zip(replicas.tolist(), starts.tolist(), ends, strict=True)
    }


def _whole(found: Columns, name: str) -> Ints:
    return np.asarray(found[name], dtype=np.int64)


def _without_rare(before: Floats, after: Floats) -> tuple[Floats, Floats]:
    rare = before + after < SPARSE
    if not rare.any():
        return before, after
    early = np.append(before[~rare], before[rare].sum())
    late = np.append(after[~rare], after[rare].sum())
    keep = early + late > 0
    return early[keep], late[keep]


def _smooth(counts: Floats) -> Floats:
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())


def _information(p: Floats, q: Floats) -> float:
    seen = p > 0
    return float((p[seen] * np.log2(p[seen] / q[seen])).sum())
