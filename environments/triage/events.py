"""The event queue: who is served when, by whom, in exact continuous time.

c workers serve one case each, without interruption; whoever becomes free takes the waiting case of the
most urgent class, of one class the first that came. A case that waits leaves by itself at a time of its
own. Everything about a case (when it comes, how long it takes, how long it waits) is known before, so
that what happens is a function without chance: the same for two policies that give the same classes.

At one and the same moment services end first; then who waits is taken; then cases come, the more
urgent class first, then in the order of their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.compiled import inlined, twin_of
from rehearse.contract import Codes
from rehearse.exact import Floats

NOBODY = -1
WAITING, SERVED, GONE, BLOCKED = 0, 1, 2, 3
"""What became of a case: waits still; service has begun; left by itself; found no place to wait."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases of one society that are there or come before a moment, in the order of time and class."""

    arrival: Floats
    """When each came, ascending."""
    rank: NDArray[np.int64]
    """The class, 0 the most urgent."""
    service: Floats
    """How long serving each takes."""
    patient_until: Floats
    """When each leaves unless service has begun."""
    held: int = 0
    """So many of them, the first ones, have waited from before."""


@dataclass(slots=True)
class Workers:
    """Who serves in one society: when each will be free, in that order, and the number of each."""

    free: Floats
    number: NDArray[np.int64]

    def become(self, count: int, now: float) -> None:
        """Be so many from a moment on: who comes is free at once, who goes finishes what was begun."""
        stay = np.flatnonzero(self.number < count)
        fresh = np.setdiff1d(np.arange(count), self.number)
        free = np.concatenate([self.free[stay], np.full(len(fresh), now)])
        number = np.concatenate([self.number[stay], fresh])
        order = np.lexsort((number, free))
        self.free, self.number = free[order], number[order]


@dataclass(frozen=True, slots=True)
class Served:
    """What became of cases, in their order."""

    state: Codes
    start: Floats
    """When service began; NaN where it has not."""
    server: NDArray[np.int64]
    """The number of the worker, or -1."""


def run_queue(
    cases: Cases, workers: Workers, until: float, *, classes: int, room: int | None = None
) -> Served:
    """Let the queue run until a moment; `workers` are moved on in place.

    `room` is how many can wait at a time; None: any number.
    """
    n = len(cases.arrival)
    served = Served(np.zeros(n, np.int8), np.full(n, np.nan), np.full(n, NOBODY, np.int64))
    _serve(
        (cases.arrival, cases.rank, cases.service, cases.patient_until),
        (workers.free, workers.number),
        (served.state, served.start, served.server),
        (np.full(classes, NOBODY), np.full(classes, NOBODY), np.full(n, NOBODY)),
        until,
        n if room is None else room,
        cases.held,
    )
    served.state[(served.state == WAITING) & (cases.patient_until < until)] = GONE
    order = np.lexsort((workers.number, workers.free))  # a heap has many layouts, a checkpoint must have one
    workers.free, workers.number = workers.free[order], workers.number[order]
    return served


@inlined
def _join(case: int, rank: Any, line: Any) -> None:
    """Let a case wait at the end of its class; `line` is (first, last, next) of linked lists."""
    first, last, following = line
    if first[rank] == NOBODY:
        first[rank] = case
    else:
        following[last[rank]] = case
    last[rank] = case


@inlined
def _call(line: Any, patient_until: Any, now: float, state: Any) -> tuple[int, int]:
    """Take the next case that still waits out of the line; return it (or -1) and how many had left."""
    first, _, following = line
    gone = 0
    for rank in range(len(first)):
        while first[rank] != NOBODY:
            case = first[rank]
            first[rank] = following[case]
            if patient_until[case] > now:
                return case, gone
            state[case] = GONE
            gone += 1
    return NOBODY, gone


@inlined
def _clear(line: Any, patient_until: Any, now: float, state: Any) -> int:
    """Take out of the line who has left by now; return how many."""
    first, _last, following = line
    gone = 0
    for rank in range(len(first)):
        case, first[rank] = first[rank], NOBODY
        while case != NOBODY:
            after, following[case] = following[case], NOBODY
            if patient_until[case] > now:
                _join(case, rank, line)
            else:
                state[case] = GONE
                gone += 1
            case = after
    return gone


@inlined
def _busy_until(end: float, free: Any, number: Any) -> None:
    """Give the worker on top of the heap a case that ends at a moment, and let the heap sink."""
    who, at, count = number[0], 0, len(free)
    while 2 * at + 1 < count:
        below = 2 * at + 1
        right = below + 1
        if right < count and (free[right], number[right]) < (free[below], number[below]):
            below = right
        if (end, who) < (free[below], number[below]):
            break
        free[at], number[at] = free[below], number[below]
        at = below
    free[at], number[at] = end, who


def _serve_plainly(cases: Any, workers: Any, served: Any, line: Any, *given: Any) -> None:
    # Lists are read and written several times as fast as arrays, one element at a time.
    lists = tuple(tuple(array.tolist() for array in some) for some in (cases, workers, served, line))
    _serve.loop(*lists, *given)
    for arrays, told in zip((workers, served), lists[1:3], strict=True):
        for array, values in zip(arrays, told, strict=True):
            array[:] = values


@twin_of(_serve_plainly)
def _serve(cases: Any, workers: Any, served: Any, line: Any, until: float, room: int, held: int) -> None:
    arrival, rank, service, patient_until = cases
    free, number = workers
    state, start, server = served
    waiting, coming, n = 0, 0, len(arrival)
    while True:
        now = free[0]
        while coming < n and arrival[coming] < now:
            if coming >= held and waiting >= room:
                waiting -= _clear(line, patient_until, arrival[coming], state)
            if coming >= held and waiting >= room:
                state[coming] = BLOCKED
            else:
                _join(coming, rank[coming], line)
                waiting += 1
            coming += 1
        if now >= until:
            return
        case, gone = _call(line, patient_until, now, state)
        waiting -= gone
        if case != NOBODY:
            waiting -= 1
        elif coming < n:
            case, now = coming, arrival[coming]
            coming += 1
        else:
            return
        state[case], start[case], server[case] = SERVED, now, number[0]
        _busy_until(now + service[case], free, number)
