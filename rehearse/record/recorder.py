"""The recorder: a watcher that turns what happens into columns, digests them and keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rehearse.columns import Array, Columns, everywhere
from rehearse.contract import Exchange, Ints, Users
from rehearse.record.digest import Leaves, Links, digest_of, first_links, leaves_of, next_links
from rehearse.record.page import KEYS, Page, joined
from rehearse.record.words import WORDS, in_words

SPENT = "spent"
"""What an answer cost; `PART_spent` where a part of the model tells of it."""
NOT_DIGESTED = frozenset({"measured_ms", SPENT})
"""Columns that differ between two runs of the same thing: a call that is tried again costs again."""

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


def tells_cost(name: str) -> bool:
    """Tell whether a column says what answers cost."""
    return name == SPENT or name.endswith(f"_{SPENT}")


def is_digested(name: str) -> bool:
    """Tell whether a column of turns is the same in every run of the same thing."""
    return name not in NOT_DIGESTED and not tells_cost(name)


def no_turns() -> Columns:
    """Return a record without a single turn, with its columns: nobody ever opened a session."""
    return Columns({name: np.zeros(0, dtype=kind) for kind, names in KINDS.items() for name in names})


@dataclass(slots=True)
class Recorder:
    """Keeps every turn of a tick, then hands the tick over in canonical order.

    `keep(tick, turns, society)` gets the turns as columns in the order (replica, user, turn), and
    one row a replica about the society. `columns` are those recorded besides the keys; None: all.
    Turns name items in the narrowest integers that hold so many `items`; None: as they come.
    """

    replicas: Ints
    keep: Callable[[int, Columns, Columns], None] | None = None
    columns: frozenset[str] | None = None
    items: int | None = None
    links: Links = field(init=False)
    user_turns: int = 0
    harm: float = 0.0
    """Of all turns so far, where the world tells of harm."""
    spent: float = 0.0
    """On all answers so far, where the model tells what they cost."""
    _block: Page = field(init=False)
    _pages: list[Columns] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin the chains."""
        self.links = first_links(len(self.replicas))
        self._block = self._new_page()

    @property
    def digest(self) -> str:
        """Return the digest of everything so far."""
        return digest_of(self.replicas, self.links)

    def on_turn(self, exchange: Exchange) -> None:
        """Keep the columns of a turn of one block; its first turn ends the block before it."""
        if exchange.turn.turn == 0:
            self._close_block()
        columns = columns_of(exchange)
        if self.columns is not None:
            words = WORDS in self.columns
            wanted = {*self.columns, *KEYS, *(n for n in columns if words and in_words(n))}
            columns = {name: a for name, a in columns.items() if name in wanted}
        self._block.add(columns, exchange.end)

    def on_tick(self, tick: int, users: Users) -> None:
        """Digest the tick and hand it over."""
        turns = self.turns_of_tick()
        society = Columns(dict(self.counted(tick, turns)) | dict(users.summary()))
        self.chain(self.leaves(turns), society)
        self.user_turns += turns.length
        if self.keep is not None:
            self.keep(tick, turns, society)

    def turns_of_tick(self) -> Columns:
        """Return the turns since the last tick, in the order (replica, user, turn), and begin a new page."""
        self._close_block()
        pages, self._pages = sorted(self._pages, key=_first), []
        turns = joined(pages)
        if "harm" in turns:
            self.harm += float(np.nansum(turns.numbers("harm")))
        self.spent += sum(float(np.nansum(turns.numbers(name))) for name in turns if tells_cost(name))
        return turns

    def leaves(self, turns: Columns) -> Leaves:
        """Return the leaves of the digest for the turns of a tick."""
        proved = {name: a for name, a in turns.items() if is_digested(name)}
        return leaves_of(self._bounds(turns), proved)

    def chain(self, leaves: Leaves, society: Columns) -> None:
        """Add a tick to the chains: the leaves of its turns, and a row a replica about the society."""
        links = next_links(self.links, leaves)
        one_each = np.arange(len(self.replicas) + 1, dtype=np.int64)
        self.links = next_links(links, leaves_of(one_each, society))

    def _close_block(self) -> None:
        if self._block.turns:
            self._pages.append(self._block.laid_out())
            self._block = self._new_page()

    def _new_page(self) -> Page:
        return Page(None if self.items is None else np.min_scalar_type(-max(self.items, 1)))

    def _bounds(self, turns: Columns) -> NDArray[np.int64]:
        """Return where each replica's turns begin, and where the last ones end."""
        replica = turns["replica"] if turns.length else np.zeros(0, np.int32)
        return np.append(np.searchsorted(replica, self.replicas), turns.length).astype(np.int64)

    def counted(self, tick: int, turns: Columns) -> Columns:
        """Return what the turns of a tick say of each society: how many sessions and turns it held."""
        bounds = self._bounds(turns)
        first = turns["turn"] == 0 if turns.length else np.zeros(0, dtype=np.bool_)
        begun = [np.count_nonzero(first[start:stop]) for start, stop in pairwise(bounds.tolist())]
        head: dict[str, Array] = {
            "replica": self.replicas.astype(np.int32),
            "tick": np.full(len(self.replicas), tick, np.int32),
            "sessions": np.array(begun, dtype=np.int64),
            "turns": np.diff(bounds).astype(np.int64),
        }
        return Columns(head)


def _first(page: Columns) -> tuple[int, int]:
    return int(page["replica"][0]), int(page["user"][0])


def columns_of(exchange: Exchange) -> dict[str, Array]:
    """Return a turn of one block as flat columns, in the record's words."""
    turn, decisions, outcomes = exchange.turn, exchange.decisions, exchange.outcomes
    places = {f"slate_{i}": decisions.slate[:, i] for i in range(1, decisions.slate.shape[1])}
    optional = {"cost": outcomes.cost, "harm": outcomes.harm, "label": outcomes.label}
    if outcomes.missed is not None:
        optional["missed"] = outcomes.missed.astype(np.int8)
    becomes = {name: array for name, array in outcomes.becomes.items() if array.ndim == 1}
    return {
        "replica": turn.replica,
        "tick": everywhere(turn.tick, len(turn), np.int32),
        "user": turn.user,
        "session": exchange.session,
        "sim_time": exchange.sim_time,
        "intent": exchange.requests.intent,
        **_noised(exchange),
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
        **decisions.detail,
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
        **becomes,
        **outcomes.detail,
        **({} if exchange.responses.said is None else exchange.responses.said.columns()),
    }


def _noised(exchange: Exchange) -> Mapping[str, Array]:
    noised = exchange.requests.noised
    return {} if noised is None else {"noised": noised}


def _before_and_after(exchange: Exchange) -> Mapping[str, Array]:
    before = {f"{name}_before": a for name, a in exchange.before.items()}
    return before | dict(exchange.after)
