"""Fallbacks, circuit breakers and caches: who answers when a model fails or has answered before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rehearse.contract import NOTHING, Decisions, Fault, Feedback, Stage
from rehearse.policies import Cache, CircuitBreaker, Delay, Fallback, Load, Shadow, Split, load
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("x",),
    groups=("all",),
    replicas=np.array([0, 4], dtype=np.int32),
)
BUS = "constant-v1?slate=2"


class Flaky:
    """A model that fails where it is told to, and says how often it was asked."""

    name, version = "flaky", "1"

    def __init__(self):
        self.fails, self.asked, self.item = (), 0, 1

    def decide(self, requests):
        self.asked += len(requests)
        bad = np.isin(requests.replica, self.fails)
        return Decisions.of(np.where(bad, 99, self.item), latency=np.where(requests.user % 2, 50.0, 10.0))


def requests(tick=0, rows=40):
    """Return requests of people of both societies."""
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


def test_the_second_answers_where_the_first_fails_or_is_slow():
    """Its wait comes on top of that for the first; what the first did wrong is in the record."""
    flaky = Flaky()
    flaky.fails = (4,)
    asked = requests()
    answer = load(Fallback(flaky, BUS, after_ms=20), STAGE).decide(asked)
    failed, slow = asked.replica == 4, asked.user % 2 == 1
    over = failed | slow
    assert np.array_equal(answer.action, np.where(over, 2, 1))
    assert not answer.fault.any()
    assert np.array_equal(answer.detail["fell_back"] == 1, over)
    assert np.array_equal(answer.detail["model"] == 1, over)
    assert np.array_equal(answer.detail["first_fault"] == Fault.UNKNOWN_ACTION, failed)
    assert np.array_equal(answer.latency, np.where(slow & ~failed, 20, np.where(failed & slow, 20, 10)))


def test_one_model_may_be_slower_than_another():
    """Its wait is lognormal; who is given up waits so long, and then for the other, whose luck is its own."""
    law = [{"median_ms": 100, "spread": 0.5}]
    asked = requests(rows=20_000)
    first, then = Delay("constant-v1?slate=1", latency=law), Delay(BUS, latency=law)
    answer = load(Fallback(first, then, after_ms=100), STAGE).decide(asked)
    over = answer.detail["fell_back"] == 1
    assert abs(over.mean() - 0.5) < 0.02
    assert (answer.latency[~over] <= 100).all()
    assert abs(np.median(answer.latency[over]) - 200) < 4


def test_a_circuit_opens_tries_and_closes():
    """One society's failures open its circuit and no other's; a trial that goes well closes it."""
    flaky = Flaky()
    plan = Fallback(CircuitBreaker(flaky, failures=0.5, turns=5, ticks=2, trial=0.5), BUS)
    policy, seen, asked_for = load(plan, STAGE), [], []
    for tick in range(7):
        flaky.fails = (4,) if tick < 2 else ()
        flaky.asked, asked = 0, requests(tick)
        answer = policy.decide(asked)
        there = asked.replica == 4
        seen.append([int(answer.detail["breaker"][rows][0]) for rows in (~there, there)])
        asked_for.append(int((answer.detail["breaker_failed"][there] >= 0).sum()))
        assert (answer.action[~there] == 1).all()
        assert not answer.fault.any()
        policy.learn(told(asked, answer))
        again = load(plan, STAGE)
        again.restore(policy.state())
        policy = again
    assert [state for _, state in seen] == [0, 1, 1, 2, 0, 0, 0]
    assert all(state == 0 for state, _ in seen)
    assert asked_for[1:3] == [0, 0]
    assert 0 < asked_for[3] < asked_for[4]


def test_without_a_stand_in_an_open_circuit_refuses():
    """People get no answer, at once, and the fault says that the model was not asked."""
    flaky = Flaky()
    flaky.fails = (0, 4)
    policy = load(CircuitBreaker(flaky), STAGE)
    asked = requests()
    policy.learn(told(asked, policy.decide(asked)))
    answer = policy.decide(requests(1))
    assert (answer.fault == Fault.REFUSED).all()
    assert (answer.latency == 0).all()
    assert (answer.detail["model"] == NOTHING).all()


def test_each_learns_from_what_it_saw_itself():
    """A breaker hears of its own model's failures and a queue of its own requests, whoever stands beside."""
    flaky, asked = Flaky(), requests()
    flaky.fails = (0, 4)
    pair = CircuitBreaker(flaky, turns=1), CircuitBreaker(BUS, turns=1)
    for plan in (Split(*pair, share=0.4), Fallback(*pair)):
        policy = load(plan, STAGE)
        policy.learn(told(asked, policy.decide(asked)))
        after = policy.decide(asked).detail
        one, other = (after[f"{word}_breaker"] for word in policy.parts)
        assert one.max() == 1
        assert (other <= 0).all()
    policy = load(Split(Load(BUS), Load(BUS), share=0.4), STAGE)
    answer = policy.decide(asked)
    policy.learn(told(asked, answer))
    assert policy.state()["challenger/asked"].sum() == answer.detail["arm"].sum()


def test_a_cache_in_the_shadow_keeps_no_answer_of_the_live_model():
    """What people got was not its answer, so it is asked again, and still disagrees."""
    policy, asked = load(Shadow("constant-v1?slate=1", Cache(BUS)), STAGE), requests()
    policy.learn(told(asked, policy.decide(asked)))
    assert not policy.decide(requests(1)).detail["agrees"].any()


def test_a_known_question_gets_the_known_answer_for_a_while():
    """It is there soon, until it is too old; where it cannot be had the model is asked anew."""
    flaky = Flaky()
    policy = load(Cache(flaky, ticks=2, latency_ms=3), STAGE)
    items = []
    for tick, flaky.item in enumerate((1, 2, 3, 0, 1)):
        asked = requests(tick)
        answer = policy.decide(asked)
        items.append(set(answer.action))
        assert ((answer.latency == 3) == (answer.detail["cached"] == 1)).all()
        policy.learn(told(asked, answer))
    assert items == [{1}, {1}, {1}, {0}, {0}]
    available = np.ones((40, 4), dtype=np.bool_)
    available[::2, 0] = False
    answer = policy.decide(replace(requests(5), available=available))
    assert np.array_equal(answer.detail["cached"] == 0, np.arange(40) % 2 == 0)
    again = load(Cache(flaky, ticks=2, latency_ms=3), STAGE)
    again.restore(policy.state())
    assert (again.decide(requests(5)).detail["cached"] == 1).all()


def test_rounded_questions_are_the_same():
    """With fewer digits more questions are one, and each society asks for itself."""
    policy = load(Cache(BUS, digits=-3), STAGE)
    asked = requests()
    some = asked.take(np.flatnonzero(asked.replica == 0)[:1])
    policy.learn(told(some, policy.decide(some)))
    cached = policy.decide(requests(1)).detail["cached"]
    assert np.array_equal(cached == 1, asked.replica == 0)
