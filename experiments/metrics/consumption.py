"""What people consume: how far it falls on few items, and how alike it is from person to person.

The measures are plain functions of counts (…, m), how often each of m items was taken, and of sets
(n, m), True where a person took an item. `courses` follows them through a record: at each tick they
are of everything taken so far, so that the last tick has what the verdict says of the whole run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.experiments.metrics.base import Floats, Part, Readable, turns_of
from rehearse.record.reading import TICKS, RunRecord
from rehearse.tables import write_table

Ints = NDArray[np.int64]
Sets = NDArray[np.bool_]
Measure = Callable[[Floats], Floats]
SAMPLED = 200
"""People of each replica whose sets of items are compared, pair by pair."""
CELLS = 1 << 22
"""Cells of sets that are compared at once; it changes no result."""


def gini(counts: ArrayLike) -> Floats:
    """Return the Gini coefficient of counts (…, m): 0 when all are equal, (m − 1) / m when one has all.

    Half the mean difference between two items over the mean (Gini 1912); NaN where all are 0.
    """
    ordered = np.sort(np.asarray(counts, dtype=np.float64), axis=-1)
    m = ordered.shape[-1]
    ranks = 2 * np.arange(1, m + 1) - m - 1
    return _share((ranks * ordered).sum(axis=-1), m * ordered.sum(axis=-1))


def herfindahl(counts: ArrayLike) -> Floats:
    """Return the Herfindahl–Hirschman index Σ s² of the items' shares s of counts (…, m).

    1 / m when all are equal, 1 when one has all: one over the number of equally popular items that
    would be as concentrated. Herfindahl (1950).
    """
    n = np.asarray(counts, dtype=np.float64)
    return _share((n * n).sum(axis=-1), n.sum(axis=-1) ** 2)


def top_share(counts: ArrayLike, share: float = 0.01) -> Floats:
    """Return what part of counts (…, m) fell on the most popular 1 % of the items, at least one of them."""
    n = np.asarray(counts, dtype=np.float64)
    top = max(1, math.ceil(n.shape[-1] * share - 1e-9))
    first = np.partition(n, n.shape[-1] - top, axis=-1)[..., -top:]
    return _share(first.sum(axis=-1), n.sum(axis=-1))


def mean_overlap(sets: Sets, pairs: Ints | None = None) -> float:
    """Return the mean Jaccard overlap |A ∩ B| / |A ∪ B| of people's sets (n, m), or of some pairs of them.

    People whose set is empty are left out; NaN without a pair. All pairs take memory for n² numbers:
    of a large society give `random_pairs`, as Chaney, Stewart and Engelhardt (2018) did.
    """
    if pairs is None:
        return float(_mean_overlaps(sets[None, sets.any(axis=1)])[0])
    one, other = sets[pairs[:, 0]], sets[pairs[:, 1]]
    either, both = (one | other).sum(axis=1), (one & other).sum(axis=1)
    known = one.any(axis=1) & other.any(axis=1)
    return float((both[known] / either[known]).mean()) if known.any() else math.nan


def random_pairs(people: int, count: int, chance: Chance, replica: int = 0) -> Ints:
    """Return pairs of two different people, drawn with replacement by address: shape (count, 2)."""
    drawn = chance.uniform("pairs", replica, np.arange(count), count=2)
    one = (drawn[:, 0] * people).astype(np.int64)
    other = (one + 1 + (drawn[:, 1] * (people - 1)).astype(np.int64)) % people
    return np.stack([one, other], axis=1)


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
    """Return the mean Jaccard overlap of what two people were shown over the run.

    The SAMPLED people of each replica with the smallest scrambled ids are compared: the same ones
    in every run, whatever the model.
    """
    return _overlap(record, part, _shown(record))


def homogeneity_of_choices(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return the mean Jaccard overlap of what two people took over the run, of the same people."""
    return _overlap(record, part, "choice")


def courses(record: Readable) -> Columns:
    """Return measures of what was taken up to each tick: replica, tick and five columns, by tick.

    `concentration` (Gini), `herfindahl`, `top_share` and `homogeneity_of_choices`, the mean overlap of
    all pairs of up to 200 people of a replica; NaN before anything was taken. And of what the same
    people were shown in each tick alone, `homogeneity_of_slates`.
    """
    ticks = record.query("SELECT replica, tick FROM ticks ORDER BY tick, replica")
    replicas, known = (np.unique(np.asarray(ticks[name], dtype=np.int64)) for name in ("replica", "tick"))
    found = dict(ticks)
    for name, lines in _concentrations(record, replicas, known).items():
        found[name] = lines.ravel()
    found["homogeneity_of_choices"] = _overlaps(_met(record, "choice"), replicas, known).ravel()
    shown = _met(record, _shown(record), each_tick=True)
    found["homogeneity_of_slates"] = _overlaps(shown, replicas, known, each_tick=True).ravel()
    return Columns(found)


def add_courses(folder: Path) -> None:
    """Add the columns of `courses` to the ticks of a run whose turns are written."""
    record = RunRecord(folder, finished=False)
    ticks = record.query("SELECT * FROM ticks ORDER BY tick, replica")
    write_table(folder / TICKS, Columns({**ticks, **courses(record)}))


