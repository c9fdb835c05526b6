"""The world knows the truth: utilities, the best item, and what follows from taking another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rehearse import exact
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, Fault, Outcomes, Responses, Turn, World
from rehearse.environments.recommend import Recommend, build
from rehearse.environments.scores import IdealFinder, OwnScores, SharedScores, utilities
from rehearse.errors import ScenarioError
from rehearse.scenario.model import Drift

SHOP: dict[str, Any] = {
    "items": ["tea", "coffee", "water"],
    "attributes": {
        "price": {"per_item": {"tea": 3.0, "coffee": 4.0}},
        "warm": {"value": 1.0},
        "strong": {"item": "coffee", "times": "tired"},
    },
}
CHANCE = Chance(11)


def world(*drift: Drift, **changes: Any) -> Recommend:
    """Return the shop with some settings changed."""
    return build(SHOP | changes, data=None, drift=drift, chance=CHANCE)


def guests(n: int = 3) -> Columns:
    """Return people who mind the price, like warmth and like coffee's strength when tired."""
    taste = np.tile(np.array([-1.0, 0.5, 2.0], dtype=np.float32), (n, 1))
    return Columns({"taste": taste, "tired": np.arange(n, dtype=np.float32)})


def seat(rows: NDArray[np.int64], *, turn: int = 0) -> Turn:
    """Return the moment with these rows at the table."""
    return Turn(rows, np.zeros(len(rows), np.int32), rows, tick=4, turn=turn, chance=CHANCE)


def settle(
    shop: Recommend, people: Columns, action: list[int], choice: list[int] | None = None, *, turn: int = 0
) -> Outcomes:
    """Return what follows when everybody is answered and takes these items."""
    table = seat(np.arange(len(action)), turn=turn)
    taken = np.array(action if choice is None else choice, dtype=np.int32)
    nobody = np.zeros(len(action), dtype=np.float32)
    responses = Responses(taken, nobody.astype(np.int8), nobody, nobody.astype(np.int8))
    decisions = Decisions.of(np.array(action, dtype=np.int32))
    return shop.settle(table, people, shop.offer(table, people), decisions, responses)


def truth(shop: Recommend, people: Columns, n: int) -> NDArray[np.float64]:
    """Return the true utilities of the first n people."""
    table = seat(np.arange(n))
    return shop.truth(table, people, shop.offer(table, people))


def test_it_is_a_world() -> None:
    """It has all that the contract asks of a world."""
    assert isinstance(world(), World)
    assert world().needs == ("tired",)
    assert world().attributes == ("price", "warm", "strong")


def test_true_utility_is_the_weighted_sum_of_attributes() -> None:
    """u = Σ taste · attribute, with tiredness multiplying the strength of coffee."""
    expected = [[-2.5, -3.5, 0.5], [-2.5, -1.5, 0.5], [-2.5, 0.5, 0.5], [-2.5, 2.5, 0.5]]
    assert truth(world(), guests(4), 4).tolist() == expected


def test_the_ideal_is_the_best_item_and_the_first_of_equals() -> None:
    """Water for the rested; coffee, which stands first, for those to whom both are worth the same."""
    assert settle(world(), guests(4), [0, 0, 0, 0]).ideal.tolist() == [2, 2, 1, 1]


def test_regret_is_what_the_action_falls_short_of_the_ideal() -> None:
    """Regret is the difference of true utilities; an action is right where it is within the tolerance."""
    found = settle(world(tolerance=2.0), guests(4), [2, 1, 1, 0])
    assert found.regret.tolist() == [0.0, 2.0, 0.0, 5.0]
    assert found.right.tolist() == [1, 1, 1, 0]


def test_no_answer_has_no_regret() -> None:
    """Without an answer regret is unknown, right is -1 and nothing is gained."""
    found = settle(world(), guests(2), [-1, 2])
    assert np.isnan(found.regret[0])
    assert found.right.tolist() == [-1, 1]
    assert found.reward.tolist() == [0.0, 1.0]
    assert np.isnan(found.experience[0])


