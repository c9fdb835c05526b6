"""Sets of people as Mesa knows them: row numbers, from which handles are made when asked for.

Mesa's own AgentSet refers weakly to its agents and would forget every handle at once, so each
method that gives a set gives one of these. Whatever names a column is worked out on the column;
a function is called with one handle after the other, as in Mesa. The order, also that of a
shuffle, is the one that Mesa would give.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from itertools import compress
from operator import methodcaller
from random import Random  # noqa: TID251 -- only to name the type: the generator is Mesa's own
from typing import TYPE_CHECKING, Any, Self, overload

import mesa.agent
import numpy as np
from numpy.typing import NDArray

from rehearse.agents.attributes import column, reader, write
from rehearse.agents.order import shuffle
from rehearse.agents.user import User
from rehearse.columns import Columns, Rows
from rehearse.contract import Flags
from rehearse.errors import ContractError

if TYPE_CHECKING:
    from rehearse.agents.model import Rehearsal

try:
    from mesa.agentset import GroupBy as MesaGroupBy
except ImportError:  # Mesa 3.3, the last for Python 3.11
    from mesa.agent import GroupBy as MesaGroupBy

Where = Flags | Callable[[Columns], Flags]
"""Which people: True or False for each row of the population, or a function of its columns."""
Method = str | Callable[..., Any]


class UnknownChoiceError(ContractError, ValueError):
    """An argument that has a few possible values was given another."""


class AgentSet(mesa.agent.AgentSet):
    """An ordered set of people of one rehearsal."""

    model: Rehearsal
    rows: Rows
    random: Random
    _members: Flags | None = None
    """Who is in, over the whole population; made when first asked for."""

    def __init__(
        self, agents: Iterable[User], random: Random | None = None, *, model: Rehearsal | None = None
    ) -> None:
        # Mesa's own __init__ would hold the handles, and hold them weakly.
        handles = list(agents)
        if model is None and not handles:
            problem = "a set of nobody does not say whose people they are not."
            raise ContractError(problem, "Give model=.")
        self.model = model if model is not None else handles[0].model
        self.random = self.model.random if random is None else random
        self._hold(_distinct(np.array([handle.row for handle in handles], dtype=np.int64)))

    @classmethod
    def of(cls, model: Rehearsal, rows: Rows, random: Random | None = None) -> Self:
        """Return the set of the people in these rows, each given once."""
        people = cls.__new__(cls)
        people.model = model
        people.random = model.random if random is None else random
        people._hold(rows)  # noqa: SLF001 -- of this very class
        return people

    def select(
        self,
        filter_func: Callable[[User], bool] | None = None,
        at_most: float = float("inf"),
        inplace: bool = False,  # noqa: FBT001, FBT002 -- Mesa's signature
        agent_type: type[User] | None = None,
        *,
        where: Where | None = None,
    ) -> Self:
        """Return those who fit, at most so many (a float up to 1: that share of the set).

        `where` is quick: a mask over the whole population, or a function that makes one of its columns,
        such as `where=lambda people: people["trust"] < 0.3`. `filter_func` is asked about handles.
        """
        rows = self.rows if where is None else self.rows[self._mask(where).take(self.rows)]
        if agent_type is not None:
            rows = rows[self.model.are(agent_type).take(rows)]
        most = int(len(self) * at_most) if isinstance(at_most, float) and at_most <= 1.0 else at_most
        if filter_func is not None:
            rows = _first_that_fit(self._handles(rows), filter_func, most)
        elif most < len(rows):
            rows = rows[: max(math.ceil(most), 0)]
        return self._as(rows, inplace=inplace)

    def shuffle(self, inplace: bool = False) -> Self:  # noqa: FBT001, FBT002 -- Mesa's signature
        """Return them in a random order."""
        return self._as(self._shuffled(), inplace=inplace)

    def sort(
        self,
        key: Callable[[User], Any] | str,
        ascending: bool = False,  # noqa: FBT001, FBT002 -- Mesa's signature
        inplace: bool = False,  # noqa: FBT001, FBT002 -- Mesa's signature
    ) -> Self:
        """Return them by a column or by what a function says; equals keep their order."""
        if isinstance(key, str) and self._is_plain(key):
            values = self._column(key)
            order = np.argsort(values if ascending else values[::-1], kind="stable")
            rows = self.rows.take(order if ascending else len(order) - 1 - order[::-1])
        else:
            told = reader(key) if isinstance(key, str) else key
            ordered = sorted(self, key=told, reverse=not ascending)
            rows = np.array([user.row for user in ordered], dtype=np.int64)
        return self._as(rows, inplace=inplace)

    def do(self, method: Method, *args: Any, **kwargs: Any) -> Self:
        """Let each do something, in order.

        Where the model has a batch twin of a named method, `batch_<name>(rows, ...)`, that does it at once.
        """
        twin = getattr(self.model, f"batch_{method}", None) if isinstance(method, str) else None
        if twin is None:
            deque(self._calls(self.rows, method, *args, **kwargs), maxlen=0)
        else:
            twin(self.rows[self._alive()], *args, **kwargs)
        return self

    def shuffle_do(self, method: Method, *args: Any, **kwargs: Any) -> Self:
        """Let each do something, one after another in a random order; never by a batch twin."""
        deque(self._calls(self._shuffled(), method, *args, **kwargs), maxlen=0)
        return self

    def map(self, method: Method, *args: Any, **kwargs: Any) -> list[Any]:
        """Return what a method or function gives for each."""
        return list(self._calls(self.rows, method, *args, **kwargs))

    def agg(self, attribute: str, func: Callable[..., Any] | Iterable[Callable[..., Any]]) -> Any:
        """Return what one function, or a list of what each of several, makes of everyone's attribute.

        Functions of numpy get an array (real numbers in double precision), others a list as in Mesa.
        """
        funcs = [func] if callable(func) else list(func)
        quick = self._is_column(attribute) and any(_of_numpy(f) for f in funcs)
        array = self._column(attribute) if quick else None
        listed = None if quick and all(_of_numpy(f) for f in funcs) else self.get(attribute)
        results = [f(array if array is not None and _of_numpy(f) else listed) for f in funcs]
        return results[0] if callable(func) else results

    def get(
        self,
        attr_names: str | list[str],
        handle_missing: str = "error",
        default_value: Any = None,
    ) -> list[Any]:
        """Return everyone's attribute, or a list of several for each; raise AttributeError for a missing one.

        With `handle_missing="default"` a missing one is `default_value`.
        """
        if handle_missing not in {"error", "default"}:
            problem = f"handle_missing is {handle_missing!r}."
            raise UnknownChoiceError(problem, "Say 'error' or 'default'.")
        if not isinstance(attr_names, str):
            columns = [self.get(name, handle_missing, default_value) for name in attr_names]
            return (
                [list(values) for values in zip(*columns, strict=True)]
                if columns
                else [[] for _ in self.rows]
            )
        if self._is_column(attr_names):
            column = self.model.people[attr_names].take(self.rows, axis=0)
            return column.tolist() if column.ndim == 1 else list(column)
        missing = () if handle_missing == "error" else (default_value,)
        return [getattr(user, attr_names, *missing) for user in self]

    def set(self, attr_name: str, value: Any) -> Self:
        """Give everyone the same value, or each their own from an array with one for each."""
        if self._is_column(attr_name):
            write(self.model.people[attr_name], self.rows, value, attr_name)
        else:
            for user in self:
                setattr(user, attr_name, value)
        return self

    def groupby(self, by: Callable[[User], Hashable] | str, result_type: str = "agentset") -> GroupBy:
        """Return the groups by an attribute or by what a function says, in order of appearance."""
        if isinstance(by, str) and self._is_plain(by):
            parts = _parts(self.model.people[by].take(self.rows), self.rows)
        else:
            told = reader(by) if isinstance(by, str) else by
            found: dict[Any, list[int]] = {}
            for user in self:
                found.setdefault(told(user), []).append(user.row)
            parts = {key: np.array(rows, dtype=np.int64) for key, rows in found.items()}
        groups = {key: type(self).of(self.model, rows, self.random) for key, rows in parts.items()}
        return GroupBy(groups if result_type == "agentset" else {k: g.to_list() for k, g in groups.items()})

    def to_list(self) -> list[User]:
        """Return a handle of each."""
        return list(self)

    def copy(self) -> Self:
        """Return the same people as a set of its own."""
        return type(self).of(self.model, self.rows, self.random)

    def add(self, agent: User) -> None:
        """Take somebody in, last."""
        if agent not in self:
            self._hold(np.append(self.rows, agent.row))

    def discard(self, agent: User) -> None:
        """Leave somebody out, if they were in."""
        if agent in self:
            self._hold(self.rows[self.rows != agent.row])

    def remove(self, agent: User) -> None:
        """Leave somebody out; raise KeyError if they were not in."""
        if agent not in self:
            raise KeyError(agent)
        self.discard(agent)

    def pop(self) -> User:
        """Leave out the first, and return them; raise KeyError if there is nobody."""
        if not len(self):
            problem = "pop from an empty AgentSet"
            raise KeyError(problem)
        first = self[0]
        self._hold(self.rows[1:])
        return first

    def clear(self) -> None:
        """Leave out everybody."""
        self._hold(self.rows[:0])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[User]:
        return self._handles(self.rows)

    def __contains__(self, agent: object) -> bool:
        if not isinstance(agent, User) or agent.model is not self.model:
            return False
        if self._members is None:
            members = np.zeros(self.model.people.length, dtype=np.bool_)
            members[self.rows] = True
            self._members = members
        return bool(self._members[agent.row])

    @overload
    def __getitem__(self, item: int) -> User: ...

    @overload
    def __getitem__(self, item: slice) -> list[User]: ...

    def __getitem__(self, item: int | slice) -> User | list[User]:
        if isinstance(item, slice):
            return list(self._handles(self.rows[item]))
        return self.model.handle(int(self.rows[item]))

    def __and__(self, other: AbstractSet[User]) -> Self:
        return self.select(lambda user: user in other)

    def __or__(self, other: Iterable[User]) -> Self:
        rows = np.concatenate([self.rows, [user.row for user in other]]).astype(np.int64)
        return type(self).of(self.model, _distinct(rows), self.random)

    def __sub__(self, other: AbstractSet[User]) -> Self:
        return self.select(lambda user: user not in other)

    def __xor__(self, other: AgentSet) -> Self:
        return (self - other) | (other - self)

    def __ior__(self, other: Iterable[User]) -> Self:
        self._hold((self | other).rows)
        return self

    def __iand__(self, other: AbstractSet[User]) -> Self:
        return self.select(lambda user: user in other, inplace=True)

    def __isub__(self, other: AbstractSet[User]) -> Self:
        return self.select(lambda user: user not in other, inplace=True)

    def __copy__(self) -> Self:
        return self.copy()

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "rows": self.rows, "random": self.random}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.model, self.random = state["model"], state["random"]
        self._hold(state["rows"])

    def __repr__(self) -> str:
        return f"<AgentSet of {len(self):,} people>"

    def _hold(self, rows: Rows) -> None:
        self.rows = rows
        self._members = None

    def _as(self, rows: Rows, *, inplace: bool) -> Self:
        if not inplace:
            return type(self).of(self.model, rows, self.random)
        self._hold(rows)
        return self

    def _handles(self, rows: Rows) -> Iterator[User]:
        return iter(self.model.handles(rows))

    def _calls(self, rows: Rows, method: Method, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Go over what each gives, of those who are still there when it is their turn."""
        alive = map(self.model.cells["alive"].__getitem__, rows.tolist())
        still_there = compress(self._handles(rows), alive)
        if isinstance(method, str):
            return map(methodcaller(method, *args, **kwargs), still_there)
        return map(partial(_called, method, args, kwargs) if args or kwargs else method, still_there)

    def _alive(self) -> Flags:
        return np.asarray(self.model.people["alive"].take(self.rows), dtype=np.bool_)

    def _shuffled(self) -> Rows:
        order = self.rows.tolist()
        shuffle(order, self.random)
        return np.array(order, dtype=np.int64)

    def _is_column(self, name: str) -> bool:
        """Tell whether a name is read from a column: what the handle's class defines comes first."""
        found = (getattr(cls, name, None) for cls in self.model.agent_types)
        return name in self.model.people and all(each is None or each is column(name) for each in found)

    def _is_plain(self, name: str) -> bool:
        return (
            self._is_column(name)
            and self.model.people[name].ndim == 1
            and self.model.people[name].dtype != object
        )

    def _column(self, name: str) -> NDArray[Any]:
        column = self.model.people[name].take(self.rows, axis=0)
        return column.astype(np.float64) if column.dtype.kind == "f" else column

    def _mask(self, where: Where) -> Flags:
        mask = np.asarray(where(self.model.people) if callable(where) else where)
        if mask.dtype != np.bool_ or mask.shape != (self.model.people.length,):
            problem = f"where is {mask.dtype} of shape {mask.shape}, for {self.model.people.length:,} people."
            raise ContractError(problem, "Give True or False for each row of model.people.")
        return mask


