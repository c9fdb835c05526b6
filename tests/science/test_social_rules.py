"""Social rules reproduce what is known of them, through `rehearse.agents.social.Society`."""

from __future__ import annotations

from functools import cache
from math import comb

import networkx as nx
import numpy as np
import pytest

from rehearse.agents.social import (
    SIR,
    SIS,
    Bass,
    DeffuantWeisbuch,
    DeGroot,
    FriedkinJohnsen,
    Graph,
    HegselmannKrause,
    IndependentCascade,
    ReedFrost,
    Society,
    Threshold,
    Voter,
)

pytestmark = pytest.mark.science
CLUB = nx.karate_club_graph()
MR_HI = np.array([float(CLUB.nodes[n]["club"] == "Mr. Hi") for n in CLUB])
EVERYBODY = Graph(kind="complete")


def clusters(values, gap):
    """Return the centres and sizes of values that lie together."""
    ordered = np.sort(values)
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > gap) + 1)
    return [part.mean() for part in parts], [len(part) for part in parts]


def random_views(people, replicas=60):
    """Return uniform views that do not depend on the rules under test."""
    return np.random.default_rng(1).random((replicas, people))


def test_degroot_on_karate_reaches_the_degree_weighted_mean():
    """With W_ij = 1/(k_i + 1) all reach .51579, not .5, at the published pace."""
    views = Society(CLUB, {"opinion": MR_HI}, rules=[DeGroot()]).run(200)["opinion"]
    assert views[200] == pytest.approx(np.full(34, 0.5157894736842106), abs=1e-8)
    published = {
        5: (0.2007776603806764, 0.9521412101245514),
        10: (0.347340045796198, 0.8172485078403171),
        50: (0.5138675091146107, 0.5201156765776719),
        200: (0.5157894735461196, 0.5157894739952382),
    }
    for tick, ends in published.items():
        assert (views[tick].min(), views[tick].max()) == pytest.approx(ends, abs=1e-12)


def test_degroot_counts_strong_ties_more():
    """On the weighted club the consensus is the strength-weighted mean."""
    society = Society(CLUB, {"opinion": MR_HI}, rules=[DeGroot()], weight="weight")
    assert society.run(400)["opinion"][-1] == pytest.approx(np.full(34, 0.5120967741935474), abs=1e-8)


def test_friedkin_johnsen_on_karate():
    """Susceptible by .8, the two heads not at all: the published fixed point."""
    susceptibility = np.where(np.isin(np.arange(34), [0, 33]), 0.0, 0.8)
    values = {"opinion": MR_HI, "susceptibility": susceptibility}
    x = Society(CLUB, values, rules=[FriedkinJohnsen()]).run(200)["opinion"][-1]
    assert (x.mean(), x.var()) == pytest.approx((0.4970591548188345, 0.16525188757322973), abs=1e-8)
    told = [1.0, 0.6577947694471382, 0.5508827546318024, 0.7073525894870248, 0.0]
    assert x[[0, 2, 8, 19, 33]] == pytest.approx(told, abs=1e-8)


HK = [
    (101, 0.0503, 9, 18, None),
    (101, 0.1003, 3, 22, [(0.15116034026877626, 24), (0.5, 53), (0.848839659731226, 24)]),
    (101, 0.1503, 3, 8, [(0.22951527041887612, 36), (0.5, 29), (0.7704847295811217, 36)]),
    (101, 0.2003, 1, 41, [(0.5, 101)]),
    (101, 0.2503, 1, 10, [(0.5, 101)]),
    (101, 0.3003, 1, 5, [(0.5, 101)]),
    (625, 0.0503, 7, 104, None),
    (
        625,
        0.1003,
        5,
        14,
        [
            (0.15421740264299902, 149),
            (0.3972503512546085, 163),
            (0.5, 1),
            (0.6027496487454016, 163),
            (0.8457825773569993, 149),
        ],
    ),
    (625, 0.1503, 3, 10, [(0.2317855964771387, 223), (0.5, 179), (0.7682144035228664, 223)]),
    (625, 0.2003, 1, 207, [(0.5, 625)]),
    (625, 0.2503, 1, 9, [(0.5, 625)]),
    (625, 0.3003, 1, 5, [(0.5, 625)]),
]


