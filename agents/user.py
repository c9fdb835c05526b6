"""A person as a Mesa agent: a handle on one row of the population.

The columns are the truth; a handle is two slots (model, row) made when somebody asks for it, and
thrown away as lightly. Reading an attribute reads the column of that name, writing writes it; an
attribute that is no column is an error, never a silent loss. `Rehearsal.declare` adds a column.

What a person does in a turn stands in `rehearse.agents.scalar`, readable line by line; through a
handle it is done to the row. The crowd does the same for everybody at once, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import mesa
import numpy as np

from rehearse.agents import scalar
from rehearse.agents.crowd import CHOOSE
from rehearse.contract import NOTHING, Turn
from rehearse.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from rehearse.agents.model import Rehearsal

SOCIETY = 1_000_000_000
"""Unique ids count people within a society from 0, and societies in steps of this."""

_NEVER_COLUMNS = frozenset({"model", "row"})


class UnknownAttributeError(ContractError, AttributeError):
    """A person was asked for, or given, an attribute that is not a column of the population."""


class Goal(NamedTuple):
    """Something a person wants now."""

    name: str
    strength: float
    """The utility that the wish adds to every item."""
    deadline: int
    """The last tick on which it is pursued."""
    got: float
    """How much was got of what is needed."""


class Memory(NamedTuple):
    """Something that a person took and remembers."""

    item: str
    experience: float
    """How it turned out, 0 to 1; .5 as expected."""
    weight: float
    """How fresh it is: 1 on the day, less with every tick."""


class User(mesa.Agent):
    """One person of a rehearsal, as Mesa knows agents.

    Two handles of the same person are equal. Derive from it to add behaviour, and give the class to
    `Rehearsal(simulation, user_class=...)`; state goes into columns, not into the handle.
    """

    __slots__ = ("model", "row")

    model: Rehearsal
    row: int

    def __init__(self, model: Rehearsal, row: int) -> None:
        # Mesa's own __init__ would register the agent, keep it for ever and number it anew.
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "row", row)

    @classmethod
    def create_agents(cls, model: Rehearsal, n: int, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: who takes part is the scenario's to say."""
        problem = f"{n} more people were asked of {type(model).__name__}, whose people the scenario drew."
        raise ContractError(problem, "Set people.count in the scenario.")

    @property
    def unique_id(self) -> int:
        """Return the person's id, the same in every run: the user id where there is one society."""
        people, row = self.model.people, self.row
        return int(people["replica"][row]) * SOCIETY + int(people["user"][row])

    @property
    def friends(self) -> list[User]:
        """Return those whom this person knows, in the order of their rows."""
        return [type(self)(self.model, row) for row in self.model.friends_of(self.row).tolist()]

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Return what the person wants, the goal pursued first."""
        people, names = self.model.people, self.model.goal_names
        stack = (people[f"goal_{part}"][self.row].tolist() for part in ("kind", *Goal._fields[1:]))
        return tuple(Goal(names[kind], *rest) for kind, *rest in zip(*stack, strict=True) if kind != NOTHING)

    @property
    def memory(self) -> tuple[Memory, ...]:
        """Return what the person remembers having taken, the latest first."""
        people, items = self.model.people, self.model.world.items
        oldest = int(people["memory_next"][self.row])
        ring = (people[f"memory_{part}"][self.row] for part in ("item", "value", "weight"))
        latest_first = (np.roll(part, -oldest)[::-1].tolist() for part in ring)
        return tuple(Memory(items[i], *rest) for i, *rest in zip(*latest_first, strict=True) if i != NOTHING)

    def proposal(
        self, slate: Sequence[int], *, turn: int = 0, latency: float = 0.0, failed: bool = False
    ) -> scalar.Proposal:
        """Return what reaches the person when the model answers with a slate, as the world stands now.

        `slate` holds item ids, best first; `latency` is in simulated milliseconds; `failed`: no answer came.
        """
        offer = self.model.world.offer(self._seat(turn), self.model.people)
        attributes = offer.attributes if offer.attributes.ndim == 2 else offer.attributes[0]
        return scalar.Proposal(
            slate=tuple(slate),
            attributes=np.asarray(attributes, dtype=np.float64).tolist(),
            available=None if offer.available is None else offer.available[0].tolist(),
            latency=latency,
            failed=failed,
            tick=self.model.tick,
        )

    def respond(self, proposal: scalar.Proposal, *, turn: int = 0) -> scalar.Answer:
        """Choose, be pleased or not, lose patience, leave or go on: to the bit what the crowd does."""
        people = self.model.crowd.people
        draws = self._seat(turn).uniform("respond", CHOOSE + len(proposal.slate))[0].tolist()
        person = scalar.Person.of(self.model.people, self.row)
        answer = scalar.respond(person, proposal, people, draws)
        person.save(self.model.people, self.row)
        return answer

    def remember(
        self, proposal: scalar.Proposal, answer: scalar.Answer, experience: float | None = None
    ) -> None:
        """Take in how it turned out, from 0 to 1 with .5 as expected; None where nothing came of it."""
        person = scalar.Person.of(self.model.people, self.row)
        scalar.remember(person, proposal, answer, experience, self.model.crowd.people)
        person.save(self.model.people, self.row)

    def _seat(self, turn: int) -> Turn:
        """Return a turn of the tick that comes next with this person alone at the table."""
        row, people = np.array([self.row], dtype=np.int64), self.model.people
        return Turn(
            rows=row,
            replica=np.asarray(people["replica"].take(row), dtype=np.int32),
            user=np.asarray(people["user"].take(row), dtype=np.int64),
            tick=self.model.tick,
            turn=turn,
            chance=self.model.simulation.chance,
        )

    def __getattr__(self, name: str) -> Any:
        if name in _NEVER_COLUMNS or name[:2] == "__":  # an unfinished copy, or Python asking for a protocol
            raise AttributeError(name)
        people = self.model.people
        if name not in people:
            raise self._unknown(name)
        column = people[name]
        return column.item(self.row) if column.ndim == 1 else column[self.row]

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(getattr(type(self), name, None), "__set__"):
            object.__setattr__(self, name, value)
            return
        people = self.model.people
        if name not in people:
            raise self._unknown(name)
        write(people[name], self.row, value, name)

    def _unknown(self, name: str) -> UnknownAttributeError:
        problem = f"people here have no {name!r}."
        hint = did_you_mean(name, self.model.people)
        return UnknownAttributeError(
            problem, f"{hint} A new attribute is made by model.declare(name, value)."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, User) and self.row == other.row and self.model is other.model

    def __hash__(self) -> int:
        return hash((id(self.model), self.row))

    def __reduce__(self) -> tuple[type[User], tuple[Rehearsal, int]]:
        return type(self), (self.model, self.row)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.unique_id})"


def write(column: np.ndarray[Any, Any], rows: Any, value: Any, name: str) -> None:
    """Write into a column; raise ContractError where numpy would quietly cut the value down."""
    given = np.asarray(value)
    if not np.can_cast(given.dtype, column.dtype, casting="same_kind"):
        problem = f"{name!r} holds values of type {column.dtype}, got {value!r}."
        raise ContractError(problem, "Give a value of that type, or declare another attribute.")
    column[rows] = value
