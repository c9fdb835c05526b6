"""Who knows whom: graphs by name, from a file or from networkx, one for each independent society.

Each replica's graph has its own addressed seed, so that it is the same whatever other replicas there
are. Up to `NETWORKX_LIMIT` ends of ties a replica (people times degree), networkx makes the graph;
above, the same law is drawn here straight into arrays: much quicker, and with a few ties fewer where
two fall together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.apart import parted
from rehearse.agents.everyone import Everyone
from rehearse.agents.ties import Ties, freeze, side_by_side
from rehearse.chance import Chance
from rehearse.columns import Rows
from rehearse.errors import DataError, NotFoundError, ScenarioError
from rehearse.exact import Floats, log
from rehearse.scenario.society import FRIENDS, Graph, Society

__all__ = [
    "NETWORKX_LIMIT",
    "Ties",
    "build",
    "build_all",
    "from_networkx",
    "nobody",
    "nodes_of",
    "own_weights",
    "repeated",
]

Pairs = tuple[Rows, Rows]
Weighed = tuple[Rows, Rows, Floats | None]
"""Pairs, and how strong each tie is where that differs."""

NETWORKX_LIMIT = 100_000
MOST_TIES = 2_000_000_000
KARATE = 34
LEAST_SHARE = 1e-15
"""A tie less likely than this would need pair numbers beyond 64 bits: it is taken as never."""
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class _Society:
    """One replica, for which a graph is to be made."""

    graph: Graph
    count: int
    groups: NDArray[np.int8]
    chance: Chance
    replica: int
    purpose: str = "graph"
    """What addresses the luck of this layer."""

    @property
    def seed(self) -> int:
        """Return this society's own seed for networkx."""
        low, high = self.chance.bits(self.purpose, self.replica, 0, count=2).ravel().tolist()
        return int(high) << 32 | int(low)

    @property
    def by_networkx(self) -> bool:
        """Tell whether the graph is small enough for networkx."""
        return self.count * self.graph.degree <= NETWORKX_LIMIT


def build(
    graph: Graph,
    *,
    count: int,
    replicas: NDArray[np.int32],
    groups: NDArray[np.int8],
    chance: Chance,
    layer: str = FRIENDS,
) -> Ties | None:
    """Make the ties of all replicas of `count` people each, or None where nobody knows anybody.

    `groups` holds each row's group, shape (replicas · count,), for `stochastic_block`. No tie joins
    two replicas. Each layer has luck of its own. Raises ScenarioError where the graph cannot be made
    with so many people, DataError or NotFoundError for an edge list that cannot be used.
    """
    if graph.kind == "none":
        return None
    _check(graph, count)
    if graph.kind == "complete":
        return Everyone(count, len(replicas))
    shared = _shared(graph, count)
    if shared is not None:
        one, other, weights = shared
        return repeated(freeze(count, one, other, weights, directed=graph.directed), len(replicas))
    parts: list[Ties] = []
    purpose = "graph" if layer == FRIENDS else f"graph/{layer}"
    for place, replica in enumerate(replicas.tolist()):
        offset = place * count
        society = _Society(graph, count, groups[offset : offset + count], chance, replica, purpose)
        parts.append(freeze(count, *_MAKERS[graph.kind](society)))
    return side_by_side(parts)


def build_all(
    society: Society,
    *,
    count: int,
    replicas: NDArray[np.int32],
    groups: NDArray[np.int8],
    chance: Chance,
) -> dict[str, Ties]:
    """Make the ties of every layer in which somebody knows somebody, by name; see `build`."""
    found: dict[str, Ties] = {}
    for name, graph in society.graphs.items():
        ties = build(graph, count=count, replicas=replicas, groups=groups, chance=chance, layer=name)
        if ties is not None:
            found[name] = ties
    return parted(found, society, count, len(replicas)) if society.apart else found


