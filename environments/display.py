"""What is on display: the items that all people of a society face alike, and which of them are out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Flags, Ints, Turn
from rehearse.environments.creators import Creators, Shelves
from rehearse.environments.drift import Levers
from rehearse.environments.scores import IdealFinder
from rehearse.errors import ContractError
from rehearse.exact import Floats, grid_limit


@dataclass(frozen=True, slots=True)
class Face:
    """The items as a society faces them in a tick."""

    table: Floats
    """Their attributes, shape (m, d)."""
    finder: IdealFinder | None
    """Finds the best of them for anybody; None where the numbers are too large for it."""
    known: Floats | None
    """What models may look up, shape (m, c): 0 for items that are not out."""


class Display:
    """The items of every society, tick by tick."""

    def __init__(self, drawn: Floats, looked_up: list[int], creators: Creators | None) -> None:
        """Take what was drawn for items (m, d), and the attributes that models may look up."""
        self._drawn, self._looked_up, self._creators = drawn, looked_up, creators
        makes = creators is not None and creators.count > 0
        self._shelves = Shelves(creators, drawn) if creators is not None and makes else None
        self.open: Flags = np.ones(len(drawn), dtype=np.bool_)
        """Which items can be had, shape (m,)."""
        self._faces: list[Face] = []

    @property
    def apart(self) -> bool:
        """Tell whether societies differ in the items that they face."""
        return self._shelves is not None

    def begin(self, replicas: Ints) -> None:
        """Hear which societies there are."""
        if self._shelves is not None:
            self._shelves.begin(replicas)

    def enter(self, tick: int, levers: Levers) -> None:
        """Show what is out in a tick."""
        if self._shelves is not None:
            self._shelves.publish(tick)
        self._show(tick, levers)

    def face(self, turn: Turn) -> Face:
        """Return what these people face, who must be of one society where societies differ."""
        if self._shelves is None:
            return self._faces[0]
        if len(turn) and turn.replica[0] != turn.replica[-1]:
            problem = "people of several societies, each with creators of its own, were asked together."
            raise ContractError(
                problem, "Ask one society at a time (the engine does where a world is `apart`)."
            )
        return self._faces[self._shelves.society(turn.replica)]

    def note(self, turn: Turn, item: Ints) -> None:
        """Hear what some people, of one society, took."""
        if self._shelves is not None and len(item):
            self._shelves.note(self._shelves.society(turn.replica), item)

    def state(self) -> dict[str, Array]:
        """Return what cannot be told from the tick."""
        return {} if self._shelves is None else self._shelves.state()

    def restore(self, state: Mapping[str, Array], tick: int, levers: Levers) -> None:
        """Go back to a tick."""
        if self._shelves is not None:
            self._shelves.restore(state, tick)
        self._show(tick, levers)

    def _show(self, tick: int, levers: Levers) -> None:
        self.open = levers.open
        if self._creators is not None:
            self.open = levers.open & self._creators.out(tick, len(self._drawn))
        tables = [self._drawn] if self._shelves is None else self._shelves.tables
        before = [face.table for face in self._faces]
        self._faces = []
        for place, drawn in enumerate(tables):
            table = drawn * levers.scale + levers.shift if levers.moved else drawn
            if place < len(before) and np.array_equal(before[place], table):
                table = before[place]  # the very same: what was worked out for it still holds
            self._faces.append(self._face(table))

    def _face(self, table: Floats) -> Face:
        small = np.abs(table).max(initial=0.0) <= grid_limit(table.shape[1])
        known = np.where(self.open[:, None], table[:, self._looked_up], 0.0) if self._looked_up else None
        return Face(table, IdealFinder(table, self.open) if small else None, known)
