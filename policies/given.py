"""Answers given from outside: what stands in a policy's place where a learner drives the engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rehearse.contract import Decisions, Flags, Ints, Policy, Requests, Stage
from rehearse.policies.answers import read
from rehearse.policies.asked import Asked
from rehearse.policies.complaints import Complaints


class Given:
    """A policy whose answers to the next batch were laid down before it is asked.

    They are checked as a model's answers are. People whom the outside does not answer are answered by
    another policy, which is made by `others` when it is first needed and learns nothing.
    """

    name = "given"
    version = "1"
    foreign = False
    sees_truth = True

    def __init__(self, others: Callable[[], Policy], stage: Stage) -> None:
        self._others, self._stage = others, stage
        self._asked: Asked | None = None
        self._complaints = Complaints(self.name)
        self._slates: Ints = np.zeros((0, 1), dtype=np.int32)
        self._mine: Flags = np.zeros(0, dtype=np.bool_)
        self._at = 0

    def lay_down(self, slates: Ints, mine: Flags) -> None:
        """Take the answers to the next batch: slates (n, k), and for whom of the n they count."""
        self._slates, self._mine, self._at = slates, mine, 0

    def decide(self, requests: Requests) -> Decisions:
        """Return what was laid down for these people, who are asked for in order."""
        piece = slice(self._at, self._at + len(requests))
        self._at = piece.stop
        slates, mine = self._slates[piece], self._mine[piece]
        if mine.all():
            return read(slates, requests, self._complaints)
        here, there = np.flatnonzero(mine), np.flatnonzero(~mine)
        answers = [self._ask_others(requests.take(there))]
        if len(here):
            answers.insert(0, read(slates[here], requests.take(here), self._complaints))
        return Decisions.join(answers).take(np.argsort(np.concatenate([here, there]), kind="stable"))

    def _ask_others(self, requests: Requests) -> Decisions:
        if self._asked is None:
            self._asked = Asked(self._others(), self._stage)
        return self._asked.decide(requests)
