"""States: what all shards keep, put together as one process would keep it, and taken apart again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.errors import ContractError
from rehearse.experiments.shards.deal import Deal

State = Mapping[str, Array]
PEOPLE, TIES, LINKS = "people/", "users/ties/", "record/links"


def part_of(state: State, deal: Deal, shard: int) -> dict[str, Array]:
    """Return what a shard needs of the state of all: its own people and chains, and all else."""
    rows, places = deal.rows_of(shard), deal.places_of(shard)
    part = dict(state)
    if deal.by == "replicas":
        part |= ties_of(state, rows)
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
    names = dict.fromkeys(name for part in parts for name in part if not name.startswith(TIES))
    ties = parts[0] if deal.by == "users" else joined_ties(parts)
    found = {name: a for name, a in ties.items() if name.startswith(TIES)}
    for name in names:
        found[name] = _joined(name, [part.get(name) for part in parts], deal, whole.get(name))
    return found


def ties_of(state: State, rows: Rows) -> dict[str, Array]:
    """Return the ties in a state that are those of some rows in a row, who know only one another."""
    part: dict[str, Array] = {}
    for layer in _layers(state):
        starts = np.asarray(state[f"{layer}/indptr"][rows[0] : rows[-1] + 2], dtype=np.int64)
        for name in ("indices", "weights"):
            if f"{layer}/{name}" in state:
                part[f"{layer}/{name}"] = state[f"{layer}/{name}"][starts[0] : starts[-1]]
        part[f"{layer}/indptr"] = starts - starts[0]
        friends: NDArray[Any] = part[f"{layer}/indices"]
        part[f"{layer}/indices"] = friends - friends.dtype.type(rows[0])
    return part


def joined_ties(parts: Sequence[State]) -> dict[str, Array]:
    """Return ties of shards of whole societies as those of all: the other way round than `ties_of`."""
    whole: dict[str, Array] = {}
    for layer in _layers(parts[0]):
        bounds, friends, before = [np.zeros(1, np.int64)], [], 0
        for part in parts:
            indptr = np.asarray(part[f"{layer}/indptr"], dtype=np.int64)
            own: NDArray[Any] = part[f"{layer}/indices"]
            friends.append(own + own.dtype.type(before))
            bounds.append(indptr[1:] + bounds[-1][-1])
            before += len(indptr) - 1
        whole[f"{layer}/indptr"] = np.concatenate(bounds)
        whole[f"{layer}/indices"] = np.concatenate(friends)
        if f"{layer}/weights" in parts[0]:
            whole[f"{layer}/weights"] = np.concatenate([part[f"{layer}/weights"] for part in parts])
    return whole


def _layers(state: State) -> list[str]:
    ends = [name for name in state if name.startswith(TIES) and name.endswith("/indptr")]
    return [name.removesuffix("/indptr") for name in ends]


def own_part(given: Array, own: Array | None, places: Rows, whole: int) -> Array:
    """Return the part of an array kept by society that belongs to some of them, or all of another."""
    if own is None or not own.ndim or not given.ndim:
        return np.array(given)
    by_society = len(given) == whole and len(own) == len(places) != whole
    return np.array(given[places]) if by_society else np.array(given)


def _by_society(there: list[tuple[int, Array]], deal: Deal, whole: Array | None) -> bool:
    """Tell whether an array, which may have begun empty, has a row for each society of every shard."""
    if whole is None or not whole.ndim or len(whole) not in (0, len(deal.replicas)):
        return False
    return all(part.ndim > 0 and len(part) == len(deal.places_of(s)) for s, part in there)


def _joined(name: str, parts: list[Array | None], deal: Deal, whole: Array | None) -> Array:
    there = [(shard, part) for shard, part in enumerate(parts) if part is not None]
    first = there[0][1]
    if name.startswith(PEOPLE):
        return scattered([p for _, p in there], [deal.rows_of(s) for s, _ in there], _people(deal))
    if deal.by == "users" or len(there) == 1:
        return first
    if name == LINKS or _by_society(there, deal, whole):
        places = [deal.places_of(s) for s, _ in there]
        return scattered([p for _, p in there], places, len(deal.replicas))
    if all(np.array_equal(first, part) for _, part in there):
        return first
    problem = f"{name} differs between shards, and it cannot be told which part of it is whose."
    raise ContractError(problem, "Keep what belongs to a society in arrays with a row for each.")


def scattered(parts: list[Array], rows: list[Rows], length: int) -> Array:
    """Return an array of so many rows whose parts stand where `rows` says."""
    parts = _of_one_shape(parts)
    whole = np.empty((length, *parts[0].shape[1:]), dtype=parts[0].dtype)
    for part, at in zip(parts, rows, strict=True):
        if len(at):
            in_a_row = int(at[-1]) - int(at[0]) == len(at) - 1
            whole[slice(int(at[0]), int(at[-1]) + 1) if in_a_row else at] = part
    return whole


def _of_one_shape(parts: list[Array]) -> list[Array]:
    """Return arrays with their rows filled up: what waits is as long as it is in each society."""
    if len({part.shape[1:] for part in parts}) == 1:
        return parts
    most = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    gaps = [[(0, 0), *((0, m - n) for m, n in zip(most, part.shape[1:], strict=True))] for part in parts]
    return [np.pad(part, gap) for part, gap in zip(parts, gaps, strict=True)]


def _people(deal: Deal) -> int:
    return deal.count * len(deal.replicas)
