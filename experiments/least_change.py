"""The least change of what a model sees of a person that turns its decision.

The society is lived again up to the turn, and the model, as it then is, is asked about the same person
with other features. Only features that people can do something about are changed, by what was declared
(`people.actionable`) or asked for: `score+` may only rise, `debt-` only fall, `address` may do both. A
change costs |Δ| divided by how far the feature spreads among everybody who asked so far (one standard
deviation costs 1); of two features, the sum.

One feature is tried at every value that was seen of somebody, between the least and the largest of them;
between the nearest value that turns the decision and its neighbour that does not, the edge is found by
halving, down to the digits of a float. Two are tried on a grid of such values, and the best point is then
drawn back along each of them as far as the decision stays turned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.contract import Exchange, Users
from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.intervals import Floats
from rehearse.experiments.rebuilding import rebuilt
from rehearse.experiments.report import words
from rehearse.record.reading import RunRecord

MOST_SEEN = 1 << 16
"""Turns by which the spread of features is told."""
VALUES, GRID = 512, 40
"""Values of one feature that are tried, and of each of two."""
HALVINGS = 60

Turned = Callable[[Floats], NDArray[np.bool_]]
"""Given rows of features, says for which of them the decision is another."""


@dataclass(frozen=True, slots=True)
class Step:
    """A feature that is otherwise."""

    feature: str
    before: float
    after: float
    spreads: float
    """How many standard deviations that is."""

    def __str__(self) -> str:
        """Say it."""
        return f"{self.feature} {words.number(self.before, 6)} → {words.number(self.after, 6)}"


@dataclass(frozen=True, slots=True)
class LeastChange:
    """What would have turned a decision, the cheapest first; nothing where nothing would."""

    user: int
    replica: int
    tick: int
    turn: int
    """Counted from 1, as journeys tell it."""
    decision: str
    to: str
    """What it was to become; '' for anything else."""
    tried: tuple[str, ...]
    """The features that could be changed."""
    found: tuple[tuple[Step, ...], ...]

    def text(self) -> str:
        """Return it in sentences."""
        who = f"user {self.user} of replica {self.replica}, tick {self.tick}, turn {self.turn}"
        lines = [f"The model answered {self.decision} to {who}."]
        target = self.to or "another answer"
        if not self.found:
            return f"{lines[0]}\nNo change of {words.listed(self.tried, 'or')} gives {target}."
        for place, steps in enumerate(self.found):
            cost = sum(step.spreads for step in steps)
            said = words.listed(map(str, steps))
            head = f"For {target} the least change is" if place == 0 else "or"
            lines.append(f"{head} {said} ({words.number(cost)} standard deviations)")
        return "\n".join(lines)


def least_change(
    record: RunRecord,
    user: int,
    replica: int = 0,
    *,
    tick: int | None = None,
    turn: int = 1,
    may_change: Sequence[str] = (),
    to: str | None = None,
    policy: object | None = None,
) -> LeastChange:
    """Return the least changes of one or two features that turn a decision about a person.

    The decision is that of a tick and turn (from 1); without `tick` the last in which the model did not
    answer `to`. Raises NotFoundError where there is no such turn, UserError where nothing may be changed.
    """
    asked = _turn_of(record, user, replica, tick, turn - 1, to)
    assembly = rebuilt(record, policy)
    may = may_change or record.scenario.people.actionable
    features = _directions(may, assembly.stage.features)
    witness = _Witness(replica, user, *asked)
    assembly.simulation.watchers.append(witness)
    from rehearse.agents.model import Rehearsal

    model = Rehearsal(assembly.simulation)
    while witness.exchange is None and assembly.simulation.tick <= asked[0]:
        model.step()
    if witness.exchange is None:
        problem = f"{str(record.folder)!r} cannot be lived again as it was."
        raise UserError(problem, "Take a run that was made with this code: `rehearse replay` tells.")
    search = _Search.of(witness, assembly.policy.asked.decide, features, record.items, to)
    decision = record.items[search.given] if search.given >= 0 else "nothing"
    names = tuple(name for name, _ in features)
    return LeastChange(user, replica, asked[0], asked[1] + 1, decision, to or "", names, search.best())


def _turn_of(
    record: RunRecord, user: int, replica: int, tick: int | None, turn: int, to: str | None
) -> tuple[int, int]:
    if to is not None and to not in record.items:
        problem = f"there is no answer {to!r}."
        raise NotFoundError(problem, did_you_mean(to, record.items))
    when = "" if tick is None else f"AND tick = {tick} AND turn = {turn}"
    unlike = "" if to is None else f"AND action <> {record.items.index(to)}"
    found = record.query(
        f"""SELECT tick, turn FROM turns WHERE replica = {replica} AND "user" = {user} {when} {unlike}
        ORDER BY tick DESC, turn DESC LIMIT 1"""
    )
    if not found.length:
        problem = (
            f"user {user} of replica {replica} has no such turn{'' if to is None else f' without {to!r}'}."
        )
        raise NotFoundError(problem, f"Look at them: `rehearse journey {record.folder} --user {user}`.")
    return int(found["tick"][0]), int(found["turn"][0])


def _directions(may: Sequence[str], known: tuple[str, ...]) -> list[tuple[str, int]]:
    """Return the features that may be changed, each with 1 (up), −1 (down) or 0 (both)."""
    found = []
    for text in may:
        sign = {"+": 1, "-": -1}.get(text[-1:], 0)
        name = text[:-1] if sign else text
        if name not in known:
            problem = f"the model sees no feature {name!r}."
            raise UserError(problem, did_you_mean(name, known))
        found.append((name, sign))
    if not found:
        problem = "it is not said what a person could change."
        remedy = "Declare people.actionable in the scenario, or ask: --may-change score+"
        raise UserError(problem, f"{remedy}. The model sees {words.listed(known)}.")
    return found


@dataclass(slots=True)
class _Witness:
    """Waits for one turn of one person, and notes what was seen of everybody until then."""

    replica: int
    user: int
    tick: int
    turn: int
    exchange: Exchange | None = None
    row: int = -1
    seen: list[Floats] | None = None

    def on_turn(self, exchange: Exchange) -> None:
        """Note what was seen; keep the exchange if it is the one."""
        if self.seen is None:
            self.seen = []
        if sum(map(len, self.seen)) < MOST_SEEN:
            self.seen.append(exchange.requests.features.astype(np.float64))
        turn = exchange.turn
        if self.exchange is None and (turn.tick, turn.turn) == (self.tick, self.turn):
            at = np.flatnonzero((turn.replica == self.replica) & (turn.user == self.user))
            if at.size:
                self.exchange, self.row = exchange, int(at[0])

    def on_tick(self, tick: int, users: Users) -> None:
        """Nothing to note of a tick."""
        del tick, users


@dataclass(frozen=True, slots=True, eq=False)
class _Feature:
    """A feature that may be changed, and the values that are tried, the nearest first."""

    name: str
    at: int
    value: float
    spread: float
    values: Floats

    def cost(self, value: float) -> float:
        """Return what it costs to have another value."""
        return abs(value - self.value) / self.spread


@dataclass(frozen=True, slots=True)
class _Search:
    """A person's features, and what the model makes of others."""

    own: Floats
    given: int
    turned: Turned
    features: tuple[_Feature, ...]

    @classmethod
    def of(
        cls,
        witness: _Witness,
        decide: Callable[[Any], Any],
        features: Sequence[tuple[str, int]],
        items: tuple[str, ...],
        to: str | None,
    ) -> _Search:
        exchange, row = witness.exchange, witness.row
        assert exchange is not None  # noqa: S101 - looked at by who calls
        requests = exchange.requests.take(np.array([row]))
        given = int(exchange.decisions.action[row])
        target = None if to is None else items.index(to)

        def turned(rows: Floats) -> NDArray[np.bool_]:
            asked = requests.take(np.zeros(len(rows), dtype=np.int64))
            answers = decide(replace(asked, features=rows.astype(np.float32))).action
            return np.asarray(answers != given if target is None else answers == target)

        own = requests.features[0].astype(np.float64)
        seen = np.concatenate(witness.seen or [own[None, :]])
        found = (_feature(name, sign, requests.names.index(name), own, seen) for name, sign in features)
        return cls(own, given, turned, tuple(feature for feature in found if len(feature.values)))

    def best(self) -> tuple[tuple[Step, ...], ...]:
        """Return the least change of each feature alone that turns it, and of two where that is less."""
        alone = [steps for feature in self.features if (steps := self._one(feature))]
        least = min((_cost(steps) for steps in alone), default=math.inf)
        pairs = [steps for pair in combinations(self.features, 2) if (steps := self._two(pair, least))]
        return tuple(sorted([*alone, *pairs], key=_cost))

    def _one(self, feature: _Feature) -> tuple[Step, ...]:
        best: tuple[Step, ...] = ()
        for side in (
            feature.values[feature.values < feature.value],
            feature.values[feature.values > feature.value],
        ):
            ordered = side[np.argsort(np.abs(side - feature.value), kind="stable")]
            hits = np.flatnonzero(self._at({feature: ordered})) if len(ordered) else np.zeros(0, np.int64)
            if hits.size:
                first = int(hits[0])
                near = feature.value if first == 0 else float(ordered[first - 1])
                edge = self._edge(feature, float(ordered[first]), near, {})
                steps = (self._step(feature, edge),)
                best = steps if not best or _cost(steps) < _cost(best) else best
        return best

    def _two(self, pair: tuple[_Feature, ...], less_than: float) -> tuple[Step, ...]:
        one, other = pair
        grid = [_thinned(feature.values) for feature in pair]
        x, y = (side.ravel() for side in np.meshgrid(*grid, indexing="ij"))
        cost = np.abs(x - one.value) / one.spread + np.abs(y - other.value) / other.spread
        hits = np.flatnonzero(self._at({one: x, other: y}))
        if not hits.size:
            return ()
        best = int(hits[np.argmin(cost[hits])])
        a = self._edge(one, float(x[best]), one.value, {other: float(y[best])})
        b = self._edge(other, float(y[best]), other.value, {one: a})
        steps = (self._step(one, a), self._step(other, b))
        moved = all(step.before != step.after for step in steps)
        return steps if moved and _cost(steps) < less_than else ()

    def _edge(self, feature: _Feature, turns: float, not_yet: float, others: dict[_Feature, float]) -> float:
        """Return the value nearest to one that does not turn the decision which still turns it."""
        if self._turns({**others, feature: not_yet}):
            return not_yet
        for _ in range(HALVINGS):
            middle = float(np.float32((turns + not_yet) / 2.0))
            if middle in (turns, not_yet):
                break
            if self._turns({**others, feature: middle}):
                turns = middle
            else:
                not_yet = middle
        return turns

    def _turns(self, values: dict[_Feature, float]) -> bool:
        return bool(self._at({feature: np.array([value]) for feature, value in values.items()})[0])

    def _at(self, values: dict[_Feature, Floats]) -> NDArray[np.bool_]:
        rows = np.tile(self.own, (len(next(iter(values.values()))), 1))
        for feature, column in values.items():
            rows[:, feature.at] = column
        return self.turned(rows)

    def _step(self, feature: _Feature, value: float) -> Step:
        return Step(feature.name, feature.value, value, feature.cost(value))


def _feature(name: str, sign: int, at: int, own: Floats, seen: Floats) -> _Feature:
    column = seen[:, at][np.isfinite(seen[:, at])]
    values = np.unique(column)
    value, spread = float(own[at]), float(column.std()) if len(column) else 0.0
    if sign:
        values = values[(values - value) * sign > 0.0]
    return _Feature(name, at, value, spread or 1.0, _thinned(values[values != value], VALUES))


def _thinned(values: Floats, most: int = GRID) -> Floats:
    """Return at most so many of ascending values, the ends among them."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]


def _cost(steps: Sequence[Step]) -> float:
    return sum(step.spreads for step in steps)
