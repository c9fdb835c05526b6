"""The digest: one number that two runs share exactly when every deterministic value is the same.

Each replica has a chain: link t is SHA-256 of link t-1 and of the tick's rows in the order (user,
turn), column by column with its name and type. The digest of the run is SHA-256 of the replicas'
numbers and last links, in ascending order. A chain needs no memory of what went before it, so an
interrupted run goes on from its last link; blocks, parts, tiles and shards leave no trace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.contract import Ints

Links = NDArray[np.uint8]
"""One link a replica, shape (replicas, 32)."""


def first_links(replicas: int) -> Links:
    """Return the links before the first tick: zeros."""
    return np.zeros((replicas, 32), dtype=np.uint8)


def next_links(links: Links, bounds: NDArray[np.int64], columns: Mapping[str, Array]) -> Links:
    """Return the links after a tick; rows bounds[i] to bounds[i + 1] belong to the i-th replica."""
    names = sorted(columns)
    arrays = [np.ascontiguousarray(columns[name]) for name in names]
    heads = [f"{name}:{a.dtype.str}".encode() for name, a in zip(names, arrays, strict=True)]
    following = np.empty_like(links)
    for i, link in enumerate(links):
        chain = hashlib.sha256(link.tobytes())
        for head, array in zip(heads, arrays, strict=True):
            chain.update(head)
            chain.update(array[bounds[i] : bounds[i + 1]].tobytes())
        following[i] = np.frombuffer(chain.digest(), dtype=np.uint8)
    return following


def digest_of(replicas: Ints, links: Links) -> str:
    """Return the digest of the run, 64 hexadecimal characters."""
    whole = hashlib.sha256()
    for i in np.argsort(replicas, kind="stable"):
        whole.update(int(replicas[i]).to_bytes(4, "little"))
        whole.update(links[i].tobytes())
    return whole.hexdigest()
