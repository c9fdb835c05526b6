"""The laws for one person, in plain numbers: the equations of the other modules, one line each.

They are what the arrays are held to, bit for bit, by a test; the modules that the functions are named
after give the sources.
"""

from __future__ import annotations

from collections.abc import Sequence

from rehearse.agents.choice import NOISE_FLOOR
from rehearse.agents.laws.returning import LEAST, MOST
from rehearse.agents.plain import exp, log, sigmoid, total
from rehearse.contract import NOTHING
from rehearse.scenario import laws as written

IMPOSSIBLE = float("-inf")


def attraction(of: written.Attraction, utility: float, noise: float, shift: float) -> float:
    """Return what utility makes of an item."""
    if utility == IMPOSSIBLE:
        return 0.0
    if of == "linear":
        return max(utility + shift, 0.0)
    if of == "double-sigmoid":
        return sigmoid(5.0 * sigmoid(2.0 * sigmoid(0.3 * utility) - 2.0) - 6.0)
    scaled = utility / max(noise, NOISE_FLOOR)
    return exp(scaled) if of == "exponential" else sigmoid(scaled)


def proportional(weights: Sequence[float], uniform: float) -> int:
    """Return the place taken, or -1, given attractions with that of taking nothing last."""
    target, reached = uniform * total(weights), 0.0
    for place, weight in enumerate(weights[:-1]):
        reached += weight
        if reached > target:
            return place
    return NOTHING


def sequential(chances: Sequence[float], uniforms: Sequence[float]) -> int:
    """Return the first place taken, each with a chance of its own, or -1."""
    taken = [place for place, (p, u) in enumerate(zip(chances, uniforms, strict=True)) if u < min(p, 1.0)]
    return taken[0] if taken else NOTHING


def reinforced(interests: Sequence[float], item: Sequence[float], uniform: float, rate: float) -> list[float]:
    """Return interests after an item was taken."""
    steps = [rate * (1.0 - abs(u)) * d * (d - u) for u, d in zip(interests, item, strict=True)]
    likely = total([d * ((u + 1.0) / 2.0) for u, d in zip(interests, item, strict=True)])
    sign = 1.0 if uniform < likely else -1.0
    return [min(max(u + sign * s, -1.0), 1.0) for u, s in zip(interests, steps, strict=True)]


def exposed(law: written.Exposure, exposure: float, attribute: float, normal: float) -> float:
    """Return the net positive exposure after an item."""
    return law.memory * exposure - law.effect * (attribute - law.neutral) + law.innovation * normal


def spend(
    law: written.Budget, budget: float, length: float, quality: float, *, taken: bool
) -> tuple[float, float]:
    """Return what is left of a budget after a turn, and how much of what was taken was watched."""
    watched = min(budget, length) if taken else 0.0
    gives_back = 0.0 if law.watching is None else law.watching.gives_back
    cost = law.turn + (law.taken if taken else law.nothing)
    return max(budget - cost - watched + gives_back * watched * quality, 0.0), watched


def cooled(law: written.Temper, temper: float, feedback: float) -> float:
    """Return the temper left after a slate."""
    return temper + min(max(feedback - law.enough, -law.enough), 0.0)


def length_of_stay(law: written.Stay, uniform: float) -> float:
    """Return how long somebody means to stay."""
    waited = -log(uniform)
    power = 1.0 / law.shape
    return law.scale * (waited if power == 1.0 else exp(power * log(waited)))


def daily_chance(law: written.DayOfReturn, bias: float, reward: float) -> float:
    """Return the chance to come back on a day."""
    return min(max(bias + (law.base + law.by_reward * reward), LEAST), MOST)


def day_of_return(chance: float, within: int, uniform: float) -> int:
    """Return the day on which somebody comes back, from 1."""
    weight, reached, sums = chance, 0.0, []
    for _ in range(within):
        reached += weight
        sums.append(reached)
        weight *= 1.0 - chance
    return 1 + sum(so_far <= uniform * reached for so_far in sums[:-1])


def follow(reached: Sequence[float], uniform: float) -> int:
    """Return the next state or end, given running sums of chances."""
    return sum(so_far <= uniform for so_far in reached)


def seconds(law: written.Seconds, turn: int, *, taken: bool) -> float:
    """Return what a turn takes."""
    cost = law.turn + (law.session if turn == 0 else 0.0)
    if law.page is not None and turn % law.page.turns == 0:
        cost += law.page.seconds
    return cost + law.taken if taken else cost
