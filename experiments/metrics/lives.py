"""Metrics of coming and going: how often people come, whether they stay, and whether others join them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.experiments.metrics.base import (
    JUDGED,
    Cases,
    Lives,
    Metric,
    Part,
    Ratio,
    Readable,
    Society,
)

GONE = f'(replica, "user") IN (SELECT (replica, "user") FROM users WHERE NOT alive) AND {JUDGED}'
LEFT_LATER = Cases(
    GONE,
    "satisfaction, tick DESC",
    "left later on; this session ended with satisfaction {satisfaction:.2f} ({end})",
)


def growth(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    """Return how many were here in the last tick for each in the first; it is of everybody."""
    del part
    found = record.query(
        """SELECT replica, arg_max(here, tick) / nullif(arg_min(here, tick), 0) AS value FROM ticks
        WHERE isfinite(here) GROUP BY replica ORDER BY replica"""
    )
    replicas = np.asarray(found["replica"], dtype=np.int64).tolist()
    return dict(zip(replicas, found.numbers("value").tolist(), strict=True))


METRICS = (
    Metric(
        name="return_rate",
        scale="rate",
        better="higher",
        meaning="How many sessions a person opened in a tick, on average, while he or she was here.",
        phrase="People opened {} sessions a tick on average",
        measure=Ratio.of_sessions("1", "\"end\" <> 'none'", per="tick"),
        cases=LEFT_LATER,
    ),
    Metric(
        name="churn",
        scale="share",
        better="lower",
        meaning="The share of the people here in a tick who left at its end.",
        phrase="{} people who were here in a tick left at its end",
        measure=Lives("times_left", "ticks_here"),
        cases=LEFT_LATER,
        needs=("left",),
    ),
    Metric(
        name="retention",
        scale="share",
        better="higher",
        meaning="The share of those who ever came who are here at the end.",
        phrase="{} people who ever came were here at the end",
        measure=Lives("alive", "ticks_here > 0"),
        cases=Cases(
            GONE,
            "tick DESC, satisfaction",
            "was gone at the end; this session ended with satisfaction {satisfaction:.2f} ({end})",
        ),
        needs=("left",),
    ),
    Metric(
        name="growth",
        scale="index",
        better="higher",
        meaning="How many people were here in the last tick for each who was here in the first.",
        phrase="The society was {} times as large in the last tick as in the first",
        measure=Society(growth, by_part=False, reads="ticks"),
        needs=("here",),
    ),
)
