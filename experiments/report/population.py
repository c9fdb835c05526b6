"""Who came and went: how many were here over time, comings and goings, and the reasons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics import METRICS
from rehearse.experiments.report import charts, facts, words
from rehearse.experiments.report.facts import Row, Series, rows

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

FLOWS = {"arrived": "var(--good)", "returned": "var(--good-soft)", "left": "var(--left)"}
"""The columns of ticks that are drawn as bars, and their colours; who left is drawn downwards."""
LABELS = 8
"""At most so many ticks are named below the bars."""


def section(record: RunRecord, step: int, add: Callable[[charts.Spec], str]) -> dict[str, Any] | None:
    """Return the section, or None where nobody comes or goes; each point stands for `step` ticks."""
    if "here" not in facts.columns_of(record, "ticks"):
        return None
    unit = record.scenario.time.unit
    here = facts.courses(record, ("here",), step)["here"]
    flows = facts.courses(record, tuple(FLOWS), step)
    counted = replace(METRICS["growth"], plain="people here")
    return {
        "here": add(charts.named(charts.trend(here, counted, unit, (), ()), "people", "People here")),
        "flows": add(charts.named(_bars(flows, unit), "comings", "Who came and who left")),
        "legend": [(colour, name) for name, colour in FLOWS.items()],
        "told": _told(record, here),
        "reasons": [
            *_reasons(record, "came_by", words.COMINGS),
            *_reasons(record, "left_for", words.LEAVINGS),
        ],
        "unit": unit,
    }


def _told(record: RunRecord, here: Series) -> str:
    summed = ", ".join(f'sum("{name}") / count(DISTINCT replica) AS "{name}"' for name in FLOWS)
    whole = {name: words.whole(n) for name, n in rows(record.query(f"SELECT {summed} FROM ticks"))[0].items()}
    first, last, unit = words.whole(here.mean[0]), words.whole(here.mean[-1]), record.scenario.time.unit
    most = max(range(len(here.tick)), key=lambda i: here.mean[i] or 0.0)
    height = f", {words.whole(here.mean[most])} at the height, {unit} {here.tick[most]}"
    return (
        f"{first} people were here in the first {unit} and {last} in the last"
        f"{'' if most == len(here.tick) - 1 else height}. {whole['arrived']} people were here at some time; "
        f"they left {whole['left']} times and came back {whole['returned']} times."
    )


def _reasons(record: RunRecord, column: str, known: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return for each reason who it concerns, how many, and of all who have one how large a part."""
    listed = ", ".join(f"'{reason}'" for reason in known)
    found = rows(
        record.query(
            f"""SELECT {column} AS why, count(*) AS n, count(*) / sum(count(*)) OVER () AS share FROM users
            WHERE {column} IN ({listed}) GROUP BY 1 ORDER BY n DESC, why"""
        )
    )
    verb = "came" if column == "came_by" else "left"
    return [
        (f"{verb} {known[row['why']]}", words.whole(row["n"]), words.percent(row["share"])) for row in found
    ]


def _bars(flows: dict[str, Series], unit: str) -> charts.Spec:
    values: list[Row] = [
        {"tick": tick, "kind": name, "n": n, "height": -(n or 0.0) if name == "left" else n}
        for name, series in flows.items()
        for tick, n in zip(series.tick, series.mean, strict=True)
        if tick > 0  # in the first tick nobody arrives: it finds whom it finds
    ]
    ticks = sorted({int(value["tick"]) for value in values})
    named = ticks[:: max(1, -(-len(ticks) // LABELS))]
    counts = {"type": "quantitative", "format": ",.1f", "title": f"people, a {unit}"}
    encoding = {
        "x": {
            "field": "tick",
            "type": "ordinal",
            "title": unit,
            "axis": {"values": named, "labelAngle": 0, "titleAnchor": "end"},
        },
        "y": {
            "field": "height",
            "type": "quantitative",
            "title": None,
            "axis": {"tickCount": 4, "format": "~f"},
        },
        "fill": {
            "field": "kind",
            "type": "nominal",
            "scale": {"domain": list(FLOWS), "range": list(FLOWS.values())},
        },
        "order": {"field": "kind"},
        "tooltip": [
            {"field": "tick", "type": "quantitative", "title": unit},
            {"field": "kind", "title": "who"},
            {"field": "n", **counts},
        ],
    }
    said = "People who arrived and came back (upwards) and who left (downwards) over time."
    return charts.base(said, values, 200, mark={"type": "bar"}, encoding=encoding)
