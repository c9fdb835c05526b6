"""What runs in a process of its own: a model within the walls, told what to do and when.

The first thing it is told is its task: which model, for what stage, within which walls. Every answer is
words and arrays (`wire`): what came out, what was wrong, what the walls refused, how much CPU it took.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearse.columns import Array
from rehearse.contract import Policy, Publishes, Stage
from rehearse.dialogue.domain import Domain
from rehearse.errors import RehearseError, SandboxError
from rehearse.policies import limits
from rehearse.policies.answers import read
from rehearse.policies.complaints import AnswerError, Complaints, told
from rehearse.policies.isolate.process import COUNTER
from rehearse.policies.isolate.wire import SIZE, answered_to, framed, of_decisions, packed
from rehearse.policies.sandbox import Walls, Within, tries, walled
from rehearse.policies.written import Mouth
from rehearse.scenario.sandbox import Sandbox

FACTS = ("one_by_one", "by_replica", "coupled", "pads", "tile")
"""Attributes by which the seam knows how a model is asked."""
Answer = tuple[dict[str, Any], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Task:
    """Which model it is to be."""

    ref: str
    """Empty: the object that this process was copied with."""
    stage: Stage
    settings: dict[str, Any]
    trust: bool
    sandbox: Sandbox


class Through(Mouth):
    """The mouth of a model in a process of its own: whoever hears it counts and cuts."""

    def say(self, text: str, write: Callable[[str], object]) -> None:
        """Pass words on."""
        write(text)

    def end(self, write: Callable[[str], object]) -> None:
        """Hold nothing back."""


class Worker:
    """A model and what can be asked of it: the verbs are its public methods."""

    def __init__(self, task: Task, walls: Walls, given: object = None) -> None:
        from rehearse.policies.loading import load

        ref = task.ref or given
        self.policy: Policy = load(ref, task.stage, task.settings, trust=task.trust)
        self.walls = walls
        self.complaints: Complaints = getattr(self.policy, "complaints", Complaints(self.policy.name))
        self._domains: dict[int, Domain] = {}

    def facts(self) -> Answer:
        """Say what kind of model it is."""
        policy: Any = self.policy
        origin = getattr(policy, "origin", None)
        return {
            "name": policy.name,
            "version": policy.version,
            "rationales": list(getattr(policy, "rationales", ())),
            "learns": callable(getattr(policy, "learn", None)),
            "remembers": callable(getattr(policy, "state", None)),
            "publishes": isinstance(policy, Publishes),
            "origin": None if origin is None else origin(),
            **{name: getattr(policy, name) for name in FACTS if hasattr(policy, name)},
        }, {}

    def decide(self, asked: bytes) -> Answer:
        """Answer requests."""
        requests = answered_to(asked, self._domains)
        answer: object = self.policy.decide(requests)
        return of_decisions(read(answer, requests, self.complaints), requests)

    def learn(self, feedback: bytes) -> Answer:
        """Take in a tick."""
        self._asked("learn", pickle.loads(feedback))  # noqa: S301 - whoever leads the run made it
        return {}, {}

    def state(self) -> Answer:
        """Return what it remembers."""
        return {}, self._asked("state") or {}

    def restore(self, state: Mapping[str, Array]) -> Answer:
        """Take back what it remembered."""
        self._asked("restore", state)
        return {}, {}

    def published(self) -> Answer:
        """Return what the public knows of it."""
        return {}, self._asked("published")

    def _asked(self, verb: str, *given: object) -> Any:
        method = getattr(self.policy, verb, None)
        return None if method is None else method(*given)


def work(requests: int, replies: int, words: int, progress: int, given: object = None) -> None:
    """Be a worker until nobody asks any more."""
    _speak_through(words)
    counter = mmap.mmap(progress, COUNTER.size)
    limits.forget()
    limits.RENEWED.append(lambda: COUNTER.pack_into(counter, 0, COUNTER.unpack_from(counter)[0] + 1))
    with os.fdopen(requests, "rb") as asks:
        task: Task = _next(asks)
        with walled(task.sandbox.model_copy(update={"isolate": False})) as walls:
            walls.mouth = Through()
            _serve(asks, replies, walls, lambda: Worker(task, walls, given))


def _serve(asks: io.BufferedReader, replies: int, walls: Walls, make: Callable[[], Worker]) -> None:
    worker: Worker | None = None
    said = 0

    def facts() -> Answer:
        nonlocal worker
        worker = make()
        return worker.facts()

    do: Callable[[], Answer] = facts
    while True:
        began, before = time.process_time(), dict(walls.refused)
        answer, arrays = _done(do, walls)
        new = {what: n - before.get(what, 0) for what, n in walls.refused.items()}
        sentences = [] if worker is None else list(worker.complaints.sentences.items())
        answer |= {
            "refused": {what: n for what, n in new.items() if n},
            "complaints": [[int(fault), sentence] for sentence, fault in sentences[said:]],
            "cpu_s": time.process_time() - began,
        }
        said = len(sentences)
        _send(replies, framed(packed(answer, arrays)))
        if worker is None:
            return
        verb, given, closed = _next(asks)
        walls.places.keep_closed(closed)
        do = _verb(worker, verb, given)


def _verb(worker: Worker, verb: str, given: tuple[Any, ...]) -> Callable[[], Answer]:
    method = getattr(worker, verb)
    answer: Callable[[], Answer] = lambda: method(*given)  # noqa: E731 - it has a type
    return answer


def _done(do: Callable[[], Answer], walls: Walls) -> Answer:
    """Return what a verb gives, or what went wrong with it."""
    with Within(walls):
        before = tries()
        try:
            return do()
        except AnswerError as error:
            return {"fault": int(error.fault), "sentence": error.sentence}, {}
        except SandboxError as error:
            return {"forbidden": True, "sentence": told(error)}, {}
        except MemoryError as error:
            return {"forbidden": True, "sentence": told(error)}, {}
        except RehearseError as error:
            return {"error": [type(error).__name__, error.problem, error.remedy]}, {}
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model raises is told
            return {"forbidden": tries() > before, "sentence": told(error)}, {}


def _next(asks: io.BufferedReader) -> Any:
    head = asks.read(SIZE.size)
    if len(head) < SIZE.size:  # nobody asks any more
        os._exit(0)
    return pickle.loads(asks.read(SIZE.unpack(head)[0]))  # noqa: S301 - whoever leads the run made it


def _send(replies: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(replies, left) :]


def _speak_through(words: int) -> None:
    """Let standard output and error lead to whoever leads the run, and nothing come in."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    for place in (1, 2):
        os.dup2(words, place)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process
    for name, place in (("stdout", 1), ("stderr", 2)):
        stream = io.TextIOWrapper(io.FileIO(place, "w", closefd=False), errors="replace", write_through=True)
        setattr(sys, name, stream)
