"""The charts that no report draws: differences with intervals, a metric along an axis, heat maps, bars.

As in `report.charts` colours are names and what a scenario calls things stands in the data alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rehearse.experiments.metrics.base import Scale
from rehearse.experiments.pictures.alone import palette
from rehearse.experiments.report.charts import Spec, base, named
from rehearse.experiments.report.facts import Row

ROW, LINE = 26, 20
FORMATS: dict[Scale, str] = {"share": ".1~%"}
MOST_CELLS = 150
"""A heat map of more cells has no room for their values."""
BAND = {"step": ROW}
SHADES = {"better": "var(--pass)", "worse": "var(--fail)"}


def forest(rows: Sequence[Row], name: str, title: str, axis: str, *, zero: bool = True) -> Spec:
    """Draw estimates with their intervals, a line each: `what`, `value`, `low`, `high`, `word`, `said`.

    With `zero` a rule stands where there is no difference.
    """
    order = list(dict.fromkeys(row["what"] for row in rows))
    words = list(dict.fromkeys(row.get("word", "") for row in rows))
    shade = {
        "field": "word",
        "type": "nominal",
        "scale": {"domain": words, "range": [SHADES.get(word, "var(--accent)") for word in words]},
        **({} if len([word for word in words if word]) > 1 else {"legend": None}),
    }
    y = {"field": "what", "type": "nominal", "scale": {"domain": order}, "title": None, "axis": _WHO}
    x = {
        "type": "quantitative",
        "title": axis,
        "scale": {"zero": zero},
        "axis": {"format": "~f", "grid": True, "tickCount": 8},
    }
    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": _between(x) | {"stroke": shade}},
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
            "encoding": {"x": {"field": "value", **x}, "fill": shade, "tooltip": _TOLD},
        },
    ]
    if zero:
        rule = {"type": "rule", "stroke": "var(--soft)", "strokeDash": [3, 3]}
        layers.insert(
            0, {"data": {"values": [{"at": 0}]}, "mark": rule, "encoding": {"x": {"field": "at", **x}}}
        )
        layers[0]["encoding"]["y"] = None
    said = "; ".join(f"{row['what']} {row['said']}" for row in rows[:12])
    drawn = base(f"{title}: {said}.", rows, BAND, encoding={"y": y}, layer=layers)
    return named(drawn, name, title)


def along(rows: Sequence[Row], name: str, title: str, axis: str, metric: str, scale: Scale) -> Spec:
    """Draw a metric along an axis of a sweep, mean and interval: `at`, `mean`, `low`, `high`."""
    numbers = all(isinstance(row["at"], int | float) for row in rows)
    kind = (
        {"type": "quantitative", "scale": {"zero": False, "padding": 16}}
        if numbers
        else {"type": "nominal", "scale": _of(rows)}
    )
    x = {"field": "at", "title": axis, "axis": {"labelAngle": 0, "labelLimit": 130, "tickCount": 8}, **kind}
    y = {"type": "quantitative", "title": metric, "scale": {"zero": False}, "axis": _form(scale)}
    tip = [{"field": f, "type": "quantitative", "title": t, "format": ".4~g"} for f, t in _VALUES]
    layers: list[Spec] = [
        {"mark": {"type": "rule", "stroke": "var(--accent)"}, "encoding": _between(y, "y")},
        {
            "mark": {"type": "point", "filled": True, "fill": "var(--accent)", "size": 50, "opacity": 1},
            "encoding": {"y": {"field": "mean", **y}, "tooltip": [{"field": "at", "title": axis}, *tip]},
        },
    ]
    if numbers:
        line = {"type": "line", "stroke": "var(--accent)", "strokeOpacity": 0.5}
        layers.insert(0, {"mark": line, "encoding": {"y": {"field": "mean", **y}}})
    ends = " to ".join(f"{row['mean']:.3g} at {row['at']}" for row in (rows[0], rows[-1]))
    said = f"{metric} along {axis}: {ends}."
    return named(base(said, rows, 240, encoding={"x": x}, layer=layers), name, title)


def heat(rows: Sequence[Row], name: str, title: str, axes: tuple[str, str], scale: Scale) -> Spec:
    """Draw the mean of a metric over two axes as coloured cells: `x`, `y`, `mean`.

    Its colours are colours, not names: no browser can say what lies between two names.
    """
    field = {"type": "ordinal"}
    shade = {
        "field": "mean",
        "type": "quantitative",
        "scale": {"range": [palette()["wash"], palette()["accent"]], "zero": False},
        "legend": {"title": None, "orient": "right", **_form(scale)},
    }
    tip = [{"field": f, "title": t} for f, t in (("x", axes[0]), ("y", axes[1]))]
    cell: Spec = {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2, "cornerRadius": 3},
        "encoding": {
            "fill": shade,
            "tooltip": [*tip, {"field": "mean", "type": "quantitative", "format": ".4~g"}],
        },
    }
    values = [float(row["mean"]) for row in rows if row["mean"] is not None]
    middle = (min(values) + max(values)) / 2.0 if values else 0.0
    ink = {
        "condition": {"test": f"datum.mean > {middle!r}", "value": palette()["paper"]},
        "value": palette()["ink"],
    }
    label: Spec = {
        "mark": {"type": "text"},
        "encoding": {"text": {"field": "mean", "type": "quantitative", **_form(scale)}, "fill": ink},
    }
    encoding = {
        name: {"field": name, **field, "title": axis, "scale": _of(rows, name), "axis": _ends(rows, name)}
        for name, axis in zip(("x", "y"), axes, strict=True)
    }
    height = max(260, LINE * len({row["y"] for row in rows}))
    layers = [cell, label] if len(rows) <= MOST_CELLS else [cell]
    said = f"{title}: from {min(values, default=math.nan):.3g} to {max(values, default=math.nan):.3g}."
    return named(base(said, rows, height, encoding=encoding, layer=layers), name, title)


def bars(rows: Sequence[Row], name: str, title: str, axis: str) -> Spec:
    """Draw bars, with intervals where there are any: a line a `what`, a colour an `index`."""
    order = sorted(
        {row["what"] for row in rows}, key=lambda w: -max(r["value"] for r in rows if r["what"] == w)
    )
    kinds = list(dict.fromkeys(row["index"] for row in rows))
    place = {"field": "index", "type": "nominal", "scale": {"domain": kinds}}
    shade: Spec = {**place, "scale": {"domain": kinds, "range": ["var(--accent)", "var(--c1)"][: len(kinds)]}}
    if len(kinds) == 1:
        shade["legend"] = None
    y = {"field": "what", "type": "nominal", "scale": {"domain": order}, "title": None, "axis": _WHO}
    x = {"type": "quantitative", "title": axis, "axis": {"grid": True, "tickCount": 6}}
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "fillOpacity": 0.75},
            "encoding": {"x": {"field": "value", **x}, "fill": shade, "tooltip": _TOLD[:1] + _TOLD[2:]},
        },
        {"mark": {"type": "rule", "stroke": "var(--ink)"}, "encoding": _between(x)},
    ]
    said = "; ".join(f"{row['what']} {row['index']} {row['value']:.3g}" for row in rows)
    encoding = {"y": y, "yOffset": place}
    step = {"step": ROW * (0.6 if len(kinds) > 1 else 0.9), "for": "offset"}
    return named(base(f"{title}: {said}.", rows, step, encoding=encoding, layer=layers), name, title)


_WHO = {"grid": False, "labelLimit": 300}
_VALUES = (("mean", "mean"), ("low", "95% from"), ("high", "95% to"))
_TOLD: list[dict[str, Any]] = [
    {"field": "what", "title": "what"},
    {"field": "said", "title": "estimate"},
    *({"field": f, "type": "quantitative", "title": f, "format": ".4~g"} for f in ("value", "low", "high")),
]


def _between(scale: Spec, channel: str = "x") -> Spec:
    return {channel: {"field": "low", **scale}, f"{channel}2": {"field": "high"}}


def _form(scale: Scale) -> Spec:
    return {"format": FORMATS.get(scale, ".3~g")}


def _of(rows: Sequence[Row], field: str = "at") -> Spec:
    """Return a scale with the values in their order, which as `sort` would become code."""
    values = list(dict.fromkeys(row[field] for row in rows))
    return {"domain": values}


def _ends(rows: Sequence[Row], field: str) -> Spec:
    """Return the axis of a heat map, whose numbers have no more digits than can be read."""
    numbers = all(isinstance(row[field], int | float) for row in rows)
    return {"labelAngle": 0, "labelLimit": 130, "grid": False, **({"format": ".4~g"} if numbers else {})}
