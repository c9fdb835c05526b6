"""What passes in words: `Talk` with the requests, `Reply` with the decisions, `Said` with the responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Rows, everywhere
from rehearse.dialogue.acts import CALLED, SPOKEN, Acts, DialogueAct, columns_of, silence
from rehearse.dialogue.belief import Belief
from rehearse.dialogue.domain import Domain

if TYPE_CHECKING:
    from rehearse.dialogue.tools import Tools

Keys = NDArray[np.int64]
NO_TEXT = -1


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody said, in acts and in words."""

    by: str
    """user or assistant"""
    acts: tuple[DialogueAct, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of n dialogues as it is recorded, a row each."""

    domain: Domain
    goal: Acts
    """What the people want: constraints as `inform`, questions as `request`, a booking as `book`."""
    meant: Acts
    """What the people meant to say."""
    heard: Acts
    """What came through."""
    answer: Acts
    """What the assistant said."""
    calls: Acts
    """Which tools it called, and what they gave back; see `Domain.call`."""
    text: Keys
    """Keys of the assistant's own words (`Domain.texts`); NO_TEXT where they follow from its acts."""

    def columns(self) -> dict[str, Array]:
        """Return the columns of the record: goal_i, meant_i, heard_i, answer_i, call_i, answer_text."""
        parts = {
            "goal": self.goal,
            "meant": self.meant,
            "heard": self.heard,
            "answer": self.answer,
            "call": self.calls,
        }
        found = {n: a for prefix, codes in parts.items() for n, a in columns_of(prefix, codes).items()}
        own = (self.text != NO_TEXT).any()
        return found | {"answer_text": self.text if own else everywhere(NO_TEXT, len(self.text), np.int64)}


@dataclass(frozen=True, slots=True)
class Passage:
    """An earlier turn of the session, and the rows of the people who had it, ascending."""

    rows: Rows
    said: Said


@dataclass(frozen=True, slots=True)
class Talk:
    """What an assistant hears, and what it can know: a row a person."""

    domain: Domain
    said: Acts
    """What came through of what each person says now."""
    belief: Belief
    """What is known once that was heard."""
    rows: Rows
    past: Sequence[Passage] = ()
    """The earlier turns of the session, the first one first."""
    desks: dict[int, Tools] = field(default_factory=dict, compare=False, repr=False)
    """The tools that were handed out for this batch, by position."""

    def __len__(self) -> int:
        """Return how many people speak."""
        return len(self.said)

    def take(self, index: Rows) -> Talk:
        """Return what some of the people say."""
        return replace(
            self,
            said=self.said.take(index, axis=0),
            belief=self.belief.take(index),
            rows=self.rows.take(index),
            desks={},
        )

    def message(self, i: int) -> Message:
        """Return what a person says now."""
        return _message(self.domain, self.said[i], "user")

    def tools(self, i: int) -> Tools:
        """Return the tools for a person; what they are called for is kept with the answer."""
        from rehearse.dialogue.tools import Tools

        if i not in self.desks:
            self.desks[i] = Tools(self.domain, int(self.belief.booked[i]))
        return self.desks[i]

    def history(self, i: int) -> list[Message]:
        """Return what was said earlier in a person's session, in order."""
        found: list[Message] = []
        for passage in self.past:
            at = int(np.searchsorted(passage.rows, self.rows[i]))
            if at < len(passage.rows) and passage.rows[at] == self.rows[i]:
                said = passage.said
                found.append(_message(self.domain, said.heard[at], "user"))
                own = self.domain.texts.get(int(said.text[at]))
                found.append(_message(self.domain, said.answer[at], "assistant", own))
        return found


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered in acts or words of its own, a row a request."""

    said: Acts
    calls: Acts
    text: Keys

    def __len__(self) -> int:
        """Return how many answers there are."""
        return len(self.said)

    @classmethod
    def silent(cls, n: int) -> Self:
        """Return no words for n requests: what is done is said by the item alone."""
        return cls(silence(n, SPOKEN), silence(n, CALLED), np.full(n, NO_TEXT, dtype=np.int64))

    def take(self, index: Rows) -> Self:
        """Return some of the answers."""
        return type(self)(
            self.said.take(index, axis=0), self.calls.take(index, axis=0), self.text.take(index)
        )

    @classmethod
    def join(cls, parts: Sequence[tuple[int, Self | None]]) -> Self | None:
        """Put answers one below the other, given with how many there are; None where there are no words."""
        if all(reply is None for _, reply in parts):
            return None
        full = [cls.silent(n) if reply is None else reply for n, reply in parts]
        said, calls = (np.concatenate([getattr(r, name) for r in full]) for name in ("said", "calls"))
        return cls(said, calls, np.concatenate([r.text for r in full]))


def _message(domain: Domain, codes: Acts, by: str, text: str | None = None) -> Message:
    return Message(by, domain.told(codes), domain.text(codes, by) if text is None else text)
