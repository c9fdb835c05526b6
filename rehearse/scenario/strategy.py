"""People who change what is seen of them, knowing something of the model that decides about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rehearse.scenario.base import Name, NotNegative, Positive, Share, Strict


class Strategy(Strict):
    """How people answer to what is publicly known of the model (`Policy.published`)."""

    features: tuple[Name, ...] = Field(min_length=1)
    """The visible traits that people can make look otherwise; all others are seen as they are."""
    to: Literal["weights", "threshold"]
    """`weights`: along the published weights, x + strength · w, the best answer to a linear score where a
    change Δ costs |Δ|² / (2 · strength); `threshold`: up to a published threshold, where it costs no more
    than it is worth."""
    strength: NotNegative = 1.0
    """How far people go along the weights."""
    cost: Positive | dict[Name, Positive] = 1.0
    """What a unit of a feature costs on the way to a threshold; one for all, or one for each group."""
    gain: NotNegative = 1.0
    """What a yes is worth: whoever would have to spend more stays as he or she is."""
    most: Positive | None = None
    """The furthest that a feature can be moved; None: no bound."""
    share: Share = 1.0
    """The part of the people who do so; who they are is drawn once."""