@pytest.mark.parametrize(("people", "reach", "number", "steps", "told"), HK)
def test_hegselmann_krause_forms_the_known_clusters(people, reach, number, steps, told):
    """Evenly spaced opinions, all heard by all: number, size and place of clusters, and the steps."""
    views = {"opinion": np.linspace(0.0, 1.0, people)}
    society = Society(EVERYBODY, views, rules=[HegselmannKrause(reach=reach)], count=people)
    assert society.settle() == steps
    centres, sizes = clusters(society["opinion"], 1e-6)
    assert len(sizes) == number
    if told is not None:
        assert sizes == [size for _, size in told]
        assert centres == pytest.approx([centre for centre, _ in told], abs=1e-6)


@pytest.mark.parametrize(("reach", "least", "most"), [(0.01, 36.0, 40.0), (0.15, 2.0, 3.0), (0.25, 1.0, 1.0)])
def test_hegselmann_krause_from_random_views(reach, least, most):
    """625 people at random end in about 38, 2 to 3, and 1 clusters."""
    society = Society(
        EVERYBODY,
        {"opinion": random_views(625, 20)},
        rules=[HegselmannKrause(reach=reach)],
        count=625,
        replicas=20,
    )
    society.settle()
    found = [len(clusters(views, 1e-6)[1]) for views in society["opinion"]]
    assert least <= np.mean(found) <= most


@pytest.mark.parametrize(("reach", "major", "share"), [(0.5, {1}, 1.0), (0.2, {2}, 0.9), (0.1, {4, 5}, 0.9)])
def test_deffuant_weisbuch_leaves_about_half_the_inverse_of_reach(reach, major, share):
    """500 people, 60,000 meetings: clusters of at least 5 % number about 1/(2ε), and the mean stays."""
    views = random_views(500)
    rules = [DeffuantWeisbuch(reach=reach, picks=500)]
    society = Society(EVERYBODY, {"opinion": views}, rules=rules, count=500, replicas=60)
    for _ in range(120):
        society.step()
    x = society["opinion"]
    found = [sum(size >= 25 for size in clusters(each, reach / 4)[1]) for each in x]
    assert np.mean([number in major for number in found]) >= share
    assert x.mean(axis=1) == pytest.approx(views.mean(axis=1), abs=1e-12)


def test_an_independent_cascade_on_the_kite_has_the_exact_law():
    """From node 0 of Krackhardt's kite with p = .3: mean 3.9932, and how likely each person is reached."""
    seed = {"adopted": np.eye(10)[0]}
    rules = [IndependentCascade(probability=0.3)]
    society = Society(nx.krackhardt_kite_graph(), seed, rules=rules, replicas=5000)
    for _ in range(12):
        society.step()
    reached = society["adopted"]
    assert reached.sum(axis=1).mean() == pytest.approx(3.9932200641190034, abs=0.14)
    told = [1.0, 0.46198, 0.46822, 0.53367, 0.31818, 0.49887, 0.38906, 0.23255, 0.06977, 0.02093]
    assert reached.mean(axis=0) == pytest.approx(told, abs=0.03)
    assert (reached.sum(axis=1) == 1).mean() == pytest.approx(0.2401, abs=0.025)


@pytest.mark.parametrize("rule", ["sir", "cascade"])
def test_an_epidemic_of_one_generation_is_percolation(rule):
    """On a random graph of mean degree 6, carried with .3 by each tie, .7324 are reached."""
    rules = {
        "sir": SIR(transmission=0.3, recovery=1.0, infected=50),
        "cascade": IndependentCascade(probability=0.3),
    }
    seeds = {"adopted": (np.arange(10_000) < 50).astype(float)} if rule == "cascade" else {}
    graph = Graph(kind="erdos_renyi", degree=6)
    society = Society(graph, seeds, rules=[rules[rule]], count=10_000, replicas=5)
    for _ in range(60):
        society.step()
    reached = society["infection"] > 0 if rule == "sir" else society["adopted"]
    assert reached.mean() == pytest.approx(0.7324299666370861, abs=0.02)


