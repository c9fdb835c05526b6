"""People written in Python who meet a decision model: the five steps, the record, replicas and the digest."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.agents.cast import Client
from rehearse.agents.model import Rehearsal
from rehearse.agents.user import User
from rehearse.errors import ContractError, NotFoundError, PolicyLoadError, UserError
from rehearse.experiments.play import seated


class Guest(Client):
    """A guest who is hungry every other day, and allergic or not."""

    allergic: bool = False
    eaten: int = 0

    def opens(self):
        return (self.row + self.model.tick) % 2 == 0

    def offered(self):
        return None if self.row else ("soup", "bread")

    def tells(self):
        return {"allergic": self.allergic, "eaten": self.eaten}

    def worth(self, item):
        return {"soup": 2.0, "bread": 1.0, "nuts": -3.0 if self.allergic else 3.0}[item]

    def chooses(self, slate):
        return None if slate[0] == "nuts" and self.allergic else slate[0]

    def settles(self, item):
        self.eaten += 1
        self.model.left -= 1
        return self.chance("tip").random() if item == "nuts" else 0.5


class Cook(User):
    """Somebody who never meets the model."""


class Inn(Rehearsal):
    """A table of guests."""

    items, features = ("soup", "bread", "nuts"), ("allergic", "eaten")
    slate = 2

    def __init__(self, guests=6, left=100, **given):
        super().__init__(**given)
        Guest.create_agents(self, guests, allergic=[i % 3 == 0 for i in range(guests)])
        Cook(self)
        self.left = left

    def measures(self):
        return {"eaten": self.agents.select(agent_type=Guest).agg("eaten", sum), "left": self.left}


class Queue(Inn):
    """The same, served one after another."""

    one_by_one = True


def waiter(person: dict) -> list[str]:
    """Propose what was asked for first, and then the rest."""
    return [item for item in ("nuts", "soup", "bread") if item in person["items"]][:2]


def serves_nuts(requests):
    """Propose nuts to everybody, a batch at a time."""
    return np.full(len(requests), 2)


def rows_of(played, replica=0):
    """Return the turns of a replica as (tick, user, action, choice)."""
    turns = played.turns
    mine = turns["replica"] == replica
    return list(
        zip(*(turns[name][mine].tolist() for name in ("tick", "user", "action", "choice")), strict=True)
    )


def test_the_five_steps_are_asked_of_each():
    """Who opens is offered, tells, is answered, chooses and settles; the record holds it turn by turn."""
    played = rehearse.play(Inn, policy=waiter, replicas=1, ticks=2)
    assert rows_of(played) == [
        *((0, 0, 0, 0), (0, 2, 2, 2), (0, 4, 2, 2)),
        *((1, 1, 2, 2), (1, 3, 2, -1), (1, 5, 2, 2)),
    ]
    turns = played.turns
    assert turns["slate_1"].tolist() == [1, 0, 0, 0, 0, 0]
    assert turns["ideal"].tolist() == [0, 2, 2, 2, 0, 2]
    np.testing.assert_allclose(turns["regret"], [0, 0, 0, 0, 5, 0])
    assert turns["right"].tolist() == [1, 1, 1, 1, 0, 1]
    assert turns["reward"][0] == 0.5
    assert turns["reward"][4] == 0.0
    assert np.isnan(turns["experience"][4])
    assert played.ticks["eaten"].tolist() == [3, 5]
    assert played.ticks["sessions"].tolist() == [3, 3]
    assert played.share("nuts") == pytest.approx(5 / 6)


def test_a_digest_is_shared_by_equal_plays_alone():
    """The same society, policy and seed give the same digest; another seed or policy another one."""
    plays = [
        rehearse.play(Inn, policy=policy, replicas=2, ticks=3, seed=seed)
        for policy, seed in [(waiter, 1), (waiter, 1), (waiter, 2), (serves_nuts, 1)]
    ]
    digests = [played.digest for played in plays]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_replica_does_not_depend_on_the_others():
    """The first society's record is the same, whether it is rehearsed alone or with others."""
    alone, several = (rehearse.play(Inn, policy=waiter, replicas=n, ticks=3) for n in (1, 3))
    assert rows_of(alone) == rows_of(several)
    first = several.turns["replica"] == 0
    np.testing.assert_array_equal(alone.turns["reward"], several.turns["reward"][first])
    assert (
        several.turns["reward"][first].tolist()
        != several.turns["reward"][several.turns["replica"] == 1].tolist()
    )


