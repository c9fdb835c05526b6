"""The start: what people have before the first tick, besides what they were drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rehearse.agents import features, goals, had, lifecycle, memory, population
from rehearse.columns import Columns
from rehearse.errors import ScenarioError
from rehearse.scenario.people import People

STARTS = frozenset({"patience", "trust", "opinion", "habit", "satisfaction", "adopted"})
"""Traits that say where something begins that then moves."""


def begin(people: People, drawn: Columns, items: int) -> Columns:
    """Return all columns of people who have not met the model yet; those drawn are shared, not copied.

    Where two bytes hold the number of any of the `items`, columns of items take no more. Raises
    ScenarioError for a trait whose name is that of something else.
    """
    n = drawn.length
    columns = Columns({name: drawn[name] for name in drawn}, length=n)
    lifecycle.add_columns(columns, people)
    columns["adopted"] = _start(drawn, "adopted", 0.0) >= 0.5
    columns["sessions"] = np.zeros(n, dtype=np.int32)
    columns["session"] = np.full(n, -1, dtype=np.int32)
    columns["patience_max"] = _start(drawn, "patience", 0.0)
    columns["patience"] = _start(drawn, "patience", 0.0)
    columns["satisfaction"] = _start(drawn, "satisfaction", people.behaviour.satisfaction_start)
    columns["trust"] = _start(drawn, "trust", 0.5)
    columns["opinion"] = _start(drawn, "opinion", 0.5)
    columns["habit"] = _start(drawn, "habit", 0.0)
    columns["taste"] = np.array(drawn["taste"])
    number = np.int16 if items <= np.iinfo(np.int16).max else np.int32
    features.add_columns(columns, number)
    memory.add_columns(columns, people.memory.size, number)
    had.begin(columns, items, repeats=people.behaviour.repeats)
    goals.add_columns(columns, goals.places(people))
    for name in population.trait_names(drawn):
        if name not in STARTS and columns[name] is not drawn[name]:
            problem = f"people.traits: {name!r} is the name of something that people have anyway."
            raise ScenarioError(problem, "Choose another name for the trait.")
    return columns


def _start(drawn: Columns, name: str, otherwise: float) -> NDArray[np.floating[Any]]:
    if name in drawn:
        return np.array(drawn[name])
    return np.full(drawn.length, otherwise, dtype=np.float32)
