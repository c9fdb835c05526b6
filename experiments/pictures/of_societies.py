"""The charts and tables of a society written in Python: its measures over time, and at the end."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.experiments.intervals import Sample, interval
from rehearse.experiments.metrics import METRICS
from rehearse.experiments.pictures import markup
from rehearse.experiments.pictures.chart import Charts
from rehearse.experiments.report import charts as drawn
from rehearse.experiments.report.facts import Series

if TYPE_CHECKING:
    from rehearse.experiments.play import Played

CONFIDENCE = 0.95
HEADS = ["measure", "at the end", "from", "to"]


def charts(played: Played) -> Charts:
    """Return a chart of each measure over time."""
    counted = METRICS["growth"]  # a plain number from 0 on; only its name is the measure's
    specs = []
    for name in played.measures:
        title = name.replace("_", " ")
        spec = drawn.trend(_series(played, name), replace(counted, plain=title), "tick", (), ())
        specs.append(drawn.named(spec, name, title[:1].upper() + title[1:]))
    return Charts.of(specs)


def _series(played: Played, name: str) -> Series:
    """Return a measure over time: mean, interval and range over replicas."""
    when, values = played.ticks["tick"], played.ticks.numbers(name)
    ticks = np.unique(when)
    of_tick = [values[when == tick] for tick in ticks]
    found = [interval(Sample.of_replicas(each), CONFIDENCE) for each in of_tick]
    return Series(
        tick=ticks.tolist(),
        mean=[_known(one.estimate) for one in found],
        low=[_known(one.low) for one in found],
        high=[_known(one.high) for one in found],
        least=[_known(float(each.min())) for each in of_tick],
        most=[_known(float(each.max())) for each in of_tick],
    )


def text(played: Played) -> str:
    """Return every measure at the end, and how often the model proposed what, as lines to print."""
    from rehearse.experiments.commands.printing import table_of

    return "\n".join([_lede(played), *table_of(HEADS, _rows(played))])


def tables(played: Played) -> str:
    """Return the same as HTML."""
    return markup.block(_lede(played), [markup.table(HEADS, _rows(played))])


def _lede(played: Played) -> str:
    shares = ", ".join(f"{item} {100.0 * played.share(item):.3g} %" for item in played.items)
    replicas, ticks = (len(np.unique(played.ticks[name])) for name in ("replica", "tick"))
    met = (
        f"{played.turns.length:,} meetings with the model ({shares})"
        if played.turns.length
        else "no meetings"
    )
    return f"{replicas} replicas of {ticks} ticks, {met}"


def _rows(played: Played) -> list[list[Any]]:
    found = [(name, played.measure(name)) for name in played.measures]
    return [[name.replace("_", " "), one.estimate, one.low, one.high] for name, one in found]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
