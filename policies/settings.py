"""Settings of built-in policies: strict models whose errors name the place and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from rehearse.contract import Stage
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.scenario.base import Strict

Model = TypeVar("Model", bound=Strict)


def checked(model: type[Model], settings: Mapping[str, Any], policy: str) -> Model:
    """Return the settings as their model, or raise PolicyLoadError about the first that is wrong."""
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        raise refused(error, model, policy) from None


def refused(error: ValidationError, model: type[Strict], policy: str) -> PolicyLoadError:
    """Return what is wrong with settings first, in words."""
    first = error.errors()[0]
    path = ".".join(["policy.settings", *map(str, first["loc"])])
    if first["type"] == "extra_forbidden":
        problem = f"{path}: {policy} has no such setting."
        return PolicyLoadError(problem, did_you_mean(str(first["loc"][-1]), model.model_fields))
    problem = f"{path} of {policy} is {first['input']!r}: {first['msg']}."
    return PolicyLoadError(problem, f"Correct {path}.")


def item_number(item: str | int, stage: Stage, path: str) -> int:
    """Return the number of an item given by name or number; raise PolicyLoadError if there is none."""
    if isinstance(item, str) and item in stage.items:
        return stage.items.index(item)
    if isinstance(item, int) and 0 <= item < len(stage.items):
        return item
    problem = f"{path} names {item!r}, which is no item of this world."
    if isinstance(item, str):
        raise PolicyLoadError(problem, did_you_mean(item, stage.items))
    raise PolicyLoadError(problem, f"Items are numbered 0 to {len(stage.items) - 1}.")


def check_k(k: int | None, stage: Stage) -> int:
    """Return the length of slates (None: the scenario's), or raise PolicyLoadError if it is too long."""
    if k is None:
        return stage.slate
    if k > len(stage.items):
        problem = f"policy.settings.k is {k}, but the world has {len(stage.items)} items."
        raise PolicyLoadError(problem, f"Choose 1 to {len(stage.items)}.")
    return k
