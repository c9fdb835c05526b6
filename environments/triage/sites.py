"""Sites: inspectors are sent to places, and only what is looked at is seen.

In each tick, with r_k the rate of site k and a_k the inspectors sent there (D'Amour and others, "Fairness
is not static", FAT* 2020; Ensign and others 2018; Elzayn and others 2019):

    occurred    y_k ~ Poisson(r_k · discoverable)
    reported    ~ Poisson(r_k · reported), whoever looks
    seen        one incident after another is caught with chance 1 − miss^(inspectors left); each
                that is caught takes one inspector. Without misses: min(a_k, y_k)
    rates       r_k + moves where nobody was, else max(0, r_k − moves · a_k); a drift of `rates.SITE` holds
                on top of that, for its time
    reward      1 for an inspector who caught an incident
    truth       1 − e^{−r_k · discoverable · (1 − miss)}: how likely one inspector, alone, finds any
    harm        the incidents of the tick that nobody saw, shared among the inspectors
    gap         max over pairs of sites of |Σ seen_k / Σ y_k − Σ seen_l / Σ y_l|, from the start

An inspector is a person, a site an item; the answer sends the person there (people.behaviour.choice:
always). A model sees, for each site, how many were sent, seen and reported in the tick before
(`sent_…`, `seen_…`, `reported_…`), and learns from its own inspectors' rewards. What occurred is for the
record alone: `occurred_…` and `seen_…` of every site in each turn, and `discovery_gap`.

It departs from ml-fairness-gym in that an inspector is a person with luck and a life, and that who sends
them is asked about each; whoever catches at a site are those with the lowest ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from rehearse import exact
from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.contract import Decisions, Offer, Outcomes, Responses, Turn
from rehearse.errors import ScenarioError
from rehearse.exact import Floats
from rehearse.scenario.base import Name, NotNegative, Share, Strict
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.scenario.wrong import check

Counts = NDArray[np.int64]
AT_ONCE = 100.0
"""Larger rates are drawn as sums of several counts, so that e^-rate is no 0."""


class Settings(Strict):
    """What a scenario writes under `world.settings`."""

    kind: Literal["sites"] = "sites"
    sites: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] = ("north", "south")
    rates: tuple[NotNegative, ...] = (4.0, 3.0)
    """Incidents in a tick at each site, to begin with."""
    discoverable: NotNegative = 1.0
    """The part of the rate at which incidents occur that an inspector can see."""
    reported: NotNegative = 0.0
    """The part of the rate at which incidents are reported whoever looks."""
    miss: Share = 0.0
    """The chance that one inspector misses an incident."""
    moves: NotNegative = 0.0
    """How far a rate rises in a tick without inspectors, and falls for each inspector."""
    harm: NotNegative = 1.0
    """Of each incident that nobody saw."""

    @model_validator(mode="after")
    def _a_rate_each(self) -> Self:
        if len(self.rates) != len(self.sites) or len(set(self.sites)) < len(self.sites):
            problem = f"{len(self.rates)} rates for sites {', '.join(self.sites)}: one each, no name twice"
            raise ValueError(problem)
        return self


def build(settings: Mapping[str, Any], data: Path | None, drift: tuple[Drift, ...], chance: Chance) -> Sites:
    """Return the world; raises ScenarioError for what does not fit."""
    if data is not None:
        problem = f"the data file {str(data)!r} was given to a world of sites, which reads none."
        raise ScenarioError(problem, "Give it to kind: queue, or leave it out.")
    del chance  # incidents are drawn as they occur
    return Sites(check(Settings, dict(settings), under="world.settings"), drift)


@dataclass(slots=True)
class Ledger:
    """What is known of the sites of each society: arrays of shape (societies, sites)."""

    rate: Floats
    """Of incidents in a tick, now."""
    sent: Counts
    """In the tick before."""
    seen: Counts
    reported: Counts
    all_occurred: Counts
    """From the start."""
    all_seen: Counts

    @classmethod
    def begun(cls, rates: tuple[float, ...], societies: int) -> Self:
        """Return the ledger of societies in which nothing has occurred yet."""
        rate = np.tile(np.asarray(rates, dtype=np.float64), (societies, 1))
        return cls(rate, *(np.zeros(rate.shape, dtype=np.int64) for _ in fields(cls)[1:]))

    @property
    def gap(self) -> Floats:
        """Return the largest difference of discovery rates between two sites; 0 while fewer are known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = self.all_seen / self.all_occurred
        known = np.isfinite(found)
        high = np.where(known, found, -np.inf).max(axis=1)
        low = np.where(known, found, np.inf).min(axis=1)
        return np.asarray(np.maximum(high - low, 0.0))


