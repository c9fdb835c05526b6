"""The attributes of people written in Python: annotations of their class that become columns.

class Person(User):
    wealth: int = 1            # int64; bool, float and numpy's numbers alike
    home: str = ""             # anything else is kept as the object that it is
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array
from rehearse.errors import ContractError

if TYPE_CHECKING:
    from rehearse.agents.user import User

KINDS: dict[Any, type] = {"bool": np.bool_, "int": np.int64, "float": np.float64}


class Attribute(NamedTuple):
    """What a class says of one of its people's attributes."""

    kind: np.dtype[Any]
    default: Any

    def fill(self, length: int) -> Array:
        """Return a column of defaults; each row has a list or dict of its own."""
        if self.kind != np.object_:
            return np.full(length, self.default, dtype=self.kind)
        values = np.empty(length, dtype=np.object_)
        values[:] = [copy.copy(self.default) for _ in range(length)]
        return values


def declared_in(cls: type) -> dict[str, Attribute]:
    """Return what a class annotates itself, and take the defaults off the class."""
    found = {}
    for name, note in inspect.get_annotations(cls).items():
        if "ClassVar" in str(note):
            continue
        kind = _kind(note)
        default = vars(cls).get(name, None if kind == np.object_ else kind.type(0).item())
        if name in vars(cls):
            delattr(cls, name)
        found[name] = Attribute(kind, default)
    return found


@cache
def column(name: str) -> property:
    """Return what reads a column of this name through a handle; one for all classes."""

    def read(user: User) -> Any:
        try:
            return user.model.cells[name][user.row]
        except KeyError:
            raise AttributeError(name) from None

    return property(read)


def write(values: NDArray[Any], rows: Any, value: Any, name: str) -> None:
    """Write into a column; raise ContractError where numpy would quietly cut the value down."""
    if values.dtype == np.object_:
        values[rows] = value
        return
    given = np.asarray(value)
    fits = np.can_cast(given.dtype, values.dtype, casting="same_kind")
    if fits:
        try:
            values[rows] = value
        except OverflowError:
            fits = False
    if not fits:
        problem = f"{name!r} holds values of type {values.dtype}, got {value!r}."
        raise ContractError(problem, "Give a value of that type, or declare another attribute.")


def reader(name: str) -> Callable[[User], Any]:
    """Return a function that gives an attribute of a person."""
    return lambda user: getattr(user, name)


def _kind(note: Any) -> np.dtype[Any]:
    if isinstance(note, type) and issubclass(note, np.generic):
        return np.dtype(note)
    name = note if isinstance(note, str) else getattr(note, "__name__", "")
    return np.dtype(KINDS.get(name, np.object_))