def test_one_by_one_is_recorded_in_the_order_of_people():
    """Served one after another in an order by chance, people have the same turns, told in their own order."""
    together, queue = (rehearse.play(kind, policy=waiter, replicas=1, ticks=4) for kind in (Inn, Queue))
    assert rows_of(together) == rows_of(queue)
    np.testing.assert_array_equal(together.turns["reward"], queue.turns["reward"])


def test_one_by_one_sees_what_those_before_did():
    """What one takes is gone for the next, in the same tick; the order is not always the same."""

    class Last(Guest):
        def offered(self):
            return ("soup",) if self.model.left > 0 else ("bread",)

    class Scarce(Queue):
        def __init__(self, **given):
            super().__init__(guests=0, left=1, **given)
            Last.create_agents(self, 40)

    firsts = []
    for seed in range(4):
        played = rehearse.play(Scarce, policy=waiter, replicas=1, ticks=1, seed=seed)
        action = played.turns["action"].tolist()
        assert sorted(action) == [0] + [1] * 19
        firsts.append(action.index(0))
    assert len(set(firsts)) > 1


def test_a_measure_has_an_interval_over_replicas():
    """The mean over societies is told with bounds; a measure that nobody took is not found."""
    played = rehearse.play(Inn, policy=waiter, replicas=4, ticks=2)
    eaten = played.measure("eaten")
    assert (eaten.estimate, eaten.n, eaten.unit) == (5.0, 4, "replicas")
    assert played.measure("eaten", tick=0).estimate == 3.0
    with pytest.raises(NotFoundError, match="Did you mean 'eaten'"):
        played.measure("eatn")
    with pytest.raises(NotFoundError, match="no item 'nut'"):
        played.share("nut")


def test_a_failing_policy_is_a_fault_and_not_the_end():
    """Where the model raises, the person has no answer, and the society goes on."""

    def moody(person: dict) -> str:
        return 1 / 0 if person["allergic"] else "soup"

    played = rehearse.play(Inn, policy=moody, replicas=1, ticks=2)
    assert played.turns["fault"].tolist() == [1, 0, 0, 0, 1, 0]
    assert played.ticks["eaten"].tolist() == [2, 4]


def test_a_model_that_learns_is_told(tmp_path):
    """A policy with `learn` hears of each tick, in a copy of its own for each society."""

    class Notes:
        def __init__(self):
            self.heard = 0

        def decide(self, requests):
            return np.full(len(requests), min(self.heard, 1))

        def learn(self, feedback):
            self.heard += 1

    played = rehearse.play(Inn, policy=Notes(), replicas=2, ticks=2)
    assert [row[2] for row in rows_of(played, 1)] == [0, 0, 0, 1, 1, 1]


def test_nobody_may_ever_ask():
    """Where nobody opens a session the record of turns is empty, and shares are unknown."""
    played = rehearse.play(Inn, policy=waiter, guests=0, replicas=2, ticks=2)
    assert played.turns.length == 0
    assert np.isnan(played.share("soup"))
    assert played.measure("eaten").estimate == 0.0


def test_a_society_can_be_stepped_by_hand():
    """`seated` gives a Mesa model with its policy; without a policy people live on and meet nobody."""
    inn = seated(Inn, policy=waiter, ticks=2, guests=4)
    inn.run_model()
    assert (inn.tick, inn.running, inn.left) == (2, False, 97)
    idle = Inn()
    idle.step()
    assert (idle.tick, idle.running, idle.left) == (1, True, 100)


class Sleepy(Inn):
    """A society whose time does not pass."""

    def step(self):
        """Forget to call on."""


class Talkative(Inn):
    """A society whose features are not what its people tell."""

    features = ("allergic",)


class Greedy(Guest):
    """A guest who takes what there is not."""

    def chooses(self, slate):
        return "cake"


class Wishful(Inn):
    """A society with such a guest."""

    def __init__(self, **given):
        super().__init__(guests=0, **given)
        Greedy.create_agents(self, 2)


MISTAKES = {
    "no time passes": (UserError, "lets no time pass", lambda: rehearse.play(Sleepy, policy=waiter)),
    "no replicas": (UserError, "nothing to rehearse", lambda: rehearse.play(Inn, policy=waiter, replicas=0)),
    "no items": (UserError, "nothing that a policy", lambda: rehearse.play(Rehearsal, policy=waiter)),
    "no policy": (PolicyLoadError, "no policy named", lambda: rehearse.play(Inn, policy="greedy")),
    "other features": (ContractError, "tells", lambda: rehearse.play(Talkative, policy=waiter)),
    "no such item": (ContractError, "no item 'cake'", lambda: rehearse.play(Wishful, policy=waiter)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_do(mistake):
    """What cannot be played is refused with what was found."""
    error, match, make = MISTAKES[mistake]
    with pytest.raises(error, match=match):
        make()
