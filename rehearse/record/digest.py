"""The digest: one number that two runs share exactly when every deterministic value is the same.

A tick of a replica is cut into leaves of 4,096 consecutive user ids. A leaf is SHA-256 of its number
and its rows in the order (user, turn), column by column with its name and type; users are told by
their place in the leaf, items in the narrowest integers that hold all of the run's. Each replica has
a chain: link t is SHA-256 of link t-1 and the tick's leaves. The digest of the run is SHA-256 of the
replicas' numbers and last links, in ascending order. Leaves can be worked out apart, in shards or
threads; a chain needs no memory of what went before it, so an interrupted run goes on from its last
link; and blocks, parts, tiles and shards leave no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Ints
from rehearse.threads import side_by_side

Links = NDArray[np.uint8]
"""One link a replica, shape (replicas, 32)."""
LEAF = 4096
"""User ids that a leaf covers."""
LEAF_BITS = LEAF.bit_length() - 1
PROBES = 8
"""Places of a leaf at which a column is looked at before the whole of it, for whether it says one thing."""
SLATE = b"slate_"


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of a tick that have rows, in the order (replica, leaf)."""

    place: Rows
    """The position of each leaf's replica among the replicas, shape (n,)."""
    number: Rows
    """Which leaf of its replica it is: the user ids divided by 4,096, shape (n,)."""
    hashes: NDArray[np.uint8]
    """SHA-256 of each, shape (n, 32)."""


def first_links(replicas: int) -> Links:
    """Return the links before the first tick: zeros."""
    return np.zeros((replicas, 32), dtype=np.uint8)


def leaves_of(bounds: NDArray[np.int64], columns: Mapping[str, Array]) -> Leaves:
    """Return the leaves of a table; rows bounds[i] to bounds[i + 1] belong to the i-th replica.

    Rows are in the order (replica, user, turn). A table without a column `user` is one leaf a replica.
    """
    length = int(bounds[-1])
    user = np.asarray(columns["user"], np.int64) if "user" in columns else np.zeros(length, np.int64)
    number = user >> LEAF_BITS
    starts = np.union1d(np.flatnonzero(number[1:] != number[:-1]) + 1, bounds[:-1])
    starts = starts[starts < length].astype(np.int64)
    within = {"user": (user & (LEAF - 1)).astype(np.int16)} if "user" in columns else {}
    proved = {**columns, **within}
    told = [_told(name, proved[name], starts) for name in sorted(proved)]
    pieces = list(zip(number[starts].tolist(), pairwise([*starts.tolist(), length]), strict=True))
    hashes = side_by_side(lambda piece: _leaf(told, piece[0], *piece[1]), enumerate(pieces))
    return Leaves(
        place=np.searchsorted(bounds, starts, side="right") - 1,
        number=number[starts],
        hashes=np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 32),
    )


def next_links(links: Links, leaves: Leaves) -> Links:
    """Return the links after a tick with these leaves."""
    bounds = np.searchsorted(leaves.place, np.arange(len(links) + 1))
    following = np.empty_like(links)
    for i, link in enumerate(links):
        chain = hashlib.sha256(link.tobytes())
        chain.update(leaves.hashes[bounds[i] : bounds[i + 1]].tobytes())
        following[i] = np.frombuffer(chain.digest(), dtype=np.uint8)
    return following


def digest_of(replicas: Ints, links: Links) -> str:
    """Return the digest of the run, 64 hexadecimal characters."""
    whole = hashlib.sha256()
    for i in np.argsort(replicas, kind="stable"):
        whole.update(int(replicas[i]).to_bytes(4, "little"))
        whole.update(links[i].tobytes())
    return whole.hexdigest()


class _Told(NamedTuple):
    """A column as leaves tell it."""

    head: bytes
    bytes: memoryview
    width: int
    same: list[bool]
    """For each leaf whether it says one thing all along."""
    empty: list[bool]
    """For each leaf whether it is a place of the slate that is empty throughout."""


def _told(name: str, array: Array, starts: Rows) -> _Told:
    head, width = f"{name}:{array.dtype.str}".encode(), array.dtype.itemsize
    same = np.ones(len(starts), dtype=np.bool_)
    if array.strides != (0,):
        bits, stops = array.view(f"u{width}"), np.append(starts[1:], len(array))
        for part in range(1, PROBES + 1):
            same &= bits[starts] == bits[starts + (stops - 1 - starts) * part // PROBES]
        if same.any():  # whole leaves are gone through only where some of their places agree
            same = np.logical_and.reduceat(bits == np.repeat(bits[starts], stops - starts), starts)
    empty = same & (array[starts] == NOTHING) if head.startswith(SLATE) else np.zeros_like(same)
    flat: NDArray[np.uint8] = np.ascontiguousarray(array).view(np.uint8)
    return _Told(head, flat.data, width, same.tolist(), empty.tolist())


def _leaf(columns: list[_Told], leaf: int, number: int, ends: tuple[int, int]) -> bytes:
    start, stop = ends
    told: list[bytes | memoryview] = [(stop - start).to_bytes(8, "little"), number.to_bytes(8, "little")]
    for head, flat, width, same, empty in columns:
        if empty[leaf]:
            continue  # a place that is empty throughout is there only where others have a longer slate
        # A column that says one thing all along is told once: columns that hold nothing cost nothing.
        end = start + 1 if same[leaf] else stop
        told += (head, b"=" if same[leaf] else b":", flat[start * width : end * width])
    return hashlib.sha256(b"".join(told)).digest()
