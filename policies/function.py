"""Any Python callable as a policy: asked a batch at a time, or a person at a time.

A function whose one required parameter is called `requests` (or annotated `Requests`) is given a
whole batch. One whose parameter is called `request` or `person` (or annotated `dict`) is given one
person as a plain dict: each feature by name, and

    items    the names of what this person can have
    shown    the names of what was shown earlier in the session, newest first
    intent   first, another, more or retry
    turn     the number of the turn in the session, from 0

and, in a dialogue, `acts`, `text`, `history` and `tools` (`policies.speech`).

Further parameters with defaults are settings. What may be answered stands in `policies.answers`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from rehearse.contract import Decisions, Fault, Intent, Requests
from rehearse.errors import PolicyHungError, PolicyLoadError, did_you_mean
from rehearse.policies import speech
from rehearse.policies.answers import Failed, read, read_each
from rehearse.policies.complaints import Complaints, told
from rehearse.policies.limits import renew
from rehearse.policies.sandbox import tries

Per = Literal["batch", "person"]
Function = TypeVar("Function", bound=Callable[..., Any])
MARK = "__rehearse_policy__"
BATCH = ("requests",)
PERSON = ("request", "person")
FORMS = (
    "Write `def decide(person)` to be asked a person at a time, `def decide(requests)` a batch at a time,"
    ' or mark it with @rehearse.policies.function.policy(per="person").'
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the decorator says of a function; None where it says nothing."""

    per: Per | None = None
    name: str | None = None
    version: str | None = None


def policy(
    *, per: Per | None = None, name: str | None = None, version: str | None = None
) -> Callable[[Function], Function]:
    """Say how a function is to be asked, and what it is called; use as a decorator."""
    if per not in {None, "batch", "person"}:
        problem = f'per is {per!r}, but a policy is asked per="batch" or per="person".'
        raise PolicyLoadError(problem, FORMS)

    def mark(function: Function) -> Function:
        setattr(function, MARK, Declared(per, name, version))
        return function

    return mark


def declared(function: object) -> Declared:
    """Return what the decorator said of a function."""
    found = getattr(function, MARK, None)
    return found if isinstance(found, Declared) else Declared()


class FunctionPolicy:
    """A function that is given `Requests` and answers all of them."""

    foreign = True
    reads = True
    """What it answers has been read and checked."""

    def __init__(self, function: Callable[[Requests], object], name: str, version: str) -> None:
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._function = function

    def decide(self, requests: Requests) -> Decisions:
        """Answer the batch; raises whatever the function raises, and AnswerError for another shape."""
        return read(self._function(requests), requests, self.complaints)


class PersonPolicy:
    """A function that is given one person at a time; where it raises, only that person has no answer."""

    foreign = True
    one_by_one = True

    def __init__(self, function: Callable[[dict[str, Any]], object], name: str, version: str) -> None:
        self.name, self.version = name, version
        self.complaints = Complaints(name)
        self._function = function

    def decide(self, requests: Requests) -> Decisions:
        """Answer each person in turn; a limit of time holds for each of them."""
        answers = [self._one(person) for person in people(requests)]
        return read_each(answers, requests, self.complaints)

    def _one(self, person: dict[str, Any]) -> object:
        renew()
        before = tries()
        try:
            return self._function(person)
        except PolicyHungError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises is its answer
            return Failed(told(error), Fault.RAISED if tries() == before else Fault.FORBIDDEN)


def people(requests: Requests) -> Iterator[dict[str, Any]]:
    """Go over the people who ask, each as a plain dict that is theirs alone."""
    items, words = requests.items, Intent.words()
    features, shown = requests.features.tolist(), requests.shown.tolist()
    for i, intent in enumerate(requests.intent.tolist()):
        can = items if requests.available is None else [items[j] for j in requests.available[i].nonzero()[0]]
        yield (
            dict(zip(requests.names, features[i], strict=True))
            | {
                "items": list(can),
                "shown": [items[j] for j in shown[i] if j >= 0],
                "intent": words[intent],
                "turn": requests.turn,
            }
            | ({} if requests.talk is None else speech.told(requests.talk, i))
        )


def adapt(
    function: Callable[..., object], settings: Mapping[str, Any], name: str, version: str
) -> FunctionPolicy | PersonPolicy:
    """Return a function as a policy; PolicyLoadError where its signature does not say how to ask it."""
    said = declared(function)
    name, version = said.name or name, said.version or version
    if _waits(function):
        problem = f"{name} is an async function or a generator."
        raise PolicyLoadError(problem, "Give a plain function that returns its answer.")
    per = said.per or _per(function, name)
    ready = _with_settings(function, settings, name)
    return PersonPolicy(ready, name, version) if per == "person" else FunctionPolicy(ready, name, version)


def _waits(function: Callable[..., object]) -> bool:
    inner = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(is_kind(inner) for is_kind in kinds)


def _parameters(function: Callable[..., object], name: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        problem = f"the signature of {name} cannot be read."
        raise PolicyLoadError(problem, FORMS) from None


def _per(function: Callable[..., object], name: str) -> Per:
    several = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    due = [p for p in _parameters(function, name) if p.default is p.empty and p.kind not in several]
    found = f"{name}({', '.join(p.name for p in due)})"
    if len(due) != 1 or due[0].kind is inspect.Parameter.KEYWORD_ONLY:
        problem = f"{found} takes {len(due)} arguments where a policy takes one."
        raise PolicyLoadError(problem, FORMS)
    note = due[0].annotation
    kind = note if isinstance(note, str) else getattr(note, "__name__", "")
    kind = kind.partition("[")[0].rpartition(".")[2]
    if due[0].name in BATCH or kind == "Requests":
        return "batch"
    if due[0].name in PERSON or kind in {"dict", "Mapping"}:
        return "person"
    problem = f"{found} does not say whether it is asked a batch or a person at a time."
    raise PolicyLoadError(problem, FORMS)


def _with_settings(
    function: Callable[..., object], settings: Mapping[str, Any], name: str
) -> Callable[..., object]:
    if not settings:
        return function
    known = [p.name for p in _parameters(function, name) if p.default is not p.empty]
    check_settings(settings, known, name)
    return partial(function, **settings)


def check_settings(settings: Mapping[str, Any], known: list[str], name: str) -> None:
    """Raise PolicyLoadError for a setting that is none of the known parameters."""
    for key in settings:
        if key not in known:
            problem = f"policy.settings.{key}: {name} has no such parameter."
            raise PolicyLoadError(problem, did_you_mean(key, known) if known else "It takes no settings.")
