"""Other lenders, who grant from a score on and never learn.

Whoever got no loan here asks them with the chance `seek`; whoever got one here and would get a cheaper
one elsewhere goes there with the chance `compare`. Of those who grant, the cheapest is taken, the one
named first where two are as cheap. All of them lend what the first term here lends, at their own rate.
"""

from __future__ import annotations

import numpy as np

from rehearse.columns import Array
from rehearse.contract import Flags, Ints
from rehearse.environments.lending.repayment import by_group, reached
from rehearse.environments.lending.settings import Market
from rehearse.exact import Floats

HERE = 0
"""The code of the lender under test; others are numbered from 1, and -1 is nobody."""


class Others:
    """The other lenders of a scenario, the cheapest first."""

    def __init__(self, law: Market, groups: tuple[str, ...]) -> None:
        """Take the lenders; raises ScenarioError where one grants by groups that there are not."""
        self._law = law
        order = sorted(range(len(law.lenders)), key=lambda i: (law.lenders[i].rate, i))
        self._codes = np.array([i + 1 for i in order], dtype=np.int32)
        self.rates = np.array([law.lenders[i].rate for i in order])
        self._cuts = [by_group(law.lenders[i].at_least, groups) for i in order]

    def best(self, score: Floats, group: Array) -> Ints:
        """Return the cheapest lender that grants each person a loan, by its place in `rates`; -1 for none."""
        found = np.full(len(score), -1, dtype=np.int32)
        for place, cuts in enumerate(self._cuts):
            found[(found < 0) & (score >= reached(cuts, group))] = place
        return found

    def goes(self, best: Ints, here: Flags, rate: Floats, uniform: Floats) -> Flags:
        """Return who borrows elsewhere: `here` says who got a loan here, at which `rate`; uniform (n, 2)."""
        seeks = ~here & (uniform[:, 0] < self._law.seek)
        cheaper = self.rates.take(np.maximum(best, 0)) < rate
        return np.asarray((best >= 0) & (seeks | (here & cheaper & (uniform[:, 1] < self._law.compare))))

    def code(self, best: Ints) -> Ints:
        """Return the codes of lenders in the order of the settings, from 1."""
        return self._codes.take(np.maximum(best, 0))
