"""How often monitors rang: `alarms` of all of them, `alarms:SERIES` of one."""

from __future__ import annotations

import math

from rehearse.experiments.metrics.base import Metric, Readable, Whole

NAME = "alarms"


def of_name(name: str) -> Metric | None:
    """Return the number of alarms for `alarms` or `alarms:SERIES`, or None for another name."""
    head, _, series = name.partition(":")
    if head != NAME or name.endswith(":"):
        return None
    of = f" of {series}" if series else ""
    return Metric(
        name=name,
        scale="amount",
        better="lower",
        meaning=f"How many alarms{of} the monitors rang over the run.",
        phrase=f"The number of alarms{of} that rang was {{}}",
        measure=Whole(lambda record: _count(record, series)),
        plain=f"alarms{of}",
    )


def _count(record: Readable, series: str) -> float:
    from rehearse.experiments.monitor import alarms, unrecorded  # it is itself made of metrics

    missing = unrecorded(record) if record.manifest.get("monitors") else ()
    if series in missing or (missing and not series):
        return math.nan  # what could not be heard was not quiet
    return float(sum(series in {"", alarm.series} for alarm in alarms(record)))
