"""Societies are tied as the scenario says, each by its own seed."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rehearse.agents import graph as graphs
from rehearse.agents import ties as ties_of
from rehearse.agents.graph import build, from_networkx
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.errors import DataError, NotFoundError, ScenarioError
from rehearse.scenario.society import Graph

FACEBOOK = Path(__file__).parents[3] / "shared" / "data" / "facebook_combined.txt"


def tied(graph, count, replicas=(0,), groups=None, seed=1):
    """Build the ties of some replicas."""
    rows = count * len(replicas)
    return build(
        graph,
        count=count,
        replicas=np.array(replicas, dtype=np.int32),
        groups=np.zeros(rows, dtype=np.int8) if groups is None else groups,
        chance=Chance(seed),
    )


def edges_of(ties):
    """Return who listens to whom, as a set of pairs."""
    return {(row, int(friend)) for row in range(len(ties)) for friend in ties.neighbours(row)}


KINDS = [
    Graph(kind="watts_strogatz", degree=4),
    Graph(kind="barabasi_albert", degree=4),
    Graph(kind="erdos_renyi", degree=4),
    Graph(kind="stochastic_block", within=0.1, between=0.02),
    Graph(kind="karate"),
]


@pytest.mark.parametrize("graph", KINDS, ids=lambda g: g.kind)
@pytest.mark.parametrize("limit", [0, 10**9], ids=["own", "networkx"])
def test_ties_are_proper(graph, limit, monkeypatch):
    """Ties are mutual, ascending, without self-ties or repeats, and never leave a replica."""
    monkeypatch.setattr(graphs, "NETWORKX_LIMIT", limit)
    ties = tied(graph, 34, replicas=(0, 1, 2))
    edges = edges_of(ties)
    assert len(ties) == 102
    assert len(edges) == ties.degree.sum() > 0
    assert all((b, a) in edges and a != b and a // 34 == b // 34 for a, b in edges)
    assert all((np.diff(ties.neighbours(row)) > 0).all() for row in range(len(ties)))


@pytest.mark.parametrize("graph", KINDS[:4], ids=lambda g: g.kind)
@pytest.mark.parametrize("limit", [0, 10**9], ids=["own", "networkx"])
def test_a_replica_is_the_same_alone(graph, limit, monkeypatch):
    """Replica 5 has the same ties beside others as alone, and other replicas have others."""
    monkeypatch.setattr(graphs, "NETWORKX_LIMIT", limit)
    together, alone = tied(graph, 40, replicas=(2, 5)), tied(graph, 40, replicas=(5,))
    second = {(a - 40, b - 40) for a, b in edges_of(together) if a >= 40}
    assert second == edges_of(alone)
    assert second != {(a, b) for a, b in edges_of(together) if a < 40}


@pytest.mark.parametrize(
    ("graph", "mean", "spread"),
    [(KINDS[0], 4.0, 0.01), (KINDS[1], 4.0, 0.03), (KINDS[2], 4.0, 0.15)],
    ids=["watts_strogatz", "barabasi_albert", "erdos_renyi"],
)
def test_large_graphs_have_the_law_of_small_ones(graph, mean, spread, monkeypatch):
    """Drawn straight into arrays, degrees agree with networkx's in mean and standard deviation."""
    small = tied(graph, 5000).degree
    monkeypatch.setattr(graphs, "NETWORKX_LIMIT", 0)
    large = tied(graph, 5000).degree
    assert small.mean() == pytest.approx(mean, abs=spread)
    assert large.mean() == pytest.approx(mean, abs=spread)
    assert large.std() == pytest.approx(small.std(), rel=0.15)


def test_a_small_world_is_a_ring_with_shortcuts(monkeypatch):
    """Drawn straight into arrays: no rewiring gives the ring; a little keeps the clustering high."""
    monkeypatch.setattr(graphs, "NETWORKX_LIMIT", 0)
    ring = tied(Graph(kind="watts_strogatz", degree=4, rewire=0.0), 50)
    assert ring.neighbours(10).tolist() == [8, 9, 11, 12]
    assert ring.neighbours(0).tolist() == [1, 2, 48, 49]
    ties = tied(Graph(kind="watts_strogatz", degree=6, rewire=0.1), 2000)
    made = nx.Graph(list(edges_of(ties)))
    # Barrat and Weigt (2000): C = 3(k - 2) / (4(k - 1)) · (1 - p)³.
    assert nx.average_clustering(made) == pytest.approx(0.6 * 0.9**3, abs=0.02)


