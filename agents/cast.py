"""People written in Python: columns that grow as they join, and the five steps asked of them one by one.

A class derived from `Client` says what a person does when they meet the decision model; the kernel,
the model's seam and the record are those of every rehearsal. It serves some thousand people; more
are a job for columns.

Columns: what the classes annotate, and what every population has (`contract.Users`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from rehearse.agents.attributes import Attribute
from rehearse.agents.blocks import raw
from rehearse.agents.ties import Ties
from rehearse.agents.user import User
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import (
    NOTHING,
    Codes,
    Decisions,
    End,
    Fault,
    Flags,
    Offer,
    Outcomes,
    Requests,
    Responses,
    Turn,
    unanswered,
)
from rehearse.errors import ContractError, did_you_mean
from rehearse.exact import Floats, sigmoid

if TYPE_CHECKING:
    from rehearse.agents.model import Rehearsal

HAVE = {
    "user": Attribute(np.dtype(np.int64), 0),
    "replica": Attribute(np.dtype(np.int32), 0),
    "alive": Attribute(np.dtype(np.bool_), default=False),
    "kind": Attribute(np.dtype(np.int16), 0),
    "group": Attribute(np.dtype(np.int8), 0),
    "session": Attribute(np.dtype(np.int32), -1),
    "satisfaction": Attribute(np.dtype(np.float32), 0.5),
    "patience": Attribute(np.dtype(np.float32), 1.0),
    "progress": Attribute(np.dtype(np.float32), 0.0),
}
"""What everybody has, whatever their class."""


class Client(User):
    """A person who meets the decision model of their `Rehearsal`: what they do in the five steps.

    A session is one turn. People whose class is no `Client` never meet the model.
    """

    def opens(self) -> bool:
        """Tell whether they turn to the model in this tick."""
        return True

    def offered(self) -> Collection[str] | None:
        """Return which of the model's items this person can have now; None: all."""
        return None

    def tells(self) -> Mapping[str, float]:
        """Return what the model may see, by the names of `Rehearsal.features`; attributes by default."""
        return {name: getattr(self, name) for name in self.model.features}

    def worth(self, item: str) -> float:
        """Return what an item is truly worth to them now: what regret is measured in."""
        del item
        return 0.0

    def chooses(self, slate: Sequence[str]) -> str | None:
        """Return what they take of the items that the model proposes, best first; None: nothing."""
        return slate[0]

    def settles(self, item: str) -> float:
        """Let follow what follows when they have taken an item; return the operator's reward."""
        del item
        return 0.0


class Cast:
    """People as objects of Python classes, as the engine meets them (`contract.Users`)."""

    coupled = True
    groups: tuple[str, ...] = ("everybody",)
    model: Rehearsal

    def __init__(self, features: tuple[str, ...], replica: int) -> None:
        """Begin with nobody."""
        self.columns = Columns({name: has.fill(0) for name, has in HAVE.items()})
        self.columns["taste"] = np.zeros((0, 0), dtype=np.float32)
        self.feature_names = features
        self.replica = replica
        self.kinds: list[type[User]] = []
        self.ties: Ties | None = None
        self._fills: dict[str, Attribute] = dict(HAVE)
        self._joined = 0

    def reserve(self, n: int) -> None:
        """Make room for n people; raises ContractError for fewer than none."""
        if n < 0:
            problem = f"{n} people were to join."
            raise ContractError(problem, "Say how many, from 0.")
        old, columns = self.columns.length, self.columns
        columns.length = max(old, self._joined + n)
        for name in columns:
            columns[name] = np.concatenate([columns[name], self._more(name, columns.length - old)])
        columns["user"][old:] = np.arange(old, columns.length)
        columns["replica"][old:] = self.replica

    def join(self, cls: type[User]) -> int:
        """Return the row of one who joins."""
        if self._joined == self.columns.length:
            self.reserve(1)
        if cls not in self.kinds:
            self._meet(cls)
        row, self._joined = self._joined, self._joined + 1
        for name, has in cls.attributes.items():
            if self._fills[name] is not has:
                self.columns[name][row] = has.fill(1)[0]
        self.columns["kind"][row] = self.kinds.index(cls)
        self.columns["alive"][row] = True
        return row

    def kind_of(self, row: int) -> type[User]:
        """Return the class of the person in a row."""
        return self.kinds[int(self.columns["kind"][row])]

    def open(self, tick: int) -> Rows:
        """Return who turns to the model; in an order by chance where they come one by one."""
        if not self.model.world.items:
            return np.zeros(0, dtype=np.int64)
        living = self.model.handles(np.flatnonzero(self.columns["alive"]))
        rows = np.array([u.row for u in living if isinstance(u, Client) and u.opens()], dtype=np.int64)
        raw(self.columns, "session")[rows] += 1
        if self.model.one_by_one:
            chance, user = self.model.simulation.chance, self.columns["user"].take(rows)
            drawn = chance.uniform("order", self.replica, user, tick=tick)[:, 0]
            rows = rows.take(np.argsort(drawn, kind="stable"))
        return rows

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person tells the model."""
        told = np.array([self._told(client) for client in self._clients(turn)], dtype=np.float32)
        return Requests(
            names=self.feature_names,
            features=told.reshape(len(turn), len(self.feature_names)),
            items=self.model.items,
            replica=turn.replica,
            user=turn.user,
            tick=turn.tick,
            turn=turn.turn,
            intent=np.zeros(len(turn), dtype=np.int8),
            group=np.asarray(self.columns["group"].take(turn.rows), dtype=np.int8),
            shown=np.full((len(turn), 1), NOTHING, dtype=np.int32),
            available=offer.available,
        )

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Let each choose."""
        del offer
        items = self.model.items
        slates = [[i for i in slate if i != NOTHING] for slate in decisions.slate.tolist()]
        choice = np.full(len(turn), NOTHING, dtype=np.int32)
        for i, (client, slate) in enumerate(zip(self._clients(turn), slates, strict=True)):
            taken = client.chooses([items[j] for j in slate]) if slate else None
            choice[i] = NOTHING if taken is None else self.place(taken)
        position = [s.index(c) if c in s else NOTHING for s, c in zip(slates, choice.tolist(), strict=True)]
        failed = decisions.fault != Fault.NONE
        heard = np.where(choice >= 0, End.GOAL_MET, End.ABANDONED)
        end = np.where(failed, unanswered(decisions.fault), heard)
        return Responses(
            choice=choice,
            position=np.array(position, dtype=np.int8),
            utility=np.full(len(turn), np.nan, dtype=np.float32),
            end=end.astype(np.int8),
        )

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Do nothing: what people remember they write down themselves, in `settles`."""

    def close(self, turn: Turn, end: Codes) -> None:
        """Do nothing: a session is one turn."""

    def socialise(self, tick: int) -> None:
        """Do nothing: whom people meet stands in the `step` of their model."""

    def live(self, tick: int) -> None:
        """Do nothing, for the same reason."""

    def summary(self) -> dict[str, Floats]:
        """Return the measures of the model, each of shape (1,)."""
        return {name: np.array([value], dtype=np.float64) for name, value in self.model.measures().items()}

    def place(self, item: str) -> int:
        """Return an item's number; raises ContractError where there is no such item."""
        if item not in self.model.items:
            problem = f"there is no item {item!r}."
            raise ContractError(problem, did_you_mean(str(item), self.model.items))
        return self.model.items.index(item)

    def _clients(self, turn: Turn) -> list[Client]:
        return cast("list[Client]", self.model.handles(turn.rows))

    def _told(self, client: Client) -> list[float]:
        told = client.tells()
        if set(told) != set(self.feature_names):
            problem = f"{client!r} tells {sorted(told)}, where features are {sorted(self.feature_names)}."
            raise ContractError(problem, "Name in `features` of the model what its people tell.")
        return [float(told[name]) for name in self.feature_names]

    def _meet(self, cls: type[User]) -> None:
        for name, has in cls.attributes.items():
            known = self._fills.setdefault(name, has)
            if known.kind != has.kind:
                problem = f"{cls.__name__}.{name} is {has.kind}, and {known.kind} for other people."
                raise ContractError(problem, "Give it another name.")
            if name not in self.columns:
                self.columns[name] = has.fill(self.columns.length)
        self.kinds.append(cls)

    def _more(self, name: str, rows: int) -> Array:
        if name in self._fills:
            return self._fills[name].fill(rows)
        column = self.columns[name]
        return np.zeros((rows, *column.shape[1:]), dtype=column.dtype)


