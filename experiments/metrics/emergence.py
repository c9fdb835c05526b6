"""Metrics of what emerges: the society's own measures at the last tick, and how choices came to lie.

A measure of opinions is followed for `opinion` and for every other column of people that the
scenario names: `echo`, `echo:trust`. What each of them means stands in `rehearse.agents.emergence`.
Any column of ticks can be watched for an early warning: `early_warning:adopted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from rehearse.experiments.metrics import consumption
from rehearse.experiments.metrics.base import Better, Cases, Metric, Part, Readable, Scale, Society, top_item
from rehearse.experiments.metrics.warning import warning_of
from rehearse.scenario.emergence import Family

OPINION = "opinion"
EARLY_WARNING = "early_warning"
FAMILIES: dict[Family, tuple[str, ...]] = {
    "clusters": ("clusters", "major_clusters", "largest_cluster"),
    "echo": ("echo", "echo_by_chance", "assortativity"),
    "segregation": ("segregation", "same_group_friends"),
    "cascades": ("cascades", "cascade_size", "largest_cascade", "cascade_depth", "structural_virality"),
}
"""Which measures a scenario gets by asking for a family of them."""


def at_end(column: str) -> Callable[[Readable, Part | None], Mapping[int, float]]:
    """Return the measure that reads a column of ticks at the last tick; it is of everybody."""

    def measure(record: Readable, part: Part | None = None) -> Mapping[int, float]:
        del part
        found = record.query(
            f"""SELECT replica, "{column}" AS value FROM ticks
            WHERE tick = (SELECT max(tick) FROM ticks) ORDER BY ALL"""
        )
        replicas = np.asarray(found["replica"], dtype=np.int64).tolist()
        return dict(zip(replicas, found.numbers("value").tolist(), strict=True))

    return measure


def _at_end(
    name: str, scale: Scale, better: Better, meaning: str, phrase: str, cases: Cases | None = None
) -> Metric:
    return Metric(
        name=name,
        scale=scale,
        better=better,
        meaning=meaning,
        phrase=phrase,
        measure=Society(at_end(name), by_part=False, reads="ticks"),
        needs=(name,),
        asked=_asked(name),
        cases=cases,
    )


def _asked(name: str) -> str:
    family = next((f for f, names in FAMILIES.items() if name in names), "")
    return f"people.society.emergence.measures: [{family}]" if family else ""


_OF_OPINIONS = (
    _at_end(
        "polarisation",
        "index",
        "lower",
        "How far opinions lay apart at the end: four times their variance, 0 agreement, 1 two camps.",
        "The polarisation of opinions at the end was {}",
    ),
    _at_end(
        "bimodality",
        "level",
        "lower",
        "Whether opinions fell into two camps at the end: Sarle's coefficient, above .56 if so.",
        "The bimodality of opinions at the end was {}",
    ),
    _at_end(
        "clusters",
        "amount",
        "lower",
        "How many clusters of opinions there were at the end, single people included.",
        "There were {} clusters of opinions at the end",
    ),
    _at_end(
        "major_clusters",
        "amount",
        "lower",
        "How many clusters of opinions held at least 5 % of the people at the end.",
        "There were {} clusters of opinions with 5 % of the people or more at the end",
    ),
    _at_end(
        "largest_cluster",
        "share",
        "higher",
        "The share of people who were in the largest cluster of opinions at the end.",
        "{} people were in the largest cluster of opinions at the end",
    ),
    _at_end(
        "echo",
        "share",
        "lower",
        "The share of ties that joined people of one opinion group at the end.",
        "{} ties joined people of one opinion group at the end",
    ),
    _at_end(
        "echo_by_chance",
        "share",
        "lower",
        "The share of ties that would join people of one opinion group if they were tied blindly.",
        "{} ties would have joined people of one opinion group by chance",
    ),
    _at_end(
        "assortativity",
        "index",
        "lower",
        "How alike the opinions of friends were at the end: their correlation over ties.",
        "The opinions of friends correlated at {} at the end",
    ),
)
_OF_SOCIETY = (
    _at_end(
        "segregation",
        "index",
        "lower",
        "How far ties stayed inside groups at the end: Newman's coefficient, 0 as by chance, 1 all.",
        "The segregation of groups at the end was {}",
    ),
    _at_end(
        "same_group_friends",
        "share",
        "lower",
        "The share of a person's friends who were of the same group at the end, on average.",
        "{} friends were of the same group as the person at the end",
    ),
    _at_end(
        "cascades",
        "amount",
        "higher",
        "How many cascades of adoption began, single adopters included.",
        "There were {} cascades of adoption",
    ),
    _at_end(
        "cascade_size",
        "amount",
        "higher",
        "How many people adopted in a cascade, on average.",
        "A cascade of adoption had {} people on average",
    ),
    _at_end(
        "largest_cascade",
        "amount",
        "higher",
        "How many people adopted in the largest cascade.",
        "The largest cascade of adoption had {} people",
    ),
    _at_end(
        "cascade_depth",
        "amount",
        "higher",
        "How many steps the largest cascade went from its first adopter.",
        "The largest cascade went {} steps from its first adopter",
    ),
    _at_end(
        "structural_virality",
        "amount",
        "higher",
        "The mean distance between two people of the largest cascade: 2 for a broadcast, more for chains.",
        "The structural virality of the largest cascade was {}",
    ),
)
_OF_CONSUMPTION = (
    Metric(
        name="concentration",
        scale="level",
        better="lower",
        meaning="How unequally choices fell on the items, as a Gini coefficient.",
        phrase="The Gini coefficient of choices over items was {}",
        measure=Society(consumption.concentration, reads="every turn"),
        cases=Cases(
            f"choice = {top_item('choice', 'count(*)')}",
            "tick, turn",
            "took {choice}, the item taken most",
        ),
    ),
    Metric(
        name="homogeneity",
        scale="level",
        better="lower",
        meaning="How alike what two people were shown is: mean Jaccard overlap of their sets of items.",
        phrase="What two people were shown overlapped by {} on average",
        measure=Society(consumption.homogeneity),
        cases=Cases(
            f"action = {top_item('action', 'count(*)')}",
            "tick, turn",
            "was offered {action}, the answer given most",
        ),
    ),
    Metric(
        name="homogeneity:choices",
        scale="level",
        better="lower",
        meaning="How alike what two people took is: mean Jaccard overlap of their sets of items.",
        phrase="What two people took overlapped by {} on average",
        measure=Society(consumption.homogeneity_of_choices),
    ),
    Metric(
        name="herfindahl",
        scale="level",
        better="lower",
        meaning="How far choices fell on few items, as a Herfindahl index: 1 over so many equal ones.",
        phrase="The Herfindahl index of choices over items was {}",
        measure=Society(consumption.herfindahl_of_choices, reads="every turn"),
        plain="Herfindahl index",
    ),
    Metric(
        name="top_share",
        scale="share",
        better="lower",
        meaning="The share of choices that fell on the 1 % of items that were taken most.",
        phrase="{} choices fell on the 1 % of items taken most",
        measure=Society(consumption.top_share_of_choices, reads="every turn"),
        plain="share of the top 1 % of items",
    ),
)
METRICS = (*_OF_CONSUMPTION, *_OF_OPINIONS, *_OF_SOCIETY)
"""Those of opinions are of `opinion` here."""
_BY_NAME = {metric.name: metric for metric in _OF_OPINIONS}


def followed(columns: Iterable[str]) -> dict[str, Metric]:
    """Return the measures of a society that columns of ticks hold, by column, in the order of reports."""
    there = frozenset(columns)
    others = sorted({name.partition("_of_")[2] for name in there if "_of_" in name})
    opinions = (*_OF_OPINIONS, *(_of(metric, other) for metric in _OF_OPINIONS for other in others))
    asked = (*opinions, *_OF_SOCIETY, *_OF_CONSUMPTION)
    found = {metric.name.replace(":", "_of_"): metric for metric in asked}
    return {column: metric for column, metric in found.items() if column in there}


def of_column(name: str) -> Metric | None:
    """Return a measure taken of a column: `echo:trust`, `early_warning:adopted`; None for other names."""
    measured, colon, column = name.partition(":")
    if not colon or not column.isidentifier():
        return None
    if measured == EARLY_WARNING:
        return _early_warning(name, column)
    return _of(_BY_NAME[measured], column) if measured in _BY_NAME else None


def early_warning_is_of(metric: Metric) -> bool:
    """Tell whether a measure is of the moment; those of all that happened so far cannot fall back."""
    return metric.name.partition(":")[0] in _BY_NAME


def is_of_consumption(metric: Metric) -> bool:
    """Tell whether a measure is of everything that was taken up to a tick."""
    return metric in _OF_CONSUMPTION


def _of(metric: Metric, column: str) -> Metric:
    if column == OPINION:
        return metric
    kept = f"{metric.name}_of_{column}"
    return replace(
        metric,
        name=f"{metric.name}:{column}",
        meaning=_told_of(metric.meaning, column),
        phrase=_told_of(metric.phrase, column),
        measure=Society(at_end(kept), by_part=False, reads="ticks"),
        needs=(kept,),
        asked=" and ".join(filter(None, (f"people.society.emergence.of: [{column}]", metric.asked))),
    )


def _told_of(sentence: str, column: str) -> str:
    said = column.replace("_", " ")
    return sentence.replace("opinion group", f"group by {said}").replace("opinions", f"levels of {said}")


def _early_warning(name: str, column: str) -> Metric:
    return Metric(
        name=name,
        scale="index",
        better="lower",
        meaning=f"Whether {column} slowed down as if about to tip: variance and autocorrelation rising.",
        phrase=f"The early warning of {column} (Kendall's τ, variance and autocorrelation) was {{}}",
        measure=Society(warning_of(column), by_part=False, reads="ticks"),
        needs=(column,),
        plain=f"early warning of {column.replace('_', ' ')}",
    )
