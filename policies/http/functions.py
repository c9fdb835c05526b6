"""The functions that a chat assistant may call, and what a call amounts to.

A function does one of three things. Tools look into the database or write into it, and tell what they
found: `find`, `look_up`, `book`, `cancel`. Acts say something: with arguments `slot` and `value` one act
about that slot, with any others an act for each, `inform(area="north")`. An item is the answer itself.
Where settings name no functions they are made from the domain, or, where nobody speaks, from the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearse.contract import Fault
from rehearse.dialogue.acts import DialogueAct
from rehearse.dialogue.domain import ACT_BY_WORD, NAME, Domain
from rehearse.errors import PolicyLoadError, did_you_mean
from rehearse.policies.complaints import AnswerError
from rehearse.policies.http.settings import Function

DATABASE = ("find", "look_up", "book", "cancel")
CHOOSE = "choose"
LISTED = 100
"""Values of a slot that are told one by one, at most."""
Properties = Mapping[str, dict[str, Any]]
"""JSON schemas of arguments, by name."""
ITEM, SLOT, VALUE = "item", "slot", "value"
SPEECH = {
    "recommend": ("inform", "Recommend one, by its name."),
    "tell": ("inform", "Say what somebody asked for: each value under its slot."),
    "ask": ("request", "Ask for something that the person has not said."),
    "nothing_fits": ("nooffer", "Say that nothing fits all that was asked for."),
    "anything_else": ("reqmore", "Ask whether there is anything else to be done."),
    "say_again": ("repeat", "Ask to have it said again."),
    "put_through": ("transfer", "Hand the person over to a colleague."),
    "goodbye": ("bye", "Close the conversation, once the person has said goodbye."),
}
"""Functions that say something: the act that each is, and what it is for."""


def of_domain(domain: Domain) -> dict[str, Function]:
    """Return the functions of an assistant: the tools of a domain, and what can be said about it."""
    constraints = _among(domain, range(domain.constraints))
    details = _among(domain, range(domain.constraints, domain.informable))
    told = {_plain(slot): {"type": "string"} for slot in domain.slots}
    name = {NAME: {"type": "string"}}
    asked = {SLOT: {"type": "string", "enum": [_plain(s) for s in domain.slots[: domain.informable]]}}
    given: dict[str, Properties] = {"recommend": name, "tell": told, "ask": asked}
    made = {
        "find": _function("find", f"Look for a {domain.title} by what is wanted.", constraints),
        "look_up": _function("look_up", "Return all that is known of one, by its name.", name, *name),
        "book": _function("book", "Book one for the person.", name | details, *name),
        "cancel": _function("cancel", "Cancel what is booked for the person.", {}),
    }
    for called, (act, description) in SPEECH.items():
        properties = given.get(called, {})
        needed = () if called == "tell" else tuple(properties)
        made[called] = _function(act, description, properties, *needed)
    spelt = {_plain(slot): slot for slot in domain.slots if slot != _plain(slot)}
    return {called: function.model_copy(update={"arguments": spelt}) for called, function in made.items()}


def of_items(items: tuple[str, ...]) -> dict[str, Function]:
    """Return the one function of a model that chooses among items."""
    among = {ITEM: {"type": "string", "enum": list(items)}}
    return {CHOOSE: _function(CHOOSE, "Decide: choose one of the items.", among, ITEM)}


def check(functions: Mapping[str, Function], items: tuple[str, ...]) -> None:
    """Raise PolicyLoadError for a function that does what nobody can do here."""
    known = (*DATABASE, *ACT_BY_WORD, CHOOSE, *items)
    for name, function in functions.items():
        if function.does not in known:
            problem = f"policy.settings.tools.{name}.does: there is no {function.does!r} here."
            raise PolicyLoadError(problem, did_you_mean(function.does, known))


def schemas(functions: Mapping[str, Function], domain: Domain | None) -> list[dict[str, Any]]:
    """Return functions as `tools` of a question."""
    made = {} if domain is None else {f.does: f for f in of_domain(domain).values()}
    nothing = {"type": "object", "properties": {}}
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": given.description,
                "parameters": given.parameters or _renamed(made.get(given.does), given) or nothing,
            },
        }
        for name, given in functions.items()
    ]


def acts_of(function: Function, given: Mapping[str, str]) -> list[DialogueAct]:
    """Return what a function says."""
    if SLOT in given:
        slot = function.arguments.get(given[SLOT], given[SLOT])
        return [DialogueAct(function.does, slot, given.get(VALUE, ""))]
    return [DialogueAct(function.does, slot, value) for slot, value in given.items()] or [
        DialogueAct(function.does)
    ]


def arguments_of(function: Function, told: object, name: str) -> dict[str, str]:
    """Return the arguments of a call by the slots that they stand for; AnswerError where they are none."""
    if not isinstance(told, Mapping):
        raise AnswerError(Fault.WRONG_SHAPE, f"called {name} with {told!r:.80}, which is no object")
    wrong = [key for key, value in told.items() if isinstance(value, list | dict)]
    if wrong:
        raise AnswerError(Fault.WRONG_SHAPE, f"called {name} with {wrong[0]}={told[wrong[0]]!r:.80}")
    given = {str(key): value for key, value in told.items() if value is not None}
    return {function.arguments.get(key, key): str(value) for key, value in given.items()}


def is_act(function: Function) -> bool:
    """Tell whether a function says something."""
    return function.does in ACT_BY_WORD and function.does not in DATABASE


def _function(does: str, description: str, properties: Properties, *required: str) -> Function:
    schema = {"type": "object", "properties": dict(properties), "required": list(required)}
    return Function(does=does, description=description, parameters=schema)


def _among(domain: Domain, slots: range) -> dict[str, dict[str, Any]]:
    """Return the schemas of values, with all that there are where they are few."""
    return {_plain(domain.slots[slot]): _one_of(domain.values[slot]) for slot in slots}


def _one_of(values: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string"} | ({"enum": list(values)} if len(values) <= LISTED else {})


def _plain(slot: str) -> str:
    return slot.replace(" ", "_")


def _renamed(made: Function | None, given: Function) -> dict[str, Any] | None:
    """Return the schema made for what a function does, its arguments named as the setting says."""
    if made is None or made.parameters is None:
        return None
    names = {_plain(slot): argument for argument, slot in given.arguments.items()}
    properties = {names.get(slot, slot): kind for slot, kind in made.parameters["properties"].items()}
    required = [names.get(slot, slot) for slot in made.parameters["required"]]
    return {"type": "object", "properties": properties, "required": required}


def told(domain: Domain | None) -> str:
    """Return what an assistant is told first where settings do not say it."""
    if domain is None:
        return f"You decide about people. Call {CHOOSE} with one of the items for the person described."
    title = domain.title
    constraints, details = domain.slots[: domain.constraints], domain.slots[domain.constraints :]
    booking = f" with {' and '.join(details[: domain.booking])}" if domain.booking else ""
    return (
        f"You are the assistant of a {title} service that people call. They choose by "
        f"{', '.join(constraints)}. Look into the database with find or look_up before you recommend; book "
        f"only what the person asks to book{booking}. Whatever you say, say it by calling the functions for "
        f"it ({', '.join(SPEECH)}), "
        "several at once where you say several things, and put it into a sentence beside them."
    )
