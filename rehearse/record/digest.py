"""The digest: one number that two runs share exactly when every deterministic value is the same.

A tick of a replica is cut into leaves of 4,096 consecutive user ids. A leaf is SHA-256 of its rows in
the order (user, turn), column by column with its name and type. Each replica has a chain: link t is
SHA-256 of link t-1 and the tick's leaves. The digest of the run is SHA-256 of the replicas' numbers
and last links, in ascending order. Leaves can be worked out apart, in shards or threads; a chain
needs no memory of what went before it, so an interrupted run goes on from its last link; and blocks,
parts, tiles and shards leave no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Ints
from rehearse.threads import side_by_side

Links = NDArray[np.uint8]
"""One link a replica, shape (replicas, 32)."""
LEAF = 4096
"""User ids that a leaf covers."""
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
    number = (
        np.asarray(columns["user"], np.int64) // LEAF if "user" in columns else np.zeros(length, np.int64)
    )
    starts = np.union1d(np.flatnonzero(np.diff(number)) + 1, bounds[:-1])
    starts = starts[starts < length].astype(np.int64)
    ordered = sorted(columns.items())
    heads = [f"{name}:{a.dtype.str}".encode() for name, a in ordered]
    pieces = [slice(*ends) for ends in pairwise([*starts.tolist(), length])]
    hashes = side_by_side(lambda piece: _leaf(heads, [a[piece] for _, a in ordered]), pieces)
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


def _leaf(heads: list[bytes], arrays: list[Array]) -> bytes:
    leaf = hashlib.sha256(len(arrays[0]).to_bytes(8, "little"))
    for head, array in zip(heads, arrays, strict=True):
        if head.startswith(SLATE) and array[0] == NOTHING and _same(array):
            continue  # a place that is empty throughout is there only where others have a longer slate
        # A column that says one thing all along is told once: columns that hold nothing cost nothing.
        told = array[:1] if _same(array) else array
        leaf.update(head + (b":" if told is array else b"="))
        flat: NDArray[np.uint8] = np.ascontiguousarray(told).view(np.uint8)
        leaf.update(flat.data)
    return leaf.digest()


def _same(array: Array) -> bool:
    if array.strides == (0,):
        return True
    bits = array.view(f"u{array.dtype.itemsize}")
    return bool(bits[0] == bits[-1] and (bits == bits[0]).all())
