"""What prices are worth to people, in units of money, and with what chance they buy.

Person p with reservation price w_p and reference price r_p values seller j, who asks p_j, at

    v_pj = w_p + quality_j − p_j + gain · (r_p − p_j)⁺ − loss · (p_j − r_p)⁺

A unit of money is worth b_p units of utility (their taste for `surplus`), and s_p is their noise. What can
be had elsewhere, from rivals or by buying nothing, is worth its inclusive value (McFadden, 1978)

    e_p = (s_p / b_p) · ln(1 + Σ_rivals e^((b_p / s_p) · v_pj))

so that P(p buys here at price i) = σ((b_p / s_p) · (v_pi − e_p)) is the multinomial logit of all sellers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from rehearse.columns import Columns, Rows
from rehearse.compiled import twin_of
from rehearse.environments.pricing.settings import Reference
from rehearse.exact import Floats, exp, log, sigmoid, total

NOISE_FLOOR = 1e-6
"""Less noise than this is this much: people do what is best for certain."""
TASTE_FLOOR = 1e-6
"""Money is worth at least this."""
RESERVATION, REFERENCE = "reservation_price", "reference_price"


@dataclass(frozen=True, slots=True)
class Buyers:
    """The people of a block as buyers, n rows."""

    reservation: Floats
    """In units of money."""
    reference: Floats | None
    """The price that each is used to; None where nobody compares."""
    taste: Floats
    """b: what a unit of money is worth to each, in utility."""
    sharp: Floats
    """b / s: by how many logits a unit of money moves each."""
    law: Reference

    @classmethod
    def of(cls, people: Columns, rows: Rows, reference: Reference | None) -> Buyers:
        """Read the people's columns."""
        taste = np.maximum(people.numbers("taste", rows)[:, 0], TASTE_FLOOR)
        return cls(
            reservation=people.numbers(RESERVATION, rows),
            reference=None if reference is None else people.numbers(REFERENCE, rows),
            taste=taste,
            sharp=taste / np.maximum(people.numbers("noise", rows), NOISE_FLOOR),
            law=reference or Reference(),
        )

    def take(self, index: Rows) -> Buyers:
        """Return some of them."""
        return replace(
            self,
            reservation=self.reservation.take(index),
            reference=None if self.reference is None else self.reference.take(index),
            taste=self.taste.take(index),
            sharp=self.sharp.take(index),
        )

    def value(self, quality: float | Floats, prices: ArrayLike) -> Floats:
        """Return v of prices, the same for everybody (m,) or everyone's own (n, m): shape (n, m)."""
        asked = np.asarray(prices, dtype=np.float64)
        if self.reference is not None and asked.ndim == 1:
            shared = np.empty((len(self.reservation), len(asked)))
            own = self.reservation + quality, self.reference
            _value(*own, asked, self.law.gain, self.law.loss, shared)
            return shared
        value = (self.reservation[:, None] + quality) - asked
        if self.reference is not None:
            below = self.reference[:, None] - asked
            value += np.where(below > 0.0, self.law.gain * below, self.law.loss * below)
        return np.asarray(value)

    def inclusive(self, values: Floats) -> Floats:
        """Return what the best of some values (n, k), or nothing, is worth: shape (n,)."""
        if not values.shape[1]:
            return np.zeros(len(values))
        weights, most = self._weights(values)
        return np.asarray((most + log(total(weights))) / self.sharp)

    def shares(self, values: Floats) -> Floats:
        """Return the chance of each of some values (n, k) where nothing else but nothing can be had."""
        weights, _ = self._weights(values)
        return np.asarray(weights[:, :-1] / total(weights)[:, None])

    def chances(self, beyond: Floats) -> Floats:
        """Return the chance to buy here, by what each price is worth beyond all else (n, m)."""
        return sigmoid(beyond * self.sharp[:, None])

    def gain(self, beyond: Floats) -> Floats:
        """Return what people gain, on average, by being offered each price (n, m): (s/b) ln(1 + e^…)."""
        logits = beyond * self.sharp[:, None]
        extra = log(1.0 + exp(-np.abs(logits)))
        return np.asarray((np.maximum(logits, 0.0) + extra) / self.sharp[:, None])

    def _weights(self, values: Floats) -> tuple[Floats, Floats]:
        logits = np.zeros((len(values), values.shape[1] + 1))
        logits[:, :-1] = values * self.sharp[:, None]
        most = logits.max(axis=1)
        return exp(logits - most[:, None]), most


def _value_plainly(
    worth: Floats, reference: Floats, asked: Floats, gain: float, loss: float, out: Floats
) -> None:
    below = reference[:, None] - asked
    out[:] = (worth[:, None] - asked) + np.where(below > 0.0, gain * below, loss * below)


@twin_of(_value_plainly)
def _value(worth: Floats, reference: Floats, asked: Floats, gain: float, loss: float, out: Floats) -> None:
    for i in range(len(worth)):
        for j in range(len(asked)):
            below = reference[i] - asked[j]
            out[i, j] = (worth[i] - asked[j]) + (gain * below if below > 0.0 else loss * below)
