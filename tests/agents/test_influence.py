"""What friends do to one another follows the published laws, in any order and any blocks."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rehearse.agents import ties as ties_of
from rehearse.agents.graph import build, from_networkx
from rehearse.agents.influence import adopt, apply, bounded, degroot, sequential, synchronous, waves
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.scenario.people import Graph, Influence

CLUB = nx.karate_club_graph()
KARATE = from_networkx(CLUB)
MR_HI = np.array([float(CLUB.nodes[n]["club"] == "Mr. Hi") for n in range(34)])

PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40)


def ties_from(pairs, count=12, *, directed=False):
    """Make ties from pairs of rows."""
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return freeze(count, table[:, 0], table[:, 1], directed=directed)


def clusters(values, gap=1e-6):
    """Return the centres and sizes of values that lie together."""
    ordered = np.sort(values)
    sizes = np.diff(np.flatnonzero(np.concatenate([[True], np.diff(ordered) > gap, [True]])))
    centres = [part.mean() for part in np.split(ordered, np.cumsum(sizes)[:-1])]
    return centres, sizes.tolist()


@pytest.mark.science
def test_degroot_on_karate_reaches_the_degree_weighted_mean():
    """With W_ij = 1/(k_i + 1), all reach sum (k_i + 1)·x_i / sum (k_i + 1): .51579, not .5."""
    x = MR_HI
    for _ in range(200):
        x = degroot(x, KARATE, own=1.0)
    weight = KARATE.degree + 1.0
    assert (weight * MR_HI).sum() / weight.sum() == pytest.approx(0.5157894736842106, abs=1e-15)
    assert x == pytest.approx(np.full(34, 0.5157894736842106), abs=1e-8)
    assert (x.min(), x.max()) == pytest.approx((0.5157894735461196, 0.5157894739952382), abs=1e-12)


@pytest.mark.science
def test_degroot_counts_strong_ties_more():
    """On the weighted club the consensus is .51209677, the strength-weighted mean."""
    strong = from_networkx(CLUB, weight="weight")
    x = MR_HI
    for _ in range(400):
        x = degroot(x, strong, own=1.0)
    assert x == pytest.approx(np.full(34, 0.5120967741935474), abs=1e-8)


@pytest.mark.science
def test_friedkin_johnsen_on_karate():
    """Attached to their start with .2, the heads wholly: the published fixed point."""
    weight = np.where(np.isin(np.arange(34), [0, 33]), 0.0, 0.8)
    x = MR_HI
    for _ in range(200):
        x = degroot(x, KARATE, own=1.0, weight=weight, anchor=MR_HI)
    assert x.mean() == pytest.approx(0.4970591548188345, abs=1e-10)
    assert x.var() == pytest.approx(0.16525188757322973, abs=1e-10)
    assert x[[0, 2, 8, 19, 33]] == pytest.approx(
        [1.0, 0.6577947694471382, 0.5508827546318024, 0.7073525894870248, 0.0], abs=1e-10
    )


@pytest.mark.science
@pytest.mark.parametrize(
    ("reach", "steps", "number", "middle"),
    [
        (0.0503, 18, 9, None),
        (0.1003, 22, 3, [(0.15116034026877626, 24), (0.5, 53), (0.848839659731226, 24)]),
        (0.1503, 8, 3, [(0.22951527041887612, 36), (0.5, 29), (0.7704847295811217, 36)]),
        (0.2003, 41, 1, [(0.5, 101)]),
        (0.3003, 5, 1, [(0.5, 101)]),
    ],
)
def test_hegselmann_krause_forms_the_known_clusters(reach, steps, number, middle):
    """101 evenly spaced opinions, all heard by all: the number, place and size of the clusters."""
    everybody = from_networkx(nx.complete_graph(101))
    x = np.linspace(0.0, 1.0, 101)
    for _ in range(steps + 1):
        before, x = x, bounded(x, everybody, reach=reach)
    assert x == pytest.approx(before, abs=1e-12)
    centres, sizes = clusters(x)
    assert len(sizes) == number
    if middle is not None:
        assert sizes == [size for _, size in middle]
        assert centres == pytest.approx([centre for centre, _ in middle], abs=1e-6)


def naive_bounded(x, ties, reach, weight):
    """Return bounded confidence as its definition says, person by person."""
    moved = np.empty_like(x)
    for i in range(len(x)):
        heard = [x[j] for j in ties.neighbours(i) if np.sqrt(((x[j] - x[i]) ** 2).sum()) <= reach]
        moved[i] = (1.0 - weight) * x[i] + weight * np.mean([x[i], *heard], axis=0)
    return moved


@given(pairs=PAIRS, reach=st.floats(0.01, 3.0), weight=st.floats(0.0, 1.0), seed=st.integers(0, 99))
def test_bounded_confidence_is_the_naive_loop(pairs, reach, weight, seed):
    """On any graph, for numbers and for vectors, the kernel is the definition written as a loop."""
    ties = ties_from(pairs)
    x = Chance(seed).normal("x", 0, np.arange(12), count=2)
    assert bounded(x, ties, reach=reach, weight=weight) == pytest.approx(
        naive_bounded(x, ties, reach, weight)
    )
    one = x[:, :1]
    assert bounded(one[:, 0], ties, reach=reach, weight=weight) == pytest.approx(
        naive_bounded(one, ties, reach, weight)[:, 0]
    )


@given(
    pairs=PAIRS,
    values=st.lists(st.floats(-5, 5), min_size=12, max_size=12),
    weight=st.floats(0, 1),
    reach=st.floats(0.01, 20),
)
def test_nobody_leaves_the_range_of_what_is_thought(pairs, values, weight, reach):
    """Averages stay between the least and the greatest value there is; loners stay where they are."""
    ties, x = ties_from(pairs), np.array(values)
    for moved in (degroot(x, ties, weight=weight), bounded(x, ties, reach=reach, weight=weight)):
        assert moved.min() >= x.min() - 1e-12
        assert moved.max() <= x.max() + 1e-12
        alone = ties.degree == 0
        assert moved[alone] == pytest.approx(x[alone], abs=1e-15)


@given(pairs=PAIRS, seed=st.integers(0, 99), share=st.floats(0.05, 1.0))
def test_adoption_only_grows(pairs, seed, share):
    """Whoever adopted stays so, and a lower threshold never means fewer adopters."""
    ties = ties_from(pairs)
    start = (Chance(seed).uniform("a", 0, np.arange(12))[:, 0] < 0.3).astype(np.float64)
    eager = steady = start
    for _ in range(12):
        after = adopt(steady, ties, threshold=share)
        assert (after >= steady).all()
        steady, eager = after, adopt(eager, ties, threshold=share / 2.0)
        assert (eager >= steady).all()


def test_a_cascade_runs_round_a_ring_or_stops():
    """On a ring one neighbour is half of all: a threshold of .5 carries on, .51 stops (Granovetter)."""
    ring = from_networkx(nx.cycle_graph(21))
    carried = stopped = np.eye(21)[0]
    for _ in range(10):
        carried, stopped = adopt(carried, ring, threshold=0.5), adopt(stopped, ring, threshold=0.51)
    assert carried.sum() == 21
    assert stopped.sum() == 1


def test_three_of_ten_friends_reach_a_threshold_of_three_tenths():
    """A threshold written as .3 and stored in 32 bits is reached by exactly 3 of 10."""
    star = from_networkx(nx.star_graph(10))
    adopted = np.array([0.0] + [1.0] * 3 + [0.0] * 7)
    stored = np.full(11, 0.3, dtype=np.float32).astype(np.float64)
    assert adopt(adopted, star, threshold=stored)[0] == 1.0
    assert adopt(np.zeros(11), freeze(11, np.zeros(0, int), np.zeros(0, int)), threshold=stored).sum() == 0


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


@settings(deadline=None)
@given(
    pairs=PAIRS,
    seed=st.integers(0, 99),
    directed=st.booleans(),
    kernel=st.sampled_from(["mean", "near", "adopt"]),
)
def test_sequential_is_one_after_another(pairs, seed, directed, kernel):
    """Waves give what a loop over single people in the drawn order gives, bit for bit."""
    ties = ties_from(pairs, directed=directed)
    u = Chance(seed).uniform("x", 0, np.arange(12), count=2)
    order = np.argsort(u[:, 0])
    move = {
        "mean": lambda values, rows: degroot(values, ties, rows, weight=0.5),
        "near": lambda values, rows: bounded(values, ties, rows, reach=0.4),
        "adopt": lambda values, rows: adopt(values, ties, rows, threshold=0.5),
    }[kernel]
    start = np.round(u[:, 1]) if kernel == "adopt" else u[:, 1]
    looped = start.copy()
    for person in order:
        looped[person] = move(looped, np.array([person]))[0]
    assert np.array_equal(sequential(start, ties, move, order), looped)


def test_sequential_lets_news_travel_further_than_synchronous():
    """Along a line, one sequential pass carries adoption to its end, a synchronous one a step."""
    line = from_networkx(nx.path_graph(9))
    start = np.eye(9)[0]

    def move(values, rows):
        return adopt(values, line, rows, threshold=0.5)

    assert synchronous(start, line, move).sum() == 2
    assert sequential(start, line, move, np.arange(9)).sum() == 9
    assert sequential(start, line, move, np.arange(9)[::-1]).sum() == 2


@given(pairs=PAIRS, seed=st.integers(0, 99))
def test_waves_hold_everybody_once_and_no_two_friends(pairs, seed):
    """Each person moves in one wave, and nobody in the wave of a friend."""
    ties = ties_from(pairs)
    sets = [
        set(wave.tolist())
        for wave in waves(ties, np.argsort(Chance(seed).uniform("o", 0, np.arange(12))[:, 0]))
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
