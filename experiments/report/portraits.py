"""Charts of how it went for parts of the people: ends, distributions, right and wrong answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rehearse.experiments.report import words
from rehearse.experiments.report.charts import Spec, base
from rehearse.experiments.report.facts import OTHERS, Row
from rehearse.experiments.report.parts import Bins

END_COLOURS = {
    "goal_met": "var(--good)",
    "user_stop": "var(--good-soft)",
    "abandoned": "var(--left)",
    "infeasible": "var(--left-soft)",
    "turn_cap": "var(--dull)",
    "time_budget": "var(--dull)",
    "policy_stop": "var(--bad-soft)",
    "transferred": "var(--bad-soft)",
    "guard": "var(--bad-soft)",
    "policy_error": "var(--bad)",
    "infra_error": "var(--dull)",
    "none": "var(--dull)",
}
LABELLED = 0.08
"""Smaller parts of a bar have no room for their share."""
APART = {"scale": {"fill": "independent"}}
"""Bars and their labels have each their own colours for the same kinds."""
RIDGE = 0.82
"""How much of the distance between two lines the tallest ridge takes."""
FEW = 6
"""Up to so many items a heat map has room for large cells."""


def ends(values: Sequence[Row], order: Sequence[str], max_turns: int) -> Spec:
    """Draw why sessions ended: one bar of shares for each part of the people, in this order."""
    reasons = [reason for reason in words.ENDS if any(v["ended"] == reason for v in values)]
    kinds = [(reason, words.ended(reason, max_turns), END_COLOURS[reason]) for reason in reasons]
    drawn = [{**v, "kind": v["ended"]} for v in values]
    return bars(drawn, order, kinds, f"Why sessions ended, for {words.listed(order)}.", "sessions")


def bars(
    values: Sequence[Row],
    order: Sequence[str],
    kinds: Sequence[tuple[str, str, str]],
    said: str,
    counted: str,
) -> Spec:
    """Draw a bar of shares for each part of the people; `kinds` are keys with their words and colours."""
    place = {key: i for i, (key, _, _) in enumerate(kinds)}
    drawn = [
        {
            "part": v["part"],
            "place": place[v["kind"]],
            "kind": kinds[place[v["kind"]]][1],
            "share": v["share"],
            "n": v["n"],
            "label": words.percent(v["share"], 0) if v["share"] >= LABELLED else "",
        }
        for v in values
    ]
    x = {
        "field": "share",
        "type": "quantitative",
        "stack": "zero",
        "title": f"share of {counted}",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "tickCount": 5},
    }
    # An order given as `sort` would put the names into an expression; as a domain they stay data.
    y = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": list(order)},
        "title": None,
        "axis": {"grid": False},
    }
    label = {
        "mark": {"type": "text"},
        "encoding": {
            "x": {**x, "bandPosition": 0.5},
            "text": {"field": "label"},
            "fill": _shades([colour.replace("--", "--on-") for _, _, colour in kinds]),
        },
    }
    together = {"x": x, "y": y, "order": {"field": "place"}}
    layers = [_bar([colour for _, _, colour in kinds], counted), label]
    return base(said, drawn, {"step": 30}, encoding=together, layer=layers, resolve=APART)


def _bar(colours: Sequence[str], counted: str) -> Spec:
    return {
        "mark": {"type": "bar", "height": {"band": 0.68}},
        "encoding": {
            "fill": _shades(colours),
            "tooltip": [
                {"field": "part", "title": "who"},
                {"field": "kind", "title": "what"},
                {"field": "share", "type": "quantitative", "format": ".1%", "title": "share"},
                {"field": "n", "type": "quantitative", "format": ",d", "title": counted},
            ],
        },
    }


def _shades(colours: Sequence[str]) -> Spec:
    scale = {"domain": list(range(len(colours))), "range": list(colours)}
    return {"field": "place", "type": "ordinal", "scale": scale}


def ridges(values: Sequence[Row], order: Sequence[str], bins: Bins, title: str) -> Spec:
    """Draw the distribution of a measure for each part of the people, one above the other, with its mean."""
    means = {v["part"]: v["mean"] for v in values}
    dots = [
        {"part": part, "x": means[part], "y": -place, "label": words.fixed(means[part])}
        for place, part in enumerate(order)
        if means.get(part) is not None
    ]
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [bins.low, bins.high], "nice": False},
        "axis": {"format": "~f", "tickCount": 6, "tickMinStep": 0.01 if bins.width < 1.0 else 1},
    }
    fill = {"type": "area", "interpolate": "step-after", "fill": "var(--accent)", "fillOpacity": 0.45}
    tip = [{"field": "part", "title": "who"}]
    ridge = {
        "mark": fill,
        "encoding": {"y2": {"field": "top"}, "detail": {"field": "part"}, "tooltip": tip},
    }
    mean = {
        "data": {"values": dots},
        "mark": {"type": "point", "filled": True, "size": 42, "fill": "var(--ink)", "opacity": 1},
        "encoding": {"tooltip": [*tip, {"field": "label", "title": "mean"}]},
    }
    said = "; ".join(f"{dot['part']} {dot['label']} on average" for dot in dots)
    return base(
        f"Distribution of {title}: {said}.",
        _heights(values, order, bins),
        46 * len(order) + 44,
        encoding={"x": x, "y": _lines(order, means)},
        layer=[ridge, mean],
    )


def _heights(values: Sequence[Row], order: Sequence[str], bins: Bins) -> list[Row]:
    """Return the outline of each ridge: a step a bin, and one more to end the last."""
    tallest = max((v["share"] for v in values), default=1.0)
    drawn: list[Row] = []
    for place, part in enumerate(order):
        shares = {int(v["bin"]): float(v["share"]) for v in values if v["part"] == part}
        for step in range(bins.count + 1):
            share = shares.get(min(step, bins.count - 1), 0.0)
            top = -place + RIDGE * share / tallest
            drawn.append({"part": part, "x": bins.low + step * bins.width, "y": -place, "top": round(top, 5)})
    return drawn


def _lines(order: Sequence[str], means: Mapping[str, float | None]) -> Spec:
    names = json.dumps([f"{part}  {words.fixed(means.get(part))}" for part in order])
    return {
        "field": "y",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0.95 - len(order), 0.95], "nice": False},
        "axis": {
            "values": [-place for place in range(len(order))],
            "labelExpr": f"{names}[-datum.value]",
            "labelBaseline": "bottom",
            "labelLimit": 150,
            "gridColor": "var(--line)",
        },
    }


def confusion(values: Sequence[Row], items: Sequence[tuple[int, str]], who: str) -> Spec:
    """Draw what the model answered against what was truly best, in shares of each row."""
    names = dict(items)
    total: dict[int, float] = {}
    for v in values:
        total[int(v["ideal"])] = total.get(int(v["ideal"]), 0.0) + float(v["n"])
    drawn = [
        {
            "ideal": names[int(v["ideal"])],
            "action": names[int(v["action"])],
            "share": v["n"] / total[int(v["ideal"])],
            "n": v["n"],
            "same": v["ideal"] == v["action"] and v["ideal"] != OTHERS,
        }
        for v in values
    ]
    best = sum(v["n"] for v in drawn if v["same"]) / max(sum(total.values()), 1.0)
    said = f"Answers against what was truly best, {who}: {words.percent(best)} were the best."
    few = len(items) <= FEW
    text = {
        "transform": [{"filter": "datum.share >= 0.005"}],
        "mark": {"type": "text", "fontSize": 11 if few else 9},
        "encoding": {"text": {"field": "share", "type": "quantitative", "format": ".0%"}},
    }
    axes = _axes([name for _, name in items])
    return base(said, drawn, {"step": 34 if few else 22}, encoding=axes, layer=[_cells(), text])


def _axes(domain: list[str]) -> Spec:
    upright = 0 if len(domain) <= FEW - 1 else -60
    return {
        "x": {
            "field": "action",
            "type": "nominal",
            "scale": {"domain": domain},
            "title": "the model answered",
            "axis": {"orient": "top", "labelAngle": upright, "domain": False, "labelLimit": 70},
        },
        "y": {
            "field": "ideal",
            "type": "nominal",
            "scale": {"domain": domain},
            "title": "truly best",
            "axis": {"grid": False, "labelLimit": 80},
        },
        "tooltip": [
            {"field": "ideal", "title": "truly best"},
            {"field": "action", "title": "answered"},
            {"field": "share", "type": "quantitative", "format": ".1%", "title": "share of the row"},
            {"field": "n", "type": "quantitative", "format": ",d", "title": "answers"},
        ],
    }


def _cells() -> Spec:
    strength = {"domain": [0, 1], "range": [0.04, 0.62]}
    return {
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2, "cornerRadius": 3},
        "encoding": {
            "fill": {"condition": {"test": "datum.same", "value": "var(--good)"}, "value": "var(--bad)"},
            "fillOpacity": {"field": "share", "type": "quantitative", "scale": strength},
        },
    }
