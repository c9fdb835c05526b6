"""Calibration: tastes that a table of choices speaks for, and what people with them would choose.

    from rehearse.experiments.calibrate import calibrate

    found = calibrate("travel")                  # or calibrate("mine.yaml", data="people.csv")
    found.tastes, found.errors, found.log_likelihood
    found.shares()                               # what each item would get of the choices
    found.shares({"drift": [{"tick": 0, "what": "items.air.ttme", "add": 10}]})
    rehearse.run(found.scenario)                 # people with these tastes

The table has a row a person: the traits that the world needs to say what the person faced, and what
the person chose among all items that could be had. Tastes are those of a conditional logit (see
`rehearse.environments.logit`), the same for everybody, in units of the noise of the choice: what the
scenario then rehearses with `behaviour.choice: logit` and the trait `noise` at 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Begins, Flags, Turn, World
from rehearse.environments import logit
from rehearse.errors import DataError, did_you_mean
from rehearse.exact import Floats
from rehearse.experiments.build import world_of
from rehearse.scenario.edit import changed
from rehearse.scenario.load import load
from rehearse.scenario.model import Scenario
from rehearse.tables import read_table


@dataclass(frozen=True, slots=True)
class Calibration:
    """What choices say about tastes."""

    tastes: dict[str, float]
    """The estimate for each attribute of the world's items."""
    errors: dict[str, float]
    """Their standard errors."""
    log_likelihood: float
    scenario: Scenario
    """The scenario with these tastes."""
    data: Path | None = None
    """The table of choices, where it was not the world's own."""

    def shares(self, changes: Mapping[str, Any] | None = None, *, tick: int = 0) -> dict[str, float]:
        """Return what part of the people in the table would choose each item, in expectation.

        `changes` maps dotted paths of the scenario to values, such as its `drift`; what is scheduled by
        `tick` holds.
        """
        scenario = changed(self.scenario, dict(changes)) if changes else self.scenario
        world = _world(scenario, self.data)
        for now in range(tick + 1):
            world.drift(now)
        faced, available = _faced(world, _table(scenario, world, self.data))
        likely = logit.chances(faced, np.array([self.tastes[name] for name in world.attributes]), available)
        return dict(zip(world.items, likely.mean(axis=0).tolist(), strict=True))


def calibrate(
    scenario: str | Path | Scenario, *, data: str | Path | None = None, chosen: str = "chosen"
) -> Calibration:
    """Estimate the tastes of a scenario's people from a table of what people chose.

    The table is `data` (CSV or Parquet), else the one that the world ships with, else people.source of
    the scenario. Its column `chosen` holds the item that each person took, by name or number from 0.
    Raises DataError for a table that lacks something or does not identify the tastes.
    """
    base = scenario if isinstance(scenario, Scenario) else load(scenario)
    path = None if data is None else Path(data)
    world = _world(base, path)
    table = _table(base, world, path)
    faced, available = _faced(world, table)
    took = _taken(table, chosen, world, available)
    found = logit.fit(faced, took, world.attributes, available)
    tastes = dict(zip(found.names, found.estimates.tolist(), strict=True))
    edits = {"people.tastes": tastes, "people.behaviour.choice": "logit", "people.traits.noise": 1.0}
    return Calibration(
        tastes=tastes,
        errors=dict(zip(found.names, found.errors.tolist(), strict=True)),
        log_likelihood=found.log_likelihood,
        scenario=changed(base, edits),
        data=path,
    )


def _world(scenario: Scenario, data: Path | None) -> World:
    reads = scenario.world.settings.get("table") is not None
    world = world_of(scenario, data if reads else None, Chance(scenario.seed))
    if isinstance(world, Begins):
        world.begin(np.zeros(1, dtype=np.int32))
    return world


def _table(scenario: Scenario, world: World, data: Path | None) -> Columns:
    source = scenario.people.source
    own = world.table()
    if data is not None:
        return read_table(data)
    if own is not None:
        return own
    if source is not None and source.table != "world":
        return read_table(Path(source.table))
    problem = f"the scenario {scenario.name!r} has no table of people from which to learn."
    raise DataError(problem, "Give one as `data`, or name it under people.source.")


def _faced(world: World, table: Columns) -> tuple[Floats, Flags | None]:
    """Return the attributes of what each person of the table faces (n, m, d), and what could be had."""
    n = table.length
    lacking = [name for name in world.needs if name not in table]
    if lacking:
        problem = f"the table lacks {lacking[0]!r}, which says what people faced."
        raise DataError(problem, did_you_mean(lacking[0], table))
    people = Columns({name: table[name] for name in world.needs}, length=n)
    people["replica"], people["user"] = np.zeros(n, np.int32), np.arange(n, dtype=np.int64)
    people["taste"] = np.zeros((n, len(world.attributes)), dtype=np.float32)
    turn = Turn(np.arange(n), np.zeros(n, np.int32), np.arange(n), 0, 0, Chance(0))
    offer = world.offer(turn, people)
    if offer.beside is not None:
        problem = "people here expect of items what their attributes do not say, so tastes cannot be learned."
        raise DataError(problem, "Leave out world.settings.utility.")
    faced = np.asarray(offer.attributes, dtype=np.float64)
    return np.broadcast_to(faced, (n, *faced.shape[-2:])), offer.available


def _taken(table: Columns, chosen: str, world: World, available: Flags | None) -> NDArray[np.intp]:
    """Return the number of the item that each person took."""
    if chosen not in table:
        problem = f"the table has no column {chosen!r}, which says what each person took."
        raise DataError(problem, did_you_mean(chosen, table))
    column = table[chosen]
    items = range(len(world.items)) if column.dtype.kind in "bif" else world.items
    place = {name: number for number, name in enumerate(items)}
    wrong = next((value for value in column.tolist() if value not in place), None)
    if wrong is not None:
        problem = f"somebody in the table took {wrong!r}, which is no item."
        raise DataError(problem, f"Items are {', '.join(world.items[:8])}, or their numbers from 0.")
    took = np.array([place[value] for value in column.tolist()], dtype=np.intp)
    if available is not None and not np.take_along_axis(available, took[:, None], axis=1).all():
        problem = "somebody in the table took an item that could not be had."
        raise DataError(problem, "Let the items be out from the start, or mend the table.")
    return took
