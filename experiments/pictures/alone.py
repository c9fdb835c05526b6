"""What a chart of a report needs to stand by itself: colours, a width, its legend, its title.

In a report the page brings these: its style defines the colours and it writes the legends in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from rehearse.experiments.report.charts import CONFIG, Spec

WIDTH, HEADROOM = 640, 48
BACKGROUND = "#ffffff"
FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
"""Of one width everywhere: what was measured where a picture was drawn holds where it is looked at."""
VEGA = "/vega/"
_SHADES = ("fill", "stroke")
_SPLIT = re.compile(r"var\(--([\w-]+)\)")


def is_vega(spec: Spec) -> bool:
    """Return whether a specification is one of Vega rather than of Vega-Lite."""
    return VEGA in str(spec.get("$schema", ""))


def alone(spec: Spec, *, width: int = WIDTH) -> Spec:
    """Return a specification that draws the same anywhere: colours filled in, title and legend added."""
    drawn: Spec = coloured({**_background(spec), **framed(spec, width=width)})
    return drawn


def framed(spec: Spec, *, width: int | str) -> Spec:
    """Return a specification with title, legend and width, its colours still names."""
    title = spec.get("usermeta", {}).get("title")
    told = {**spec, "title": {"text": title, **_TITLE}} if title else dict(spec)
    if is_vega(spec):
        known = [s for s in spec.get("signals", ()) if "containerSize" not in str(s.get("init", ""))]
        room = {"left": 12, "right": 12, "top": HEADROOM, "bottom": 12}
        return told | {"signals": known, "padding": room, "width": width if isinstance(width, int) else WIDTH}
    labels = _labels(spec)
    told = dict(_legends(told, labels, set()))
    if isinstance(told.get("height"), int):
        told["height"] += HEADROOM  # which the title and the legend take
    return told | ({"width": width} if told.get("width") == "container" else {})


def coloured(spec: Any) -> Any:
    """Return a specification with the colours of the light page in the place of their names."""
    if isinstance(spec, Mapping):
        return {key: coloured(value) for key, value in spec.items()}
    if isinstance(spec, list | tuple):
        return [coloured(value) for value in spec]
    return _SPLIT.sub(lambda found: palette()[found[1]], spec) if isinstance(spec, str) else spec


@cache
def palette() -> dict[str, str]:
    """Return the colours of the light page by name."""
    text = files("rehearse.experiments.report").joinpath("style.css").read_text(encoding="utf-8")
    light = text[text.index(":root") : text.index("}")]
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", light))


_TITLE = {
    "anchor": "start",
    "frame": "group",
    "fontSize": 13,
    "fontWeight": 600,
    "color": "var(--ink)",
    "offset": 14,
}
_LEGEND = {"title": None, "orient": "bottom", "columns": 4, "symbolType": "square", "labelLimit": 260}


def _background(spec: Spec) -> Spec:
    if is_vega(spec):
        return {"background": BACKGROUND}
    return {"background": BACKGROUND, "padding": 12, "config": {**CONFIG, "background": BACKGROUND, **_TEXT}}


_TEXT = {"font": FONT, "legend": {"disable": True, "labelColor": "var(--soft)", "labelFontSize": 11}}


def _labels(spec: Spec) -> dict[int, str]:
    """Return what the places of an ordinal colour scale stand for, from the rows that are drawn."""
    rows = spec.get("data", {}).get("values", ())
    return {row["place"]: str(row.get("name", row.get("kind"))) for row in rows if "place" in row}


def _legends(spec: Any, labels: Mapping[int, str], given: set[str]) -> Any:
    """Return a specification in which each list of colours has one legend, and all else none."""
    if isinstance(spec, list):
        return [_legends(part, labels, given) for part in spec]
    if not isinstance(spec, Mapping):
        return spec
    text = _kind(spec) == "text"
    return {
        key: {channel: _legend(channel, of, labels, given, text=text) for channel, of in value.items()}
        if key == "encoding"
        else value
        if key in {"data", "usermeta"}
        else _legends(value, labels, given)
        for key, value in spec.items()
    }


def _legend(channel: str, of: Any, labels: Mapping[int, str], given: set[str], *, text: bool) -> Any:
    if channel not in _SHADES or not isinstance(of, Mapping) or "field" not in of or "legend" in of:
        return of
    listed = isinstance(of.get("scale", {}).get("range"), list)
    if not listed or text or of["field"] in given:
        return {**of, "legend": None}
    given.add(of["field"])
    # The names stand in a quoted list: what a scenario calls things never becomes code.
    names = [labels.get(place, "") for place in range(max(labels, default=-1) + 1)]
    by_place = {"labelExpr": f"{json.dumps(names)}[datum.value]"}
    return {**of, "legend": {**_LEGEND, **(by_place if of["field"] == "place" and labels else {})}}


def _kind(spec: Mapping[str, Any]) -> Any:
    mark = spec.get("mark")
    return mark.get("type") if isinstance(mark, Mapping) else mark
