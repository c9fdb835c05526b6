"""Metrics of cases that wait for workers."""

from __future__ import annotations

from rehearse.experiments.metrics.base import Cases, Metric, Quantile, Ratio

WAITED = "isfinite(wait)"
LONG = Cases(WAITED, "wait DESC", "waited {wait:.3g} time units after {action}")

METRICS = (
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
