"""How a scenario describes a society: who knows whom, and what passes between them."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from rehearse.scenario.base import Name, Positive, Share, Strict
from rehearse.scenario.emergence import Emergence

FRIENDS = "friends"
"""The layer of ties that `society.graph` makes."""


class Graph(Strict):
    """Who knows whom: exactly one way of making it, or none (nobody knows anybody)."""

    kind: Literal[
        "none",
        "watts_strogatz",
        "barabasi_albert",
        "erdos_renyi",
        "stochastic_block",
        "complete",
        "karate",
        "edges",
    ] = "none"
    """`complete`: everybody knows everybody, which takes no memory for the ties."""
    degree: int = Field(default=6, ge=1)
    """Mean number of friends (Watts–Strogatz, Erdős–Rényi); twice the new ties (Barabási–Albert)."""
    rewire: Share = 0.1
    within: Share = 0.01
    """Chance of a tie inside a group (stochastic block)."""
    between: Share = 0.001
    path: str | None = None
    """An edge list (edges): two ids a line, and with `weighted` how strong the tie is."""
    directed: bool = False
    """The first of a line listens to the second, and not the other way round (edges)."""
    weighted: bool = False
    """Each line has a third number: the weight of the tie, below 0 between foes (edges)."""

    @model_validator(mode="after")
    def _path_where_needed(self) -> Self:
        if (self.path is None) == (self.kind == "edges"):
            problem = "kind: edges and a path go together"
            raise ValueError(problem)
        if self.kind != "edges" and (self.directed or self.weighted):
            problem = f"directed and weighted are for kind: edges, found kind: {self.kind}"
            raise ValueError(problem)
        return self


class Influence(Strict):
    """One way in which people move one another, once a tick."""

    what: Literal["trust", "taste", "opinion", "satisfaction", "adoption"]
    how: Literal["degroot", "bounded", "threshold"] = "degroot"
    """`degroot`: towards friends' mean; `bounded`: the mean of friends within reach;
    `threshold`: adopt for good once that share of friends has (only adoption, and always adoption)."""
    weight: Share = 0.1
    """How far a person moves in a tick, times their susceptibility."""
    reach: Positive = 0.2
    """How far apart views may lie and still count (bounded)."""
    share: Share | None = None
    """The share of friends that it takes (threshold); None: each person's own trait `threshold`."""

    @model_validator(mode="before")
    @classmethod
    def _adoption_is_by_threshold(cls, value: Any) -> Any:
        adopts = isinstance(value, dict) and value.get("what") == "adoption" and "how" not in value
        return {**value, "how": "threshold"} if adopts else value

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.what == "adoption") != (self.how == "threshold"):
            problem = f"what: {self.what} cannot go with how: {self.how}; adoption is by threshold"
            raise ValueError(problem)
        return self

    def as_rule(self, order: Literal["synchronous", "sequential"]) -> RuleSpec:
        """Return the rule that this is short for."""
        shared: dict[str, Any] = {"column": "adopted" if self.what == "adoption" else self.what}
        shared["order"] = "synchronous" if order == "synchronous" else "node-sequential"
        if self.how == "threshold":
            return RuleSpec(name="threshold-v1", settings=shared | {"threshold": self.share})
        shared["weight"] = self.weight
        if self.how == "bounded":
            return RuleSpec(name="hegselmann-krause-v1", settings=shared | {"reach": self.reach})
        return RuleSpec(name="degroot-v1", settings=shared | {"own": 0.0})


class RuleSpec(Strict):
    """A social rule that works once a tick."""

    name: str = Field(min_length=1)
    """A registered rule (`degroot-v1`), or one of your own: `rules.py:conform`, `package.module:conform`."""
    settings: dict[str, Any] = {}
    """What the rule itself checks."""
    layer: Name | None = None
    """The layer of ties that it runs on; None: the only one there is, or `friends`."""


class Society(Strict):
    """Who knows whom, and what passes between them in a tick: influences first, then rules, in order."""

    graph: Graph = Graph()
    """The ties of the layer `friends`."""
    layers: dict[Name, Graph] = {}
    """More layers of ties by name, such as colleagues."""
    apart: tuple[tuple[int, int], ...] = ()
    """Pairs of people (ids, in every replica) who do not know each other, in any layer, though they would."""
    influences: tuple[Influence, ...] = ()
    """Short for the commonest rules, on the layer `friends`."""
    order: Literal["synchronous", "sequential"] = "synchronous"
    """Of influences. `synchronous`: all look, then all move; `sequential`: one after another, as drawn."""
    rules: tuple[RuleSpec, ...] = ()
    precise: tuple[Name, ...] = ()
    """Columns of people kept in 64 bits instead of 32, such as opinion, where small differences matter."""
    emergence: Emergence = Emergence()

    @model_validator(mode="after")
    def _friends_are_the_graph(self) -> Self:
        if FRIENDS in self.layers:
            problem = f"the layer {FRIENDS!r} is what society.graph says"
            raise ValueError(problem)
        return self

    @property
    def graphs(self) -> dict[str, Graph]:
        """Return the graph of each layer in which somebody knows somebody."""
        every = {FRIENDS: self.graph, **self.layers}
        return {name: graph for name, graph in every.items() if graph.kind != "none"}

    @property
    def all_rules(self) -> tuple[RuleSpec, ...]:
        """Return what passes between people: influences as the rules that they are short for, then rules."""
        short = (i.as_rule(self.order).model_copy(update={"layer": FRIENDS}) for i in self.influences)
        return (*short, *self.rules)
