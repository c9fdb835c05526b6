"""The contract: what passes between people, world and decision model, and who must do what.

A turn is five steps, each on columns for a block of people at once. With n people in the block and
m items that the world can offer, slates of k:

    1. offer    World.offer(turn, people)                     -> Offer
    2. ask      Users.ask(turn, offer)                        -> Requests
    3. decide   Policy.decide(requests)                       -> Decisions
    4. respond  Users.respond(turn, offer, decisions)         -> Responses
    5. settle   World.settle(turn, people, offer, ...)        -> Outcomes

Then the users remember and the record keeps the turn. Nobody derives from a base class: an object
with the named attributes and methods is a World, Users or Policy. Row i of everything that passes
belongs to the same person; an answer for a row may depend on that row and the moment only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance, Words
from rehearse.columns import Array, Columns, Rows
from rehearse.errors import ContractError
from rehearse.exact import Floats

Ints = NDArray[np.int32]
Codes = NDArray[np.int8]
Singles = NDArray[np.float32]
Flags = NDArray[np.bool_]

NOTHING = -1
"""The item id of no item: an empty place in a slate, a choice of nothing, an unknown truth."""


class Code(IntEnum):
    """A small vocabulary: numbers in columns, words (`Code.words()`) everywhere else."""

    @property
    def word(self) -> str:
        """Return the member's name as it is written in records and reports."""
        return self.name.lower()

    @classmethod
    def words(cls) -> tuple[str, ...]:
        """Return the words in the order of their numbers."""
        return tuple(member.word for member in cls)


class Intent(Code):
    """What a person asks the model for in a turn."""

    FIRST = 0
    """Opens the session: propose something."""
    ANOTHER = 1
    """Took nothing last turn: propose something else."""
    MORE = 2
    """Was served and the goal is not reached yet: go on."""
    RETRY = 3
    """Got no answer last turn (an error): ask again."""


class End(Code):
    """Why a session ended; NONE while it goes on. Success is not implied by a reason."""

    NONE = 0
    GOAL_MET = 1
    ABANDONED = 2
    """Patience was used up, or a setback made the person leave."""
    INFEASIBLE = 3
    """Nothing that was on offer could meet the goal."""
    USER_STOP = 4
    """Left content or busy, with nothing having gone wrong."""
    POLICY_STOP = 5
    TURN_CAP = 6
    TIME_BUDGET = 7
    GUARD = 8
    POLICY_ERROR = 9
    """Left because the model failed to answer."""
    INFRA_ERROR = 10


