"""The charts and tables of a search for failure: margins as they came, what matters, where it fails."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from rehearse.experiments.pictures import markup, plots
from rehearse.experiments.pictures.chart import Charts
from rehearse.experiments.report.charts import Spec, base, named
from rehearse.experiments.report.facts import Row
from rehearse.experiments.search.results import REGION

if TYPE_CHECKING:
    from rehearse.experiments.search.region import Field
    from rehearse.experiments.search.results import Search

SHADES = {"fail": "var(--fail)", "unsure": "var(--c1)", "pass": "var(--pass)"}
DRAWN = 3
"""Fields whose margins are drawn."""


def charts(search: Search) -> Charts:
    """Return the charts of a search by name."""
    specs = [_course(search)]
    if search.region:
        rows = [_bar(field) for field in search.region]
        specs.append(plots.bars(rows, "what matters", "What matters", "share of the margins’ variance"))
    specs += [_along(search, field) for field in search.region[:DRAWN] if field.high is not None]
    return Charts.of(specs)


def tables(search: Search) -> str:
    """Return the search as HTML: in words, and the region field by field."""
    said = [
        markup.said(line)
        for line in str(search).split("\n\n", maxsplit=1)[0].splitlines()[1:]
        if line.strip()
    ]
    rows = [field.row() for field in search.region]
    region = [markup.table(REGION, rows, most=len(rows))] if rows else []
    left = [markup.said(line) for line in search.shrunk.lines()] if search.shrunk else []
    return markup.block(str(search).splitlines()[0], [*said, *region, *left])


def _points(search: Search) -> list[Row]:
    known = [(i, e) for i, e in enumerate(search.evaluations, start=1) if e.outcome.margin is not None]
    return [
        {"number": i, "margin": e.outcome.margin, "verdict": e.outcome.word, **e.values} for i, e in known
    ]


def _course(search: Search) -> Spec:
    """Draw the margin of each evaluation, and the least so far."""
    rows = _points(search)
    least = accumulate((row["margin"] for row in rows), min)
    rows = [row | {"least": low} for row, low in zip(rows, least, strict=True)]
    x = {"field": "number", "type": "quantitative", "title": "evaluation"}
    line = {"mark": {"type": "line", "stroke": "var(--ink)"}, "encoding": {"x": x, "y": _margin("least")}}
    said = f"{search.failures} of {len(search.evaluations)} evaluations fail."
    return named(
        base(said, rows, 220, layer=[_zero(), line, _dots(x)]), "margins", "Margins as they were found"
    )


def _along(search: Search, field: Field) -> Spec:
    """Draw the margins along a field, with the values between which it fails at the found point."""
    rows = [row | {"at": row[field.name]} for row in _points(search)]
    x = {"field": "at", "type": "quantitative", "title": field.name, "scale": {"zero": False}}
    edges = {"values": [{"at": field.low}, {"at": field.high}]}
    rule = {"type": "rule", "stroke": "var(--fail)", "strokeDash": [4, 3]}
    layers: list[Spec] = [_zero(), {"data": edges, "mark": rule, "encoding": {"x": x}}, _dots(x)]
    low, high = field.row()[-2:]
    said = f"With all else as found, it fails from {low} to {high}."
    return named(base(said, rows, 220, layer=layers), f"along {field.name}", f"Margins along {field.name}")


def _dots(x: Spec) -> Spec:
    shade = {
        "field": "verdict",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(SHADES), "range": list(SHADES.values())},
    }
    tip = [{**x, "format": ".4~g"}, {**_margin("margin"), "format": ".3~g"}, {"field": "verdict"}]
    mark = {"type": "point", "filled": True, "size": 45, "opacity": 0.8}
    return {"mark": mark, "encoding": {"x": x, "y": _margin("margin"), "fill": shade, "tooltip": tip}}


def _margin(field: str) -> Spec:
    return {
        "field": field,
        "type": "quantitative",
        "title": "margin: below 0 it fails",
        "scale": {"zero": True},
    }


def _zero() -> Spec:
    rule = {"type": "rule", "stroke": "var(--soft)", "strokeDash": [3, 3]}
    return {
        "data": {"values": [{"at": 0}]},
        "mark": rule,
        "encoding": {"y": {"field": "at", "type": "quantitative"}},
    }


def _bar(field: Field) -> Row:
    return {"what": field.name, "index": "matters", "value": field.matters, "low": None, "high": None}