class Desk:
    """Where people written in Python meet the model: they know themselves what follows (`contract.World`)."""

    name = "people"
    attributes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    coupled = False

    def __init__(self, items: tuple[str, ...], people: Cast) -> None:
        """Take what the model can propose, and the people."""
        self.items = items
        self._people = people

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out what each person can have."""
        del people
        n, m = len(turn), len(self.items)
        offered = [client.offered() for client in self._clients(turn)]
        available: Flags | None = None
        if any(items is not None for items in offered):
            available = np.ones((n, m), dtype=np.bool_)
            for i, items in enumerate(offered):
                if items is not None:
                    available[i] = [item in items for item in self.items]
        return Offer(np.zeros((m, 0)), np.zeros((n, 0), dtype=np.float32), available)

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let follow what follows from what people took, one after another."""
        worth = self.truth(turn, people, offer)
        ideal = worth.argmax(axis=1)
        rows, answered = np.arange(len(turn)), decisions.action != NOTHING
        regret = worth[rows, ideal] - worth[rows, np.maximum(decisions.action, 0)]
        felt = sigmoid(worth[rows, np.maximum(responses.choice, 0)])
        reward = [
            0.0 if taken == NOTHING else client.settles(self.items[taken])
            for client, taken in zip(self._clients(turn), responses.choice.tolist(), strict=True)
        ]
        return Outcomes(
            reward=np.array(reward, dtype=np.float32),
            experience=np.where(responses.choice >= 0, felt, np.nan).astype(np.float32),
            ideal=ideal.astype(np.int32),
            regret=np.where(answered, regret, np.nan).astype(np.float32),
            right=np.where(answered, regret <= 0.0, -1).astype(np.int8),
        )

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what each item is truly worth to each person, shape (n, m); -inf where it cannot be had."""
        del people
        worth = np.array([[client.worth(i) for i in self.items] for client in self._clients(turn)])
        worth = worth.reshape(len(turn), len(self.items)).astype(np.float64)
        return worth if offer.available is None else np.where(offer.available, worth, -np.inf)

    def table(self) -> Columns | None:
        """Return None: there is no data."""
        return None

    def drift(self, tick: int) -> list[str]:
        """Change nothing."""
        del tick
        return []

    def state(self) -> dict[str, Array]:
        """Return nothing: what changes are the people."""
        return {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take nothing back."""

    def _clients(self, turn: Turn) -> list[Client]:
        return cast("list[Client]", self._people.model.handles(turn.rows))


class Unasked:
    """Stands for a decision model where there is none (`contract.Policy`)."""

    name, version = "nobody", "1"

    def decide(self, requests: Requests) -> Decisions:
        """Give no answer."""
        return Decisions.of(np.full(len(requests), NOTHING))
