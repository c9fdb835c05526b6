"""Who is tied to whom: alike with alike, or as chance would have it.

Every measure is a sum over the ties of rows, so that parts of a population add up: `mixing_matrix` of some
rows is counted in whole numbers, and what each row hears from its friends is added in the order of
the rows. A tie that goes both ways counts once from either end, as in Newman (2003), "Mixing
patterns in networks"; how strong it is does not matter in counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rehearse import exact
from rehearse.agents.graph import from_networkx
from rehearse.agents.ties import Ties
from rehearse.columns import Rows
from rehearse.exact import Floats

NONE = -1
"""The group of those who do not count."""

Counts = NDArray[np.int64]
Groups = NDArray[np.signedinteger[Any]]
"""A group for each person, 0 … k − 1, or NONE; shape (n,)."""


def ties_of(graph: Any) -> Ties:
    """Return ties as they are, and a networkx graph frozen: its nodes in the order of `from_networkx`."""
    return graph if isinstance(graph, Ties) else from_networkx(graph)


def assortativity(values: Floats, ties: Any, replicas: int = 1) -> Floats:
    """Return Pearson's correlation, over ties, of what people have with what their friends have.

    Shape (replicas,), between -1 and 1; 0 where friends are no more alike than strangers, NaN where
    all have the same. A mutual tie counts in both directions (Newman 2003, equation 21).
    """
    ties = ties_of(ties)
    heard = np.empty_like(values)
    for rows in ties.parts():
        heard[rows] = ties.total(values, rows)
    degree = ties.degree.astype(np.float64)
    squares = values * values
    if ties.mutual:
        y, yy = degree * values, degree * squares
    else:
        y, yy = heard, ties.total(squares, ties.everybody())
    parts = (degree, degree * values, y, values * heard, degree * squares, yy)
    sums = np.array([exact.total(part.reshape(replicas, -1)) for part in parts])
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xy, xx, yy = sums[1:] / sums[0]
        spread = np.sqrt(np.maximum(xx - x * x, 0.0) * np.maximum(yy - y * y, 0.0))
        correlation = np.where(spread > 1e-12, (xy - x * y) / spread, np.nan)
    return np.clip(correlation, -1.0, 1.0)


def mixing_matrix(
    groups: Groups, ties: Any, *, kinds: int | None = None, replicas: int = 1, rows: Rows | None = None
) -> Counts:
    """Return how many ties lead from group i to group j, shape (replicas, kinds, kinds).

    Only ties of `rows`, all if None: the counts of parts add up to those of the whole. A tie counts
    where both ends have a group.
    """
    ties = ties_of(ties)
    k = int(groups.max(initial=0)) + 1 if kinds is None else kinds
    size = len(groups) // max(replicas, 1)
    counts = np.zeros(replicas * k * k, dtype=np.int64)
    for part in ties.parts() if rows is None else (rows,):
        owner, friend, _ = ties.around(part)
        person = part.take(owner)
        one, other = groups.take(person).astype(np.int64), groups.take(friend)
        cell = (person // size * k + one) * k + other
        counts += np.bincount(cell[(one >= 0) & (other >= 0)], minlength=len(counts))
    return counts.reshape(replicas, k, k)


def within(counts: Counts) -> Floats:
    """Return the share of ties inside groups of counts (…, k, k): the echo; NaN without ties."""
    return _share(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def within_by_chance(counts: Counts) -> Floats:
    """Return what `within` would be if people with as many ties each were tied blindly: Σ a_i · b_i.

    a_i is the share of ties that begin in group i and b_i of those that end there (Newman 2003).
    """
    begin, end = counts.sum(axis=-1), counts.sum(axis=-2)
    whole = counts.sum(axis=(-2, -1)).astype(np.float64)
    return _share((begin * end).sum(axis=-1), whole * whole)


def newman(counts: Counts) -> Floats:
    """Return the assortativity coefficient of groups, shape (…): (within − chance) / (1 − chance).

    1 where all ties stay inside groups, 0 where mixing is by chance, below 0 where unlike seek
    unlike; NaN where chance alone keeps all inside. Newman (2003), equation 2.
    """
    chance = within_by_chance(counts)
    return _share(within(counts) - chance, 1.0 - chance)


def same_group_friends(groups: Groups, ties: Any, replicas: int = 1) -> Floats:
    """Return the mean over people of the share of their friends who are in their own group.

    Shape (replicas,). People without friends, or without a group, do not count, nor do such friends.
    """
    ties = ties_of(ties)
    share = np.zeros(len(groups))
    counted = np.zeros(len(groups), dtype=np.bool_)
    for rows in ties.parts():
        owner, friend, _ = ties.around(rows)
        other = groups.take(friend)
        known = other >= 0
        same = known & (other == groups.take(rows.take(owner)))
        friends = np.bincount(owner[known], minlength=len(rows))
        alike = np.bincount(owner[same], minlength=len(rows))
        share[rows] = alike / np.maximum(friends, 1)
        counted[rows] = (friends > 0) & (groups.take(rows) >= 0)
    many = counted.reshape(replicas, -1).sum(axis=-1)
    return _share(exact.total(np.where(counted, share, 0.0).reshape(replicas, -1)), many)


def dissimilarity(counts: ArrayLike) -> Floats:
    """Return the index of dissimilarity of counts (…, units, groups): people of each group in each unit.

    The share of people who would have to move for all units (neighbourhoods, schools, items) to have
    the mix of the whole, as a part of how many would have to if groups lived apart: 0 even, 1 apart.
    D = Σ_u t_u Σ_g |p_ug − p_g| / (2 T Σ_g p_g (1 − p_g)) (Sakoda 1981), which for two groups is
    ½ Σ_u |a_u / A − b_u / B| (Duncan and Duncan 1955). NaN where there is one group only. Few
    people a unit raise it by chance alone.
    """
    n = np.asarray(counts, dtype=np.float64)
    units, whole = n.sum(axis=-1, keepdims=True), n.sum(axis=(-2, -1), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mix = n.sum(axis=-2, keepdims=True) / whole
        moved = np.abs(n - units * mix).sum(axis=(-2, -1))
        most = 2.0 * whole[..., 0, 0] * (mix * (1.0 - mix)).sum(axis=(-2, -1))
    return _share(moved, most)


def _share(part: ArrayLike, whole: ArrayLike) -> Floats:
    of = np.asarray(whole, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(of > 0.0, np.asarray(part, dtype=np.float64) / of, np.nan)
