"""Each social rule is its definition, written out as a loop over people, and means the order it declares."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.agents.everyone import Everyone
from rehearse.agents.social import (
    SEIR,
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
    Rewiring,
    Society,
    Threshold,
    View,
    Voter,
    WordOfMouth,
    load,
)
from rehearse.agents.social.drive import moved
from rehearse.agents.social.meetings import waves
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.errors import DataError, NotFoundError, ScenarioError, UserError
from rehearse.registry import entries

COUNT = 12
EDGES = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1), st.sampled_from([-1.0, 0.5, 1.0, 2.0])),
    max_size=40,
)
COMPLETE = Graph(kind="complete")


def graph_of(edges, *, directed):
    """Return a networkx graph of all people with these edges."""
    made = nx.DiGraph() if directed else nx.Graph()
    made.add_nodes_from(range(COUNT))
    made.add_weighted_edges_from((a, b, w) for a, b, w in edges if a != b)
    return made


def friends(graph, person):
    """Return whom a person listens to, with the weights, by networkx alone."""
    return [(other, data["weight"]) for other, data in sorted(graph[person].items())]


def views_of(seed, count=COUNT):
    """Return views between 0 and 1."""
    return Chance(seed).uniform("views", 0, np.arange(count))[:, 0]


@settings(deadline=None, max_examples=60)
@given(
    edges=EDGES,
    directed=st.booleans(),
    seed=st.integers(0, 99),
    weight=st.floats(0, 1),
    own=st.floats(0, 2, allow_subnormal=False),
)
def test_averaging_is_the_weighted_mean_with_foes_mirrored(edges, directed, seed, weight, own):
    """DeGroot on any signed, weighted, directed graph is the definition written as a loop."""
    graph, x = graph_of(edges, directed=directed), views_of(seed)
    rule = DeGroot(weight=weight, own=own, mirror=0.5)
    after = Society(graph, {"opinion": x}, rules=rule, weight="weight").step()["opinion"]
    for i in range(COUNT):
        heard = [(1.0 - x[j] if w < 0 else x[j], abs(w)) for j, w in friends(graph, i)] + [(x[i], own)]
        mass = sum(w for _, w in heard)
        goal = sum(v * w for v, w in heard) / mass if mass else x[i]
        assert after[i] == pytest.approx((1.0 - weight) * x[i] + weight * goal, abs=1e-12)


def test_averaging_takes_any_matrix_of_trust():
    """With loops, a step is x' = W x (DeGroot 1974), and all reach what W to a high power says."""
    w = np.array([[0.6, 0.4, 0.0], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    graph, x = nx.from_numpy_array(w, create_using=nx.DiGraph), np.array([1.0, 0.5, 0.0])
    for rule in (DeGroot(), {"name": "degroot-v1", "settings": {"own": 0.0}}):
        society = Society(graph, {"opinion": x}, rules=[rule], weight="weight")
        assert society.step()["opinion"] == pytest.approx(w @ x, abs=1e-15)
    society.settle()
    assert society["opinion"] == pytest.approx(np.linalg.matrix_power(w, 500) @ x, abs=1e-9)
    graph.add_edge(0, 0, weight=-1.0)
    with pytest.raises(DataError, match="itself with the weight -1"):
        Society(graph, {"opinion": x}, rules=[DeGroot()], weight="weight")


def test_foes_need_a_mirror():
    """A tie below 0 without `mirror` is refused, as nobody can know what its opposite is."""
    foes = nx.Graph()
    foes.add_edge(0, 1, weight=-1.0)
    for rule in (DeGroot(), Voter()):
        with pytest.raises(ScenarioError, match="mirror"):
            Society(foes, {"opinion": [0.0, 1.0]}, rules=rule, weight="weight").run(3)


def test_a_balanced_society_splits_into_opposites():
    """Altafini's theorem: where foes' foes are friends, two camps end as mirrors."""
    camps = nx.complete_graph(6)
    for a, b in camps.edges:
        camps[a][b]["weight"] = 1.0 if (a < 3) == (b < 3) else -1.0
    x = np.array([0.9, 0.1, 0.5, -0.3, 0.2, 0.4])
    after = Society(camps, {"opinion": x}, rules=DeGroot(mirror=0.0), weight="weight").run(100)["opinion"][-1]
    side = np.where(np.arange(6) < 3, 1.0, -1.0)
    assert after == pytest.approx(side * (side * x).mean(), abs=1e-10)


def test_friedkin_johnsen_reaches_the_solution_of_its_equation():
    """x = (I − SW)⁻¹ (I − S) x(0), each person with a susceptibility of their own."""
    graph, x, s = nx.karate_club_graph(), views_of(3, 34), views_of(4, 34)
    w = nx.to_numpy_array(graph, weight=None) + np.eye(34)
    w /= w.sum(axis=1, keepdims=True)
    fixed = np.linalg.solve(np.eye(34) - s[:, None] * w, (1.0 - s) * x)
    values = {"opinion": x, "susceptibility": s}
    found = Society(graph, values, rules=FriedkinJohnsen()).run(2000)["opinion"][-1]
    assert found == pytest.approx(fixed, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(edges=EDGES, seed=st.integers(0, 99), reach=st.floats(0.05, 1.0), dims=st.sampled_from([1, 2]))
def test_bounded_confidence_is_the_mean_within_reach(edges, seed, reach, dims):
    """Hegselmann–Krause on ties, for numbers and for vectors; foes are not heard."""
    graph = graph_of(edges, directed=False)
    x = Chance(seed).uniform("x", 0, np.arange(COUNT), count=dims)
    given_views = x[:, 0] if dims == 1 else x
    rule = HegselmannKrause(reach=reach)
    after = Society(graph, {"opinion": given_views}, rules=rule, weight="weight").step()["opinion"]
    for i in range(COUNT):
        near = [
            (x[j], w) for j, w in friends(graph, i) if w > 0 and np.sqrt(((x[j] - x[i]) ** 2).sum()) <= reach
        ]
        near.append((x[i], 1.0))
        mean = sum(v * w for v, w in near) / sum(w for _, w in near)
        assert after[i] == pytest.approx(mean if dims == 2 else mean[0], abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(-40, 40), min_size=1, max_size=20),
    reach=st.integers(1, 40),
    scale=st.sampled_from([0.1, 1.0, 1e6]),
)
def test_everybody_within_reach_is_found_though_nobody_is_written_out(values, reach, scale):
    """On a complete graph the sorted sums are the naive ones, values at the very edge and equal ones too."""
    x = np.array(values) * scale
    sums, numbers = Everyone(len(x)).within(x, reach * scale)
    near = np.abs(x[:, None] - x[None, :]) <= reach * scale
    assert numbers.tolist() == near.sum(axis=1).tolist()
    assert sums == pytest.approx(np.where(near, x[None, :], 0.0).sum(axis=1), rel=1e-12, abs=1e-9 * scale)


def test_a_complete_graph_is_what_it_stands_for():
    """Sums, friends and picks of `Everyone` are those of the same graph written out, for each society."""
    whole, apart = Everyone(5, 3), [nx.complete_graph(5)] * 3
    written = nx.disjoint_union_all(apart)
    ties = freeze(15, *np.array(written.edges).T)
    values = views_of(1, 15)
    assert whole.total(values) == pytest.approx(ties.total(values))
    assert whole.mean(values, np.array([7, 2])) == pytest.approx(ties.mean(values, np.array([7, 2])))
    assert whole.degree.tolist() == ties.degree.tolist()
    assert [whole.neighbours(i).tolist() for i in range(15)] == [
        ties.neighbours(i).tolist() for i in range(15)
    ]
    assert whole.indices.tolist() == ties.indices.tolist()
    assert whole.indptr.tolist() == ties.indptr.tolist()
    picked = whole.pick(np.repeat(np.arange(15), 50), np.tile((np.arange(50) + 0.5) / 50, 15))
    assert (
        picked.tolist()
        == ties.pick(np.repeat(np.arange(15), 50), np.tile((np.arange(50) + 0.5) / 50, 15)).tolist()
    )
    here = np.arange(15) != 3
    assert whole.among(here).indices.tolist() == ties.among(here).indices.tolist()


def test_a_large_complete_graph_takes_no_memory_and_says_when_it_would():
    """A million people who all know one another: averaging works, writing all ties out is refused."""
    crowd = Everyone(1_000_000)
    assert crowd.total(np.ones(1_000_000))[:2].tolist() == [999_999.0, 999_999.0]
    with pytest.raises(ScenarioError, match="too many to write out"):
        _ = crowd.indices


@settings(deadline=None, max_examples=50)
@given(
    meetings=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda p: p[0] != p[1]), max_size=40
    ),
    both=st.booleans(),
)
def test_meetings_in_waves_are_meetings_one_after_another(meetings, both):
    """Held in waves, meetings come to what a loop over them comes to, bit for bit."""
    one, other = np.array(meetings, dtype=np.int64).reshape(-1, 2).T
    looped, waved = np.arange(8.0) + 0.1, np.arange(8.0) + 0.1
    for a, b in meetings:
        x, y = looped[a], looped[b]
        looped[a] = 0.7 * x + 0.3 * y
        if both:
            looped[b] = 0.6 * y + 0.4 * x
    held = []
    for wave in waves(one, other, 8, both=both):
        x, y = waved[one[wave]], waved[other[wave]]
        waved[one[wave]] = 0.7 * x + 0.3 * y
        if both:
            waved[other[wave]] = 0.6 * y + 0.4 * x
        held += wave.tolist()
    assert sorted(held) == list(range(len(meetings)))
    assert np.array_equal(looped, waved)


