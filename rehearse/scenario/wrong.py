"""What pydantic found wrong, as one message: the place, the path, the value seen, the remedy."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rehearse.errors import ScenarioError, did_you_mean
from rehearse.scenario.document import Key, Node, Place, node_of
from rehearse.scenario.schema import keys_of, meaning_of, part_of

M = TypeVar("M", bound=BaseModel)

_SAYS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known key",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:,}",
    "less_than": "must be less than {lt:,}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of a usual size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must begin with a letter and hold only letters, digits, `.`, `_` and `-`",
    "too_short": "needs at least {min_length} entry",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "dict_type": "must be a map of keys and values",
    "model_type": "must be a map of keys and values",
    "union_tag_invalid": "must have a {discriminator} among {expected_tags}",
    "union_tag_not_found": "needs a {discriminator}",
    "value_error": "does not make sense: {error}",
}
_SHOWN = 60


def check(model: type[M], value: Any, *, under: str = "", tree: Node | None = None) -> M:
    """Return what a model makes of plain data; raise ScenarioError naming place and path if it is wrong.

    `under` is the path of the data in the scenario, such as `world.settings`; `tree` says where each
    part was written. Types are not bent: "5" is no number and 1 is not true.
    """
    try:
        return model.model_validate_json(json.dumps(value, default=_scalar), strict=True)
    except ValidationError as error:
        root = tree or node_of(value, Place(""))
        raise explained(error, model, root, under) from None


def explained(error: ValidationError, kind: Any, tree: Node, under: str = "") -> ScenarioError:
    """Return the first of pydantic's findings as an error of ours, with the paths of the others."""
    findings = error.errors(include_url=False)
    first = findings[0]
    path, node = _walk(tree, first["loc"])
    dotted = ".".join(filter(None, [under, *map(str, path)])) or "the scenario"
    place = f"{node.place}: " if node.place.source else ""
    seen = "" if first["type"] in {"missing", "value_error"} else f", found {_shown(first['input'])}"
    problem = f"{place}{dotted} {_says(first)}{seen}{_others(findings, tree, under)}."
    return ScenarioError(problem, _remedy(first, kind, path))


def _scalar(value: Any) -> Any:
    if hasattr(value, "item"):  # a number of numpy's
        return value.item()
    problem = f"a scenario cannot hold {value!r}, a {type(value).__name__}."
    raise ScenarioError(problem, "Give numbers, text, true or false, lists and maps.")


def _walk(tree: Node, loc: tuple[Key, ...]) -> tuple[list[Key], Node]:
    # pydantic puts names of union members into the location: what is not in the tree is passed over,
    # but for a key that is missing at the end.
    path: list[Key] = []
    node = tree
    for i, key in enumerate(loc):
        child = node.child(key)
        if child is not None:
            node = child
            path.append(key)
        elif i == len(loc) - 1 and isinstance(key, str) and key.isidentifier():
            path.append(key)
    return path, node


def _says(finding: Any) -> str:
    context = finding.get("ctx", {})
    text = _SAYS.get(finding["type"])
    return str(finding["msg"]) if text is None else text.format(**context)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _others(findings: list[Any], tree: Node, under: str) -> str:
    paths = {".".join(filter(None, [under, *map(str, _walk(tree, f["loc"])[0])])) for f in findings[1:]}
    paths -= {".".join(filter(None, [under, *map(str, _walk(tree, findings[0]["loc"])[0])]))}
    if not paths:
        return ""
    some = sorted(paths)[:3]
    return f" (and {len(paths)} more: {', '.join(some)}{', …' if len(paths) > len(some) else ''})"


def _remedy(finding: Any, kind: Any, path: list[Key]) -> str:
    above = kind
    for key in path[:-1]:
        above = part_of(above, key)
    if finding["type"] == "extra_forbidden":
        return did_you_mean(str(path[-1]), keys_of(above) or ())
    if finding["type"] == "literal_error":
        return did_you_mean(str(finding["input"]), re.findall("'([^']*)'", finding["ctx"]["expected"]))
    todo = "Add it" if finding["type"] == "missing" else "Change it there"
    meaning = meaning_of(above, path[-1]) if path else ""
    return f"{todo}; it means: {meaning}" if meaning else f"{todo}."