def test_what_cannot_be_had_is_not_ideal() -> None:
    """A closed item is offered to nobody, is not the ideal, and comes back when the drift ends."""
    shop = world(Drift(tick=1, until=2, what="available.water", times=0.0))
    table = seat(np.arange(2))
    assert shop.offer(table, guests(2)).available is None
    shop.drift(1)
    available = shop.offer(table, guests(2)).available
    assert available is not None
    assert available.tolist() == [[True, True, False]] * 2
    assert settle(shop, guests(2), [0, 0]).ideal.tolist() == [0, 1]
    shop.drift(2)
    assert settle(shop, guests(2), [0, 0]).ideal.tolist() == [2, 2]


def test_where_everything_is_closed_nothing_is_ideal() -> None:
    """With no item to be had there is no ideal, and the answer is not judged."""
    for changes in ({}, {"attributes": {"warm": {"normal": {"sd": 1.0}}}}):
        shop = world(Drift(tick=0, what="available.*", times=0.0), **changes)
        shop.drift(0)
        people = guests(2) if not changes else Columns({"taste": np.ones((2, 1), dtype=np.float32)})
        found = settle(shop, people, [0, 1])
        assert found.ideal.tolist() == [-1, -1]
        assert found.right.tolist() == [-1, -1]


def test_cost_reward_and_harm_follow_what_was_taken() -> None:
    """Cost is the price of what was taken, reward is by item, harm the loss beyond the margin in money."""
    shop = world(cost="price", reward={"coffee": 2.5}, harm={"margin": 1.0, "per": "price"})
    found = settle(shop, guests(4), [0, 1, 1, 1], [0, 1, -1, 2])
    assert found.cost is not None
    assert found.harm is not None
    assert found.cost.tolist() == [3.0, 4.0, 0.0, 0.0]
    assert found.reward.tolist() == [0.0, 2.5, 0.0, 0.0]
    assert found.harm.tolist() == [3.0 - 1.0, 2.0 - 1.0, 0.0, 2.0 - 1.0]


def test_harm_is_told_in_money_by_what_a_person_minds() -> None:
    """Halving the distaste for a dollar doubles the dollars that would make good for the same loss."""
    people = guests(1)
    people["taste"][:] = [[-0.5, 0.0, 0.0]]
    shop = world(harm={"margin": 0.0, "per": "price"})
    found = settle(shop, people, [1])
    assert found.harm is not None
    assert found.harm.tolist() == [4.0]


def test_drift_reaches_people_model_and_truth() -> None:
    """A dearer item is dearer in the offer, in the features and in true utility."""
    shop = world(Drift(tick=1, what="items.tea.price", times=2.0, add=1.0), features=["price"])
    table = seat(np.arange(1))
    assert shop.features == ("price_tea", "price_coffee", "price_water")
    assert shop.offer(table, guests(1)).features.tolist() == [[3.0, 4.0, 0.0]]
    assert shop.drift(1) == ["items.tea.price × 2 + 1"]
    assert shop.offer(table, guests(1)).features.tolist() == [[7.0, 4.0, 0.0]]
    assert truth(shop, guests(1), 1)[0].tolist() == [-6.5, -3.5, 0.5]


def test_a_restored_world_is_where_it_was() -> None:
    """`state` and `restore` bring a fresh world to the same tick, with the same offers."""
    drifts = (
        Drift(tick=2, until=6, what="items.*.price", add=1.0),
        Drift(tick=4, what="delay.tea", times=2.0),
    )
    old, new = world(*drifts), world(*drifts)
    for tick in range(6):
        old.drift(tick)
    new.restore(old.state())
    table = seat(np.arange(3))
    assert np.array_equal(old.offer(table, guests()).attributes, new.offer(table, guests()).attributes)
    assert old.drift(6) == new.drift(6)
    assert np.array_equal(old.offer(table, guests()).attributes, new.offer(table, guests()).attributes)


LATE = {"sensitivity": 1.0, "delay": {"mean_minutes": {"tea": 10.0}, "felt_as": "price"}}