def test_newcomers_tie_to_those_with_many_ties(monkeypatch):
    """Drawn straight into arrays, preferential attachment has a power-law tail of exponent 3."""
    monkeypatch.setattr(graphs, "NETWORKX_LIMIT", 0)
    degree = tied(Graph(kind="barabasi_albert", degree=4), 30_000).degree
    # P(degree >= k) = m(m + 1) / (k(k + 1)) for m new ties (Dorogovtsev and others 2000).
    for least in (10, 30):
        assert (degree >= least).mean() == pytest.approx(6.0 / (least * (least + 1)), rel=0.25)


def test_blocks_are_tied_inside_and_between_as_stated():
    """In a stochastic block model the shares of tied pairs are those stated, by group."""
    groups = np.tile(np.array([0, 1, 1, 2], dtype=np.int8), 300)
    ties = tied(Graph(kind="stochastic_block", within=0.05, between=0.01), 1200, groups=groups)
    inside = sum(groups[a] == groups[b] for a, b in edges_of(ties))
    pairs_inside = 300 * 299 * 2 + 600 * 599
    assert inside / pairs_inside == pytest.approx(0.05, rel=0.05)
    assert (ties.degree.sum() - inside) / (1200 * 1199 - pairs_inside) == pytest.approx(0.01, rel=0.05)


@given(trials=st.integers(0, 400), share=st.sampled_from([0.0, 1e-18, 0.01, 0.5, 0.99, 1.0]))
def test_pairs_are_drawn_in_order_and_within_range(trials, share):
    """Successes among trials ascend, lie in range, and are all of them when certain."""
    society = graphs._Society(Graph(), 10, np.zeros(10, dtype=np.int8), Chance(1), 0)
    hits = graphs._hits(trials, share, "x", society)
    assert (np.diff(hits) > 0).all()
    assert hits.size == 0 or (hits[0] >= 0 and hits[-1] < trials)
    assert share < 1.0 or hits.size == trials


def test_everybody_can_know_everybody():
    """Certain ties within one group make the complete graph."""
    ties = tied(Graph(kind="stochastic_block", within=1.0), 30)
    assert (ties.degree == 29).all()


def test_nobody_knows_anybody():
    """Kind `none` has no ties at all."""
    assert tied(Graph(), 10) is None


def test_karate_is_zacharys_club():
    """34 members, 78 ties, and the degrees of the two heads."""
    ties = tied(Graph(kind="karate"), 34)
    assert ties.degree.sum() == 2 * 78
    assert (ties.degree[0], ties.degree[33]) == (16, 17)


