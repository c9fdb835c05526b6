"""Journeys as a flow: ribbons from the first answer to the end of the session, drawn as SVG.

Each ribbon keeps the colour of how the sessions in it ended, so that an end can be followed back to
the offers that led there. The layout is our own: columns of stages, heights in proportion to
counts, one pass that keeps the order of stages fixed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rehearse.experiments.report import words
from rehearse.experiments.report.facts import OTHERS, Row

WIDTH, HEIGHT, TOP = 1000.0, 420.0, 34.0
BAR, GAP = 12.0, 9.0
LINE = 17.0
"""A node takes at least the height of its name."""
MAX_ITEMS = 7
"""More items than this are drawn as the most frequent ones and `others`."""
STAGES = ("first answer", "response", "taken in the end", "end")

OUTCOMES = {"good": "var(--good)", "left": "var(--left)", "bad": "var(--bad)", "dull": "var(--dull)"}
OUTCOME_WORDS = {
    "good": "goal met, or moved on",
    "left": "gave up, or nothing fitted",
    "bad": "no answer, or stopped",
    "dull": "went without, or ran out of turns or time",
}
_OUTCOME_OF = {
    "goal_met": "good",
    "user_stop": "good",
    "abandoned": "left",
    "infeasible": "left",
    "policy_stop": "bad",
    "guard": "bad",
    "policy_error": "bad",
}

Key = tuple[int, str]
"""A node: its stage and its name."""


@dataclass(frozen=True, slots=True)
class Node:
    """A bar of the drawing: where it stands, and what it says."""

    x: float
    y: float
    height: float
    name: str
    count: float
    said: str
    """The share of all sessions, in words."""


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Sessions that went from one node to the next and ended alike."""

    path: str
    colour: str
    said: str


@dataclass(frozen=True, slots=True)
class Flow:
    """The whole drawing; coordinates within WIDTH × HEIGHT."""

    nodes: list[Node]
    ribbons: list[Ribbon]
    outcomes: list[tuple[str, str]]
    """Colour and words of the kinds of ending that occur."""
    total: float
    heads: list[tuple[float, str]]
    """Where each stage's name stands."""
    width: float = WIDTH
    height: float = HEIGHT


def outcome(end: str) -> str:
    """Return the kind of an ending: good, left, bad or dull."""
    return _OUTCOME_OF.get(end, "dull")


def layout(found: Sequence[Row], items: Mapping[int, str], max_turns: int = 0) -> Flow:
    """Place the nodes and ribbons for counts of sessions as `facts.flow` gives them."""
    paths = _paths(found, items, max_turns)
    total = sum(paths.values())
    places = _order(paths)
    nodes = _nodes(paths, places, total)
    seen = {kind for _, kind in paths}
    legend = [(OUTCOMES[kind], OUTCOME_WORDS[kind]) for kind in OUTCOMES if kind in seen]
    heads = [(_column(stage), name) for stage, name in enumerate(STAGES)]
    return Flow(list(nodes.values()), _ribbons(paths, nodes, places, total), legend, total, heads)


Paths = dict[tuple[tuple[str, ...], str], float]
"""Sessions by the names of their stages and the kind of their ending."""


def _paths(found: Sequence[Row], items: Mapping[int, str], max_turns: int) -> Paths:
    names = {**items, OTHERS: "others"}
    paths: Paths = defaultdict(float)
    for row in found:
        offer = names.get(int(row["offer"]), "no answer")
        taken = names.get(int(row["taken"]), "nothing")
        stages = (offer, _response(row), taken, words.ended(row["ended"], max_turns))
        paths[stages, outcome(row["ended"])] += float(row["n"])
    return dict(paths)


def _response(row: Row) -> str:
    if row["took"]:
        return "took it"
    return "went on" if row["went_on"] else "left at once"


def _order(paths: Paths) -> dict[Key, int]:
    """Return the order of the nodes within their stage: good endings first, then the most frequent."""
    weight: dict[Key, float] = defaultdict(float)
    merit: dict[Key, float] = defaultdict(float)
    for (stages, kind), n in paths.items():
        for key in enumerate(stages):
            weight[key] += n
            merit[key] += n * (kind == "good")
    unlike = {"no answer", "nothing", "others"}
    ranked = sorted(
        weight, key=lambda k: (k[0], k[1] in unlike, -round(merit[k] / weight[k], 1), -weight[k], k[1])
    )
    return {key: place for place, key in enumerate(ranked)}


