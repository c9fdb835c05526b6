"""The world `pricing-v1`: what people are offered, buy and pay, with rivals and stock, by its laws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import compiled
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, End, Responses, Turn
from rehearse.environments.pricing import LogitMarket
from rehearse.environments.pricing.world import build
from rehearse.errors import ScenarioError, UserError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.testing.worlds import check_world

GRID = {"low": 2.0, "high": 20.0, "count": 10}
RIVALS = {
    "still": {"price": 9.0},
    "shadow": {"rule": "undercut", "price": 9.0, "by": 1.0},
    "mirror": {"rule": "match", "price": 9.0},
    "pupil": {"rule": "q-learning", "price": 9.0},
}
EVERYTHING = {
    "reference": {},
    "rivals": RIVALS,
    "stock": {"level": 6, "every": 3, "holding": 0.1},
    "harm": {"markup": 0.5},
}


def world_of(drift=(), **given):
    """Return a world with prices from 2 to 20 and a cost of 2."""
    return build({"prices": GRID, "cost": 2.0} | given, data=None, drift=drift, chance=Chance(3))


def people_of(count=30, noise=1.0, societies=1):
    """Return some people with different reservation prices and money that is worth half a logit."""
    user = np.arange(count * societies) % count
    return Columns(
        {
            "replica": np.repeat(np.arange(societies, dtype=np.int32), count),
            "user": user,
            "taste": np.full((len(user), 1), 0.5, dtype=np.float32),
            "noise": np.full(len(user), noise, dtype=np.float32),
            "reservation_price": (4.3 + user * 14.0 / count).astype(np.float32),
            "reference_price": np.full(len(user), 10.0, dtype=np.float32),
        }
    )


def met(world, people, action, took, tick=0, turn=0):
    """Return what follows when people are offered prices by number, and some take them."""
    rows = np.arange(people.length)
    moment = Turn(rows, people["replica"], people["user"], tick, turn, Chance(5))
    offer = world.offer(moment, people)
    action = np.broadcast_to(np.asarray(action, dtype=np.int32), len(rows))
    took = np.broadcast_to(took, len(rows))
    responses = Responses(
        choice=np.where(took, action, -1).astype(np.int32),
        position=np.where(took, 0, -1).astype(np.int8),
        utility=np.zeros(len(rows), dtype=np.float32),
        end=np.full(len(rows), End.NONE, dtype=np.int8),
    )
    return offer, world.settle(moment, people, offer, Decisions.of(action), responses)


@pytest.mark.parametrize(
    "given", [{}, {"reference": {}}, {"rivals": {"still": RIVALS["still"]}}, EVERYTHING, {"truth": "welfare"}]
)
def test_it_keeps_to_the_contract(given):
    """No rule of a world is broken, with and without memory, rivals and stock."""
    assert check_world(world_of(**given), people_of(societies=2)) == []


def test_nobody_wants_what_costs_more_than_it_is_worth():
    """Without noise the chance to buy is 1 below the reservation price and 0 above."""
    world, people = world_of(), people_of(noise=0.0)
    offer, outcomes = met(world, people, 4, took=False)
    worth = people["reservation_price"][:, None] - world.grid
    assert ((offer.attributes[:, :, 0] > 0.0) == (worth > 0.0)).all()
    highest = np.where(worth > 0.0, world.grid, -1.0).argmax(axis=1)
    assert outcomes.ideal.tolist() == highest.tolist()


@given(st.integers(0, 9), st.sampled_from(["profit", "welfare"]), st.floats(0.05, 3.0))
@settings(max_examples=40)
def test_regret_is_what_the_truth_says(action, truth, noise):
    """Regret is the truth of the ideal price less that of the one offered, and never negative."""
    world, people = world_of(truth=truth, rivals={"still": RIVALS["still"]}), people_of(noise=noise)
    offer, outcomes = met(world, people, action, took=False)
    rows = np.arange(people.length)
    moment = Turn(rows, people["replica"], people["user"], 0, 0, Chance(5))
    worth = world.truth(moment, people, offer)
    assert (outcomes.regret >= 0.0).all()
    assert outcomes.regret == pytest.approx(worth.max(axis=1) - worth[:, action], abs=1e-5)
    assert (worth[rows, outcomes.ideal] == worth.max(axis=1)).all()


def test_the_chance_to_buy_is_the_share_of_a_logit_market():
    """With rivals, the truth is (price − cost) times the share of `LogitMarket.demand`."""
    rivals = {"a": {"price": 9.0, "quality": 1.0}, "b": {"price": 11.0}}
    world, people = world_of(rivals=rivals), people_of(count=5, noise=0.8)
    offer, _ = met(world, people, 0, took=False)
    moment = Turn(np.arange(5), people["replica"], people["user"], 0, 0, Chance(5))
    worth = world.truth(moment, people, offer)
    for person, reservation in enumerate(people["reservation_price"].tolist()):
        market = LogitMarket((reservation, reservation + 1.0, reservation), (2.0,) * 3, 0.0, 0.8 / 0.5)
        for place, price in enumerate(world.grid):
            assert worth[person, place] == pytest.approx(market.profits([price, 9.0, 11.0])[0], rel=1e-6)


def test_losses_loom_larger_than_gains():
    """A price above the reference takes away twice what one as far below it adds."""
    plain, people = world_of(), people_of()
    minded = world_of(reference={"gain": 0.3, "loss": 0.6, "memory": 0.5})
    one, two = (met(world, people, 6, took=True) for world in (plain, minded))
    difference = (two[0].attributes - one[0].attributes)[0, :, 0]
    assert difference == pytest.approx(np.where(plain.grid < 10, 0.3, 0.6) * (10.0 - plain.grid))
    assert two[1].becomes["reference_price"] == pytest.approx(0.5 * 10.0 + 0.5 * plain.grid[6])
    assert not one[1].becomes


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(1, 40), st.integers(1, 4))
@settings(max_examples=40)
def test_units_and_money_are_conserved(actions, level, every):
    """What was in store and came in is what was sold and is left; what buyers paid is what came in."""
    world = world_of(stock={"level": level, "every": every, "holding": 0.25})
    world.begin(np.arange(2, dtype=np.int32))
    people = people_of(societies=2)
    for tick, action in enumerate(actions):
        before = world.store.units.copy()
        world.drift(tick)
        held = world.store.units.copy()
        assert (held >= before).all()
        assert (held == (np.maximum(before, level) if tick % every == 0 else before)).all()
        _, outcomes = met(world, people, action, took=people["user"] % 2 == 0, tick=tick)
        sold = np.bincount(people["replica"], weights=outcomes.label, minlength=2)
        assert (world.store.units == held - sold).all()
        assert (world.store.units >= 0).all()
        assert sold.tolist() == np.minimum(held, 15).tolist()
        paid = np.nansum(outcomes.detail["paid"])
        assert outcomes.reward.sum() == pytest.approx(paid - 2.0 * sold.sum() - 0.25 * held.sum(), abs=1e-3)


def test_who_comes_too_late_is_let_down():
    """Those who chose a price and found the store empty miss it, pay nothing and have the worst of it."""
    world, people = world_of(stock={"level": 4}), people_of()
    _, outcomes = met(world, people, 3, took=True)
    gone = outcomes.label == 0
    assert gone.sum() == 26
    assert np.isnan(outcomes.detail["paid"][gone]).all()
    assert (outcomes.missed == gone).all()
    assert (outcomes.experience[gone] == 0.0).all()
    assert (outcomes.experience[~gone] > 0.0).all()
    offer, _ = met(world, people, 3, took=False, tick=1)
    assert not offer.available.any()


def test_only_what_was_sold_is_taken():
    """Who finds the last unit gone has taken nothing and met no goal, in the record and in their minds."""
    scarce = {"world.settings.stock.level": 20}
    simulation = assemble(load("pricing-rivals", users=60, replicas=2, settings=scarce)).simulation
    met = simulation.users.columns["goals_met"]
    passed = []
    simulation.watchers.append(SimpleNamespace(on_turn=passed.append, on_tick=lambda *_: None))
    for _ in range(4):
        simulation.advance()
    missed = np.concatenate([turn.outcomes.missed for turn in passed])
    bought = np.concatenate([turn.outcomes.label for turn in passed]) == 1
    taken = np.concatenate([turn.responses.choice for turn in passed]) >= 0
    ends = np.concatenate([turn.end for turn in passed])
    assert missed.sum() > 0
    assert taken.tolist() == bought.tolist()
    assert bought.sum() == (ends == End.GOAL_MET).sum() == met.sum() == 40
    assert (ends[missed] == End.INFEASIBLE).all()
    assert (np.concatenate([turn.after["progress"] for turn in passed])[missed] == 0.0).all()


def test_everybody_buys_somewhere_or_nowhere():
    """Who does not buy here buys from one rival or nobody, as often as a logit says."""
    world, people = world_of(rivals={"still": RIVALS["still"]}), people_of(count=4000)
    _, outcomes = met(world, people, 9, took=people["user"] % 4 == 0)
    seller = outcomes.detail["seller"]
    assert (seller[::4] == 0).all()
    others = people["user"] % 4 > 0
    share = 1.0 / (1.0 + np.exp(-0.5 * (people["reservation_price"][others] - 9.0)))
    assert set(seller[others].tolist()) == {-1, 1}
    assert (seller[others] == 1).mean() == pytest.approx(share.mean(), abs=0.03)


def test_rivals_follow_their_rules():
    """A rival keeps its price, asks what was offered here, or a little less, but not below cost."""
    world, people = world_of(rivals=RIVALS), people_of()
    for tick, action in enumerate([4, 4, 0]):
        world.drift(tick)
        met(world, people, action, took=False, tick=tick)
    world.drift(3)
    still, shadow, mirror, pupil = world.rivals.prices[0]
    assert (still, shadow, mirror) == (9.0, 2.0, 2.0)
    assert pupil in world.grid
    seen, _ = met(world, people, 0, took=False, tick=3)
    assert dict(zip(world.features, seen.features[0].tolist(), strict=True)) == pytest.approx(
        {"cost": 2.0, "own_price": 2.0, "price_still": 9.0, "price_shadow": 9.0, "price_mirror": 10.0}
        | {"price_pupil": seen.features[0, -1]}
    )


def test_a_society_without_customers_stands_still():
    """Rivals of a society move only after a tick in which it had customers."""
    world, people = world_of(rivals=RIVALS), people_of(societies=2)
    world.begin(np.arange(2, dtype=np.int32))
    first = Columns({name: a[:30] for name, a in people.items()})
    for tick in range(3):
        world.drift(tick)
        met(world, first, 5, took=False, tick=tick)
    world.drift(3)
    assert world.rivals.prices[1].tolist() == [9.0] * 4
    assert world.rivals.prices[0, 2] == 12.0


def test_a_rival_that_learns_finds_the_better_price():
    """With a fixed price here, a Q-learner ends at the price of the grid that earns it most."""
    learner = {"rate": 0.3, "decay": 0.004, "discount": 0.0}
    world = world_of(rivals={"pupil": {"rule": "q-learning", "price": 4.0, "learner": learner}})
    people = people_of(count=1)
    for tick in range(2000):
        world.drift(tick)
        met(world, people, 9, took=False, tick=tick)
    market = LogitMarket((4.3, 4.3), (2.0, 2.0), 0.0, 2.0)
    earned = [market.profits([20.0, price])[1] for price in world.grid]
    assert world.rivals.prices[0, 0] == world.grid[int(np.argmax(earned))]


def test_expected_sales_need_no_luck():
    """With sales: expected the reward is the margin times the chance to buy, whatever people did."""
    world, people = world_of(sales="expected"), people_of(noise=1.0)
    _, outcomes = met(world, people, 5, took=False)
    share = 1.0 / (1.0 + np.exp(-0.5 * (people["reservation_price"] - 12.0)))
    assert outcomes.reward == pytest.approx(10.0 * share, rel=1e-5)


def test_harm_is_what_is_paid_above_a_fair_price():
    """With a fair price of 3 for a cost of 2, who pays 12 is harmed by 9, and who does not buy by nothing."""
    world, people = world_of(harm={"markup": 0.5}), people_of(count=2)
    _, outcomes = met(world, people, 5, took=np.array([True, False]))
    assert outcomes.harm.tolist() == [9.0, 0.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prices": [3.0, 2.0]}, "ascend"),
        ({"sales": "expected", "stock": {"level": 3}}, "no stock can be kept"),
        ({"harm": {}}, "either price or markup"),
        ({"experience": {"delay": {"mean_minutes": {}, "felt_as": "surplus"}}}, "nothing is late"),
        ({"rivals": {"x": {"rule": "gouge", "price": 1.0}}}, "rule"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, said):
    """What is wrong is named with its path and in words."""
    with pytest.raises(ScenarioError, match=said):
        world_of(**given)


def test_a_second_turn_among_rivals_is_refused():
    """Who did not buy here may have bought elsewhere, and cannot be asked again."""
    world, people = world_of(rivals={"still": RIVALS["still"]}), people_of()
    with pytest.raises(UserError, match="max_turns"):
        met(world, people, 0, took=False, turn=1)


def test_discounts_are_prices():
    """A list price and discounts make the prices, named after themselves."""
    world = world_of(prices={"list_price": 10.0, "discounts": [0.0, 0.25, 0.5]})
    assert world.items == ("5", "7.5", "10")


def test_schedules_move_costs_and_what_things_are_worth():
    """A drift of the cost (a rival's too that has none of its own), of worth and of a price holds at once."""
    moves = [
        {"tick": 1, "what": "world.settings.cost"},
        {"tick": 3, "what": "cost", "add": 1.0},
        {"tick": 3, "what": "reservation_price", "times": 2.0},
        {"tick": 3, "what": "price.still", "add": -4.0},
    ]
    given = {"world.settings.rivals": {"still": {"price": 9.0}, "own": {"price": 9.0, "cost": 3.0}}}
    with pytest.raises(ScenarioError, match="knows no"):
        assemble(load("pricing", settings=given | {"drift": moves[:1]}))
    sim = assemble(load("pricing", users=20, replicas=1, settings=given | {"drift": moves[1:]})).simulation
    for _ in range(3):
        sim.advance()
    assert (sim.world.cost, sim.world.rivals.prices[0, 0]) == (4.0, 9.0)
    sim.advance()
    assert (sim.world.cost, sim.world.rivals.prices[0, 0]) == (5.0, 5.0)
    assert sim.world.rivals.cost.tolist() == [5.0, 3.0]


def test_buyers_can_come_from_a_table(tmp_path):
    """A file of buyers, given for the run, is who they are; a world that reads none refuses it."""
    path = tmp_path / "buyers.csv"
    path.write_text("reservation_price,reference_price,kind\n6,9,old\n15,9,new\n", encoding="utf-8")
    changes = {
        "world.settings.table": "data",
        "people.source": {"table": "world", "use": "as_is"},
        "people.segments": [],
        "people.traits": {},
        "people.groups": {"trait": "kind", "names": ["new", "old"]},
    }
    given = {"users": 4, "replicas": 1}
    people = assemble(load("pricing", **given, settings=changes), Props(data=path)).simulation.users.columns
    assert people["reservation_price"].tolist() == [6.0, 15.0, 6.0, 15.0]
    assert people["group"].tolist() == [1, 0, 1, 0]
    with pytest.raises(ScenarioError, match=r"world.settings.table"):
        assemble(load("pricing", **given), Props(data=path))


@pytest.mark.parametrize("name", ["pricing", "pricing-rivals", "duopoly"])
def test_compiled_markets_and_their_twins_have_the_same_bits(name, monkeypatch):
    """A run is the same to the last bit with numba and without."""
    pytest.importorskip("numba", reason="there is nothing to compare without numba")
    digests = set()
    for switch in ("0", "1"):
        monkeypatch.setenv(compiled.SWITCH, switch)
        assembly = assemble(load(name, users=30, ticks=4, replicas=2))
        recorder = assembly.new_recorder()
        assembly.simulation.watchers.append(recorder)
        for _ in range(4):
            assembly.simulation.advance()
        digests.add(recorder.digest)
    assert len(digests) == 1


def test_sellers_that_learn_in_a_run_ask_more_than_competition_would():
    """In 1,500 periods of `duopoly` two Q-learners come to profits above those of Nash prices."""
    scenario = load("duopoly", replicas=60)
    assembly = assemble(scenario)
    earned = np.zeros(60)
    for tick in range(scenario.time.ticks):
        assembly.simulation.advance()
        if tick >= 1200:
            earned += assembly.policy.state()["earned"]
    market = LogitMarket()
    nash, best = market.profits(market.nash())[0], market.profits(market.monopoly())[0]
    gain = (earned / 300 - nash) / (best - nash)
    assert gain.mean() - 2.0 * gain.std(ddof=1) / 60**0.5 > 0.1
