"""The recorder: a watcher that turns what happens into columns, digests them and keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns
from rehearse.contract import NOTHING, Exchange, Ints, Users
from rehearse.record.digest import Links, digest_of, first_links, next_links

NOT_DIGESTED = frozenset({"measured_ms"})
"""Columns that differ between two runs of the same thing."""

KINDS = {
    "i1": ("intent", "fault", "position", "right", "end"),
    "i2": ("turn", "version"),
    "i4": ("replica", "tick", "session", "action", "choice", "ideal"),
    "i8": ("user",),
    "f4": (
        *("sim_time", "latency", "utility", "reward", "experience", "regret"),
        *(
            "satisfaction_before",
            "satisfaction",
            "patience_before",
            "patience",
            "progress_before",
            "progress",
        ),
    ),
}
"""The columns that every record of turns has, by type."""


def no_turns() -> Columns:
    """Return a record without a single turn, with its columns: nobody ever opened a session."""
    return Columns({name: np.zeros(0, dtype=kind) for kind, names in KINDS.items() for name in names})


@dataclass(slots=True)
class Recorder:
    """Keeps every turn of a tick, then hands the tick over in canonical order.

    `keep(tick, turns, society)` gets the turns as columns in the order (replica, user, turn), and
    one row a replica about the society.
    """

    replicas: Ints
    keep: Callable[[int, Columns, Columns], None] | None = None
    links: Links = field(init=False)
    user_turns: int = 0
    _page: list[dict[str, Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin the chains."""
        self.links = first_links(len(self.replicas))

    @property
    def digest(self) -> str:
        """Return the digest of everything so far."""
        return digest_of(self.replicas, self.links)

    def on_turn(self, exchange: Exchange) -> None:
        """Keep the columns of a turn of one block."""
        self._page.append(columns_of(exchange))

    def on_tick(self, tick: int, users: Users) -> None:
        """Digest the tick and hand it over."""
        turns = _in_order(self._page)
        self._page = []
        places = np.searchsorted(self.replicas, turns["replica"]) if turns.length else np.zeros(0, int)
        counts = np.bincount(places, minlength=len(self.replicas))
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        society = self._society(tick, users, counts, turns)
        proved = {name: a for name, a in turns.items() if name not in NOT_DIGESTED}
        links = next_links(self.links, bounds, proved)
        self.links = next_links(links, np.arange(len(self.replicas) + 1, dtype=np.int64), society)
        self.user_turns += turns.length
        if self.keep is not None:
            self.keep(tick, turns, society)

    def _society(self, tick: int, users: Users, turns: NDArray[np.int64], page: Columns) -> Columns:
        first = page["turn"] == 0 if page.length else np.zeros(0, bool)
        places = np.searchsorted(self.replicas, page["replica"][first]) if page.length else np.zeros(0, int)
        head: dict[str, Array] = {
            "replica": self.replicas.astype(np.int32),
            "tick": np.full(len(self.replicas), tick, np.int32),
            "sessions": np.bincount(places, minlength=len(self.replicas)).astype(np.int64),
            "turns": turns.astype(np.int64),
        }
        return Columns(head | dict(users.summary()))


def columns_of(exchange: Exchange) -> dict[str, Array]:
    """Return a turn of one block as flat columns, in the record's words."""
    turn, decisions, outcomes = exchange.turn, exchange.decisions, exchange.outcomes
    places = {f"slate_{i}": decisions.slate[:, i] for i in range(1, decisions.slate.shape[1])}
    optional = {"cost": outcomes.cost, "harm": outcomes.harm}
    return {
        "row": turn.rows,
        "replica": turn.replica,
        "tick": np.full(len(turn), turn.tick, np.int32),
        "user": turn.user,
        "session": exchange.session,
        "turn": np.full(len(turn), turn.turn, np.int16),
        "sim_time": exchange.sim_time,
        "intent": exchange.requests.intent,
        "action": decisions.action,
        **places,
        "score": decisions.score,
        "propensity": decisions.propensity,
        "version": decisions.version,
        "rationale": decisions.rationale,
        "latency": decisions.latency,
        "measured_ms": decisions.measured,
        "fault": decisions.fault,
        "guard": decisions.guard,
        "choice": exchange.responses.choice,
        "position": exchange.responses.position,
        "utility": exchange.responses.utility,
        **_before_and_after(exchange),
        "reward": outcomes.reward,
        **{name: a for name, a in optional.items() if a is not None},
        "experience": outcomes.experience,
        "ideal": outcomes.ideal,
        "regret": outcomes.regret,
        "right": outcomes.right,
        "end": exchange.end,
        **outcomes.detail,
    }


def _before_and_after(exchange: Exchange) -> Mapping[str, Array]:
    pairs: dict[str, Array] = {}
    for name, before in exchange.before.items():
        pairs |= {f"{name}_before": before, name: exchange.after[name]}
    return pairs


def _in_order(page: list[dict[str, Array]]) -> Columns:
    if not page:
        return Columns(length=0)
    names = dict.fromkeys(name for part in page for name in part)
    whole = {name: _joined(name, page) for name in names}
    # Rows of the population ascend by replica and user, so row and turn are the canonical order.
    rows = np.asarray(whole.pop("row"), dtype=np.int64)
    order = np.argsort((rows << 16) | whole["turn"].astype(np.int64))
    return Columns({name: a.take(order) for name, a in whole.items()})


def _joined(name: str, page: list[dict[str, Array]]) -> Array:
    # A narrower slate in one block (a model that failed there, say) has no further places.
    parts = [
        part[name] if name in part else np.full(len(part["row"]), NOTHING, dtype=np.int32) for part in page
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
