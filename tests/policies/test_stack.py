"""The stack: waiting, deadlines, injected faults, guards and what-ifs round a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import NOTHING, Decisions, Fault, Learner, Stage
from rehearse.errors import ScenarioError
from rehearse.policies import load, stack
from rehearse.scenario.model import FaultSpec, GuardSpec, Latency, Part, Scenario, Time
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("x",),
    groups=("low", "high"),
    replicas=np.arange(2, dtype=np.int32),
    slate=4,
)
MANY = 4000


def scenario(**parts):
    """Return a scenario that has only these conditions."""
    return Scenario(
        name="conditions",
        world=Part(name="recommend-v1"),
        policy=Part(name="constant-v1"),
        assumptions=("none",),
        limitations=("all",),
        **parts,
    )


def answered(rows=MANY, model="constant-v1?slate=[1,2]", override=None, tile=None, requests=None, **parts):
    """Return what people get through the stack, at tick 3."""
    requests = requests if requests is not None else made_requests(STAGE, rows)
    requests = replace(requests, group=(requests.user % 2).astype(np.int8))
    policy = stack(load(model, STAGE), scenario(**parts), STAGE, tile=tile, override=override)
    return requests, policy.decide(requests)


def same(one, other):
    """Tell whether two answers agree in all that is simulated."""
    names = ("slate", "latency", "fault", "guard", "propensity")
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in names)


def test_without_conditions_the_model_answers_alone():
    """No latency, no fault, no guard: what the model says is what people get."""
    _, answer = answered()
    assert answer.slate.tolist() == [[1, 2]] * MANY
    assert (answer.latency == 0).all()
    assert not answer.fault.any()
    assert (answer.guard == NOTHING).all()


def test_latency_is_lognormal():
    """Median and spread are those of the scenario."""
    _, answer = answered(latency=(Latency(median_ms=300, spread=0.4),))
    logs = np.log(answer.latency)
    assert abs(np.exp(np.median(logs)) - 300) < 12
    assert abs(logs.std() - 0.4) < 0.02


def test_the_last_latency_that_holds_wins():
    """A description holds from its start until the tick before its end."""
    laws = (Latency(median_ms=100, spread=0), Latency(median_ms=900, spread=0, start=2, until=4))
    for tick, expected in ((1, 100), (2, 900), (3, 900), (4, 100)):
        requests = replace(made_requests(STAGE, 5), tick=tick)
        assert (answered(requests=requests, latency=laws)[1].latency == expected).all()
    _, before = answered(latency=(Latency(median_ms=100, start=9),))
    assert (before.latency == 0).all()


def test_an_answer_after_the_deadline_is_lost():
    """People wait until the deadline and get nothing; the others get their answers."""
    _, answer = answered(latency=(Latency(median_ms=300, spread=1.0),), time=Time(deadline_ms=500))
    late = answer.fault == Fault.TOO_SLOW
    assert abs(late.mean() - 0.305) < 0.03
    assert (answer.latency[late] == 500).all()
    assert (answer.slate[late] == NOTHING).all()
    assert np.isnan(answer.propensity[late]).all()
    assert (answer.slate[~late] == [1, 2]).all()


@pytest.mark.parametrize("kind", ["error", "timeout", "nan", "wrong_action", "wrong_schema", "reset_peer"])
def test_faults_hit_at_their_rate(kind):
    """Each kind is recorded as injected, never as the model's; a timeout takes until the deadline."""
    _, answer = answered(faults=(FaultSpec(kind=kind, rate=0.25),), time=Time(deadline_ms=800))
    hit = answer.fault != Fault.NONE
    assert (answer.fault[hit] == Fault.INJECTED).all()
    assert abs(hit.mean() - 0.25) < 0.03
    assert (answer.slate[hit] == NOTHING).all()
    assert (answer.latency[hit] == (800 if kind == "timeout" else 0)).all()
    assert (answer.latency[~hit] == 0).all()


def test_faults_keep_to_their_group_and_time():
    """Only people of the group are hit, and only between start and until."""
    fault = FaultSpec(rate=1.0, group="high", start=3, until=5)
    requests, answer = answered(40, faults=(fault,))
    assert np.array_equal(answer.fault == Fault.INJECTED, requests.group == 1)
    for tick in (2, 5):
        later = replace(made_requests(STAGE, 40), tick=tick)
        assert not answered(requests=later, faults=(fault,))[1].fault.any()


def test_two_faults_are_drawn_apart():
    """Faults of the same rate do not hit the same people."""
    faults = (FaultSpec(rate=0.3), FaultSpec(kind="nan", rate=0.3))
    _, answer = answered(faults=faults)
    assert abs((answer.fault == Fault.INJECTED).mean() - (1 - 0.7 * 0.7)) < 0.03


def test_a_guard_replaces_what_it_forbids():
    """The replacement stands where the forbidden item stood; score and chance are no longer the model's."""
    guard = GuardSpec(name="no-trains", forbid=("train",), group="high", replace="car")
    requests, answer = answered(40, guards=(guard,))
    high = requests.group == 1
    assert (answer.slate[high] == [3, 2]).all()
    assert (answer.slate[~high] == [1, 2]).all()
    assert np.array_equal(answer.guard, np.where(high, 0, NOTHING))
    assert np.array_equal(np.isnan(answer.propensity), high)
    assert not answer.fault.any()


def test_a_guard_without_replacement_vetoes():
    """The person gets no answer, and no fault is laid at the model's door."""
    _, answer = answered(10, guards=(GuardSpec(name="never", forbid=("bus", "air")),))
    assert (answer.slate == NOTHING).all()
    assert (answer.guard == 0).all()
    assert not answer.fault.any()


