"""What follows from taking an item: how it turns out, what it costs, whom it harms, what it earns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rehearse.contract import Ints, Turn
from rehearse.exact import Floats, log, sigmoid
from rehearse.scenario.base import NotNegative, Strict

DRAWS = 4
IRWIN_HALL = 3.0**0.5
"""The sum of four uniform draws has variance 1/3."""
SMALLEST_WEIGHT = 1e-3
"""A taste nearer to 0 than this cannot price a loss of utility."""


class Delay(Strict):
    """How much later than planned an item is: exponential, in minutes."""

    mean_minutes: dict[str, NotNegative]
    """The mean for each item; items left out are never late."""
    felt_as: str
    """The attribute whose taste says what a minute is worth to a person, such as a waiting time."""


class Experience(Strict):
    """How what was taken turns out: σ(sensitivity · (felt + noise · ε)), ε with variance 1."""

    of: Literal["surprise", "utility"] = "surprise"
    """`surprise`: felt = utility had less utility expected; `utility`: felt = true utility − centre."""
    sensitivity: NotNegative = 1.0
    """Per unit of utility."""
    centre: float = 0.0
    """The true utility that feels as expected (with `of: utility`)."""
    noise: NotNegative = 0.0
    """Standard deviation, in utility."""
    delay: Delay | None = None
    """Minutes beyond the usual mean delay, which everyone expects, take away from what is felt."""


class Harm(Strict):
    """When taking an item counts as harm, and in what unit: see `harm`."""

    margin: NotNegative = 1.0
    """Utility that a person may lose against the best they could have had without being harmed."""
    per: str | None = None
    """The attribute, such as a price, in whose unit harm is told; None: in utility."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Those of a block who took something, n rows: what, and what it is truly worth to them."""

    turn: Turn
    item: Ints
    utility: Floats
    best: Floats
    """The true utility of the best item they could have had."""


def delay(taken: Taken, means: Floats) -> Floats:
    """Return each person's delay in minutes: −mean · ln U, one draw a person and turn."""
    uniform = taken.turn.uniform("world/delay")[:, 0]
    return np.asarray(-means.take(taken.item) * log(uniform))


def experience(law: Experience, taken: Taken, surprise: Floats) -> Floats:
    """Return how good what was taken turned out, 0 to 1, .5 being as expected.

    `surprise` is utility had less utility expected, from delays; shape (n,). The noise is the sum
    of four uniform draws (Irwin–Hall): nearly normal, never beyond 3.47 standard deviations.
    """
    felt = surprise if law.of == "surprise" else surprise + (taken.utility - law.centre)
    if law.noise > 0.0:
        draws = taken.turn.uniform("world/experience", DRAWS)
        whole = (draws[:, 0] + draws[:, 1]) + (draws[:, 2] + draws[:, 3])
        felt = felt + law.noise * (IRWIN_HALL * (whole - 0.5 * DRAWS))
    return sigmoid(law.sensitivity * felt)


def harm(law: Harm, taken: Taken, weight: Floats | None) -> Floats:
    """Return what a person lost by taking this and not the best, beyond the margin, at least 0.

    With `weight` (their taste for `law.per`, say dollars) the loss of utility is divided by its
    size: the dollars that would make good for it (the compensating variation of Small and Rosen,
    "Applied welfare economics with discrete choice models", Econometrica 49, 1981, for a choice
    without a random part).
    """
    loss = np.maximum(taken.best - taken.utility - law.margin, 0.0)
    return loss if weight is None else loss / np.maximum(np.abs(weight), SMALLEST_WEIGHT)
