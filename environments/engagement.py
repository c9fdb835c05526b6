"""Engagement: what the operator gains from a turn, where that is more than so much for each item.

    lognormal   reward = e^(s · m + d · ε),  m = c · high.mean + (1 − c) · low.mean,  d alike of the sds,
                c an attribute of the item taken, 0 to 1, and s the person's satisfaction before the turn
    column      reward = what a column of the people says of the turn, such as `watched` or `feedback`

The first is RecSim's long-term satisfaction (Ie and others, arXiv:1909.04847, 2019), where `high` is
clickbait and `low` is not: engagement has the median e^(s · m), so its parameters are means of logarithms.
Either counts where something was taken, times what `reward` says of the item.
"""

from __future__ import annotations

import numpy as np

from rehearse.columns import Columns
from rehearse.contract import Turn
from rehearse.exact import Floats, exp
from rehearse.scenario.base import Name, Strict
from rehearse.scenario.laws import OneOf
from rehearse.scenario.people import Normal


class Lognormal(Strict):
    """Engagement that grows with an attribute and with how satisfied the person is."""

    of: Name
    """The attribute, 0 to 1."""
    low: Normal = Normal(mean=4.0, sd=1.0)
    """The logarithm of engagement of a satisfied person at 0."""
    high: Normal = Normal(mean=5.0, sd=1.0)
    """The same at 1."""


class Engagement(OneOf):
    """How much the operator gains from a turn: exactly one law."""

    lognormal: Lognormal | None = None
    column: Name | None = None
    """A column that people's laws make: `watched`, `feedback`, …"""


def lognormal(law: Lognormal, attribute: Floats, satisfaction: Floats, normal: Floats) -> Floats:
    """Return the engagement of each person with what they took."""
    mean = attribute * law.high.mean + (1.0 - attribute) * law.low.mean
    spread = attribute * law.high.sd + (1.0 - attribute) * law.low.sd
    return exp(mean * satisfaction + spread * normal)


def engaged(law: Engagement, took: Turn, people: Columns, attribute: Floats) -> Floats:
    """Return what the turn brings of each of these people, who took something."""
    if law.column is not None:
        return people.numbers(law.column, took.rows)
    assert law.lognormal is not None  # noqa: S101 -- exactly one is given
    normal = took.normal("world/engagement")[:, 0]
    return lognormal(law.lognormal, np.asarray(attribute), people.numbers("satisfaction", took.rows), normal)