class GroupBy(MesaGroupBy):
    """Groups of people, as `AgentSet.groupby` gives them."""

    def agg(self, attr_name: str, func: Callable[..., Any]) -> dict[Any, Any]:
        """Return for each group what a function makes of its people's attribute."""
        return {
            key: group.agg(attr_name, func)
            if isinstance(group, AgentSet)
            else func([getattr(user, attr_name) for user in group])
            for key, group in self.groups.items()
        }


def _first_that_fit(users: Iterator[User], fits: Callable[[User], bool], most: float) -> Rows:
    rows: list[int] = []
    for user in users:
        if len(rows) >= most:
            break
        if fits(user):
            rows.append(user.row)
    return np.array(rows, dtype=np.int64)


def _distinct(rows: Rows) -> Rows:
    """Return each row once, where it first stands."""
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]


def _parts(values: NDArray[Any], rows: Rows) -> dict[Any, Rows]:
    """Return the rows that have each value, values in order of appearance and rows in theirs."""
    # Like the keys of a dict, NaN equals nothing, not even NaN.
    distinct, first, place = np.unique(values, return_index=True, return_inverse=True, equal_nan=False)
    by_value = np.split(rows[np.argsort(place, kind="stable")], np.cumsum(np.bincount(place))[:-1])
    keys = distinct.tolist()
    return {keys[i]: by_value[i] for i in np.argsort(first).tolist()}


def _called(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], user: User) -> Any:
    return method(user, *args, **kwargs)


def _of_numpy(func: Callable[..., Any]) -> bool:
    return (getattr(func, "__module__", None) or "").partition(".")[0] == "numpy"
