"""What a policy learns from arrives as late as the scenario says, once, in a fixed order, and not twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import load
from rehearse.contract import NOTHING, Feedback, Stage
from rehearse.errors import ScenarioError, UserError
from rehearse.policies.late import Post
from rehearse.scenario.feedback import Late
from rehearse.scenario.wrong import check

STAGE = Stage(
    items=("a", "b"), features=("x",), groups=("all",), replicas=np.arange(3, dtype=np.int32), seed=11
)
PEOPLE = 400
"""In each of three societies, with two turns a tick."""


def post(**spec) -> Post:
    """Return the post of a scenario's section `feedback`."""
    return Post(check(Late, spec), STAGE)


def turns(tick, people=PEOPLE, labels=True) -> Feedback:
    """Return a tick's turns: the feature of each says who it is, every other label is 1."""
    turn = np.tile(np.arange(2, dtype=np.int16), 3 * people)
    user = np.tile(np.repeat(np.arange(people, dtype=np.int64), 2), 3)
    replica = np.repeat(np.arange(3, dtype=np.int32), 2 * people)
    label = ((user + turn) % 2).astype(np.int8)
    return Feedback(
        features=(user * 1000 + tick * 10 + turn).astype(np.float32)[:, None],
        slate=np.zeros((len(user), 1), np.int32),
        choice=np.zeros(len(user), np.int32),
        reward=label.astype(np.float32),
        propensity=np.ones(len(user), np.float32),
        replica=replica,
        user=user,
        turn=turn,
        group=np.zeros(len(user), np.int8),
        tick=tick,
        label=label if labels else None,
    )


def nobody(tick) -> Feedback:
    """Return a tick in which nobody came."""
    return turns(tick, people=0, labels=False)


def delays(told) -> np.ndarray:
    """Return how late everything that was told is."""
    return np.concatenate([t.tick - t.happened for t in told])


def delivered(late, ticks=1, more=60) -> list[Feedback]:
    """Return what is told of some ticks, and in those after them in which nobody comes."""
    return [late.deliver(turns(tick)) for tick in range(ticks)] + [
        late.deliver(nobody(tick)) for tick in range(ticks, ticks + more)
    ]


def test_without_delay_all_is_told_at_once():
    """A delay of 0 changes nothing, to the bit and in its order."""
    given = turns(3)
    told = post(delay=0).deliver(given)
    for name in ("features", "slate", "choice", "reward", "replica", "user", "turn", "group", "label"):
        assert getattr(told, name).tobytes() == getattr(given, name).tobytes()
    assert (told.happened == 3).all()


def test_a_constant_delay_is_that_many_ticks():
    """Nothing for three ticks, then tick by tick what happened three ticks before."""
    late = post(delay=3)
    told = [late.deliver(turns(tick)) for tick in range(6)]
    assert [len(t.user) for t in told] == [0, 0, 0, 2400, 2400, 2400]
    assert [t.features.tobytes() == turns(i).features.tobytes() for i, t in enumerate(told[3:])] == [True] * 3
    assert len(late) == 3 * 2400


@pytest.mark.parametrize(
    ("law", "tail"),
    [
        ({"exponential": {"mean": 4.0}}, lambda x: np.exp(-x / 4.0)),
        ({"pareto": {"least": 1.0, "tail": 1.2}}, lambda x: x**-1.2),
        ({"lognormal": {"mean": 1.0, "sd": 1.0}}, None),
    ],
)
def test_delays_follow_their_law(law, tail):
    """So much is later than some ticks as the law says, within four standard errors of 2,400 turns."""
    found = delays(delivered(post(delay=law), more=200))
    if tail is None:
        assert abs(np.median(found) - np.floor(np.e)) <= 1
        return
    for x in (2, 5, 10, 20):
        expected = tail(float(x))
        shortfall = 2400 - len(found)
        assert abs(((found >= x).sum() + shortfall) / 2400 - expected) < 4.0 * np.sqrt(expected / 2400)


def test_positives_may_come_later():
    """With laws of their own, labels of 1 wait and labels of 0 do not."""
    told = delivered(post(delay=0, positives=5))
    assert [set(t.label.tolist()) for t in told if len(t.user)] == [{0}, {1}]
    assert [t.tick for t in told if len(t.user)] == [0, 5]


