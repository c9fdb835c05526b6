"""Meetings: people who meet two at a time, one meeting after another.

The pairs of a tick are drawn first, by number of the meeting; what comes of a meeting depends on what
both have become in those before. Meetings that share nobody do not care for their order, so they are
held together, in waves; the result is that of a loop over single meetings, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from rehearse.agents.social.rule import Rule, View
from rehearse.agents.ties import Numbers
from rehearse.columns import Rows
from rehearse.contract import Flags
from rehearse.errors import ContractError

Met = dict[str, tuple[Numbers, Numbers | None]]
"""By column, the new values of the one and, where both are changed, of the other."""


class Meeting(Rule):
    """A rule by which a random person meets a random friend, so many times a tick in each society.

    The person is drawn among all, the friend among his or her friends, by how strong the ties are. A
    person without friends, when drawn, meets nobody.
    """

    picks: int | None = Field(default=None, ge=0)
    """Meetings a tick in each society; None: as many as it has people."""

    def pairs(self, view: View) -> tuple[Rows, Rows, Rows]:
        """Return who is drawn, whom they meet, and the place of the tie; in the order of the meetings."""
        count = len(view.people["user"]) // view.societies
        number = np.tile(np.arange(count if self.picks is None else self.picks), view.societies)
        society = np.repeat(np.arange(view.societies), len(number) // max(view.societies, 1))
        replica = np.asarray(view.people["replica"]).take(society * count)
        address = f"social/{view.label}/meet"
        u = view.chance.uniform(address, replica, number, tick=view.tick, count=2)
        one = (u[:, 0] * count).astype(np.int64) + society * count
        other = view.ties.pick(one, u[:, 1])
        met = other >= 0
        return one[met], other[met], number[met]

    def both(self, view: View) -> bool:
        """Tell whether a meeting changes both: where ties are mutual."""
        return view.ties.mutual

    def meet(self, view: View, one: Rows, other: Rows) -> Met:
        """Return what comes of some meetings of people of whom nobody meets twice."""
        del other
        problem = (
            f"the social rule {view.label} held {len(one):,} meetings and does not say what comes of them."
        )
        raise ContractError(problem, f"Give {type(self).__name__} a method `meet`.")


def waves(one: Rows, other: Rows, count: int, *, both: bool) -> Iterator[Rows]:
    """Go over meetings in sets that can be held together when each waits for those before that matter.

    A meeting changes `one`, and `other` too where `both`; else it only hears `other`. It waits for all
    earlier meetings that change somebody whom it hears or changes, or that hear somebody it changes.
    """
    left = np.arange(len(one))
    changed, touched = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    while left.size:
        a, b = one[left], other[left]
        ready = _first(a, b, left, changed, touched, both=both)
        yield left[ready]
        left = left[~ready]


def _first(a: Rows, b: Rows, left: Rows, changed: Rows, touched: Rows, *, both: bool) -> Flags:
    """Mark the meetings before which none that is left matters."""
    for people, first in ((a, changed), (b, changed), (a, touched), (b, touched)):
        first[people] = np.iinfo(np.int64).max
    # Written from the last to the first, the first one stays.
    changed[a[::-1]] = left[::-1]
    if both:
        changed[b] = np.minimum(changed[b], _earliest(b, left, changed))
    touched[a[::-1]] = left[::-1]
    touched[b] = np.minimum(touched[b], _earliest(b, left, touched))
    return np.asarray((touched[a] >= left) & ((touched[b] >= left) if both else (changed[b] >= left)))


def _earliest(people: Rows, left: Rows, like: Rows) -> Rows:
    """Return for each the first meeting left in which that person takes part as the other."""
    first = np.empty_like(like)
    first[people[::-1]] = left[::-1]
    return first[people]