def test_edges_come_from_a_file(tmp_path):
    """Ids by space or comma, comments and repeats; the same ties in each replica."""
    path = tmp_path / "ties.txt"
    path.write_text("# friends\n0 1\n1,2  # twice\n2 1\n\n3 3\n")
    ties = tied(Graph(kind="edges", path=str(path)), 5, replicas=(0, 1))
    half = {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert edges_of(ties) == half | {(a + 5, b + 5) for a, b in half}


@pytest.mark.parametrize(
    ("line", "said"),
    [("1 9", "line 2 .* names person 9"), ("1", "'1', not two ids"), ("a b", "'a b'"), ("-1 2", "'-1 2'")],
)
def test_a_bad_line_is_named(tmp_path, line, said):
    """Unknown people and lines that are no pair are a DataError with the line's number."""
    path = tmp_path / "ties.txt"
    path.write_text(f"0 1\n{line}\n")
    with pytest.raises(DataError, match=said):
        tied(Graph(kind="edges", path=str(path)), 5)


def test_a_missing_file_is_not_found(tmp_path):
    """The message names the file."""
    with pytest.raises(NotFoundError, match=r"nowhere\.txt"):
        tied(Graph(kind="edges", path=str(tmp_path / "nowhere.txt")), 5)


@pytest.mark.skipif(not FACEBOOK.exists(), reason="shared/data/facebook_combined.txt is not here")
def test_a_real_society_can_be_loaded():
    """The Facebook circles of McAuley and Leskovec (2012): 4,039 people, 88,234 ties."""
    ties = tied(Graph(kind="edges", path=str(FACEBOOK)), 4039)
    assert ties.degree.sum() == 2 * 88_234


@pytest.mark.parametrize(
    ("graph", "count", "said"),
    [
        (Graph(kind="karate"), 35, "34 members"),
        (Graph(kind="watts_strogatz", degree=6), 6, "6 people cannot have 6 friends"),
        (Graph(kind="watts_strogatz", degree=5), 60, "even degree, found 5"),
        (Graph(kind="barabasi_albert", degree=1), 60, "Use 2"),
        (Graph(kind="erdos_renyi", degree=90_000), 100_000, "4.5e.09 ties"),
    ],
)
def test_a_graph_that_cannot_be_made_is_refused(graph, count, said):
    """Too few people for the degree, an odd ring, too many ties: a ScenarioError with the numbers."""
    with pytest.raises(ScenarioError, match=said):
        tied(graph, count)


def test_a_path_goes_with_edges_only():
    """A path without `kind: edges`, or the other way round, is refused when the scenario is read."""
    with pytest.raises(ValidationError):
        Graph(kind="karate", path="ties.txt")
    with pytest.raises(ValidationError):
        Graph(kind="edges")


def test_any_networkx_graph_is_taken():
    """Named nodes, weights, directions and replicas all arrive."""
    made = nx.DiGraph()
    made.add_weighted_edges_from([("ann", "bob", 2.0), ("bob", "cid", 3.0), ("ann", "cid", 1.0)])
    ties = from_networkx(made, replicas=2, weight="weight")
    assert edges_of(ties) == {(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)}
    assert ties.weights.tolist() == [2.0, 1.0, 3.0] * 2
    assert not ties.mutual
    assert edges_of(ties.both_ways()) == edges_of(ties) | {(b, a) for a, b in edges_of(ties)}


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -float("inf")])
def test_a_tie_has_a_finite_strength(strength):
    """A weight that cannot be averaged with is refused."""
    made = nx.Graph()
    made.add_edge(0, 1, weight=strength)
    with pytest.raises(DataError, match="'weight' of an edge"):
        from_networkx(made, weight="weight")


def test_numbered_nodes_keep_their_numbers():
    """Nodes 0 to n - 1 are rows, in whatever order networkx holds them."""
    made = nx.Graph([(3, 1), (2, 0)])
    assert edges_of(from_networkx(made)) == {(3, 1), (1, 3), (2, 0), (0, 2)}


@given(
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40),
    at_a_time=st.integers(1, 30),
)
def test_the_mean_of_friends_is_plain_and_the_same_in_any_parts(pairs, at_a_time):
    """`mean` is the mean over neighbours, NaN without any, and bit for bit the same for any rows."""
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    ties = freeze(10, table[:, 0], table[:, 1])
    values = Chance(2).normal("v", 0, np.arange(10), count=3)
    whole = ties.mean(values)
    for row in range(10):
        friends = ties.neighbours(row)
        if len(friends):
            assert whole[row] == pytest.approx(values[friends].mean(axis=0))
        else:
            assert np.isnan(whole[row]).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ties_of, "EDGES_AT_A_TIME", at_a_time)
        parts = list(ties.parts())
    assert np.array_equal(np.concatenate(parts), np.arange(10))
    assert np.array_equal(np.concatenate([ties.mean(values, rows) for rows in parts]), whole, equal_nan=True)
    assert np.array_equal(ties.mean(values[:, 1]), whole[:, 1], equal_nan=True)


def test_the_mean_counts_strong_ties_more():
    """With weights the mean is the weighted one; a tie given twice has the sum."""
    one, other = np.array([0, 0, 0]), np.array([1, 2, 2])
    ties = freeze(3, one, other, np.array([1.0, 2.0, 1.0]))
    assert ties.mean(np.array([0.0, 8.0, 4.0]))[0] == pytest.approx((8.0 + 3.0 * 4.0) / 4.0)
