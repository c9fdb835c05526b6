"""Items that come out over time, their makers, and worth that tastes do not tell."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import NOTHING, Decisions, Responses, Turn
from rehearse.environments.creators import Creators, Shelves
from rehearse.environments.gammas import Pairs, beta, gamma
from rehearse.environments.recommend import build
from rehearse.errors import DataError, ScenarioError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.testing import check_world

ITEMS = 12


def world(**settings):
    """Return a world of twelve items with a block of two attributes."""
    given = {"items": {"count": ITEMS}, "attributes": {"topic": {"normal": {"sd": 0.5}, "dims": 2}}}
    return build(given | settings, data=None, drift=(), chance=Chance(5))


def people(n=6, replicas=1):
    """Return people with tastes, and everybody's turn."""
    taste = Chance(8).uniform("taste", 0, np.arange(n * replicas), count=2)
    columns = Columns(
        {
            "replica": np.repeat(np.arange(replicas, dtype=np.int32), n),
            "user": np.tile(np.arange(n), replicas),
            "taste": taste.astype(np.float32),
        }
    )
    return columns, Turn(np.arange(n * replicas), columns["replica"], columns["user"], 0, 0, Chance(5))


def taken(item):
    """Return answers and responses of people who take these items."""
    item = np.asarray(item, dtype=np.int32)
    flat = np.zeros(len(item), np.int8)
    worth = np.zeros(len(item), np.float32)
    return Decisions.of(item), Responses(choice=item, position=flat, utility=worth, end=flat)


def test_items_come_out_in_the_order_of_their_numbers():
    """`start` and `each_tick` of them can be had in the first tick, and as many more in each other."""
    made = world(creators={"start": 3, "each_tick": 2}, catalogue=["topic"])
    columns, turn = people()
    for tick, out in ((0, 5), (1, 7), (4, 12), (9, 12)):
        made.drift(tick)
        offer = made.offer(turn, columns)
        assert offer.catalogue is not None
        assert (offer.catalogue[out:] == 0.0).all()
        assert (offer.catalogue[:out] == offer.attributes[:out]).all()
        if out < ITEMS:
            assert offer.available is not None
            assert offer.available[0].tolist() == [True] * out + [False] * (ITEMS - out)
    assert made.offer(turn, columns).available is None


def test_a_world_with_creators_and_worth_of_its_own_keeps_the_contract():
    """The conformance test of worlds finds nothing."""
    columns, _ = people(9)
    assert check_world(world(creators={"start": 3, "each_tick": 2}), columns) == []
    made = world(
        creators={"start": 3, "each_tick": 2, "count": 2, "follows": 0.2},
        utility={"law": "normal", "sd": 0.1, "known": {"mean": 0.9, "sd": 0.05}},
    )
    assert check_world(made, columns) == []


def test_creators_move_towards_what_was_taken_of_theirs():
    """A profile goes `follows` of the way to the mean of what was taken; items stay as they came out."""
    law = Creators(start=4, each_tick=2, count=2, own=0.25, follows=0.5)
    drawn = Chance(1).normal("drawn", 0, np.arange(8), count=2)
    shelves = Shelves(law, drawn)
    shelves.publish(0)
    first = shelves.tables[0].copy()
    assert first[2] == pytest.approx(0.25 * drawn[2] + 0.75 * drawn[0])
    shelves.note(0, np.array([2, 2, 4]))
    shelves.publish(1)
    expected = drawn[0] + 0.5 * ((2 * first[2] + first[4]) / 3 - drawn[0])
    assert shelves.state()["profiles"][0, 0] == pytest.approx(expected)
    assert shelves.state()["profiles"][0, 1] == pytest.approx(drawn[1])
    assert shelves.tables[0, 6] == pytest.approx(0.25 * drawn[6] + 0.75 * expected)
    assert (shelves.tables[0, :6] == first[:6]).all()


def test_a_world_with_creators_goes_on_from_its_state():
    """What creators made is kept, society by society."""
    settings = {"creators": {"start": 4, "each_tick": 2, "count": 2, "follows": 0.5}}
    one, other = world(**settings), world(**settings)
    columns, turn = people(6, replicas=2)
    for made in (one, other):
        made.begin(np.array([0, 1]))
    one.drift(0)
    for society in (0, 1):
        part = turn.where(turn.replica == society)
        one.settle(part, columns, one.offer(part, columns), *taken([society + 2] * 6))
    other.drift(0)
    other.restore(one.state())
    for made in (one, other):
        made.drift(1)
    parts = [turn.where(turn.replica == society) for society in (0, 1)]
    tables = [one.offer(part, columns).attributes for part in parts]
    assert not np.array_equal(*tables)
    for part, table in zip(parts, tables, strict=True):
        assert np.array_equal(other.offer(part, columns).attributes, table)