class Fault(Code):
    """What went wrong with the model's answer to one person; NONE when nothing did."""

    NONE = 0
    RAISED = 1
    WRONG_SHAPE = 2
    NOT_A_NUMBER = 3
    UNKNOWN_ACTION = 4
    TOO_SLOW = 5
    """The simulated latency passed the deadline."""
    INJECTED = 6
    """The scenario made the call fail."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is at the table, and when: the rows of a block and the moment they share."""

    rows: Rows
    """Positions in the population, ascending, shape (n,)."""
    replica: Ints
    """Which independent society each row belongs to, shape (n,)."""
    user: Rows
    """The person's id within the replica, shape (n,)."""
    tick: int
    turn: int
    chance: Chance

    def __len__(self) -> int:
        """Return how many people are at the table."""
        return len(self.rows)

    def where(self, mask: Flags) -> Turn:
        """Return the same moment with some of the people."""
        return replace(self, rows=self.rows[mask], replica=self.replica[mask], user=self.user[mask])

    def take(self, index: Rows) -> Turn:
        """Return the same moment for the people at some positions of the block."""
        return replace(
            self, rows=self.rows.take(index), replica=self.replica.take(index), user=self.user.take(index)
        )

    def uniform(self, purpose: str, count: int = 1) -> Floats:
        """Return this turn's uniform draws for a purpose, shape (n, count)."""
        return self.chance.uniform(
            purpose, self.replica, self.user, tick=self.tick, turn=self.turn, count=count
        )

    def normal(self, purpose: str, count: int = 1) -> Floats:
        """Return this turn's standard normal draws for a purpose, shape (n, count)."""
        return self.chance.normal(
            purpose, self.replica, self.user, tick=self.tick, turn=self.turn, count=count
        )

    def bits(self, purpose: str, count: int = 1) -> Words:
        """Return this turn's random words for a purpose, shape (n, count)."""
        return self.chance.bits(
            purpose, self.replica, self.user, tick=self.tick, turn=self.turn, count=count
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """What a policy may know before the first turn: the names of everything, and how many societies."""

    items: tuple[str, ...]
    features: tuple[str, ...]
    """The names of `Requests.features`."""
    groups: tuple[str, ...]
    replicas: Ints
    """The numbers of the independent societies (not always 0, 1, …: one may be run alone)."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """Step 1: what the world sets out."""

    attributes: NDArray[np.floating[Any]]
    """Of the items: (m, d) where all people face the same, (n, m, d) where each faces their own."""
    features: Singles
    """What a model may see of the situation, shape (n, f); named by `World.features`."""
    available: Flags | None = None
    """Which items can be had by whom, shape (n, m); None: all."""

    def take(self, index: Rows) -> Offer:
        """Return the offer to the people at some positions of the block."""
        shared = self.attributes.ndim == 2
        return Offer(
            attributes=self.attributes if shared else self.attributes.take(index, axis=0),
            features=self.features.take(index, axis=0),
            available=None if self.available is None else self.available.take(index, axis=0),
        )

    def of(self, slate: Ints) -> Floats:
        """Return the attributes of the items in slates (n, k): (n, k, d); item 0's where empty."""
        places = np.maximum(slate, 0)
        if self.attributes.ndim == 2:
            return np.asarray(self.attributes.take(places, axis=0), dtype=np.float64)
        chosen = np.take_along_axis(self.attributes, places[:, :, None], axis=1)
        return np.asarray(chosen, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Requests:
    """Step 2: what people ask, and what the model may see of them (after noise). n rows."""

    names: tuple[str, ...]
    """The names of the features, in the order of their columns."""
    features: Singles
    """Shape (n, f), float32."""
    items: tuple[str, ...]
    """The names of what can be answered; an action is a position in it."""
    replica: Ints
    user: Rows
    tick: int
    turn: int
    intent: Codes
    group: Codes
    """Each person's group: for guards and injected faults; adapters never pass it on to a model."""
    shown: Ints
    """The items shown to this person earlier in this session, newest first, shape (n, s), -1 pads."""
    available: Flags | None = None
    """Shape (n, m); None: everything can be had."""
    chance: Chance | None = field(default=None, repr=False)
    truth: Callable[[Rows], Floats] | None = field(default=None, repr=False)
    """Only for a policy that says `sees_truth`: given positions in this batch, the true utilities (·, m)."""

    def __len__(self) -> int:
        """Return how many people ask."""
        return len(self.user)

    def take(self, index: Rows) -> Requests:
        """Return the requests at some positions, in that order, repeats allowed."""
        truth = self.truth
        inner = None if truth is None else (lambda at: truth(index[at]))
        return replace(
            self,
            features=self.features.take(index, axis=0),
            replica=self.replica.take(index),
            user=self.user.take(index),
            intent=self.intent.take(index),
            group=self.group.take(index),
            shown=self.shown.take(index, axis=0),
            available=None if self.available is None else self.available.take(index, axis=0),
            truth=inner,
        )

    def uniform(self, purpose: str, count: int = 1) -> Floats:
        """Return draws for a policy that needs chance, addressed like everybody's, shape (n, count)."""
        chance = self.chance or Chance(0)
        return chance.uniform(
            f"policy/{purpose}", self.replica, self.user, tick=self.tick, turn=self.turn, count=count
        )


@dataclass(frozen=True, slots=True)
class Decisions:
    """Step 3: what the model answers. n rows."""

    slate: Ints
    """The items offered, best first, shape (n, k); -1 pads; the action is the first."""
    score: Singles
    """The model's score of the action; NaN where it gives none."""
    propensity: Singles
    """The probability with which the model would choose this action; NaN where it gives none."""
    latency: Singles
    """Simulated milliseconds until the answer."""
    version: NDArray[np.int16]
    """Which version of the model answered, counted from 0."""
    rationale: Codes
    """A position in `Policy.rationales`, or -1."""
    fault: Codes
    """A `Fault`; where it is not NONE the slate is empty (all -1)."""
    guard: Codes
    """Which guard changed or vetoed the answer (its position in the scenario), or -1."""
    measured: Singles
    """Wall-clock milliseconds of the call; recorded beside the rest, never felt by anybody."""

    def __len__(self) -> int:
        """Return how many answers there are."""
        return len(self.slate)

    @property
    def action(self) -> Ints:
        """Return the first item of each slate, shape (n,)."""
        return self.slate[:, 0]

    @classmethod
    def of(cls, slate: Array, **given: Array | float | None) -> Self:
        """Make decisions from actions (n,) or slates (n, k); what is not given has its neutral value."""
        places = np.asarray(slate, dtype=np.int32)
        places = places[:, None] if places.ndim == 1 else places
        neutral = {
            "score": (np.nan, np.float32),
            "propensity": (np.nan, np.float32),
            "latency": (0.0, np.float32),
            "version": (0, np.int16),
            "rationale": (NOTHING, np.int8),
            "fault": (0, np.int8),
            "guard": (NOTHING, np.int8),
            "measured": (np.nan, np.float32),
        }
        columns = {}
        for name, (value, kind) in neutral.items():
            found = given.pop(name, None)
            columns[name] = np.array(
                np.broadcast_to(np.asarray(value if found is None else found, dtype=kind), len(places))
            )
        if given:
            problem = f"Decisions.of got columns {sorted(given)} that decisions do not have."
            raise ContractError(problem, f"Known: {', '.join(neutral)}.")
        return cls(slate=places, **columns)

    def take(self, index: Rows) -> Self:
        """Return the decisions at some positions."""
        return type(self)(**{f.name: getattr(self, f.name).take(index, axis=0) for f in fields(self)})

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put parts one below the other; slates are padded with -1 to the widest."""
        if len(parts) == 1:
            return parts[0]
        widest = max(p.slate.shape[1] for p in parts)
        slates = [
            np.pad(p.slate, ((0, 0), (0, widest - p.slate.shape[1])), constant_values=NOTHING) for p in parts
        ]
        rest = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)[1:]}
        return cls(slate=np.concatenate(slates), **rest)


@dataclass(frozen=True, slots=True)
class Responses:
    """Step 4: what people do. n rows."""

    choice: Ints
    """The item taken, or -1."""
    position: Codes
    """Its place in the slate from 0, or -1."""
    utility: Singles
    """What the person expected of the item taken, in utility; NaN where none was taken."""
    end: Codes
    """An `End`: NONE for those who go on."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Step 5: what follows. n rows; None: this world has no such thing."""

    reward: Singles
    """What the operator gains from the turn."""
    experience: Singles
    """How good what was taken turned out, 0 to 1 (.5: as expected); NaN where nothing was taken."""
    ideal: Ints
    """The item that was truly best for the person, or -1."""
    regret: Singles
    """True utility of the ideal item less that of the action, at least 0; NaN without an answer."""
    right: Codes
    """1 if the action was right, 0 if not, -1 if there was no answer to judge."""
    cost: Singles | None = None
    harm: Singles | None = None
    detail: Mapping[str, Array] = field(default_factory=dict)
    """More columns of this world for the record, by name, each of shape (n,)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A whole turn, as it is told to those who watch: all five steps and what people were before."""

    turn: Turn
    requests: Requests
    decisions: Decisions
    responses: Responses
    outcomes: Outcomes
    end: Codes
    """Why the session ended here (an `End`), the kernel's own limits included."""
    sim_time: Singles
    """Simulated seconds since the session began, at the start of the turn, shape (n,)."""
    before: Mapping[str, Singles]
    """Satisfaction, patience and progress before the turn, each of shape (n,)."""
    after: Mapping[str, Singles]
    """The same when the turn was over and remembered."""
    session: Ints
    """The number of each person's session, counted from 0."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a learning policy is told after a tick, in the order (replica, user, turn)."""

    features: Singles
    slate: Ints
    choice: Ints
    reward: Singles
    propensity: Singles
    replica: Ints
    user: Rows
    turn: NDArray[np.int16]
    tick: int


@runtime_checkable
class World(Protocol):
    """Where decisions have consequences."""

    name: str
    items: tuple[str, ...]
    """What can be offered; an item id is a position here."""
    attributes: tuple[str, ...]
    """The d attributes that people have tastes over, in the order of `Offer.attributes`."""
    features: tuple[str, ...]
    """The names of `Offer.features`."""
    needs: tuple[str, ...]
    """The columns (traits) that people must have."""
    coupled: bool
    """True where an answer depends on earlier answers in the same tick: then blocks are whole ticks."""

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out what there is for these people now."""
        ...

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Work out what follows from what people took."""
        ...

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return each person's true utility of every item, shape (n, m)."""
        ...

    def table(self) -> Columns | None:
        """Return the people that the world's own data holds, a row a person, or None."""
        ...

    def drift(self, tick: int) -> list[str]:
        """Apply what is scheduled for the start of this tick; say each change in a sentence."""
        ...

    def state(self) -> dict[str, Array]:
        """Return what must be kept to go on later, as arrays."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        ...


@runtime_checkable
class Users(Protocol):
    """The people: they ask, respond, remember, influence each other and live on.

    `columns` holds at least user (int64), replica (int32), alive (bool), group (int8), session
    (int32: sessions opened so far), satisfaction and progress (float32, 0 to 1), patience (float32,
    turns) and taste (float32, (n, d): the weight of each of the world's attributes).
    """

    columns: Columns
    groups: tuple[str, ...]
    """The names of the codes in column `group`."""
    feature_names: tuple[str, ...]
    """The names of `Requests.features`: the world's, then the visible traits, then the session's."""
    coupled: bool
    """True where people influence one another: then users are not independent samples."""

    def open(self, tick: int) -> Rows:
        """Return who opens a session in this tick, ascending; begins it for them."""
        ...

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person asks, and what the model may see of them."""
        ...

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Choose, be pleased or not, lose patience, leave or go on."""
        ...

    def remember(
        self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes
    ) -> None:
        """Take in how it turned out."""
        ...

    def close(self, turn: Turn, end: Codes) -> None:
        """End the session of these people, each for a reason."""
        ...

    def socialise(self, tick: int) -> None:
        """Influence one another along the graph."""
        ...

    def live(self, tick: int) -> None:
        """Let goals arise, change and expire, memory fade, patience recover, people leave for good."""
        ...

    def summary(self) -> dict[str, Floats]:
        """Return measures of the society now, each of shape (replicas,)."""
        ...


class Watcher(Protocol):
    """Someone who is told what happens: the record, a journey, a learner's notebook."""

    def on_turn(self, exchange: Exchange) -> None:
        """Hear of a turn of one block."""
        ...

    def on_tick(self, tick: int, users: Users) -> None:
        """Hear that a tick is over: all sessions held, people influenced each other and lived on."""
        ...


@runtime_checkable
class Policy(Protocol):
    """The decision model under test. Only `decide` is asked of everyone.

    Optional, found by name: `learn(feedback)` between ticks, with `state()` and `restore(arrays)`
    so that a run resumes; `coupled = True` where answers depend on earlier ones in the same tick;
    `sees_truth = True` for oracles; `rationales`, the words for `Decisions.rationale`;
    `foreign = True` for code that Rehearse does not vouch for: it gets tiles of one fixed shape.
    """

    name: str
    version: str

    def decide(self, requests: Requests) -> Decisions:
        """Answer each request."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """Whatever has a state of its own: it is kept in checkpoints as arrays and taken back."""

    def state(self) -> dict[str, Array]:
        """Return what must be kept to go on later, as arrays."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        ...


@runtime_checkable
class Learner(Remembers, Protocol):
    """A policy that changes with what it caused: it is told each tick's turns when the tick is over."""

    def learn(self, feedback: Feedback) -> None:
        """Take in a tick; what it decides from the next tick on may differ."""
        ...
