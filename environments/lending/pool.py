"""Applicants drawn from a pool of scores that what happens to borrowers moves.

After each turn every seat at the window is taken by somebody new: a group by its share, a score by the
pool W_g of that group. With one seat a society this is the loop of ml-fairness-gym
(`environments/lending.py`): a loan moves min(shift, W_g[c]) from the borrower's score c one score up if
it is repaid, one down if not, and nowhere beyond the ends. With several seats, those of a turn are drawn
from the same pool, and their loans move it one after another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Codes, Flags, Ints, Singles
from rehearse.environments.lending.seats import seats_of
from rehearse.environments.lending.settings import Pool
from rehearse.exact import Floats


class Applicants:
    """The pool of each society and group."""

    def __init__(self, law: Pool) -> None:
        """Take the law; `begin` says how many societies there are."""
        self._law = law
        self._scores = np.array(law.scores)
        start = np.array(list(law.shares.values()))
        self._start: Floats = start / start.sum(axis=1, keepdims=True)
        groups = np.array(law.groups or [1.0] * len(start))
        self._groups = np.cumsum(groups / groups.sum())
        self._pool: Floats = np.zeros((0, *start.shape))

    def begin(self, societies: int) -> None:
        """Fill each society's pool."""
        self._pool = np.repeat(self._start[None], societies, axis=0)

    def move(self, society: Ints, group: Array, score: Floats, up: Flags, down: Flags) -> None:
        """Move each borrower's share of the pool, one borrower of a society after another."""
        lent = np.flatnonzero(up | down)
        seats = seats_of(society[lent])
        place = np.abs(score[lent, None] - self._scores).argmin(axis=1)
        step = np.where(up[lent], 1, -1)
        target = place + step
        inside = (target >= 0) & (target < len(self._scores))
        group = np.asarray(group, np.int64)[lent]
        for seat in range(int(seats.max(initial=-1)) + 1):
            now = np.flatnonzero((seats == seat) & inside)
            where = society[lent][now], group[now]
            part = np.minimum(self._law.shift, self._pool[(*where, place[now])])
            self._pool[(*where, place[now])] -= part
            self._pool[(*where, target[now])] += part

    def next(self, society: Ints, uniform: Floats) -> tuple[Singles, Codes]:
        """Return the score and group of those who come next, from two uniform draws each."""
        group = np.minimum(np.searchsorted(self._groups, uniform[:, 0], side="right"), len(self._groups) - 1)
        reached = np.cumsum(self._pool, axis=2)[society, group]
        place = (reached <= uniform[:, 1, None] * reached[:, -1:]).sum(axis=1)
        score = self._scores.take(np.minimum(place, len(self._scores) - 1))
        return score.astype(np.float32), group.astype(np.int8)

    def state(self) -> dict[str, Array]:
        """Return the pools, shape (societies, groups, scores)."""
        return {"pool": self._pool.copy()} if len(self._pool) else {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        if "pool" in state:
            self._pool = np.array(state["pool"], dtype=np.float64)
