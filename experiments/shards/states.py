"""States: what all shards keep, put together as one process would keep it, and taken apart again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.columns import Array, Rows
from rehearse.errors import ContractError
from rehearse.experiments.shards.deal import Deal

State = Mapping[str, Array]
PEOPLE, LINKS = "people/", "record/links"


def part_of(state: State, deal: Deal, shard: int) -> dict[str, Array]:
    """Return what a shard needs of the state of all: its own people and chains, and all else."""
    rows, places = deal.rows_of(shard), deal.places_of(shard)
    part = dict(state)
    for name, array in state.items():
        if name.startswith(PEOPLE):
            part[name] = array.take(rows, axis=0)
        elif name == LINKS:
            part[name] = array.take(places, axis=0)
    return part


def joined(parts: list[State], deal: Deal, whole: State) -> dict[str, Array]:
    """Return the state of all from the states of the shards.

    `whole` holds the arrays that one process would begin with: their shapes tell which are kept by
    society. Raises ContractError where parts neither are equal nor are kept by society.
    """
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _joined(name, [p.get(name) for p in parts], deal, whole.get(name)) for name in names}


def own_part(given: Array, own: Array | None, places: Rows, whole: int) -> Array:
    """Return the part of an array kept by society that belongs to some of them, or all of another."""
    if own is None or not own.ndim or not given.ndim:
        return np.array(given)
    by_society = len(given) == whole and len(own) == len(places) != whole
    return np.array(given[places]) if by_society else np.array(given)


def _joined(name: str, parts: list[Array | None], deal: Deal, whole: Array | None) -> Array:
    there = [(shard, part) for shard, part in enumerate(parts) if part is not None]
    first = there[0][1]
    if name.startswith(PEOPLE):
        return _scattered(there, [deal.rows_of(s) for s, _ in there], deal.count * len(deal.replicas))
    if deal.by == "users" or len(there) == 1:
        return first
    by_society = name == LINKS or (whole is not None and whole.ndim > 0 and len(whole) == len(deal.replicas))
    if by_society:
        return _scattered(there, [deal.places_of(s) for s, _ in there], len(deal.replicas))
    if all(np.array_equal(first, part) for _, part in there):
        return first
    problem = f"{name} differs between shards, and it cannot be told which part of it is whose."
    raise ContractError(problem, "Keep what belongs to a society in arrays with a row for each.")


def _scattered(there: list[tuple[int, Array]], rows: list[Rows], length: int) -> Array:
    first = there[0][1]
    whole = np.empty((length, *first.shape[1:]), dtype=first.dtype)
    for (_, part), at in zip(there, rows, strict=True):
        whole[at] = part
    return whole