def test_a_replacement_is_never_offered_twice_nor_out_of_reach():
    """What is in the slate already, or cannot be had, leaves the place to the next; none left is a veto."""
    guard = GuardSpec(name="no-trains", forbid=("train",), replace="bus")
    _, answer = answered(4, guards=(guard,))
    assert answer.slate.tolist() == [[2, NOTHING]] * 4
    available = np.tile([True, True, False, True], (4, 1))
    requests = replace(made_requests(STAGE, 4), available=available)
    _, answer = answered(requests=requests, model="constant-v1?slate=train", guards=(guard,))
    assert (answer.slate == NOTHING).all()
    assert (answer.guard == 0).all()


def test_guards_work_one_after_another():
    """A later guard judges what an earlier one put in place, and the last to act is recorded."""
    guards = (
        GuardSpec(name="first", forbid=("train",), replace="car"),
        GuardSpec(name="second", forbid=("car",), replace="air"),
        GuardSpec(name="third", forbid=("train",)),
    )
    _, answer = answered(5, guards=guards)
    assert (answer.slate == [0, 2]).all()
    assert (answer.guard == 1).all()


def test_a_failed_answer_is_not_guarded():
    """Where there is no answer there is nothing to forbid."""
    guard = GuardSpec(name="no-trains", forbid=("train",))
    _, answer = answered(20, faults=(FaultSpec(rate=1.0),), guards=(guard,))
    assert (answer.fault == Fault.INJECTED).all()
    assert (answer.guard == NOTHING).all()


def test_an_override_changes_one_answer():
    """One answer at one moment is another; the wait stays, and so do the answers of everybody else."""
    parts = {"latency": (Latency(),), "faults": (FaultSpec(rate=0.3),)}
    requests, before = answered(60, **parts)
    row = int(np.flatnonzero(before.fault)[0])
    key = (int(requests.replica[row]), int(requests.user[row]), 3, 0)
    for item, slate in ((3, [3, 1]), (1, [1, 2])):
        chosen = row if item == 3 else int(np.flatnonzero(before.fault == 0)[0])
        key = (int(requests.replica[chosen]), int(requests.user[chosen]), 3, 0)
        _, after = answered(60, override={key: item}, **parts)
        expected = slate if before.fault[chosen] == 0 else [item, NOTHING]
        assert after.slate[chosen].tolist() == expected
        assert after.fault[chosen] == Fault.NONE
        assert np.array_equal(after.latency, before.latency)
        others = np.arange(60) != chosen
        assert same(after.take(np.flatnonzero(others)), before.take(np.flatnonzero(others)))
    _, elsewhere = answered(60, override={(*key[:3], 5): 3}, **parts)
    assert same(elsewhere, before)


@pytest.mark.parametrize("tile", [1, 7, 4096])
def test_conditions_do_not_depend_on_order_or_tiles(tile):
    """Draws are addressed: tiles, order and company change nothing."""
    parts = {
        "latency": (Latency(median_ms=400, spread=0.5),),
        "faults": (FaultSpec(rate=0.2), FaultSpec(kind="timeout", rate=0.1, group="low")),
        "guards": (GuardSpec(name="no-buses", forbid=("bus",), replace="air"),),
        "time": Time(deadline_ms=900),
        "model": "random-v1?k=2",
    }
    requests, whole = answered(200, **parts)
    assert same(answered(200, tile=tile, **parts)[1], whole)
    order = np.argsort(-requests.user % 17, kind="stable")
    _, shuffled = answered(requests=requests.take(order), **parts)
    assert same(shuffled, whole.take(order))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"guards": (GuardSpec(name="g", forbid=("trian",)),)}, ["guards.0.forbid", "Did you mean 'train'"]),
        (
            {"guards": (GuardSpec(name="g", forbid=("air",), replace="plane"),)},
            ["guards.0.replace", "'plane'"],
        ),
        ({"guards": (GuardSpec(name="g", group="hihg"),)}, ["guards.0.group", "Did you mean 'high'"]),
        ({"faults": (FaultSpec(), FaultSpec(group="rich"))}, ["faults.1.group", "'rich'"]),
    ],
)
def test_conditions_that_name_nothing_are_refused(parts, words):
    """Items and groups that are not there are errors of the scenario, with their place."""
    with pytest.raises(ScenarioError) as caught:
        answered(2, **parts)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_stack_is_what_the_model_inside_is():
    """It learns if the model learns, sees the truth only for our own oracle, and keeps name and words."""
    learner = stack(load("epsilon-v1", STAGE), scenario(), STAGE)
    assert isinstance(learner, Learner)
    assert learner.rationales == ("best so far", "exploring")
    assert set(learner.state()) == {"reward", "shown", "learned"}

    class Spy:
        name, version = "spy", "1"
        sees_truth = coupled = True

        def decide(self, requests):
            return Decisions.of(np.zeros(len(requests), int), rationale=np.arange(len(requests)) % 3)

        rationales = ("why",)

    spy = stack(load(Spy(), STAGE), scenario(), STAGE)
    assert not hasattr(spy, "learn")
    assert not spy.sees_truth
    assert spy.coupled
    assert spy.decide(made_requests(STAGE, 3)).rationale.tolist() == [0, NOTHING, NOTHING]
    oracle = stack(load("greedy-v1", STAGE), scenario(), STAGE)
    assert oracle.sees_truth
    assert oracle.name == "greedy-v1"
    assert (oracle.asked.tile, spy.asked.tile) == (32768, 256)
