"""Measures of emergence agree with networkx, with brute force and with values worked out by hand."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rehearse.agents import graph
from rehearse.agents.emergence import (
    assortativity,
    bimodality,
    cascades,
    clusters,
    credit,
    dissimilarity,
    esteban_ray,
    mixing_matrix,
    newman,
    opinion_groups,
    polarisation,
    same_group_friends,
    ties_of,
    within,
    within_by_chance,
)
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.errors import ContractError

SHARES = hnp.arrays(np.float64, st.integers(3, 40), elements=st.floats(0.0, 1.0, width=16))
SEEDS = st.integers(0, 2**31)


def some_graph(seed, n=30):
    """Return a random graph and a group (of three) and an opinion for each of its people."""
    made = nx.gnp_random_graph(n, 0.2, seed=seed)
    drawn = Chance(seed).uniform("drawn", 0, np.arange(n), count=2)
    return made, (drawn[:, 0] * 3).astype(np.int8), drawn[:, 1]


def test_polarisation_of_known_spreads():
    """It is 0 in agreement, 1/3 for an even spread and 1 for two camps at the ends."""
    assert polarisation(np.full(7, 0.3)) == pytest.approx(0.0, abs=1e-15)
    assert polarisation(np.linspace(0.0, 1.0, 10_001)) == pytest.approx(1 / 3, rel=1e-3)
    assert polarisation(np.array([0.0, 1.0] * 50)) == 1.0


def test_bimodality_of_known_distributions():
    """Sarle's coefficient is 5/9 for a uniform, 1/3 for a normal distribution and 1 for two points."""
    even = np.linspace(0.0, 1.0, 100_001)
    assert bimodality(even) == pytest.approx(5 / 9, rel=1e-6)
    assert bimodality(Chance(1).normal("x", 0, np.arange(200_000))[:, 0]) == pytest.approx(1 / 3, abs=0.01)
    assert bimodality(np.array([0.2] * 30 + [0.9] * 70)) == pytest.approx(1.0)
    assert np.isnan(bimodality(np.full(5, 0.4)))


