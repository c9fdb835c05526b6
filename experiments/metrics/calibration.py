"""Calibration: how well a score between 0 and 1, read as the chance that the label is 1, keeps its word."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rehearse.columns import Columns
from rehearse.experiments.metrics.base import Cases, Metric, Part, Ratio, Readable, Society, turns_of

KNOWN = "label >= 0 AND score BETWEEN 0 AND 1"
NEEDS = ("label", "score")
BINS = 10
ASKED = "The model must give scores between 0 and 1, and the world labels."


def binned(record: Readable, by: str, part: Part | None = None) -> Columns:
    """Return by a column of turns and band of score how many there are (n), and sums of score and label."""
    return record.query(
        f"""SELECT {by} AS part, least({BINS - 1}, CAST(floor(score * {BINS}) AS INTEGER)) AS band,
        count(*) AS n, sum(CAST(score AS DOUBLE)) AS score, sum(label) AS label
        FROM {turns_of(part)} WHERE {KNOWN} GROUP BY ALL ORDER BY ALL"""
    )


def error_of(found: Columns) -> dict[int, float]:
    """Return the expected calibration error Σ nᵦ/n |mean score − mean label| over bands b, of each part.

    Naeini, Cooper and Hauskrecht (2015), with ten bands of equal width.
    """
    part = np.asarray(found["part"], dtype=np.int64)
    parts, place = np.unique(part, return_inverse=True)
    off = np.bincount(place, weights=np.abs(found.numbers("score") - found.numbers("label")))
    size = np.bincount(place, weights=found.numbers("n")).astype(np.float64)
    return dict(zip(parts.tolist(), (off / size).tolist(), strict=True))


def _by_replica(record: Readable, part: Part | None = None) -> Mapping[int, float]:
    return error_of(binned(record, "replica", part))


METRICS = (
    Metric(
        name="brier",
        scale="index",
        better="lower",
        meaning="The mean square of score less label, the score read as the chance that the label is 1.",
        phrase="The Brier score was {}",
        measure=Ratio("(score - label) ** 2", KNOWN),
        needs=NEEDS,
        asked=ASKED,
        cases=Cases(KNOWN, "abs(score - label) DESC", "scored {score:.2f}, and the label was {label}"),
    ),
    Metric(
        name="ece",
        scale="index",
        better="lower",
        meaning="The expected calibration error: how far scores lie from the share of labels that are 1, "
        "over ten bands of score.",
        phrase="The expected calibration error was {}",
        measure=Society(_by_replica),
        needs=NEEDS,
        asked=ASKED,
        plain="expected calibration error",
    ),
)
