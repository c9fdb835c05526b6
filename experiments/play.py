"""Rehearsing a society written in Python, as Mesa models are: some replicas of it, recorded and digested.

    class Town(Rehearsal):
        items, features = ("lend", "refuse"), ("wealth", "debt")

        def __init__(self, people: int = 100, **given: Any) -> None:
            super().__init__(**given)
            Citizen.create_agents(self, people)

    played = rehearse.play(Town, policy=lender, people=200, replicas=10, ticks=50)

Each replica is a model of its own, built and run one after the other; `given` carries its seed, its
policy and its number. The model is asked through the same seam as in any run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.agents.model import Rehearsal
from rehearse.columns import Columns, stacked
from rehearse.contract import Stage
from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.intervals import Interval, Sample, interval
from rehearse.experiments.pictures.showing import Shown
from rehearse.policies.asked import Asked
from rehearse.policies.loading import load
from rehearse.policies.stack import LearningStack, Stack
from rehearse.record.digest import digest_of
from rehearse.record.recorder import Recorder, no_turns

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

WALL_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, repr=False)
class Played(Shown):
    """What came of some replicas of a society."""

    digest: str
    """Shared by two plays exactly when every recorded value is the same."""
    turns: Columns
    """Every meeting with the model, in the words of the record."""
    ticks: Columns
    """The measures of each replica after each tick."""
    items: tuple[str, ...]

    def measure(self, name: str, *, tick: int = -1, confidence: float = 0.95) -> Interval:
        """Return a measure after a tick (the last one by default): mean and interval over replicas.

        Raises NotFoundError where no such measure was recorded.
        """
        if name not in self.ticks:
            problem = f"there is no measure {name!r}."
            raise NotFoundError(problem, did_you_mean(name, self.ticks))
        when = np.unique(self.ticks["tick"])[tick]
        return interval(Sample.of_replicas(self.ticks.numbers(name)[self.ticks["tick"] == when]), confidence)

    def share(self, item: str) -> float:
        """Return in which part of all meetings the model proposed an item; NaN where there were none."""
        if item not in self.items:
            problem = f"there is no item {item!r}."
            raise NotFoundError(problem, did_you_mean(item, self.items))
        action = self.turns["action"]
        return float((action == self.items.index(item)).mean()) if len(action) else float("nan")

    @property
    def measures(self) -> list[str]:
        """Return the names of the measures."""
        return [name for name in self.ticks if name not in {"replica", "tick"}]

    def charts(self) -> Charts:
        """Return a chart of each measure over time, by its name: mean, interval and range over replicas."""
        from rehearse.experiments.pictures.of_societies import charts

        return charts(self)

    def __str__(self) -> str:
        """Return every measure at the end, and what the model proposed."""
        from rehearse.experiments.pictures.of_societies import text

        return text(self)

    def markup(self) -> str:
        """Return the same as HTML."""
        from rehearse.experiments.pictures.of_societies import tables

        return tables(self)


@dataclass(slots=True)
class _Minutes:
    """What one replica's recorder hands over."""

    turns: list[Columns] = field(default_factory=list)
    ticks: list[Columns] = field(default_factory=list)

    def keep(self, tick: int, turns: Columns, society: Columns) -> None:
        del tick
        self.turns.append(turns)
        self.ticks.append(society)


def play(
    model: type[Rehearsal],
    *,
    policy: object,
    replicas: int = 10,
    ticks: int = 30,
    seed: int = 1,
    **parameters: Any,
) -> Played:
    """Rehearse a decision model in a society written in Python; `parameters` go to its model.

    `policy` is what `rehearse.run` takes: a reference, a function, any object with `decide`. Raises
    UserError where there is nothing to run, PolicyLoadError where the policy cannot be used.
    """
    if replicas < 1 or ticks < 1:
        problem = f"{replicas} replicas of {ticks} ticks are nothing to rehearse."
        raise UserError(problem, "Give replicas and ticks from 1.")
    minutes, links = _Minutes(), []
    for replica in range(replicas):
        society = seated(model, policy=policy, seed=seed, replica=replica, ticks=ticks, **parameters)
        recorder = Recorder(np.array([replica], dtype=np.int32), keep=minutes.keep)
        society.simulation.watchers.append(recorder)
        while society.running:
            before = society.tick
            society.step()
            if society.tick == before:
                problem = f"{model.__name__}.step() lets no time pass."
                raise UserError(problem, "Call super().step() in it: that is where people meet the policy.")
        links.append(recorder.links)
    recorded = any(turns.length for turns in minutes.turns)
    return Played(
        digest=digest_of(np.arange(replicas, dtype=np.int32), np.concatenate(links)),
        turns=stacked(minutes.turns) if recorded else no_turns(),
        ticks=stacked(minutes.ticks),
        items=model.items,
    )


def seated(
    model: type[Rehearsal],
    *,
    policy: object,
    seed: int = 1,
    replica: int = 0,
    ticks: int | None = None,
    **parameters: Any,
) -> Rehearsal:
    """Return one replica of a society with its policy, at its first tick: a Mesa model to step through."""
    if not model.items:
        problem = f"{model.__name__} has nothing that a policy could propose."
        raise UserError(problem, 'Say what there is in the class: items = ("lend", "refuse").')
    stage = Stage(
        items=tuple(model.items),
        features=tuple(model.features),
        groups=("everybody",),
        replicas=np.array([replica], dtype=np.int32),
        slate=model.slate,
        seed=seed,
    )
    inner = load(policy, stage)
    asked = Asked(inner, stage, None, WALL_LIMIT_S)
    kind = LearningStack if hasattr(inner, "learn") else Stack
    return model(rng=seed, policy=kind(asked, asked, ()), replica=replica, ticks=ticks, **parameters)
