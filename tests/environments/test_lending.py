"""Lending: what follows from loans, whose money it is, and what scores become."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import NOTHING, Decisions, Responses, Turn
from rehearse.environments import lending
from rehearse.environments.lending.bank import Till
from rehearse.environments.lending.settings import Bank
from rehearse.errors import DataError, ScenarioError
from rehearse.testing import check_world

CURVE = {"curve": {"scores": [300, 500, 850], "chances": [0.1, 0.5, 0.95], "between": "linear"}}
CHANGE = {"repaid": 75, "default": -150, "refused": -5, "low": 300, "high": 850}


def made(**more):
    """Return the world with a curve and moving scores, and `more`."""
    given = {"repayment": CURVE, "change": CHANGE} | more
    return lending.build(
        {k: v for k, v in given.items() if v is not None}, data=None, drift=(), chance=Chance(1)
    )


def people(n, seed=0, groups=1):
    """Return n applicants of one society."""
    rng = np.random.default_rng(seed)
    return Columns(
        {
            "user": np.arange(n, dtype=np.int64),
            "replica": np.zeros(n, dtype=np.int32),
            "group": rng.integers(0, groups, n).astype(np.int8),
            "score": rng.uniform(300, 850, n).astype(np.float32),
            "truth": rng.integers(0, 2, n).astype(np.float32),
            "taste": np.zeros((n, 2), dtype=np.float32),
        }
    )


def turn_of(who, tick=0):
    """Return everybody's turn."""
    n = who.length
    return Turn(
        rows=np.arange(n, dtype=np.int64),
        replica=np.asarray(who["replica"], dtype=np.int32),
        user=np.asarray(who["user"], dtype=np.int64),
        tick=tick,
        turn=0,
        chance=Chance(3),
    )


def settled(world, who, action, tick=0):
    """Return what follows where everybody takes what is granted and can be had."""
    turn = turn_of(who, tick)
    offer = world.offer(turn, who)
    action = np.broadcast_to(np.asarray(action, dtype=np.int32), len(turn))
    can = (
        np.ones(len(turn), bool) if offer.available is None else offer.available[np.arange(len(turn)), action]
    )
    taken = np.where((action > 0) & can, action, NOTHING).astype(np.int32)
    responses = Responses(
        choice=taken,
        position=np.where(taken >= 0, 0, NOTHING).astype(np.int8),
        utility=np.zeros(len(turn), np.float32),
        end=np.zeros(len(turn), np.int8),
    )
    return world.settle(turn, who, offer, Decisions.of(action), responses)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"repayment": {"defaulted": "truth"}, "labels": "always", "welfare": 1.0},
        {"market": {"lenders": [{"name": "other", "at_least": 600, "rate": 0.2}], "compare": 0.5}},
        {"bank": {"cash": 20.0, "term": 2}},
        {
            "change": None,
            "groups": ["a", "b"],
            "repayment": {"curve": {"scores": [0, 1], "chances": [0.2, 0.8]}},
            "pool": {"scores": [0, 1], "shares": {"a": [0.5, 0.5], "b": [0.9, 0.1]}},
        },
        {"terms": {"small": {"amount": 1, "rate": 0.1}, "large": {"amount": 5, "rate": 0.4}}},
    ],
    ids=["plain", "labelled", "market", "bank", "pool", "terms"],
)
def test_it_keeps_to_the_contract(more):
    """No rule of the contract is broken, whatever is switched on."""
    assert check_world(made(**more), people(60)) == []


def test_reward_cost_label_and_score_follow_from_the_loan():
    """A loan repaid brings interest and points; a default costs the amount and points; a refusal nothing."""
    world = made(repayment={"repaid": "truth"}, terms={"grant": {"amount": 2.0, "rate": 0.5}})
    who = people(400)
    would = who["truth"] == 1
    granted = np.arange(400) % 2 == 0
    found = settled(world, who, granted.astype(np.int32))
    assert np.array_equal(found.reward, np.where(granted, np.where(would, 1.0, -2.0), 0.0).astype(np.float32))
    assert np.array_equal(found.cost, (granted & would).astype(np.float32))
    assert np.array_equal(found.label, np.where(granted, would, -1))
    step = np.where(granted, np.where(would, 75, -150), -5)
    assert np.array_equal(found.becomes["score"], np.clip(who["score"] + step, 300, 850).astype(np.float32))
    assert np.array_equal(found.detail["qualified"], would.astype(np.int8))
    assert found.harm[granted & ~would].min() == 1.0
    assert found.harm[~granted & would].min() == 0.5
    assert np.array_equal(found.right, (granted == would).astype(np.int8))


def test_labels_of_those_refused_are_unknown_unless_they_are_always_seen():
    """Selective labels are the default."""
    who = people(100)
    would = (who["truth"] == 1).astype(np.int8)
    hidden = settled(made(repayment={"repaid": "truth"}), who, 0)
    seen = settled(made(repayment={"repaid": "truth"}, labels="always"), who, 0)
    assert set(hidden.label.tolist()) == {-1}
    assert np.array_equal(seen.label, would)