def test_delays_are_exponential_with_the_stated_mean() -> None:
    """Mean and standard deviation of delays equal the mean given (4 standard errors); others are on time."""
    n = 20_000
    found = settle(world(experience=LATE), guests(n), [0] * n)
    late = found.detail["delay"].astype(float)
    assert late.mean() == pytest.approx(10.0, abs=4 * 10.0 / n**0.5)
    assert late.std() == pytest.approx(10.0, rel=0.05)
    assert settle(world(experience=LATE), guests(n), [1] * n).detail["delay"].max() == 0.0


def test_a_late_item_is_a_bad_experience() -> None:
    """Experience is .5 at the usual delay, less the later it is, and 1 / (1 + e^(D − mean)) here."""
    found = settle(world(experience=LATE), guests(500), [0] * 500)
    expected = 1.0 / (1.0 + np.exp(found.detail["delay"].astype(float) - 10.0))
    assert found.experience == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_storm_is_a_bad_surprise() -> None:
    """When delays grow, people still expect the usual ones: experience falls on average."""
    shop = world(Drift(tick=1, what="delay.*", times=3.0), experience=LATE)
    before = settle(shop, guests(2000), [0] * 2000).experience.mean()
    shop.drift(1)
    assert settle(shop, guests(2000), [0] * 2000).experience.mean() < before - 0.2


def test_experience_can_follow_utility() -> None:
    """With `of: utility` it is the sigmoid of true utility less the centre, noise spreading it evenly."""
    n = 20_000
    calm = {"of": "utility", "centre": 0.5, "sensitivity": 2.0}
    assert settle(world(experience=calm), guests(2), [2, 0]).experience == pytest.approx(
        [0.5, 1.0 / (1.0 + np.exp(6.0))], abs=1e-6
    )
    noisy = settle(world(experience=calm | {"noise": 0.7}), guests(n), [2] * n).experience.astype(float)
    felt = np.log(noisy / (1.0 - noisy)) / 2.0
    assert felt.mean() == pytest.approx(0.0, abs=4 * 0.7 / n**0.5)
    assert felt.std() == pytest.approx(0.7, rel=0.03)


def test_luck_belongs_to_the_person_and_the_turn() -> None:
    """The same person has the same delay in any company, and another one in another turn."""
    shop = world(experience=LATE)
    together = settle(shop, guests(9), [0] * 9).detail["delay"]
    alone = settle(shop, guests(2), [0] * 2).detail["delay"]
    assert np.array_equal(together[:2], alone)
    assert not np.array_equal(settle(shop, guests(2), [0] * 2, turn=1).detail["delay"], alone)


def test_a_block_can_be_cut_anywhere() -> None:
    """What follows for a row is the same bits in a block of one as among 600 others."""
    shop = world(
        attributes={"v": {"normal": {"sd": 1.0}, "dims": 5}}, experience={"of": "utility", "noise": 1.0}
    )
    people = Columns({"taste": np.random.default_rng(1).normal(size=(600, 5)).astype(np.float32)})
    rows = np.arange(600)
    whole = _outcomes(shop, people, rows)
    for some in (rows[:1], rows[1:258], rows[258:]):
        fresh = world(
            attributes={"v": {"normal": {"sd": 1.0}, "dims": 5}}, experience={"of": "utility", "noise": 1.0}
        )
        part = _outcomes(fresh, people, some)
        for name in ("ideal", "regret", "right", "experience"):
            assert np.array_equal(getattr(part, name), getattr(whole, name)[some])