def from_networkx(
    graph: Any, replicas: int = 1, weight: str | None = None, nodes: Sequence[Any] | None = None
) -> Ties:
    """Freeze any networkx graph, once for each of some replicas.

    Nodes that are the numbers 0 to n - 1 keep them as rows; others are numbered in the order of
    `graph.nodes`, unless `nodes` gives their order. In a directed graph u listens to v where there is an
    edge from u to v (turn one where edges carry news with `graph.reverse()`). `weight` names the edge
    attribute that says how strong a tie is (1 where an edge lacks it): below 0 between foes; an edge of
    weight 0 is no tie. Loops are dropped (see `own_weights`); of several edges between two nodes the
    weights are added up, and without weights they count once. A node without edges is a person without
    friends.
    """
    order = nodes_of(graph) if nodes is None else nodes
    place = {node: i for i, node in enumerate(order)}
    strange = [node for node in graph.nodes if node not in place]
    if strange:
        problem = f"node {strange[0]!r} is not in the other layer."
        raise DataError(problem, "Give all layers the same nodes.")
    one, other = _pairs((place[u], place[v]) for u, v in graph.edges())
    strength = None if weight is None else _strengths(graph, weight)
    return repeated(freeze(len(order), one, other, strength, directed=graph.is_directed()), replicas)


def own_weights(graph: Any, weight: str, nodes: Sequence[Any]) -> Floats | None:
    """Return how strongly each node of a networkx graph is tied to itself, (n,); None where none is."""
    place = {node: i for i, node in enumerate(nodes)}
    loops = [(place[u], w) for u, v, w in graph.edges(data=weight, default=1.0) if u == v]
    if not loops:
        return None
    if min(w for _, w in loops) < 0.0:
        problem = f"a node is tied to itself with the weight {min(w for _, w in loops):g}."
        raise DataError(problem, "How much people count themselves is at least 0.")
    found = np.zeros(len(place))
    np.add.at(found, [i for i, _ in loops], [w for _, w in loops])
    return found


def nodes_of(graph: Any) -> list[Any]:
    """Return the nodes of a networkx graph in the order of their rows."""
    count = graph.number_of_nodes()
    numbered = all(isinstance(n, int | np.integer) and 0 <= n < count for n in graph.nodes)
    return list(range(count)) if numbered else list(graph.nodes)


def repeated(ties: Ties, replicas: int) -> Ties:
    """Return the same ties for each of some societies, one after another."""
    if replicas == 1:
        return ties
    if isinstance(ties, Everyone):
        return Everyone(ties.count, ties.replicas * replicas)
    shift = np.repeat(np.arange(replicas, dtype=np.int64), len(ties.indices)) * len(ties)
    indices: Rows = np.tile(np.asarray(ties.indices, dtype=np.int64), replicas) + shift
    starts = np.concatenate([[0], np.tile(ties.degree, replicas).cumsum()]).astype(np.int64)
    small = len(ties) * replicas <= np.iinfo(np.int32).max
    weights = None if ties.weights is None else np.tile(ties.weights, replicas)
    return Ties(starts, indices.astype(np.int32) if small else indices, weights, ties.mutual)


def nobody(count: int) -> Ties:
    """Return the ties of people of whom nobody knows anybody."""
    none = np.zeros(0, dtype=np.int64)
    return freeze(count, none, none)


def _strengths(graph: Any, weight: str) -> Floats:
    found = np.array([w for _, _, w in graph.edges(data=weight, default=1.0)], dtype=np.float64)
    wrong = found[~np.isfinite(found)]
    if wrong.size:
        problem = f"attribute {weight!r} of an edge is {wrong[0]:g}."
        raise DataError(problem, "How strong a tie is must be a finite number.")
    return found


