"""The common shape of social rules: what passes between people who know one another, once a tick.

A rule says in `order` who sees what, and means it:

    synchronous       all look at what was, then all move
    node-sequential   one person after another moves, each seeing what those before have become
    pair-sequential   one meeting of two after another, each seeing what those before have become

A rule of the first two orders has `move`: given everybody's values and the ties of some rows, the new
values of these rows. It must say the same of a person whatever other rows are asked for with them, so
that parts of a society can be worked on apart. A rule of meetings has `meet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from rehearse.agents.ties import Numbers, Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.errors import ContractError, ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.base import Name, Strict

Order = Literal["synchronous", "node-sequential", "pair-sequential"]
Moves = Mapping[str, Array]
"""New values of the rows asked for, by column."""


@dataclass(frozen=True, slots=True)
class View:
    """What a rule is shown: everybody's columns as they stand, and the ties of those who are to move."""

    people: Mapping[str, Array]
    """The columns of the whole population: to be read, never written. At least user and replica."""
    ties: Ties
    """The ties of `rows`: one row for each of them; friends are positions in the whole population."""
    rows: Rows
    """The positions of those who are to move."""
    part: slice | None
    """The same as a slice of the population, where they follow one another."""
    chance: Chance
    tick: int
    label: str
    """What addresses the luck of this rule."""
    societies: int = 1
    """How many independent societies the population holds, one after another, equally large."""
    mine: Mapping[str, Array] = field(default_factory=dict)
    """Columns held only for `rows`, where a shard holds no others."""

    def own(self, name: str) -> NDArray[Any]:
        """Return a column of those who are to move; to be read, not written."""
        if name in self.mine:
            return self.mine[name]
        column = self._column(name)
        return column.take(self.rows, axis=0) if self.part is None else column[self.part]

    def heard(self, name: str) -> NDArray[Any]:
        """Return a column of the whole population."""
        return self._column(name)

    def numbers(self, name: str) -> Numbers:
        """Return a column of the whole population as numbers: float32 and float64 as they are."""
        column = self._column(name)
        return column if column.dtype.kind == "f" else column.astype(np.float64)

    def has(self, name: str) -> bool:
        """Tell whether people have a column."""
        return name in self.mine or name in self.people

    def uniform(self, what: str, count: int = 1) -> Floats:
        """Return draws of those who are to move, addressed by person and tick: (n, count) in (0, 1)."""
        address = f"social/{self.label}/{what}"
        return self.chance.uniform(
            address, self.own("replica"), self.own("user"), tick=self.tick, count=count
        )

    def between(self, what: str, one: Rows, other: Rows) -> Floats:
        """Return a draw for each pair of positions (e,), addressed by pair and tick: in (0, 1)."""
        people, address = self.people, f"social/{self.label}/{what}"
        replica, user = people["replica"].take(one), people["user"]
        return self.chance.between(address, replica, user.take(one), user.take(other), tick=self.tick)

    @classmethod
    def of_everybody(
        cls,
        people: Mapping[str, Array],
        ties: Ties,
        chance: Chance,
        tick: int,
        label: str,
        societies: int = 1,
    ) -> View:
        """Return the view in which everybody is to move."""
        rows = ties.everybody()
        return cls(people, ties, rows, slice(0, len(rows)), chance, tick, label, societies)

    @property
    def society(self) -> Rows:
        """Return the place of the society of each of those who are to move."""
        return np.asarray(self.rows // max(len(self.people["user"]) // self.societies, 1))

    def where(self, some: Rows | slice) -> View:
        """Return the same for some of the rows, given by their positions in `rows`."""
        mine = {name: column[some] for name, column in self.mine.items()}
        part = None
        if isinstance(some, slice) and self.part is not None:
            part = slice(self.part.start + some.start, self.part.start + some.stop)
        return replace(self, rows=self.rows[some], part=part, ties=self.ties.of(some), mine=mine)

    def _column(self, name: str) -> NDArray[Any]:
        if name not in self.people:
            problem = f"the social rule {self.label} needs a column {name!r}, which people here do not have."
            raise ScenarioError(problem, did_you_mean(name, self.people))
        return self.people[name]


class Rule(Strict):
    """What all social rules are: settings, an order, and what follows from them for people.

    Derive from it, or give a function to `rehearse.agents.social.rule`. Settings are checked when a
    rule is made; ScenarioError says which one is wrong.
    """

    title: ClassVar[str] = "rule"
    """The name under which it is registered."""
    apart: ClassVar[bool] = False
    """Whether parts of the people may be asked for side by side, in threads."""
    order: Order = "synchronous"
    """Whether all move at once, one after another, or a pair at a time."""
    layer: Name | None = None
    """The layer of ties that it runs on; None: the only one there is, or `friends`."""

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise _explained(error, type(self)) from None

    @property
    def name(self) -> str:
        """Return what the rule is called."""
        return self.title

    @property
    def hears(self) -> tuple[str, ...]:
        """Return the columns that the rule reads of others than those who move, besides user and replica."""
        return ()

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the columns that the rule writes."""
        return ()

    @property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """Return what the codes 0, 1, … are called in those columns that hold codes."""
        return {}

    def begin(self, view: View) -> Moves:
        """Return the columns that people need for it, as they are before the first tick; all rows at once."""
        del view
        return {}

    def move(self, view: View) -> Moves:
        """Return what those shown move to; they change nothing themselves."""
        problem = f"the social rule {view.label} does not say what people move to."
        raise ContractError(problem, f"Give {type(self).__name__} a method `move`.")

    def at_rest(self, view: View) -> bool:
        """Tell whether nobody will move any more, after a tick in which nobody did: always, but by luck."""
        del view
        return True

    def measures(self, people: Columns, replicas: int) -> dict[str, Floats]:
        """Return what is to be recorded of every tick, each of shape (replicas,)."""
        del people, replicas
        return {}


def per_replica(flags: Array, replicas: int) -> NDArray[np.int64]:
    """Return how many of each society are marked, shape (replicas,); rows are replica-major."""
    counted = np.asarray(flags, dtype=np.bool_).reshape(replicas, -1).sum(axis=1)
    return np.asarray(counted, dtype=np.int64)


def _explained(error: ValidationError, kind: type[Rule]) -> ScenarioError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"])) or "its settings"
    if first["type"] == "extra_forbidden":
        problem = f"the social rule {kind.title} has no setting {name!r}."
        return ScenarioError(problem, did_you_mean(str(first["loc"][-1]), kind.model_fields))
    problem = f"{name} of the social rule {kind.title} is {first['input']!r}: {first['msg']}."
    return ScenarioError(problem, f"Correct {name}.")
