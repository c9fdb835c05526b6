"""A person as a Mesa agent: a handle on one row of the population.

The columns are the truth; a handle is two slots (model, row) made when somebody asks for it. Reading
an attribute reads the column of that name, writing writes it; an attribute that is no column is an
error, never a silent loss. What a class of people annotates (`wealth: int = 1`) is a column of theirs;
`Rehearsal.declare` adds another.

What a person does in a turn stands in `rehearse.agents.scalar`, readable line by line; through a
handle it is done to the row. The crowd does the same for everybody at once, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import mesa
import numpy as np

from rehearse.agents import scalar
from rehearse.agents.attributes import Attribute, column, declared_in, write
from rehearse.agents.crowd import CHOOSE
from rehearse.agents.laws import single
from rehearse.agents.luck import Luck
from rehearse.contract import NOTHING, Turn
from rehearse.errors import ContractError, did_you_mean

if TYPE_CHECKING:
    from rehearse.agents.agentset import AgentSet
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

    Two handles of the same person are equal. Derive from it to add attributes and behaviour:

        class Person(User):
            wealth: int = 1

            def step(self) -> None:
                self.wealth += 1

    In a model without a scenario people join as agents do in Mesa: `Person(model)`, or
    `Person.create_agents(model, 100)`. For the people of a scenario give the class to
    `Rehearsal(simulation, user_class=Person)`. State goes into columns, not into the handle.
    """

    __slots__ = ("model", "row")

    model: Rehearsal
    row: int
    attributes: ClassVar[Mapping[str, Attribute]] = {}
    """What the class and those it derives from annotate: the columns that its people have."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = declared_in(cls)
        cls.attributes = {**cls.attributes, **own}
        for name in own:
            setattr(cls, name, column(name))
        if any(hasattr(type(value), "__set__") for name, value in vars(cls).items() if name not in own):
            cls.__setattr__ = _set_by_class_first  # type: ignore[method-assign, assignment]

    def __init__(self, model: Rehearsal, **attributes: Any) -> None:
        """Join a model, with these attributes; raises ContractError where a scenario drew the people."""
        _set_model(self, model)
        model.register_agent(self)
        for name, value in attributes.items():
            setattr(self, name, value)

    @classmethod
    def at(cls, model: Rehearsal, row: int) -> Self:
        """Return the handle of the person in a row."""
        user = _new(cls)
        _set_model(user, model)
        _set_row(user, row)
        return user

    @classmethod
    def create_agents(cls, model: Rehearsal, n: int, *args: Any, **kwargs: Any) -> AgentSet:
        """Let n people join; a list, tuple or array of n values gives each their own, as in Mesa."""
        model.make_room(n)
        places = [_spread(value, n) for value in args]
        names = {name: _spread(value, n) for name, value in kwargs.items()}
        rows = [
            cls(model, *map(next, places), **{name: next(values) for name, values in names.items()}).row
            for _ in range(n)
        ]
        return model.people_in(np.array(rows, dtype=np.int64))

    @property
    def unique_id(self) -> int:
        """Return the person's id, the same in every run: the user id where there is one society."""
        people, row = self.model.people, self.row
        return int(people["replica"][row]) * SOCIETY + int(people["user"][row])

    @property
    def friends(self) -> list[User]:
        """Return those whom this person knows, in the order of their rows."""
        return self.model.handles(self.model.friends_of(self.row))

    @property
    def neighbours(self) -> AgentSet:
        """Return the friends as a set, as in `self.neighbours.agg("opinion", max)`."""
        return self.model.people_in(self.model.friends_of(self.row))

    def chance(self, purpose: str) -> Luck:
        """Return this person's luck in something in this tick, with the methods of `random.Random`.

        It depends on the seed, the purpose, the person and the tick alone: not on who acted before, nor
        on other societies. The same purpose gives the same numbers again until the tick is over.
        """
        people, row, model = self.model.people, self.row, self.model
        return Luck(
            model.simulation.chance.seed,
            purpose,
            int(people["replica"][row]),
            int(people["user"][row]),
            model.tick,
        )

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
            beside=None if offer.beside is None else offer.beside[0].tolist(),
            latency=latency,
            failed=failed,
            tick=self.model.tick,
        )

    def respond(self, proposal: scalar.Proposal, *, turn: int = 0) -> scalar.Answer:
        """Choose, be pleased or not, lose patience, leave or go on: to the bit what the crowd does."""
        people = self.model.crowd.people
        if people.manners:
            problem = "people.manners: a person by himself or herself is always sincere."
            raise ContractError(problem, "Ask the crowd (`model.step()`), or leave manners out.")
        if people.laws is not None:
            return single.respond(self.model.crowd, self._seat(turn), proposal)
        draws = self._seat(turn).uniform("respond", CHOOSE + len(proposal.slate))[0].tolist()
        person = scalar.Person.of(self.model.people, self.row)
        answer = scalar.respond(person, proposal, people, draws)
        person.save(self.model.people, self.row)
        return answer

    def remember(
        self,
        proposal: scalar.Proposal,
        answer: scalar.Answer,
        experience: float | None = None,
        *,
        turn: int = 0,
        reward: float = 0.0,
    ) -> None:
        """Take in how it turned out, from 0 to 1 with .5 as expected; None where nothing came of it.

        The turn and its reward matter to people who live by laws (`people.laws`) alone.
        """
        crowd = self.model.crowd
        if crowd.people.laws is not None:
            single.remember(crowd, self._seat(turn), proposal, answer, experience, reward)
            return
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
        # Only asked for what the class lacks: a column is put there, and is found by itself from then on.
        if name in _NEVER_COLUMNS or name[:2] == "__":  # an unfinished copy, or Python asking for a protocol
            raise AttributeError(name)
        if name not in self.model.people:
            raise self._unknown(name)
        cls = type(self)
        if not hasattr(cls, name):
            setattr(cls, name, column(name))
        return self.model.cells[name][self.row]

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            self.model.cells[name][self.row] = value
        except (KeyError, TypeError, ValueError):
            _set_by_class_first(self, name, value)

    def _unknown(self, name: str) -> UnknownAttributeError:
        problem = f"people here have no {name!r}."
        hint = did_you_mean(name, self.model.people)
        return UnknownAttributeError(
            problem,
            f"{hint} A new attribute is annotated in the class, or made by model.declare(name, value).",
        )

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, User) and self.row == other.row and self.model is other.model
        )

    def __hash__(self) -> int:
        return hash((id(self.model), self.row))

    def __copy__(self) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., User], tuple[Rehearsal, int]]:
        return type(self).at, (self.model, self.row)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.unique_id})"


_new = object.__new__
_set_model = User.__dict__["model"].__set__
_set_row = User.__dict__["row"].__set__


def seat(user: User, row: int) -> None:
    """Give a person who joins their row."""
    _set_row(user, row)


def _set_by_class_first(user: User, name: str, value: Any) -> None:
    """Write an attribute: by what the class defines for it, else into the column."""
    defined = getattr(type(user), name, None)
    if hasattr(defined, "__set__") and defined is not column(name):
        object.__setattr__(user, name, value)
        return
    people = user.model.people
    if name not in people:
        raise user._unknown(name)  # noqa: SLF001 -- of this very class
    write(people[name], user.row, value, name)


def _spread(value: Any, n: int) -> Iterator[Any]:
    own = (
        hasattr(value, "__len__")
        and hasattr(value, "__iter__")
        and not isinstance(value, str | Mapping | set)
    )
    return iter(value) if own and len(value) == n else repeat(value)
