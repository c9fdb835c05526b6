"""Chat assistants: whoever speaks OpenAI's `/v1/chat/completions`, with tools.

In a dialogue a person's turn is sent as the user's message, after what was said earlier in the session;
calls to the database are answered from the person's own copy of it, until the assistant says something
(`functions`, `conversation`). In a world without words the message is what models may see of the
person, as JSON, and the one function chooses an item. All that is sent follows from the requests, so
blocks, shards and resuming change nothing.

A reply that cannot be understood is the assistant's own fault (`wrong_shape`, `unknown_action`); a server
that is not there or too slow is `unreached`. The record holds what was said, so replay needs no server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Decisions, Fault, Requests, Stage
from rehearse.dialogue.domain import Domain
from rehearse.dialogue.talk import Talk
from rehearse.policies.answers import Failed, read_each
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.function import people
from rehearse.policies.http import functions
from rehearse.policies.http.conversation import Conversation, Message, tokens_of
from rehearse.policies.http.settings import CHAT, ChatSettings, Function, Price
from rehearse.policies.http.wire import Wire, check_address, encoded
from rehearse.policies.limits import renew
from rehearse.policies.settings import checked

IN_A_TILE = 32
"""Turns that are asked for at a time, for each conversation that may be under way."""
NOT_HEARD = "…"
THOUSAND = 1000.0
COUNTED = {"prompt_tokens": np.float32, "completion_tokens": np.float32}
"""As numbers with a point, so that a turn for which it was not asked has none, and sums are right."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is the same in every question: the functions, as we know them and as they are told."""

    functions: Mapping[str, Function]
    fields: Mapping[str, Any]
    system: str


@dataclass(slots=True)
class Asked:
    """What came of a turn: the answer, and what it took."""

    answer: object = None
    prompt: int = 0
    completion: int = 0
    attempts: int = 0


class ChatPolicy:
    """A chat assistant behind HTTP; several conversations are under way at a time."""

    foreign = True
    reads = True
    remote = True
    """A record holds all that is known of its answers."""
    pads = True
    """It is asked about one person at a time, so there is nothing to pad."""

    def __init__(self, url: str, stage: Stage, settings: Mapping[str, Any]) -> None:
        """Take an address and settings; nobody is called yet. Raises PolicyLoadError."""
        self._given = given = checked(ChatSettings, settings, url)
        check_address(url)
        functions.check(given.tools or {}, stage.items)
        self.name, self.version = url, given.version or given.model
        self.complaints = Complaints(url)
        self.tile = given.concurrency * IN_A_TILE
        timeout_ms = given.timeout_ms if given.timeout_ms is not None else stage.deadline_ms
        self._wire = Wire(url, given.secrets, timeout_ms / 1000.0)
        self._items = stage.items
        self._scripts: dict[str, Script] = {}

    @property
    def columns(self) -> dict[str, Any]:
        """Return the columns of its own: tokens as the server counts them, what they cost, attempts."""
        given = self._given
        priced = given.price is not None or given.price_per_call or given.price_per_row
        optional = {"spent": (np.float64, priced), "attempts": (np.int8, given.retries)}
        return COUNTED | {name: kind for name, (kind, told) in optional.items() if told}

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._given.concurrency, thread_name_prefix="rehearse-chat")

    def meet(self) -> None:
        """Find the server before the first question; raises PolicyLoadError where it cannot be asked."""
        self._wire.find(f"{self._wire.url.removesuffix('/chat/completions')}/models")

    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, for the manifest."""
        told = {"kind": "http", "url": self._wire.url, "protocol": CHAT}
        return told | {"model": self._given.model, "version": self.version}

    def decide(self, requests: Requests) -> Decisions:
        """Hold a turn with each person; a turn that fails is the fault of that person's row alone."""
        talk = requests.talk
        script = self._script(None if talk is None else talk.domain)
        told = list(people(requests)) if talk is None else [self._said(talk, i) for i in range(len(requests))]
        tools = [None if talk is None else talk.tools(i) for i in range(len(requests))]
        domain = None if talk is None else talk.domain
        turns = [Conversation(script.functions, domain, desk) for desk in tools]
        asked = []
        for turn in self._pool.map(partial(self._turn, script), told, turns):
            renew()
            asked.append(turn)
        decisions = read_each([turn.answer for turn in asked], requests, self.complaints)
        return replace(decisions, detail=self._counted(asked))

    def _turn(self, script: Script, told: list[Message] | Mapping[str, Any], turn: Conversation) -> Asked:
        """Ask until the assistant has said something."""
        asked = Asked()
        said = told if isinstance(told, list) else [_message("user", _as_json(told))]
        messages = [_message("system", script.system), *said]
        try:
            for _ in range(self._given.rounds):
                back = turn.hear(self._ask(script, messages, asked))
                if not back:
                    asked.answer = turn.answer()
                    return asked
                messages += back
        except AnswerError as error:
            asked.answer = Failed(error.sentence, error.fault)
        else:
            sentence = f"called tools in {self._given.rounds} messages and said nothing"
            asked.answer = Failed(sentence, Fault.WRONG_SHAPE)
        return asked

    def _ask(self, script: Script, messages: list[Message], asked: Asked) -> object:
        body = encoded({"model": self._given.model, "messages": messages, **script.fields})
        reply = self._wire.ask(self._wire.url, body, self._given.retries)
        asked.attempts += reply.attempts
        if reply.error is not None:
            raise reply.error
        prompt, completion = tokens_of(reply.value)
        asked.prompt += prompt
        asked.completion += completion
        return reply.value

    def _said(self, talk: Talk, i: int) -> list[Message]:
        """Return what was said so far in a session, as messages."""
        earlier = talk.history(i)
        if self._given.history is not None:
            earlier = earlier[len(earlier) - min(2 * self._given.history, len(earlier)) :]
        return [_message(m.by, m.text or NOT_HEARD) for m in (*earlier, talk.message(i))]

    def _script(self, domain: Domain | None) -> Script:
        key = "" if domain is None else domain.title
        if key not in self._scripts:
            given = self._given
            made = functions.of_items(self._items) if domain is None else functions.of_domain(domain)
            known = made if given.tools is None else given.tools
            fields = {
                "temperature": given.temperature,
                "seed": given.seed,
                "max_tokens": given.max_tokens,
                "tools": functions.schemas(known, domain) or None,
            }
            sent = {name: value for name, value in fields.items() if value is not None} | given.body
            system = given.system if given.system is not None else functions.told(domain)
            self._scripts[key] = Script(known, sent, system)
        return self._scripts[key]

    def _counted(self, asked: list[Asked]) -> dict[str, Array]:
        prompt, completion, attempts = np.array([(a.prompt, a.completion, a.attempts) for a in asked]).T
        given, price = self._given, self._given.price or Price()
        tokens = prompt * price.prompt + completion * price.completion
        spent = tokens / THOUSAND + attempts * given.price_per_call + given.price_per_row
        told = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "attempts": attempts,
            "spent": spent,
        }
        return {name: told[name].astype(kind) for name, kind in self.columns.items()}


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _as_json(person: Mapping[str, Any]) -> str:
    """Return what a model may see of a person; what is not a number is null."""
    numbers = {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in person.items()}
    return json.dumps(numbers, allow_nan=False)
