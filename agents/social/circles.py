"""The circles of a crowd: the layers of a scenario's society, and the rules that work along them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.graph import from_networkx, nobody
from rehearse.agents.social.adoption import Bass
from rehearse.agents.social.drive import Rules
from rehearse.agents.social.loading import Given, load, load_all
from rehearse.agents.social.mouth import WordOfMouth
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns
from rehearse.errors import ContractError, ScenarioError, did_you_mean
from rehearse.exact import Floats
from rehearse.scenario.lifecycle import by_friends
from rehearse.scenario.people import People
from rehearse.scenario.society import FRIENDS, RuleSpec, Society


def meet(people: People) -> bool:
    """Tell whether people move one another where they know one another."""
    caught = any(goal.contagion > 0.0 for goal in people.goals)
    told = bool(people.society.all_rules)
    return told or caught or by_friends(people.arrivals, people.churn, people.returns)


class Circles:
    """Who knows whom in a crowd, and what passes between them."""

    def __init__(
        self,
        society: Society,
        ties: Ties | None,
        layers: Mapping[str, Ties],
        chance: Chance,
        societies: int,
        among: Among = EVERYBODY,
    ) -> None:
        """Load the rules of a scenario; UserError where one cannot be used."""
        known = dict(layers) if ties is None else {FRIENDS: ties, **layers}
        self._added: list[Any] = []
        self._precise = society.precise
        self._rules = Rules(load_all(_specs(society, known)), known, chance, societies, among)

    @property
    def coupled(self) -> bool:
        """Return whether any rule joins people."""
        return bool(self._rules.rules)

    def change(self, society: Society) -> None:
        """Go on by the rules of another scenario; ties stay as they are."""
        self._rules.rules = [*load_all(_specs(society, self._rules.layers)), *self._added]

    def add(
        self, given: Given, settings: Mapping[str, Any] | None, layer: str | None, people: Columns
    ) -> None:
        """Add a rule, and give people the columns that it needs."""
        rule = load(given, settings, layer)
        self._added.append(rule)
        self._rules.rules.append(rule)
        self.begin(people)

    def tie(self, graph: Any, weight: str | None, people: Columns, society: Society) -> Ties:
        """Let people be tied as in a networkx graph, along which all rules then work; return the ties."""
        societies, nodes = self._rules.societies, graph.number_of_nodes()
        if nodes * societies != people.length or self._rules.among is not EVERYBODY:
            problem = f"the graph has {nodes:,} nodes for {people.length // societies:,} people of a society."
            raise ContractError(problem, "Give each person of a society a node, and no shards.")
        ties = self._rules.layers[FRIENDS] = from_networkx(graph, societies, weight)
        self.change(society)
        self.begin(people)
        return ties

    def begin(self, people: Columns) -> None:
        """Give people the columns that the rules need and that they lack."""
        _sharpen(self._precise, people)
        if not self._rules.layers and self._rules.rules:
            self._lonely(len(self._rules.among.whole(people)["user"]))
        had = set(people)
        kept = {name: people[name] for name in had}
        self._rules.begin(people)
        for name in had & set(people):
            if people[name].dtype == kept[name].dtype:
                people[name] = kept[name]

    def advance(self, people: Columns, ties: Ties | None, tick: int) -> Ties | None:
        """Let every rule work once; return the ties of the layer `friends` after it."""
        among = self._rules.among
        if ties is not None and among is EVERYBODY:
            self._rules.layers[FRIENDS] = ties
        self._rules.advance(people, tick)
        return self.friends(ties)

    def friends(self, otherwise: Ties | None) -> Ties | None:
        """Return the ties of the people here in the layer `friends`."""
        friends = self._rules.layers.get(FRIENDS)
        return otherwise if otherwise is None or friends is None else self._rules.among.of(friends)

    def woken(self, goals: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
        """Go over the goals that word of mouth awakens: the column of those woken, the goal, its number."""
        for rule in self._rules.rules:
            if isinstance(rule, WordOfMouth) and rule.goal is not None:
                if rule.goal not in goals:
                    problem = f"{rule.name} awakens the goal {rule.goal!r}, which there is not."
                    raise ScenarioError(problem, did_you_mean(rule.goal, goals))
                yield "word_goal", rule.goal, goals.index(rule.goal)

    def measures(self, people: Columns) -> dict[str, Floats]:
        """Return what the rules measure."""
        return self._rules.measures(people)

    def words(self) -> dict[str, tuple[str, ...]]:
        """Return what the codes in the columns of the rules are called."""
        return {name: words for rule in self._rules.rules for name, words in rule.codes.items()}

    def state(self) -> dict[str, Array]:
        """Return the ties that have changed since the start, as arrays."""
        return self._rules.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        self._rules.restore(state)

    def _lonely(self, count: int) -> None:
        """Let rules that need no ties work where nobody knows anybody; ScenarioError for the others."""
        for rule in self._rules.rules:
            if not (isinstance(rule, Bass) and rule.among == "everybody"):
                problem = f"people.society.rules: {rule.name} passes along ties, and nobody knows anybody."
                remedy = "Give people.society.graph a kind; `model.tie(graph)` may replace it later."
                raise ScenarioError(problem, remedy)
        self._rules.layers[FRIENDS] = nobody(count)


def _specs(society: Society, layers: Mapping[str, Ties]) -> list[RuleSpec]:
    """Return the rules to load; influences do nothing where nobody has friends."""
    told = society.all_rules if FRIENDS in layers else society.rules
    return list(told)


def _sharpen(names: tuple[str, ...], people: Columns) -> None:
    """Keep the columns that a scenario says in 64 bits; ScenarioError for one that holds no such numbers."""
    known = [name for name, column in people.items() if column.dtype.kind == "f"]
    for name in names:
        if name not in known:
            problem = f"people.society.precise: people have no column {name!r} of numbers."
            raise ScenarioError(problem, did_you_mean(name, known))
        people[name] = people[name].astype(np.float64)
