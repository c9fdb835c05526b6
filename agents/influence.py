"""What passes between friends: averaging, bounded confidence and adoption by threshold.

A kernel works out what some rows move to, given everybody's present values; it changes nothing.
`synchronous` lets all look and then all move; `sequential` lets one after another move, each seeing
what those before have become. `apply` does what a scenario asks for, once, on a population's columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rehearse.agents.ties import Ties, mass_of, mean_of, sum_of
from rehearse.chance import Chance
from rehearse.columns import Columns, Rows
from rehearse.exact import Floats, total
from rehearse.scenario.people import Influence

Move = Callable[[Floats, Rows], Floats]
"""A kernel with its settings: given all values and some rows, the new values of these rows."""


def apply(
    influence: Influence,
    columns: Columns,
    ties: Ties,
    order: Literal["synchronous", "sequential"],
    chance: Chance,
    tick: int,
) -> None:
    """Let friends move one another once, in place.

    Moves column trust, opinion, satisfaction (n,), taste (n, d) or, for adoption, adopted. The
    column susceptibility scales the weight of `degroot` and `bounded`; threshold is each person's
    own for `threshold`, unless the influence states a share. The drawn order of `sequential` is
    addressed by person and tick, so a replica moves the same whatever other replicas there are.
    """
    name = "adopted" if influence.what == "adoption" else influence.what
    values = columns.numbers(name)
    move = _move(influence, columns, ties)
    if order == "synchronous":
        columns[name][...] = synchronous(values, ties, move)
        return
    u = chance.uniform(f"influence/{name}", columns["replica"], columns["user"], tick=tick)[:, 0]
    columns[name][...] = sequential(values, ties, move, np.lexsort((columns["user"], u)))


def degroot(
    values: Floats,
    ties: Ties,
    rows: Rows | None = None,
    *,
    weight: ArrayLike = 1.0,
    own: float = 0.0,
    anchor: Floats | None = None,
) -> Floats:
    """Return where averaging takes some rows (all if None): x' = (1 - w) · a + w · (friends' mean).

    In the mean each friend counts by the tie's strength and the person with strength `own`; `a` is
    the present value (DeGroot 1974), or `anchor`, to which people stay attached (Friedkin and Johnsen
    1990). `weight` is one number or one a row of `values`. Who hears nobody keeps what they have.
    """
    asked = ties.everybody() if rows is None else rows
    mine = values.take(asked, axis=0)
    heard = ties.total(values, asked) + own * mine
    mass = ties.mass(asked) + own
    with np.errstate(invalid="ignore"):
        mean = heard / _beside(mass, mine)
    base = mine if anchor is None else anchor.take(asked, axis=0)
    return _towards(mine, base, mean, _weight_of(weight, asked))


def bounded(
    values: Floats, ties: Ties, rows: Rows | None = None, *, reach: float, weight: ArrayLike = 1.0
) -> Floats:
    """Return where bounded confidence takes some rows (all if None).

    A person moves towards the mean of those whose values lie within `reach` of their own (Euclidean
    distance where values have several components), themselves included: with weight 1 this is the
    model of Hegselmann and Krause (2002) on a graph.
    """
    asked = ties.everybody() if rows is None else rows
    owner, friend, strength = ties.around(asked)
    mine, heard = values.take(asked, axis=0), values.take(friend, axis=0)
    near = _distance(heard, mine.take(owner, axis=0)) <= reach
    strength = None if strength is None else strength[near]
    among = sum_of(owner[near], heard[near], strength, len(asked)) + mine
    mass = mass_of(owner[near], strength, len(asked)) + 1.0
    return _towards(mine, mine, among / _beside(mass, mine), _weight_of(weight, asked))


def adopt(adopted: Floats, ties: Ties, rows: Rows | None = None, *, threshold: ArrayLike = 0.3) -> Floats:
    """Return who of some rows (all if None) has adopted: 1.0 or 0.0.

    A person adopts, for good, once the share of friends who have is at least the threshold, one
    number or one a row (Granovetter 1978). Who has no friends sees a share of 0.
    """
    asked = ties.everybody() if rows is None else rows
    owner, friend, strength = ties.around(asked)
    share = np.nan_to_num(mean_of(owner, adopted.take(friend), strength, len(asked)), nan=0.0)
    needed = np.asarray(threshold)
    needed = needed.take(asked) if needed.ndim else needed
    # Both as float32, as traits are stored: three of ten friends reach a threshold of .3.
    reached = share.astype(np.float32) >= needed.astype(np.float32)
    return np.asarray((adopted.take(asked) > 0.0) | reached, dtype=np.float64)


def synchronous(values: Floats, ties: Ties, move: Move) -> Floats:
    """Return everybody's new values when all look first and then all move."""
    moved = values.copy()
    for rows in ties.parts():
        moved[rows] = move(values, rows)
    return moved


def sequential(values: Floats, ties: Ties, move: Move, order: Rows) -> Floats:
    """Return everybody's new values when people move one after another in the order given.

    Done in waves: whoever has no friend still to move before them moves now. As friends are never in
    one wave, this gives what a loop over single people gives, bit for bit.
    """
    moved = values.copy()
    for rows in waves(ties, order):
        moved[rows] = move(moved, rows)
    return moved


def waves(ties: Ties, order: Rows) -> Iterator[Rows]:
    """Go over all rows in sets that can move together when each waits for earlier friends."""
    both = ties.both_ways()
    turn = np.empty(len(ties), dtype=np.int64)
    turn[order] = np.arange(len(ties))
    owner, friend, _ = both.around(both.everybody())
    waiting = np.bincount(owner[turn[friend] < turn[owner]], minlength=len(ties))
    wave = np.flatnonzero(waiting == 0)
    while wave.size:
        yield wave
        owner, friend, _ = both.around(wave)
        later = friend[turn[friend] > turn[wave[owner]]]
        np.subtract.at(waiting, later, 1)
        wave = np.unique(later[waiting[later] == 0])


def _move(influence: Influence, columns: Columns, ties: Ties) -> Move:
    """Return the kernel that a scenario names, with its settings."""
    if influence.how == "threshold":
        threshold = columns.numbers("threshold") if influence.share is None else influence.share
        return lambda values, rows: adopt(values, ties, rows, threshold=threshold)
    weight = np.minimum(influence.weight * columns.numbers("susceptibility"), 1.0)
    if influence.how == "bounded":
        return lambda values, rows: bounded(values, ties, rows, reach=influence.reach, weight=weight)
    return lambda values, rows: degroot(values, ties, rows, weight=weight)


def _weight_of(weight: ArrayLike, rows: Rows) -> Floats:
    weights = np.asarray(weight, dtype=np.float64)
    return weights.take(rows) if weights.ndim else weights


def _towards(mine: Floats, base: Floats, goal: Floats, weight: Floats) -> Floats:
    """Return (1 - w) · base + w · goal, and one's own value where there is no goal."""
    share = _beside(weight, mine) if weight.ndim else weight
    return np.where(np.isnan(goal), mine, (1.0 - share) * base + share * goal)


def _beside(column: Floats, values: Floats) -> Floats:
    """Return one number a row in a shape that broadcasts against values (n,) or (n, d)."""
    return column if values.ndim == 1 else column[:, None]


def _distance(one: Floats, other: Floats) -> Floats:
    gap = one - other
    return np.abs(gap) if gap.ndim == 1 else np.sqrt(total(gap * gap))