def test_a_fault_is_not_judged() -> None:
    """A row whose answer failed has neither regret nor rightness."""
    shop, people, table = world(), guests(2), seat(np.arange(2))
    decisions = Decisions.of(np.array([-1, 2]), fault=np.array([Fault.RAISED, Fault.NONE]))
    nobody = np.zeros(2, dtype=np.float32)
    responses = Responses(
        np.array([-1, -1], np.int32), nobody.astype(np.int8), nobody, nobody.astype(np.int8)
    )
    found = shop.settle(table, people, shop.offer(table, people), decisions, responses)
    assert np.isnan(found.regret).tolist() == [True, False]
    assert found.right.tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"costs": "price"}, "world.settings.costs"),
        ({"cost": "prise"}, "world.settings.cost"),
        ({"features": ["warmth"]}, "world.settings.features"),
        ({"harm": {"per": "prise"}}, "world.settings.harm.per"),
        ({"reward": {"coffe": 1.0}}, "world.settings.reward.coffe"),
        ({"tolerance": -1.0}, "world.settings.tolerance"),
        ({"tolerance": float("nan")}, "world.settings.tolerance"),
        ({"items": ["tea", "tea", "water"]}, "world.settings"),
        ({"items": []}, "world.settings.items"),
        ({"items": {"count": 0}}, "world.settings.items"),
        ({"attributes": {}}, "world.settings.attributes"),
        ({"attributes": {"price": {}}}, "world.settings.attributes.price"),
        ({"attributes": {"price": {"value": 1.0, "item": "tea"}}}, "world.settings.attributes.price"),
        ({"attributes": {"price": {"value": 1.0, "dims": 3}}}, "world.settings.attributes.price"),
        ({"attributes": {"price": {"column": "price"}}}, "world.settings.attributes.price"),
        ({"attributes": {"price": {"item": "cofee"}}}, "world.settings.attributes.price.item"),
        ({"attributes": {"price": {"per_item": {"cofee": 1}}}}, "world.settings.attributes.price.per_item"),
        (
            {"attributes": {"v": {"normal": {}, "dims": 2}, "v_2": {"value": 1.0}}},
            "world.settings.attributes",
        ),
        (
            {"experience": LATE | {"delay": {"mean_minutes": {}, "felt_as": "wait"}}},
            "experience.delay.felt_as",
        ),
        ({"table": "modechoices"}, "world.settings.table"),
    ],
)
def test_settings_that_make_no_sense_are_named(changes: dict[str, Any], path: str) -> None:
    """Each wrong setting ends in a ScenarioError with its path and a remedy."""
    with pytest.raises(ScenarioError) as caught:
        world(**changes)
    assert path in caught.value.problem
    assert caught.value.remedy


def test_near_misses_are_answered() -> None:
    """A misspelt name is answered with the one that was meant."""
    with pytest.raises(ScenarioError, match="Did you mean 'price'"):
        world(cost="prise")


def _outcomes(shop: Recommend, people: Columns, rows: NDArray[np.int64]) -> Outcomes:
    table = seat(rows)
    action = (rows % 3).astype(np.int32)
    nobody = np.zeros(len(rows), dtype=np.float32)
    responses = Responses(action, nobody.astype(np.int8), nobody, nobody.astype(np.int8))
    return shop.settle(table, people, shop.offer(table, people), Decisions.of(action), responses)


def _finder(m: int, d: int, seed: int) -> IdealFinder:
    return IdealFinder(np.random.default_rng(seed).normal(size=(m, d)), np.ones(m, dtype=bool))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 300), st.integers(0, 10**6))
def test_the_fast_search_finds_what_the_slow_one_does(m: int, d: int, n: int, seed: int) -> None:
    """The proved float32 search gives the first best item of the exact utilities, for any shape."""
    finder = _finder(m, d, seed)
    tastes = exact.on_grid(np.random.default_rng(seed + 1).normal(size=(n, d)), finder.limit)
    found = finder.find(np.arange(n), tastes)
    assert np.array_equal(found, exact.matmul(tastes, finder.table.T).argmax(axis=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-7, 1e-3, 0.05, 1.0]))
def test_a_remembered_answer_is_given_only_while_it_is_true(seed: int, step: float) -> None:
    """However far tastes move, and whatever new they turn to, the ideal is that of the present tastes."""
    random = np.random.default_rng(seed)
    attributes = np.column_stack([random.integers(0, 3, size=(60, 2)), random.normal(size=(60, 2))])
    finder = IdealFinder(attributes, np.ones(60, dtype=bool))
    tastes = random.normal(size=(80, 4)) * [1.0, 1.0, 0.0, 0.0]
    for moment in range(6):
        moved = random.normal(size=tastes.shape) * step * [1.0, 1.0, moment > 1, moment > 3]
        tastes = exact.on_grid(tastes + moved, finder.limit)
        some = np.sort(random.choice(80, size=50, replace=False))
        found = finder.find(some, tastes[some])
        assert np.array_equal(found, exact.matmul(tastes[some], finder.table.T).argmax(axis=1))


