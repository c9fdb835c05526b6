"""Metrics of triage: cases that wait for workers, and incidents that are seen or not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.experiments.metrics.base import Cases, Metric, Part, Quantile, Ratio, Readable, Society

WAITED = "isfinite(wait)"
LONG = Cases(WAITED, "wait DESC", "waited {wait:.3g} time units after {action}")


def _gap_at_end(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    del part
    found = record.query(
        """SELECT replica, arg_max(discovery_gap, tick) AS value FROM turns
        WHERE isfinite(discovery_gap) GROUP BY ALL ORDER BY ALL"""
    )
    replicas = np.asarray(found["replica"], dtype=np.int64).tolist()
    return dict(zip(replicas, found.numbers("value").tolist(), strict=True))


METRICS = (
    Metric(
        name="discovery_gap",
        scale="points",
        better="lower",
        meaning="The largest difference between two sites in the share of incidents seen, over the run.",
        phrase="The share of incidents seen differed between two sites by up to {}",
        measure=Society(_gap_at_end, by_part=False),
        needs=("discovery_gap",),
        plain="gap in discovery",
    ),
    Metric(
        name="wait",
        scale="amount",
        better="lower",
        meaning="How long cases that were served had waited, on average, in the world's time units.",
        phrase="Cases that were served had waited {} time units on average",
        measure=Ratio.of_column("wait"),
        needs=("wait",),
        cases=LONG,
    ),
    Metric(
        name="wait_p95",
        scale="amount",
        better="lower",
        meaning="The wait that 95 of 100 cases that were served did not exceed, in the world's time units.",
        phrase="95 of 100 cases that were served had waited no longer than {} time units",
        measure=Quantile("wait", 0.95),
        needs=("wait",),
        cases=LONG,
    ),
    Metric(
        name="served",
        scale="share",
        better="higher",
        meaning="The share of cases that were served, of those that did not wait any longer.",
        phrase="{} cases were served",
        measure=Ratio.of_column("served"),
        needs=("served",),
        cases=Cases("served = 0", "harm DESC, tick", "was not served after {action}"),
    ),
)