@pytest.mark.parametrize("rule", [Voter(), DeffuantWeisbuch(reach=0.4)], ids=["voter", "deffuant"])
def test_meetings_are_sequential_in_the_order_drawn(rule):
    """Each meeting sees what those before have made of both: a tick is a loop over its drawn pairs."""
    graph, x = nx.karate_club_graph(), views_of(5, 34)
    society = Society(graph, {"opinion": x}, rules=rule, seed=9)
    view = View.of_everybody(society.people, society.ties, Chance(9), 0, rule.title)
    one, other, _ = rule.pairs(view)
    assert len(one) == 34
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        assert b in graph[a]
        if isinstance(rule, Voter):
            x[a] = x[b]
        elif abs(x[a] - x[b]) < 0.4:
            x[a], x[b] = x[a] + 0.5 * (x[b] - x[a]), x[b] + 0.5 * (x[a] - x[b])
    assert np.array_equal(society.step()["opinion"], x)


def test_in_a_directed_meeting_only_the_listener_moves():
    """0 listens to 1: 1 stays where it is."""
    society = Society(nx.DiGraph([(0, 1)]), {"opinion": [0.0, 0.1]}, rules=DeffuantWeisbuch(reach=1.0))
    after = society.run(5)["opinion"][-1]
    assert after[1] == 0.1
    assert after[0] > 0.0


