"""From a reference to a social rule.

A name, or what stands under a name in a file or module (`registry.load`); in Python the rule, class or
function itself may be given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rehearse import registry
from rehearse.agents.social.plugin import adapt
from rehearse.agents.social.rule import Rule
from rehearse.errors import UserError
from rehearse.scenario.society import RuleSpec
from rehearse.scenario.wrong import check

Given = str | Rule | type[Rule] | Callable[..., Any] | RuleSpec | Mapping[str, Any]
"""A rule, or what a scenario writes of one: a name, or a mapping with `name`, `settings` and `layer`."""


def load(given: Given, settings: Mapping[str, Any] | None = None, layer: str | None = None) -> Rule:
    """Return the rule that is given or named; UserError for what cannot be one."""
    if isinstance(given, Mapping):
        return load(check(RuleSpec, dict(given), under="rules"))
    if isinstance(given, RuleSpec):
        return load(given.name, given.settings, given.layer)
    thing: Any = registry.load("rules", given) if isinstance(given, str) else given
    if isinstance(thing, Rule):
        if settings:
            problem = f"{thing.name} is a rule that is ready as it is, and settings are given."
            raise UserError(problem, "Name its class to have it made with settings.")
        return thing if layer is None else thing.model_copy(update={"layer": layer})
    if isinstance(thing, type) and issubclass(thing, Rule):
        return thing(**{**(settings or {}), **({"layer": layer} if layer else {})})
    if callable(thing) and not isinstance(thing, type):
        return adapt(thing, settings or {}, layer)
    problem = f"{given!r} is a {type(thing).__name__}, which is no social rule."
    raise UserError(problem, "A rule is a registered name, a function, or a class derived from Rule.")


def load_all(given: Sequence[Given]) -> list[Rule]:
    """Return the rules that are given or named, in their order."""
    return [load(each) for each in given]
