"""A sample of the social graph, coloured by satisfaction; the browser lays it out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.experiments.report import charts, words
from rehearse.experiments.report.facts import Row, rows

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

MAX_PEOPLE = 300
MAX_TIES = 2000
SHADES = 5
"""The page defines --s0 (least satisfied) … --s4."""
MIN_REACH = 0.5
"""Colours span at least so much satisfaction, so that small differences look small."""


def section(record: RunRecord, add: Callable[[dict[str, Any]], str]) -> dict[str, Any] | None:
    """Return the graph's section, or None where nobody knows anybody."""
    if not (record.folder / "ties.parquet").is_file():
        return None
    ties = rows(
        record.query(f"SELECT replica, a, b FROM ties WHERE a <> b ORDER BY replica, a, b LIMIT {MAX_TIES}")
    )
    people = _people(record, ties)
    known = {p["user"] for p in people}
    ties = [t for t in ties if t["a"] in known and t["b"] in known]
    if not ties:
        return None
    alike = _alike(people, ties)
    return {
        "id": add(charts.named(graph(people, ties), "ties", "Who knows whom, and how satisfied they are")),
        "people": len(people),
        "ties": len(ties),
        "replica": ties[0]["replica"],
        "alike": alike,
        "shades": _shades(people),
    }


def _people(record: RunRecord, ties: list[Row]) -> list[Row]:
    if not ties:
        return []
    replica = int(ties[0]["replica"])
    ids = sorted({int(t[end]) for t in ties for end in ("a", "b")})[:MAX_PEOPLE]
    return rows(
        record.query(
            f"""SELECT "user", satisfaction, "group", sessions FROM users WHERE replica = {replica}
            AND "user" IN ({", ".join(map(str, ids))}) AND isfinite(satisfaction) ORDER BY "user" """
        )
    )


def reach(people: list[Row]) -> tuple[float, float]:
    """Return the bounds of the colours: tenths about the satisfaction there is, at least MIN_REACH apart."""
    lowest, highest = min(p["satisfaction"] for p in people), max(p["satisfaction"] for p in people)
    low, high = math.floor(10.0 * lowest) / 10.0, math.ceil(10.0 * highest) / 10.0
    while high - low < MIN_REACH - 1e-9:
        low, high = max(0.0, low - 0.1), min(1.0, high + 0.1)
    return low, high


def _shades(people: list[Row]) -> list[tuple[str, str]]:
    low, high = reach(people)
    step = (high - low) / SHADES
    bounds = [words.fixed(low + i * step) for i in range(SHADES + 1)]
    return [(f"var(--s{i})", f"{bounds[i]} – {bounds[i + 1]}") for i in range(SHADES)]


def _alike(people: list[Row], ties: list[Row]) -> float | None:
    """Return the correlation of satisfaction across ties (assortativity), or None where it is undefined."""
    satisfaction = {p["user"]: p["satisfaction"] for p in people}
    ends = np.array([(satisfaction[t["a"]], satisfaction[t["b"]]) for t in ties], dtype=np.float64)
    both = np.concatenate([ends, ends[:, ::-1]])
    spread = both[:, 0].std()
    if spread == 0.0:
        return None
    centred = both - both[:, 0].mean()
    return float((centred[:, 0] * centred[:, 1]).mean() / spread**2)


def graph(people: list[Row], ties: list[Row]) -> dict[str, Any]:
    """Return a Vega specification that lays people out by forces and colours them by satisfaction."""
    place = {p["user"]: i for i, p in enumerate(people)}
    degree = dict.fromkeys(place, 0)
    for tie in ties:
        degree[tie["a"]] += 1
        degree[tie["b"]] += 1
    nodes = [
        {
            "user": p["user"],
            "satisfaction": round(p["satisfaction"], 4),
            "group": p["group"],
            "friends": degree[p["user"]],
        }
        for p in people
    ]
    links = [{"source": place[t["a"]], "target": place[t["b"]]} for t in ties]
    lowest = min(p["satisfaction"] for p in people)
    highest = max(p["satisfaction"] for p in people)
    said = (
        f"Social graph of {len(people)} people and {len(ties)} ties; satisfaction from "
        f"{words.fixed(lowest)} to {words.fixed(highest)}."
    )
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "description": said,
        "width": 600,
        "height": 440,
        "padding": 6,
        "autosize": {"type": "none"},
        "signals": [
            {
                "name": "width",
                "init": "containerSize()[0] - 12",
                "on": [
                    {"events": {"source": "window", "type": "resize"}, "update": "containerSize()[0] - 12"}
                ],
            }
        ],
        "data": [
            {"name": "links", "values": links},
            {"name": "people", "values": nodes, "transform": [_forces()]},
        ],
        "scales": _scales(*reach(people)),
        "marks": [_lines(), _dots()],
    }


def _forces() -> dict[str, Any]:
    return {
        "type": "force",
        "static": True,
        "iterations": 260,
        "forces": [
            {"force": "center", "x": 0, "y": 0},
            {"force": "collide", "radius": 7},
            {"force": "nbody", "strength": -26, "distanceMax": 260},
            {"force": "x", "x": 0, "strength": 0.035},
            {"force": "y", "y": 0, "strength": 0.06},
            {"force": "link", "links": "links", "distance": 16, "strength": 0.5},
        ],
    }


def _scales(low: float, high: float) -> list[dict[str, Any]]:
    return [
        {
            "name": "x",
            "domain": {"data": "people", "field": "x"},
            "range": [8, {"signal": "width - 8"}],
            "zero": False,
        },
        {
            "name": "y",
            "domain": {"data": "people", "field": "y"},
            "range": [8, {"signal": "height - 8"}],
            "zero": False,
        },
        {
            "name": "shade",
            "type": "quantize",
            "domain": [low, high],
            "range": [f"var(--s{i})" for i in range(SHADES)],
        },
        {
            "name": "size",
            "type": "sqrt",
            "domain": {"data": "people", "field": "friends"},
            "range": [26, 130],
        },
    ]


def _lines() -> dict[str, Any]:
    return {
        "type": "rule",
        "from": {"data": "links"},
        "aria": False,
        "encode": {
            "update": {
                "x": {"scale": "x", "signal": "datum.source.x"},
                "y": {"scale": "y", "signal": "datum.source.y"},
                "x2": {"scale": "x", "signal": "datum.target.x"},
                "y2": {"scale": "y", "signal": "datum.target.y"},
                "stroke": {"value": "var(--line)"},
                "strokeWidth": {"value": 0.8},
            }
        },
    }


def _dots() -> dict[str, Any]:
    tip = (
        "{'user': datum.user, 'group': datum.group, 'friends here': datum.friends, "
        "'satisfaction': format(datum.satisfaction, '.2f')}"
    )
    return {
        "type": "symbol",
        "from": {"data": "people"},
        "aria": False,
        "encode": {
            "update": {
                "x": {"scale": "x", "field": "x"},
                "y": {"scale": "y", "field": "y"},
                "size": {"scale": "size", "field": "friends"},
                "fill": {"scale": "shade", "field": "satisfaction"},
                "stroke": {"value": "var(--paper)"},
                "strokeWidth": {"value": 1},
                "tooltip": {"signal": tip},
            }
        },
    }
