"""Noise, drift, odd people and late feedback round a rehearsal: what they change, shards, marks and forks."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse import load
from rehearse.errors import UserError
from rehearse.experiments import api
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.shards import Spread, assembled

SMALL = {"users": 60, "ticks": 8, "replicas": 3}

DRIFT = [
    {"tick": 2, "what": "people.tastes.gc", "times": 2.0, "shape": "gradual", "over": 3, "note": "they save"},
    {"tick": 1, "what": "people.visits", "times": 0.5, "among": "low income", "until": 6},
    {"tick": 1, "what": "people.traits.hinc", "add": 5.0, "shape": "seasonal", "period": 6},
    {"tick": 3, "what": "items.train.gc", "add": 20.0, "shape": "recurring", "period": 3, "lasts": 1},
]
NOISE = [
    {"kind": "stale", "features": ["hinc", "gc_*"], "age": 2, "rate": 0.5, "lasts": "session"},
    {"kind": "missing", "features": ["ttme_air"], "rate": 0.3, "indicator": True, "value": 0.0, "until": 6},
    {"kind": "noisy", "features": ["gc_*"], "sd": 10.0, "start": 2},
    {"kind": "swapped", "features": ["ttme_bus", "ttme_train"], "rate": 0.2, "lasts": "ever"},
]
LEARNER = {"policy": {"name": "epsilon-v1"}}
# A model that reads what it is shown: a learner of travel looks at no feature.
READER = {"policy": {"name": "linear-v1", "settings": {"weights": {"gc": -0.02, "ttme": -0.1}}}}
MANNERS = [
    {"name": "careless", "share": 0.3, "answers": "at_random", "rate": 0.5},
    {"name": "hostile", "share": 0.2, "answers": "contrarily", "says": {"hinc": {"times": 2.0}}, "until": 6},
]
WRAPPERS = {
    "drift": {"drift": DRIFT},
    "observation": {"observation": NOISE} | READER,
    "manners": {"people.manners": MANNERS},
    "feedback": {"feedback": {"delay": {"exponential": {"mean": 2.0}}, "positives": 3}},
}
"""What a scenario may put round a rehearsal, by name."""


def scenario(name, **more):
    """Return a small travel rehearsal with a learner, within one of the wrappers or all."""
    parts = [WRAPPERS[part] for part in (WRAPPERS if name == "all" else [name])]
    settings = LEARNER.copy()
    for part in parts:
        settings |= part
    settings |= LEARNER if name == "all" else {}
    return load("travel", settings=settings | more, **SMALL)


def digest_of(given, spread=None):
    """Return the digest of a run in memory."""
    if spread is not None:
        return _in_shards(given, spread)
    assembly = assemble(given)
    recorder = assembly.new_recorder()
    assembly.simulation.watchers.append(recorder)
    for _ in range(given.time.ticks):
        assembly.simulation.advance()
    return recorder.digest


def _in_shards(given, spread):
    with assembled([Leg(0, given, Props())], spread) as assembly:
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        for _ in range(given.time.ticks):
            assembly.simulation.advance()
        return recorder.digest


@pytest.mark.parametrize("name", WRAPPERS)
def test_it_changes_something(name):
    """A wrapper that left no trace would prove nothing in `test_every_world`, which has all of them."""
    given = scenario(name)
    bare = given.model_copy(update={"drift": (), "observation": (), "feedback": None})
    bare = bare.model_copy(update={"people": bare.people.model_copy(update={"manners": ()})})
    assert digest_of(given) != digest_of(bare)


def test_shards_leave_no_trace():
    """With all wrappers at once, whole societies and parts of them in processes have the same digest."""
    given = scenario("all")
    assert digest_of(given, Spread(2)) == digest_of(given)
    for name in ("triage", "triage-sites", "lending-strategic", "pricing-rivals"):  # worlds with a state
        stateful = load(name, users=20, ticks=2, replicas=2)
        assert digest_of(stateful, Spread(2)) == digest_of(stateful), name
    one = given.model_copy(update={"replicas": 1})
    assert digest_of(one, Spread(2)) == digest_of(one)


def test_marks_tell_of_people_too():
    """What changes in people is marked in the run, with its sentence, beside what changes in the world."""
    assembly = assemble(scenario("drift"))
    for _ in range(8):
        assembly.simulation.advance()
    assert assembly.simulation.marks == [
        (1, "people.visits of low income × 0.5"),
        (1, "people.traits.hinc + 5, up and down every 6 ticks"),
        (2, "people.tastes.gc × 2, over 3 ticks: they save"),
        (3, "items.train.gc + 20, for 1 of every 3 ticks"),
        (4, "people.tastes.gc × 2 is complete: they save"),
        (6, "people.visits of low income × 0.5 is over"),
    ]


def test_a_learner_is_told_what_the_model_saw():
    """The features that a policy learns from are those with noise, not the true ones."""
    seen, learned = [], []

    class Learner:
        def decide(self, requests):
            seen.append(requests.features)
            return np.zeros(len(requests), dtype=int)

        def learn(self, feedback):
            learned.append(feedback.features)

    noise = {"observation": [{"kind": "noisy", "features": ["gc_*"], "sd": 10.0}]}
    once = {"time.max_turns": 1, "policy": {"name": "epsilon-v1"}}
    given = load("travel", settings=noise | once, users=60, replicas=1)
    assembly = assemble(given, Props(policy=Learner, tile=0))
    assembly.simulation.advance()
    assert np.concatenate(learned).tobytes() == np.concatenate(seen).tobytes()


def test_a_fork_may_schedule_what_its_parent_did_not(tmp_path):
    """From a tick on people change by another schedule; with the same one the digest is the parent's."""
    parent = api.run(scenario("drift"), out=tmp_path / "parent", keep_checkpoints=3)
    assert api.fork(parent.folder, 4, out=tmp_path / "same").digest == parent.digest
    changes = {"drift": DRIFT[1:], "observation": NOISE[2:]}
    other = api.fork(parent.folder, 4, settings=changes, out=tmp_path / "other")
    again = api.fork(parent.folder, 4, settings=changes, out=tmp_path / "again")
    assert other.digest == again.digest != parent.digest
    keys = 'SELECT * EXCLUDE measured_ms FROM turns WHERE tick < 4 ORDER BY replica, tick, "user", turn'
    before, after = parent.turns.query(keys), other.turns.query(keys)
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    with pytest.raises(UserError, match="other names"):
        api.fork(parent.folder, 4, settings={"observation": NOISE}, out=tmp_path / "named")
