"""Models in a process of their own (`sandbox.isolate`): what they do to themselves, they do to nobody else.

A reference is opened by a fresh Python; an object is at hand in a copy of this process. The model gets the
same tiles as without, so its answers are the same bit for bit. Whoever hangs, dies, floods, begins processes
or takes too much memory is ended: the people whom it was asked for have no answer, with a fault that says
why, the walls count it, and it is begun again with what it had learned. After five such ends, or a thousand
deaths of its own, it is given up: nobody gets an answer any more.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

import numpy as np

from rehearse import errors
from rehearse.columns import Array, Rows
from rehearse.contract import NOTHING, Decisions, Fault, Feedback, Policy, Requests, Stage
from rehearse.errors import NotCompletedError, PolicyHungError, PolicyLoadError, RehearseError
from rehearse.policies.complaints import AnswerError, Complaints
from rehearse.policies.files import LOAD_LIMIT_S
from rehearse.policies.isolate import wire
from rehearse.policies.isolate.lives import Lives
from rehearse.policies.isolate.process import EndedError, Limits, Process
from rehearse.policies.isolate.worker import FACTS, Task, work
from rehearse.policies.sandbox import Walls

GARBLED = "answered what cannot be read"


class Isolated:
    """A model in a process of its own, asked as it would be here."""

    foreign = True
    tile: int

    def __init__(self, task: Task, given: object, walls: Walls) -> None:
        """Begin it, and let it be loaded; raises PolicyLoadError where it cannot be."""
        launch = {"path": sys.path} if task.ref else partial(work, given=given)
        spec, self._walls = task.sandbox, walls
        limits = Limits(spec.memory_mb, spec.processes)
        self.complaints = Complaints(task.ref or getattr(given, "__name__", type(given).__name__))
        self._lives = Lives(walls, self.complaints)
        self._process = Process(launch, limits, wire.length_of, self._lives.say)
        self._task = wire.framed(pickle.dumps(task))
        self._limit_s = LOAD_LIMIT_S
        self._kept: Mapping[str, Array] | None = None
        self._known: set[int] = set()
        self.cpu_s = 0.0
        """CPU seconds that it has taken so far."""
        facts = self._loaded()
        self.name, self.version = str(facts["name"]), str(facts["version"])
        self.complaints.policy = self.name
        self.rationales = tuple(facts["rationales"])
        self.one_by_one = False
        for name in FACTS:
            if name in facts:
                setattr(self, name, facts[name])
        if facts["origin"] is not None:
            self.origin = lambda: facts["origin"]
        self.learns, self._remembers = bool(facts["learns"]), bool(facts["remembers"])
        self._publishes = bool(facts["publishes"])

    def limit_to(self, seconds: float) -> None:
        """Hear how long an answer may take."""
        self._limit_s = seconds

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request; AnswerError where the whole call brought nothing."""
        if not self.one_by_one:
            return self._decided(requests)
        left: Rows = np.arange(len(requests), dtype=np.int64)
        parts, rows = [], []
        while len(left):
            try:
                parts.append(self._decided(requests.take(left)))
            except EndedError as error:  # whoever was being asked has no answer; the others are asked again
                at = (
                    slice(0, len(left))
                    if self._lives.over
                    else min(max(self._process.progress - 1, 0), len(left) - 1)
                )
                bad = np.atleast_1d(left[at])
                parts.append(Decisions.of(np.full(len(bad), NOTHING), fault=error.fault))
                rows.append(bad)
                left = np.delete(left, at)
            else:
                rows.append(left)
                break
        return Decisions.join(parts).take(np.argsort(np.concatenate(rows), kind="stable"))

    def published(self) -> Mapping[str, Array]:
        """Return what the public knows of it."""
        return self._asked("published")[1] if self._publishes else {}

    def state(self) -> dict[str, Array]:
        """Return what it remembers."""
        if self._remembers and self._process.alive:
            self._kept = self._asked("state")[1]
        return dict(self._kept or {})

    def restore(self, state: Mapping[str, Array]) -> None:
        """Give it back what it remembered."""
        if self._remembers:
            self._asked("restore", dict(state))
            self._kept = dict(state)

    def _decided(self, requests: Requests) -> Decisions:
        self._revive()
        asked = wire.asked(requests, self._known)
        told, arrays = self._told("decide", asked)
        if "fault" in told:
            raise AnswerError(Fault(told["fault"]), str(told["sentence"]))
        if "sentence" in told:
            raise AnswerError(Fault.FORBIDDEN if told["forbidden"] else Fault.RAISED, str(told["sentence"]))
        self._understood(told)
        try:
            return wire.to_decisions(told, arrays, requests)
        except (KeyError, ValueError, TypeError):
            raise AnswerError(Fault.WRONG_SHAPE, GARBLED) from None

    def _asked(self, verb: str, *given: object) -> tuple[dict[str, Any], dict[str, Array]]:
        """Ask for anything but answers; raises NotCompletedError where it fails."""
        try:
            self._revive()
            told, arrays = self._told(verb, *given)
        except EndedError as error:
            kind = PolicyHungError if error.fault == Fault.HUNG else NotCompletedError
            problem = f"the decision model {self.name!r}, asked to {verb}, {error.sentence}."
            raise kind(problem, "Mend it, or give it more in sandbox or time.wall_limit_s.") from None
        self._understood(told)
        if "sentence" in told:
            problem = f"the decision model {self.name!r} failed to {verb}: it {told['sentence']}."
            raise NotCompletedError(problem, f"Mend its {verb} method, and run again.")
        return told, arrays

    def _told(self, verb: str, *given: object) -> tuple[dict[str, Any], dict[str, Array]]:
        message = wire.framed(pickle.dumps((verb, given, self._walls.places.closed)))
        return self._exchange(message, self._limit_s)

    def _exchange(self, message: bytes, seconds: float) -> tuple[dict[str, Any], dict[str, Array]]:
        try:
            content = self._process.ask(message, seconds)
            self._process.hear()
            told, arrays = wire.unpacked(content[wire.SIZE.size :])
            self._take_note(told)
        except EndedError as error:
            self._lives.count(error)
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            self._process.close()
            garbled = EndedError(Fault.FORBIDDEN, GARBLED)
            self._lives.count(garbled)
            raise garbled from None
        return told, arrays

    def _take_note(self, told: Mapping[str, Any]) -> None:
        self.cpu_s += float(told["cpu_s"])
        for what, times in told["refused"].items():
            self._walls.note(str(what), int(times))
        for fault, sentence in told["complaints"]:
            self.complaints.note(Fault(fault), str(sentence))

    def _revive(self) -> None:
        """Begin it again if it has ended, with what it had learned."""
        if self._process.alive:
            return
        self._lives.check()
        self._known.clear()
        self._process.begin()
        self._understood(self._exchange(self._task, LOAD_LIMIT_S)[0])
        if self._kept is not None:
            self._brought_back(self._told("restore", dict(self._kept))[0])

    def _brought_back(self, told: Mapping[str, Any]) -> None:
        if "error" in told or "sentence" in told:
            ended = self._lives.last.sentence
            problem = f"the decision model {self.name!r} {ended}, and what it knew is lost."
            raise NotCompletedError(problem, "Give it `state` and `restore`, and mend what ended it.")

    def _loaded(self) -> dict[str, Any]:
        try:
            self._process.begin()
            told, _ = self._exchange(self._task, LOAD_LIMIT_S)
        except EndedError as error:
            problem = f"the model {self.complaints.policy} could not be loaded: it {error.sentence}."
            remedy = "Mend it, or give it more memory in sandbox.memory_mb."
            raise PolicyLoadError(problem, remedy) from None
        self._understood(told)
        if "sentence" in told:
            problem = f"the model {self.complaints.policy} could not be loaded: it {told['sentence']}."
            raise PolicyLoadError(problem, "Mend it, or check that it is what you meant.")
        return told

    def _understood(self, told: Mapping[str, Any]) -> None:
        """Raise here what was raised there on purpose."""
        if "error" in told:
            _raise(*map(str, told["error"]))


class IsolatedLearner(Isolated):
    """A model in a process of its own that learns."""

    def learn(self, feedback: Feedback) -> None:
        """Tell it what happened; what it knows then is kept, in case it has to be begun again."""
        self._asked("learn", pickle.dumps(feedback))
        self.state()


def isolated(
    ref: str, given: object, stage: Stage, settings: Mapping[str, Any], walls: Walls, *, trust: bool
) -> Policy:
    """Return a model by reference, or an object, in a process of its own."""
    task = Task(ref, stage, dict(settings), trust, walls.spec)
    policy = Isolated(task, given, walls)
    if policy.learns:
        policy.__class__ = IsolatedLearner
    return policy


def _raise(kind: str, problem: str, remedy: str) -> NoReturn:
    found = getattr(errors, kind, RehearseError)
    known = isinstance(found, type) and issubclass(found, RehearseError)
    raise (found if known else RehearseError)(problem, remedy)
