"""The digest: the same for the same turns however they were cut up, another for any change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rehearse.record.digest import LEAF, digest_of, first_links, leaves_of, next_links


def digest(replica, value):
    """Return the digest of one tick in which row i belongs to replica[i]."""
    order = np.argsort(replica, kind="stable")
    bounds = np.searchsorted(np.sort(replica), np.arange(3))
    bounds = np.append(bounds, len(replica)).astype(np.int64)
    links = next_links(first_links(3), leaves_of(bounds, {"x": value[order]}))
    return digest_of(np.arange(3, dtype=np.int32), links), links


def test_a_replica_keeps_its_link_in_any_company():
    """A replica's chain does not depend on which other replicas are run beside it."""
    values = np.arange(6, dtype=np.float32)
    _, together = digest(np.array([0, 0, 1, 1, 2, 2]), values)
    alone = next_links(first_links(1), leaves_of(np.array([0, 2]), {"x": values[2:4]}))
    assert together[1].tobytes() == alone[0].tobytes()


@given(st.integers(0, 5), st.integers(0, 31))
def test_one_changed_bit_changes_the_digest(row, bit):
    """Flipping any bit of any value changes the digest."""
    replica = np.array([0, 0, 1, 1, 2, 2])
    values = np.arange(6, dtype=np.float32)
    flipped = values.view(np.uint32).copy()
    flipped[row] ^= np.uint32(1 << bit)
    assert digest(replica, values)[0] != digest(replica, flipped.view(np.float32))[0]


def test_column_names_and_types_count():
    """The same bytes under another name or type give another link."""
    bounds = np.array([0, 2])
    base = next_links(first_links(1), leaves_of(bounds, {"x": np.zeros(2, np.float32)}))
    other_name = next_links(first_links(1), leaves_of(bounds, {"y": np.zeros(2, np.float32)}))
    other_type = next_links(first_links(1), leaves_of(bounds, {"x": np.zeros(2, np.int32)}))
    assert len({base.tobytes(), other_name.tobytes(), other_type.tobytes()}) == 3


def test_leaves_worked_out_apart_are_the_same_leaves():
    """Users dealt out in whole leaves have the leaves that they have together."""
    user = np.repeat(np.arange(3 * LEAF, dtype=np.int64), 2)
    values = np.sin(user).astype(np.float32)
    together = leaves_of(np.array([0, len(user)]), {"user": user, "x": values})
    parts = []
    for some in (user < LEAF, user >= LEAF):
        bounds = np.array([0, some.sum()])
        parts.append(leaves_of(bounds, {"user": user[some], "x": values[some]}))
    assert np.concatenate([part.hashes for part in parts]).tobytes() == together.hashes.tobytes()
    assert np.concatenate([part.number for part in parts]).tolist() == together.number.tolist() == [0, 1, 2]


def test_a_column_of_one_value_counts_by_its_value_alone():
    """One value told once for all rows gives the link of the same value in every row."""
    bounds = np.array([0, 5])
    full = leaves_of(bounds, {"x": np.full(5, 2.5, np.float32)})
    told_once = leaves_of(bounds, {"x": np.broadcast_to(np.float32(2.5), 5)})
    other = leaves_of(bounds, {"x": np.full(5, 3.5, np.float32)})
    shorter = leaves_of(np.array([0, 4]), {"x": np.full(4, 2.5, np.float32)})
    assert full.hashes.tobytes() == told_once.hashes.tobytes()
    assert len({leaves.hashes.tobytes() for leaves in (full, other, shorter)}) == 3
