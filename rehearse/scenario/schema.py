"""What may stand where in a scenario: as JSON Schema for editors, and step by step for edits and hints."""

from __future__ import annotations

import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from rehearse.scenario.document import Key
from rehearse.scenario.model import Scenario

ANYTHING = Any
"""The kind of what another schema checks, such as a world's settings."""


def part_of(kind: Any, key: Key) -> Any:
    """Return the kind (a type annotation) of what stands under a key, or None where nothing may."""
    for choice in _choices(kind):
        if choice is ANYTHING:
            return ANYTHING
        if _is_model(choice) and key in choice.model_fields:
            return choice.model_fields[str(key)].annotation
        arguments = get_args(choice)
        if get_origin(choice) is dict and isinstance(key, str):
            return arguments[1]
        if get_origin(choice) is tuple and isinstance(key, int):
            return arguments[0]
    return None


def keys_of(kind: Any) -> tuple[str, ...] | None:
    """Return the keys that a kind has; none for a value or list, None where any key may stand."""
    choices = _choices(kind)
    if any(c is ANYTHING or get_origin(c) is dict for c in choices):
        return None
    return tuple(name for c in choices if _is_model(c) for name in c.model_fields)


def is_list(kind: Any) -> bool:
    """Tell whether a list may stand here."""
    return any(c is ANYTHING or get_origin(c) is tuple for c in _choices(kind))


def default_of(kind: Any, key: Key) -> Any:
    """Return what holds, as plain data, when a key is not given; None where there is nothing."""
    for choice in _choices(kind):
        if _is_model(choice) and key in choice.model_fields:
            field = choice.model_fields[str(key)]
            value = None if field.is_required() else field.get_default(call_default_factory=True)
            return _as_data(value)
    return None


def meaning_of(kind: Any, key: Key) -> str:
    """Return the sentence that explains a key, or an empty one."""
    for choice in _choices(kind):
        if _is_model(choice) and key in choice.model_fields:
            return " ".join((choice.model_fields[str(key)].description or "").split())
    return ""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, with which an editor completes and checks the YAML.

    A file that `extends` another need not be complete, lists may be added to with `key+`, and a number
    may stand for the distribution that is always that number: the schema allows all three.
    """
    schema = Scenario.model_json_schema()
    required = schema.pop("required")
    schema["anyOf"] = [{"required": required}, {"required": ["extends"]}]
    for part in (schema, *schema["$defs"].values()):
        lists = {k: v for k, v in part.get("properties", {}).items() if v.get("type") == "array"}
        part.get("properties", {}).update({f"{k}+": v for k, v in lists.items()})
    schema["$defs"]["Part"].pop("required")
    law = schema["$defs"]["Distribution"]
    schema["$defs"]["Distribution"] = {"anyOf": [{"type": "number"}, law]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _choices(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Annotated:
        return _choices(get_args(kind)[0])
    if get_origin(kind) in {Union, types.UnionType}:
        return tuple(c for k in get_args(kind) for c in _choices(k))
    return (kind,)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _as_data(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, tuple):
        return [_as_data(v) for v in value]
    return dict(value) if isinstance(value, dict) else value
