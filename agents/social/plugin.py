"""Rules of your own: one function on columns and ties, or on one person and his or her friends.

    def conform(view, pull=0.1):                 # columns: synchronous unless `rule` says otherwise
        mean = view.ties.mean(view.heard("mood"))
        return {"mood": view.own("mood") + pull * (mean - view.own("mood"))}

    def cheer_up(user, friends):                 # one person after another: slow, and sequential
        if any(friend.mood > 0.8 for friend in friends):
            user.mood += 0.1

Parameters with defaults are settings. `rule` says more: which columns people need, and the order.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import PrivateAttr

from rehearse.agents.social.rule import Moves, Order, Rule, View
from rehearse.agents.ties import Ties
from rehearse.columns import Array, Columns, Rows
from rehearse.errors import RehearseError, UserError, did_you_mean

if TYPE_CHECKING:
    from rehearse.agents.user import User

Function = TypeVar("Function", bound=Callable[..., Any])
MARK = "__rehearse_rule__"
PERSON = frozenset({"user", "person"})
FORMS = "Write `def rule(view)` for columns, or `def rule(user, friends)` for one person at a time."


@dataclass(frozen=True, slots=True)
class Declared:
    """What the decorator says of a function."""

    order: Order | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    hears: tuple[str, ...] = ()
    shuffled: bool = True


def rule(
    *,
    order: Order | None = None,
    columns: Mapping[str, Any] | None = None,
    hears: tuple[str, ...] = (),
    shuffled: bool = True,
) -> Callable[[Function], Function]:
    """Say more about a function that is a social rule; use as a decorator.

    `columns` gives people columns that they lack, with the values they begin with (a number or an
    array); `hears` names the columns read of others than those who move (needed where a society is cut
    into shards). A rule of one person at a time goes through people in a drawn order, or in that of the
    rows where `shuffled` is False.
    """

    def mark(function: Function) -> Function:
        setattr(function, MARK, Declared(order, dict(columns or {}), hears, shuffled))
        return function

    return mark


class FunctionRule(Rule):
    """A function on columns as a rule."""

    _function: Callable[..., Any] = PrivateAttr()
    _declared: Declared = PrivateAttr()
    _settings: dict[str, Any] = PrivateAttr()

    def __init__(self, function: Callable[..., Any], settings: Mapping[str, Any], layer: str | None) -> None:
        said = getattr(function, MARK, Declared())
        order = said.order or ("synchronous" if type(self) is FunctionRule else "node-sequential")
        super().__init__(order=order, layer=layer)
        self._function, self._declared, self._settings = function, said, dict(settings)
        _check(function, settings, self.name)
        wrong = {"pair-sequential"} | ({"synchronous"} if type(self) is PersonRule else set())
        if order in wrong:
            problem = f"the social rule {self.name} cannot be {order}."
            raise UserError(problem, "Derive from rehearse.agents.social.Meeting for meetings of two.")

    @property
    def name(self) -> str:
        """Return what the function is called."""
        return str(getattr(self._function, "__name__", type(self._function).__name__))

    @property
    def hears(self) -> tuple[str, ...]:
        """Return what the decorator says."""
        return self._declared.hears

    @property
    def moves(self) -> tuple[str, ...]:
        """Return the columns that the decorator gives people."""
        return tuple(self._declared.columns)

    def begin(self, view: View) -> Moves:
        """Give people the columns that they lack."""
        lacking = {name: v for name, v in self._declared.columns.items() if not view.has(name)}
        return {name: np.array(np.broadcast_to(v, (len(view.rows),))) for name, v in lacking.items()}

    def move(self, view: View) -> Moves:
        """Return what the function returns, checked."""
        found = _safely(self.name, view.tick, lambda: self._function(view, **self._settings))
        if not isinstance(found, Mapping):
            problem = f"the social rule {self.name} returned a {type(found).__name__}, not columns by name."
            raise UserError(problem, 'Return a dict such as {"opinion": values}, one value a row of `view`.')
        return {name: self._checked(name, values, view) for name, values in found.items()}

    def _checked(self, name: str, values: Any, view: View) -> Array:
        like = view.own(name)
        given = np.asarray(values)
        if given.shape != like.shape:
            problem = (
                f"the social rule {self.name} returned {name!r} of shape {given.shape}, not {like.shape}."
            )
            raise UserError(problem, "Return one value for each row of `view`, in their order.")
        if not np.can_cast(given.dtype, like.dtype, casting="same_kind"):
            problem = (
                f"the social rule {self.name} returned {name!r} as {given.dtype}; it holds {like.dtype}."
            )
            raise UserError(problem, "Return values of that type.")
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            at = int(np.flatnonzero(~np.isfinite(given).reshape(len(given), -1).all(axis=1))[0])
            problem = f"the social rule {self.name} returned {given[at]} in {name!r} on tick {view.tick}."
            raise UserError(problem, "Mind people without friends: their mean is NaN (numpy.nan_to_num).")
        return given


class PersonRule(FunctionRule):
    """A function on one person and his or her friends as a rule: one after another, in a drawn order."""

    def walk(self, view: View, people: Columns) -> None:
        """Let everybody who is here act once, in place."""
        from rehearse.agents.user import User

        here = _Neighbourhood(people, view.ties, view.tick)
        alive = np.asarray(people["alive"]) if "alive" in people else np.ones(len(view.rows), dtype=np.bool_)
        for row in self._order(view).tolist():
            if alive[row]:
                self._act(User.at(here, row), view.tick)  # type: ignore[arg-type]

    def _act(self, user: User, tick: int) -> None:
        def act() -> Any:
            return self._function(user, user.friends, **self._settings)

        _safely(self.name, tick, act)

    def _order(self, view: View) -> Rows:
        if not self._declared.shuffled:
            return view.rows
        return np.lexsort((np.asarray(view.own("user")), view.uniform("order")[:, 0]))


@dataclass(slots=True)
class _Neighbourhood:
    """What handles of people need of a model."""

    people: Columns
    ties: Ties
    tick: int
    goal_names: tuple[str, ...] = ()
    world: Any = field(default_factory=lambda: SimpleNamespace(items=()))

    @property
    def cells(self) -> Any:
        """Return the columns cell by cell."""
        return self.people.cells

    def friends_of(self, row: int) -> Rows:
        """Return the rows of those whom the person in a row knows, ascending."""
        return self.ties.neighbours(row).astype(np.int64)

    def handles(self, rows: Rows) -> list[User]:
        """Return the handles of some people."""
        from rehearse.agents.user import User

        return [User.at(self, row) for row in rows.tolist()]  # type: ignore[arg-type]


def adapt(function: Callable[..., Any], settings: Mapping[str, Any], layer: str | None) -> FunctionRule:
    """Return a function as a rule; UserError where its parameters do not say how it is to be asked."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        problem = f"the parameters of {function!r} cannot be read."
        raise UserError(problem, FORMS) from None
    due = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    kind: type[FunctionRule] | None = None
    if due == ["view"]:
        kind = FunctionRule
    elif len(due) == 2 and due[0] in PERSON and due[1] == "friends":
        kind = PersonRule
    if kind is not None:
        return kind(function, settings, layer)
    name = getattr(function, "__name__", type(function).__name__)
    problem = f"{name}({', '.join(due)}) is no social rule."
    raise UserError(problem, FORMS)


def _check(function: Callable[..., Any], settings: Mapping[str, Any], name: str) -> None:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.default is not p.empty]
    for setting in settings:
        if setting not in known:
            problem = f"the social rule {name} has no setting {setting!r}."
            raise UserError(problem, did_you_mean(setting, known))


def _safely(name: str, tick: int, call: Callable[[], Any]) -> Any:
    """Return what a call of other people's code returns; UserError that says where it failed."""
    try:
        return call()
    except RehearseError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"the social rule {name} failed on tick {tick}: {type(error).__name__}: {error}."
        raise UserError(problem, f"See line {last.lineno} of {last.filename}.") from error
