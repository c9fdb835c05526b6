"""Adoption: how something new spreads, for good, from person to person."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.everyone import Everyone
from rehearse.agents.social.epidemic import at_least_once
from rehearse.agents.social.rule import Moves, Rule, View, per_replica
from rehearse.columns import Array, Columns
from rehearse.contract import Flags
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Positive, Share

THRESHOLD = "threshold"


class Adoption(Rule):
    """What rules of adoption share: a column of who has adopted, which only grows."""

    order: Literal["synchronous"] = "synchronous"
    column: Name = "adopted"
    """Who has adopted: truth values, or numbers of which those above 0 have."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the column of who has adopted."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    def begin(self, view: View) -> Moves:
        """Let nobody have adopted, where people have no such column."""
        return {} if view.has(self.column) else {self.column: np.zeros(len(view.rows), dtype=np.bool_)}

    def measures(self, people: Columns, replicas: int) -> dict[str, Floats]:
        """Return how many have adopted, unless it is what the society's share `adopted` tells."""
        if self.column == "adopted":
            return {}
        return {
            self.column: per_replica(np.asarray(people[self.column], np.float64) > 0, replicas).astype(
                np.float64
            )
        }

    def _adopted(self, view: View) -> Flags:
        return np.asarray(view.own(self.column) > 0)

    def _with(self, view: View, new: Flags) -> Array:
        """Return the column of those shown with some more adopters, in its own type."""
        return np.asarray(self._adopted(view) | new, dtype=view.own(self.column).dtype)


class Threshold(Adoption):
    """People adopt once enough friends have (Granovetter 1978; Watts 2002; Kempe et al. 2003).

    Enough: the weighted share of friends (`share`, Watts's fractional threshold), their number
    (`count`), or the sum of the ties' weights (`weight`, the linear threshold) is at least the
    threshold; with `strict` more than it. Foes (ties below 0) do not count. Who has no friends sees 0.
    """

    title: ClassVar[str] = "threshold-v1"
    order: Literal["synchronous", "node-sequential"] = "synchronous"  # type: ignore[assignment]
    of: Literal["share", "count", "weight"] = "share"
    """What is held against the threshold: see above."""
    threshold: NotNegative | None = None
    """One for all; None: each person's own, in the column `threshold`, uniform on 0 to 1 if not given."""
    strict: bool = False
    """Whether it must be passed, not only reached."""

    def begin(self, view: View) -> Moves:
        """Draw thresholds where none are given and people have none."""
        made = dict(super().begin(view))
        if self.threshold is None and not view.has(THRESHOLD):
            made[THRESHOLD] = view.uniform(THRESHOLD)[:, 0]
        return made

    def move(self, view: View) -> Moves:
        """Return who has adopted now."""
        heard = self._heard(view)
        if self.threshold is not None:
            needed: NDArray[Any] = np.asarray(self.threshold)
        else:
            # In the type in which thresholds are kept: three of ten friends reach a threshold of .3.
            needed = view.own(THRESHOLD)
            heard = heard.astype(needed.dtype) if needed.dtype.kind == "f" else heard
        return {self.column: self._with(view, heard > needed if self.strict else heard >= needed)}

    def _heard(self, view: View) -> Floats:
        ties = view.ties.friendly()
        adopters = (view.heard(self.column) > 0).astype(np.float64)
        if self.of == "count":
            return ties.unweighted().total(adopters)
        heard = ties.total(adopters)
        if self.of == "weight":
            return heard
        mass = ties.mass()
        return np.divide(heard, mass, out=np.zeros_like(heard), where=mass > 0.0)


class IndependentCascade(Adoption):
    """Who has just adopted gets one chance to win each friend over (Kempe, Kleinberg and Tardos 2003).

    A tie carries it with chance `probability`, or where that is None with the tie's own weight. Each tie
    has its own draw. Of a directed tie the one who listens is won over. Foes (ties below 0) win nobody.
    Column `<column>_spent` marks those who have had their chance.
    """

    title: ClassVar[str] = "independent-cascade-v1"
    probability: Share | None = 0.1
    """The chance to win a friend over; None: the weight of the tie."""

    @property
    def spent(self) -> str:
        """Return the column of those who have had their chance."""
        return f"{self.column}_spent"

    @property
    def hears(self) -> tuple[str, ...]:
        """Return who has adopted, and who has had their chance."""
        return (self.column, self.spent)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return both columns."""
        return (self.column, self.spent)

    def begin(self, view: View) -> Moves:
        """Let nobody have had their chance."""
        spent = {} if view.has(self.spent) else {self.spent: np.zeros(len(view.rows), dtype=np.bool_)}
        return {**super().begin(view), **spent}

    def move(self, view: View) -> Moves:
        """Return who has adopted now, and who has had their chance."""
        adopted = self._adopted(view)
        fresh = np.asarray((view.heard(self.column) > 0) & ~view.heard(self.spent).astype(np.bool_))
        won = np.zeros(len(view.rows), dtype=np.bool_)
        if fresh.any() and isinstance(view.ties, Everyone) and self.probability is not None:
            # All ties carry it as likely: one draw for all friends together has the same law.
            risk = at_least_once(view.ties.total(fresh.astype(np.float64)), self.probability)
            won = view.uniform("all")[:, 0] < risk
        elif fresh.any():
            open_ = np.flatnonzero(~adopted)
            owner, friend, weights = view.ties.of(open_).around()
            live = fresh[friend]
            owner, friend = owner[live], friend[live]
            u = view.between("tie", view.rows[open_[owner]], friend)
            likely = self._likely(None if weights is None else weights[live])
            won[open_[owner[u < likely]]] = True
        return {
            self.column: self._with(view, won),
            self.spent: adopted | view.own(self.spent).astype(np.bool_),
        }

    def _likely(self, weights: Floats | None) -> Floats | float:
        if self.probability is None:
            return 1.0 if weights is None else weights
        return self.probability if weights is None else np.where(weights > 0.0, self.probability, 0.0)


class Bass(Adoption):
    """Innovation and imitation (Bass 1969): in a tick a person adopts with chance (p + q · share) · dt.

    The share of adopters is that of the whole society (fully mixed, the person included) or of the
    person's friends, by how strong the ties are. `dt` is how much of the unit of p and q a tick is:
    the closed form is that of small ticks.
    """

    title: ClassVar[str] = "bass-v1"
    p: NotNegative = 0.03
    """Innovation, a tick."""
    q: NotNegative = 0.38
    """Imitation, a tick."""
    dt: Positive = 1.0
    """The length of a tick, in the time unit of p and q."""
    among: Literal["everybody", "friends"] = "everybody"
    """Whose share of adopters counts."""

    def move(self, view: View) -> Moves:
        """Return who has adopted now."""
        return {self.column: self._with(view, view.uniform("adopt")[:, 0] < self._likely(view))}

    def at_rest(self, view: View) -> bool:
        """Tell whether nobody who has not adopted can."""
        return not (self._likely(view)[view.own(self.column) <= 0] > 0.0).any()

    def _likely(self, view: View) -> Floats:
        """Return the chance to adopt of those shown."""
        adopters = view.heard(self.column) > 0
        if self.among == "friends":
            share = np.nan_to_num(view.ties.friendly().mean(adopters))
        else:
            size = max(len(adopters) // view.societies, 1)
            share = (per_replica(adopters, view.societies) / size).take(view.society)
        return np.asarray((self.p + self.q * share) * self.dt)
