"""The conformance test for worlds: it passes what keeps the contract and names what breaks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.contract import NOTHING, Offer, Outcomes
from rehearse.scenario.drift import Moves
from rehearse.scenario.model import Drift
from rehearse.testing import check_world


def people(n=30):
    """Return people with tastes over two attributes and what the world below needs."""
    user = np.arange(n, dtype=np.int64)
    return Columns(
        {
            "user": user,
            "replica": (user // 15).astype(np.int32),
            "taste": np.stack([np.sin(user), np.cos(user)], axis=1).astype(np.float32),
            "income": (20.0 + user).astype(np.float32),
        }
    )


class Shop:
    """Three things to choose from, the same for all; the truly best depends on taste."""

    name = "shop"
    items = ("tea", "cake", "both")
    attributes = ("warm", "sweet")
    features = ("income",)
    needs = ("income",)
    coupled = False

    def __init__(self):
        self.price = np.zeros(1)

    def offer(self, turn, people):
        goods = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.8]])
        return Offer(attributes=goods, features=people["income"].take(turn.rows)[:, None])

    def truth(self, turn, people, offer):
        taste = people.numbers("taste", turn.rows)
        return taste[:, :1] * offer.attributes[:, 0] + taste[:, 1:] * offer.attributes[:, 1] - self.price

    def settle(self, turn, people, offer, decisions, responses):
        truth = self.truth(turn, people, offer)
        action = np.maximum(decisions.action, 0)
        regret = truth.max(axis=1) - np.take_along_axis(truth, action[:, None], axis=1)[:, 0]
        took, answered = responses.choice != NOTHING, decisions.action != NOTHING
        return Outcomes(
            reward=took.astype(np.float32),
            experience=np.where(took, 0.5, np.nan).astype(np.float32),
            ideal=truth.argmax(axis=1).astype(np.int32),
            regret=np.where(answered, regret, np.nan).astype(np.float32),
            right=np.where(answered, regret == 0, -1).astype(np.int8),
        )

    def table(self):
        return None

    def drift(self, tick):
        return ["prices rise"] if tick == 0 else []

    def state(self):
        return {"price": self.price.copy()}

    def restore(self, state):
        self.price = np.array(state["price"])


def altered(**methods):
    """Return the shop with some of its methods or attributes replaced."""
    return type("Altered", (Shop,), methods)()


def settled(**columns):
    """Return a settle that replaces some columns of the outcome; each is made from it and the turn."""

    def settle(self, turn, *rest):
        right = Shop.settle(self, turn, *rest)
        return replace(right, **{name: make(right, turn) for name, make in columns.items()})

    return settle


def offered(**columns):
    """Return an offer with some columns replaced."""

    def offer(self, turn, people):
        right = Shop.offer(self, turn, people)
        return replace(right, **{name: make(right, turn) for name, make in columns.items()})

    return offer


def twice(offer, turn):
    """Return each feature two times over."""
    return np.repeat(offer.features, 2, axis=1)


def greedy_offer(self, turn, people):
    """Change what belongs to the people."""
    people["income"][:] = 0
    return Shop.offer(self, turn, people)


def test_a_sound_world_passes():
    """A world that keeps to the contract breaks no rule."""
    assert check_world(Shop(), people()) == []


@pytest.mark.parametrize(
    ("rule", "world"),
    [
        ("names", altered(items=("tea", "tea", "both"))),
        ("drift", altered(drift=lambda self, tick: [7])),
        ("shape", altered(attributes=("warm",))),
        ("shape", altered(features=())),
        ("shape", altered(offer=offered(available=lambda o, t: np.ones((2, 2), bool)))),
        ("finite", altered(offer=offered(features=lambda o, t: o.features * np.nan))),
        ("shape", altered(truth=lambda self, turn, people, offer: np.zeros((len(turn), 2)))),
        ("finite", altered(settle=settled(reward=lambda o, t: o.reward + np.inf))),
        ("range", altered(settle=settled(experience=lambda o, t: o.experience + 1))),
        ("range", altered(settle=settled(regret=lambda o, t: o.regret - 5))),
        ("range", altered(settle=settled(right=lambda o, t: o.right + 3))),
        ("items", altered(settle=settled(ideal=lambda o, t: o.ideal + 3))),
        ("shape", altered(settle=settled(reward=lambda o, t: o.reward[1:]))),
        ("shape", altered(settle=settled(detail=lambda o, t: {"delay": np.zeros(2)}))),
        ("independence", altered(settle=settled(reward=lambda o, t: o.reward / len(t)))),
        ("independence", altered(offer=offered(features=lambda o, t: o.features - o.features.mean()))),
        ("mutation", altered(offer=greedy_offer)),
        ("names", altered(features=("income", "income"), offer=offered(features=twice))),
        ("items", altered(refusals=("tea", "cake", "both"))),
        ("items", altered(refusals=("coffee",))),
        ("items", altered(offer=offered(available=lambda o, t: np.tile([True, False, False], (len(t), 1))))),
        ("regret", altered(settle=settled(regret=lambda o, t: o.regret + 1))),
        ("finite", altered(settle=settled(cost=lambda o, t: o.reward + np.inf))),
        ("finite", altered(settle=settled(becomes=lambda o, t: {"income": o.reward + np.inf}))),
        ("range", altered(settle=settled(label=lambda o, t: o.right + 3))),
        ("missed", altered(settle=settled(missed=lambda o, t: np.isnan(o.experience)))),
        ("range", altered(settle=settled(end=lambda o, t: o.right + 90))),
        ("becomes", altered(settle=settled(becomes=lambda o, t: {"wealth": o.reward}))),
        ("shape", altered(settle=settled(becomes=lambda o, t: {"income": o.reward[:, None]}))),
        ("shape", altered(settle=settled(reward=lambda o, t: o.reward.tolist()))),
        ("truth", altered(settle=settled(ideal=lambda o, t: ((o.ideal + 1) % 3).astype(np.int32)))),
        ("right", altered(settle=settled(right=lambda o, t: np.where(o.right < 0, o.right, 1 - o.right)))),
        ("unanswered", altered(settle=settled(right=lambda o, t: np.maximum(o.right, 0)))),
        ("unanswered", altered(settle=settled(regret=lambda o, t: np.nan_to_num(o.regret)))),
        ("state", altered(state=lambda self: {"price": np.array([object()])})),
        ("state", altered(restore=lambda self, state: setattr(self, "price", self.price + 1))),
        ("raises", altered(truth=lambda self, turn, people, offer: people["wealth"])),
    ],
)
def test_each_broken_rule_is_named(rule, world):
    """A world that breaks a rule is told which."""
    assert rule in {sentence.partition(":")[0] for sentence in check_world(world, people())}


def test_what_is_missing_is_said():
    """A thing that is no world, and people who lack a column, are told so at once."""
    assert check_world(object(), people())[0].startswith("names: the world has no name")
    bare = Columns({name: array for name, array in people().items() if name != "income"})
    assert check_world(Shop(), bare) == ["needs: the people have no column 'income'."]


def stall(drift=(), forget=False, deaf=False):
    """Return the shop with prices that a schedule and custom move; `forget`: out of its state."""
    moves = Moves(() if deaf else drift, ("price",))

    class Stall(Shop):
        def offer(self, turn, people):
            found = Shop.offer(self, turn, people)
            return replace(found, features=moves.now("price", found.features) + np.float32(self.price))

        def settle(self, turn, people, offer, decisions, responses):
            found = Shop.settle(self, turn, people, offer, decisions, responses)
            self.price = np.array([turn.tick])
            return found

        def drift(self, tick):
            return moves.enter(tick)

        def state(self):
            return moves.state() | ({} if forget else {"price": self.price.copy()})

        def restore(self, state):
            moves.restore(state)
            self.price = np.array(state.get("price", self.price))

    return Stall()


RISE = Drift(tick=1, what="price", times=2.0)


def test_a_world_that_can_be_resumed_and_refuses_what_it_does_not_know_passes():
    """With what makes it anew, a world is put away at a tick, taken up, and given a change of nothing."""
    assert check_world(stall(), people(), build=lambda drift: stall((*drift, RISE))) == []


@pytest.mark.parametrize(
    ("rule", "build"),
    [
        ("state", lambda drift: stall((*drift, RISE), forget=True)),
        ("drift", lambda drift: stall(drift, deaf=True)),
    ],
)
def test_what_goes_wrong_anew_is_named(rule, build):
    """A world that forgets at which tick it is, or heeds no path, is told so."""
    assert {sentence.partition(":")[0] for sentence in check_world(stall(), people(), build=build)} == {rule}
