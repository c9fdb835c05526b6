"""Letting rules work for a tick, each in the order that it declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents.among import EVERYBODY, Among
from rehearse.agents.everyone import Everyone
from rehearse.agents.social.meetings import Meeting, waves
from rehearse.agents.social.plugin import PersonRule
from rehearse.agents.social.rewiring import Rewiring
from rehearse.agents.social.rule import Rule, View
from rehearse.agents.ties import Ties
from rehearse.chance import Chance
from rehearse.columns import Array, Columns, Rows
from rehearse.contract import Flags
from rehearse.errors import ContractError, ScenarioError, did_you_mean
from rehearse.scenario.society import FRIENDS
from rehearse.threads import side_by_side


@dataclass(slots=True)
class Rules:
    """The rules of a population, with its layers of ties, ready to work tick by tick.

    Where people have a column `alive`, who is not here hears nobody, is heard by nobody and stays as
    they were.
    """

    rules: list[Rule]
    layers: dict[str, Ties]
    chance: Chance
    societies: int = 1
    among: Among = EVERYBODY
    """How the people here hear of the others."""
    _spoken: dict[str, tuple[Ties, Flags, Ties]] = field(default_factory=dict)
    """By layer, the ties among those who were here last, with what they came from."""

    def begin(self, people: Columns) -> None:
        """Give people the columns that the rules need."""
        whole = self.among.whole(people)
        for rule, label in self._labelled():
            for name, column in rule.begin(self._view(rule, whole, 0, label, None)).items():
                whole[name] = column
        self.among.bring(people, whole)

    def advance(self, people: Columns, tick: int) -> None:
        """Let every rule work once, one after another, in place."""
        here = None
        if self.rules and "alive" in people:
            here = np.asarray(self.among.heard(people, ("alive",))["alive"], dtype=np.bool_)
        here = None if here is None or here.all() else here
        for rule, label in self._labelled():
            if self.among is not EVERYBODY and looks_around(rule):
                self._work_here(rule, people, tick, label, here)
                continue
            whole = self.among.whole(people)
            view = self._view(rule, whole, tick, label, here)
            if isinstance(rule, Rewiring):
                layer = self.layer_of(rule)
                self.layers[layer] = rule.rewire(replace(view, ties=self.layers[layer]))
            else:
                work(rule, view, whole, here)
            self.among.bring(people, whole)

    def at_rest(self, people: Columns, tick: int, column: str) -> bool:
        """Tell whether no rule that moves a column will move it any more, after a tick that moved nobody."""
        moving = [(rule, label) for rule, label in self._labelled() if column in rule.moves]
        return all(rule.at_rest(self._view(rule, people, tick, label, None)) for rule, label in moving)

    def measures(self, people: Columns) -> dict[str, NDArray[np.float64]]:
        """Return what the rules measure, each of shape (societies,)."""
        found: dict[str, NDArray[np.float64]] = {}
        for rule in self.rules:
            found |= rule.measures(people, self.societies)
        return found

    def state(self) -> dict[str, Array]:
        """Return the ties that have changed since the start, as arrays."""
        kept: dict[str, Array] = {}
        for name in {self.layer_of(rule) for rule in self.rules if isinstance(rule, Rewiring)}:
            ties = self.layers[name]
            kept |= {f"ties/{name}/indptr": ties.indptr, f"ties/{name}/indices": ties.indices}
            if ties.weights is not None:
                kept[f"ties/{name}/weights"] = ties.weights
        return kept

    def restore(self, state: Mapping[str, Array]) -> None:
        """Take back what `state` gave."""
        for key in state:
            if key.startswith("ties/") and key.endswith("/indptr"):
                name = key.split("/")[1]
                indptr = np.asarray(state[key], dtype=np.int64)
                indices: NDArray[Any] = np.asarray(state[f"ties/{name}/indices"])
                weights = state.get(f"ties/{name}/weights")
                strength = None if weights is None else np.asarray(weights, dtype=np.float64)
                self.layers[name] = Ties(indptr, indices, strength, self.layers[name].mutual)

    def layer_of(self, rule: Rule) -> str:
        """Return the layer that a rule runs on; ScenarioError where there is no such layer."""
        name = rule.layer
        if name is None:
            name = next(iter(self.layers)) if len(self.layers) == 1 else FRIENDS
        if name not in self.layers:
            problem = f"the social rule {rule.name} runs on the layer {name!r}, which there is not."
            raise ScenarioError(problem, did_you_mean(name, self.layers))
        return name

    def _work_here(self, rule: Rule, people: Columns, tick: int, label: str, here: Flags | None) -> None:
        """Let a rule work on the people here, who hear of the others."""
        ties = self.among.of(self.layers[self.layer_of(rule)])
        rows, part = self.among.part(people.length)
        mine = None if here is None else here.take(rows)
        view = View(
            people=self.among.heard(people, rule.hears),
            ties=ties if mine is None else ties.among(mine, here),
            rows=rows,
            part=part,
            chance=self.chance,
            tick=tick,
            label=label,
            societies=self.societies,
            mine=self.among.mine(people),
        )
        work(rule, view, people, mine)

    def _labelled(self) -> Iterator[tuple[Rule, str]]:
        labels: list[str] = []
        for rule in self.rules:
            labels.append(rule.name)
            # A second rule of one name has its own luck, and adding others leaves both as they are.
            nth = labels.count(rule.name)
            label = rule.name if nth == 1 else f"{rule.name}#{nth}"
            yield rule, label

    def _view(self, rule: Rule, people: Columns, tick: int, label: str, here: Flags | None) -> View:
        ties = self._ties(self.layer_of(rule), here)
        return View.of_everybody(people, ties, self.chance, tick, label, self.societies)

    def _ties(self, name: str, here: Flags | None) -> Ties:
        """Return the ties of a layer among those who are here."""
        ties = self.layers[name]
        if here is None:
            return ties
        known = self._spoken.get(name)
        if known is None or known[0] is not ties or not np.array_equal(known[1], here):
            known = self._spoken[name] = ties, here.copy(), ties.among(here)
        return known[2]


def looks_around(rule: Rule) -> bool:
    """Tell whether a rule can work on some people who hear of the others: all look, then all move."""
    apart = not isinstance(rule, Meeting | PersonRule | Rewiring)
    return apart and rule.order == "synchronous" and bool(rule.hears)


def work(rule: Rule, view: View, people: Columns, here: Flags | None = None) -> None:
    """Let a rule work for a tick, in place; `here` marks those who are here, None: all."""
    if isinstance(rule, Meeting):
        _meet(rule, view, people)
    elif isinstance(rule, PersonRule):
        rule.walk(view, people)
    elif rule.order == "synchronous":
        for name, column in moved(rule, view).items():
            if here is not None:
                column[~here] = people[name][~here]
            people[name] = column
    else:
        _one_by_one(rule, view, people, here)


def moved(rule: Rule, view: View) -> dict[str, NDArray[Any]]:
    """Return the columns after a synchronous rule, for the rows of a view; those it shows stay as they are.

    It is asked of parts of the rows, so that what lies in between stays in the cache.
    """
    out: dict[str, NDArray[Any]] = {}
    parts = list(view.ties.slices())
    each = side_by_side if rule.apart else map
    for part, moves in zip(parts, each(lambda part: rule.move(view.where(part)), parts), strict=True):
        for name, values in moves.items():
            if name not in out:
                out[name] = np.empty_like(view.own(name))
            _put(out[name], part, values, rule, name)
    return out


def in_turn(ties: Ties, order: Rows) -> Iterator[Rows]:
    """Go over all rows in sets that can move together when each waits for earlier friends."""
    if isinstance(ties, Everyone):
        rank = np.argsort(np.argsort(order).reshape(ties.replicas, -1), axis=1)
        yield from rank.T + np.arange(ties.replicas) * ties.count
        return
    both = ties.both_ways()
    turn = np.empty(len(ties), dtype=np.int64)
    turn[order] = np.arange(len(ties))
    owner, friend, _ = both.around()
    waiting = np.bincount(owner[turn[friend] < turn[owner]], minlength=len(ties))
    wave = np.flatnonzero(waiting == 0)
    while wave.size:
        yield wave
        owner, friend, _ = both.around(wave)
        later = friend[turn[friend] > turn[wave[owner]]]
        np.subtract.at(waiting, later, 1)
        wave = np.unique(later[waiting[later] == 0])


def _one_by_one(rule: Rule, view: View, people: Columns, here: Flags | None) -> None:
    """Let everybody move once, one after another in a drawn order; in waves, bit for bit the same."""
    user = np.asarray(people["user"])
    order = np.lexsort((user, view.uniform("order")[:, 0]))
    written: set[str] = set()
    for wave in in_turn(view.ties, order):
        some = wave if here is None else wave[here[wave]]
        for name, values in rule.move(view.where(some)).items():
            if name not in written:  # what others hold of the column stays as it was
                people[name] = people[name].copy()
                written.add(name)
            _put(people[name], some, values, rule, name)


def _meet(rule: Meeting, view: View, people: Columns) -> None:
    one, other, _ = rule.pairs(view)
    for name in rule.moves:
        people[name] = people[name].copy()
    for wave in waves(one, other, len(view.ties), both=rule.both(view)):
        a, b = one[wave], other[wave]
        for name, (first, second) in rule.meet(view, a, b).items():
            people[name][a] = first
            if second is not None:
                people[name][b] = second


def _put(column: NDArray[Any], rows: Rows | slice, values: NDArray[Any], rule: Rule, name: str) -> None:
    place = column[rows] if isinstance(rows, slice) else column.take(rows, axis=0)
    if np.shape(values) != place.shape:
        problem = f"{rule.name} gave {np.shape(values)} values of {name!r} for {len(place)} people."
        raise ContractError(problem, "Return one value a row of those shown.")
    column[rows] = values