@pytest.mark.parametrize(
    ("degree", "share", "told"), [(2, 0.01, 0.8000), (4, 0.01, 0.9804), (8, 0.01, 0.9997), (8, 0.001, 0.0023)]
)
def test_cascades_by_threshold_reach_what_theory_says(degree, share, told):
    """Watts's model with thresholds of .18 on random graphs of 10,000: full cascades, or none."""
    seeds = {"adopted": (np.arange(10_000) < share * 10_000).astype(float)}
    graph = Graph(kind="erdos_renyi", degree=degree)
    society = Society(graph, seeds, rules=[Threshold(threshold=0.18)], count=10_000, replicas=3)
    society.settle()
    assert society["adopted"].mean() == pytest.approx(told, abs=0.02 if told > 0.01 else 0.0077)


def test_bass_in_a_society_of_a_hundred():
    """Ticks of a whole unit: the mean number of adopters of the exact chain."""
    history = Society(EVERYBODY, rules=[Bass()], count=100, replicas=400).run(20)
    adopters = history["adopted"].sum(axis=2).mean(axis=1)
    told = {1: (3.0, 1.71), 5: (26.99, 7.78), 8: (57.46, 10.75), 10: (76.48, 9.18), 15: (97.30, 2.31)}
    for tick, (mean, sd) in told.items():
        assert adopters[tick] == pytest.approx(mean, abs=4.0 * sd / 20.0)


def test_bass_in_small_ticks_has_the_closed_form():
    """With ticks of .02 a large society follows F(t): .8128 at t = 10."""
    society = Society(EVERYBODY, rules=[Bass(dt=0.02)], count=20_000, record=())
    for _ in range(500):
        society.step()
    assert society["adopted"].mean() == pytest.approx(0.8128032212213462, abs=0.015)


@pytest.mark.parametrize("graph", [nx.star_graph(9), nx.path_graph(6), nx.complete_graph(8)])
def test_the_voter_model_ends_by_degree(graph):
    """Consensus on 1 is as likely as the degree-weighted share that begins there (Sood and Redner 2005)."""
    first = np.zeros(len(graph))
    first[:2] = 1.0
    degree = np.array([graph.degree[node] for node in graph], dtype=float)
    society = Society(graph, {"opinion": first}, rules=[Voter()], replicas=4000)
    for _ in range(400):
        society.step()
    ends = society["opinion"]
    assert (ends == ends[:, :1]).all()
    expected = (degree * first).sum() / degree.sum()
    assert ends[:, 0].mean() == pytest.approx(expected, abs=4.0 * np.sqrt(0.25 / 4000))