SPREADING = [
    SIR(transmission=0.4, recovery=0.3),
    SIS(transmission=0.4, recovery=0.3),
    SEIR(transmission=0.6, recovery=0.2, incubation=0.5),
    ReedFrost(transmission=0.5),
]


@pytest.mark.parametrize("rule", SPREADING, ids=lambda r: r.title)
@pytest.mark.parametrize("weighted", [False, True])
def test_contagion_is_synchronous_with_one_chance_a_contact(rule, weighted):
    """A tick is its definition: S → I with 1 − (1 − τ)^k by what was, with the very draws of each person."""
    graph = nx.karate_club_graph()
    society = Society(graph, rules=rule, seed=3, weight="weight" if weighted else None)
    stages = rule.stages
    for tick in range(8):
        before = society["infection"].astype(int)
        u = Chance(3).uniform(f"social/{rule.title}/stage", 0, np.arange(34), tick=tick, count=2)
        after = before.copy()
        for i in range(34):
            k = sum(graph[i][j]["weight"] if weighted else 1 for j in graph[i] if stages[before[j]] == "I")
            if before[i] == 0 and u[i, 0] < 1.0 - (1.0 - rule.transmission) ** k:
                after[i] = 1
            end = {"E": getattr(rule, "incubation", 0), "I": getattr(rule, "recovery", 1.0)}
            if stages[before[i]] in end and u[i, 1] < end[stages[before[i]]]:
                after[i] = (before[i] + 1) % len(stages)
        society.step()
        assert society["infection"].tolist() == after.tolist()
    counted = [int((after == code).sum()) for code in range(len(stages))]
    assert list(society.measures.values()) == counted


