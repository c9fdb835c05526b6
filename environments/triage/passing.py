"""A tick that passes in a queue: from the classes of cases to what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns, Rows
from rehearse.contract import Codes, Decisions, End, Flags, Outcomes, Turn
from rehearse.environments.triage import events
from rehearse.environments.triage.events import Cases, Workers, run_queue
from rehearse.environments.triage.settings import Settings, Worth
from rehearse.errors import DataError
from rehearse.exact import Floats

STATUS = ("to come", "waiting", "served", "left", "harmed", "sent home", "turned away")
"""What the codes 0, 1, … of a case's `status` mean; from 2 on the case is over."""
WAITS, SERVED, LEFT, HARMED, HOME, TURNED_AWAY = range(1, 7)
ENDS = np.array(
    [
        End.NONE,
        End.NONE,
        End.GOAL_MET,
        End.ABANDONED,
        End.ABANDONED,
        End.USER_STOP,
        End.INFEASIBLE,
    ],
    dtype=np.int8,
)
"""How a turn that leaves a case in each state ends, where the world has a say in it."""


class Passed:
    """A tick that has passed, for the cases that were there."""

    def __init__(
        self,
        settings: Settings,
        workers: Callable[[int], Workers],
        turn: Turn,
        people: Columns,
        *,
        stays: Flags,
        rank: Rows,
    ) -> None:
        """Let the queue of each society run to the end of the tick.

        `workers` gives those of a society by its number; `stays` marks who is not sent home; `rank` is
        the class of each.
        """
        self.settings, self.workers = settings, workers
        self.begin, self.end = turn.tick * settings.span, (turn.tick + 1) * settings.span
        self.urgency = urgency_of(turn, people, settings.urgencies)
        self.arrival = people.numbers("arrival", turn.rows)
        self.service = people.numbers("service", turn.rows)
        self.leaves = self.arrival + _clock("leaves_after", turn, people)
        self.harmed = self.arrival + _clock("harmed_after", turn, people)
        self.state = np.full(len(turn), events.WAITING, dtype=np.int8)
        self.start, self.server = np.full(len(turn), np.nan), np.full(len(turn), events.NOBODY)
        self.stays = stays
        for replica, part in societies(turn):
            self._run(replica, np.arange(part.start, part.stop)[stays[part]], rank)

    def _run(self, replica: int, rows: Rows, rank: Rows) -> None:
        rows = rows[np.lexsort((rank[rows], self.arrival[rows]))]
        arrival = self.arrival[rows]
        cases = Cases(
            arrival=arrival,
            rank=rank[rows],
            service=self.service[rows],
            patient_until=np.minimum(self.leaves, self.harmed)[rows],
            held=int(np.searchsorted(arrival, self.begin)),
        )
        settings = self.settings
        served = run_queue(
            cases,
            self.workers(replica),
            self.end,
            classes=len(settings.classes),
            room=settings.room,
        )
        self.state[rows], self.start[rows], self.server[rows] = served.state, served.start, served.server

    def outcomes(self, decisions: Decisions, worth: Worth) -> Outcomes:
        """Return what followed from the classes."""
        status = self._status()
        served, over = status == SERVED, status >= SERVED
        wait = self.start - self.arrival
        regret = 0.0 - worth.answer(self.urgency, decisions.action.astype(np.int64))
        comfort = self.settings.comfort
        pleased = np.where(served, comfort / (comfort + np.where(served, wait, 0.0)), 0.0)
        return Outcomes(
            reward=_single(np.where(served, worth.reward.take(self.urgency), 0.0)),
            experience=_single(np.where(over, pleased, np.nan)),
            ideal=self.urgency.astype(np.int32),
            regret=_single(regret),
            right=np.where(np.isnan(regret), -1, regret <= 0.0).astype(np.int8),
            cost=_single(worth.waiting.take(self.urgency) * self._waited(status)),
            harm=_single(np.where(self._harmed(status), worth.severity.take(self.urgency), 0.0)),
            label=np.where(served, self.urgency == 0, -1).astype(np.int8),
            becomes={
                "status": status,
                "wait": _single(wait),
                "server": self.server.astype(np.int32),
            },
            end=ENDS.take(status),
            detail={
                "arrival": self.arrival,
                "sim_time": _single(np.maximum(self.arrival - self.begin, 0.0)),
                "service": _single(np.where(served, self.service, np.nan)),
                "served": _single(np.where(over, served, np.nan)),
                "urgency": self.urgency.astype(np.int8),
            },
        )

    def _status(self) -> Codes:
        gone = self.state == events.GONE
        status = np.where(self.state == events.SERVED, SERVED, WAITS)
        status[gone] = np.where(self.harmed <= self.leaves, HARMED, LEFT)[gone]
        status[self.state == events.BLOCKED] = TURNED_AWAY
        status[~self.stays] = HOME
        return status.astype(np.int8)

    def _out_at(self, status: Codes) -> Floats:
        """Return when each case was out of the queue, or the end of the tick."""
        patient_until = np.minimum(self.leaves, self.harmed)
        out = np.where(status == SERVED, self.start, self.end)
        out = np.where((status == LEFT) | (status == HARMED), patient_until, out)
        at_once = (status == HOME) | (status == TURNED_AWAY)
        return np.where(at_once, np.maximum(self.arrival, self.begin), out)

    def _waited(self, status: Codes) -> Floats:
        return np.maximum(self._out_at(status) - np.maximum(self.arrival, self.begin), 0.0)

    def _harmed(self, status: Codes) -> Flags:
        helped = self._out_at(status) + self.settings.care_after
        outside = (status == LEFT) | (status == HOME) | (status == TURNED_AWAY)
        return np.asarray((status == HARMED) | (outside & (self.harmed < helped)))


def societies(turn: Turn) -> Iterator[tuple[int, slice]]:
    """Go over the societies at the table: the number of each, and where its rows are."""
    if not len(turn):
        return
    edges = np.flatnonzero(np.diff(turn.replica)) + 1
    for start, stop in pairwise([0, *edges.tolist(), len(turn)]):
        yield int(turn.replica[start]), slice(start, stop)


def urgency_of(turn: Turn, people: Columns, degrees: int) -> Rows:
    """Return the true urgency of cases; DataError for one that the world does not know."""
    told = people.numbers("urgency", turn.rows)
    urgency = told.astype(np.int64)
    wrong = np.flatnonzero((urgency != told) | (urgency < 0) | (urgency >= degrees))
    if wrong.size:
        problem = f"a case's urgency is {told[wrong[0]]:g}, and the world knows 0 to {degrees - 1}."
        raise DataError(problem, "Give `urgency` whole numbers: positions in classes, one more with `home`.")
    return urgency


def _clock(name: str, turn: Turn, people: Columns) -> Floats:
    return people.numbers(name, turn.rows) if name in people else np.full(len(turn), np.inf)


def _single(values: Array) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)
