"""Rollbacks and guards: when they trip, in which society, what they say of it, and what people get then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import rehearse
from rehearse.contract import NOTHING, Feedback, Stage
from rehearse.errors import NotCompletedError, PolicyLoadError
from rehearse.policies import Guard, Rollback, Split, load
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("x",),
    groups=("low", "high"),
    replicas=np.array([0, 4], dtype=np.int32),
)
TRAIN, BUS = "constant-v1?slate=1", "constant-v1?slate=2"


def requests(tick=0, rows=40):
    """Return requests of people of both societies and groups."""
    made = made_requests(STAGE, rows)
    return replace(made, tick=tick, group=(made.user % 2).astype(np.int8))


def told(asked, answer, reward, harm=None):
    """Return what a policy is told of its answers: a reward and a harm for each society."""
    place = (asked.replica == 4).astype(int)
    return Feedback(
        features=asked.features,
        slate=answer.slate,
        choice=answer.action,
        reward=np.asarray(reward, np.float32)[place],
        harm=None if harm is None else np.asarray(harm, np.float32)[place],
        propensity=answer.propensity,
        replica=asked.replica,
        user=asked.user,
        turn=np.zeros(len(asked), np.int16),
        group=asked.group,
        tick=asked.tick,
        detail=answer.detail,
    )


def lived(policy, rewards, harm=None):
    """Return what each society is offered, tick by tick, where answers bring these rewards."""
    offered = []
    for tick, reward in enumerate(rewards):
        asked = requests(tick)
        answer = policy.decide(asked)
        offered.append([int(answer.action[asked.replica == r][0]) for r in (0, 4)])
        policy.learn(told(asked, answer, reward, harm))
    return np.array(offered), answer


def test_a_society_goes_back_after_so_many_breaches_on_end():
    """Breaches that are interrupted do not count together, and each society is judged by itself."""
    policy = load(Rollback(TRAIN, BUS, at_least=0.5, ticks=2), STAGE)
    rewards = [(0, 0), (1, 0), (0, 1), (0, 1), (1, 1)]
    offered, last = lived(policy, rewards)
    assert offered[:, 0].tolist() == [1, 1, 1, 1, 2]
    assert offered[:, 1].tolist() == [1, 1, 2, 2, 2]
    assert last.detail["rolled_back"].all()
    assert set(last.detail["monitored"]) == {0.0}
    again = load(Rollback(TRAIN, BUS, at_least=0.5, ticks=2), STAGE)
    again.restore(policy.state())
    assert (again.decide(requests()).action == 2).all()


def test_a_detector_decides_in_place_of_a_bound():
    """A society goes back when its own rewards shift from what they were, and a restored policy goes on."""
    fell = {"name": "cusum", "side": "down", "h": 3, "reference": 4, "least": 0.1}
    policy = load(Rollback(TRAIN, BUS, detector=fell), STAGE)
    rewards = [(0.2, 0.9)] * 6 + [(0.2, 0.1)] * 3
    offered, last = lived(policy, rewards[:5])
    assert (offered == 1).all()
    assert not last.detail["rolled_back"].any()
    again = load(Rollback(TRAIN, BUS, detector=fell), STAGE)
    again.restore(policy.state())
    offered, _ = lived(again, rewards[5:])
    assert offered[:, 0].tolist() == [1, 1, 1, 1]
    assert offered[:, 1].tolist() == [1, 1, 2, 2]
    with pytest.raises(PolicyLoadError, match="one of at_least, at_most and detector"):
        Rollback(TRAIN, BUS, detector="cusum", at_least=0.5)


def test_what_is_published_is_of_the_version_in_service():
    """In a society that went back the public knows the previous version's rule."""
    low, high = ('threshold-v1?feature="x"&at=0.1', 'threshold-v1?feature="x"&at=0.7')
    policy = load(Rollback(low, high, at_least=0.5, ticks=1), STAGE)
    asked = requests()
    policy.learn(told(asked, policy.decide(asked), (1, 0)))
    known = policy.published()["threshold.x"]
    assert np.array_equal(known.reshape(2, -1)[:, 0], [0.1, 0.7])