def test_the_voter_model_takes_the_known_time_on_a_complete_graph():
    """From half and half, the mean time to consensus tends to n · ln 2 sweeps of a complete graph."""
    n = 40
    # The number on one side is a walk that goes up and down alike, at these rates a pick.
    rate = np.array([k * (n - k) / (n * (n - 1)) for k in range(1, n)])
    walk = np.diag(np.full(n - 1, 2.0)) - np.diag(np.ones(n - 2), 1) - np.diag(np.ones(n - 2), -1)
    picks = np.linalg.solve(rate[:, None] * walk, np.ones(n - 1))[n // 2 - 1]
    start = (np.arange(n) < n // 2).astype(float)
    society = Society(EVERYBODY, {"opinion": start}, rules=[Voter(picks=4)], count=n, replicas=2000)
    waited = np.zeros(2000)
    while (mixed := society["opinion"].std(axis=1) > 0.0).any():
        waited += mixed
        society.step()
    taken = waited * 4.0 - 1.5  # a tick is four picks, and ends within one
    assert taken.mean() == pytest.approx(picks, abs=4.0 * taken.std() / np.sqrt(2000))


def chain_of_reed_frost(susceptible, infected, chance):
    """Return how likely each number of people in all is infected in the end, from the chain binomial."""

    @cache
    def more(s, i):
        law = np.zeros(susceptible + 1)
        if i == 0:
            law[0] = 1.0
            return law
        risk = 1.0 - (1.0 - chance) ** i
        for new in range(s + 1):
            likely = comb(s, new) * risk**new * (1.0 - risk) ** (s - new)
            law[new:] += likely * more(s - new, new)[: susceptible + 1 - new]
        return law

    return more(susceptible, infected)


def test_reed_frost_ends_as_the_chain_binomial_says():
    """Final sizes of 20,000 households of eight have the law of the exact chain."""
    law = chain_of_reed_frost(7, 1, 0.2)
    society = Society(EVERYBODY, rules=[ReedFrost(transmission=0.2)], count=8, replicas=20_000, record=())
    for _ in range(10):
        society.step()
    sizes = np.bincount((society["infection"] == 2).sum(axis=1) - 1, minlength=8) / 20_000
    assert sizes == pytest.approx(law, abs=4.0 * np.sqrt(0.25 / 20_000))


def test_sis_stays_endemic_above_the_threshold_only():
    """On a complete graph the share infected solves 1 − (1 − τ)^(n·i) balanced against recovery, or is 0."""
    n, recovery = 2000, 0.4
    for tau, lives in ((0.3 / n, False), (1.0 / n, True)):
        start = (np.arange(n) < n // 2).astype(float)
        rules = [SIS(transmission=tau, recovery=recovery)]
        society = Society(EVERYBODY, {"infection": start}, rules=rules, count=n, replicas=5)
        for _ in range(150):
            society.step()
        share = (society["infection"] == 1).mean()
        balance = 0.5
        for _ in range(1000):
            balance += 0.1 * ((1.0 - balance) * (1.0 - (1.0 - tau) ** (n * balance)) - recovery * balance)
        assert balance > 0.1 if lives else balance < 1e-3
        assert share == pytest.approx(balance, abs=0.02)


def test_linear_thresholds_reach_whom_live_edges_reach():
    """With thresholds uniform at random, spread is reachability over live edges (Kempe et al. 2003)."""
    graph = nx.karate_club_graph()
    society = Society(graph, {"adopted": np.eye(34)[0]}, rules=[Threshold()], replicas=4000)
    society.settle("adopted")
    generator, reached = np.random.default_rng(1), 0
    for _ in range(4000):
        live = nx.DiGraph()
        live.add_nodes_from(graph)
        live.add_edges_from((int(generator.choice(list(graph[node]))), node) for node in graph if node)
        reached += len(nx.descendants(live, 0)) + 1
    assert society["adopted"].sum(axis=1).mean() == pytest.approx(reached / 4000, abs=0.6)


@pytest.mark.parametrize(("second", "rioters"), [(1.0, 100), (2.0, 1)])
def test_one_threshold_decides_about_a_riot(second, rioters):
    """Granovetter (1978): of thresholds 0, 1, 2, …, 99 all 100 riot; with a 2 in place of the 1 one does."""
    thresholds = np.where(np.arange(100) == 1, second, np.arange(100.0))
    society = Society(EVERYBODY, {"threshold": thresholds}, rules=Threshold(of="count"), count=100)
    society.settle()
    assert society["adopted"].sum() == rioters


def test_zealots_keep_opinions_apart():
    """Voters among 3 zealots of one view and 2 of the other: beta-binomial in the long run (Mobilia 2007).

    Of 35 voters 21 hold the first view on average, with a variance of 56 (5 standard errors: ±.9, ±10).
    """
    voters, people = 35, 40
    listens = nx.DiGraph((i, j) for i in range(voters) for j in range(people) if i != j)
    views = np.r_[np.zeros(voters + 2), np.ones(3)]
    society = Society(listens, {"opinion": views}, rules=Voter(), replicas=2000, record=())
    society.run(60)
    held = society["opinion"][:, :voters].sum(axis=1)
    assert held.mean() == pytest.approx(21.0, abs=0.9)
    assert held.var() == pytest.approx(56.0, abs=10.0)
