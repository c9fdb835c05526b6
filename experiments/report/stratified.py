"""What was asked of the model, over time and group by group: where a mean hides that some fall behind."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from rehearse.experiments.metrics import Measures, Metric, Part, find
from rehearse.experiments.metrics.base import Gap, Ratio
from rehearse.experiments.report import charts, facts, parts, words
from rehearse.experiments.report.facts import Row, Series
from rehearse.record.reading import RunRecord

MAX_PANELS = 6
MOST_LINES = charts.COLOURS


def section(
    record: RunRecord,
    add: Callable[[charts.Spec], str],
    step: int,
    marks: Sequence[Row],
    periods: Sequence[Row],
    drawn: Container[str] = (),
) -> dict[str, Any] | None:
    """Return a chart for each criterion that is a mean over turns: a line a group, or one for everybody.

    `drawn` are metrics that are drawn for everybody already; None where there is nothing to draw.
    """
    groups = parts.names(record, "group")
    apart = 1 < len(groups) <= MOST_LINES
    asked = {name: metric for name, metric in _asked(record).items() if apart or name not in drawn}
    if not asked or record.scope.kind == "none":
        return None
    who = {group: Part("group", group) for group in groups} if apart else {parts.EVERYBODY: None}
    found = {name: facts.over_time(record, tuple(asked), step, part) for name, part in who.items()}
    unit = record.scenario.time.unit
    panels = []
    for name, metric in asked.items():
        lines = {group: series[name] for group, series in found.items()}
        if max(len(line.tick) for line in lines.values()) > 1:
            here = [m for m in marks if m.get("series", name) == name]
            spec = (
                chart(lines, metric, unit, here, periods)
                if apart
                else charts.trend(lines[parts.EVERYBODY], metric, unit, here, periods)
            )
            title = words.title(metric.title)
            drawn_as = (f"{name} by group", f"{title}, by group") if apart else (name, title)
            panels.append({"title": title, "id": add(charts.named(spec, *drawn_as))})
    legend = [(charts.colour(place), group) for place, group in enumerate(groups)] if apart else []
    return {"panels": panels, "legend": legend} if panels else None


def chart(
    lines: Mapping[str, Series],
    metric: Metric,
    unit: str,
    marks: Sequence[Row],
    periods: Sequence[Row],
    by: str = "group",
) -> charts.Spec:
    """Draw a metric over time, a line with its interval for each group (or what they are told apart by)."""
    names = list(lines)
    drawn = [row | {"group": name} for name, series in lines.items() for row in series.rows()]
    said = "; ".join(f"{name} {charts.ends_of(series, metric.scale)}" for name, series in lines.items())
    shade = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": names, "range": [charts.colour(place) for place in range(len(names))]},
    }
    return charts.compared(
        f"{words.title(metric.title)} by {by} over time: {said}.",
        drawn,
        metric=metric,
        unit=unit,
        shade=shade,
        marks=marks,
        periods=periods,
    )


def _asked(record: RunRecord) -> dict[str, Metric]:
    """Return the metrics of the criteria that are means over turns; of a gap, the metric whose gap it is.

    Of those only that the record holds: a policy without a shadow disagrees with nobody.
    """
    there = Measures(record)
    every = [find(criterion.metric) for criterion in record.scenario.criteria]
    plain = [metric.measure.of if isinstance(metric.measure, Gap) else metric for metric in every]
    means = {m.name: m for m in plain if isinstance(m.measure, Ratio) and m.measure.per == "turn"}
    means = {name: metric for name, metric in means.items() if there.applies(metric)}
    return dict(list(means.items())[:MAX_PANELS])