def test_equal_items_are_told_apart_by_their_order() -> None:
    """Among items that differ by less than float32 can see, the exact utility decides; equals: the first."""
    step = 2.0**-20
    attributes = np.array([[1.0, 0.0], [1.0, step], [1.0, step], [1.0, -step]])
    finder = IdealFinder(attributes, np.ones(4, dtype=bool))
    tastes = np.array([[8.0, 0.25], [8.0, 0.0], [8.0, -0.25]])
    assert finder.find(np.arange(3), tastes).tolist() == [1, 0, 3]


def test_items_nearly_alike_are_told_apart() -> None:
    """Where float32 scores differ by rounding alone, the answer is still that of the exact utilities."""
    random = np.random.default_rng(2)
    alike = random.normal(size=16) + random.integers(-3, 4, size=(200, 16)) * 2.0**-20
    finder = IdealFinder(alike, np.ones(200, dtype=bool))
    tastes = exact.on_grid(random.normal(size=(300, 16)), finder.limit)
    found = finder.find(np.arange(300), tastes)
    assert np.array_equal(found, exact.matmul(tastes, finder.table.T).argmax(axis=1))


def test_truth_is_the_exact_product() -> None:
    """Utilities over a shared table are those of `exact.matmul`, bit for bit, one person or many."""
    shop = build(
        {"items": {"count": 50}, "attributes": {"v": {"normal": {"sd": 0.5}, "dims": 6}}},
        data=None,
        drift=(),
        chance=CHANCE,
    )
    people = Columns({"taste": np.random.default_rng(3).normal(size=(300, 6)).astype(np.float32)})
    table = seat(np.arange(300))
    attributes = np.asarray(shop.offer(table, people).attributes)
    whole = truth(shop, people, 300)
    assert np.array_equal(whole, exact.matmul(people["taste"], attributes.T))
    one = seat(np.array([7]))
    assert np.array_equal(shop.truth(one, people, shop.offer(one, people))[0], whole[7])


def test_both_ways_of_scoring_agree() -> None:
    """Where numbers lie on the grid, the shared way and the way of each person's own give the same."""
    tastes = exact.on_grid(np.random.default_rng(5).normal(size=(90, 3)))
    finder = _finder(12, 3, 5)
    shared = SharedScores(finder, np.arange(90), tastes)
    own = OwnScores(utilities(tastes, finder.table), None)
    assert np.array_equal(shared.ideal, own.ideal)
    assert shared.of(shared.ideal) == pytest.approx(own.of(own.ideal), rel=1e-12)


def test_attributes_beyond_the_grid_are_not_cut_off() -> None:
    """Prices in the hundreds, the same for all, are weighed in full."""
    shop = world(attributes={"price": {"per_item": {"tea": 300.0, "coffee": 450.0}}})
    people = Columns({"taste": np.array([[-0.01]], dtype=np.float32)})
    expected = [float(np.float32(-0.01)) * price for price in (300.0, 450.0, 0.0)]
    assert truth(shop, people, 1)[0].tolist() == expected
    assert settle(shop, people, [1]).regret[0] == pytest.approx(4.5)


def test_a_turn_of_nobody_is_settled() -> None:
    """With nobody at the table everything is empty."""
    found = settle(world(experience=LATE, cost="price", harm={}), guests(0), [])
    assert len(found.regret) == len(found.ideal) == len(found.detail["delay"]) == 0


def test_people_elsewhere_do_not_matter() -> None:
    """A row far down the population is scored like the first one."""
    shop = world(attributes={"v": {"normal": {"sd": 1.0}, "dims": 2}})
    people = Columns({"taste": np.tile(np.array([[1.0, 2.0]], dtype=np.float32), (5000, 1))})
    far = replace(seat(np.array([4999])), user=np.array([0]))
    near = seat(np.array([0]))
    assert np.array_equal(
        shop.truth(far, people, shop.offer(far, people)), shop.truth(near, people, shop.offer(near, people))
    )
