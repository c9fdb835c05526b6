"""When cases come: a Poisson stream, or one in which each case brings more (Hawkes).

The intensity of arrivals at time t, in cases per time unit, is

    λ(t) = μ + Σ_{t_i < t} n β e^{−β (t − t_i)}          Hawkes (1971), exponential kernel

with baseline μ (`rate`), branching ratio n < 1 (`branching`: how many more each case brings on average)
and β (`decay`: how fast that wears off). n = 0 is a Poisson stream. In the long run μ / (1 − n) cases
come per time unit; of counts over long stretches, variance / mean tends to 1 / (1 − n)².

Times are exact (Dassios and Zhao 2013). After an arrival let x = λ − μ. The next comes after the
smaller of a wait for the baseline, s = −ln U₂ / μ, and one for the excess, which is finite if
D = 1 + β ln U₁ / x > 0, and then −ln D / β. What is left of the excess is x·D or x·e^{−βs}: so only
products are needed from case to case, and all logarithms are taken at once. U₁ and U₂ are addressed by
society and number of the case.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rehearse import exact
from rehearse.chance import Chance
from rehearse.columns import Rows
from rehearse.compiled import twin_of
from rehearse.exact import Floats
from rehearse.scenario.base import Positive, Strict

PAST = 40.0
"""So many times the memory of the stream, 1 / (β (1 − n)), are lived through before it is at rest."""


class Arrivals(Strict):
    """The stream of cases."""

    rate: Positive = 1.0
    """Cases per time unit that come by themselves (μ)."""
    branching: float = Field(default=0.0, ge=0.0, lt=1.0)
    """How many more cases each one brings, on average (n); above 0 cases come in bursts."""
    decay: Positive = 1.0
    """How fast the excess wears off, per time unit (β)."""
    start: Literal["stationary", "empty"] = "stationary"
    """`stationary`: the stream has been running for ever at time 0; `empty`: it begins there."""


def arrival_times(law: Arrivals, count: int, chance: Chance, replicas: NDArray[np.int32]) -> Floats:
    """Return when the first `count` cases of each society come, shape (replicas, count), ascending."""
    excess = np.zeros(len(replicas))
    if law.branching > 0.0 and law.start == "stationary":
        excess = _at_rest(law, chance, replicas)
    return _times(law, "arrivals", np.arange(count), chance, replicas, excess)[0]


def _times(
    law: Arrivals, purpose: str, ids: Rows, chance: Chance, replicas: NDArray[np.int32], excess: Floats
) -> tuple[Floats, Floats]:
    """Return how long after a moment some cases come, (replicas, n), and the excess just after each."""
    logs = exact.log(chance.uniform(purpose, replicas[:, None], ids[None, :], count=2))
    alone = logs[..., 1] / law.rate
    if law.branching == 0.0:
        return np.cumsum(-alone, axis=1), np.zeros(alone.shape)
    left, after = np.empty(alone.shape), np.empty(alone.shape)
    worn, sooner = exact.exp(law.decay * alone), law.decay * logs[..., 0]
    kick = law.branching * law.decay
    for place in range(len(replicas)):
        _wear_off(sooner[place], worn[place], excess[place], kick, left[place], after[place])
    return np.cumsum(-exact.log(left) / law.decay, axis=1), after


def _wear_off_plainly(
    sooner: Floats, worn: Floats, excess: float, kick: float, left: Floats, after: Floats
) -> None:
    # Lists are read and written several times as fast as arrays, one element at a time.
    told = left.tolist(), after.tolist()
    _wear_off.loop(sooner.tolist(), worn.tolist(), float(excess), kick, *told)
    left[:], after[:] = told


@twin_of(_wear_off_plainly)
def _wear_off(sooner: Floats, worn: Floats, excess: float, kick: float, left: Floats, after: Floats) -> None:
    """Fill in what part of the excess is left when each case comes, and the excess after it."""
    for case in range(len(left)):
        # Without an excess only the baseline brings a case.
        own = 1.0 + sooner[case] / excess if excess > 0.0 else 0.0
        left[case] = max(own, worn[case])
        excess = excess * left[case] + kick
        after[case] = excess


def _at_rest(law: Arrivals, chance: Chance, replicas: NDArray[np.int32]) -> Floats:
    """Return the excess at time 0 of streams that began long before, shape (replicas,)."""
    began = PAST / (law.decay * (1.0 - law.branching))
    step = int(1.5 * began * law.rate / (1.0 - law.branching)) + 32
    found, excess, clock = np.zeros(len(replicas)), np.zeros(len(replicas)), np.zeros(len(replicas))
    on, number = np.arange(len(replicas)), 0
    while on.size:
        ids = np.arange(number, number + step)
        number += step
        passed, after = _times(law, "arrivals/before", ids, chance, replicas[on], excess[on])
        times = np.column_stack([clock[on], passed + clock[on, None]])
        levels = np.column_stack([excess[on], after])
        last = (times <= began).sum(axis=1) - 1
        every = np.arange(len(on))
        since = began - times[every, last]
        found[on] = levels[every, last] * exact.exp(-law.decay * since)
        excess[on], clock[on] = levels[:, -1], times[:, -1]
        on = on[last == step]  # the moment lies behind the last of these cases
    return found
