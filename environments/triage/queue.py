"""A queue: cases come in continuous time, a model gives each a class, finite workers serve them.

Time is counted in units of your own (hours, say); a tick is `span` of them. With arrival a_i, service
time s_i, true urgency u_i (0 the most urgent), and the class k_i that the model gives:

    arrivals       Poisson, or Hawkes with exponential kernel                         arrivals.py
    service        c workers, without interruption; class by class, in a class first come first served
                   (Cobham 1954: non-preemptive priority)                             events.py
    impatience     leaves unless service began before a_i + L_i (Palm 1957; L: the trait `leaves_after`)
    harm           comes to harm, and is out, unless served before a_i + H_i (`harmed_after`)
    what is seen   u_i + bias_group + error · ε_i, ε normal, measured once a case
    truth          −under · (k − u)⁺ − over · (u − k)⁺ for class k of case i; `home` counts as one class
                   more, and −home · (u_home − u) instead where somebody needs care
    ideal          the class of the true urgency: truth 0 there, so regret = −truth of the action
    cost           waiting_i = so much a time unit by true urgency, for the time waited in this tick
    harm           severity by true urgency, when harm has come
    experience     comfort / (comfort + wait) for who is served, 0 for who is not

The model is asked once a tick about each case that comes in it, and again about each that still waits
when a tick begins: a class holds from the case's arrival, or from the start of the tick. A case that
gets no answer waits in the last class. Who is sent home, leaves or finds no place to wait finds help
elsewhere after `care_after`; if H_i ends before that, harm comes to them too. A drift of `workers` (rounded,
at least 1) lets workers come (free at once) and go (after the case in hand) with the start of a tick.

Arrival, service and patience belong to the case (people.traits `urgency`, `service`, and where wanted
`leaves_after` and `harmed_after`, all from arrival, in time units): whatever the model does, the same
cases come at the same moments. It departs from hospital models in that a worker is like any other,
travel and handover take no time, and that harm ends a case's part in the queue.

Columns of a turn, besides those of every world: `arrival`; `sim_time`, the moment within the tick from
which the class holds; `wait`, `service` (how long it takes) and `server` (a number) where service began
in this tick; `served` (1: it began; 0: left, harmed, sent home or turned away; NaN: waits); `status` (a
position in STATUS); `urgency`, the true one; `label`, whether the case was of the most urgent class,
known of who was served. Of the people, `status`, `wait` and `server` stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import Decisions, Flags, Offer, Outcomes, Responses, Turn
from rehearse.environments.triage.arrivals import arrival_times
from rehearse.environments.triage.events import Workers
from rehearse.environments.triage.passing import STATUS, Passed, societies, urgency_of
from rehearse.environments.triage.settings import Settings, Worth
from rehearse.environments.triage.table import read_cases
from rehearse.errors import DataError, ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

WORKERS = "workers"
FEATURES = ("urgency_seen", "waited", "in_queue", "busy")
LAST_TICK = 2**31 - 1


def build(settings: Mapping[str, Any], data: Path | None, drift: tuple[Drift, ...], chance: Chance) -> Queue:
    """Return the world; raises ScenarioError or DataError for what does not fit."""
    checked = check(Settings, dict(settings), under="world.settings")
    table = None if data is None else read_cases(data, checked.classes, checked.home)
    return Queue(checked, table, drift, chance)


class Queue:
    """Cases that wait for workers (`contract.World`); see the module's docstring."""

    name = "triage-v1"
    attributes: tuple[str, ...] = ()
    features: tuple[str, ...] = FEATURES
    needs: tuple[str, ...] = ("urgency", "service")
    coupled = True
    may_change = ("waiting", "severity", "care_after", "loss", "reward", "comfort", "room")
    """Settings that may differ from some tick on, where a run forks off."""
    status = STATUS
    bytes_per_user = 0

    def __init__(
        self, settings: Settings, table: Columns | None, drift: tuple[Drift, ...], chance: Chance
    ) -> None:
        self.items = settings.classes + (() if settings.home is None else (settings.home,))
        self.refusals = () if settings.home is None else (settings.home,)
        self._settings, self._table, self._chance = settings, table, chance
        self._worth = Worth.of(settings)
        self._moves = Moves(drift, (WORKERS,), "the world triage-v1 (kind: queue)")
        self._workers: dict[int, Workers] = {}

    def comings(self, count: int, replicas: NDArray[np.int32]) -> tuple[Floats, NDArray[np.int32]]:
        """Return when each of `count` cases of each society comes, and in which tick: (replicas, count).

        Raises DataError where a table of cases has fewer rows.
        """
        if self._table is None:
            times = arrival_times(self._settings.arrivals, count, self._chance, replicas)
        else:
            if count > self._table.length:
                problem = f"people.count is {count:,}, and the table has {self._table.length:,} cases."
                raise DataError(problem, "Ask for as many people as there are cases, or fewer (--users).")
            times = np.tile(self._table.numbers("arrival")[:count], (len(replicas), 1))
        span = self._settings.span
        tick = np.minimum(np.floor(times / span), LAST_TICK)
        tick += times >= (tick + 1.0) * span  # a quotient may be rounded over the edge
        tick -= times < tick * span
        return times, np.minimum(tick, LAST_TICK).astype(np.int32)

    def begin(self, replicas: NDArray[np.int32]) -> None:
        """Hear which societies there are: each has workers of its own, all free."""
        self._workers = {replica: self._fresh() for replica in replicas.tolist()}

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the classes, and what is seen of each case; ScenarioError for people who are no cases."""
        if "arrival" not in people:
            problem = "cases come to the world triage-v1 (kind: queue), and people.model gives none."
            raise ScenarioError(problem, "Write people.model: cases-v1.")
        begin, n = turn.tick * self._settings.span, len(turn)
        arrival = people.numbers("arrival", turn.rows)
        features = np.empty((n, len(FEATURES)), dtype=np.float32)
        features[:, 0] = self._seen(turn, people)
        features[:, 1] = np.maximum(begin - arrival, 0.0)
        features[:, 2], features[:, 3] = self._crowding(turn, arrival < begin, begin)
        return Offer(attributes=np.zeros((len(self.items), 0)), features=features)

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what each class is worth for each case, shape (n, m); 0 for the right one."""
        return self._worth.utility.take(urgency_of(turn, people, self._settings.urgencies), axis=0)

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let the tick pass, event by event."""
        stays = np.ones(len(turn), dtype=np.bool_)
        if self._settings.home is not None:
            stays = decisions.action != len(self.items) - 1
        last = len(self._settings.classes) - 1
        rank = np.where(responses.choice >= 0, responses.choice, last).astype(np.int64)
        passed = Passed(self._settings, self._team, turn, people, stays=stays, rank=rank)
        return passed.outcomes(decisions, self._worth)

    def table(self) -> Columns | None:
        """Return the cases of the data file, a row a case in the order of arrival, or None."""
        return self._table

    def drift(self, tick: int) -> list[str]:
        """Let workers come and go as scheduled for the start of this tick."""
        said = self._moves.enter(tick)
        for team in self._workers.values():
            team.become(self._count, tick * self._settings.span)
        return said

    def state(self) -> dict[str, Array]:
        """Return the tick, and when each worker of each society will be free."""
        numbers = sorted(self._workers)
        shape = (len(numbers), self._count)
        return {
            **self._moves.state(),
            "replica": np.array(numbers, dtype=np.int64),
            "free": np.array([self._workers[r].free for r in numbers], dtype=np.float64).reshape(shape),
            "number": np.array([self._workers[r].number for r in numbers], dtype=np.int64).reshape(shape),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)
        free, number = np.array(state["free"], dtype=np.float64), np.array(state["number"], dtype=np.int64)
        replicas = np.asarray(state["replica"], dtype=np.int64).tolist()
        self._workers = {r: Workers(free[i], number[i]) for i, r in enumerate(replicas)}

    @property
    def _count(self) -> int:
        return max(1, round(self._moves.now(WORKERS, float(self._settings.workers))))

    def _fresh(self) -> Workers:
        return Workers(np.zeros(self._count), np.arange(self._count))

    def _team(self, replica: int) -> Workers:
        """Return the workers of a society, all free at first."""
        if replica not in self._workers:
            self._workers[replica] = self._fresh()
        return self._workers[replica]

    def _seen(self, turn: Turn, people: Columns) -> Floats:
        seen = people.numbers("urgency", turn.rows)
        if self._settings.error > 0.0:
            noise = turn.chance.normal("triage/seen", turn.replica, turn.user)[:, 0]
            seen = seen + self._settings.error * noise
        if self._settings.bias:
            group = np.asarray(people["group"].take(turn.rows), dtype=np.int64)
            bias = np.asarray(self._settings.bias)
            seen = seen + np.where(group < len(bias), bias.take(np.minimum(group, len(bias) - 1)), 0.0)
        return seen

    def _crowding(self, turn: Turn, waits: Flags, begin: float) -> tuple[Floats, Floats]:
        """Return how many waited when the tick began, and the share of workers who were busy."""
        in_queue, busy = np.zeros(len(turn)), np.zeros(len(turn))
        for replica, part in societies(turn):
            in_queue[part] = waits[part].sum()
            busy[part] = (self._team(replica).free > begin).mean()
        return in_queue, busy
