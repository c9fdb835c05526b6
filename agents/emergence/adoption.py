"""Who adopted from whom: the trees along which adoption spread, their sizes, depths and shapes.

A record of adoption says when, seldom from whom. `credit` therefore names the source by rule: the
friend who adopted first of those who adopted earlier, the lowest row where several did. Whoever had
no such friend began a cascade. The rule is deterministic and can be checked; it is not what people
would say of themselves. Goel and others (2016) credit the friend who adopted last: `latest=True`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.emergence.mixing import ties_of
from rehearse.columns import Rows
from rehearse.errors import ContractError
from rehearse.exact import Floats

NOBODY = -1
NEVER = -1

Moments = NDArray[np.signedinteger[Any]]
"""For each person when he or she adopted, any count that grows with time, or NEVER; shape (n,)."""


@dataclass(frozen=True, slots=True)
class Cascades:
    """The cascades of a society, a place each, in the order of their first adopters' rows."""

    root: Rows
    """The row of the first adopter, shape (c,)."""
    size: NDArray[np.int64]
    """How many people adopted in it, the first included, shape (c,)."""
    depth: NDArray[np.int64]
    """How many steps the farthest adopter stands from the first, shape (c,)."""
    virality: Floats
    """Structural virality, shape (c,); NaN for a person who was followed by nobody."""


def credit(
    when: Moments, ties: Any, rows: Rows | None = None, *, latest: bool = False, own: Moments | None = None
) -> Rows:
    """Return from whom some rows (all if None) adopted: the friend's row, NOBODY for those who began.

    `when` holds everybody's adoption. Of friends who adopted strictly earlier the one with the
    earliest adoption is credited (the latest if asked), the lowest row among several. `own` holds the
    adoption of those whose ties these are, where they are not everybody.
    """
    ties = ties_of(ties)
    source = np.full(len(ties), NOBODY, dtype=np.int64)
    for part in ties.parts() if rows is None else (rows,):
        owner, friend, _ = ties.around(part)
        mine, theirs = (when if own is None else own).take(part.take(owner)), when.take(friend)
        led = (theirs != NEVER) & (theirs < mine)
        moment = theirs[led].astype(np.int64)
        key = (-moment if latest else moment) * len(when) + friend[led]
        best = np.full(len(part), np.iinfo(np.int64).max)
        np.minimum.at(best, owner[led], key)
        found = best != np.iinfo(np.int64).max
        source[part[found]] = best[found] % len(when)
    return source if rows is None else source.take(rows)


def cascades(source: Rows, adopted: NDArray[np.bool_]) -> Cascades:
    """Return the cascades of people who adopted, given from whom (a row, or NOBODY); both of shape (n,).

    Structural virality is the mean distance over all pairs of people of a cascade (Goel, Anderson,
    Hofman and Watts 2016): 1 for two, near 2 where one person reached all others, and the longer
    the chains the more. An edge that parts s people from the other n − s lies on s · (n − s) of the
    paths, so it is 2 Σ s (n − s) / (n (n − 1)), as Wiener's index of a tree is counted. Raises
    ContractError where sources go round in a circle.
    """
    depth, top = _climbed(source)
    below = _followers(source, depth)
    root = np.flatnonzero(adopted & (source == NOBODY))
    place = np.full(len(source), NOBODY, dtype=np.int64)
    place[root] = np.arange(len(root))
    tree = place[top]
    size = below[root]
    inner = np.flatnonzero(adopted & (source != NOBODY))
    crossed = below[inner] * (size[tree[inner]] - below[inner])
    paths = np.bincount(tree[inner], weights=crossed, minlength=len(root))
    deepest = np.zeros(len(root), dtype=np.int64)
    np.maximum.at(deepest, tree[inner], depth[inner])
    pairs = size.astype(np.float64) * (size - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        virality = np.where(size > 1, 2.0 * paths / pairs, np.nan)
    return Cascades(root, size, deepest, virality)


def _climbed(source: Rows) -> tuple[NDArray[np.int64], Rows]:
    """Return how far each row stands below the first of its tree, and that first row."""
    depth = (source != NOBODY).astype(np.int64)
    above = np.where(source != NOBODY, source, np.arange(len(source)))
    while (farther := depth[above]).any():  # twice as far with every pass
        depth, above = depth + farther, above[above]
        if depth.max() >= len(source):
            problem = "somebody adopted from a person who adopted from them, over some steps."
            raise ContractError(problem, "Give for each person a source that adopted earlier.")
    return depth, above


def _followers(source: Rows, depth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many people stand at or below each row, from the deepest upwards."""
    below = np.ones(len(source), dtype=np.int64)
    order = np.argsort(-depth, kind="stable")
    levels = np.bincount(depth)[:0:-1]
    start = 0
    for count in levels.tolist():
        rows = order[start : start + count]
        np.add.at(below, source[rows], below[rows])
        start += count
    return below
