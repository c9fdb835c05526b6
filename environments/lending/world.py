"""Loans, and what follows from them; the equations stand in the package's docstring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rehearse.columns import Array, Columns, either
from rehearse.contract import Codes, Decisions, Flags, Ints, Offer, Outcomes, Responses, Singles, Turn
from rehearse.environments.lending.bank import Loans, Till
from rehearse.environments.lending.market import HERE, Others
from rehearse.environments.lending.pool import Applicants
from rehearse.environments.lending.repayment import Repays
from rehearse.environments.lending.settings import Settings
from rehearse.exact import Floats
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift

REFUSE = 0
"""The item that is no loan."""
REPAY, SEEK, COMPARE = 0, 1, 2
"""Which of a turn's draws decides what."""
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Terms:
    """The items as numbers, each of shape (items,); the refusal is 0 throughout."""

    amount: Floats
    rate: Floats
    gain: Floats
    loss: Floats

    @property
    def interest(self) -> Floats:
        """Return what a borrower pays besides the amount."""
        return self.amount * self.rate


@dataclass(frozen=True, slots=True)
class Fate:
    """What would become of some applicants, n rows."""

    draws: Floats
    chance: Floats
    """Of repaying a loan without interest."""
    pays: Flags
    """Whether each item would be repaid, shape (n, items); the refusal never."""
    worth: Floats
    """The true worth of each item to the lender, shape (n, items)."""

    qualified: Flags
    """Who would repay the cheapest loan."""


@dataclass(frozen=True, slots=True)
class Deal:
    """What some applicants got, n rows."""

    lender: Codes
    """-1 nobody, 0 here, from 1 on the others in the order of the settings."""
    item: Ints
    """The loan taken here; the refusal where there is none."""
    repaid: Flags
    """Whether the loan, wherever it was taken, was repaid."""
    refused: Flags
    """Was refused here (or could not be paid) and found no other lender."""
    selected: Flags
    """Was granted a loan here that could be paid, whether or not it was taken."""

    @property
    def here(self) -> Flags:
        """Return who borrowed from the lender under test."""
        return np.asarray(self.lender == HERE)

    @property
    def borrowed(self) -> Flags:
        """Return who borrowed from anybody."""
        return np.asarray(self.lender >= HERE)