def test_societies_with_creators_of_their_own_live_alone_as_among_others():
    """A replica is the same whether or not others are run, in blocks of any size."""
    changes = {
        "world.settings.creators": {"start": 50, "each_tick": 5, "count": 10, "follows": 0.3},
        "world.settings.items": {"count": 80},
        "policy": {"name": "popular-v1", "settings": {}},
        "criteria": [],
    }
    scenario = load("feed", users=30, ticks=4, replicas=2, settings=changes)
    together = assemble(scenario, Props(block=7)).simulation
    alone = assemble(scenario, Props(replicas=[1])).simulation
    for _ in range(4):
        together.advance()
        alone.advance()
    assert np.array_equal(together.users.columns["taste"][30:], alone.users.columns["taste"])
    assert np.array_equal(together.world.state()["tables"][1], alone.world.state()["tables"][0])
    assert not np.array_equal(*together.world.state()["tables"])


def test_worth_differs_from_taste_with_the_stated_spread_and_is_known_in_part():
    """Beta′ has the mean that tastes say and the stated spread; people expect a share of it."""
    made = build(
        {
            "items": {"count": 400},
            "attributes": {"topic": {"drawn": {"uniform": {}}, "dims": 2}},
            "utility": {"law": "beta", "sd": 0.05, "known": {"mean": 0.5}},
        },
        data=None,
        drift=(),
        chance=Chance(5),
    )
    columns, turn = people(40)
    columns["taste"] = (0.1 + 0.3 * columns.numbers("taste")).astype(np.float32)
    made.drift(0)
    offer = made.offer(turn, columns)
    by_taste = columns.numbers("taste") @ offer.attributes.T
    true = made.truth(turn, columns, offer)
    inside = (by_taste > 0.03) & (by_taste < 0.97)
    assert (true - by_taste)[inside].mean() == pytest.approx(0.0, abs=4 * 0.05 / np.sqrt(inside.sum()))
    assert (true - by_taste)[inside].std() == pytest.approx(0.05, rel=0.03)
    assert offer.beside is not None
    assert by_taste + offer.beside == pytest.approx(0.5 * true)
    assert true.min() >= 0.0
    assert true.max() <= 1.0
    some = turn.take(np.array([3, 17]))
    assert np.array_equal(made.truth(some, columns, made.offer(some, columns)), true[[3, 17]])


@pytest.mark.parametrize("shape", [0.2, 1.0, 7.5, 1e6])
def test_gamma_and_beta_draws_have_their_moments(shape):
    """Means and variances of 20,000 draws lie within five standard errors."""
    n = 20_000
    pairs = Pairs(Chance(3), np.zeros(n, np.int32), np.arange(n), np.zeros(n, np.int64))
    drawn = gamma(pairs, "test", np.full(n, shape))
    assert drawn.mean() == pytest.approx(shape, abs=5 * np.sqrt(shape / n))
    assert drawn.var() == pytest.approx(shape, rel=5 * np.sqrt((2 + 6 / shape) / n))
    shares = beta(pairs, "test", np.full(n, shape), np.full(n, 2 * shape))
    spread = np.sqrt(2 / 9 / (3 * shape + 1))
    assert shares.mean() == pytest.approx(1 / 3, abs=5 * spread / np.sqrt(n))
    assert shares.std() == pytest.approx(spread, rel=0.05)


def test_items_come_from_a_table(tmp_path):
    """A row is an item, every other column of numbers an attribute."""
    path = tmp_path / "items.csv"
    path.write_text("item,length,topic,maker\na,1.5,0,x\nb,2,1,y\n")
    made = build({"items": {"table": str(path)}}, data=None, drift=(), chance=Chance(1))
    assert made.items == ("a", "b")
    assert made.attributes == ("length", "topic")
    path.write_text("item,length\na,1\na,2\n")
    with pytest.raises(DataError, match="'a' stands twice"):
        build({"items": {"table": str(path)}}, data=None, drift=(), chance=Chance(1))


@pytest.mark.parametrize(
    "settings", [{"catalogue": ["x"]}, {"creators": {"count": 2}}, {"utility": {"sd": 0.1}}]
)
def test_what_all_must_face_alike_is_refused_where_people_differ(settings):
    """Creators, catalogues and worth of their own need items that are the same for all people."""
    attributes = {"x": {"item": "a", "times": "income"}}
    with pytest.raises(ScenarioError, match="attributes of their own"):
        build(
            {"items": ["a", "b"], "attributes": attributes} | settings, data=None, drift=(), chance=Chance(1)
        )


def test_nobody_takes_what_is_not_out():
    """Choices of a run lie among the items that were out."""
    changes = {"world.settings.creators": {"start": 20, "each_tick": 10}, "criteria": []}
    changes["policy"] = {"name": "random-v1", "settings": {}}
    simulation = assemble(load("feed", users=40, ticks=3, replicas=1, settings=changes)).simulation
    seen = []

    class Heard:
        def on_turn(self, exchange):
            seen.append((exchange.turn.tick, exchange.responses.choice.max(initial=NOTHING)))

        def on_tick(self, tick, users):
            pass

    simulation.watchers.append(Heard())
    for _ in range(3):
        simulation.advance()
    assert all(item < 20 + 10 * (tick + 1) for tick, item in seen)
    assert max(item for _, item in seen) >= 40
