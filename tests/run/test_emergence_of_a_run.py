"""What a scenario asks to be measured lands in its ticks and is judged."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from rehearse.errors import ScenarioError
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.footprint import small
from rehearse.experiments.metrics import Measures, find
from rehearse.experiments.running import run
from rehearse.experiments.shards import Spread
from rehearse.scenario.model import Part

ASKED = {
    "people.society.emergence.measures": ["clusters", "echo", "segregation", "cascades", "consumption"],
    "people.society.emergence.of": ["opinion", "trust"],
    "people.traits.adopted": {"uniform": {"low": 0.0, "high": 0.55}},
    "people.traits.threshold": 0.15,
    "people.society.influences": [
        {"what": "opinion", "how": "bounded", "weight": 0.5, "reach": 0.3},
        {"what": "adoption"},
    ],
    "world.settings.items": {"count": 30},
    "criteria": [
        {"metric": "echo", "at_least": 0.0},
        {"metric": "echo:trust", "at_most": 1.0},
        {"metric": "structural_virality", "at_least": 1.0},
    ],
}
COLUMNS = {
    *("polarisation", "bimodality", "clusters", "major_clusters", "largest_cluster"),
    *("echo", "echo_by_chance", "assortativity", "segregation", "same_group_friends"),
    *("cascades", "cascade_size", "largest_cascade", "cascade_depth", "structural_virality"),
    *("concentration", "herfindahl", "top_share", "homogeneity_of_choices"),
    *("polarisation_of_trust", "clusters_of_trust", "echo_of_trust", "assortativity_of_trust"),
}


@pytest.fixture(scope="module")
def asked():
    """Return a small scenario that asks for every measure."""
    return load("feed", users=60, ticks=4, replicas=3, settings=ASKED)


@pytest.fixture(scope="module")
def done(asked, tmp_path_factory):
    """Return it, run."""
    return run(asked, out=tmp_path_factory.mktemp("runs") / "asked")


def test_what_is_asked_for_lands_in_the_ticks(done):
    """Every measure has a column, a row for each replica and tick, and is not the same all along."""
    ticks = done.turns.query("SELECT * FROM ticks ORDER BY tick, replica")
    assert set(ticks) >= COLUMNS
    assert ticks.length == 12
    assert (np.diff(ticks.numbers("polarisation").reshape(4, 3), axis=0) < 0.0).all()
    assert (np.diff(ticks.numbers("largest_cascade").reshape(4, 3), axis=0) >= 0.0).all()


def test_what_is_asked_for_is_judged(done):
    """Criteria over emergent measures are decided over replicas."""
    found = {c["metric"]: c for c in done.criteria}
    assert {name: c["verdict"] for name, c in found.items()} == {
        "echo": "pass",
        "echo:trust": "pass",
        "structural_virality": "pass",
    }
    assert {c["unit"] for c in found.values()} == {"replicas"}
    assert "trust" in found["echo:trust"]["sentence"]
    assert Measures(done.turns).sample(find("echo:trust")).size == 3


def test_a_criterion_on_what_was_not_measured_says_how_to_ask(tmp_path):
    """It is unsure, and names the setting of the scenario that would have it recorded."""
    criteria = [{"metric": "echo", "at_most": 1.0}, {"metric": "bimodality:trust", "at_most": 1.0}]
    scenario = load("feed", users=20, ticks=2, replicas=2, settings={"criteria": criteria})
    echo, trust = run(scenario, out=tmp_path / "unasked").criteria
    assert (echo["verdict"], trust["verdict"]) == ("unsure", "unsure")
    assert "people.society.emergence.measures: [echo]" in echo["sentence"]
    assert "people.society.emergence.of: [trust]" in trust["sentence"]


def test_cascades_follow_ties_and_time(asked):
    """Whoever was led by a friend is tied to that friend, who adopted before; nobody goes in a circle."""
    assembly = assemble(asked, Props())
    for _ in range(4):
        assembly.simulation.advance()
    users = assembly.simulation.users
    people = users.columns
    led = np.flatnonzero(people["adopted_from"] >= 0)
    assert len(led) > 20
    for row in led.tolist():
        friend = row // 60 * 60 + int(people["adopted_from"][row])
        assert friend in users.ties.neighbours(row)
        assert 0 <= people["adopted_after"][friend] < people["adopted_after"][row]
    forest = nx.Graph((r // 60 * 60 + int(people["adopted_from"][r]), r) for r in led.tolist())
    assert nx.is_forest(forest)
    largest = max(len(c) for c in nx.connected_components(forest))
    assert users.summary()["largest_cascade"].max() == largest


def test_a_replica_alone_has_the_same_measures(asked):
    """The second society measures the same whether or not the others are there."""
    together, alone = (assemble(asked, Props(replicas=chosen)).simulation for chosen in (None, [1]))
    for simulation in (together, alone):
        simulation.advance()
        simulation.advance()
    whole, single = together.users.summary(), alone.users.summary()
    assert {n: a[1].tobytes() for n, a in whole.items()} == {n: a[0].tobytes() for n, a in single.items()}


def test_a_few_people_can_be_tried_out_without_their_society(asked):
    """Where memory is foreseen from a few people who know nobody, measures of ties are left out."""
    simulation = assemble(small(asked, 20), Props()).simulation
    simulation.advance()
    assert "echo" not in simulation.users.summary()
    assert "clusters" in simulation.users.summary()


@pytest.mark.slow
def test_shards_leave_no_trace_in_what_is_measured(tmp_path):
    """People parted among two processes adopt from one another and measure the same as in one."""
    many = load("feed", users=4_200, ticks=2, replicas=1, settings=ASKED)
    many = many.model_copy(update={"policy": Part(name="random-v1")})
    whole, parted = (
        run(many, out=tmp_path / str(shards), spread=Spread(shards, "local")) for shards in (1, 2)
    )
    assert whole.digest == parted.digest
    ticks = [done.turns.query("SELECT * FROM ticks ORDER BY tick") for done in (whole, parted)]
    assert {n: a.tobytes() for n, a in ticks[0].items()} == {n: a.tobytes() for n, a in ticks[1].items()}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"people.society.emergence.of": ["opinoin"]}, "opinion"),
        ({"people.society.emergence.measures": ["echo"], "people.society.graph.kind": "none"}, "ties"),
        ({"people.society.emergence.measures": ["echoes"]}, "echo"),
        ({"people.society.emergence.cuts": [0.6, 0.3]}, "ascend"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(settings, told):
    """A column that nobody has, ties that there are none of, and words out of place are answered."""
    with pytest.raises(ScenarioError, match=told):
        assemble(load("feed", users=20, ticks=1, replicas=1, settings=settings), Props())
