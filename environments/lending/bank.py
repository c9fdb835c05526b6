"""A till of money for each society: what is lent goes out, what is repaid comes in.

At any time, of each society,

    cash + outstanding = cash at the start + interest earned − written off

Loans are paid in the order of the people's numbers. From the first that the till cannot pay on, it is
closed for that turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Flags, Ints
from rehearse.environments.lending.seats import seats_of
from rehearse.environments.lending.settings import Bank
from rehearse.exact import Floats

FLOWS = ("cash", "outstanding", "earned", "written_off")


@dataclass(frozen=True, slots=True)
class Loans:
    """What some people were lent: rows of the same length."""

    society: Ints
    amount: Floats
    interest: Floats
    repaid: Flags


class Till:
    """The money of each society's bank."""

    def __init__(self, law: Bank, smallest: float) -> None:
        """Take the law and the smallest loan that there is; `begin` says how many societies there are."""
        self._law, self._smallest = law, smallest
        self._books: dict[str, Floats] = {}
        self._due: dict[str, Floats] = {}
        """What comes back (amount and interest), what it was lent as and what of it is lost, by tick."""

    def begin(self, societies: int) -> None:
        """Put the cash into each till."""
        self._books = {name: np.zeros(societies) for name in FLOWS}
        self._books["cash"][:] = self._law.cash
        self._due = {name: np.zeros((societies, self._law.term + 1)) for name in ("back", "lent", "lost")}

    @property
    def cash(self) -> Floats:
        """Return what each till holds."""
        return self._books["cash"]

    def books(self) -> dict[str, Floats]:
        """Return cash, outstanding, earned and written off, each of shape (societies,)."""
        return {name: self._books[name].copy() for name in FLOWS}

    def can_pay(self, amounts: Floats) -> Flags:
        """Return which loans each till can pay now, shape (societies, terms)."""
        enough = self.cash[:, None] >= amounts[None, :]
        is_open: Flags = np.ones(len(self.cash), np.bool_)
        if self._law.closes:
            is_open = self.cash >= self._smallest
        return np.asarray(enough & is_open[:, None])

    def pays(self, society: Ints, amount: Floats) -> Flags:
        """Return whom the till can pay, of people in the order in which they are served."""
        asked = np.empty(len(amount))
        if np.bincount(society).max(initial=0) > len(self.cash):
            for number in range(len(self.cash)):
                mine = np.flatnonzero(society == number)
                asked[mine] = np.cumsum(amount[mine])
        else:  # few people in many societies: the same sums, one seat after another
            seats, so_far = seats_of(society), np.zeros(len(self.cash))
            for seat in range(int(seats.max(initial=-1)) + 1):
                now = np.flatnonzero(seats == seat)
                so_far[society[now]] += amount[now]
                asked[now] = so_far[society[now]]
        return np.asarray(asked <= self.cash.take(society))

    def lend(self, loans: Loans, tick: int) -> None:
        """Pay loans out, and note when they come back."""
        self._add("cash", loans.society, -loans.amount)
        self._add("outstanding", loans.society, loans.amount)
        slot = (tick + self._law.term) % (self._law.term + 1)
        back = np.where(loans.repaid, loans.amount + loans.interest, 0.0)
        lost = np.where(loans.repaid, 0.0, loans.amount)
        for name, values in (("back", back), ("lent", loans.amount), ("lost", lost)):
            np.add.at(self._due[name][:, slot], loans.society, values)
        if self._law.term == 0:
            self.collect(tick)

    def collect(self, tick: int) -> None:
        """Take in what is due at a tick."""
        if not self._due:
            return
        slot = tick % (self._law.term + 1)
        back, lent, lost = (self._due[name][:, slot] for name in ("back", "lent", "lost"))
        self._books["cash"] += back
        self._books["outstanding"] -= lent
        self._books["earned"] += back - (lent - lost)
        self._books["written_off"] += lost
        for name in self._due:
            self._due[name][:, slot] = 0.0

    def state(self) -> dict[str, Array]:
        """Return the books and what is due, a row a society."""
        due = {f"due_{name}": values.copy() for name, values in self._due.items()}
        return {**self.books(), **due} if self._books else {}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        if "cash" in state:
            self._books = {name: np.array(state[name], dtype=np.float64) for name in FLOWS}
            self._due = {n: np.array(state[f"due_{n}"], dtype=np.float64) for n in ("back", "lent", "lost")}

    def _add(self, name: str, society: Ints, values: Floats) -> None:
        np.add.at(self._books[name], society, values)  # one by one, in the order of the people
