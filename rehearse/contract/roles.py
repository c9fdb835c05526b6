"""Who must do what: the world, the users, the policy, and those who watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from rehearse.columns import Array, Columns, Rows
from rehearse.contract.codes import Codes, Ints
from rehearse.contract.feedback import Feedback
from rehearse.contract.values import (
    Decisions,
    Exchange,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Turn,
)
from rehearse.exact import Floats


@runtime_checkable
class World(Protocol):
    """Where decisions have consequences.

    Optional, found by name: `refusals`, the items that give people nothing (a loan refused): nobody
    takes them, whatever they are worth; `apart`, true where societies face different items: it is then
    asked about the people of one society at a time.
    """

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

    The turns of several blocks may alternate: what is kept besides the columns is kept for each block.
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

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
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
    `foreign = True` for code that Rehearse does not vouch for: it gets tiles of one fixed shape;
    `published()`, what the public knows of it (`Publishes`).
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
class Publishes(Protocol):
    """A policy of which the public knows something, which people may answer to (`people.strategy`)."""

    def published(self) -> Mapping[str, Array]:
        """Return what is known of the model in service, by name; what is not told is not known.

        `weight.FEATURE`: how much a unit of a feature (`Requests.names`) adds to the score by which it
        says yes, one number or shape (replicas,); `threshold.FEATURE`: the value from which it says
        yes, one number or shape (replicas,) or (replicas, groups). Replicas ascend, as in `Stage.replicas`.
        """
        ...


@runtime_checkable
class Meets(Protocol):
    """People who know something of the model that decides about them."""

    def meets(self, policy: Policy) -> None:
        """Hear which model is in service from now on."""
        ...


@runtime_checkable
class Begins(Protocol):
    """A world that keeps something of each society, such as its money."""

    def begin(self, replicas: Ints) -> None:
        """Hear the numbers of the societies that there are, before anything else."""
        ...


@runtime_checkable
class Drifts(Protocol):
    """Whatever changes by a schedule: the world, and people where a scenario says so.

    People only say what changes: they make the change in `open`, so that it can be told again.
    """

    def drift(self, tick: int) -> list[str]:
        """Say in a sentence each change that begins, is complete or ends with this tick."""
        ...


@runtime_checkable
class Learner(Remembers, Protocol):
    """A policy that changes with what it caused: it is told each tick's turns when the tick is over."""

    def learn(self, feedback: Feedback) -> None:
        """Take in a tick; what it decides from the next tick on may differ."""
        ...
