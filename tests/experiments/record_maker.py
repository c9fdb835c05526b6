"""Records made by hand for the tests of judging: tables in memory that answer SQL as a run folder does."""

from __future__ import annotations

import numpy as np

from rehearse import tables
from rehearse.columns import Columns
from rehearse.scenario.model import Scenario

ITEMS = ("air", "train", "bus", "car")
GROUPS = ("low", "high")


class Made:
    """A record in memory: what `RunRecord` offers, from arrays."""

    def __init__(self, turns, users, ticks, **manifest):
        self.turns, self.users, self.ticks = turns, users, ticks
        self._connection = None
        self.manifest = {
            "items": list(ITEMS),
            "groups": list(GROUPS),
            "coupled": True,
            "seed": 1,
            "people_digest": "same",
            "policy": {"name": "model", "version": "1"},
            "marks": [],
            "resources": {"policy_cpu_per_1000": 0.25, "policy_memory_mb": 12.5},
            "user_turns": turns.length,
        } | manifest

    def query(self, sql):
        """Run a SELECT over the three tables, on one connection: opening one costs more than the query."""
        if self._connection is None:
            self._connection = tables._connect()
            for name in ("turns", "users", "ticks"):
                tables._register(self._connection, name, getattr(self, name))
        found = self._connection.execute(sql).fetchnumpy()
        return Columns({name: tables._plain(values) for name, values in found.items()})


def scenario(*criteria):
    """Return the smallest scenario with these criteria."""
    return Scenario.model_validate(
        {
            "name": "made",
            "world": {"name": "recommend-v1"},
            "policy": {"name": "random-v1"},
            "criteria": list(criteria),
            "assumptions": ["made up"],
            "limitations": ["made up"],
        }
    )


def turns_of(rows):
    """Return a table of turns from dictionaries; what a row leaves out has a plain value."""
    plain = {
        "replica": 0,
        "tick": 0,
        "user": 0,
        "session": 0,
        "turn": 0,
        "action": 0,
        "latency": 100.0,
        "measured_ms": 1.0,
        "fault": "none",
        "choice": -1,
        "satisfaction": 0.5,
        "reward": 0.0,
        "ideal": 0,
        "regret": 0.0,
        "right": 1,
        "end": "none",
    }
    whole = [plain | row for row in rows]
    kinds = {str: "U16", float: np.float32}
    return Columns(
        {n: np.array([r[n] for r in whole], dtype=kinds.get(type(v), np.int32)) for n, v in plain.items()}
    )


def people(replicas, count):
    """Return a table of people: even ids in group `low`, odd ones in `high`."""
    user = np.tile(np.arange(count, dtype=np.int64), replicas)
    return Columns(
        {
            "replica": np.repeat(np.arange(replicas, dtype=np.int32), count),
            "user": user,
            "group": np.array(GROUPS)[user % 2],
            "segment": np.full(len(user), "base"),
            "satisfaction": np.full(len(user), 0.5, dtype=np.float32),
            "session": np.ones(len(user), dtype=np.int32),
            "alive": np.ones(len(user), dtype=np.bool_),
        }
    )


def society(replicas, ticks):
    """Return a table of ticks with a polarisation that grows."""
    tick = np.repeat(np.arange(ticks, dtype=np.int32), replicas)
    return Columns(
        {
            "replica": np.tile(np.arange(replicas, dtype=np.int32), ticks),
            "tick": tick,
            "sessions": np.ones(len(tick), dtype=np.int64),
            "polarisation": tick / 100.0,
        }
    )


def sessions_of_one_turn(*, goal, replicas, count, ticks, **columns):
    """Return a record in which everybody has a session of one turn in every tick.

    `goal` and further columns have shape (replicas, count, ticks).
    """
    shape = (replicas, count, ticks)
    replica, user, tick = (axis.ravel() for axis in np.indices(shape))
    met = np.broadcast_to(goal, shape).ravel()
    given = {name: np.broadcast_to(values, shape).ravel() for name, values in columns.items()}
    size = len(met)
    table = {
        "replica": replica.astype(np.int32),
        "tick": tick.astype(np.int32),
        "user": user.astype(np.int64),
        "session": tick.astype(np.int32),
        "turn": np.zeros(size, np.int16),
        "action": np.zeros(size, np.int32),
        "latency": np.full(size, 100.0, np.float32),
        "measured_ms": np.ones(size, np.float32),
        "fault": np.full(size, "none"),
        "choice": np.where(met, 0, -1).astype(np.int32),
        "satisfaction": np.where(met, 0.8, 0.3).astype(np.float32),
        "reward": met.astype(np.float32),
        "ideal": np.zeros(size, np.int32),
        "regret": np.where(met, 0.0, 1.0).astype(np.float32),
        "right": met.astype(np.int8),
        "end": np.where(met, "goal_met", "abandoned"),
    }
    return Made(Columns(table | given), people(replicas, count), society(replicas, ticks))
