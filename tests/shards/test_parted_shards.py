"""Societies whose people are parted among shards: they hear of one another, and live as if they were not."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from rehearse.experiments.api import load
from rehearse.experiments.build import Props
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.replaying import replay
from rehearse.experiments.running import run
from rehearse.experiments.shards import Spread, assembled, conductor

SETTINGS = {
    "people.arrivals": {"start": 0.7, "steady": 0.05, "word_of_mouth": 0.2},
    "people.churn": {"rate": 0.01, "friends": 0.2},
    "people.returns": {"rate": 0.05, "friends": 0.1},
    "people.society.emergence": {"measures": ["cascades", "echo", "clusters"]},
}


@pytest.fixture(scope="module")
def feed():
    """Return one society of 9,000 people who come and go, influence one another and teach the policy."""
    return load("feed", users=9000, ticks=3, replicas=1, settings=SETTINGS)


@pytest.fixture(scope="module")
def digest(feed):
    """Return the digest of the society in one process."""
    return recorded(feed)


def recorded(scenario, spread=None, during=None):
    """Return the digest of a scenario that is run in memory; `during` is called before each tick."""
    with assembled([Leg(0, scenario, Props())], spread or Spread()) as assembly:
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        for tick in range(scenario.time.ticks):
            if during is not None:
                during(tick, assembly)
            assembly.simulation.advance()
        return recorder.digest


@pytest.mark.parametrize("shards", [2, 4])
def test_a_parted_society_lives_the_same_lives(feed, digest, shards):
    """People of one society in two and in three processes (there are three leaves) have one digest."""
    assert recorded(feed, Spread(shards)) == digest


def test_a_lost_shard_of_a_society_begins_again(feed, digest):
    """A process that is killed while others wait for its people leaves no trace in the digest."""

    def during(tick, assembly):
        if tick == 1:
            assembly.simulation.state()
        if tick:
            os.kill(assembly.simulation.ensemble.room.processes()[tick % 2], signal.SIGKILL)

    assert recorded(feed, Spread(2), during=during) == digest


SOCIETIES = {
    "one after another": {"people.society.order": "sequential"},
    "by group": {
        "people.society.graph": {"kind": "stochastic_block", "within": 0.002, "between": 0.0005},
        "people.society.emergence": {"measures": ["segregation"]},
    },
    "new friends": {"people.society.rules": [{"name": "rewiring-v1", "settings": {"column": "opinion"}}]},
    "nobody knows anybody": {"people.society.graph": {"kind": "none"}},
}


@pytest.mark.parametrize("settings", SOCIETIES.values(), ids=SOCIETIES.keys())
def test_every_kind_of_society_can_be_parted(settings):
    """Rules in sequence, ties by group, ties that change and no ties at all give one digest in two shards."""
    scenario = load("feed", users=4500, ticks=2, replicas=2, settings=settings)
    assert recorded(scenario, Spread(3)) == recorded(scenario)


def test_ties_that_changed_are_part_of_the_state():
    """New friends found in shards of whole societies are known to whoever goes on from their state."""
    scenario = load("feed", users=300, ticks=3, replicas=3, settings=SOCIETIES["new friends"])
    with assembled([Leg(0, scenario, Props())], Spread(2)) as assembly:
        assembly.simulation.advance()
        state = assembly.simulation.state()
    alone = alone_after(scenario, 1)
    assert all(np.array_equal(state[name], alone[name]) for name in alone)
    with assembled([Leg(0, scenario, Props())], Spread(3)) as assembly:
        assembly.simulation.restore(state, 1)
        assembly.simulation.advance()
        state = assembly.simulation.state()
    alone = alone_after(scenario, 2)
    assert all(np.array_equal(state[name], alone[name]) for name in alone)


def test_a_state_goes_from_shards_to_one_process_and_back(feed, digest):
    """What two shards know at the start of a tick is what one process knows, and what three go on from."""
    with assembled([Leg(0, feed, Props())], Spread(2)) as assembly:
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        assembly.simulation.advance()
        state, links = assembly.simulation.state(), recorder.links.copy()
    alone = alone_after(feed, 1)
    assert sorted(state) == sorted(alone)
    assert all(np.array_equal(state[name], alone[name]) for name in alone)
    with assembled([Leg(0, feed, Props())], Spread(3)) as assembly:
        assembly.simulation.restore(state, 1)
        recorder = assembly.new_recorder()
        recorder.links = links
        assembly.simulation.watchers.append(recorder)
        for _ in range(feed.time.ticks - 1):
            assembly.simulation.advance()
        assert recorder.digest == digest


def alone_after(scenario, ticks):
    """Return the state of one process after some ticks."""
    with assembled([Leg(0, scenario, Props())]) as assembly:
        for _ in range(ticks):
            assembly.simulation.advance()
        return {name: np.array(a) for name, a in assembly.simulation.state().items()}


def test_what_was_told_is_forgotten_in_time(feed, digest, monkeypatch):
    """A run that writes no checkpoints gathers the state now and then, and its digest does not change."""
    monkeypatch.setattr(conductor, "REMEMBERED", 1)

    def during(tick, assembly):
        if tick:
            os.kill(assembly.simulation.ensemble.room.processes()[0], signal.SIGKILL)
            assert assembly.simulation.ensemble.start.tick == tick - 1

    assert recorded(feed, Spread(2), during=during) == digest


def test_a_recorded_run_of_a_parted_society_reads_like_any_other(tmp_path):
    """Its turns, people and ticks are those of one process, and it can be replayed."""
    scenario = load("feed", users=5000, ticks=2, replicas=1)
    plain = run(scenario, out=tmp_path / "plain")
    parted = run(scenario, out=tmp_path / "parted", spread=Spread(2))
    assert parted.digest == plain.digest
    for table in ("turns", "users", "ticks", "ties"):
        columns = "* EXCLUDE (measured_ms)" if table == "turns" else "*"
        sql = f"SELECT {columns} FROM {table} ORDER BY ALL"
        one, other = (found.turns.query(sql) for found in (plain, parted))
        assert sorted(one) == sorted(other)
        assert all(one[name].tobytes() == other[name].tobytes() for name in one), table
    assert replay(tmp_path / "parted", spread=Spread(2)).same