def _scale(counts: Sequence[float]) -> float:
    """Return the height of one session, so that a stage with these counts fits with its names and gaps."""
    room = HEIGHT - TOP
    scale = room / sum(counts)
    for _ in range(40):
        needed = sum(max(n * scale, LINE - GAP) + GAP for n in counts)
        small = sum(max(LINE - GAP - n * scale, 0.0) for n in counts)
        if needed <= room:
            break
        scale *= max(0.5, (room - GAP * len(counts) - small) / max(needed - GAP * len(counts) - small, 1e-9))
    return scale


def _share(value: float) -> str:
    if value < 0.001:
        return "< 0.1 %"
    return words.percent(value, 0 if value >= 0.01 else 1)


def _column(stage: int) -> float:
    # The last stage's names need room to their right.
    return round(stage * (WIDTH - BAR - 210.0) / (len(STAGES) - 1), 1)


def _nodes(paths: Paths, places: Mapping[Key, int], total: float) -> dict[Key, Node]:
    count: dict[Key, float] = defaultdict(float)
    for (stages, _), n in paths.items():
        for key in enumerate(stages):
            count[key] += n
    scale = min(_scale([n for (at, _), n in count.items() if at == stage]) for stage in range(len(STAGES)))
    nodes: dict[Key, Node] = {}
    depth = [TOP] * len(STAGES)
    for key in sorted(count, key=lambda k: places[k]):
        stage, name = key
        height = count[key] * scale
        x = _column(stage)
        nodes[key] = Node(x, depth[stage], height, name, count[key], _share(count[key] / total))
        depth[stage] += max(height, LINE - GAP) + GAP
    return nodes


def _ribbons(
    paths: Paths, nodes: Mapping[Key, Node], places: Mapping[Key, int], total: float
) -> list[Ribbon]:
    links: dict[tuple[Key, Key, str], float] = defaultdict(float)
    for (stages, kind), n in paths.items():
        for stage in range(len(stages) - 1):
            links[(stage, stages[stage]), (stage + 1, stages[stage + 1]), kind] += n
    rank = {kind: i for i, kind in enumerate(OUTCOMES)}
    leaving = sorted(links, key=lambda k: (places[k[0]], rank[k[2]], places[k[1]]))
    arriving = sorted(links, key=lambda k: (places[k[1]], rank[k[2]], places[k[0]]))
    starts = _stacked(leaving, links, nodes, 0)
    arrivals = _stacked(arriving, links, nodes, 1)
    ribbons = []
    for link in leaving:
        here, there, kind = link
        thick = links[link] * nodes[here].height / nodes[here].count
        path = _path(nodes[here].x + BAR, starts[link], nodes[there].x, arrivals[link], thick)
        said = (
            f"{here[1]} → {there[1]}, {OUTCOME_WORDS[kind]}: {words.whole(links[link])} sessions, "
            f"{words.percent(links[link] / total)}"
        )
        ribbons.append(Ribbon(path, OUTCOMES[kind], said))
    return ribbons


def _stacked(
    order: Sequence[tuple[Key, Key, str]],
    links: Mapping[tuple[Key, Key, str], float],
    nodes: Mapping[Key, Node],
    side: int,
) -> dict[tuple[Key, Key, str], float]:
    """Return the upper edge of each ribbon where it leaves (side 0) or reaches (side 1) its node."""
    used: dict[Key, float] = defaultdict(float)
    edges = {}
    for link in order:
        node = link[0] if side == 0 else link[1]
        edges[link] = nodes[node].y + used[node]
        used[node] += links[link] * nodes[node].height / nodes[node].count
    return edges


def _path(x0: float, y0: float, x1: float, y1: float, thick: float) -> str:
    middle = (x0 + x1) / 2
    z0, z1 = y0 + thick, y1 + thick
    return (
        f"M{x0:.1f},{y0:.2f} C{middle:.1f},{y0:.2f} {middle:.1f},{y1:.2f} {x1:.1f},{y1:.2f} "
        f"V{z1:.2f} C{middle:.1f},{z1:.2f} {middle:.1f},{z0:.2f} {x0:.1f},{z0:.2f} Z"
    )
