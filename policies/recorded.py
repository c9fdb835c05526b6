"""Answers out of a record: a model that cannot be asked again gives each person what it gave before.

What a server answered cannot be worked out again, but it stands in the turns, with all that became of it
on its way: latency, deadline, faults and guards. A replay gives those answers once more and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rehearse.columns import Array, Columns, Rows
from rehearse.contract import NOTHING, Decisions, Fault, Policy, Requests
from rehearse.dialogue.written import without_house
from rehearse.errors import UserError
from rehearse.policies.stack import Stack
from rehearse.record.reading import RunRecord
from rehearse.record.words import WORDS, replies

NEEDED = ("action", "latency", "fault")
"""Columns of turns without which an answer is not known."""
NUMBERS = ("score", "propensity", "latency", "version")


def sources(policy: Policy) -> Iterator[Any]:
    """Go over the models within a policy that can tell where they come from."""
    if hasattr(policy, "origin"):
        yield policy
    for part in getattr(policy, "parts", {}).values():
        yield from sources(part.policy)


def remotes(policy: Policy) -> Iterator[Any]:
    """Go over the models within a policy that are somewhere else."""
    return (source for source in sources(policy) if getattr(source, "remote", False))


def recorded(stack: Stack, record: RunRecord) -> Stack:
    """Return a policy that answers as the record says; raises UserError where it does not say enough."""
    kept = record.scenario.columns
    missing = [] if kept is None else [name for name in NEEDED if name not in kept]
    if record.scope.kind != "all" or missing:
        what = f"no {missing[0]}" if missing else f"of the turns only {record.scope}"
        problem = f"the model of {str(record.folder)!r} is a server, and the record holds {what}."
        raise UserError(
            problem, "Run it again with --record all and all columns: then the record can be replayed."
        )
    return Stack(stack.asked, _Tape(record, stack), stack.guards)


class _Tape:
    """The answers of a run, a tick at a time."""

    def __init__(self, record: RunRecord, stack: Stack) -> None:
        self._record = record
        self._vocabularies = {
            **stack.words,
            "rationale": stack.rationales,
            "guard": stack.guards,
            "fault": Fault.words(),
        }
        self._detail: Mapping[str, Any] = getattr(stack.asked.policy, "columns", {})
        self._tick = -1
        self._turns = Columns(length=0)
        self._words = Columns(length=0)
        self._keys: Rows = np.zeros(0, dtype=np.int64)

    def decide(self, requests: Requests) -> Decisions:
        """Answer each person as the record says; one whom it does not know has a fault."""
        if requests.tick != self._tick:
            self._turn_to(requests.tick)
        asked = _keys(requests.replica, requests.user, requests.turn)
        if not len(self._keys):
            return Decisions.of(np.full(len(asked), NOTHING), fault=Fault.UNREACHED)
        at = np.minimum(np.searchsorted(self._keys, asked), len(self._keys) - 1)
        answers = self._answers(self._turns.take(at), self._keys[at] == asked)
        if requests.talk is None or not self._words.length:
            return answers
        reply = replies(self._words.take(at), requests.talk.domain)
        return replace(answers, reply=without_house(reply, requests.talk, answers.action))

    def _turn_to(self, tick: int) -> None:
        self._tick = tick
        self._turns, self._keys = self._table("turns", tick)
        if (self._record.folder / WORDS).is_dir():
            self._words, _ = self._table(WORDS, tick)

    def _table(self, name: str, tick: int) -> tuple[Columns, Rows]:
        """Return the rows of a tick and their keys, ascending."""
        found = self._record.query(f"SELECT * FROM {name} WHERE tick = {tick:d}")
        keys = _keys(found["replica"], found["user"], found["turn"])
        order = np.argsort(keys, kind="stable")
        return found.take(order), keys[order]

    def _answers(self, turns: Columns, known: Array) -> Decisions:
        places = [turns["action"]]
        while f"slate_{len(places)}" in turns:
            places.append(turns[f"slate_{len(places)}"])
        slate = np.where(np.asarray(known, bool)[:, None], np.column_stack(places), np.int32(NOTHING))
        given: dict[str, Any] = {name: turns[name] for name in NUMBERS if name in turns}
        codes = {
            name: self._codes(name, turns[name]) for name in ("rationale", "guard", "fault") if name in turns
        }
        codes["fault"] = np.where(known, codes["fault"], np.int8(Fault.UNREACHED))
        return replace(Decisions.of(slate, **given, **codes), detail=self._details(turns))

    def _details(self, turns: Columns) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for name, kind in self._detail.items():
            if name in turns:
                values = self._codes(name, turns[name]) if name in self._vocabularies else turns[name]
                found[name] = values.astype(kind)
        return found

    def _codes(self, name: str, words: Array) -> Array:
        """Return the codes that words stand for; the empty word is none."""
        number = {"": NOTHING} | {word: code for code, word in enumerate(self._vocabularies[name])}
        return np.array([number[word] for word in words.tolist()], dtype=np.int8)


def _keys(replica: Array, user: Array, turn: Array | int) -> Rows:
    """Return one number for each person and moment of a tick: 12 bits of turns, 36 of people."""
    society = np.asarray(replica, np.int64) << 48
    return np.asarray(society | (np.asarray(user, np.int64) << 12) | np.asarray(turn, np.int64), np.int64)