def _of_choices(record: Readable, part: Part | None, measure: Measure) -> dict[int, float]:
    taken = record.query(
        f"""SELECT replica, choice, count(*) AS n FROM {turns_of(part)}
        WHERE choice >= 0 GROUP BY ALL ORDER BY ALL"""
    )
    replicas = np.unique(np.asarray(taken["replica"], dtype=np.int64))
    items = len(record.manifest["items"])
    found: dict[int, float] = {}
    for some, here, line in _portions(taken, replicas, items):
        counts = np.zeros((some.stop - some.start, items))
        counts[line, taken["choice"][here]] = taken.numbers("n")[here]
        found |= dict(zip(replicas[some].tolist(), measure(counts).tolist(), strict=True))
    return found


def _concentrations(record: Readable, replicas: Ints, ticks: Ints) -> dict[str, Floats]:
    taken = record.query(
        """SELECT replica, tick, choice, count(*) AS n FROM turns WHERE choice >= 0
        GROUP BY ALL ORDER BY tick, replica, choice"""
    )
    place = np.searchsorted(replicas, taken["replica"])
    starts = np.searchsorted(taken["tick"], np.append(ticks, ticks[-1:] + 1))
    counts = np.zeros((len(replicas), len(record.manifest["items"])))
    measures: dict[str, Measure] = {"concentration": gini, "herfindahl": herfindahl, "top_share": top_share}
    found = {name: np.empty((len(ticks), len(replicas))) for name in measures}
    for i in range(len(ticks)):
        now = slice(starts[i], starts[i + 1])
        counts[place[now], taken["choice"][now]] += taken.numbers("n")[now]
        for name, measure in measures.items():
            found[name][i] = measure(counts)
    return found


def _shown(record: Readable) -> str:
    """Return what stands for every item of a slate."""
    slates = [n for n in record.query("SELECT * FROM turns LIMIT 0") if n.startswith("slate_")]
    return f"unnest([{', '.join(['action', *slates])}])"


def _overlap(record: Readable, part: Part | None, kind: str) -> dict[int, float]:
    first = _met(record, kind, part)
    replicas = np.unique(np.asarray(first["replica"], dtype=np.int64))
    last = np.array([first.numbers("tick").max(initial=0)])
    return dict(zip(replicas.tolist(), _overlaps(first, replicas, last)[0].tolist(), strict=True))


def _met(record: Readable, kind: str, part: Part | None = None, *, each_tick: bool = False) -> Columns:
    """Return when each of the sampled people first met each item (or met it): replica, place, kind, tick."""
    when = "tick" if each_tick else "min(tick) AS tick"
    return record.query(
        f"""WITH sampled AS (SELECT replica, "user", row_number() OVER (PARTITION BY replica ORDER BY
          ("user" * 2654435761 + replica * 40503) % 4294967296, "user") - 1 AS place
          FROM (SELECT DISTINCT replica, "user" FROM {turns_of(part)} WHERE action >= 0)
          QUALIFY place < {SAMPLED})
        SELECT t.replica, place, kind, {when}
        -- Unnested before the join: DuckDB 2.0.0 breaks off where it unnests what a join brought.
        FROM (SELECT replica, "user", tick, {kind} AS kind FROM turns) t
        JOIN sampled ON t.replica = sampled.replica AND t."user" = sampled."user"
        WHERE kind >= 0 GROUP BY ALL ORDER BY ALL"""
    )


def _overlaps(first: Columns, replicas: Ints, ticks: Ints | Floats, *, each_tick: bool = False) -> Floats:
    """Return the mean overlap of what people had met by (or met in) each tick, shape (ticks, replicas)."""
    person, tick = np.asarray(first["place"], dtype=np.int64), first.numbers("tick")
    items, item = np.unique(first["kind"], return_inverse=True)
    people = int(person.max(initial=0)) + 1
    found = np.full((len(ticks), len(replicas)), math.nan)
    for some, here, line in _portions(first, replicas, people * max(len(items), people)):
        met = np.zeros((some.stop - some.start, people, len(items)), dtype=np.bool_)
        who, what, when = person[here], item[here], tick[here]
        for i, now in enumerate(ticks):
            if each_tick:
                met[:] = False
            new = when == now if each_tick else when <= now
            met[line[new], who[new], what[new]] = True
            found[i, some] = _mean_overlaps(met)
    return found


def _portions(table: Columns, replicas: Ints, cells: int) -> Iterator[tuple[slice, slice, Ints]]:
    """Go over a table in the order of replicas, some at a time that have so many cells each.

    Yields which replicas, which rows of the table, and for each row its replica's place among them.
    """
    place = np.searchsorted(replicas, table["replica"])
    step = max(1, CELLS // cells)
    for start in range(0, len(replicas), step):
        stop = min(start + step, len(replicas))
        low, high = np.searchsorted(place, [start, stop]).tolist()
        yield slice(start, stop), slice(low, high), place[low:high] - start


def _mean_overlaps(sets: Sets) -> Floats:
    """Return the mean overlap of all pairs for sets (r, n, m) of r societies."""
    of = sets.astype(np.float32)
    sizes = sets.sum(axis=-1)
    both = of @ of.transpose(0, 2, 1)  # whole numbers: exact in single precision
    either = sizes[:, :, None] + sizes[:, None, :] - both
    one, other = np.triu_indices(sets.shape[1], 1)
    known = (sizes[:, one] > 0) & (sizes[:, other] > 0)
    overlap = np.divide(both[:, one, other], either[:, one, other], where=known, out=np.zeros(known.shape))
    return _share(overlap.sum(axis=-1), known.sum(axis=-1))


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    of = np.asarray(whole, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(of > 0.0, np.asarray(part, dtype=np.float64) / of, np.nan)
