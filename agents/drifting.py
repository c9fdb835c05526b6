"""People who change by a schedule: their tastes, their traits, and how many of each kind come.

Paths of a drift, `among` naming a group or a segment (everybody where it is left out):

    people.tastes.ATTRIBUTE    the weight of an attribute in utility; `*` for all
    people.traits.TRAIT        a trait that does not change by itself, as the model sees it too
    people.visits              times the chance to come in a tick, 1 to begin with: the mix of who comes

What people live through changes tastes too. So what a schedule adds is kept beside each column and taken
out before it is reckoned anew:

    own = value − drift,   drift ← own · (times − 1) + add,   value ← own + drift

A change of tastes towards a direction t by a share s is `times: 1 − s` and `add: s · t`. Groups and
segments stay what they were at the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rehearse.agents.blocks import chunks
from rehearse.agents.wrapped import Wrapped, innermost
from rehearse.columns import Columns, Rows
from rehearse.contract import Flags, Users
from rehearse.errors import ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.drift import EVERY, differ, factors, in_order, sentences
from rehearse.scenario.model import Drift

TASTES, TRAITS, VISITS = "people.tastes.", "people.traits.", "people.visits"
COMES = "visits"
"""The column that the chance to come is multiplied by."""
ASIDE = "drift."
"""How the name of a column begins that holds what a schedule has added to another."""


@dataclass(frozen=True, slots=True)
class _Target:
    """Which numbers of whom a path points at."""

    column: str
    places: slice
    """Of a column with several numbers a person."""
    who: tuple[str, int] | None
    """A column of codes, and the code; None: everybody."""

    def whom(self, people: Columns, piece: slice) -> Flags | slice:
        """Return which of some people are meant."""
        if self.who is None:
            return slice(None)
        column, code = self.who
        mask: Flags = people[column][piece] == code
        return mask


class Drifting(Wrapped):
    """People whom a schedule changes at the start of a tick (`contract.Users`)."""

    def __init__(
        self,
        inner: Users,
        drifts: Iterable[Drift],
        attributes: Sequence[str],
        segments: Sequence[str],
        since: int = 0,
    ) -> None:
        """Resolve the paths; raises ScenarioError for one that these people do not have.

        `attributes` are those that people have tastes over; `segments` the names of the codes in column
        `segment`. What an earlier schedule added is reckoned anew at tick `since`.
        """
        super().__init__(inner)
        self._since = since
        self._drifts = in_order(drifts)
        known = {TASTES + name: ("taste", slice(i, i + 1)) for i, name in enumerate(attributes)}
        if attributes:
            known[TASTES + EVERY] = ("taste", slice(None))
        for name in getattr(innermost(inner), "may_drift", ()):
            known[VISITS if name == COMES else TRAITS + name] = (name, slice(None))
        kinds = {"group": inner.groups, "segment": segments}
        self._targets = [_Target(*_known(d.what, known), _who(d.among, kinds)) for d in self._drifts]
        self._make_room()

    def drift(self, tick: int) -> list[str]:
        """Say each change that begins, is complete or ends with this tick; `open` makes it."""
        return super().drift(tick) + sentences(self._drifts, tick)

    def open(self, tick: int) -> Rows:
        """Let people change, and return who opens a session."""
        if tick == self._since or differ(self._drifts, tick - 1, tick):
            self._move(tick)
        return super().open(tick)

    def _make_room(self) -> None:
        people = self.columns
        for name in dict.fromkeys(target.column for target in self._targets):
            if name not in people:
                people[name] = np.ones(people.length, dtype=np.float32)
            if ASIDE + name not in people:
                people[ASIDE + name] = np.zeros(people[name].shape, dtype=np.float32)

    def _move(self, tick: int) -> None:
        people = self.columns
        for name in [aside.removeprefix(ASIDE) for aside in people if aside.startswith(ASIDE)]:
            for piece in chunks(people.length):
                value, drift = people[name][piece], people[ASIDE + name][piece]
                own = value.astype(np.float64) - drift.astype(np.float64)
                scale, shift = self._levers(name, tick, piece, own)
                drift[:] = own * (scale - 1.0) + shift
                value[:] = own + drift.astype(np.float64)

    def _levers(self, column: str, tick: int, piece: slice, own: Floats) -> tuple[Floats, Floats]:
        """Return what becomes of some people's numbers: own · first + second, each of the shape of `own`."""
        scale, shift = np.ones(own.shape), np.zeros(own.shape)
        for drift, target in zip(self._drifts, self._targets, strict=True):
            times, add = factors(drift, tick)
            if target.column == column and (times, add) != (1.0, 0.0):
                who = target.whom(self.columns, piece)
                where = (who, target.places) if own.ndim > 1 else who
                scale[where] *= times
                shift[where] = shift[where] * times + add
        return scale, shift


def _known(path: str, known: dict[str, tuple[str, slice]]) -> tuple[str, slice]:
    if path not in known:
        problem = f"drift: people have no {path!r} that a schedule could change."
        remedy = did_you_mean(path, known) if known else "Leave the drift out: nothing of these people can."
        raise ScenarioError(problem, remedy)
    return known[path]


def _who(among: str | None, kinds: dict[str, Sequence[str]]) -> tuple[str, int] | None:
    if among is None:
        return None
    for column, names in kinds.items():
        if among in names:
            return column, names.index(among)
    problem = f"drift: among names {among!r}, and there is no such group or segment."
    raise ScenarioError(problem, did_you_mean(among, {name for names in kinds.values() for name in names}))