def test_without_labels_a_reward_is_what_is_positive():
    """A world without labels tells positives from negatives by reward, and gets no labels told."""
    late = post(delay=0, positives=2)
    told = [late.deliver(turns(0, labels=False)), late.deliver(nobody(1)), late.deliver(nobody(2))]
    assert [t.reward.tolist() for t in told] == [[0.0] * 1200, [], [1.0] * 1200]
    assert all(t.label is None for t in told)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 6), st.sampled_from(["turns", "labels"]))
def test_everything_is_told_once(mean, what):
    """Nothing is told twice or never, if the run lasts long enough; each in the order of people and ticks."""
    told = delivered(post(delay={"exponential": {"mean": float(mean)}}, what=what), ticks=3, more=400)
    known = [(t.replica, t.features[:, 0], t.label) for t in told if t.label is not None]
    replica, who, label = (np.concatenate(parts) for parts in zip(*known, strict=True))
    given = [(t.replica, t.features[:, 0]) for t in map(turns, range(3))]
    everything = sorted(zip(*(np.concatenate(parts) for parts in zip(*given, strict=True)), strict=True))
    assert sorted(zip(replica[label >= 0], who[label >= 0], strict=True)) == everything
    for t in told:
        order = np.lexsort((t.turn, t.happened, t.user, t.replica))
        assert (order == np.arange(len(order))).all()


def test_labels_alone_may_be_late():
    """All else is told at once, with an unknown label; the label comes by itself, with no item or reward."""
    told = delivered(post(delay=2, what="labels"))
    assert (told[0].label == NOTHING).all()
    assert (told[0].reward == turns(0).reward).all()
    assert (told[2].label == turns(0).label).all()
    assert (told[2].slate == NOTHING).all()
    assert not told[2].reward.any()
    assert told[2].features.tobytes() == turns(0).features.tobytes()


def test_what_takes_too_long_is_never_told():
    """Beyond `lost_after` a turn is lost, as is what is due after the last tick."""
    late = post(delay={"exponential": {"mean": 5.0}}, lost_after=4)
    found = delays(delivered(late))
    assert found.max() == 4
    assert abs(len(found) / 2400 - (1.0 - np.exp(-1.0))) < 0.04
    assert len(late) == 0


def test_only_turns_of_its_time_are_late():
    """`start` and `until` are ticks of the turns, not of the telling."""
    told = delivered(post(delay=3, start=1, until=2), ticks=3)
    assert [(t.tick, sorted(set(t.happened.tolist()))) for t in told if len(t.user)] == [
        (0, [0]),
        (2, [2]),
        (4, [1]),
    ]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 8), st.sampled_from(["turns", "labels"]))
def test_what_waits_survives_a_checkpoint(stop, what):
    """Given up at any tick and taken up again from its state, the post delivers what it would have."""
    law = {"delay": {"pareto": {"least": 1.0, "tail": 1.0}}, "what": what}
    straight, broken = post(**law), post(**law)
    for tick in range(9):
        if tick == stop:
            kept, broken = broken.state(), post(**law)
            broken.restore(kept)
        one, other = (p.deliver(turns(tick, people=20)) for p in (straight, broken))
        assert one.features.tobytes() == other.features.tobytes()
        assert one.happened.tobytes() == other.happened.tobytes()


def test_a_person_is_told_of_as_late_whoever_else_is_there():
    """Delays are each turn's own: fewer people change nothing for those who stay."""
    law = {"delay": {"exponential": {"mean": 3.0}}}
    many, few = post(**law), post(**law)
    for tick in range(8):
        whole = many.deliver(turns(tick))
        part = few.deliver(turns(tick, people=20))
        assert whole.features[whole.user < 20].tobytes() == part.features.tobytes()


def test_labels_that_a_world_does_not_have_cannot_be_late():
    """The error says what can be."""
    with pytest.raises(UserError, match="labels"):
        post(delay=1, what="labels").deliver(turns(0, labels=False))
    with pytest.raises(ScenarioError, match="column"):
        load("travel", settings={"feedback": {"delay": {"column": "hinc"}}})
