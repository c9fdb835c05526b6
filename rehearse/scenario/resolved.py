"""A resolved scenario, with nothing left to look up: as plain data, as text, as a digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from rehearse.scenario.document import parse
from rehearse.scenario.model import Scenario
from rehearse.scenario.references import without_folders
from rehearse.scenario.wrong import check

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.()/+=<>%;'’–×-]|, ?| (?=[^ #,])|:(?=[^ ]))*")
"""Words that stand in YAML without quotes, between brackets excepted."""
_NOT_WORDS = {"true", "false", "null"}
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\U0001fffe-\U0010ffff]")
_SHORT = 90


def data_of(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data, in the order of the schema, without what is not set."""
    data: dict[str, Any] = scenario.model_dump(mode="json", exclude={"extends"})
    kept: dict[str, Any] = _without_none(data)
    for part in ("world", "policy"):  # here None may be a value
        kept[part] = data[part]
    return kept


def from_yaml(text: str | bytes, source: str = "scenario.yaml") -> Scenario:
    """Return a scenario from its resolved text, as `to_yaml` writes it; nothing is looked up."""
    tree = parse(text, source)
    return check(Scenario, tree.plain(), tree=tree)


def to_yaml(scenario: Scenario) -> str:
    """Return the resolved scenario as YAML, in the order of the schema; `from_yaml` gives it back equal."""
    return written(data_of(scenario))


def written(data: dict[str, Any]) -> str:
    """Return plain data as YAML."""
    return "\n".join(_lines(data)) + "\n"


def digest(scenario: Scenario) -> str:
    """Return the SHA-256 of what a scenario says, in hexadecimal.

    Layout, comments, key order, layers and the folder in which named files lie make no difference, nor does
    what a catalogue says about it or where a search for failure looks.
    """
    data = data_of(scenario.model_copy(update={"about": None, "search": None}))
    without_folders(data)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    # Written here and not by a library, so that the same scenario is the same text with any version of it.
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        head = f"{_word(str(key))}:" if isinstance(value, dict) else "-"
        if _stands_in_a_line(inner):
            yield f"{head} {_flow(inner) if isinstance(inner, list) else _scalar(inner)}"
        elif isinstance(value, dict):
            yield head
            yield from (f"  {line}" for line in _lines(inner))
        else:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _stands_in_a_line(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(v, dict | list) for v in value) and len(_flow(value)) <= _SHORT
    return not (isinstance(value, dict) and value)


def _flow(values: list[Any]) -> str:
    return f"[{', '.join(_word(v) if isinstance(v, str) else _scalar(v) for v in values)}]"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_WORDS:
        return value
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _word(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", text) and text.lower() not in _NOT_WORDS
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found.group()):08x}", quoted)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value] if isinstance(value, list) else value
