"""Metrics of models beside one another: a live one and the candidate in its shadow."""

from __future__ import annotations

from rehearse.experiments.metrics.base import Cases, Metric, Ratio

METRICS = (
    Metric(
        name="disagreement",
        scale="share",
        better="lower",
        meaning="The share of answers for which the candidate in the shadow would have answered otherwise.",
        phrase="{} answers would have been others by the candidate",
        measure=Ratio("agrees = 0", "agrees >= 0"),
        needs=("agrees",),
        asked="policy: shadow-v1",
        cases=Cases(
            "agrees = 0",
            "CASE WHEN isfinite(regret) THEN regret ELSE 0 END DESC",
            "was offered {action}, and the candidate had another answer",
        ),
    ),
)
