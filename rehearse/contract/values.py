"""What passes in a turn: plain columns in frozen dataclasses, a row a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance, Words
from rehearse.columns import Array, Rows, everywhere, some
from rehearse.contract.codes import NOTHING, Codes, End, Flags, Ints, Singles, nothing_of
from rehearse.dialogue.talk import Reply, Said, Talk
from rehearse.errors import ContractError, did_you_mean
from rehearse.exact import Floats


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
        return self.chance.bits(purpose, self.replica, self.user, tick=self.tick, turn=self.turn, count=count)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a policy may know before the first turn: the names of everything, and how many societies."""

    items: tuple[str, ...]
    features: tuple[str, ...]
    """The names of `Requests.features`."""
    groups: tuple[str, ...]
    replicas: Ints
    """The numbers of the independent societies (not always 0, 1, …: one may be run alone)."""
    slate: int = 1
    """How many items may be proposed at a time."""
    seed: int = 0
    people: int = 0
    """How many people there are in each society, with ids from 0; 0: not known."""
    ties: Network | None = None
    """Who knew whom at the start, for built-in models that look at friends; None: nobody knows anybody."""
    deadline_ms: float = 10_000.0
    """How long people wait for an answer."""


@dataclass(frozen=True, slots=True)
class Network:
    """Who listens to whom, as compressed sparse rows over the people of all societies, by society and id."""

    indptr: NDArray[np.int64]
    """Where each person's friends begin in `friends`, shape (societies · people + 1,)."""
    friends: NDArray[np.integer[Any]]
    """Positions of friends, ascending for each person."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Step 1: what the world sets out."""

    attributes: NDArray[np.floating[Any]]
    """Of the items: (m, d) where all people face the same, (n, m, d) where each faces their own."""
    features: Singles
    """What a model may see of the situation, shape (n, f); named by `World.features`."""
    available: Flags | None = None
    """Which items can be had by whom, shape (n, m); None: all."""
    beside: Floats | None = None
    """What people expect of items beside taste · attributes, shape (n, m); None: nothing."""
    catalogue: Floats | None = None
    """What models may know of the items themselves, alike for all, shape (m, c); None: nothing."""

    def take(self, index: Rows) -> Offer:
        """Return the offer to the people at some positions of the block."""
        shared = self.attributes.ndim == 2
        return Offer(
            attributes=self.attributes if shared else self.attributes.take(index, axis=0),
            features=some(self.features, index),
            available=None if self.available is None else some(self.available, index),
            beside=None if self.beside is None else self.beside.take(index, axis=0),
            catalogue=self.catalogue,
        )

    def one(self, item: Ints, attribute: int) -> Floats:
        """Return one attribute of one item each, shape (n,); item 0's where there is none."""
        places = np.maximum(item, 0)
        if self.attributes.ndim == 2:
            return np.asarray(self.attributes[:, attribute].take(places), dtype=np.float64)
        return np.asarray(self.attributes[np.arange(len(item)), places, attribute], dtype=np.float64)

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
    noised: Codes | None = None
    """How many features noise made other than they are, shape (n,); None: there is no noise."""
    catalogue: Floats | None = field(default=None, repr=False)
    """What is known of the items themselves, the same for all people, shape (m, c); None: nothing."""
    chance: Chance | None = field(default=None, repr=False)
    truth: Callable[[Rows], Floats] | None = field(default=None, repr=False)
    """Only for a policy that says `sees_truth`: given positions in this batch, the true utilities (·, m)."""
    talk: Talk | None = None
    """What people say in words, where the world is a dialogue."""

    def __len__(self) -> int:
        """Return how many people ask."""
        return len(self.user)

    def __getitem__(self, name: str) -> Singles:
        """Return a feature by its name, shape (n,); raises ContractError where models see no such feature."""
        if name not in self.names:
            problem = f"models cannot see a feature {name!r} here."
            raise ContractError(problem, did_you_mean(str(name), self.names))
        return self.features[:, self.names.index(name)]

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
            available=None if self.available is None else some(self.available, index),
            noised=None if self.noised is None else self.noised.take(index),
            truth=inner,
            talk=None if self.talk is None else self.talk.take(index),
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
    reply: Reply | None = None
    """What a model says in acts or words of its own, in a dialogue; None: the item says all."""
    detail: Mapping[str, Array] = field(default_factory=dict)
    """More columns for the record, of a policy made of others, by name, each of shape (n,)."""

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
        columns: dict[str, Any] = {}
        for name, (value, kind) in neutral.items():
            found = given.pop(name, None)
            # What is not given is one number told once (stride 0), not an array of copies.
            if found is None or np.ndim(found) == 0:
                columns[name] = everywhere(value if found is None else found, len(places), kind)
            else:
                columns[name] = np.broadcast_to(np.asarray(found, kind), len(places))
        if given:
            problem = f"Decisions.of got columns {sorted(given)} that decisions do not have."
            raise ContractError(problem, f"Known: {', '.join(neutral)}.")
        return cls(slate=places, **columns)

    def take(self, index: Rows) -> Self:
        """Return the decisions at some positions."""
        parts: dict[str, Any] = {n: getattr(self, n).take(index, axis=0) for n in self.columns()}
        parts["reply"] = None if self.reply is None else self.reply.take(index)
        parts["detail"] = {n: a.take(index) for n, a in self.detail.items()}
        return type(self)(**parts)

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the columns: all but the reply and what is told in detail."""
        return tuple(f.name for f in fields(cls) if f.name not in {"reply", "detail"})

    def first(self, places: int) -> Self:
        """Return the decisions with slates of so many places at most."""
        return self if self.slate.shape[1] <= places else replace(self, slate=self.slate[:, :places])

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """Put parts one below the other; slates are padded with -1 to the widest."""
        if len(parts) == 1:
            return parts[0]
        widest = max(p.slate.shape[1] for p in parts)
        slates = [
            np.pad(p.slate, ((0, 0), (0, widest - p.slate.shape[1])), constant_values=NOTHING) for p in parts
        ]
        rest = {name: np.concatenate([getattr(p, name) for p in parts]) for name in cls.columns()[1:]}
        reply = Reply.join([(len(p), p.reply) for p in parts])
        detail = {name: _told(name, parts) for name in dict.fromkeys(n for p in parts for n in p.detail)}
        return cls(slate=np.concatenate(slates), **rest, reply=reply, detail=detail)


def _told(name: str, parts: Sequence[Decisions]) -> Array:
    """Return a column of detail over all parts; blank in those that do not tell it."""
    kind = next(p.detail[name].dtype for p in parts if name in p.detail)
    return np.concatenate(
        [p.detail[name] if name in p.detail else np.full(len(p), nothing_of(kind), kind) for p in parts]
    )


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
    seconds: Singles | None = None
    """What the turn took them, in simulated seconds; None: as long as the scenario's time says."""
    said: Said | None = None
    """What passed in words, where the world is a dialogue: kept in a side table of the record."""

    def without(self, missed: Flags | None) -> Responses:
        """Return what came of it: who missed what they took has taken nothing, and met no goal by it."""
        if missed is None:
            return self
        return replace(
            self,
            choice=np.where(missed, np.int32(NOTHING), self.choice),
            position=np.where(missed, NOTHING, self.position).astype(self.position.dtype),
            utility=np.where(missed, np.float32(np.nan), self.utility),
            end=np.where(missed & (self.end == End.GOAL_MET), End.NONE, self.end).astype(self.end.dtype),
        )


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
    label: Codes | None = None
    """What came out, which a supervised model would learn from: 1 or 0, -1 where nobody got to see it."""
    missed: Flags | None = None
    """Who took something and did not get it, since it was gone: they are recorded as having taken nothing,
    and their goal is not met. None: everybody got what they took."""
    becomes: Mapping[str, Array] = field(default_factory=dict)
    """What people are from now on: columns of theirs by name, each of shape (n, …), that they take over
    when they remember. Those of one number a person are recorded with the turn."""
    end: Codes | None = None
    """Why the world ends a session here (an `End`), whatever the person meant to do; NONE elsewhere."""
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
