"""What a scenario calls influences is what the social rules do, in any order and any parts."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rehearse.agents import ties as ties_of
from rehearse.agents.graph import build
from rehearse.agents.social import Rules, Society, View, load
from rehearse.agents.social.drive import in_turn
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.scenario.society import Graph, Influence

PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40)


def ties_from(pairs, count=12, *, directed=False):
    """Make ties from pairs of rows."""
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return freeze(count, table[:, 0], table[:, 1], directed=directed)


def apply(influence, columns, ties, order, chance, tick):
    """Let an influence work once, as a scenario's society does."""
    societies = len(np.unique(columns["replica"]))
    Rules([load(influence.as_rule(order))], {"friends": ties}, chance, societies).advance(columns, tick)


def society(replicas, count=40, what="trust"):
    """Return some small worlds of 40 people, their ties and their luck."""
    numbers = np.array(replicas, dtype=np.int32)
    user, replica = np.tile(np.arange(count), len(numbers)), np.repeat(numbers, count)
    chance = Chance(5)
    ties = build(
        Graph(kind="watts_strogatz", degree=4),
        count=count,
        replicas=numbers,
        groups=np.zeros(len(user), dtype=np.int8),
        chance=chance,
    )
    u = chance.uniform("start", replica, user, count=6).astype(np.float32)
    columns = Columns(
        {
            "user": user,
            "replica": replica,
            "trust": u[:, 0].copy(),
            "opinion": u[:, 1].copy(),
            "taste": u[:, 2:5].copy(),
            "adopted": u[:, 5] < 0.2,
            "susceptibility": (u[:, 0] * 2).copy(),
            "threshold": u[:, 1].copy(),
        }
    )
    return columns, ties, chance


EVERY_WAY = [
    Influence(what="trust", weight=0.3),
    Influence(what="opinion", how="bounded", weight=0.5, reach=0.3),
    Influence(what="taste", how="bounded", weight=0.8, reach=0.6),
    Influence(what="taste", weight=0.2),
    Influence(what="adoption"),
    Influence(what="adoption", share=0.4),
]


def column_of(influence):
    """Return the column that an influence moves."""
    return "adopted" if influence.what == "adoption" else influence.what


@pytest.mark.parametrize("order", ["synchronous", "sequential"])
@pytest.mark.parametrize("influence", EVERY_WAY, ids=lambda i: f"{i.what}-{i.how}-{i.share}")
def test_replicas_apart_are_replicas_together(influence, order, monkeypatch):
    """Three societies moved together are, bit for bit, each moved alone; in any parts; and they do move."""
    name = column_of(influence)
    columns, ties, chance = society([0, 1, 2])
    before = columns[name].copy()
    for tick in range(4):
        apply(influence, columns, ties, order, chance, tick)
    assert columns[name].dtype == before.dtype
    assert not np.array_equal(columns[name], before)
    monkeypatch.setattr(ties_of, "EDGES_AT_A_TIME", 7)
    for replica in range(3):
        alone, own_ties, chance = society([replica])
        for tick in range(4):
            apply(influence, alone, own_ties, order, chance, tick)
        assert np.array_equal(alone[name], columns[name][columns["replica"] == replica])


WAYS = [
    ("degroot-v1", {"weight": 0.5}),
    ("hegselmann-krause-v1", {"reach": 0.4}),
    ("threshold-v1", {"threshold": 0.5, "column": "opinion"}),
]


@settings(deadline=None, max_examples=40)
@given(
    pairs=PAIRS,
    seed=st.integers(0, 99),
    directed=st.booleans(),
    how=st.sampled_from(
        [
            ("degroot-v1", {"weight": 0.5}),
            ("hegselmann-krause-v1", {"reach": 0.4}),
            ("threshold-v1", {"threshold": 0.5, "column": "opinion"}),
        ]
    ),
)
def test_sequential_is_one_after_another(pairs, seed, directed, how):
    """Waves give what a loop over single people in the drawn order gives, bit for bit."""
    ties, chance = ties_from(pairs, directed=directed), Chance(seed)
    name, options = how
    rule = load(name, options | {"order": "node-sequential"})
    start = chance.uniform("x", 0, np.arange(12))[:, 0]
    start = np.round(start) if name == "threshold-v1" else start
    columns = Columns({"user": np.arange(12), "replica": np.zeros(12, np.int32), "opinion": start.copy()})
    looped = Columns(dict(columns.items()))
    looped["opinion"] = start.copy()
    u = chance.uniform(f"social/{name}/order", 0, np.arange(12), tick=3)[:, 0]
    for person in np.argsort(u):
        view = View.of_everybody(looped, ties, chance, 3, name).where(np.array([person]))
        looped["opinion"][person] = rule.move(view)["opinion"][0]
    Rules([rule], {"friends": ties}, chance).advance(columns, 3)
    assert np.array_equal(columns["opinion"], looped["opinion"])


def test_sequential_lets_news_travel_further_than_synchronous():
    """Along a line, one sequential pass carries adoption on, a synchronous one by one step."""
    line, start = nx.path_graph(60), np.eye(60)[0]

    def after_one_tick(order):
        rule = load("threshold-v1", {"threshold": 0.5, "order": order})
        return Society(line, {"adopted": start}, rules=rule).step()["adopted"].sum()

    assert after_one_tick("synchronous") == 2
    assert after_one_tick("node-sequential") > 2


@given(pairs=PAIRS, seed=st.integers(0, 99))
def test_waves_hold_everybody_once_and_no_two_friends(pairs, seed):
    """Each person moves in one wave, and nobody in the wave of a friend."""
    ties = ties_from(pairs)
    sets = [
        set(wave.tolist())
        for wave in in_turn(ties, np.argsort(Chance(seed).uniform("o", 0, np.arange(12))[:, 0]))
    ]
    assert sorted(row for wave in sets for row in wave) == list(range(12))
    assert not any(wave & set(ties.neighbours(row).tolist()) for wave in sets for row in wave)


def test_who_is_not_susceptible_stays():
    """Susceptibility scales the weight: 0 holds a person still, and it never overshoots."""
    columns, ties, chance = society([0])
    columns["susceptibility"][:] = np.where(np.arange(40) < 20, 0.0, 1000.0)
    before = columns["trust"].copy()
    apply(Influence(what="trust", weight=0.5), columns, ties, "synchronous", chance, 0)
    assert np.array_equal(columns["trust"][:20], before[:20])
    assert columns["trust"][20:] == pytest.approx(ties.mean(before)[20:], abs=1e-6)


def test_the_drawn_order_changes_with_the_tick():
    """Sequential influence does not favour the same people each day."""
    first, later = society([0]), society([0])
    apply(EVERY_WAY[0], *first[:2], "sequential", first[2], 0)
    apply(EVERY_WAY[0], *later[:2], "sequential", later[2], 1)
    assert not np.array_equal(first[0]["trust"], later[0]["trust"])


def test_adoption_goes_with_threshold():
    """Adoption is by threshold without saying so, and by nothing else."""
    assert Influence(what="adoption").how == "threshold"
    for wrong in ({"what": "adoption", "how": "degroot"}, {"what": "trust", "how": "threshold"}):
        with pytest.raises(ValidationError):
            Influence.model_validate(wrong)
