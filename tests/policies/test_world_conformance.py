"""The conformance test for worlds: it passes what keeps the contract and names what breaks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.contract import NOTHING, Offer, Outcomes
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
        took = responses.choice != NOTHING
        return Outcomes(
            reward=took.astype(np.float32),
            experience=np.where(took, 0.5, np.nan).astype(np.float32),
            ideal=truth.argmax(axis=1).astype(np.int32),
            regret=regret.astype(np.float32),
            right=(regret == 0).astype(np.int8),
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
