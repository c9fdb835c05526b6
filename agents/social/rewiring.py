"""Ties that break and form: people swap a dissimilar friend for a similar one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from rehearse.agents.everyone import Everyone
from rehearse.agents.social.rule import Moves, Rule, View
from rehearse.agents.ties import Ties, freeze
from rehearse.columns import Rows
from rehearse.contract import Flags
from rehearse.errors import ScenarioError
from rehearse.exact import Floats, total
from rehearse.scenario.base import Name, NotNegative, Share


class Rewiring(Rule):
    """Homophily (Holme and Newman 2006; Kozma and Barrat 2008): ties between the unlike move to the like.

    In a tick each tie is looked at with chance `rate`. If its ends lie further apart than `tolerance` in
    `column` (Euclidean where it has several components), one of them, drawn, gives it up for somebody
    of the same society within tolerance, drawn among all or among friends of friends, whom he or she
    does not know; after `tries` draws in vain the tie stays. All look at once at the ties that were;
    the number of ties and their weights stay. A directed tie is given up by the one who listens.
    """

    title: ClassVar[str] = "rewiring-v1"
    order: Literal["synchronous"] = "synchronous"
    column: Name = "opinion"
    """The column by which people are alike."""
    tolerance: NotNegative = 0.2
    """The largest distance at which two are alike."""
    rate: Share = 0.1
    """The share of ties that are looked at in a tick."""
    tries: int = Field(default=10, ge=1, le=100)
    """Draws of somebody new before the tie stays."""
    among: Literal["everybody", "friends_of_friends"] = "everybody"
    """From whom somebody new is drawn."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the column by which people are alike."""
        return (self.column,)

    def move(self, view: View) -> Moves:
        """Return nothing: it is the ties that change."""
        del view
        return {}

    def rewire(self, view: View) -> Ties:
        """Return the ties after a tick; `view` shows everybody."""
        if isinstance(view.ties, Everyone):
            problem = f"{self.name} runs on a complete graph, in which there is nobody new to know."
            raise ScenarioError(problem, "Choose another graph.")
        one, other, weights = _each_once(view.ties)
        alive = np.asarray(view.people["alive"], dtype=np.bool_) if "alive" in view.people else None
        looked = view.between("look", one, other) < self.rate
        looked &= self._apart(view, one, other) > self.tolerance
        if alive is not None:
            looked &= alive[one] & alive[other]
        place = np.flatnonzero(looked)
        keeper, left = self._keepers(view, one[place], other[place])
        found = self._search(view, keeper, left, alive)
        ok = _fresh(view.ties, keeper, found)
        one[place[ok]], other[place[ok]] = keeper[ok], found[ok]
        return freeze(len(view.ties), one, other, weights, directed=not view.ties.mutual)

    def _apart(self, view: View, one: Rows, other: Rows) -> Floats:
        values = view.numbers(self.column)
        gap = values.take(one, axis=0).astype(np.float64) - values.take(other, axis=0)
        return np.abs(gap) if gap.ndim == 1 else np.sqrt(total(gap * gap))

    def _keepers(self, view: View, one: Rows, other: Rows) -> tuple[Rows, Rows]:
        """Return who goes on from each tie, and whom they leave."""
        if not view.ties.mutual:
            return one, other
        first = view.between("end", one, other) < 0.5
        return np.where(first, one, other), np.where(first, other, one)

    def _search(self, view: View, keeper: Rows, left: Rows, alive: Flags | None) -> Rows:
        """Return the new friend of each who gives up a tie; -1 where none was found."""
        size = len(view.ties) // view.societies
        found = np.full(len(keeper), -1, dtype=np.int64)
        for nth in range(self.tries):
            open_ = np.flatnonzero(found < 0)
            who, u = keeper[open_], view.between(f"try/{nth}", keeper[open_], left[open_])
            if self.among == "everybody":
                whom = (u * size).astype(np.int64) + who // size * size
            else:
                middle = view.ties.pick(who, u)
                v = view.between(f"friend/{nth}", who, left[open_])
                whom = np.where(middle >= 0, view.ties.pick(np.maximum(middle, 0), v), -1)
            fits = (whom >= 0) & (whom != who) & (self._apart(view, who, whom) <= self.tolerance)
            fits &= ~_tied(view.ties, who, whom)
            if alive is not None:
                fits &= alive[whom]
            found[open_[fits]] = whom[fits]
        return found


def _each_once(ties: Ties) -> tuple[Rows, Rows, Floats | None]:
    """Return ties as pairs: mutual ones once, with the lower row first."""
    owner, friend, weights = ties.around()
    kept = owner < friend if ties.mutual else np.ones(len(owner), dtype=np.bool_)
    return owner[kept], friend[kept], None if weights is None else weights[kept]


def _keys(ties: Ties, one: Rows, other: Rows) -> Rows:
    """Return a number for each pair; mutual ties have the same both ways."""
    low, high = (np.minimum(one, other), np.maximum(one, other)) if ties.mutual else (one, other)
    return low * len(ties) + high


def _tied(ties: Ties, one: Rows, other: Rows) -> Flags:
    """Tell which pairs are tied already."""
    owner, friend, _ = ties.around()
    known = owner * len(ties) + friend  # ascending
    asked = one * len(ties) + other
    at = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
    return np.asarray(known[at] == asked) if len(known) else np.zeros(len(asked), dtype=np.bool_)


def _fresh(ties: Ties, keeper: Rows, found: Rows) -> Flags:
    """Tell which new ties to make: of two that are the same, the first."""
    ok = found >= 0
    keys = np.where(ok, _keys(ties, keeper, found), -1 - np.arange(len(found)))
    first = np.zeros(len(found), dtype=np.bool_)
    first[np.unique(keys, return_index=True)[1]] = True
    return np.asarray(ok & first)
