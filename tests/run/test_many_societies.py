"""Thousands of small societies run as one population, each as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.record.recorder import Recorder

MANY = 5_000
SETTINGS = {
    "people.society.graph.degree": 4,
    "people.society.emergence.measures": ["clusters", "echo", "cascades"],
    "people.society.influences": [{"what": "opinion", "how": "bounded", "weight": 0.5, "reach": 0.3}],
    "world.settings.items": {"count": 12},
    "world.settings.attributes.vector.dims": 2,
    "policy": {"name": "random-v1", "settings": {}},
    "slate": 2,
    "time.max_turns": 2,
}


@pytest.fixture(scope="module")
def scenario():
    """Return 5,000 societies of twenty, with ties, influence and a cheap policy."""
    return load("feed", users=20, ticks=2, replicas=MANY, settings=SETTINGS)


def rehearsed(scenario, replicas=None):
    """Return what two ticks of some societies record: their turns, and the society tick by tick."""
    assembly = assemble(scenario, Props(replicas=replicas))
    turns: list[Columns] = []
    society: list[Columns] = []

    def keep(_tick, page, measures):
        turns.append(page)
        society.append(measures)

    assembly.simulation.watchers.append(Recorder(assembly.stage.replicas, keep=keep))
    assembly.simulation.advance()
    assembly.simulation.advance()
    return turns, society


@pytest.fixture(scope="module")
def together(scenario):
    """Return the record of all of them, run as one."""
    return rehearsed(scenario)


def test_five_thousand_societies_run_as_one(together):
    """Every society has its row at every tick, and its own life."""
    turns, society = together
    assert [page["replica"].tolist() for page in society] == [list(range(MANY))] * 2
    assert len(np.unique(turns[0]["replica"])) == MANY
    assert len(np.unique(society[1].numbers("polarisation"))) > 0.99 * MANY
    assert (society[1].numbers("polarisation") < society[0].numbers("polarisation")).mean() > 0.9


@pytest.mark.parametrize("replica", [17, MANY - 1])
def test_a_society_alone_lives_the_same(scenario, together, replica):
    """Replica 17 alone has the same turns and the same measures, bit for bit, as among the others."""
    for whole, alone in zip(together, rehearsed(scenario, [replica]), strict=True):
        for all_of_them, page in zip(whole, alone, strict=True):
            mine = all_of_them.take(np.flatnonzero(all_of_them["replica"] == replica))
            assert mine.length == page.length > 0
            different = [n for n in page if n != "measured_ms" and mine[n].tobytes() != page[n].tobytes()]
            assert different == []
