"""What a world, a model of people, a rule or a policy says of itself: its docstrings and its settings."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, get_args

from rehearse.experiments.commands.printing import lines_of
from rehearse.registry import Entry, Kind, entries
from rehearse.scenario.base import Strict


def parts_named(name: str, kinds: tuple[Kind, ...]) -> list[Entry]:
    """Return what is registered under a name, of some kinds; nothing where there is no such thing."""
    return [entries(kind)[name] for kind in kinds if name in entries(kind)]


def told(entry: Entry) -> list[str]:
    """Return as lines what a part is, the docstrings of its code, and its settings with their defaults."""
    factory = entry.load()
    module = importlib.import_module(entry.target.partition(":")[0])
    own = inspect.getdoc(factory) if isinstance(factory, type) else None
    docs = [doc.strip() for doc in (own, inspect.getdoc(module)) if doc]
    lines = [f"{entry.name}: {entry.summary}", *(line for doc in docs for line in ("", *doc.splitlines()))]
    rows = [row for model in dict.fromkeys(_settings(factory)) for row in _rows(model)]
    return [*lines, "", "Settings", *lines_of(rows)] if rows else lines


def _settings(factory: Callable[..., Any]) -> Iterator[type[Strict]]:
    """Go over the schemas that a factory checks settings by: itself, or those that its code names."""
    kinds = factory.__mro__ if isinstance(factory, type) else ()
    if Strict in kinds:
        yield factory  # type: ignore[misc]
        return
    for code in [vars(kind).get("__init__") for kind in kinds] or [factory]:
        if isinstance(code, FunctionType):
            named = (code.__globals__.get(name) for name in code.__code__.co_names)
            yield from (found for found in named if isinstance(found, type) and issubclass(found, Strict))


def _rows(model: type[Strict], under: str = "") -> Iterator[tuple[str, str]]:
    """Go over a schema's settings by their path, each with its default and what it is."""
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else f" [{_short(field.get_default(call_default_factory=True))}]"
        yield f"{under}{name}", f"{_described(model, name)}{default}".strip()
        for part in _within(field.annotation):
            yield from _rows(part, f"{under}{name}.")


def _described(model: type[Strict], name: str) -> str:
    """Return what a setting is: as it says, as the schema that it changes says, or what stands within."""
    kinds = [kind for kind in model.__mro__ if issubclass(kind, Strict) and name in kind.model_fields]
    said = [kind.model_fields[name].description for kind in kinds]
    within = [
        (inspect.getdoc(part) or "").partition("\n")[0]
        for part in _within(model.model_fields[name].annotation)
    ]
    return " ".join(next((text for text in (*said, *within) if text), "").split())


def _within(annotation: Any) -> Iterator[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for part in get_args(annotation):
        yield from _within(part)


def _short(default: object) -> str:
    return "as below" if isinstance(default, Strict | dict) and default else str(default)
