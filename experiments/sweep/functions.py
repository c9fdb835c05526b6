"""Python functions as the thing that a plan evaluates: named, loaded, called with a point of the axes."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rehearse.errors import UserError
from rehearse.registry import load

VALUE = "value"
"""What the result of a function is called that gives a single number."""
SEED = "seed"


def resolved(reference: str, folder: Path) -> str:
    """Return a reference to a function that holds from any folder; raises UserError where there is none."""
    path, colon, name = reference.rpartition(":")
    whole = f"{(folder / path).resolve()}{colon}{name}" if path.endswith(".py") else reference
    if not colon or not callable(_loaded(whole)):
        problem = f"run: {reference!r} names no function."
        raise UserError(problem, "Write module:function, or FILE.py:function.")
    return whole


def must_take(reference: str, axes: Iterable[str]) -> None:
    """Raise UserError where a function cannot be called with the axes of a plan."""
    given = dict.fromkeys(axes)
    try:
        seed = {SEED: None} if _takes_seed(reference) else {}
        inspect.signature(_loaded(reference)).bind(**(seed | given))
    except ValueError:  # a builtin that does not tell
        return
    except TypeError as error:
        name, those = reference.rpartition(":")[2], ", ".join(given) or "nothing"
        problem = f"axes: {name} cannot be called with {those}: {error}."
        raise UserError(problem, "Name the axes as its parameters are named.") from None


def code_of(reference: str) -> str:
    """Return the digest of the file that a function stands in, and its name."""
    function = _loaded(reference)
    try:
        source = Path(inspect.getsourcefile(function) or "").read_bytes()
    except (TypeError, OSError):  # a builtin
        source = reference.encode()
    return f"{hashlib.sha256(source).hexdigest()}:{reference.rpartition(':')[2]}"


def evaluated(reference: str, given: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Return the numbers that a function gives at a point, by name.

    It is called with the axes by keyword, and with `seed` where it takes one. Raises UserError where it
    gives anything but numbers.
    """
    function = _loaded(reference)
    found = function(**given, **({SEED: seed} if _takes_seed(reference) and SEED not in given else {}))
    named = found if isinstance(found, Mapping) else {VALUE: found}
    try:
        return {str(name): float(value) for name, value in named.items()}
    except (TypeError, ValueError):
        problem = f"{reference} gave {found!r}."
        raise UserError(problem, "Let it return a number, or a dict of names and numbers.") from None


def lines(values: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the lines of the table for the numbers of a function; one that is not finite is missing."""
    none = {"group": "", "low": None, "high": None, "n": 1, "unit": "run", "verdict": ""}
    known = {name: value if math.isfinite(value) else None for name, value in values.items()}
    return [{"metric": name, "estimate": value} | none for name, value in known.items()]


@cache
def _loaded(reference: str) -> Callable[..., Any]:
    function: Callable[..., Any] = load("checks", reference)
    return function


@cache
def _takes_seed(reference: str) -> bool:
    try:
        return SEED in inspect.signature(_loaded(reference)).parameters
    except (TypeError, ValueError):  # a builtin that does not tell
        return False
