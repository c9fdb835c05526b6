"""Gathering: what the shards say of a tick, put together as one process would have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rehearse.columns import Array, Columns
from rehearse.contract import Users
from rehearse.experiments.shards.deal import Deal
from rehearse.experiments.shards.ensemble import Ensemble
from rehearse.experiments.shards.sayings import Page
from rehearse.experiments.shards.states import scattered
from rehearse.record.digest import Leaves
from rehearse.record.page import joined
from rehearse.record.recorder import Recorder


class Heard(Protocol):
    """Whoever heard the shards of a tick."""

    pages: list[Page]
    deal: Deal


@dataclass(slots=True, kw_only=True)
class Gathering(Recorder):
    """A recorder that hears of whole ticks instead of turns."""

    conductor: Heard

    def on_tick(self, tick: int, users: Users) -> None:
        """Take in what the shards said of the tick."""
        pages, dealt = self.conductor.pages, self.conductor.deal
        if dealt.by == "replicas":
            for shard, page in enumerate(pages):
                self.links[dealt.places_of(shard)] = np.asarray(page.links)
            society = joined([page.society for page in pages])
        else:
            counts = added([page.society for page in pages])
            society = Columns(counts | dict(users.summary()))
            self.chain(together([page.leaves for page in pages if page.leaves is not None]), society)
        self.user_turns += sum(page.user_turns for page in pages)
        self.harm = sum(page.harm for page in pages)
        self.spent += sum(page.spent for page in pages)
        if self.keep is not None:
            self.keep(tick, _in_order([page.turns for page in pages if page.turns is not None]), society)


class Whole(Columns):
    """Everybody's columns as they are at the end of a tick, fetched from the shards when they are read.

    What was read of one tick comes by itself with the next.
    """

    __slots__ = ("_deal", "_ensemble", "_names", "wanted")

    def __init__(self, ensemble: Ensemble, deal: Deal, names: tuple[str, ...]) -> None:
        super().__init__(length=deal.count * len(deal.replicas))
        self._ensemble = ensemble
        self._deal = deal
        self._names = names
        self.wanted: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Array:
        """Return a column of everybody, to be read only."""
        if name not in self._arrays and name in self._names:
            self._put([part[name] for part in self._ensemble.all("columns", (name,))], name)
            self.wanted = (*self.wanted, name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        """Tell whether people have such a column."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """Go over the names."""
        return iter(self._names)

    def turn(self, parts: Sequence[Mapping[str, Array] | None]) -> None:
        """Take the columns that came with a tick; others are fetched again."""
        self._arrays.clear()
        for name in self.wanted:
            self._put([part[name] for part in parts if part is not None], name)

    def _put(self, parts: list[Array], name: str) -> None:
        rows = [self._deal.rows_of(shard) for shard in range(self._deal.shards)]
        self._arrays[name] = scattered(parts, rows, self.length)


def together(leaves: Sequence[Leaves]) -> Leaves:
    """Return the leaves of all shards in the order (replica, leaf)."""
    place = np.concatenate([part.place for part in leaves])
    number = np.concatenate([part.number for part in leaves])
    order = np.lexsort((number, place))
    hashes = np.concatenate([part.hashes for part in leaves])
    return Leaves(place[order], number[order], hashes[order])


def added(counts: Sequence[Columns]) -> dict[str, Array]:
    """Return what all shards counted of the same societies."""
    keys = ("replica", "tick")
    return {
        name: counts[0][name] if name in keys else np.sum([part[name] for part in counts], axis=0)
        for name in counts[0]
    }


def _in_order(turns: Sequence[Columns]) -> Columns:
    """Return turns in the order (replica, user, turn), given those of the shards in that order."""
    whole = joined([part for part in turns if part.length])
    if not whole.length:
        return whole
    order = np.argsort(whole["replica"], kind="stable")
    return Columns({name: a.take(order) for name, a in whole.items()})