def _check(graph: Graph, count: int) -> None:
    if graph.kind == "karate" and count != KARATE:
        problem = f"the karate club has {KARATE} members, and people.count is {count}."
        raise ScenarioError(problem, f"Set people.count to {KARATE}, or choose another graph.")
    if graph.kind not in {"watts_strogatz", "barabasi_albert", "erdos_renyi"}:
        return
    _check_size(count * graph.degree // 2)
    if graph.degree >= count:
        problem = f"{count} people cannot have {graph.degree} friends each."
        raise ScenarioError(problem, "Lower people.society.graph.degree, or raise people.count.")
    if graph.degree % 2 and graph.kind != "erdos_renyi":
        problem = f"people.society.graph: {graph.kind} needs an even degree, found {graph.degree}."
        raise ScenarioError(problem, f"Use {graph.degree - 1 or 2} or {graph.degree + 1}.")


def _check_size(ties: float) -> None:
    if ties > MOST_TIES:
        problem = f"people.society.graph: about {ties:.3g} ties in a society is more than {MOST_TIES:.0e}."
        raise ScenarioError(problem, "Give people fewer friends.")


def _shared(graph: Graph, count: int) -> Weighed | None:
    """Return the pairs of a graph that is the same in every replica, or None."""
    if graph.kind == "karate":
        import networkx as nx

        return *_pairs(nx.karate_club_graph().edges()), None
    if graph.kind == "edges":
        return _read_edges(Path(str(graph.path)), count, weighted=graph.weighted)
    return None


def _pairs(edges: Iterable[tuple[int, int]]) -> Pairs:
    table = np.array(list(edges), dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _read_edges(path: Path, count: int, *, weighted: bool) -> Weighed:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"people.society.graph.path: {str(path)!r} cannot be read ({error})."
        raise NotFoundError(problem, "Give a text file with two ids a line.") from error
    pairs: list[tuple[int, int]] = []
    weights: list[float] = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            where = f"line {number} of {str(path)!r}"
            weights.append(_read_weight(words, where) if weighted else 1.0)
            pairs.append(_read_pair(words[:2] if weighted else words, count, where))
    return *_pairs(pairs), np.array(weights) if weighted else None


def _read_weight(words: list[str], where: str) -> float:
    try:
        weight = float(words[2]) if len(words) == 3 else math.nan
    except ValueError:
        weight = math.nan
    if not math.isfinite(weight):
        problem = f"{where} is {' '.join(words)!r}, not two ids and a weight."
        raise DataError(problem, "Write a third number: how strong the tie is, below 0 between foes.")
    return weight


def _read_pair(words: list[str], count: int, where: str) -> tuple[int, int]:
    if len(words) != 2 or not (_ID.fullmatch(words[0]) and _ID.fullmatch(words[1])):
        problem = f"{where} is {' '.join(words)!r}, not two ids."
        raise DataError(problem, "Write two whole numbers from 0, with a space or a comma between.")
    one, other = int(words[0]), int(words[1])
    if max(one, other) >= count:
        problem = f"{where} names person {max(one, other)}, and people.count is {count}."
        raise DataError(problem, f"Ids are 0 to {count - 1}: raise people.count, or leave the line out.")
    return one, other


def _watts_strogatz(own: _Society) -> Pairs:
    """Watts and Strogatz (1998): a ring, each of whose ties is moved with some chance."""
    if own.by_networkx:
        import networkx as nx

        made = nx.watts_strogatz_graph(own.count, own.graph.degree, own.graph.rewire, seed=own.seed)
        return _pairs(made.edges())
    people = np.arange(own.count, dtype=np.int64)
    others = []
    for step in range(1, own.graph.degree // 2 + 1):
        u = own.chance.uniform(f"{own.purpose}/rewire", own.replica, people, turn=step, count=2)
        elsewhere = (people + 1 + (u[:, 1] * (own.count - 1)).astype(np.int64)) % own.count
        others.append(np.where(u[:, 0] < own.graph.rewire, elsewhere, (people + step) % own.count))
    return np.tile(people, len(others)), np.concatenate(others)


def _barabasi_albert(own: _Society) -> Pairs:
    """Barabási and Albert (1999): newcomers tie themselves to those who have many ties.

    In arrays by the method of Batagelj and Brandes (2005): the ends of all ties stand in one row of
    places, and each new end copies a place before it, drawn at random. That place may be a copy too,
    so copies are followed until all end at a newcomer.
    """
    ties = own.graph.degree // 2
    if own.by_networkx:
        import networkx as nx

        return _pairs(nx.barabasi_albert_graph(own.count, ties, seed=own.seed).edges())
    newcomer = np.repeat(np.arange(own.count, dtype=np.int64), ties)
    numbers = np.arange(len(newcomer), dtype=np.int64)
    u = own.chance.uniform(f"{own.purpose}/attach", own.replica, numbers)[:, 0]
    # Place 2i holds the newcomer of tie i, place 2i + 1 its other end: a copy of an earlier place.
    source = (u * (2 * numbers + 1)).astype(np.int64)
    while (copies := source % 2 == 1).any():
        source[copies] = source[source[copies] // 2]
    return newcomer, newcomer[source // 2]


def _erdos_renyi(own: _Society) -> Pairs:
    """Gilbert (1959): each pair is tied with the same chance."""
    share = own.graph.degree / (own.count - 1)
    if own.by_networkx:
        import networkx as nx

        return _pairs(nx.fast_gnp_random_graph(own.count, share, seed=own.seed).edges())
    everybody = np.arange(own.count, dtype=np.int64)
    return _inside(everybody, share, "all", own)


def _stochastic_block(own: _Society) -> Pairs:
    """Holland, Laskey and Leinhardt (1983): the chance of a tie depends on the two groups.

    Drawn here for any size: networkx takes seconds for some thousand people.
    """
    members = [np.flatnonzero(own.groups == code) for code in np.unique(own.groups)]
    parts = [_inside(m, own.graph.within, f"{i}", own) for i, m in enumerate(members)]
    for i, one in enumerate(members):
        for j, other in enumerate(members[:i]):
            hits = _hits(len(one) * len(other), own.graph.between, f"{i}-{j}", own)
            parts.append((one[hits // len(other)], other[hits % len(other)]))
    one_side, other_side = zip(*parts, strict=True)
    return np.concatenate(one_side), np.concatenate(other_side)


def _inside(members: Rows, share: float, name: str, own: _Society) -> Pairs:
    """Tie each pair of some people with the same chance."""
    size = len(members)
    hits = _hits(size * (size - 1) // 2, share, name, own)
    # Pair number k is (i, j) with i > j and k = i(i - 1)/2 + j.
    i = ((1.0 + np.sqrt(1.0 + 8.0 * hits)) / 2.0).astype(np.int64)
    i -= i * (i - 1) // 2 > hits
    i += (i + 1) * i // 2 <= hits
    return members[i], members[hits - i * (i - 1) // 2]


def _hits(trials: int, share: float, name: str, own: _Society) -> Rows:
    """Return which of many trials with the same small chance succeed: the gaps are geometric."""
    _check_size(trials * share)
    if share >= 1.0:
        return np.arange(trials, dtype=np.int64)
    if share < LEAST_SHARE or trials == 0:
        return np.zeros(0, dtype=np.int64)
    found: list[Rows] = []
    last, drawn = -1, 0
    while last < trials:
        room = int((trials - last) * share * 1.02) + 16
        numbers = np.arange(drawn, drawn + room, dtype=np.int64)
        u = own.chance.uniform(f"{own.purpose}/pairs/{name}", own.replica, numbers)[:, 0]
        gaps = np.floor(np.minimum(log(u) / log(1.0 - share), float(trials))).astype(np.int64) + 1
        found.append(last + np.cumsum(gaps))
        last, drawn = int(found[-1][-1]), drawn + room
    hits = np.concatenate(found)
    return hits[hits < trials]


_MAKERS: dict[str, Callable[[_Society], Pairs]] = {
    "watts_strogatz": _watts_strogatz,
    "barabasi_albert": _barabasi_albert,
    "erdos_renyi": _erdos_renyi,
    "stochastic_block": _stochastic_block,
}
