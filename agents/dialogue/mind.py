"""What callers have in mind during a session, as columns, and as arrays of those who are at the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.dialogue.agenda import Agenda, items
from rehearse.agents.dialogue.goals import Drawn
from rehearse.columns import Columns, Rows
from rehearse.dialogue.acts import NO_ACT, SPOKEN, Act, Acts, code, packed, silence
from rehearse.dialogue.domain import Domain, Values

Flags = NDArray[np.bool_]
GOAL = 10
"""Acts that tell a goal, at most."""
UNHEARD, NONSENSE = -1, -3
"""In `heard`: no answer yet; an answer that is no value of the domain."""
COLUMNS = {
    "want": "goal_now", "spare": "goal_spare", "asks": "goal_asks", "books": "goal_books", "heard": "answers",
    "venue": "venue", "confirmed": "confirmed", "ranks": "agenda", "said": "said_last",
    "answer": "heard_last", "repeats": "repeats", "once": "once", "ending": "ending", "due": "due",
    "patience": "patience", "patience_max": "patience_max",
}  # fmt: skip
"""The columns that hold what is in a mind."""


@dataclass(slots=True)
class Mind:
    """The minds of n people at the table; written back by `store`."""

    want: Values
    """The goal as it is now, (n, slots): constraints and details of a booking; -1 anything."""
    spare: Values
    """What is wanted instead where nothing fits."""
    asks: Flags
    books: Flags
    heard: Values
    """What was answered about the venue, (n, slots)."""
    venue: NDArray[np.int16]
    """The entity that was recommended and accepted, or -1."""
    confirmed: Flags
    """The assistant said that it is booked."""
    ranks: NDArray[np.int16]
    said: Acts
    answer: Acts
    repeats: NDArray[np.int8]
    once: Flags
    """Has asked for an alternative, or changed the goal, though satisfied."""
    ending: NDArray[np.int8]
    """Why the person is about to say goodbye without having got all, as an `End`; 0: is not."""
    due: NDArray[np.int32]
    """Which items of the menu would bring the person on now, as bits."""
    patience: NDArray[np.float32]
    patience_max: NDArray[np.float32]

    def __len__(self) -> int:
        """Return how many people these are."""
        return len(self.venue)

    @classmethod
    def of(cls, columns: Columns, rows: Rows) -> Self:
        """Return what some people have in mind, copied."""
        return cls(**{name: _raw(columns, column).take(rows, axis=0) for name, column in COLUMNS.items()})

    def store(self, columns: Columns, rows: Rows) -> None:
        """Write it back."""
        for name, column in COLUMNS.items():
            _raw(columns, column)[rows] = getattr(self, name)

    @property
    def agenda(self) -> Agenda:
        """Return the agendas."""
        return Agenda(self.ranks, self.want.shape[1])

    @property
    def open_questions(self) -> Flags:
        """Return what was not answered yet, (n, slots)."""
        return np.asarray(self.asks & (self.heard == UNHEARD))

    @property
    def complete(self) -> Flags:
        """Tell who has got all, as far as they know."""
        booked = ~self.books | self.confirmed
        return np.asarray((self.venue >= 0) & booked & ~self.open_questions.any(axis=1))

    @property
    def goal(self) -> Acts:
        """Return the goal as acts: constraints, questions, a booking."""
        slots = np.arange(self.want.shape[1])
        wants = code(np.where(self.want >= 0, Act.INFORM, NO_ACT), slots, self.want)
        asks = code(np.where(self.asks, Act.REQUEST, NO_ACT), slots)
        books = code(np.where(self.books, Act.BOOK, NO_ACT))[:, None]
        return packed(np.concatenate([wants, asks, books], axis=1), GOAL)

    @property
    def progress(self) -> NDArray[np.float32]:
        """Return the part of the venue, the answers and the booking that people have got."""
        done = (self.venue >= 0).astype(np.int32) + (self.books & self.confirmed)
        done += (self.asks & (self.heard != UNHEARD)).sum(axis=1)
        return np.asarray(done / (1 + self.books + self.asks.sum(axis=1)), dtype=np.float32)


def add_columns(columns: Columns, domain: Domain) -> None:
    """Give people room for what they have in mind, and the assistant for what it knows of them."""
    n, slots = columns.length, len(domain.slots)
    for name in ("goal_now", "goal_spare", "answers", "belief_known"):
        columns[name] = np.full((n, slots), -1, dtype=np.int16)
    for name in ("goal_asks", "belief_asked"):
        columns[name] = np.zeros((n, slots), dtype=np.bool_)
    for name in ("venue", "belief_venue", "booked"):
        columns[name] = np.full(n, -1, dtype=np.int16)
    for name in ("goal_books", "confirmed", "once"):
        columns[name] = np.zeros(n, dtype=np.bool_)
    columns["booked_for"] = np.full((n, max(domain.booking, 1)), -1, dtype=np.int16)
    columns["agenda"] = np.zeros((n, items(domain)), dtype=np.int16)
    for name in ("said_last", "heard_last"):
        columns[name] = silence(n, SPOKEN)
    for name in ("repeats", "ending", "success"):
        columns[name] = np.zeros(n, dtype=np.int8)
    columns["due"] = np.zeros(n, dtype=np.int32)


def begin(columns: Columns, rows: Rows, goals: Drawn) -> Mind:
    """Let a session begin with these goals and nothing said; return the minds, which are not stored yet."""
    for name, column in columns.items():
        if name in _FRESH:
            column[rows] = _FRESH[name]
    mind = Mind.of(columns, rows)
    mind.want, mind.spare, mind.asks, mind.books = goals.want, goals.spare, goals.asks, goals.books
    return mind


_FRESH: dict[str, Any] = dict.fromkeys(
    (
        "goal_spare",
        "answers",
        "belief_known",
        "venue",
        "belief_venue",
        "booked",
        "booked_for",
        "said_last",
        "heard_last",
    ),
    -1,
) | dict.fromkeys(("belief_asked", "confirmed", "once", "agenda", "repeats", "ending", "success", "due"), 0)


def _raw(columns: Columns, name: str) -> NDArray[Any]:
    return columns[name]
