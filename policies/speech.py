"""Dialogue at the seam: what a model is told in words, and what its words amount to.

A person's dict holds, besides what everybody's does,

    acts      what was heard: dicts with intent, slot and value
    text      the same as a sentence
    history   what was said earlier in the session, in order: dicts with by (user or assistant), acts, text
    tools     find(**constraints), look_up(name), book(name, **details), cancel()

and may be answered with an item of the menu, with {"acts": [...]} or with {"text": "..."} (a text is read
by the templates; acts beside it say what it means). A whole batch is answered with a list of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.contract import Decisions, Fault, Requests
from rehearse.dialogue.acts import CALLED, NO_ACT, SPOKEN, DialogueAct
from rehearse.dialogue.menu import item_of
from rehearse.dialogue.talk import Message, Reply, Talk
from rehearse.errors import RehearseError
from rehearse.policies.complaints import AnswerError
from rehearse.redact import redacted

ACTS, TEXT = "acts", "text"
REST = ("score", "propensity", "spent")


def told(talk: Talk, i: int) -> dict[str, Any]:
    """Return what a model is told of what a person says."""
    now = _plain(talk.message(i))
    history = [_plain(message) for message in talk.history(i)]
    return {ACTS: now[ACTS], TEXT: now[TEXT], "history": history, "tools": talk.tools(i)}


def spoke(answer: object, items: Sequence[str]) -> bool:
    """Tell whether an answer is in words: acts, a text, or a string that is no item."""
    if isinstance(answer, Mapping):
        return (ACTS in answer or TEXT in answer) and not {"action", "slate"} & answer.keys()
    return isinstance(answer, str) and answer not in items and " " in answer


class Transcript:
    """What the answers to a batch say in words, while they are read one by one."""

    def __init__(self, requests: Requests) -> None:
        self._items = requests.items
        self._talk = requests.talk
        self._reply = None if requests.talk is None else Reply.silent(len(requests))

    def item(self, i: int, answer: object) -> object:
        """Return an answer with the item that its words amount to; AnswerError where they are no words."""
        if self._talk is None or self._reply is None or not spoke(answer, self._items):
            return answer
        given: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {TEXT: answer}
        domain = self._talk.domain
        try:
            numbers = self._acts(given)
        except (RehearseError, KeyError, TypeError, AttributeError) as error:
            raise AnswerError(Fault.WRONG_SHAPE, f"said what cannot be understood ({error})") from error
        self._reply.said[i, : len(numbers)] = numbers
        item = int(item_of(domain, self._reply.said[i : i + 1])[0])
        if TEXT in given:
            self._reply.text[i] = domain.keep(redacted(str(given[TEXT])))
            if item < 0:  # words that mean nothing here still are an answer
                self._reply.said[i, 0] = domain.number(DialogueAct("reqmore"))
                item = int(item_of(domain, self._reply.said[i : i + 1])[0])
        rest = {name: given[name] for name in REST if name in given}
        return {"action": self._items[item] if item >= 0 else None} | rest

    def finish(self, decisions: Decisions) -> Decisions:
        """Return the decisions with what was said and which tools were called."""
        if self._talk is None or self._reply is None:
            return decisions
        for i, tools in self._talk.desks.items():
            calls = tools.calls[:CALLED]
            self._reply.calls[i, : len(calls)] = calls
        silent = (self._reply.said == NO_ACT).all() and (self._reply.calls == NO_ACT).all()
        return decisions if silent else replace(decisions, reply=self._reply)

    def _acts(self, given: Mapping[str, Any]) -> np.ndarray:
        domain = self._talk.domain  # type: ignore[union-attr]
        if ACTS in given:
            numbers = [domain.number(_act(act)) for act in given[ACTS]]
        else:
            numbers = domain.read(str(given[TEXT]), "assistant")
        return np.array(numbers[:SPOKEN], dtype=np.int32)


def each(answer: object, n: int) -> Iterator[object] | None:
    """Return the answers of a batch one by one where they are in words, else None."""
    if isinstance(answer, Mapping) and (ACTS in answer or TEXT in answer):
        named = {name: answer[name] for name in (ACTS, TEXT, *REST) if name in answer}
        if all(isinstance(column, list) and len(column) == n for column in named.values()):
            return ({name: column[i] for name, column in named.items()} for i in range(n))
    if isinstance(answer, list) and len(answer) == n and any(isinstance(one, Mapping) for one in answer):
        return iter(answer)
    return None


def _act(act: Any) -> DialogueAct:
    if isinstance(act, DialogueAct):
        return act
    if isinstance(act, Mapping):
        return DialogueAct(str(act["intent"]), str(act.get("slot") or ""), str(act.get("value") or ""))
    return DialogueAct(*(str(part) for part in act))


def _plain(message: Message) -> dict[str, Any]:
    acts = [{"intent": a.intent, "slot": a.slot, "value": a.value} for a in message.acts]
    return {"by": message.by, ACTS: acts, TEXT: message.text}
