"""Faults in twelve ways, queues before a model and limits of its rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import NOTHING, Fault, Feedback, Stage
from rehearse.errors import PolicyLoadError, ScenarioError
from rehearse.policies import Faults, Load, RateLimit, load, stack
from rehearse.policies.faults import KINDS
from rehearse.scenario.model import FaultSpec, Part, Scenario, Time
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("x",),
    groups=("low", "high"),
    replicas=np.arange(40, dtype=np.int32),
    slate=2,
)
MODEL = "constant-v1?slate=[1,2]"
ROWS = 4000
NO_ANSWER = set(KINDS) - {"slow_close", "jitter", "stale_features", "poisoned"}


def requests(tick=0, rows=ROWS):
    """Return requests of people of forty societies, in turn 0."""
    return replace(made_requests(STAGE, rows), tick=tick)


def told(asked, answer):
    """Return what a policy is told of its answers."""
    return Feedback(
        features=asked.features,
        slate=answer.slate,
        choice=answer.action,
        reward=np.ones(len(asked), np.float32),
        propensity=answer.propensity,
        replica=asked.replica,
        user=asked.user,
        turn=np.zeros(len(asked), np.int16),
        group=asked.group,
        tick=asked.tick,
        detail=answer.detail,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_each_kind_strikes_at_its_rate(kind, rate):
    """Some answers are lost, some late, some others; the record names the kind; the rest is untouched."""
    policy = load(Faults(MODEL, faults=[{"kind": kind, "rate": rate, "ms": 500, "share": 1.0}]), STAGE)
    answer = policy.decide(requests())
    hit = answer.detail["injected"] == KINDS.index(kind)
    assert abs(hit.mean() - rate) < (0.25 if kind in {"partial_batch", "restart"} else 0.03)
    assert (answer.detail["injected"][~hit] == NOTHING).all()
    assert (answer.slate[~hit] == [1, 2]).all()
    assert not answer.fault[~hit].any()
    assert (answer.fault[hit] == (Fault.INJECTED if kind in NO_ANSWER else Fault.NONE)).all()
    late = {"timeout": (10_000, 10_000), "slow_close": (500, 500), "jitter": (0, 500)}.get(kind, (0, 0))
    assert ((answer.latency[hit] >= late[0]) & (answer.latency[hit] <= late[1])).all()
    assert (answer.slate[hit, 0] >= 0).all() == (kind not in NO_ANSWER or not hit.any())
    if kind == "poisoned" and rate:
        assert set(answer.action[hit]) == {0, 1, 2, 3}
        assert np.isnan(answer.propensity[hit]).all()


def test_societies_are_struck_together_by_what_is_theirs():
    """A restart strikes all first turns of a society's tick and no later ones; a batch loses its share."""
    asked = requests()
    restart = load(Faults(MODEL, faults=[{"kind": "restart", "rate": 0.5}]), STAGE)
    down = restart.decide(asked).fault != Fault.NONE
    of_each = [down[asked.replica == r] for r in range(40)]
    assert all(some.all() or not some.any() for some in of_each)
    assert 8 < sum(some.all() for some in of_each) < 32
    assert not restart.decide(replace(asked, turn=1)).fault.any()
    batch = load(Faults(MODEL, faults=[{"kind": "partial_batch", "rate": 0.5, "share": 0.3}]), STAGE)
    lost = np.array([(batch.decide(asked).fault != Fault.NONE)[asked.replica == r].mean() for r in range(40)])
    assert 8 < (lost > 0).sum() < 32
    assert abs(lost[lost > 0].mean() - 0.3) < 0.05


def test_stale_features_are_those_of_an_earlier_tick():
    """A person the model has not seen yet is seen as they are."""

    def sign(requests):
        return (requests.features[:, 0] > 0).astype(int)

    policy = load(Faults(sign, faults=[{"kind": "stale_features", "rate": 1.0}]), STAGE)
    first, later = requests(), requests(1)
    later = replace(later, features=-later.features)
    before = policy.decide(first)
    assert np.array_equal(before.action, first.features[:, 0] > 0)
    policy.learn(told(first, before))
    assert np.array_equal(policy.decide(later).action, first.features[:, 0] > 0)
    again = load(Faults(sign, faults=[{"kind": "stale_features", "rate": 1.0}]), STAGE)
    again.restore(policy.state())
    assert np.array_equal(again.decide(later).action, first.features[:, 0] > 0)


def test_what_only_makes_late_can_pass_the_deadline():
    """A scenario's slow answers are lost where they come too late; stale ones have another word there."""
    parts = {"assumptions": ("none",), "limitations": ("all",), "time": Time(deadline_ms=400)}
    whole = Scenario(
        name="late",
        world=Part(name="recommend-v1"),
        policy=Part(name=MODEL),
        faults=(FaultSpec(kind="slow_close", rate=0.5, ms=500),),
        **parts,
    )
    answer = stack(load(MODEL, STAGE), whole, STAGE).decide(requests())
    assert abs((answer.fault == Fault.TOO_SLOW).mean() - 0.5) < 0.03
    assert answer.latency.max() == 400
    stale = whole.model_copy(update={"faults": (FaultSpec(kind="stale_features"),)})
    with pytest.raises(ScenarioError, match="another word"):
        stack(load(MODEL, STAGE), stale, STAGE)


@pytest.mark.parametrize(
    ("workers", "waits", "mean"), [(1, 0.75, 3.0), (2, 9 / 14, 9 / 7), (4, 0.5094, 0.5094)]
)
def test_waits_are_those_of_a_queue(workers, waits, mean):
    """At a utilisation of .75 they are those of M/M/c: how many wait, and how long in mean service times."""
    plan = Load(MODEL, workers=workers, service_ms=100, background=0.75 * workers * 10)
    answer = load(plan, STAGE).decide(requests(rows=60_000))
    queued = answer.detail["queued_ms"]
    assert set(answer.detail["utilisation"]) == {np.float32(0.75)}
    assert abs((queued > 0).mean() - waits) < 0.01
    assert abs(queued.mean() / 100 - mean) < 0.04 * mean
    assert np.array_equal(answer.latency, queued)


def test_load_follows_the_tick_before_and_overload_refuses():
    """Who asked in a tick makes those wait who ask in the next; beyond capacity 1 − 1/ρ are refused."""
    policy = load(Load(MODEL, service_ms=100, busy_s=5, longest_ms=900), STAGE)
    first = requests()
    answer = policy.decide(first)
    assert not answer.latency.any()
    policy.learn(told(first, answer))
    answer = policy.decide(requests(1))
    assert set(answer.detail["utilisation"]) == {np.float32(2.0)}
    assert abs((answer.fault == Fault.REFUSED).mean() - 0.5) < 0.03
    assert (answer.latency == 900).all()


def test_a_limit_refuses_what_is_too_much():
    """A person's turns beyond their number, and of a society as many as were too many the tick before."""
    policy = load(RateLimit(MODEL, person=2, society=25), STAGE)
    first = requests()
    answer = policy.decide(first)
    assert not answer.fault.any()
    assert (policy.decide(replace(first, turn=2)).fault == Fault.REFUSED).all()
    policy.learn(told(first, answer))
    refused = policy.decide(requests(1)).detail["limited"] == 1
    assert abs(refused.mean() - 0.75) < 0.03
    with pytest.raises(PolicyLoadError, match="limits nothing"):
        RateLimit(MODEL)
