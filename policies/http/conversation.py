"""One turn of one person with a chat assistant: what it says and calls until it has answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearse.contract import Fault
from rehearse.dialogue.acts import Act, DialogueAct
from rehearse.dialogue.domain import NAME, Domain
from rehearse.dialogue.tools import Tools
from rehearse.errors import ContractError
from rehearse.policies.complaints import AnswerError
from rehearse.policies.http.functions import CHOOSE, DATABASE, ITEM, acts_of, arguments_of, is_act
from rehearse.policies.http.settings import Function
from rehearse.redact import redacted

FOUND = 10
"""Entities that `find` tells of, at most; it says how many there are."""
Message = dict[str, Any]


@dataclass(slots=True)
class Conversation:
    """What an assistant has done so far in a turn."""

    functions: Mapping[str, Function]
    domain: Domain | None
    tools: Tools | None
    text: str = ""
    """What it said last, in words of its own."""
    item: str | None = None
    """The item that it chose."""
    acts: list[DialogueAct] = field(default_factory=list)
    booked: DialogueAct | None = None
    """That it booked something, which is said even where it says nothing of it."""

    def hear(self, reply: object) -> list[Message]:
        """Take in a message; return what to send back, which is nothing once it has answered.

        Raises AnswerError where the message cannot be understood.
        """
        message = message_of(reply)
        self.text = _text(message.get("content")) or self.text
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise AnswerError(Fault.WRONG_SHAPE, f"answered the tool_calls {calls!r:.80}")
        told = [self._called(call, number) for number, call in enumerate(calls)]
        if not any(asks for _, asks in told):
            return []
        said = {"role": "assistant", "content": message.get("content"), "tool_calls": calls}
        return [said, *(result for result, _ in told)]

    def answer(self) -> dict[str, Any]:
        """Return what the turn amounts to; AnswerError where the assistant has said nothing."""
        if self.item is not None:
            return {"action": self.item}
        if self.domain is None and self.text:
            return {"action": self.text}
        acts = self.acts or self._read()
        if self.booked is not None and all(act.intent != Act.BOOKED.word for act in acts):
            acts = [*acts, self.booked]
        if not (acts or self.text):
            raise AnswerError(Fault.WRONG_SHAPE, "answered without a word and without a call")
        return {"acts": acts} | ({"text": self.text} if self.text else {})

    def _read(self) -> list[DialogueAct]:
        domain = self.domain
        return [] if domain is None else list(domain.told(domain.read(self.text, "assistant")))

    def _called(self, call: object, number: int) -> tuple[Message, bool]:
        """Do what a call says; return what to tell of it, and whether the assistant waits for that."""
        given: Mapping[str, Any] = call if isinstance(call, Mapping) else {}
        inner = given.get("function")
        name = inner.get("name") if isinstance(inner, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(name, str):
            raise AnswerError(Fault.WRONG_SHAPE, f"called {call!r:.80}, which is no function")
        if name not in self.functions:
            raise AnswerError(Fault.UNKNOWN_ACTION, f"called {name!r}, which is no function here")
        function = self.functions[name]
        try:
            result = self._do(function, arguments_of(function, _plain(inner.get("arguments"), name), name))
        except ContractError as error:
            raise AnswerError(Fault.WRONG_SHAPE, f"called {name}: {error}") from None
        content = json.dumps(result, ensure_ascii=False)
        identity = str(given.get("id", number))
        return {"role": "tool", "tool_call_id": identity, "content": content}, function.does in DATABASE

    def _do(self, function: Function, given: Mapping[str, str]) -> object:
        if is_act(function):
            self.acts += acts_of(function, given)
            return "said"
        if function.does in DATABASE:
            return self._looked(function.does, given)
        self.item = given.get(ITEM, "") if function.does == CHOOSE else function.does
        return "done"

    def _looked(self, what: str, given: Mapping[str, str]) -> object:
        """Return what a tool of the database gives; ContractError where it was called wrongly."""
        if self.tools is None:
            problem = f"there is no database in which to {what}."
            raise ContractError(problem, "Give it functions of this world.")
        rest = dict(given)
        if what == "find":
            found = self.tools.find(**rest)
            return {"count": len(found), "first": found[:FOUND]}
        if what == "cancel":
            return {"cancelled": self.tools.cancel()}
        name = rest.pop(NAME, "")
        if what == "look_up":
            return self.tools.look_up(name)
        done = self.tools.book(name, **rest)
        self.booked = DialogueAct(Act.BOOKED.word, NAME, name) if done else self.booked
        return {"booked": done}


def message_of(reply: object) -> Mapping[str, Any]:
    """Return the message in a reply; raises AnswerError where there is none."""
    choices = reply.get("choices") if isinstance(reply, Mapping) else None
    first = choices[0] if isinstance(choices, Sequence) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    if not isinstance(message, Mapping):
        raise AnswerError(Fault.WRONG_SHAPE, f"answered without a message: {reply!r:.80}")
    return message


def tokens_of(reply: object) -> tuple[int, int]:
    """Return the tokens of a question and of its answer, as the server counts them; 0 where it does not."""
    usage = reply.get("usage") if isinstance(reply, Mapping) else None
    counted = usage if isinstance(usage, Mapping) else {}
    found = [counted.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (n if isinstance(n, int) and n >= 0 else 0 for n in found)
    return prompt, completion


def _plain(arguments: object, name: str) -> object:
    """Return the arguments of a call, which are JSON in a text."""
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    try:
        found: object = json.loads(arguments or "{}")
    except ValueError:
        sentence = f"called {name} with {arguments[:80]!r}, which is no JSON"
        raise AnswerError(Fault.WRONG_SHAPE, sentence) from None
    return found


def _text(content: object) -> str:
    """Return the words of a message: a text, or parts of which some are texts."""
    if isinstance(content, list):
        content = "".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))
    return redacted(content.strip()) if isinstance(content, str) else ""
