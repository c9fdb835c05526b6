"""Monitors: what is watched over the ticks of a run, and what rings when it shifts."""

from __future__ import annotations

from pydantic import Field

from rehearse.detect import Spec
from rehearse.scenario.base import Strict


class Monitor(Strict):
    """A series over the ticks, and the detector that rings when it shifts; it changes nobody's life."""

    series: str = Field(min_length=1)
    """`actions` (the share of each answer); `score`; a metric that is a mean over turns: `acceptance`,
    `reward`, `brier`, `mean:COLUMN`, `gap:acceptance`; `ece`; or how far something moved from the run's
    first quarter: `psi:`, `ks:` or `js:` and `actions`, `outcomes` or a recorded column (`psi:score`)."""
    detector: Spec | None = None
    """A name such as `ewma`, or `{name: cusum, k: 0.5, h: 4, reference: 10}`; None: a CUSUM that sets its own
    threshold, so that a steady run rings with a chance of 1 in 100."""
