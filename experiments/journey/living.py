"""Living a life again: one society replayed, with somebody watching one person in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.agents import lifecycle
from rehearse.agents.wrapped import Wrapped
from rehearse.contract import End, Exchange, Fault, Intent, Users
from rehearse.errors import UserError
from rehearse.experiments.build import Assembly, Override
from rehearse.experiments.journey.story import PERSONAS, Friend, Goal, Influenced, Life, Memory, Moment
from rehearse.experiments.rebuilding import rebuilt, words_of
from rehearse.record.recorder import columns_of

if TYPE_CHECKING:
    from rehearse.agents.model import Rehearsal
    from rehearse.agents.user import User
    from rehearse.record.reading import RunRecord
    from rehearse.scenario.society import Influence

Row = dict[str, Any]

SHOWN = 3
"""Friends named for an influence."""
MOVED = 5e-4
"""Smaller movements are not told."""
_CODES = {"intent": Intent.words(), "fault": Fault.words(), "end": End.words()}


@dataclass(frozen=True, slots=True)
class Lived:
    """What watching a person gave: the turns as rows of the record, the inner life, the friends."""

    rows: list[Row]
    life: Life
    friends: tuple[int, ...]


class Overheard(Wrapped):
    """People of whom one is watched while friends influence him or her; all else they do themselves."""

    def __init__(self, users: Users, watcher: _Watcher) -> None:
        super().__init__(users)
        self._watcher = watcher

    def socialise(self, tick: int) -> None:
        """Influence one another, with the watcher looking before and after."""
        self._watcher.before_friends()
        super().socialise(tick)
        self._watcher.after_friends()


@dataclass(slots=True)
class _Watcher:
    """Writes down one person's turns, and what a tick left behind."""

    person: User
    influences: tuple[Influence, ...]
    assembly: Assembly
    rows: list[Row] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    _values: dict[str, Any] = field(default_factory=dict)
    _influenced: list[Influenced] = field(default_factory=list)

    def on_turn(self, exchange: Exchange) -> None:
        """Keep the person's turn, if this is one."""
        at = np.flatnonzero(exchange.turn.rows == self.person.row)
        if at.size:
            row = {name: column[at[0]].item() for name, column in columns_of(exchange).items()}
            row["turn"] = exchange.turn.turn
            self.rows.append(row | {name: words[row[name]] for name, words in _words(self.assembly).items()})

    def on_tick(self, tick: int, users: Users) -> None:
        """Keep how the tick left the person."""
        del users
        self.moments.append(_moment(self.person, tick, tuple(self._influenced)))

    def before_friends(self) -> None:
        """Remember what everybody had before influence."""
        people = self.person.model.people
        self._values = {i.what: people[_column(i.what)].astype(np.float64) for i in self.influences}

    def after_friends(self) -> None:
        """Work out who moved the person how far."""
        self._influenced = [found for each in self.influences for found in self._told(each)]

    def _told(self, influence: Influence) -> Iterator[Influenced]:
        values, row = self._values[influence.what], self.person.row
        if values.ndim > 1:  # tastes have no one number to tell
            return
        before = float(values[row])
        after = float(self.person.model.people[_column(influence.what)][row])
        if abs(after - before) > MOVED:
            friends = self._friends(influence, before, after)
            yield Influenced(influence.what, before, after, tuple(friends[:SHOWN]))

    def _friends(self, influence: Influence, before: float, after: float) -> list[Friend]:
        """Return friends by how far they moved the person: each by the distance, those heard alone."""
        people, values = self.person.model.people, self._values[influence.what]
        rows = self.person.model.friends_of(self.person.row)
        rows = rows[people["alive"][rows]]
        if influence.how == "bounded":
            rows = rows[np.abs(values[rows] - before) <= influence.reach]
        gaps = values[rows] - before
        whole = float(gaps.sum())
        pulls = gaps * ((after - before) / whole) if whole else gaps * 0.0
        order = np.argsort(-np.abs(pulls), kind="stable")
        found = [Friend(int(people["user"][rows[i]]), float(values[rows[i]]), float(pulls[i])) for i in order]
        return [friend for friend in found if abs(friend.pull) > 0.0]


def live(
    record: RunRecord, user: int, replica: int, override: Override | None = None, policy: object | None = None
) -> Lived:
    """Replay a person's society from the first tick to the last and return what the person lived.

    Raises UserError where an input of the run is gone or has changed, or people have no inner life.
    """
    from rehearse.agents.model import Rehearsal

    if record.scenario.people.model != PERSONAS:
        problem = f"the people of this run are {record.scenario.people.model}: no goals, no trust, no story."
        remedy = f'Ask for their turns: rehearse query {record.folder} "SELECT * FROM turns WHERE …"'
        raise UserError(problem, remedy)
    alone = not record.manifest.get("coupled", True)
    only = np.array([user], dtype=np.int64) if alone else None
    assembly = rebuilt(record, policy, replicas=[replica], only=only, override=override)
    simulation = assembly.simulation
    model = Rehearsal(simulation)
    person = model.user(user, replica)
    watcher = _Watcher(person, record.scenario.people.society.influences, assembly)
    simulation.users = Overheard(simulation.users, watcher)
    simulation.watchers.append(watcher)
    start = _moment(person, -1, ())
    _play(model)
    friends = tuple(int(friend.user) for friend in person.friends)
    return Lived(watcher.rows, Life(start, tuple(watcher.moments)), friends)


def _play(model: Rehearsal) -> None:
    while model.running:
        model.step()


def _words(assembly: Assembly) -> dict[str, tuple[str, ...]]:
    # Code -1 is "none": as an index it finds the last word, so that is the empty one.
    return {**_CODES, **{name: (*words, "") for name, words in words_of(assembly).items()}}


def _column(what: str) -> str:
    return "adopted" if what == "adoption" else what


def _moment(person: User, tick: int, influenced: tuple[Influenced, ...]) -> Moment:
    return Moment(
        tick=tick,
        alive=bool(person.alive),
        goals=tuple(Goal(*goal) for goal in person.goals),
        memories=tuple(Memory(*memory) for memory in person.memory),
        trust=float(person.trust),
        satisfaction=float(person.satisfaction),
        opinion=float(person.opinion),
        habit=float(person.habit),
        patience=float(person.patience),
        goals_met=int(person.goals_met),
        goals_given_up=int(person.goals_given_up),
        influenced=influenced,
        **_passages(person, tick),
    )


def _passages(person: User, tick: int) -> dict[str, str]:
    """Return the reasons of what the person did in a tick: arrive, return, leave."""
    people, row = person.model.people, person.row
    if "arrived" not in people:
        return {}
    reason = {"arrived": "came_by", "returned": "came_by", "left": "left_for"}
    return {
        name: lifecycle.WORDS[why][int(people[why][row]) + 1]
        for name, why in reason.items()
        if people[name][row] == tick
    }