@given(SHARES, st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_bimodality_keeps_its_bounds_and_ignores_the_scale(values, scale, origin):
    """It lies in (0, 1], whatever unit and origin opinions are told in."""
    found = bimodality(values)
    if values.std() > 1e-3:
        assert 0.0 < found <= 1.0 + 1e-9
        assert bimodality(values * scale + origin) == pytest.approx(found, rel=1e-6)


def test_societies_are_measured_apart_and_the_absent_do_not_count():
    """A row a society gives what each gives alone; people who are masked out change nothing."""
    values = Chance(3).uniform("x", 0, np.arange(60))[:, 0].reshape(3, 20)
    among = np.ones((3, 20), dtype=bool)
    among[1, 5:] = False
    among[2] = False
    for measure in (polarisation, bimodality):
        found = measure(values, among)
        assert found[:2] == pytest.approx([float(measure(values[0])), float(measure(values[1, :5]))])
        assert np.isnan(found[2])
    both = clusters(values, 0.05, among)
    alone = clusters(values[1, :5], 0.05)
    assert (both.count[1], both.major[1], both.largest[1]) == (alone.count, alone.major, alone.largest)
    assert both.count[2] == 0
    assert np.isnan(both.largest[2])


def test_clusters_are_parted_by_gaps():
    """Three camps and one loner are four clusters, three of them major."""
    values = np.concatenate([np.linspace(0.1, 0.2, 40), np.linspace(0.5, 0.55, 30), [0.7], np.full(29, 0.9)])
    found = clusters(values, gap=0.05)
    assert (int(found.count), int(found.major)) == (4, 3)
    assert found.largest == pytest.approx(0.4)


@given(SHARES, st.floats(0.001, 0.5))
def test_clusters_are_the_components_of_the_graph_of_near_opinions(values, gap):
    """Joining everybody within the gap gives as many components as there are clusters."""
    near = nx.Graph()
    near.add_nodes_from(range(len(values)))
    near.add_edges_from(
        (i, j) for i, j in combinations(range(len(values)), 2) if abs(values[i] - values[j]) <= gap
    )
    sizes = [len(c) for c in nx.connected_components(near)]
    found = clusters(values, gap)
    assert found.count == len(sizes)
    assert found.largest == pytest.approx(max(sizes) / len(values))
    assert found.major == sum(s / len(values) >= 0.05 for s in sizes)


def test_esteban_ray_of_groups():
    """Two equal groups a distance of 1 apart give 1; more groups, or less distance, give less."""
    assert esteban_ray([0.0, 1.0], [5, 5]) == pytest.approx(1.0)
    assert esteban_ray([0.0, 0.5], [5, 5]) == pytest.approx(0.5)
    assert esteban_ray([0.0, 0.5, 1.0], [1, 1, 1]) < esteban_ray([0.0, 1.0], [1, 1])
    three = sum(
        p ** (1 + 1.6) * q * abs(x - y)
        for p, x in zip((0.2, 0.3, 0.5), (0.1, 0.4, 0.9), strict=True)
        for q, y in zip((0.2, 0.3, 0.5), (0.1, 0.4, 0.9), strict=True)
    )
    assert esteban_ray([0.1, 0.4, 0.9], [2, 3, 5], alpha=1.6) == pytest.approx(2**2.6 * three)


def test_opinion_groups_meet_at_the_cuts():
    """A value equal to a cut belongs above, as it is stored in single precision."""
    assert opinion_groups(np.float64(np.float32([0.0, 0.3, 0.299, 1.0])), (0.3, 0.6)).tolist() == [0, 1, 0, 2]


@settings(deadline=None)  # the first call imports scipy
@given(SEEDS)
def test_mixing_agrees_with_networkx(seed):
    """Assortativity by number and by group, and the mixing matrix, are what networkx finds."""
    made, groups, values = some_graph(seed)
    nx.set_node_attributes(made, dict(enumerate(groups.tolist())), "group")
    nx.set_node_attributes(made, dict(enumerate(values.tolist())), "value")
    counts = mixing_matrix(groups, made, kinds=3)[0]
    order = {group: group for group in range(3)}
    expected = nx.attribute_mixing_matrix(made, "group", mapping=order, normalized=False)
    assert counts.tolist() == expected.tolist()
    assert newman(counts) == pytest.approx(nx.attribute_assortativity_coefficient(made, "group"), abs=1e-9)
    assert assortativity(values, made)[0] == pytest.approx(
        nx.numeric_assortativity_coefficient(made, "value"), abs=1e-9
    )


@settings(deadline=None)  # the first call imports scipy
@given(SEEDS)
def test_ties_inside_groups_are_counted_one_by_one(seed):
    """The share inside, the share of friends alike, and what chance gives are what a loop finds."""
    made, groups, _ = some_graph(seed)
    groups[::7] = -1
    known = [(u, v) for u, v in made.edges() if groups[u] >= 0 <= groups[v]]
    counts = mixing_matrix(groups, made, kinds=3)
    assert within(counts)[0] == pytest.approx(np.mean([groups[u] == groups[v] for u, v in known]))
    ends = np.bincount([groups[p] for pair in known for p in pair], minlength=3)
    assert within_by_chance(counts)[0] == pytest.approx(((ends / ends.sum()) ** 2).sum())
    friends = [[groups[f] for f in made[p] if groups[f] >= 0] for p in made if groups[p] >= 0]
    own = [g for g in groups if g >= 0]
    alike = [np.mean([f == g for f in f_]) for f_, g in zip(friends, own, strict=True) if f_]
    assert same_group_friends(groups, made)[0] == pytest.approx(np.mean(alike))


def test_parts_of_the_rows_add_up_to_the_whole():
    """What two halves of the people count is, added, what all count."""
    made, groups, _ = some_graph(5)
    ties = ties_of(made)
    halves = [mixing_matrix(groups, ties, kinds=3, rows=rows) for rows in np.split(np.arange(30), 2)]
    assert (halves[0] + halves[1]).tolist() == mixing_matrix(groups, ties, kinds=3).tolist()


def test_mixing_of_replicas_is_that_of_each():
    """Two societies in one population have the matrices that they have alone."""
    made, groups, values = some_graph(9)
    twice = graph.from_networkx(made, replicas=2)
    both = np.concatenate([groups, 2 - groups])
    found = mixing_matrix(both, twice, kinds=3, replicas=2)
    assert found[0].tolist() == mixing_matrix(groups, made, kinds=3)[0].tolist()
    assert found[1].tolist() == found[0][::-1, ::-1].tolist()
    opinions = np.concatenate([values, 1.0 - values])
    assert assortativity(opinions, twice, 2) == pytest.approx(assortativity(values, made)[0])


def test_dissimilarity_of_two_groups_and_of_more():
    """For two groups it is half the sum of differences of shares; 1 apart, 0 even, for any number."""
    two = np.array([[10, 40], [25, 5], [15, 15]])
    classic = 0.5 * np.abs(two[:, 0] / 50 - two[:, 1] / 60).sum()
    assert dissimilarity(two) == pytest.approx(classic)
    assert dissimilarity(np.eye(4) * [3, 1, 4, 1]) == pytest.approx(1.0)
    assert dissimilarity(np.outer([1, 2, 3], [4, 5, 6])) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(dissimilarity([[3, 0], [4, 0]]))


def test_credit_goes_to_the_friend_who_was_first():
    """The earliest of the friends before; the lowest row among several; nobody for those who began."""
    made = nx.Graph([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (4, 5)])
    when = np.array([0, 1, 1, 2, -1, 4])
    assert credit(when, made).tolist() == [-1, 0, 0, 1, -1, -1]
    when = np.array([2, 1, 0, 4, 5, 5])
    assert credit(when, made).tolist() == [2, -1, -1, 2, 3, -1]
    assert credit(when, made, latest=True).tolist() == [1, -1, -1, 1, 3, -1]
    assert credit(when, made, rows=np.array([3, 0])).tolist() == [2, 2]


@settings(deadline=None)  # the first call imports scipy
@given(SEEDS, st.booleans())
def test_credit_is_what_a_loop_finds(seed, latest):
    """For everybody: of friends who adopted earlier, the first (or last) one, then the lowest row."""
    made, _, values = some_graph(seed)
    when = np.where(values < 0.7, (values * 10).astype(int), -1)
    expected = []
    for person in range(30):
        led = [f for f in made[person] if 0 <= when[f] < when[person]]
        key = (lambda f: (-when[f], f)) if latest else (lambda f: (when[f], f))
        expected.append(min(led, key=key) if led else -1)
    assert credit(when, made, latest=latest).tolist() == expected


def everybody(source):
    """Return the one cascade of people who all adopted."""
    source = np.array(source)
    return cascades(source, np.ones(len(source), dtype=bool))


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_virality_of_stars_and_paths(n):
    """A star of n has a mean distance of 2 (n − 1) / n, a path one of (n + 1) / 3."""
    star = everybody([-1] + [0] * (n - 1))
    path = everybody([-1, *range(n - 1)])
    assert star.virality == pytest.approx([2.0 * (n - 1) / n])
    assert path.virality == pytest.approx([(n + 1) / 3.0])
    assert (star.depth.tolist(), path.depth.tolist()) == ([1], [n - 1])


@settings(deadline=None)  # the first call imports scipy
@given(SEEDS)
def test_cascades_are_the_trees_of_the_forest(seed):
    """Sizes, depths and mean distances are those that networkx finds tree by tree."""
    drawn = Chance(seed).uniform("tree", 0, np.arange(40), count=3)
    order = np.argsort(drawn[:, 2], kind="stable")
    source = np.full(40, -1)
    for place, person in enumerate(order[1:], start=1):
        if drawn[person, 0] < 0.8:
            source[person] = order[int(drawn[person, 1] * place)]
    adopted = (source >= 0) | (drawn[:, 0] < 0.95)
    adopted[source[source >= 0]] = True
    found = cascades(source, adopted)
    forest = nx.Graph((p, s) for p, s in enumerate(source.tolist()) if s >= 0)
    forest.add_nodes_from(np.flatnonzero(adopted).tolist())
    assert found.size.sum() == adopted.sum()
    for root, size, depth, virality in zip(
        found.root.tolist(), found.size, found.depth, found.virality, strict=True
    ):
        tree = forest.subgraph(nx.node_connected_component(forest, root))
        assert size == len(tree)
        assert depth == max(nx.single_source_shortest_path_length(tree, root).values())
        if size > 1:
            assert virality == pytest.approx(nx.average_shortest_path_length(tree))
        else:
            assert np.isnan(virality)


def test_sources_in_a_circle_are_refused():
    """Nobody can have adopted from someone who adopted from them."""
    with pytest.raises(ContractError, match="adopted from"):
        everybody([1, 2, 0, -1])


def test_a_directed_tie_is_heard_one_way():
    """Of a directed tie only the one who listens can have adopted from the other."""
    ties = freeze(2, np.array([0]), np.array([1]), directed=True)
    assert credit(np.array([5, 3]), ties).tolist() == [1, -1]
    assert credit(np.array([3, 5]), ties).tolist() == [-1, -1]
