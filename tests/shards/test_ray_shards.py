"""Shards in a Ray cluster: the same digest as in processes of one machine, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehearse.experiments.api import load
from rehearse.experiments.build import Props
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.shards import Spread, assembled

pytest.importorskip("ray", reason="shards live in a Ray cluster with the extra `ray`")


def recorded(scenario, spread, during=None):
    """Return the digest of a scenario that is run in memory; `during` is called before each tick."""
    with assembled([Leg(0, scenario, Props())], spread) as assembly:
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        for tick in range(scenario.time.ticks):
            if during is not None:
                during(tick, assembly)
            assembly.simulation.advance()
        return recorder.digest


def test_actors_live_the_lives_of_one_process_and_a_killed_one_begins_again():
    """A parted society in two actors, one of which is killed on the way, has the digest of one process."""
    scenario = load("feed", users=5000, ticks=3, replicas=1)
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}

    def during(tick, assembly):
        if tick == 1:
            assembly.simulation.state()
        if tick == 2:
            assembly.simulation.ensemble.room.kill(1)

    assert recorded(scenario, Spread(2, "ray"), during) == recorded(scenario, Spread())
    assert {name: value for name, value in os.environ.items() if name.startswith("RAY_")} == before
    assert not (Path.home() / ".ray" / "auth_token").exists()