def test_stages_may_be_words():
    """People begin in the stages they are given, by letter or name; what is no stage is named."""
    path = nx.path_graph(3)
    rule = SIR(transmission=1.0, recovery=1.0)
    society = Society(path, {"infection": ["I", "susceptible", "S"]}, rules=rule)
    assert society.step()["infection"].tolist() == [2, 1, 0]
    with pytest.raises(DataError, match="'X', which is no stage"):
        Society(path, {"infection": ["I", "X", "S"]}, rules=rule)
    with pytest.raises(DataError, match="holds 7"):
        Society(path, {"infection": [7, 0, 0]}, rules=rule)


def test_each_tie_has_one_chance_in_a_cascade():
    """A tick wins over whom some tie of a fresh adopter carries it to, by the draw of that very tie."""
    graph = nx.gnp_random_graph(40, 0.15, seed=1, directed=True)
    society = Society(
        graph, {"adopted": np.eye(40)[0] + np.eye(40)[1]}, rules=IndependentCascade(probability=0.4)
    )
    spent = np.zeros(40, dtype=bool)
    for tick in range(6):
        before = society["adopted"] > 0
        fresh = before & ~spent
        after = before.copy()
        for i, j in itertools.product(range(40), np.flatnonzero(fresh)):
            address = "social/independent-cascade-v1/tie"
            if j in graph[i] and Chance(1).between(address, 0, i, j, tick=tick) < 0.4:
                after[i] = True
        spent |= before
        society.step()
        assert (society["adopted"] > 0).tolist() == after.tolist()


def test_a_cascade_may_take_the_weights_as_chances():
    """With probability None a tie carries with its weight: surely at 1, never below 0."""
    made = nx.Graph()
    made.add_weighted_edges_from([(0, 1, 1.0), (0, 2, -1.0), (1, 3, 1.0)])
    rule = IndependentCascade(probability=None)
    society = Society(made, {"adopted": [1, 0, 0, 0]}, rules=rule, weight="weight")
    assert society.run(3)["adopted"][-1].tolist() == [1, 1, 0, 1]


@settings(deadline=None, max_examples=60)
@given(
    edges=EDGES,
    seed=st.integers(0, 99),
    strict=st.booleans(),
    of=st.sampled_from(["share", "count", "weight"]),
)
def test_thresholds_are_compared_as_said(edges, seed, strict, of):
    """Enough friends: at least the threshold, or more than it where `strict`; foes do not count."""
    graph = graph_of(edges, directed=True)
    adopted = (views_of(seed) < 0.4).astype(float)
    threshold = {"share": 0.5, "count": 2.0, "weight": 1.5}[of]
    rule = Threshold(threshold=threshold, of=of, strict=strict)
    after = Society(graph, {"adopted": adopted}, rules=rule, weight="weight").step()["adopted"]
    for i in range(COUNT):
        known = [(j, w) for j, w in friends(graph, i) if w > 0]
        mass = sum(w for _, w in known)
        heard = {
            "share": sum(w * adopted[j] for j, w in known) / mass if mass else 0.0,
            "count": sum(adopted[j] for j, _ in known),
            "weight": sum(w * adopted[j] for j, w in known),
        }[of]
        enough = heard > threshold if strict else heard >= threshold
        assert after[i] == float(adopted[i] or enough)


