"""A scenario as a Mesa model class that is made from plain keyword parameters.

That is what `mesa.batch_run` and SolaraViz ask for:

    mesa.batch_run(ScenarioModel, {"name": "travel", "users": 100, "seed": [1, 2, 3],
                                   "people.behaviour.outside": [0.0, 0.5]}, max_steps=30)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rehearse.agents.model import Rehearsal, collector
from rehearse.agents.user import User
from rehearse.contract import NOTHING, Exchange, Users
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.composition import only_python, with_policy

SHORT = ("users", "ticks", "seed", "replicas")
"""Parameters with names of their own; all others are dotted paths into the scenario."""


class TickGauge:
    """A watcher that counts what a tick's meetings with the model came to (`contract.Watcher`)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._turns: list[Mapping[str, float]] = []
        self.last: dict[str, float] = {}

    def on_turn(self, exchange: Exchange) -> None:
        """Add up a turn of one block."""
        regret = exchange.outcomes.regret
        self._turns.append(
            {
                "turns": len(exchange.turn),
                "taken": float((exchange.responses.choice != NOTHING).sum()),
                "reward": float(np.nansum(exchange.outcomes.reward, dtype=np.float64)),
                "regret": float(np.nansum(regret, dtype=np.float64)),
                "judged": float(np.isfinite(regret).sum()),
            }
        )

    def on_tick(self, tick: int, users: Users) -> None:
        """Say what the tick came to, and begin the next."""
        del tick
        sums = {name: sum(turn[name] for turn in self._turns) for name in (self._turns or [{}])[0]}
        turns, judged = sums.get("turns", 0.0), sums.get("judged", 0.0)
        self.last = {name: float(np.nanmean(values)) for name, values in _known(users).items()}
        self.last |= {
            "turns": turns,
            "acceptance": sums["taken"] / turns if turns else np.nan,
            "reward": sums.get("reward", 0.0),
            "regret": sums["regret"] / judged if judged else np.nan,
        }
        self._turns = []


class ScenarioModel(Rehearsal):
    """A scenario of the catalogue or a file, with a DataCollector of what its society comes to.

    Derive from it to add a `step` of your own round `super().step()`.
    """

    def __init__(
        self,
        name: str = "travel",
        *,
        policy: Any = None,
        data: str | None = None,
        trust: bool = False,
        rng: int | None = None,
        attributes: tuple[str, ...] | str = (),
        user_class: type[User] = User,
        **kwargs: Any,
    ) -> None:
        """Take a scenario, what is changed in it, which attributes are collected, and the class of people.

        `kwargs` are users, ticks, seed and replicas, and dotted paths such as `people.behaviour.outside`;
        `rng` is another word for seed. Raises ScenarioError for what the scenario does not know.
        """
        short = {key: kwargs.pop(key) for key in SHORT if key in kwargs}
        if rng is not None:
            short.setdefault("seed", rng)
        self.rehearsed = with_policy(load(name, **short, settings=kwargs), policy)
        props = Props(
            policy=only_python(policy),
            data=None if data is None else Path(data),
            trust=trust,
        )
        super().__init__(assemble(self.rehearsed, props).simulation, user_class=user_class)
        self.gauge = TickGauge()
        self.simulation.watchers.append(self.gauge)
        self.gauge.on_tick(-1, self.simulation.users)
        told = {measure: _reporter(measure) for measure in self.gauge.last}
        columns = (attributes,) if isinstance(attributes, str) else attributes
        self.datacollector = collector(told, {column: column for column in columns})

    def step(self) -> None:
        """Let one tick pass, and collect what it came to."""
        super().step()
        self.datacollector.collect(self)


def _reporter(measure: str) -> Any:
    return lambda model: model.gauge.last.get(measure, np.nan)


def _known(users: Users) -> dict[str, Any]:
    return {name: values for name, values in users.summary().items() if np.isfinite(values).any()}
