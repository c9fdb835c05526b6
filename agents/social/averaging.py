"""Averaging: people move towards the mean of those they hear."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.social.rule import Moves, Rule, View
from rehearse.agents.ties import Numbers, Ties, beside
from rehearse.errors import ScenarioError
from rehearse.scenario.base import Name, NotNegative, Share

SUSCEPTIBILITY = "susceptibility"
"""The column, where people have it, that scales how far each of them moves."""
OWN = "own_weight"
"""The column, where people have it, that says how much each counts oneself in a mean."""


class DeGroot(Rule):
    """Averaging (DeGroot 1974): x' = (1 − w) · x + w · (mean of friends and oneself).

    In the mean a friend counts by the tie's strength, and oneself by `own` and by the column `own_weight`,
    which the loops of a weighted graph make, so that x' = W x for any matrix of trust W; by 1 where neither
    is given. A tie below 0 is heard as the opposite of what is said (Altafini 2013): x_j as
    2 · mirror − x_j, with the strength |w|. Who hears nobody stays. Sums are made in the column's own type,
    float32 or float64.
    """

    title: ClassVar[str] = "degroot-v1"
    apart: ClassVar[bool] = True
    order: Literal["synchronous", "node-sequential"] = "synchronous"
    column: Name = "opinion"
    """What moves: a column (n,) or (n, d)."""
    weight: Share = 1.0
    """How far people move, times their susceptibility where they have one (at most 1)."""
    own: NotNegative | None = None
    """How much one's own value counts in the mean, where a friend counts 1 (or the tie's strength), besides
    what people have in `own_weight`; None: 0 where they have it, else 1."""
    mirror: float | None = None
    """Where foes' values are mirrored: 0 for opinions from -1 to 1, 0.5 for those from 0 to 1."""

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the one column that is averaged."""
        return (self.column,)

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the same column."""
        return (self.column,)

    def move(self, view: View) -> Moves:
        """Return where averaging takes those shown."""
        mine = as_numbers(view.own(self.column))
        heard = view.ties.total(view.numbers(self.column))
        if view.ties.signed:
            heard += _opposed(view.ties, self.mirror, heard, self.title)
        own = self._own(view)
        if np.any(own):
            heard += _for_each(own, heard) * mine
        mass, weight = view.ties.mass() + own, weight_of(view, self.weight)
        alone = mass == 0.0
        # (1 − w) · x + w · (sum / mass), in as few passes over the values as there can be.
        heard *= beside((weight / np.where(alone, 1.0, mass)).astype(heard.dtype), heard)
        heard += _for_each(1.0 - weight, heard) * self.anchor(view, mine)
        if alone.any():
            heard[alone] = mine[alone]
        return {self.column: heard}

    def anchor(self, view: View, mine: Numbers) -> Numbers:
        """Return what people hold on to as far as they are not moved: their present values."""
        del view
        return mine

    def _own(self, view: View) -> Numbers | float:
        if not view.has(OWN):
            return 1.0 if self.own is None else self.own
        return view.own(OWN).astype(np.float64) + (self.own or 0.0)


class FriedkinJohnsen(DeGroot):
    """Averaging by people attached to where they began (Friedkin and Johnsen 1990).

    x' = (1 − s) · x(0) + s · (mean of friends and oneself); s is weight · susceptibility, and 1 − s is
    stubbornness. x(0) is kept in a column of its own, `<column>_initial`, unless people have one.
    """

    title: ClassVar[str] = "friedkin-johnsen-v1"

    @property
    def initial(self) -> str:
        """Return the column that holds the initial values."""
        return f"{self.column}_initial"

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the column that moves; the initial values are written once."""
        return (self.column,)

    def begin(self, view: View) -> Moves:
        """Keep the values that people begin with."""
        return {} if view.has(self.initial) else {self.initial: view.own(self.column).copy()}

    def anchor(self, view: View, mine: Numbers) -> Numbers:
        """Return the initial values."""
        return view.own(self.initial).astype(mine.dtype, copy=False)


def as_numbers(column: NDArray[np.generic]) -> Numbers:
    """Return a column for arithmetic: float32 and float64 as they are, all else as float64."""
    return column if column.dtype.kind == "f" else column.astype(np.float64)


def weight_of(view: View, weight: float) -> Numbers | float:
    """Return how far each moves, from 0 to 1: the weight, times their susceptibility where they have one."""
    if not view.has(SUSCEPTIBILITY):
        return weight
    return np.clip(weight * view.own(SUSCEPTIBILITY).astype(np.float64), 0.0, 1.0)


def towards(base: Numbers, goal: Numbers, weight: Numbers | float) -> Numbers:
    """Return (1 − w) · base + w · goal, in the type of the goal, which is used up."""
    share = _for_each(weight, goal)
    goal *= share
    goal += (goal.dtype.type(1.0) - share) * base
    return goal


def _for_each(weight: Numbers | float, values: Numbers) -> Numbers:
    """Return one weight, or one a person, as what values of their type can be multiplied with."""
    share = np.asarray(weight, dtype=values.dtype)
    return beside(share, values) if share.ndim else share


def _opposed(ties: Ties, mirror: float | None, heard: Numbers, title: str) -> Numbers:
    """Return what mirroring adds to the sum of foes: 2 · mirror for each unit of their weight."""
    weights = np.asarray(ties.weights, dtype=np.float64)
    if mirror is None:
        problem = f"some ties of {title} are below 0 (the least is {weights.min():g})."
        raise ScenarioError(problem, "Give `mirror`, the value at which what foes say is turned round.")
    foes = Ties(ties.indptr, ties.indices, np.minimum(weights, 0.0)).mass()
    return beside((2.0 * mirror * foes).astype(heard.dtype), heard)
