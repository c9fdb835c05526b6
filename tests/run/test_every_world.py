"""The determinism promise and the contract, for every scenario of the catalogue and every social rule."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble, world_of
from rehearse.registry import entries
from rehearse.scenario.load import catalogue
from rehearse.testing import check_world

TICKS, HALF = 3, 1
SMALL = {"users": 20, "ticks": TICKS, "replicas": 2}
TURNS = 8
"""Longer sessions are cut off here."""
NAMES = [scenario.name for scenario in catalogue()]
NEED_DATA = {"feed-ratings", "lending-table"}
RULES = sorted(entries("rules"))


def lived(scenario, props=None, pause=None):
    """Return the digest of a run in memory; with `pause`, of one that was put away and taken up at a tick."""
    assembly, recorder = seated(scenario, props)
    if pause is not None:
        for _ in range(pause):
            assembly.simulation.advance()
        kept = {name: np.array(array) for name, array in assembly.simulation.state().items()}
        links = recorder.links.copy()
        assembly, recorder = seated(scenario, props)
        assembly.simulation.restore(kept, pause)
        recorder.links = links
    while assembly.simulation.tick < scenario.time.ticks:
        assembly.simulation.advance()
    return recorder.digest


def seated(scenario, props=None):
    """Return a rehearsal at its first tick, and who records it."""
    assembly = assemble(scenario, props or Props())
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, _turns, _society: None
    assembly.simulation.watchers.append(recorder)
    return assembly, recorder


@pytest.fixture(scope="module", params=NAMES)
def every(request):
    """Return a scenario of the catalogue with few people, and the digest of its run."""
    if request.param in NEED_DATA:
        pytest.skip("people of this scenario come from a data file that is given for the run")
    scenario = load(request.param, **SMALL)
    turns = min(scenario.time.max_turns, TURNS)
    scenario = load(scenario, settings={"time.max_turns": turns})
    return scenario, lived(scenario)


def society(*rules):
    """Return a small feed whose people know one another, with these social rules alone."""
    changes = {
        "people.society.graph": {"kind": "watts_strogatz", "degree": 4, "rewire": 0.2},
        "people.society.influences": [],
        "people.society.rules": [{"name": name} for name in rules],
        "world.settings.items.count": 40,
    }
    return load("feed", users=40, ticks=TICKS, replicas=2, settings=changes)


@pytest.fixture(scope="module", params=RULES)
def ruled(request):
    """Return a small society with one social rule (and one to count), and the digest of its run."""
    scenario = society(*["sir-v1"] * (request.param == "friends-v1"), request.param)
    return scenario, lived(scenario)


def test_every_scenario_is_the_same_twice(every):
    """The same scenario and seed give the same bits; another seed gives others."""
    scenario, digest = every
    assert lived(scenario) == digest
    assert lived(scenario.model_copy(update={"seed": scenario.seed + 1})) != digest


def test_every_world_keeps_the_contract(every):
    """No rule of `check_world` is broken by the world of any scenario, met by its people, or made anew."""
    scenario, _ = every
    simulation = assemble(scenario).simulation
    simulation.begin()

    def anew(drift):
        changed = scenario.model_copy(update={"drift": (*scenario.drift, *drift)})
        return world_of(changed, None, Chance(scenario.seed))

    assert check_world(simulation.world, simulation.users.columns, build=anew) == []


def test_blocks_and_tiles_leave_no_trace_in_any_scenario(every):
    """People worked on by threes, met by a model that is asked about two at a time, live the same lives."""
    scenario, digest = every
    assert lived(scenario, Props(block=3, tile=2)) == digest


@pytest.mark.parametrize("tick", [1, 2])
def test_every_scenario_goes_on_from_its_state(every, tick):
    """A run that is put away as arrays at a tick and taken up by another process ends the same."""
    scenario, digest = every
    assert lived(scenario, pause=tick) == digest


def test_blocks_leave_no_trace_with_any_social_rule(ruled):
    """What passes between people does not depend on how they were worked on."""
    scenario, digest = ruled
    assert lived(scenario, Props(block=7)) == digest


def test_every_social_rule_goes_on_from_its_state(ruled):
    """A society in the middle of a contagion, an adoption or a quarrel is put away whole."""
    scenario, digest = ruled
    assert lived(scenario, pause=HALF) == digest