@settings(max_examples=40, deadline=None)
@given(
    cash=st.floats(0, 60),
    term=st.integers(0, 3),
    sizes=st.lists(st.floats(0.5, 8), min_size=1, max_size=3),
    ticks=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_money_is_neither_made_nor_lost(cash, term, sizes, ticks, seed):
    """Cash and loans outstanding are the first cash, and interest earned, less what was written off."""
    terms = {f"loan{i}": {"amount": size, "rate": 0.2} for i, size in enumerate(sizes)}
    world = made(bank={"cash": cash, "term": term}, terms=terms)
    who = people(30, seed)
    for tick in range(ticks):
        world.drift(tick)
        action = np.random.default_rng(seed + tick).integers(0, len(world.items), 30)
        found = settled(world, who, action, tick)
        books = {name: float(values[0]) for name, values in world.books.items()}
        assert books["cash"] >= -1e-9
        assert books["outstanding"] >= -1e-9
        whole = cash + books["earned"] - books["written_off"]
        assert books["cash"] + books["outstanding"] == pytest.approx(whole, abs=1e-9)
        assert (found.regret[~np.isnan(found.regret)] >= 0).all()


@settings(max_examples=30, deadline=None)
@given(
    repaid=st.floats(0, 500), default=st.floats(-500, 0), refused=st.floats(-50, 50), seed=st.integers(0, 99)
)
def test_scores_stay_within_bounds(repaid, default, refused, seed):
    """However far a score is moved, it ends within low and high, and the change is told."""
    world = made(change={"repaid": repaid, "default": default, "refused": refused, "low": 300, "high": 850})
    who = people(80, seed)
    found = settled(world, who, np.arange(80) % 2)
    after = found.becomes["score"]
    assert after.min() >= 300.0
    assert after.max() <= 850.0
    assert np.allclose(after, who["score"] + found.detail["score_change"], atol=1e-3)


def test_an_applicant_refused_or_dearer_here_goes_to_another_lender():
    """Who is refused asks the others; who compares takes the cheaper loan; both move the score."""
    lenders = [
        {"name": "dear", "at_least": 300, "rate": 0.9},
        {"name": "cheap", "at_least": 700, "rate": 0.1},
    ]
    world = made(market={"lenders": lenders, "seek": 1.0, "compare": 1.0})
    who = people(300)
    good = who["score"] >= 700
    refused = settled(world, who, 0)
    assert np.array_equal(refused.detail["lender"], np.where(good, 2, 1).astype(np.int8))
    assert refused.reward.max() == refused.reward.min() == 0.0
    assert (refused.detail["score_change"] != -5).all()
    granted = settled(world, who, 1)
    assert np.array_equal(granted.detail["lender"], np.where(good, 2, 0).astype(np.int8))
    assert (granted.reward[good] == 0).all()


def test_an_empty_till_lends_to_those_who_come_first():
    """The money told goes to the first in line, and what is left cannot be had in the next turn."""
    world = made(bank={"cash": 3.5, "term": 5})
    found = settled(world, people(10), 1)
    assert found.detail["selected"].tolist() == [1, 1, 1] + [0] * 7
    assert set(found.detail["cash"].tolist()) == {3.5}  # as it was before the turn
    assert world.offer(turn_of(people(10)), people(10)).available[:, 1].tolist() == [False] * 10


def test_a_borrower_moves_the_pool_by_no_more_than_there_is():
    """The pool keeps its sum, and nothing leaves it at either end (ml-fairness-gym, lending)."""
    pool = {"scores": [0, 1, 2], "shares": {"a": [0.005, 0.5, 0.495]}, "shift": 0.01}
    world = made(change=None, groups=["a"], repayment={"repaid": "truth"}, pool=pool)
    who = people(1)
    for score, truth, expected in (
        (0, 1, [0, 0.505, 0.495]),
        (2, 1, [0, 0.505, 0.495]),
        (1, 0, [0.01, 0.495, 0.495]),
    ):
        who["score"][:], who["truth"][:] = score, truth
        found = settled(world, who, 1)
        assert world.state()["pool"][0, 0] == pytest.approx(expected)
        assert found.becomes["score"][0] in (0, 1, 2)


def test_unknown_groups_are_refused():
    """A person of a group without a name stops the run; a curve for other groups never starts."""
    curve = {"curve": {"scores": [0, 1], "chances": {"a": [0.1, 0.9], "b": [0.2, 0.8]}}}
    with pytest.raises(ScenarioError, match="groups"):
        made(repayment=curve, groups=["a", "c"])
    world = made(repayment=curve, groups=["a", "b"])
    who = people(5)
    who["group"][:] = 2
    with pytest.raises(DataError, match="group number 2"):
        settled(world, who, 1)


def test_a_downturn_is_scheduled_like_any_drift():
    """Half the chance to repay from tick 1 on, said in a sentence."""
    from rehearse.scenario.model import Drift

    drift = (Drift(tick=1, what="chance", times=0.5, note="a recession"),)
    world = lending.build({"repayment": CURVE}, data=None, drift=drift, chance=Chance(1))
    who = people(50)
    world.drift(0)
    before = settled(world, who, 1).detail["chance"]
    assert world.drift(1) == ["chance × 0.5: a recession"]
    assert np.allclose(settled(world, who, 1, 1).detail["chance"], before / 2)


@given(
    asks=st.lists(st.tuples(st.integers(0, 4), st.floats(0.1, 5.0)), min_size=1, max_size=40),
    cash=st.floats(0, 20),
)
def test_a_till_serves_in_line_however_many_societies_there_are(asks, cash):
    """Few people in many societies and many in few are reckoned in two ways, to the same bits."""
    society = np.array([number for number, _ in asks], dtype=np.int32)
    amount = np.array([size for _, size in asks])
    expected, so_far = [], [0.0] * 5
    for number, size in asks:
        so_far[number] += size
        expected.append(so_far[number] <= cash)
    for societies in (5, 60):
        till = Till(Bank(cash=cash), 0.1)
        till.begin(societies)
        assert till.pays(society, amount).tolist() == expected
