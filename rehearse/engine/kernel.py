"""The kernel: ticks of sessions of turns, and nothing else.

A tick is a loop over blocks of people; a block holds its whole session while its state is in the
cache. That equals moving everybody turn by turn, because people meet only between sessions. A
world or policy whose answers depend on earlier answers in the same tick says `coupled`, and the
block is then everybody. Latency, faults, guards and the record wrap the kernel; it has no branch
for any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import (
    Codes,
    Decisions,
    Drifts,
    End,
    Exchange,
    Learner,
    Meets,
    Offer,
    Outcomes,
    Policy,
    Remembers,
    Requests,
    Responses,
    Singles,
    Turn,
    Users,
    Watcher,
    World,
)
from rehearse.engine.feedback import Notebook
from rehearse.engine.machine import keep_memory
from rehearse.scenario.model import Time

BLOCK = 32768
FELT = ("satisfaction", "patience", "progress")
"""The columns of people that a turn may tell of, before and after."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn up to the question: who asks what, of whom the model has to decide."""

    turn: Turn
    clock: Singles
    """Simulated seconds since the session began, shape (n,)."""
    before: Mapping[str, Singles]
    offer: Offer
    requests: Requests


@dataclass(slots=True)
class Simulation:
    """A society meeting a decision model, at the start of a tick."""

    world: World
    users: Users
    policy: Policy
    chance: Chance
    time: Time = field(default_factory=Time)
    block: int = BLOCK
    """People worked on at once; results do not depend on it."""
    tick: int = 0
    """The tick that comes next."""
    watchers: list[Watcher] = field(default_factory=list)
    felt_before: tuple[str, ...] = FELT
    """Which of these columns those who watch are told as they were before a turn."""
    felt_after: tuple[str, ...] = FELT
    marks: list[tuple[int, str]] = field(default_factory=list)
    """What changed in the world so far: the tick and a sentence."""
    scheduled: dict[int, Callable[[Simulation], None]] = field(default_factory=dict)
    """What becomes of the simulation with the start of a tick, where a run forked off from another."""
    notebook: Notebook | None = None

    def __post_init__(self) -> None:
        """Take notes for a policy that learns."""
        keep_memory()
        self.meet(self.policy)

    def meet(self, policy: Policy) -> None:
        """Go on with this policy, taking notes for it if it learns."""
        self.watchers = [watcher for watcher in self.watchers if watcher is not self.notebook]
        self.policy, self.notebook = policy, None
        if isinstance(policy, Learner):
            self.notebook = Notebook()
            self.watchers.append(self.notebook)
        if isinstance(self.users, Meets):
            self.users.meets(policy)

    def advance(self) -> None:
        """Let one tick pass: drift, sessions, influence, life, learning."""
        for rows in self._blocks(self.begin()):
            self._hold_session(rows)
        self.finish()

    def begin(self) -> Rows:
        """Begin a tick; return who opens a session in it."""
        self._begin(self.tick)
        return self.users.open(self.tick)

    def finish(self) -> None:
        """End a tick, of which all sessions were held."""
        self.users.socialise(self.tick)
        self.users.live(self.tick)
        for watcher in self.watchers:
            watcher.on_tick(self.tick, self.users)
        if self.notebook is not None and isinstance(self.policy, Learner):
            self.policy.learn(self.notebook.hand_over(self.tick))
        self.tick += 1

    def state(self) -> dict[str, Array]:
        """Return all that is needed to go on from here, as arrays with prefixed names."""
        parts: dict[str, Mapping[str, Array]] = {"people": self.users.columns, "world": self.world.state()}
        if isinstance(self.policy, Remembers):
            parts["policy"] = self.policy.state()
        if isinstance(self.users, Remembers):
            parts["users"] = self.users.state()
        return {f"{part}/{name}": a for part, arrays in parts.items() for name, a in arrays.items()}

    def restore(self, state: Mapping[str, Array], tick: int) -> None:
        """Go back to what `state` gave at the start of a tick."""
        self.tick = tick
        for name, array in _under(state, "people").items():
            self.users.columns[name] = array
        for past in range(tick):
            self._begin(past)
        self.world.restore(_under(state, "world"))
        if isinstance(self.policy, Remembers):
            self.policy.restore(_under(state, "policy"))
        if isinstance(self.users, Remembers):
            self.users.restore(_under(state, "users"))

    def _begin(self, tick: int) -> None:
        self.scheduled.get(tick, _as_it_was)(self)
        for part in (self.world, self.users):
            if isinstance(part, Drifts):
                self.marks += [(tick, sentence) for sentence in part.drift(tick)]

    def _blocks(self, rows: Rows) -> Iterator[Rows]:
        together = self.world.coupled or getattr(self.policy, "coupled", False)
        size = max(len(rows), 1) if together else self.block
        for some in self._societies(rows) if getattr(self.world, "apart", False) else (rows,):
            for start in range(0, len(some), size):
                yield some[start : start + size]

    def _societies(self, rows: Rows) -> list[Rows]:
        """Return the rows of each society that a world keeps apart, for it serves one at a time."""
        return np.split(rows, np.flatnonzero(np.diff(self.users.columns["replica"].take(rows))) + 1)

    def _hold_session(self, rows: Rows) -> None:
        asked: Asked | None = self.open(rows)
        while asked is not None:
            exchange = self.follow(asked, self.policy.decide(asked.requests))
            asked = self.go_on(exchange)

    def open(self, rows: Rows) -> Asked:
        """Let people ask for the first time in their session."""
        return self._ask(self._seat(rows), np.zeros(len(rows), dtype=np.float32))

    def follow(self, asked: Asked, decisions: Decisions) -> Exchange:
        """Let the turn take its course from the model's answer on; end the sessions that end here."""
        exchange = self._settle(asked, decisions)
        gone = np.flatnonzero(exchange.end != End.NONE)
        self.users.close(exchange.turn.take(gone), exchange.end.take(gone))
        for watcher in self.watchers:
            watcher.on_turn(exchange)
        return exchange

    def go_on(self, exchange: Exchange) -> Asked | None:
        """Let those ask again who are still there after a turn; None: nobody is."""
        here = np.flatnonzero(exchange.end == End.NONE)
        if not len(here):
            return None
        turn = replace(exchange.turn, turn=exchange.turn.turn + 1).take(here)
        return self._ask(turn, self._later(exchange).take(here))

    def _ask(self, turn: Turn, clock: Singles) -> Asked:
        before = _felt(self.users.columns, turn.rows, self.felt_before)
        offer = self.world.offer(turn, self.users.columns)
        return Asked(turn, clock, before, offer, self._requests(turn, offer))

    def _settle(self, asked: Asked, decisions: Decisions) -> Exchange:
        turn, offer, people = asked.turn, asked.offer, self.users.columns
        responses = self.users.respond(turn, offer, decisions)
        outcomes = self.world.settle(turn, people, offer, decisions, responses)
        self.users.remember(turn, decisions, responses, outcomes)
        responses = responses.without(outcomes.missed)
        return Exchange(
            turn=turn,
            requests=asked.requests,
            decisions=decisions,
            responses=responses,
            outcomes=outcomes,
            end=self._ends(turn, asked.clock, decisions, responses, outcomes),
            sim_time=asked.clock,
            before=asked.before,
            after=_felt(people, turn.rows, self.felt_after),
            session=np.asarray(people["session"].take(turn.rows), dtype=np.int32),
        )

    def _requests(self, turn: Turn, offer: Offer) -> Requests:
        requests = replace(self.users.ask(turn, offer), chance=self.chance)
        if not getattr(self.policy, "sees_truth", False):
            return requests
        people = self.users.columns
        return replace(requests, truth=lambda at: self.world.truth(turn.take(at), people, offer.take(at)))

    def _ends(
        self, turn: Turn, clock: Singles, decisions: Decisions, responses: Responses, outcomes: Outcomes
    ) -> Codes:
        end = responses.end.copy()
        if outcomes.end is not None:
            end = np.where(outcomes.end != End.NONE, outcomes.end, end)
        if self.time.budget_s is not None:
            late = clock + self._thinks(responses) + decisions.latency / 1000.0 > self.time.budget_s
            end[(end == End.NONE) & late] = End.TIME_BUDGET
        if turn.turn + 1 >= self.time.max_turns:
            end[end == End.NONE] = End.TURN_CAP
        return end

    def _later(self, exchange: Exchange) -> Singles:
        thinking = self._thinks(exchange.responses)
        passed = np.float32(thinking) + exchange.decisions.latency / np.float32(1000.0)
        return np.asarray(exchange.sim_time + passed, dtype=np.float32)

    def _thinks(self, responses: Responses) -> Singles | float:
        return self.time.think_s if responses.seconds is None else responses.seconds

    def _seat(self, rows: Rows) -> Turn:
        people = self.users.columns
        return Turn(
            rows=rows,
            replica=np.asarray(people["replica"].take(rows), dtype=np.int32),
            user=np.asarray(people["user"].take(rows), dtype=np.int64),
            tick=self.tick,
            turn=0,
            chance=self.chance,
        )


def _as_it_was(simulation: Simulation) -> None:
    """Change nothing."""


def _felt(people: Columns, rows: Rows, names: tuple[str, ...]) -> dict[str, Singles]:
    return {name: np.asarray(people[name].take(rows), dtype=np.float32) for name in names}


def _under(state: Mapping[str, Array], part: str) -> dict[str, Array]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)}
