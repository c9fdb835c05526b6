"""Metrics: what can be asked of a record, and how it is worked out.

`Measures(record).interval(find("goal_completion"), 0.95)` is the shortest way to a number.
"""

from __future__ import annotations

from rehearse.experiments.metrics.base import Metric, Part, Readable
from rehearse.experiments.metrics.known import HEADLINES, METRICS, check, find
from rehearse.experiments.metrics.measures import Measures, series

__all__ = ["HEADLINES", "METRICS", "Measures", "Metric", "Part", "Readable", "check", "find", "series"]
