"""Programs of any kind as models: a line of JSON goes in, a line comes out.

    exec:./assistant --flag              a program and its arguments, parted as a shell parts them
    exec:                                the same as a list: settings: {run: [./assistant, --flag]}

It is begun once for a run (once for a shard) and asked in batches: `{"instances": [{…}, …]}`, a person
each, as behind HTTP in plain JSON (`policies.http.protocols`); it answers `{"predictions": […]}`, an answer
each. In a dialogue a person has `acts`, `text` and `history` as well, and an answer may call the person's
tools, `{"call": "find", "with": {"area": "north"}}`: these people are asked again, with `results`.

What it writes to standard error is its words. It is no Python, so no walls stand in it, but it has limits:
if it gives no answer in time (`hung`) it is ended with all that it began, and whenever it has ended
(`crashed`) it is begun again.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from rehearse.columns import Array, Rows, everywhere
from rehearse.contract import NOTHING, Decisions, Fault, Requests, Stage
from rehearse.errors import PolicyLoadError, RehearseError
from rehearse.policies.answers import Failed, read_each
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.files import DIGEST_LENGTH
from rehearse.policies.http.protocols import PlainJson, predictions
from rehearse.policies.http.settings import HttpSettings
from rehearse.policies.http.wire import decoded, encoded
from rehearse.policies.isolate.lives import Lives
from rehearse.policies.isolate.process import EndedError, Limits, Process
from rehearse.policies.sandbox import current
from rehearse.policies.settings import checked
from rehearse.policies.signature import Signature, SignatureSettings
from rehearse.scenario.base import NotNegative

SCHEME = "exec:"
TOOLS = ("find", "look_up", "book", "cancel")


class ProgramSettings(SignatureSettings):
    """Settings of a program."""

    run: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """The program and its arguments; None: as the reference has them."""
    version: str | None = None
    """Which version of the model it is; None: the digest of those of its words that are files."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 64
    """People in a line, always as many (not in dialogues): what is missing repeats the first."""
    timeout_ms: Annotated[float, Field(gt=0.0)] | None = None
    """Wall-clock milliseconds of an answer; None: the scenario's `time.deadline_ms`."""
    begin_ms: NotNegative = 30_000.0
    """Wall-clock milliseconds more for the first answer after it was begun, and has a model to load."""
    rounds: Annotated[int, Field(ge=1, le=32)] = 6
    """Lines in a turn of a dialogue at most: one more each time it calls tools."""
    price_per_call: NotNegative = 0.0
    """What a line costs, shared by the people in it; the column `spent` then tells of it."""
    price_per_row: NotNegative = 0.0
    """What an answer costs."""


