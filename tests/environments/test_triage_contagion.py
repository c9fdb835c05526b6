"""Treatments on a contagion graph: never more than there are doses, for those whom the model puts first."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from rehearse.agents.social import SIR, Centrality, Friends, Society
from rehearse.chance import Chance
from rehearse.columns import Columns, stacked
from rehearse.environments.triage import build
from rehearse.errors import ScenarioError
from rehearse.experiments import footprint
from rehearse.experiments.build import Props, assemble
from rehearse.scenario.edit import changed
from rehearse.scenario.load import load
from rehearse.testing import check_world

SMALL = {"people.count": 120, "time.ticks": 12, "replicas": 2}


def lived(name="triage-outbreak", props=None, **edits):
    """Return the digest and all turns of a scenario with some of it changed."""
    scenario = changed(
        load(name), (SMALL if name == "triage-outbreak" else {"time.ticks": 12, "replicas": 2})
    )
    scenario = changed(scenario, edits) if edits else scenario
    assembly = assemble(scenario, props or Props())
    pages = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(scenario.time.ticks):
        assembly.simulation.advance()
    return recorder.digest, stacked([page for page in pages if page.length])


def test_the_best_get_the_doses_and_no_others():
    """In each tick of a society its doses go to those with the highest scores who were to be treated."""
    fewer = {"tick": 4, "what": "doses", "times": 0.0, "shape": "gradual", "over": 7}
    _, turns = lived(**{"world.settings.doses": 7, "drift": [fewer]})
    for replica in (0, 1):
        for tick in range(12):
            here = turns.take(np.flatnonzero((turns["replica"] == replica) & (turns["tick"] == tick)))
            treated = here["treated"] == 1
            asked = here["action"] == 0
            assert treated.sum() == min(7 - max(0, min(tick - 3, 7)), asked.sum())
            assert not (treated & ~asked).any()
            if treated.any() and (asked & ~treated).any():
                assert here["score"][treated].min() >= here["score"][asked & ~treated].max()


def test_a_dose_makes_the_susceptible_immune_and_nobody_else():
    """`infection` after the dose follows from the stage before it; reward, cost and harm follow from both."""
    _, turns = lived(**{"policy": {"name": "random-v1", "settings": {}}, "world.settings.doses": 30})
    treated, stage, after = turns["treated"] == 1, turns["stage"], turns["infection"]
    assert (after[treated & (stage == 0)] == 2).all()
    assert (after[~treated | (stage > 0)] == stage[~treated | (stage > 0)]).all()
    assert ((turns["reward"] == 1.0) == (after != stage)).all()
    assert ((turns["harm"] == 1.0) == (after == 1)).all()
    assert np.allclose(turns["cost"], 0.1 * treated)
    assert (turns["regret"] >= 0.0).all()


def test_only_some_of_the_infected_are_seen():
    """With `detect` .7, about seven in ten of the infected are seen as such, and nobody else is."""
    scenario = changed(load("triage-outbreak"), {**SMALL, "people.count": 3000})
    simulation = assemble(scenario).simulation
    seen, true = [], []
    simulation.policy.asked.policy.decide = _spy(simulation.policy.asked.policy.decide, seen)
    for _ in range(8):
        true.append(np.array(simulation.users.columns["infection"]))
        simulation.advance()
    seen, true = np.concatenate(seen), np.concatenate(true)
    assert (seen[true != 1] == true[true != 1]).all()
    assert seen[true == 1].mean() == pytest.approx(0.7, abs=0.06)


def _spy(decide, seen):
    """Return the same decisions, noting the first feature."""

    def noting(requests):
        seen.append(requests.features[:, 0].copy())
        return decide(requests)

    return noting


@pytest.mark.parametrize("graph", [nx.karate_club_graph(), nx.star_graph(6), nx.path_graph(5)])
def test_centrality_is_that_of_networkx(graph):
    """`degree` counts friends, and `centrality` is the leading eigenvector of the ties."""
    society = Society(graph, rules=[Centrality(steps=2000)], replicas=2)
    told = nx.eigenvector_centrality_numpy(graph, weight=None)
    expected = np.array([told[node] for node in graph])
    assert society["centrality"][1] == pytest.approx(expected / expected.max(), abs=1e-5)
    assert society["degree"][0].tolist() == [degree for _, degree in graph.degree]
    society.step()
    assert society["degree"][1].tolist() == [degree for _, degree in graph.degree]


def test_sick_friends_are_counted_after_the_contagion():
    """`friends-v1` counts those friends who are ill at the end of the tick."""
    graph = nx.karate_club_graph()
    society = Society(graph, rules=[SIR(transmission=0.3, infected=3), Friends()])
    ties = nx.to_numpy_array(graph, weight=None)
    for _ in range(6):
        assert society["sick_friends"].tolist() == (ties @ (society["infection"] == 1)).tolist()
        society.step()


def test_the_world_keeps_the_contract():
    """`check_world` finds nothing to say of treatments."""
    world = build({"kind": "contagion", "doses": 3, "detect": 0.5}, data=None, drift=(), chance=Chance(1))
    people = Columns({"user": np.arange(30), "replica": np.repeat([0, 1], 15).astype(np.int32)})
    people["taste"] = np.zeros((30, 0), np.float32)
    people["infection"] = (np.arange(30) % 3).astype(np.int8)
    assert check_world(world, people) == []


def test_other_rules_of_contagion_have_their_stages():
    """With seir-v1 the exposed are told apart, and a treatment of theirs may be named."""
    seir = {"name": "seir-v1", "settings": {"transmission": 0.3, "infected": 10}}
    stages = ["susceptible", "exposed", "infected", "recovered"]
    _, turns = lived(
        **{
            "people.society.rules": [seir, {"name": "centrality-v1"}],
            "world.settings.shows": ["degree"],
            "world.settings.stages": stages,
            "world.settings.treats": {"exposed": "recovered"},
            "policy": {"name": "constant-v1", "settings": {}},
        }
    )
    treated = turns["treated"] == 1
    assert set(turns["stage"][treated & (turns["infection"] != turns["stage"])]) == {1}
    assert ((turns["harm"] == 1.0) == (turns["infection"] == 2)).all()


@pytest.mark.parametrize("name", ["triage", "triage-surge", "triage-sites", "triage-outbreak"])
def test_other_societies_leave_no_trace(name):
    """A society lives the same lives alone as beside another one."""
    _, turns = lived(name)
    _, alone = lived(name, Props(replicas=[1]))
    same = turns.take(np.flatnonzero(turns["replica"] == 1))
    assert all(same[n].tobytes() == alone[n].tobytes() for n in alone if n != "measured_ms")


def test_memory_can_be_told_before_an_outbreak():
    """A large outbreak is tried out small, among few who have the columns that the world reads."""
    told = footprint.expected(changed(load("triage-outbreak"), {"people.count": 20_000}))
    assert told.parts["people"] > 20_000 * 10


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"world.settings.shows": ["degree", "degre"]}, "'degre'"),
        ({"world.settings.treats": {"ill": "recovered"}}, "'ill'"),
        ({"world.settings.stages": ["susceptible", "infected"]}, "'recovered'"),
        ({"people.society.rules": []}, "'infection'"),
    ],
)
def test_what_does_not_fit_is_answered(edits, said):
    """Stages and columns that are not there are named, with what comes near them."""
    with pytest.raises(ScenarioError) as caught:
        lived(**edits)
    assert said in str(caught.value)
