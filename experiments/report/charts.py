"""The charts of a report, as Vega-Lite specifications in plain dictionaries.

Colours are names of CSS variables (`var(--ink)`), so that one drawing serves light, dark and print.
Names from a scenario stand only in data or in quoted literals, never in an expression's code.
Legends are written by the page, which can wrap them on a small screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rehearse.experiments.metrics.base import Metric, Scale
from rehearse.experiments.report import words
from rehearse.experiments.report.facts import LATENCY_BINS_PER_DECADE, Row, Series
from rehearse.experiments.sentences import amount

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
COLOURS = 10
"""The page defines --c0 … --c9."""
CROWDED, LEVELS = 0.06, 3
"""Marks nearer than this part of the time drawn get their letters on different levels."""

CONFIG: Spec = {
    "background": None,
    "font": SANS,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": "var(--grid)",
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelPadding": 6,
    },
    "axisX": {"grid": False, "domain": True, "domainColor": "var(--line)", "titlePadding": 8},
    "text": {"fill": "var(--ink)", "fontSize": 11},
    "rule": {"stroke": "var(--ink)"},
    "legend": {"disable": True},
}


def colour(place: int) -> str:
    """Return the colour of the item in some place of the list of drawn items."""
    return f"var(--c{place % COLOURS})"


def base(description: str, values: Sequence[Row], height: int | Spec, **rest: Any) -> Spec:
    """Return what all charts share: width of the page, data, and a sentence for those who cannot see it."""
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": list(values)},
        **rest,
    }


def named(spec: Spec, name: str, title: str) -> Spec:
    """Return a chart with the name that it is asked for by and the title that it has outside a page."""
    kept = "".join(c if c.isalnum() else "-" for c in name.replace("_", "-").lower())
    told = {"name": "-".join(part for part in kept.split("-") if part), "title": title}
    return {**spec, "usermeta": told}


def trend(
    series: Series,
    metric: Metric,
    unit: str,
    marks: Sequence[Row],
    periods: Sequence[Row],
    beside: Series | None = None,
) -> Spec:
    """Draw a metric over time: mean over replicas, its interval, the range of all replicas, and marks.

    `beside` is drawn as a dotted line: what it is to be compared with.
    """
    share = metric.scale == "share"
    y = _height(metric)
    layers = [
        *_shaded(periods),
        _band(y, "least", "most", 0.12),
        _band(y, "low", "high", 0.28),
        _line(y, dotted=len(series.tick) < 3),
        _hover(unit, metric.title, ".1%" if share else ".3~f"),
        *_beside(y, beside),
        *_marked(marks, series.tick),
    ]
    said = f"{words.title(metric.title)} over time: {ends_of(series, metric.scale)}."
    return base(said, series.rows(), 200, encoding={"x": _time(series.tick, unit)}, layer=layers)


def compared(
    said: str,
    values: Sequence[Row],
    *,
    metric: Metric,
    unit: str,
    shade: Spec,
    marks: Sequence[Row],
    periods: Sequence[Row],
) -> Spec:
    """Draw a metric over time for several parts of the people, told apart by `shade`: lines and intervals."""
    y = _height(metric)
    ticks = sorted({int(row["tick"]) for row in values})
    area = {"y": {"field": "low", **y}, "y2": {"field": "high"}, "fill": shade}
    line = {"y": {"field": "mean", **y}, "stroke": shade, "tooltip": [{"field": shade["field"]}]}
    layers = [
        *_shaded(periods),
        {"mark": {"type": "area", "fillOpacity": 0.15}, "encoding": area},
        {"mark": {"type": "line", "strokeWidth": 1.8, "point": len(ticks) < 3}, "encoding": line},
        *_marked(marks, ticks),
    ]
    return base(said, values, 200, encoding={"x": _time(ticks, unit)}, layer=layers)


def _height(metric: Metric) -> Spec:
    return {
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, 1]} if metric.bounded else {"zero": True, "nice": True},
        "axis": {"format": ".0%" if metric.scale == "share" else "~f", "tickCount": 4},
    }


def _line(y: Spec, *, dotted: bool) -> Spec:
    return {
        "mark": {"type": "line", "stroke": "var(--accent)", "strokeWidth": 1.8, "point": dotted},
        "encoding": {"y": {"field": "mean", **y}},
    }


def _beside(y: Spec, series: Series | None) -> list[Spec]:
    if series is None:
        return []
    return [
        {
            "data": {"values": series.rows()},
            "mark": {"type": "line", "stroke": "var(--soft)", "strokeWidth": 1.4, "strokeDash": [2, 3]},
            "encoding": {"y": {"field": "mean", **y}},
        }
    ]


def _time(ticks: Sequence[int], unit: str) -> Spec:
    return {
        "field": "tick",
        "type": "quantitative",
        "title": unit,
        "scale": {"domain": [min(ticks, default=0), max(ticks, default=1)], "nice": False},
        "axis": {"tickMinStep": 1, "tickCount": 6, "format": ",d", "titleAnchor": "end"},
    }


def _band(y: Spec, low: str, high: str, opacity: float) -> Spec:
    return {
        "mark": {"type": "area", "fill": "var(--accent)", "fillOpacity": opacity},
        "encoding": {"y": {"field": low, **y}, "y2": {"field": high}},
    }


def _hover(unit: str, title: str, form: str) -> Spec:
    fields = (("mean", words.title(title)), ("low", "95% from"), ("high", "95% to"))
    more = (("least", "lowest replica"), ("most", "highest replica"))
    shown = [{"field": f, "type": "quantitative", "title": t, "format": form} for f, t in (*fields, *more)]
    return {
        "mark": {"type": "rule", "strokeOpacity": 0, "strokeWidth": 9},
        "encoding": {"tooltip": [{"field": "tick", "type": "quantitative", "title": unit}, *shown]},
    }


def _shaded(periods: Sequence[Row]) -> list[Spec]:
    if not periods:
        return []
    return [
        {
            "data": {
                "values": [{"start": p["start"], "until": p["until"], "note": p["note"]} for p in periods]
            },
            "mark": {"type": "rect", "fill": "var(--mark)", "fillOpacity": 0.09},
            "encoding": {
                "x": {"field": "start", "type": "quantitative"},
                "x2": {"field": "until"},
                "tooltip": [{"field": "note", "title": "meanwhile"}],
            },
        }
    ]


def _marked(marks: Sequence[Row], ticks: Sequence[int]) -> list[Spec]:
    if not marks:
        return []
    data = {"values": _letters(marks, ticks)}
    shade = {"condition": {"test": "datum.rang", "value": "var(--bad)"}, "value": "var(--mark)"}
    tip = [{"field": "letter", "title": "mark"}, {"field": "note", "title": "what"}]
    rule: Spec = {
        "data": data,
        "mark": {"type": "rule", "strokeDash": [3, 3], "strokeWidth": 1},
        "encoding": {"stroke": shade, "tooltip": tip},
    }
    letters: Spec = {
        "mark": {"type": "text", "fontWeight": "bold", "baseline": "bottom"},
        "encoding": {"text": {"field": "letter"}, "fill": shade, "tooltip": tip},
    }
    levels = [
        {
            **letters,
            "data": {"values": [d for d in data["values"] if d["level"] == level]},
            "encoding": {**letters["encoding"], "y": {"value": -4 - 12 * level}},
        }
        for level in sorted({d["level"] for d in data["values"]})
    ]
    return [rule, *levels]


def _letters(marks: Sequence[Row], ticks: Sequence[int]) -> list[Row]:
    """Return one letter (or several) a tick; near neighbours stand on different levels."""
    near = (max(ticks, default=1) - min(ticks, default=0)) * CROWDED
    drawn: list[Row] = []
    for tick in sorted({int(m["tick"]) for m in marks}):
        here = [m for m in marks if m["tick"] == tick]
        close = bool(drawn) and tick - drawn[-1]["tick"] < near
        drawn.append(
            {
                "tick": tick,
                "letter": "".join(str(m["letter"]) for m in here),
                "note": " ".join(f"{m['letter']}: {m['note']}" for m in here),
                "rang": all(m["kind"] == "alarm" for m in here),
                "level": (drawn[-1]["level"] + 1) % LEVELS if close else 0,
            }
        )
    return drawn


def ends_of(series: Series, scale: Scale) -> str:
    """Return in words from where to where a series goes."""
    known = [m for m in series.mean if m is not None]
    if not known:
        return "nothing was measured"
    first, last, least, most = (amount(v, scale) for v in (known[0], known[-1], min(known), max(known)))
    return f"from {first} to {last}, lowest {least}, highest {most}"


def actions(
    values: Sequence[Row],
    items: Sequence[tuple[int, str]],
    unit: str,
    marks: Sequence[Row],
    what: str = "answer",
) -> Spec:
    """Draw the share of each item among the answers over time, stacked; `items` in the order drawn."""
    drawn = _filled(values, items)
    ticks = sorted({row["tick"] for row in drawn})
    places = list(range(len(items)))
    y = {"type": "quantitative", "title": None, "axis": {"format": ".0%", "tickCount": 4}}
    areas: Spec = {
        "mark": {"type": "area", "fillOpacity": 0.85},
        "encoding": {
            "y": {"field": "share", "stack": True, "scale": {"domain": [0, 1]}, **y},
            "fill": {
                "field": "place",
                "type": "ordinal",
                "scale": {"domain": places, "range": [colour(i) for i in places]},
            },
            "order": {"field": "place"},
            "tooltip": [{"field": "name", "title": what}],
        },
    }
    said = f"Share of each {what} over time, for {words.listed(name for _, name in items)}."
    layers = [areas, *_marked(marks, ticks)]
    return base(said, drawn, 200, encoding={"x": _time(ticks, unit)}, layer=layers)


def _filled(values: Sequence[Row], items: Sequence[tuple[int, str]]) -> list[Row]:
    """Return a share for every item and tick, 0 where it was not answered, so that its area is drawn down."""
    known = {(int(v["tick"]), int(v["item"])): float(v["share"]) for v in values}
    return [
        {"tick": tick, "place": place, "name": name, "share": known.get((tick, item), 0.0)}
        for tick in sorted({tick for tick, _ in known})
        for place, (item, name) in enumerate(items)
    ]


def latency(values: Sequence[Row], levels: Row) -> Spec:
    """Draw the histogram of a latency over a logarithmic axis, with its percentiles (`levels`)."""
    rules = [
        {"at": levels[key], "name": name, "said": words.milliseconds(levels[key])}
        for key, name in (("p50", "median"), ("p95", "95 %"), ("p99", "99 %"))
        if levels[key]
    ]
    x = {
        "type": "quantitative",
        "scale": {"type": "log", "nice": False},
        "title": "milliseconds (logarithmic)",
        "axis": {"format": ",~f", "tickCount": 4},
    }
    rule = {
        "data": {"values": rules},
        "mark": {"type": "rule", "strokeDash": [3, 3], "stroke": "var(--mark)"},
        "encoding": {
            "x": {"field": "at", **x},
            "tooltip": [{"field": "name", "title": "percentile"}, {"field": "said", "title": "latency"}],
        },
    }
    said = ", ".join(f"{r['name']} {r['said']}" for r in rules)
    return base(
        f"Distribution of {levels['kind']} latency: {said}.", _bars_of(values), 150, layer=[_bars(x), rule]
    )


def _bars_of(values: Sequence[Row]) -> list[Row]:
    total = sum(float(v["n"]) for v in values)
    return [
        {
            "low": 10.0 ** (float(v["bin"]) / LATENCY_BINS_PER_DECADE),
            "high": 10.0 ** ((float(v["bin"]) + 1.0) / LATENCY_BINS_PER_DECADE),
            "share": float(v["n"]) / total,
        }
        for v in values
    ]


def _bars(x: Spec) -> Spec:
    y = {"field": "share", "type": "quantitative", "title": None, "axis": {"format": "~%", "tickCount": 3}}
    return {
        "mark": {"type": "rect", "fill": "var(--accent)", "fillOpacity": 0.55},
        "encoding": {
            "x": {"field": "low", **x},
            "x2": {"field": "high"},
            "y": y,
            "y2": {"datum": 0},
            "tooltip": [
                {"field": "low", "type": "quantitative", "format": ".3~g", "title": "from ms"},
                {"field": "high", "type": "quantitative", "format": ".3~g", "title": "to ms"},
                {"field": "share", "type": "quantitative", "format": ".2%", "title": "share"},
            ],
        },
    }


def sizes(values: Sequence[Row]) -> Spec:
    """Draw the share of cascades that grew to at least some size, both logarithmic."""
    x = {"field": "size", "type": "quantitative", "scale": {"type": "log"}, "title": "people (logarithmic)"}
    y = {"field": "share", "type": "quantitative", "scale": {"type": "log"}, "title": None}
    tip = [
        {"field": "size", "type": "quantitative", "format": ",d", "title": "people or more"},
        {"field": "share", "type": "quantitative", "format": ".2~%", "title": "of cascades"},
    ]
    largest = values[-1]
    return base(
        f"Sizes of cascades: {amount(largest['share'], 'share')} had {largest['size']} people or more.",
        values,
        200,
        encoding={
            "x": {**x, "axis": {"format": ",~f", "tickCount": 5}},
            "y": {**y, "axis": {"format": ".2~%", "values": [10.0**-power for power in range(7)]}},
        },
        layer=[
            {"mark": {"type": "line", "stroke": "var(--accent)", "interpolate": "step-before"}},
            {
                "mark": {"type": "point", "filled": True, "fill": "var(--accent)"},
                "encoding": {"tooltip": tip},
            },
        ],
    )