def test_a_threshold_is_met_where_it_is_equalled():
    """A ring whose neighbour is half of all: .5 carries on, and stops where it must be exceeded."""
    ring, start = nx.cycle_graph(21), np.eye(21)[0]
    for strict, reached in ((False, 21), (True, 1)):
        rule = Threshold(threshold=0.5, strict=strict)
        assert Society(ring, {"adopted": start}, rules=rule).run(10)["adopted"][-1].sum() == reached


def test_three_of_ten_friends_reach_a_threshold_of_three_tenths():
    """A threshold written as .3 and kept in 32 bits is reached by exactly 3 of 10."""
    adopted = np.array([0.0] + [1.0] * 3 + [0.0] * 7)
    kept = np.full(11, 0.3, dtype=np.float32)
    society = Society(nx.star_graph(10), {"adopted": adopted, "threshold": kept}, rules=Threshold())
    assert society.step()["adopted"][0] == 1.0


def test_bass_among_friends_looks_at_friends_alone():
    """With p = 0 and q = 1 who has only adopters for friends adopts, who has none never does."""
    two = nx.Graph([(0, 1), (2, 3)])
    society = Society(two, {"adopted": [1, 0, 0, 0]}, rules=Bass(p=0.0, q=1.0, among="friends"))
    assert society.run(5)["adopted"][-1].tolist() == [1, 1, 0, 0]


def assort(ties, x):
    """Return the share of ties between people of the same camp."""
    owner, friend, _ = ties.around()
    return ((x[owner] < 0.5) == (x[friend] < 0.5)).mean()


