"""How people come and go: who is here at the start, and the hazards of arriving, leaving and returning.

A hazard is the chance of it in one tick for a person to whom it can happen. Hazards for several
reasons add up (competing risks), to 1 at most; the record keeps the reason that struck.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rehearse.scenario.base import NotNegative, Share, Strict, Tick

Some = NotNegative
"""People: a whole number of them; below 1 a share of `people.count`."""


class Wave(Strict):
    """Some people who come together."""

    tick: Tick = Field(ge=1)
    """The first tick in which they are here; whom tick 0 finds is `start`."""
    people: Some


class Arrivals(Strict):
    """Who is here at the start, and how the others come, who are drawn but not here yet.

    Ids are in the order of arrival as far as it is scheduled: first `start`, then whom `waves` and
    `steady` bring. Who was brought by a hazard before that stays.
    """

    start: Some
    """Who is here in tick 0: a number of people; below 1 a share of all."""
    waves: tuple[Wave, ...] = ()
    steady: Some = 0.0
    """How many come in every tick: a number of people; below 1 a share of all."""
    rate: Share = 0.0
    """The hazard of coming by oneself (Bass's coefficient of innovation p)."""
    word_of_mouth: NotNegative = 0.0
    """Times the share of friends who are here and satisfied: hazard (Bass's coefficient of imitation q)."""
    satisfied: Share = 0.5
    """From this satisfaction on, people speak well of the model."""


class Churn(Strict):
    """Why people who are here leave, at the end of a tick."""

    rate: Share = 0.0
    """The hazard of leaving whatever happens."""
    dissatisfaction: Share = 0.0
    """Times (1 − satisfaction): hazard."""
    distrust: Share = 0.0
    """Times (1 − trust²): hazard."""
    friends: Share = 0.0
    """Times the share of friends who left, of those friends who ever were here: hazard."""


class Returns(Strict):
    """Why people who left come back; they are away for one tick at least."""

    rate: Share = 0.0
    """The hazard of coming back whatever happens."""
    friends: Share = 0.0
    """Times the share of friends who are here, of those friends who ever were: hazard."""
    forgets: tuple[Literal["trust", "habit", "satisfaction", "memory"], ...] = ()
    """What is as it was at the start again; all else is kept, memory as far as it did not fade meanwhile."""


def by_friends(arrivals: Arrivals | None, churn: Churn | None, returns: Returns | None) -> bool:
    """Return whether friends have a part in who comes and goes."""
    word = arrivals is not None and arrivals.word_of_mouth > 0.0
    loss = churn is not None and churn.friends > 0.0
    return word or loss or (returns is not None and returns.friends > 0.0)
