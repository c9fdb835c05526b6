"""A society by itself: people, ties and rules, without a decision model.

club = networkx.karate_club_graph()
society = Society(club, {"opinion": views}, rules=[DeGroot()])
history = society.run(200)
history["opinion"]              # (201, 34): before the first tick, and after each
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import graph as graphs
from rehearse.agents.social.averaging import OWN
from rehearse.agents.social.drive import Rules
from rehearse.agents.social.loading import Given, load_all
from rehearse.agents.social.plugin import FunctionRule
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.errors import DataError, UserError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.society import FRIENDS, Graph

MOST_KEPT = 4 << 30
"""Bytes of history that are kept without having been asked for in so many words."""

Layers = Mapping[str, Any]


class Society:
    """People who know one another and what passes between them; replicas are independent societies.

    `graph` is any networkx graph (see `from_networkx` for what becomes of directions, weights, loops
    and multiple edges), `Ties`, a `Graph` of the scenario with `count` people, or a dict of these, one
    for each layer. `values` are columns by name: one value for all, one a person (in the order of the
    graph's nodes) or one for each person of each replica, shape (n, …) or (replicas, n, …), or a dict by
    node. Numbers are kept in float64, and arrays of float32 as they are. The same arguments give the
    same bits; replica r is the same whatever other replicas there are.
    """

    def __init__(
        self,
        graph: Any,
        values: Mapping[str, Any] | None = None,
        *,
        rules: Sequence[Given] | Given = (),
        seed: int = 1,
        replicas: int | None = None,
        count: int | None = None,
        weight: str | None = None,
        record: Sequence[str] | None = None,
    ) -> None:
        """Make the society as it is before the first tick.

        `weight` names the edge attribute that says how strong a tie is; that of a loop says how much a
        person counts oneself where rules take means (column `own_weight`). `record` names the columns that
        `run` keeps of every tick; None: all that the rules move, and all `values` where a function does
        not say what it moves. Raises UserError for what does not fit.
        """
        chance = Chance(seed)
        self.nodes, layers = _frozen(graph, count, replicas or 1, weight, chance)
        self.count = len(next(iter(layers.values()))) // (replicas or 1)
        self.replicas = replicas
        self.tick = 0
        given = [rules] if isinstance(rules, str) or not isinstance(rules, Sequence) else rules
        self.rules = Rules(load_all(given), layers, chance, replicas or 1)
        self.people = Columns({"user": self._tile(np.arange(self.count)), "replica": self._numbers()})
        for name, value in (values or {}).items():
            self.people[name] = self._column(name, value)
        if weight is not None and OWN not in self.people and hasattr(graph, "edges"):
            own = graphs.own_weights(graph, weight, self.nodes)
            if own is not None:
                self.people[OWN] = self._tile(own)
        self._given = tuple(values or ())
        self.rules.begin(self.people)
        self._recorded = tuple(record) if record is not None else self._moved()

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column as it is now, shape (n, …), or (replicas, n, …) where replicas were asked for."""
        return self._shaped(np.asarray(self.people[name]).copy())

    @property
    def ties(self) -> Ties:
        """Return who knows whom now, on the only layer or on `friends`; all replicas one after another."""
        layers = self.rules.layers
        return layers[FRIENDS] if FRIENDS in layers else next(iter(layers.values()))

    @property
    def measures(self) -> dict[str, Floats]:
        """Return what the rules measure now, each of shape () or (replicas,)."""
        found = self.rules.measures(self.people)
        return {name: m if self.replicas is not None else m[0] for name, m in found.items()}

    def step(self) -> Self:
        """Let one tick pass."""
        self.rules.advance(self.people, self.tick)
        self.tick += 1
        return self

    def run(self, ticks: int) -> dict[str, NDArray[Any]]:
        """Let ticks pass; return every recorded column and measure, before the first and after each.

        Columns have shape (ticks + 1, n, …), measures (ticks + 1,); with replicas (ticks + 1, replicas, …).
        """
        self._check_memory(ticks)
        pages = [self._page()]
        for _ in range(ticks):
            self.step()
            pages.append(self._page())
        return {name: np.stack([page[name] for page in pages]) for name in pages[0]}

    def settle(self, column: str | None = None, *, within: float = 1e-12, most: int = 100_000) -> int:
        """Let ticks pass until one moves nobody's value by as much as `within`; return how many passed.

        The last of them is the one that moved nobody, where luck alone does not explain it. `column` is
        what the first rule moves unless named. Raises UserError after `most` ticks.
        """
        name = next(iter(self._moved()), None) if column is None else column
        if name is None or name not in self.people:
            problem = f"{'no rule moves a column' if name is None else f'people have no column {name!r}'}."
            raise UserError(problem, did_you_mean(name or "", self.people))
        for passed in range(1, most + 1):
            before = self.people.numbers(name)
            self.step()
            still = np.abs(self.people.numbers(name) - before).max(initial=0.0) < within
            if still and self.rules.at_rest(self.people, self.tick, name):
                return passed
        problem = f"{name!r} has not settled within {within:g} after {most:,} ticks."
        raise UserError(problem, "Ask for more ticks (`most`), or a wider `within`.")

    def _page(self) -> dict[str, Any]:
        return {name: self[name] for name in self._recorded} | self.measures

    def _moved(self) -> tuple[str, ...]:
        rules = self.rules.rules
        names = dict.fromkeys(name for rule in rules for name in rule.moves)
        if any(isinstance(rule, FunctionRule) for rule in rules):  # it may move more than it says
            names |= dict.fromkeys(self._given)
        return tuple(name for name in names if name in self.people)

    def _numbers(self) -> NDArray[np.int32]:
        return np.repeat(np.arange(self.replicas or 1, dtype=np.int32), self.count)

    def _tile(self, column: Array) -> Array:
        return np.tile(column, (self.replicas or 1, *(1,) * (column.ndim - 1)))

    def _shaped(self, column: NDArray[Any]) -> NDArray[Any]:
        return (
            column if self.replicas is None else column.reshape(self.replicas, self.count, *column.shape[1:])
        )

    def _column(self, name: str, value: Any) -> Array:
        given = self._by_node(name, value) if isinstance(value, Mapping) else np.asarray(value)
        if given.dtype.kind in "iub":
            given = given.astype(np.float64)
        whole = (self.replicas or 0, self.count)
        if given.ndim == 0:
            return np.full(self.count * (self.replicas or 1), given)
        if given.shape[:2] == whole:
            return given.reshape(-1, *given.shape[2:]).copy()
        if len(given) == self.count:
            return self._tile(given).copy()
        problem = f"{name!r} has shape {given.shape} for {self.count:,} people."
        raise DataError(problem, "Give one value, one a person, or one for each person of each replica.")

    def _by_node(self, name: str, value: Mapping[Any, Any]) -> Array:
        lacking = [node for node in self.nodes if node not in value]
        if lacking or len(value) != self.count:
            strange = [node for node in value if node not in set(self.nodes)]
            wrong = f"lacks node {lacking[0]!r}" if lacking else f"names {strange[0]!r}, which is no node"
            problem = f"{name!r} {wrong}."
            raise DataError(problem, "Give a value for each node of the graph.")
        return np.array([value[node] for node in self.nodes])

    def _check_memory(self, ticks: int) -> None:
        kept = sum(np.asarray(self.people[name]).nbytes for name in self._recorded) * (ticks + 1)
        if kept > MOST_KEPT:
            problem = f"{ticks:,} ticks of {', '.join(self._recorded)} take {kept / 2**30:.1f} GiB."
            raise UserError(problem, "Name fewer columns in `record`, such as record=() for measures alone.")


def _frozen(
    graph: Any, count: int | None, replicas: int, weight: str | None, chance: Chance
) -> tuple[list[Any], dict[str, Ties]]:
    """Return the nodes in the order of the rows, and the ties of each layer."""
    layers = graph if isinstance(graph, dict) else {FRIENDS: graph}
    first = next((layer for layer in layers.values() if hasattr(layer, "nodes")), None)
    nodes = None if first is None else graphs.nodes_of(first)
    size = count if nodes is None else len(nodes)
    frozen = {n: _ties(layer, size, replicas, weight, chance, n, nodes) for n, layer in layers.items()}
    sizes = {name: len(ties) // replicas for name, ties in frozen.items()}
    if len(set(sizes.values())) != 1:
        problem = f"the layers have different numbers of people: {sizes}."
        raise DataError(problem, "Give every layer all people; those without ties are nodes too.")
    return list(range(next(iter(sizes.values())))) if nodes is None else nodes, frozen


def _ties(
    graph: Any,
    count: int | None,
    replicas: int,
    weight: str | None,
    chance: Chance,
    layer: str,
    nodes: list[Any] | None,
) -> Ties:
    if isinstance(graph, Ties):
        return graphs.repeated(graph, replicas)
    if hasattr(graph, "edges") and hasattr(graph, "nodes"):
        return graphs.from_networkx(graph, replicas, weight, nodes)
    if not isinstance(graph, Graph):
        problem = f"{type(graph).__name__} is no graph."
        raise UserError(problem, "Give a networkx graph, a Graph with `count`, Ties, or a dict of layers.")
    if count is None:
        problem = f"a graph of kind {graph.kind!r} is given without saying for how many people."
        raise UserError(problem, "Give count.")
    numbers, groups = np.arange(replicas, dtype=np.int32), np.zeros(count * replicas, dtype=np.int8)
    made = graphs.build(graph, count=count, replicas=numbers, groups=groups, chance=chance, layer=layer)
    return graphs.nobody(count * replicas) if made is None else made