@pytest.mark.parametrize("among", ["everybody", "friends_of_friends"])
@pytest.mark.parametrize("directed", [False, True])
def test_rewiring_brings_the_like_together_and_keeps_the_ties_in_number(among, directed):
    """Ties move to the like; their number and the societies stay as they were."""
    made = nx.gnp_random_graph(60, 0.1, seed=2, directed=directed)
    x = np.stack([views_of(1, 60), views_of(2, 60)])
    society = Society(made, {"opinion": x}, rules=Rewiring(tolerance=0.2, rate=0.3, among=among), replicas=2)
    before, ties = assort(society.ties, x.ravel()), society.ties
    for _ in range(30):
        society.step()
    owner, friend, _ = society.ties.around()
    assert len(friend) == len(ties.indices)
    assert (owner // 60 == friend // 60).all()
    assert (owner != friend).all()
    assert assort(society.ties, x.ravel()) > before + 0.15
    alone = Society(made, {"opinion": x[0]}, rules=Rewiring(tolerance=0.2, rate=0.3, among=among))
    for _ in range(30):
        alone.step()
    assert alone.ties.indices.tolist() == society.ties.indices[: len(alone.ties.indices)].tolist()


def test_rewiring_leaves_the_like_alone():
    """Where all are within tolerance no tie is given up; on a complete graph there is nobody new."""
    club = nx.karate_club_graph()
    society = Society(club, {"opinion": 0.5}, rules=Rewiring(rate=1.0))
    before = society.ties.indices.copy()
    assert society.step().ties.indices.tolist() == before.tolist()
    with pytest.raises(ScenarioError, match="nobody new"):
        Society(COMPLETE, {"opinion": 0.5}, rules=Rewiring(), count=5).step()


def test_word_of_mouth_moves_trust_and_wins_people_over():
    """The satisfied raise friends' trust and win them over, the dissatisfied lower it."""
    star = nx.star_graph(3)
    rule = WordOfMouth(tells=1.0, trust_rate=0.5, adopt=1.0)
    values = {"trust": 0.5, "adopted": 0.0}
    for satisfaction, sessions, trust, won in (
        (0.9, 1, 0.75, 1),
        (0.1, 1, 0.25, 0),
        (0.9, 0, 0.5, 0),
        (0.5, 1, 0.5, 0),
    ):
        said = {"satisfaction": [satisfaction, 0.5, 0.5, 0.5], "sessions": [sessions, 0, 0, 0]}
        society = Society(star, values | said, rules=rule).step()
        assert society["trust"][1:].tolist() == [trust] * 3
        assert society["trust"][0] == 0.5
        assert society["adopted"][1:].tolist() == [won] * 3
        assert society.measures["heard_praise"] == (3.0 if won else 0.0)


def everything(name):
    """Return a rule of each kind with which something happens, and what people begin with."""
    options = {
        "degroot-v1": {"weight": 0.3},
        "friedkin-johnsen-v1": {"weight": 0.6},
        "hegselmann-krause-v1": {"reach": 0.3},
        "independent-cascade-v1": {"probability": 0.3},
        "threshold-v1": {"threshold": 0.2},
        "bass-v1": {"among": "friends"},
        "friends-v1": {"column": "adopted"},
        "rewiring-v1": {"rate": 0.4},
        "word-of-mouth-v1": {"tells": 0.6, "adopt": 0.3},
    }
    return load(name, options.get(name))


def start(replicas):
    """Return values for 40 people of some societies, each drawn from its own address."""
    draws = Chance(7).uniform(
        "start", np.repeat(replicas, 40), np.tile(np.arange(40), len(replicas)), count=4
    )
    u = draws.reshape(len(replicas), 40, 4)
    return {
        "opinion": u[..., 0],
        "adopted": (u[..., 1] < 0.15).astype(float),
        "satisfaction": u[..., 2],
        "trust": u[..., 3],
        "sessions": np.ones((len(replicas), 40)),
    }


@pytest.mark.parametrize("name", sorted(entries("rules")))
def test_a_society_is_the_same_in_any_company_and_something_happens(name):
    """Of each registered rule: three societies together are, bit for bit, the first one of them alone."""
    graph = nx.watts_strogatz_graph(40, 4, 0.2, seed=1)
    together = Society(graph, start([0, 1, 2]), rules=everything(name), replicas=3, seed=5)
    alone = Society(graph, start([0]), rules=everything(name), replicas=1, seed=5)
    first = {column: array.copy() for column, array in together.people.items()}
    edges = together.ties.indices.copy()
    for _ in range(4):
        together.step()
        alone.step()
    for column in alone.people:
        assert np.array_equal(together[column][0], alone[column][0])
    counts = {"centrality-v1": "degree", "friends-v1": "sick_friends"}
    if name in counts:  # nothing changes that is counted
        assert np.ptp(together[counts[name]]) > 0
        return
    changed = any(not np.array_equal(first[column], together.people[column]) for column in first)
    assert changed or not np.array_equal(edges, together.ties.indices)


SYNCHRONOUS = [
    n for n in sorted(entries("rules")) if everything(n).order == "synchronous" and n != "rewiring-v1"
]


@pytest.mark.parametrize("name", SYNCHRONOUS)
@settings(deadline=None, max_examples=15)
@given(cuts=st.sets(st.integers(1, 79), max_size=6), scattered=st.booleans())
def test_synchronous_rules_give_the_same_bits_in_any_pieces(name, cuts, scattered):
    """Asked for some rows at a time, consecutive or scattered, a rule says of each what it says of all."""
    graph = nx.watts_strogatz_graph(40, 4, 0.2, seed=1)
    rule = everything(name)
    society = Society(graph, start([0, 1]), rules=rule, replicas=2, seed=5).step()
    whole = View.of_everybody(society.people, society.ties, Chance(5), 1, rule.title, 2)
    told = moved(rule, whole)
    order = np.random.default_rng(len(cuts)).permutation(80) if scattered else np.arange(80)
    for piece in np.split(order, sorted(cuts)):
        for column, values in rule.move(whole.where(np.sort(piece))).items():
            assert np.array_equal(values.astype(told[column].dtype), told[column][np.sort(piece)])


def test_every_rule_says_its_order_and_what_it_hears():
    """Registered rules are found by name, told with all settings on the page, and declare order and reads."""
    page = Path(__file__).parents[2] / "docs/howto/social-rule.md"
    named = set(re.findall(r"`([\w-]+)", page.read_text(encoding="utf-8")))
    for name in entries("rules"):
        rule = load(name)
        assert rule.title == name
        assert rule.order in {"synchronous", "node-sequential", "pair-sequential"}
        assert rule.hears or name == "centrality-v1"  # it looks at ties alone
        assert type(rule).__doc__
        assert {rule.title, *type(rule).model_fields} - {"order", "layer"} <= named
    with pytest.raises(NotFoundError, match="degroot-v1"):
        load("degrot-v1")
    with pytest.raises(ScenarioError, match=r"no setting 'wieght'.*weight"):
        load("degroot-v1", {"wieght": 1})
    with pytest.raises(ScenarioError, match="weight of the social rule degroot-v1 is 2"):
        DeGroot(weight=2)


def test_rules_run_on_the_layer_they_name():
    """Friends average opinions, colleagues trust; a layer that there is not is answered."""
    layers = {"friends": nx.Graph([(0, 1)]), "colleagues": nx.Graph([(1, 2)])}
    for graph in layers.values():
        graph.add_nodes_from(range(3))
    rules = [DeGroot(layer="friends"), DeGroot(layer="colleagues", column="trust")]
    values = {"opinion": [0.0, 1.0, 1.0], "trust": [0.0, 0.0, 1.0]}
    society = Society(layers, values, rules=rules).step()
    assert society["opinion"].tolist() == [0.5, 0.5, 1.0]
    assert society["trust"].tolist() == [0.0, 0.5, 0.5]
    with pytest.raises(ScenarioError, match="'work', which there is not"):
        Society(layers, values, rules=DeGroot(layer="work")).step()
    with pytest.raises(DataError, match=r"different numbers|not in the other"):
        Society({"a": nx.path_graph(3), "b": nx.path_graph(4)}, values)


def test_two_rules_of_one_name_have_luck_of_their_own():
    """Two contagions differ, and the first is what it is without the second."""
    graph = nx.watts_strogatz_graph(60, 4, 0.1, seed=1)
    flu, rumour = SIR(transmission=0.5), SIR(transmission=0.5, column="rumour")
    both = Society(graph, rules=[flu, rumour]).run(6)
    assert np.array_equal(both["infection"], Society(graph, rules=[flu]).run(6)["infection"])
    assert not np.array_equal(both["infection"], both["rumour"])


def test_absent_people_neither_hear_nor_are_heard():
    """Where people have a column `alive`, who is not here stays and says nothing."""
    values = {"opinion": [0.0, 1.0, 1.0], "alive": np.array([True, False, True])}
    for order in ("synchronous", "node-sequential"):
        society = Society(nx.path_graph(3), values, rules=DeGroot(order=order)).step()
        assert society["opinion"].tolist() == [0.0, 1.0, 1.0]


def test_any_graph_is_taken():
    """Names as nodes, loops, several edges, isolated people, directions: said and kept."""
    made = nx.MultiDiGraph()
    made.add_edge("ann", "bob", weight=1.0)
    made.add_edge("ann", "bob", weight=2.0)
    made.add_edge("ann", "ann", weight=4.0)  # how much she counts herself, where weights are read
    made.add_edge("ann", "cid", weight=1.0)
    made.add_node("dan")
    values = {"opinion": {"ann": 0.0, "bob": 1.0, "cid": 0.0, "dan": 0.25}}
    rule = DeGroot(own=0.0)
    assert Society(made, values, rules=rule).step()["opinion"].tolist() == [0.5, 1.0, 0.0, 0.25]
    weighed = Society(made, values, rules=rule, weight="weight").step()
    assert weighed["opinion"].tolist() == [0.375, 1.0, 0.0, 0.25]
    turned = Society(made.reverse(), values, rules=rule).step()
    assert turned["opinion"].tolist() == [0.0, 0.0, 0.0, 0.25]
    with pytest.raises(DataError, match="lacks node 'dan'"):
        Society(made, {"opinion": {"ann": 0.0, "bob": 1.0, "cid": 0.0}})
    with pytest.raises(DataError, match=r"shape \(3,\) for 4 people"):
        Society(made, {"opinion": [0.0, 1.0, 0.5]})


def test_a_history_has_the_shape_it_says():
    """Ticks first, then replicas where they are asked for, then people; measures beside columns."""
    club = nx.karate_club_graph()
    plain = Society(club, rules=SIR()).run(3)
    assert plain["infection"].shape == (4, 34)
    assert plain["infection_infected"].shape == (4,)
    many = Society(club, rules=SIR(), replicas=5, record=()).run(3)
    assert set(many) == {"infection_susceptible", "infection_infected", "infection_recovered"}
    assert many["infection_recovered"].shape == (4, 5)


def test_a_function_that_does_not_say_what_it_moves_has_a_history():
    """All values given are kept and told to settle by; a rule that moves nothing is refused in words."""

    def halve(view):
        return {"opinion": view.own("opinion") / 2}

    society = Society(nx.path_graph(3), {"opinion": [1.0, 0.0, 0.0]}, rules=[halve])
    assert society.run(2)["opinion"][:, 0].tolist() == [1.0, 0.5, 0.25]
    assert society.settle(within=0.1) == 2
    with pytest.raises(UserError, match="no rule moves a column"):
        Society(nx.path_graph(3), rules=[Rewiring()]).settle()


def test_a_tick_in_which_luck_moves_nobody_is_not_the_end():
    """A society settles once nobody is ill, nobody differs from whom to copy, everybody is won over."""
    for seed in range(3):
        ill = Society(nx.path_graph(9), rules=[SIR(transmission=0.1, recovery=0.1)], seed=seed)
        copied = Society(nx.complete_graph(9), {"opinion": np.eye(9)[0]}, rules=[Voter(picks=1)], seed=seed)
        won = Society(nx.path_graph(3), rules=[Bass(p=0.01)], seed=seed)
        assert min(ill.settle(), copied.settle(), won.settle()) > 0
        assert not (ill["infection"] == 1).any()
        assert np.ptp(copied["opinion"]) == 0.0
        assert won["adopted"].all()


def test_ties_of_some_rows_are_a_table_of_their_own():
    """`Ties.of` holds the ties of the rows asked for, which sums over them agree with."""
    graph = nx.gnp_random_graph(30, 0.2, seed=1)
    ties = freeze(30, *np.array(graph.edges).T, np.ones(graph.number_of_edges()))
    rows, values = np.array([4, 17, 5]), Chance(1).normal("v", 0, np.arange(30), count=3)
    assert np.array_equal(ties.of(rows).total(values), ties.total(values)[rows])
    assert np.array_equal(ties.of(slice(3, 9)).total(values), ties.total(values)[3:9])
    assert ties.of(slice(3, 9)).degree.tolist() == ties.degree[3:9].tolist()
    single = values.astype(np.float32)
    assert ties.unweighted().total(single).dtype == np.float32


def test_columns_keep_their_type():
    """Sums are made in the type in which people's values are kept, and values stay in it."""
    people = Columns(
        {"user": np.arange(3), "replica": np.zeros(3, np.int32), "x": np.ones(3, dtype=np.float32)}
    )
    ties = freeze(3, np.array([0, 1]), np.array([1, 2]))
    view = View.of_everybody(people, ties, Chance(1), 0, "degroot-v1")
    assert moved(DeGroot(column="x"), view)["x"].dtype == np.float32
