"""From a reference to a social rule.

    degroot-v1                   a registered name (entry-point group `rehearse.rules`)
    rules.py:conform             a function, class or object in a file
    package.module:conform       the same in an installed module

In Python the rule, class or function itself may be given.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from rehearse import registry
from rehearse.agents.social.plugin import adapt
from rehearse.agents.social.rule import Rule
from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.scenario.society import RuleSpec

Given = str | Rule | type[Rule] | Callable[..., Any] | RuleSpec


def load(given: Given, settings: Mapping[str, Any] | None = None, layer: str | None = None) -> Rule:
    """Return the rule that is given or named; UserError for what cannot be one."""
    if isinstance(given, RuleSpec):
        return load(given.name, given.settings, given.layer)
    thing: Any = _found(given) if isinstance(given, str) else given
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


def _found(ref: str) -> object:
    left, colon, attribute = ref.rpartition(":")
    if not colon:
        return _registered(ref)
    path = Path(left)
    module = _from_file(path) if path.suffix == ".py" else _imported(left)
    if not hasattr(module, attribute):
        problem = f"{left} has no {attribute!r}."
        raise UserError(problem, did_you_mean(attribute, [n for n in vars(module) if not n.startswith("_")]))
    return getattr(module, attribute)


def _registered(name: str) -> object:
    try:
        entry = registry.find("rules", name)
    except NotFoundError as error:
        hint = "Or name one of your own: rules.py:function."
        raise NotFoundError(error.problem, f"{error.remedy} {hint}") from None
    try:
        return entry.load()
    except Exception as error:
        problem = f"the social rule {name!r} ({entry.target}) cannot be imported: {error}."
        raise UserError(problem, "Reinstall or mend the package that it comes from.") from error


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        problem = f"the module {name!r} of a social rule cannot be imported: {type(error).__name__}: {error}."
        raise UserError(problem, "Install or mend it, or name a file: rules.py:function.") from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        problem = f"there is no file {str(path)!r}, which was to hold a social rule."
        raise NotFoundError(problem, "Check the path; it is written as rules.py:function.")
    name = f"rehearse_rule_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        problem = f"{str(path)!r} cannot be imported."
        raise UserError(problem, "Name a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        problem = f"{str(path)!r}, which holds a social rule, cannot be run: {type(error).__name__}: {error}."
        raise UserError(problem, "Mend the file.") from error
    return module
