"""Measures of a whole society: drift, concentration, likeness, polarisation. One value a replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Columns
from rehearse.experiments.metrics.base import Floats, Part, Readable, turns_of

Ints = NDArray[np.int64]
SPARSE = 10
"""Kinds that were seen fewer times than this in both windows together are put into one."""
SAMPLED = 200
"""People of each replica whose sets of items are compared, pair by pair."""
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


def gini(counts: Floats) -> float:
    """Return the Gini coefficient of counts: 0 when all are equal, (n − 1) / n when one has all."""
    ordered = np.sort(counts)
    n, whole = len(ordered), float(ordered.sum())
    if whole <= 0.0:
        return float("nan")
    ranks = np.arange(1, n + 1)
    return float(((2 * ranks - n - 1) * ordered).sum() / (n * whole))


def mean_overlap(shown: NDArray[np.bool_]) -> float:
    """Return the mean Jaccard overlap of all pairs of rows: people by items, True where shown."""
    sets = shown[shown.any(axis=1)].astype(np.float64)
    if len(sets) < 2:
        return float("nan")
    common = sets @ sets.T
    sizes = sets.sum(axis=1)
    pairs = np.triu_indices(len(sets), 1)
    overlap = common / (sizes[:, None] + sizes[None, :] - common)
    return float(overlap[pairs].mean())


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
    found = record.query(
        f"""SELECT replica, choice AS kind, count(*) AS n FROM {turns_of(part)}
        WHERE choice >= 0 GROUP BY ALL ORDER BY ALL"""
    )
    items = len(record.manifest["items"])
    return _each(found, lambda rows: gini(_counts(found, rows, items)))


def homogeneity(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the mean Jaccard overlap of what two people were shown over the run.

    The SAMPLED people of each replica with the smallest scrambled ids are compared: the same ones
    in every run, whatever the model.
    """
    slates = [n for n in record.query("SELECT * FROM turns LIMIT 0") if n.startswith("slate_")]
    places = ", ".join(["action", *slates])
    found = record.query(
        f"""WITH who AS (SELECT DISTINCT replica, "user" FROM {turns_of(part)} WHERE action >= 0),
        sampled AS (SELECT replica, "user", row_number() OVER (PARTITION BY replica ORDER BY
          ("user" * 2654435761 + replica * 40503) % 4294967296, "user") - 1 AS place FROM who
          QUALIFY place < {SAMPLED})
        SELECT DISTINCT replica, place, kind FROM (
          SELECT t.replica, sampled.place, unnest([{places}]) AS kind
          FROM turns t JOIN sampled ON t.replica = sampled.replica AND t."user" = sampled."user")
        WHERE kind >= 0 ORDER BY ALL"""
    )
    items = len(record.manifest["items"])

    def overlap(rows: Ints) -> float:
        shown = np.zeros((SAMPLED, items), dtype=np.bool_)
        shown[_whole(found, "place")[rows], _whole(found, "kind")[rows]] = True
        return mean_overlap(shown)

    return _each(found, overlap)


def polarisation(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the polarisation that the people's summary gave at the last tick; it is of everybody."""
    del part
    found = record.query(
        """SELECT replica, polarisation AS value FROM ticks
        WHERE tick = (SELECT max(tick) FROM ticks) ORDER BY ALL"""
    )
    return dict(zip(_whole(found, "replica").tolist(), found.numbers("value").tolist(), strict=True))


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
