"""Measures of a whole society: drift, concentration, likeness. One value a replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.metrics.base import Floats, Part, Readable, turns_of
from rehearse.experiments.metrics.consumption import (
    SAMPLED,
    gini,
    herfindahl,
    mean_overlap,
    sampled_people,
    top_share,
)

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


def concentration(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the Gini coefficient of choices over all items that the world has."""
    return _of_choices(record, part, gini)


def herfindahl_of_choices(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the Herfindahl index of choices over items."""
    return _of_choices(record, part, herfindahl)


def top_share_of_choices(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the share of choices that fell on the 1 % of the items that were taken most."""
    return _of_choices(record, part, top_share)


def homogeneity(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the mean Jaccard overlap of what two people were shown over the run, of `sampled_people`."""
    slates = [n for n in record.query("SELECT * FROM turns LIMIT 0") if n.startswith("slate_")]
    return _overlap(record, part, f"unnest([{', '.join(['action', *slates])}])")


def homogeneity_of_choices(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the mean Jaccard overlap of what two people took over the run, of `sampled_people`."""
    return _overlap(record, part, "choice")


def _of_choices(record: Readable, part: Part | None, measure: Callable[[Floats], Floats]) -> dict[int, float]:
    found = record.query(
        f"""SELECT replica, choice AS kind, count(*) AS n FROM {turns_of(part)}
        WHERE choice >= 0 GROUP BY ALL ORDER BY ALL"""
    )
    items = len(record.manifest["items"])
    return _each(found, lambda rows: float(measure(_counts(found, rows, items))))


def _overlap(record: Readable, part: Part | None, kind: str) -> dict[int, float]:
    found = record.query(
        f"""SELECT DISTINCT replica, place, kind FROM (
          SELECT t.replica, sampled.place, {kind} AS kind FROM turns t
          JOIN ({sampled_people(part)}) sampled ON t.replica = sampled.replica AND t."user" = sampled."user")
        WHERE kind >= 0 ORDER BY ALL"""
    )
    items = len(record.manifest["items"])

    def overlap(rows: Ints) -> float:
        sets = np.zeros((SAMPLED, items), dtype=np.bool_)
        sets[_whole(found, "place")[rows], _whole(found, "kind")[rows]] = True
        return mean_overlap(sets)

    return _each(found, overlap)


def _drift(record: Readable, part: Part | None, kind: str, where: str) -> Mapping[int, float]:
    ticks = ticks_of(record)
    window = first_quarter(ticks)
    late = f"tick >= {ticks - window}"
    found = record.query(
        f"""SELECT replica, CAST({late} AS INTEGER) AS late, {kind} AS kind, count(*) AS n
        FROM {turns_of(part)} WHERE ({where}) AND (tick < {window} OR {late}) GROUP BY ALL ORDER BY ALL"""
    )
    kinds = int(found.numbers("kind").max()) + 1 if found.length else 1

    def moved(rows: Ints) -> float:
        later = _whole(found, "late")[rows] == 1
        return psi(_counts(found, rows[~later], kinds), _counts(found, rows[later], kinds))

    return _each(found, moved) if ticks > 1 else {}


def _each(found: Columns, measure: Callable[[Ints], float]) -> dict[int, float]:
    replica = _whole(found, "replica")
    numbers, starts = np.unique(replica, return_index=True)
    ends = [*starts.tolist(), len(replica)][1:]
    return {
        int(r): measure(np.arange(start, end))
        for r, start, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True)
    }


def _counts(found: Columns, rows: Ints, kinds: int) -> Floats:
    kind, n = _whole(found, "kind")[rows], found.numbers("n")[rows]
    return np.bincount(kind, weights=n, minlength=kinds).astype(np.float64)


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