def test_too_few_turns_are_no_breach():
    """A tick with fewer turns than asked for changes nothing."""
    offered, last = lived(load(Rollback(TRAIN, BUS, at_least=0.5, ticks=1, turns=21), STAGE), [(0, 0)] * 3)
    assert (offered == 1).all()
    assert np.isnan(last.detail["monitored"]).all()


def test_a_challenger_is_held_against_the_champion():
    """The watched mean is of one model within the current version less that of another."""
    split = Split(TRAIN, BUS, share=0.5)
    plan = Rollback(split, TRAIN, of="challenger", against="champion", at_least=-0.2, ticks=1, turns=3)
    policy = load(plan, STAGE)
    asked = requests()
    answer = policy.decide(asked)
    feedback = told(asked, answer, (0, 0))
    worse = np.where((answer.action == 2) & (asked.replica == 4), 0.5, 1.0).astype(np.float32)
    policy.learn(replace(feedback, reward=worse))
    later = policy.decide(requests(1))
    assert (later.action[asked.replica == 4] == 1).all()
    assert {1, 2} == set(later.action[asked.replica == 0])
    assert set(later.detail["monitored"]) == {0.0, -0.5}
    with pytest.raises(PolicyLoadError, match="challenger"):
        load(plan.model_copy(update={"of": "chalenger"}), STAGE)


def test_a_cap_counts_what_a_person_was_shown():
    """The second of a kind in a session is one too many, the first is not, and others may come."""
    policy = load(Guard(TRAIN, items=("train", "bus"), at_most=1, then="replace", replace="car"), STAGE)
    asked = requests()
    shown = np.full((len(asked), 3), NOTHING, dtype=np.int32)
    shown[::2, 1] = 2
    answer = policy.decide(replace(asked, shown=shown))
    assert (answer.action[::2] == 3).all()
    assert (answer.action[1::2] == 1).all()
    assert np.array_equal(answer.guard, np.where(answer.action == 3, 0, -1))


def test_a_group_may_be_kept_from_items():
    """Only people of the group get no answer; guards within guards keep their names."""
    plan = Guard(Guard(TRAIN, name="inner", items=("air",)), name="outer", items=("train",), group="high")
    policy = load(plan, STAGE)
    asked = requests()
    answer = policy.decide(asked)
    assert np.array_equal(answer.action == NOTHING, asked.group == 1)
    assert [policy.guards[code] for code in np.unique(answer.guard[answer.guard >= 0])] == ["outer"]
    assert policy.guards == ("inner", "outer")


def test_harm_beyond_the_budget_ends_an_offer():
    """Each society may do so much harm and no more; then another item takes the place."""
    plan = Guard(TRAIN, items=("train",), harm_budget=50, then="replace", replace="bus")
    offered, last = lived(load(plan, STAGE), [(0, 0)] * 4, harm=(1, 2))
    assert offered[:, 0].tolist() == [1, 1, 1, 2]
    assert offered[:, 1].tolist() == [1, 1, 2, 2]
    assert set(last.detail["harm_done"]) == {60.0, 120.0}


def test_a_guard_can_stop_the_run(tmp_path):
    """The run is not completed, and the message says who, when and by which guard."""
    plan = Guard("constant-v1?slate=0", name="no-flights", items=("air",), then="stop")
    with pytest.raises(NotCompletedError, match="'no-flights' stopped the run at tick 0, turn 0"):
        rehearse.run("travel", policy=plan, users=20, ticks=1, replicas=1, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (lambda: Rollback(TRAIN, BUS), "at_least, at_most and detector"),
        (lambda: Guard(TRAIN), "forbids everything"),
        (lambda: Guard(TRAIN, items=("air",), then="replace"), "replace"),
        (lambda: load(Guard(TRAIN, items=("plane",)), STAGE), "no item"),
        (lambda: load(Guard(TRAIN, group="middle"), STAGE), "no such group"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(plan, says):
    """A rollback without a bound, a guard that forbids everything or names what is not there."""
    with pytest.raises(PolicyLoadError, match=says):
        plan()
