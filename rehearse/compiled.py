"""The one door to numba: loops that are compiled where it is installed, with twins in numpy where not.

A kernel is written twice: as a loop over people, which numba compiles, and as its twin in numpy,
which gives the same bits and works everywhere. The twin is used where numba (extra `fast`) is not
installed, where little is to be done (loading numba takes longer than it saves), and where
REHEARSE_FAST=0 says so; REHEARSE_FAST=1 compiles however little there is to do.

    @twin_of(_plain)
    def _loop(values, out): ...

Nothing is compiled that may round differently: no `fastmath`, so no contraction of products and sums.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar

from rehearse.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

SWITCH = "REHEARSE_FAST"
WORTHWHILE = 200_000
"""Sessions, people times ticks, from which on loading numba is worth its while (some tenths of a second)."""


class Twin(Generic[P, R]):
    """A kernel and its twin: called, it is whichever is to be used."""

    def __init__(self, plain: Callable[P, R], loop: Callable[P, R], options: dict[str, Any]) -> None:
        """Take both; nothing is compiled yet."""
        self.plain = plain
        self.loop = loop
        self._options = options
        self._compiled: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Work it out, compiled or in numpy."""
        if not _state.on:
            return self.plain(*args, **kwargs)
        if self._compiled is None:
            return self._first(*args, **kwargs)
        return self._compiled(*args, **kwargs)

    def _first(self, *args: P.args, **kwargs: P.kwargs) -> R:
        numba = _numba()
        self._compiled = numba.njit(cache=True, error_model="numpy", nogil=True, **self._options)(self.loop)
        return self._compiled(*args, **kwargs)


def twin_of(plain: Callable[P, R], **options: Any) -> Callable[[Callable[P, R]], Twin[P, R]]:
    """Decorate a loop to be compiled; `plain` is its twin in numpy, with the same arguments and bits."""
    return lambda loop: Twin(plain, loop, options)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function of single numbers that compiled loops call."""
    _state.inlined.append(function)
    return function


@cache
def available() -> bool:
    """Tell whether numba is installed."""
    return importlib.util.find_spec("numba") is not None


def announce(say: Callable[[str], None]) -> None:
    """Have someone told before the first kernel is made ready, which takes some seconds once a machine."""
    _state.say = say


def expect(sessions: int) -> bool:
    """Decide how kernels are worked out from now on, given how much there is to do; tell whether compiled.

    Raises UserError where REHEARSE_FAST=1 asks for what is not installed.
    """
    switch = os.environ.get(SWITCH, "")
    if switch == "1" and not available():
        problem = f"{SWITCH}=1 asks for compiled kernels, but numba is not installed."
        raise UserError(problem, 'Install it with pip install "rehearse[fast]", or unset the variable.')
    _state.on = available() and switch != "0" and (switch == "1" or sessions >= WORTHWHILE)
    return _state.on


def on() -> bool:
    """Tell whether kernels are compiled at present."""
    return _state.on


class _State:
    """What holds for the process."""

    def __init__(self) -> None:
        self.on = False
        self.say: Callable[[str], None] | None = None
        self.inlined: list[Callable[..., Any]] = []


_state = _State()


def _numba() -> Any:
    if _state.say is not None:
        _state.say("Making compiled kernels ready (some seconds the first time on a machine).")
        _state.say = None
    numba = importlib.import_module("numba")
    while _state.inlined:
        extending = importlib.import_module("numba.extending")
        extending.register_jitable(_state.inlined.pop())
    return numba