class ProgramPolicy:
    """A program that answers lines with lines; a line that brings nothing is a fault of its people."""

    foreign = True
    reads = True
    remote = True
    """A record holds all that is known of its answers."""
    pads = True
    """Its lines have one size already."""

    def __init__(self, ref: str, stage: Stage, settings: Mapping[str, Any]) -> None:
        """Take a command; nothing is begun yet. Raises PolicyLoadError where it is none."""
        self._given = given = checked(ProgramSettings, settings, ref)
        self._command = list(given.run or _words(ref))
        self.name = shlex.join(self._command)
        self.version = given.version or _digest_of(self._command)
        self.complaints = Complaints(self.name)
        self.tile = given.batch
        priced = given.price_per_call or given.price_per_row
        self.columns: dict[str, Any] = {"spent": np.float64} if priced else {}
        self._stage, self._lines, self._new = stage, 0, True
        self._limit_s = (given.timeout_ms if given.timeout_ms is not None else stage.deadline_ms) / 1000.0
        self._form = PlainJson("", HttpSettings(outputs=given.outputs))
        walls = current()
        self._lives = Lives(walls, self.complaints)
        memory = walls.spec.memory_mb if walls is not None and walls.spec.isolate else None
        self._process = Process({"command": self._command}, Limits(memory), _line, self._lives.say)

    @cached_property
    def _signature(self) -> Signature:
        return Signature(self._given, self._stage, self.name)

    def meet(self) -> None:
        """Begin the program; raises PolicyLoadError where there is none."""
        if shutil.which(self._command[0]) is None:
            problem = f"there is no program {self._command[0]!r} that can be run."
            raise PolicyLoadError(problem, "Correct its path, and see that it may be executed (chmod +x).")
        self._signature.names  # noqa: B018 - columns that do not fit are found out now
        self._process.begin()

    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, for the manifest."""
        return {"kind": "program", "command": self._command, "version": self.version}

    def limit_to(self, seconds: float) -> None:
        """Hear how long any call may take: it has a deadline of its own, which may be shorter."""
        self._limit_s = min(self._limit_s, seconds)

    def decide(self, requests: Requests) -> Decisions:
        """Ask about everybody, a batch a line."""
        starts = range(0, len(requests), self._given.batch)
        rows = [np.arange(s, min(s + self._given.batch, len(requests))) for s in starts]
        return Decisions.join([self._answered(requests.take(some)) for some in rows])

    def _answered(self, requests: Requests) -> Decisions:
        lines = self._lines
        try:
            decisions = self._columns(requests) if requests.talk is None else self._talked(requests)
        except AnswerError as error:
            self.complaints.note(error.fault, error.sentence)
            decisions = Decisions.of(np.full(len(requests), NOTHING), fault=error.fault)
        if not self.columns:
            return decisions
        n, given = len(requests), self._given
        cost = (self._lines - lines) * given.price_per_call / n + given.price_per_row
        spent: Array = everywhere(cost, n, np.float64)
        return replace(decisions, detail={"spent": spent})

    def _ask(self, line: bytes) -> object:
        """Return what the program answers to a line."""
        self._lives.check()
        try:
            if not self._process.alive:
                self._process.begin()
                self._new = True
            self._lines += 1
            more = self._given.begin_ms / 1000.0 if self._new else 0.0
            reply = self._process.ask(line + b"\n", self._limit_s + more)
            self._new = False
        except EndedError as error:
            self._lives.count(error)
            raise
        self._process.hear()
        return decoded(reply)

    def _columns(self, requests: Requests) -> Decisions:
        n = len(requests)
        rows: Rows = np.concatenate([np.arange(n), np.zeros(self._given.batch - n, np.int64)])
        asked = requests.take(rows)
        reply = self._ask(self._form.body(self._signature, asked))
        return self._form.read(reply, self._signature, asked, self.complaints).take(np.arange(n))

    def _talked(self, requests: Requests) -> Decisions:
        """Let those who call tools be asked again with what these found."""
        instances = json.loads(self._form.body(self._signature, requests))["instances"]
        answers: list[object] = [Failed("called tools and said nothing", Fault.WRONG_SHAPE)] * len(instances)
        left = list(range(len(instances)))
        for _ in range(self._given.rounds):
            line = encoded({"instances": [instances[i] for i in left]})
            found = predictions(self._ask(line), len(left))
            calls = []
            for i, answer in zip(left, found, strict=True):
                if isinstance(answer, Mapping) and "call" in answer:
                    instances[i].setdefault("results", []).append(_called(requests, i, answer))
                    calls.append(i)
                else:
                    answers[i] = answer
            left = calls
            if not left:
                break
        return read_each(answers, requests, self.complaints)


def _called(requests: Requests, i: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call to a person's tools, and what it found; what cannot be called is told, too."""
    name, given = str(answer["call"]), answer.get("with", {})
    told = {"call": name, "with": given}
    if name not in TOOLS or not isinstance(given, Mapping):
        return told | {"error": f"there are the tools {', '.join(TOOLS)}, and `with` is an object"}
    try:
        tools: Any = requests.talk.tools(i)  # type: ignore[union-attr]
        return told | {"result": getattr(tools, name)(**{str(k): str(v) for k, v in given.items()})}
    except (RehearseError, TypeError) as error:
        return told | {"error": str(error)}


def _line(buffer: bytearray) -> int:
    """Return how long the first line is."""
    return buffer.find(b"\n") + 1


def _words(ref: str) -> list[str]:
    try:
        words = shlex.split(ref.removeprefix(SCHEME))
    except ValueError as error:
        problem = f"{ref!r} is no command: {error}."
        raise PolicyLoadError(problem, "Close every quote, or give policy.settings.run as a list.") from None
    if not words:
        problem = f"{ref!r} names no program."
        raise PolicyLoadError(problem, "Write exec:./program --flag, or give policy.settings.run as a list.")
    return words


def _digest_of(command: list[str]) -> str:
    """Return a digest of the files that a command names where they lie; of the words where there is none."""
    whole = hashlib.sha256()
    for word in command:
        path = Path(word)
        whole.update(path.read_bytes() if path.is_file() else word.encode())
    return whole.hexdigest()[:DIGEST_LENGTH]
