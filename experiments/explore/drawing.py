"""The society as SVG: its graph, coloured by what people feel, and what becomes of it tick by tick."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.ties import Ties
from rehearse.columns import Columns, Rows

Points = NDArray[np.float64]

MOST_NODES = 200
ROUNDS = 80
SIDE = 460
COLOURS = ((33, 102, 172), (230, 230, 230), (214, 96, 42))
"""Of 0, of a half and of 1: blue over grey to orange, which the colour-blind tell apart."""
GONE = "#ffffff"


def sample(ties: Ties | None, people: int, most: int = MOST_NODES) -> Rows:
    """Return the rows to be drawn: all, or those nearest to the best connected person."""
    if people <= most or ties is None:
        return np.arange(min(people, most), dtype=np.int64)
    start = int(ties.degree[:people].argmax())
    seen, waiting = {start: None}, deque([start])
    while waiting and len(seen) < most:
        for friend in ties.neighbours(waiting.popleft()).tolist():
            if friend < people and friend not in seen and len(seen) < most:
                seen[friend] = None
                waiting.append(friend)
    return np.array(sorted(seen), dtype=np.int64)


def ties_among(ties: Ties | None, rows: Rows) -> NDArray[np.int64]:
    """Return the ties among some rows as pairs of positions, shape (e, 2), each once."""
    if ties is None or not len(rows):
        return np.zeros((0, 2), dtype=np.int64)
    owner, friend, _ = ties.around(rows)
    place = np.searchsorted(rows, friend).clip(max=len(rows) - 1)
    kept = (rows[place] == friend) & (owner < place)
    return np.stack([owner[kept], place[kept]], axis=1)


def layout(count: int, pairs: NDArray[np.int64]) -> Points:
    """Return places in the unit square for nodes tied in pairs, shape (count, 2).

    Forces as Fruchterman and Reingold (1991) have them, from a spiral on, without chance.
    """
    turn = np.arange(count) * math.pi * (3.0 - math.sqrt(5.0))
    at = np.sqrt((np.arange(count) + 0.5) / max(count, 1))[:, None] * np.stack(
        [np.cos(turn), np.sin(turn)], 1
    )
    near = math.sqrt(4.0 / max(count, 1))
    for heat in np.linspace(0.2, 0.005, ROUNDS):
        apart = at[:, None, :] - at[None, :, :]
        distance = np.sqrt((apart * apart).sum(axis=2)) + 1e-9
        push = (apart * (near * near / (distance * distance))[:, :, None]).sum(axis=1)
        along = at[pairs[:, 0]] - at[pairs[:, 1]]
        pull = along * (np.sqrt((along * along).sum(axis=1)) / near)[:, None]
        np.subtract.at(push, pairs[:, 0], pull)
        np.add.at(push, pairs[:, 1], pull)
        push -= 0.3 * at  # those whom nobody knows stay in the picture
        length = np.sqrt((push * push).sum(axis=1))[:, None] + 1e-9
        at += push / length * np.minimum(length, heat)
    low, high = at.min(axis=0, initial=0.0), at.max(axis=0, initial=1e-9)
    return np.asarray((at - low) / (high - low), dtype=np.float64)


def graph(
    places: Points, pairs: NDArray[np.int64], values: Points, alive: NDArray[np.bool_], names: Sequence[str]
) -> str:
    """Return the graph as SVG; `values` from 0 to 1 colour the nodes, those who left are empty."""
    radius = 4.0 if len(places) > 100 else 7.0
    xy = 12 + places * (SIDE - 24)
    ends = np.concatenate([xy[pairs[:, 0]], xy[pairs[:, 1]]], axis=1)
    lines = [f'<path d="M{a:.0f} {b:.0f}L{c:.0f} {d:.0f}"/>' for a, b, c, d in ends.tolist()]
    dots = [
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius}" fill="{_colour(value) if lives else GONE}">'
        f"<title>{escape(name)}</title></circle>"
        for (x, y), value, lives, name in zip(
            xy.tolist(), values.tolist(), alive.tolist(), names, strict=True
        )
    ]
    return (
        f'<svg viewBox="0 0 {SIDE} {SIDE}" width="100%" role="img" aria-label="who knows whom">'
        f'<g stroke="#bbb" stroke-width=".6">{"".join(lines)}</g>'
        f'<g stroke="#666" stroke-width=".5">{"".join(dots)}</g></svg>'
    )


def legend(what: str) -> str:
    """Return what the colours mean, as SVG."""
    stops = "".join(f'<stop offset="{i / 2}" stop-color="{_colour(i / 2)}"/>' for i in range(3))
    return (
        f'<svg viewBox="0 0 {SIDE} 26" width="100%">'
        f'<defs><linearGradient id="scale">{stops}</linearGradient></defs>'
        f'<rect x="40" y="2" width="{SIDE - 80}" height="8" fill="url(#scale)"/>'
        f'<g font-size="11" fill="currentColor"><text x="40" y="22">{escape(what)} 0</text>'
        f'<text x="{SIDE - 40}" y="22" text-anchor="end">1</text></g></svg>'
    )


def series(history: Mapping[str, Sequence[float]], ticks: int) -> str:
    """Return one small chart a measure, as HTML."""
    charts = [
        _chart(name, values, ticks) for name, values in history.items() if any(map(math.isfinite, values))
    ]
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(charts)}</div>'


def coloured(people: Columns, rows: Rows, what: str) -> Points:
    """Return what colours the nodes: a column of people between 0 and 1; a half where there is none."""
    if what not in people:
        return np.full(len(rows), 0.5)
    return np.clip(np.nan_to_num(people.numbers(what, rows), nan=0.5), 0.0, 1.0)


def _chart(name: str, values: Sequence[float], ticks: int) -> str:
    known = [(tick, value) for tick, value in enumerate(values) if math.isfinite(value)]
    low, high = min(v for _, v in known), max(v for _, v in known)
    room = (high - low) or abs(high) or 1.0
    bottom, top = low - 0.1 * room, high + 0.1 * room
    x = [8 + 204 * tick / max(ticks - 1, 1) for tick, _ in known]
    y = [78 - 56 * (value - bottom) / (top - bottom) for _, value in known]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return (
        '<svg viewBox="0 0 220 96" width="220" role="img">'
        f'<text x="8" y="13" font-size="12" fill="currentColor">{escape(name.replace("_", " "))}</text>'
        f'<text x="212" y="13" font-size="12" text-anchor="end" fill="currentColor">{known[-1][1]:.4g}</text>'
        f'<polyline points="{points}" fill="none" stroke="#2166ac" stroke-width="1.6"/>'
        f'<circle cx="{x[-1]:.1f}" cy="{y[-1]:.1f}" r="2.5" fill="#2166ac"/>'
        f'<g font-size="9" fill="#888"><text x="8" y="92">tick 0</text>'
        f'<text x="212" y="92" text-anchor="end">{max(ticks - 1, 0)}</text></g></svg>'
    )


def _colour(value: float) -> str:
    low, middle, high = COLOURS
    one, other, share = (low, middle, 2.0 * value) if value < 0.5 else (middle, high, 2.0 * value - 1.0)
    mixed: Any = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)