class Sites:
    """Places where incidents occur (`contract.World`); see the module's docstring."""

    name = "triage-v1"
    attributes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    coupled = True
    bytes_per_user = 0
    may_change = ("miss", "moves", "harm")
    """Settings that may differ from some tick on, where a run forks off."""

    def __init__(self, settings: Settings, drift: tuple[Drift, ...]) -> None:
        self.items = settings.sites
        self.features = tuple(f"{what}_{k}" for what in ("sent", "seen", "reported") for k in self.items)
        self._settings = settings
        rates = [f"rates.{site}" for site in settings.sites]
        self._moves = Moves(drift, rates, "the world triage-v1 (kind: sites)")
        self._replicas = np.zeros(0, dtype=np.int64)
        self._ledger = Ledger.begun(settings.rates, 0)

    def begin(self, replicas: NDArray[np.int32]) -> None:
        """Hear which societies there are: each has a ledger of its own."""
        self._replicas = np.sort(replicas).astype(np.int64)
        self._ledger = Ledger.begun(self._settings.rates, len(replicas))

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the sites, and what was seen of them in the tick before."""
        place, ledger = self._places(turn), self._ledger
        told = np.column_stack([ledger.sent[place], ledger.seen[place], ledger.reported[place]])
        nothing = np.zeros((len(self.items), 0))
        return Offer(attributes=nothing, features=told.astype(np.float32))

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return the chance that an inspector, alone at a site, would find something, shape (n, m)."""
        rate = self._settings.discoverable * (1.0 - self._settings.miss) * self._rate
        return np.asarray((1.0 - exact.exp(-rate))[self._places(turn)])

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Let incidents occur, and inspectors catch some of them."""
        place, went, m = self._places(turn), responses.choice >= 0, len(self.items)
        truth = self.truth(turn, people, offer)
        at = place[went] * m + responses.choice[went]
        sent = np.bincount(at, minlength=len(self._replicas) * m).reshape(-1, m)
        there = np.unique(place)
        occurred, reported = self._incidents(turn, there)
        seen = self._caught(turn, there, occurred, sent[there])
        caught = np.zeros(len(turn), dtype=np.bool_)
        caught[went] = _nth(at) < self._spread(there, seen).reshape(-1)[at]
        self._note(there, sent[there], occurred, seen, reported)
        inspectors = np.maximum(np.bincount(place, minlength=len(sent)), 1)
        unseen = self._spread(there, occurred - seen).sum(axis=1) / inspectors
        best = truth.max(axis=1)
        taken = np.take_along_axis(truth, np.maximum(decisions.action, 0)[:, None], axis=1)[:, 0]
        regret = np.where(decisions.action >= 0, best - taken, np.nan).astype(np.float32)
        return Outcomes(
            reward=caught.astype(np.float32),
            experience=np.where(went, caught, np.nan).astype(np.float32),
            ideal=truth.argmax(axis=1).astype(np.int32),
            regret=regret,
            right=np.where(np.isnan(regret), -1, regret <= 0.0).astype(np.int8),
            harm=(self._settings.harm * unseen[place]).astype(np.float32),
            detail=self._told(place, there, occurred, seen),
        )

    def table(self) -> Columns | None:
        """Return None: inspectors come from no data."""
        return None

    def drift(self, tick: int) -> list[str]:
        """Let the rates be what is scheduled; say each change."""
        return self._moves.enter(tick)

    def state(self) -> dict[str, Array]:
        """Return the tick and the ledger of each society."""
        kept = {f.name: np.array(getattr(self._ledger, f.name)) for f in fields(Ledger)}
        return {**self._moves.state(), "replica": self._replicas.copy(), **kept}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)
        self._replicas = np.array(state["replica"], dtype=np.int64)
        rate = np.array(state["rate"], dtype=np.float64)
        rest = (np.array(state[f.name], dtype=np.int64) for f in fields(Ledger)[1:])
        self._ledger = Ledger(rate, *rest)

    @property
    def _rate(self) -> Floats:
        """Return the rates of this tick: those that attention has moved, and what is scheduled of them."""
        each = zip(self.items, self._ledger.rate.T, strict=True)
        now = [self._moves.now(f"rates.{site}", np.asarray(rate)) for site, rate in each]
        return np.maximum(np.column_stack(now), 0.0)

    def _places(self, turn: Turn) -> Counts:
        """Return the row of each person's society in the ledger; begins it where it is new."""
        fresh = np.setdiff1d(turn.replica, self._replicas)
        if fresh.size:
            order = np.argsort(np.concatenate([self._replicas, fresh]), kind="stable")
            more = Ledger.begun(self._settings.rates, len(fresh))
            both = ((getattr(self._ledger, f.name), getattr(more, f.name)) for f in fields(Ledger))
            self._ledger = Ledger(*(np.concatenate(parts)[order] for parts in both))
            self._replicas = np.concatenate([self._replicas, fresh])[order]
        return np.searchsorted(self._replicas, turn.replica)

    def _incidents(self, turn: Turn, there: Counts) -> tuple[Counts, Counts]:
        """Return how many occurred and how many were reported in some societies."""
        rate, settings = self._rate[there], self._settings
        where = self._replicas[there][:, None], np.arange(len(self.items))[None, :]
        drawn = []
        for what, part in (("occurred", settings.discoverable), ("reported", settings.reported)):
            pieces = max(1, int(np.ceil(part * rate.max(initial=0.0) / AT_ONCE)))
            purpose = f"triage/{what}"
            u = turn.chance.uniform(purpose, *where, tick=turn.tick, turn=turn.turn, count=pieces)
            drawn.append(poisson((part / pieces) * rate[:, :, None], u).sum(axis=2))
        return drawn[0], drawn[1]

    def _caught(self, turn: Turn, there: Counts, occurred: Counts, sent: Counts) -> Counts:
        if self._settings.miss == 0.0:
            return np.minimum(occurred, sent)
        most = int(occurred.max(initial=0))
        misses = np.cumprod(np.append(1.0, np.full(int(sent.max(initial=0)), self._settings.miss)))
        where = self._replicas[there][:, None], np.arange(len(self.items))[None, :]
        u = turn.chance.uniform("triage/caught", *where, tick=turn.tick, turn=turn.turn, count=max(most, 1))
        left = sent.copy()
        for number in range(most):
            left -= (number < occurred) & (u[:, :, number] >= misses[left])
        return sent - left

    def _note(self, there: Counts, sent: Counts, occurred: Counts, seen: Counts, reported: Counts) -> None:
        ledger, moves = self._ledger, self._settings.moves
        ledger.sent[there], ledger.seen[there], ledger.reported[there] = sent, seen, reported
        ledger.all_occurred[there] += occurred
        ledger.all_seen[there] += seen
        rate = ledger.rate[there]
        ledger.rate[there] = np.where(sent == 0, rate + moves, np.maximum(rate - moves * sent, 0.0))

    def _spread(self, there: Counts, counts: Counts) -> Counts:
        """Return counts of some societies in the rows of the ledger."""
        out = np.zeros((len(self._replicas), len(self.items)), dtype=np.int64)
        out[there] = counts
        return out

    def _told(self, place: Counts, there: Counts, occurred: Counts, seen: Counts) -> dict[str, Array]:
        told: dict[str, Array] = {"discovery_gap": self._ledger.gap[place].astype(np.float32)}
        for name, counts in (("occurred", occurred), ("seen", seen)):
            of_row = self._spread(there, counts)[place].astype(np.int32)
            told |= {f"{name}_{site}": of_row[:, k] for k, site in enumerate(self.items)}
        return told


def poisson(rate: Floats, u: Floats) -> Counts:
    """Return counts with Poisson laws by inversion, of rates up to some hundreds; u in (0, 1)."""
    rate, u = np.broadcast_arrays(rate, u)
    count = np.zeros(u.shape, dtype=np.int64)
    term = exact.exp(-rate)
    below = term.copy()
    number = 0
    while True:
        above = (u > below) & (term > 0.0)
        if not above.any():
            return count
        number += 1
        count += above
        term = np.where(above, term * rate / number, term)
        below = np.where(above, below + term, below)


def _nth(groups: Counts) -> Counts:
    """Return how many of the same group stand before each."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    out = np.empty(len(groups), dtype=np.int64)
    out[order] = np.arange(len(groups)) - first
    return out
