"""Wrappers round people: all that people do passes through, but for what the wrapper is there to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearse.columns import Array, Columns, Rows
from rehearse.contract import (
    Codes,
    Decisions,
    Drifts,
    Meets,
    Offer,
    Outcomes,
    Policy,
    Remembers,
    Requests,
    Responses,
    Turn,
    Users,
)
from rehearse.exact import Floats


class Wrapped:
    """People round whom there is something; what is not named here is theirs too (`join`, `ties`, …)."""

    def __init__(self, inner: Users) -> None:
        """Take the people inside."""
        self.inner = inner
        self.groups = inner.groups
        self.feature_names = inner.feature_names

    def __getattr__(self, name: str) -> Any:
        if name == "inner" or name.startswith("__"):  # an unfinished copy, or Python asking for a protocol
            raise AttributeError(name)
        return getattr(self.inner, name)

    @property
    def columns(self) -> Columns:
        """Return the people themselves."""
        return self.inner.columns

    @columns.setter
    def columns(self, columns: Columns) -> None:
        self.inner.columns = columns

    @property
    def coupled(self) -> bool:
        """Tell whether people influence one another."""
        return self.inner.coupled

    @coupled.setter
    def coupled(self, coupled: bool) -> None:
        self.inner.coupled = coupled

    def open(self, tick: int) -> Rows:
        """Return who opens a session."""
        return self.inner.open(tick)

    def ask(self, turn: Turn, offer: Offer) -> Requests:
        """Say what each person asks."""
        return self.inner.ask(turn, offer)

    def respond(self, turn: Turn, offer: Offer, decisions: Decisions) -> Responses:
        """Choose."""
        return self.inner.respond(turn, offer, decisions)

    def remember(self, turn: Turn, decisions: Decisions, responses: Responses, outcomes: Outcomes) -> None:
        """Take in how it turned out."""
        self.inner.remember(turn, decisions, responses, outcomes)

    def close(self, turn: Turn, end: Codes) -> None:
        """End the session of these people."""
        self.inner.close(turn, end)

    def socialise(self, tick: int) -> None:
        """Influence one another."""
        self.inner.socialise(tick)

    def live(self, tick: int) -> None:
        """Let a tick pass."""
        self.inner.live(tick)

    def summary(self) -> dict[str, Floats]:
        """Return measures of the society now."""
        return self.inner.summary()

    def drift(self, tick: int) -> list[str]:
        """Say what is scheduled to change in people with this tick."""
        return self.inner.drift(tick) if isinstance(self.inner, Drifts) else []

    def meets(self, policy: Policy) -> None:
        """Hear which model is in service."""
        if isinstance(self.inner, Meets):
            self.inner.meets(policy)

    def state(self) -> dict[str, Array]:
        """Return what must be kept besides the columns."""
        return self.inner.state() if isinstance(self.inner, Remembers) else {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        if isinstance(self.inner, Remembers):
            self.inner.restore(state)


def innermost(users: Users) -> Users:
    """Return the people without anything round them."""
    while isinstance(users, Wrapped):
        users = users.inner
    return users