class Lending:
    """Applicants and loans (`contract.World`)."""

    name = "lending-v1"
    attributes: tuple[str, ...] = ("amount", "rate")
    features: tuple[str, ...] = ()
    may_change = ("repayment", "change", "labels", "harm", "welfare", "experience", "market")
    """Settings that may differ from some tick on, where a run forks off."""
    bytes_per_user = 0
    """What is kept about each person: nothing."""

    def __init__(self, settings: Settings, data: Path | None, drift: tuple[Drift, ...] = ()) -> None:
        """Resolve all that the settings name; raises ScenarioError or DataError."""
        self._settings, self._data = settings, data
        self.items = (settings.refusal, *settings.terms)
        self.refusals = (settings.refusal,)
        self._repays = Repays(settings, data)
        self._others = None if settings.market is None else Others(settings.market, settings.groups)
        smallest = min(term.amount for term in settings.terms.values())
        self._till = None if settings.bank is None else Till(settings.bank, smallest)
        self._applicants = None if settings.pool is None else Applicants(settings.pool)
        self.coupled = self._till is not None or self._applicants is not None
        named = ("chance", *(f"{what}.{name}" for what in ("amount", "rate") for name in settings.terms))
        self._moves = Moves(drift, named)
        self._societies = np.zeros(1, np.int32)
        self.begin(self._societies)
        self.needs = self._needed()

    def begin(self, replicas: Ints) -> None:
        """Hear which societies there are, before anything else."""
        self._societies = np.sort(replicas)
        for kept in (self._till, self._applicants):
            if kept is not None:
                kept.begin(len(replicas))

    @property
    def books(self) -> dict[str, Floats]:
        """Return the money of each society's bank, shape (replicas,); nothing where it cannot run out."""
        return {} if self._till is None else self._till.books()

    def offer(self, turn: Turn, people: Columns) -> Offer:
        """Set out the loans as they are now; one that the till cannot pay cannot be had."""
        terms = self._terms()
        faced = np.column_stack([terms.amount, terms.rate])
        features = np.empty((len(turn), 0), dtype=np.float32)
        return Offer(attributes=faced, features=features, available=self._available(turn, terms))

    def truth(self, turn: Turn, people: Columns, offer: Offer) -> Floats:
        """Return what each item would bring the lender, knowing who will repay, shape (n, items)."""
        return self._fate(turn, people, self._terms()).worth

    def settle(
        self, turn: Turn, people: Columns, offer: Offer, decisions: Decisions, responses: Responses
    ) -> Outcomes:
        """Lend, see who repays, and move scores."""
        terms = self._terms()
        fate = self._fate(turn, people, terms)
        cash = {} if self._till is None else {"cash": self._till.cash.take(self._society(turn))}
        deal = self._deal(turn, people, terms, fate, decisions, responses)
        self._book(turn, terms, deal)
        ideal, regret = _judged(fate.worth, offer.available, decisions.action)
        score = people.numbers(self._settings.score, turn.rows) if self._scored(people) else None
        becomes, moved = self._become(turn, people, deal, score)
        reward = np.where(deal.repaid, terms.gain.take(deal.item), -terms.loss.take(deal.item))
        return Outcomes(
            reward=_where(deal.here, reward, 0.0),
            experience=self._experienced(deal),
            ideal=ideal,
            regret=regret.astype(np.float32),
            right=np.where(np.isnan(regret), -1, regret <= 0.0).astype(np.int8),
            cost=_where(deal.here & deal.repaid, terms.interest.take(deal.item), 0.0),
            harm=self._harmed(fate, deal),
            label=self._label(fate, deal),
            missed=None if self._till is None else (responses.choice > REFUSE) & deal.refused,
            becomes=becomes,
            detail=self._told(fate, deal, terms, moved) | cash,
        )

    def table(self) -> Columns | None:
        """Return the people of the data that the run was given, or None."""
        from rehearse.tables import read_table

        return None if self._settings.table is None or self._data is None else read_table(self._data)

    def drift(self, tick: int) -> list[str]:
        """Take in what is due, and apply what is scheduled for the start of this tick."""
        if self._till is not None:
            self._till.collect(tick)
        return self._moves.enter(tick)

    def state(self) -> dict[str, Array]:
        """Return the tick, the money and the pools."""
        kept = [part.state() for part in (self._till, self._applicants) if part is not None]
        return {name: array for part in (self._moves.state(), *kept) for name, array in part.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._moves.restore(state)
        for part in (self._till, self._applicants):
            if part is not None:
                part.restore(state)

    def _needed(self) -> tuple[str, ...]:
        settings = self._settings
        by_score = settings.repayment.curve is not None or settings.repayment.qualifies is not None
        scored = by_score or settings.change is not None or settings.market is not None
        needs = (*((settings.score,) if scored or settings.pool is not None else ()), *self._repays.needs)
        return tuple(dict.fromkeys(needs))

    def _scored(self, people: Columns) -> bool:
        return self._settings.score in people

    def _terms(self) -> Terms:
        terms = self._settings.terms
        now = self._moves.now
        amount = [now(f"amount.{name}", term.amount) for name, term in terms.items()]
        rate = [now(f"rate.{name}", term.rate) for name, term in terms.items()]
        worth = list(zip(terms.values(), amount, rate, strict=True))
        gain = [a * r if term.gain is None else term.gain for term, a, r in worth]
        loss = [a if term.loss is None else term.loss for term, a, r in worth]
        return Terms(*(np.array([0.0, *values]) for values in (amount, rate, gain, loss)))

    def _available(self, turn: Turn, terms: Terms) -> Flags | None:
        if self._till is None:
            return None
        can = self._till.can_pay(terms.amount)
        can[:, REFUSE] = True
        return can.take(self._society(turn), axis=0)

    def _society(self, turn: Turn) -> Ints:
        return np.searchsorted(self._societies, turn.replica).astype(np.int32)

    def _fate(self, turn: Turn, people: Columns, terms: Terms) -> Fate:
        draws = turn.uniform("world/lending", 3)
        chance = self._repays.chance(people, turn.rows)
        chance = np.clip(self._moves.now("chance", chance), 0.0, 1.0)
        pays = draws[:, REPAY, None] < self._repays.of_terms(chance, terms.interest)
        pays[:, REFUSE] = False
        qualified = either(pays.T)
        law, welfare = self._settings.harm, self._settings.welfare
        worth = np.where(pays, terms.gain, -terms.loss - welfare * law.default)
        worth[:, REFUSE] = -welfare * law.refusal * qualified
        return Fate(draws, chance, pays, worth, qualified)

    def _deal(
        self,
        turn: Turn,
        people: Columns,
        terms: Terms,
        fate: Fate,
        decisions: Decisions,
        responses: Responses,
    ) -> Deal:
        item = np.maximum(responses.choice, REFUSE)
        wants = item != REFUSE
        if self._till is not None:
            society, some = self._society(turn), np.flatnonzero(wants)
            wants[some] = self._till.pays(society[some], terms.amount.take(item[some]))
        # Whoever was offered a loan and did not take it was not refused.
        refused = (decisions.action == REFUSE) | ((responses.choice > REFUSE) & ~wants)
        taken = np.where(wants, item, REFUSE).astype(np.int32)
        deal = Deal(
            lender=np.where(wants, HERE, NOBODY).astype(np.int8),
            item=taken,
            repaid=fate.pays[np.arange(len(turn)), taken],
            refused=refused,
            selected=(decisions.action > REFUSE) & ~refused,
        )
        return deal if self._others is None else self._shopped(turn, people, terms, fate, deal, self._others)

    def _shopped(
        self, turn: Turn, people: Columns, terms: Terms, fate: Fate, deal: Deal, others: Others
    ) -> Deal:
        """Let those who were refused, or find it dear here, take the first loan of the menu elsewhere."""
        best = others.best(people.numbers(self._settings.score, turn.rows), people["group"].take(turn.rows))
        best = np.where(deal.here | deal.refused, best, NOBODY).astype(np.int32)
        goes = others.goes(best, deal.here, terms.rate.take(deal.item), fate.draws[:, SEEK:])
        chances = self._repays.of_terms(fate.chance, terms.amount[REFUSE + 1] * others.rates)
        pays = fate.draws[:, REPAY] < chances[np.arange(len(turn)), np.maximum(best, 0)]
        return replace(
            deal,
            lender=np.where(goes, others.code(best), deal.lender).astype(np.int8),
            item=np.where(goes, REFUSE, deal.item).astype(np.int32),
            repaid=np.where(goes, pays, deal.repaid),
            refused=deal.refused & ~goes,
        )

    def _book(self, turn: Turn, terms: Terms, deal: Deal) -> None:
        if self._till is None:
            return
        some = np.flatnonzero(deal.here)
        item = deal.item[some]
        society, repaid = self._society(turn)[some], deal.repaid[some]
        self._till.lend(Loans(society, terms.amount[item], terms.interest[item], repaid), turn.tick)

    def _become(
        self, turn: Turn, people: Columns, deal: Deal, score: Floats | None
    ) -> tuple[dict[str, Array], Singles | None]:
        """Return what people become, and by how much their scores move."""
        law, name = self._settings.change, self._settings.score
        if self._applicants is not None and score is not None:
            society, lost = self._society(turn), deal.here & ~deal.repaid
            group = people["group"].take(turn.rows)
            self._applicants.move(society, group, score, deal.here & deal.repaid, lost)
            fresh, groups = self._applicants.next(society, turn.uniform("world/next", 2))
            return {name: fresh, "group": groups}, None
        if law is None or score is None:
            return {}, None
        step = np.where(deal.borrowed, np.where(deal.repaid, law.repaid, law.default), 0.0)
        moved = score + np.where(deal.refused, law.refused, step)
        low = -np.inf if law.low is None else law.low
        after = np.clip(moved, low, np.inf if law.high is None else law.high)
        return {name: after.astype(np.float32)}, (after - score).astype(np.float32)

    def _experienced(self, deal: Deal) -> Singles:
        law = self._settings.experience
        felt = np.where(deal.repaid, law.repaid, law.default)
        return _where(deal.borrowed, felt, np.nan)

    def _harmed(self, fate: Fate, deal: Deal) -> Singles:
        law = self._settings.harm
        wronged = np.where(deal.refused & fate.qualified, law.refusal, 0.0)
        return np.where(deal.borrowed & ~deal.repaid, law.default, wronged).astype(np.float32)

    def _label(self, fate: Fate, deal: Deal) -> Codes:
        known = np.where(deal.here, deal.repaid, -1)
        if self._settings.labels == "always":
            known = np.where(deal.here, deal.repaid, fate.qualified)
        return known.astype(np.int8)

    def _told(self, fate: Fate, deal: Deal, terms: Terms, moved: Singles | None) -> dict[str, Array]:
        detail: dict[str, Array] = {
            "qualified": fate.qualified.astype(np.int8),
            "selected": deal.selected.astype(np.int8),
            "chance": fate.chance.astype(np.float32),
        }
        if moved is not None:
            detail["score_change"] = moved
        if self._others is not None:
            detail["lender"] = deal.lender
        if len(self._settings.terms) > 1 or self._till is not None:
            detail["lent"] = terms.amount.take(deal.item).astype(np.float32)
        return detail


def _judged(worth: Floats, available: Flags | None, action: Ints) -> tuple[Ints, Floats]:
    """Return the best item for each person, and what the answer lost against it; NaN without an answer."""
    can = worth if available is None else np.where(available, worth, -np.inf)
    ideal = can.argmax(axis=1).astype(np.int32)
    every = np.arange(len(action))
    lost = worth[every, ideal] - worth[every, np.maximum(action, 0)]
    return ideal, np.where(action < 0, np.nan, np.maximum(lost, 0.0))


def _where(mask: Flags, values: Floats, otherwise: float) -> Singles:
    return np.where(mask, values, otherwise).astype(np.float32)
