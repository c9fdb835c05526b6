"""A scenario names social rules, built in or its own, and a run of them is kept like any other."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.errors import ContractError, NotFoundError, ScenarioError, UserError
from rehearse.experiments.api import load, model, replay, run
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.manifest import inputs
from rehearse.record.recorder import Recorder

OWN = """
import numpy as np
from rehearse.agents.social import rule

@rule(columns={"mood": 0.5}, hears=("trust",))
def conform(view, pull=0.1):
    mean = np.nan_to_num(view.ties.mean(view.heard("trust")), nan=0.5)
    return {"mood": view.own("mood") + pull * (mean - view.own("mood"))}

def cheer_up(user, friends, step=0.05):
    if any(friend.satisfaction > 0.5 for friend in friends):
        user.opinion = min(1.0, user.opinion + step)

def crashes(view):
    return {"opinion": 1 / 0}

def short(view):
    return {"opinion": view.own("opinion")[1:]}

def lonely(view):
    return {"opinion": view.ties.mean(view.heard("opinion"))}

def no_rule(anything):
    return {}
"""
SCENARIO = """
extends: travel
name: mine
people:
  count: 60
  society:
    graph: {kind: watts_strogatz, degree: 4}
    layers:
      colleagues: {kind: erdos_renyi, degree: 3}
    influences:
      - {what: trust, how: degroot, weight: 0.05}
    rules:
      - {name: sir-v1, settings: {infected: 4, transmission: 0.3}, layer: colleagues}
      - {name: "own.py:conform", settings: {pull: 0.2}}
      - {name: "own.py:cheer_up"}
      - {name: rewiring-v1, settings: {column: trust, tolerance: 0.02, rate: 0.5}}
      - {name: word-of-mouth-v1, settings: {praise_from: 0.5, goal: trip, goal_chance: 1.0, tells: 1.0}}
time: {ticks: 5}
replicas: 2
"""


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the scenario and its rules."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    return tmp_path


def lived(scenario, stop=None, props=None):
    """Return the digest, the people and the ties at the end; `stop`: the tick at which it is interrupted."""
    assembly = assemble(scenario, props or Props())
    pages: list[Columns] = []
    recorder = Recorder(assembly.stage.replicas, keep=lambda _tick, _turns, society: pages.append(society))
    assembly.simulation.watchers.append(recorder)
    for tick in range(scenario.time.ticks):
        if tick == stop:
            state = {name: np.array(a) for name, a in assembly.simulation.state().items()}
            assembly = assemble(scenario, props or Props())
            assembly.simulation.restore(state, tick)
            assembly.simulation.watchers.append(recorder)
        assembly.simulation.advance()
    return recorder.digest, assembly.simulation.users, pages


def test_a_run_with_rules_is_recorded_and_proves_itself(folder):
    """Stages are words in users, counts in ticks; the file of the rule is an input; replay agrees."""
    done = run(folder / "mine.yaml", out=folder / "out")
    users = done.turns.query("SELECT infection, mood FROM users")
    assert set(users["infection"].tolist()) <= {"susceptible", "infected", "recovered"}
    assert len(set(users["mood"].tolist())) > 10
    ticks = done.turns.query("SELECT * FROM ticks ORDER BY tick, replica")
    stages = [ticks[f"infection_{stage}"] for stage in ("susceptible", "infected", "recovered")]
    assert np.sum(stages, axis=0).tolist() == [60.0] * 10
    assert ticks["infection_susceptible"][-1] < 56
    assert replay(done.folder).same
    assert str(folder / "own.py") in inputs(load(folder / "mine.yaml"), None)


def test_ties_that_change_are_kept_in_checkpoints(folder):
    """Gone on with from the middle, with ties rewired by then, a society has the digest it would have had."""
    scenario = load(folder / "mine.yaml")
    digest, users, _ = lived(scenario)
    before = assemble(scenario).simulation.users.ties
    assert not np.array_equal(users.ties.indices, before.indices)
    again, later, _ = lived(scenario, stop=3)
    assert again == digest
    assert np.array_equal(later.ties.indices, users.ties.indices)


def test_a_society_is_the_same_whatever_others_there_are(folder):
    """Replica 1 with all its rules is the same alone."""
    scenario = load(folder / "mine.yaml")
    _, both, _ = lived(scenario)
    _, alone, _ = lived(scenario, props=Props(replicas=[1]))
    for name, column in alone.columns.items():
        assert np.array_equal(column, both.columns[name][60:], equal_nan=column.dtype.kind == "f"), name


def test_rules_can_be_added_in_a_notebook(folder):
    """A function given to the crowd of a model works from the next step on."""
    made = model(folder / "mine.yaml", settings={"people.society.rules": []})

    def cool(view):
        return {"opinion": view.own("opinion") * np.float32(0.5)}

    made.crowd.add_rule(cool)
    made.crowd.add_rule("sis-v1", {"infected": 3, "column": "rumour"}, layer="colleagues")
    before = made.people["opinion"].copy()
    made.step()
    assert made.people["opinion"] == pytest.approx(before * 0.5)
    assert (made.people["rumour"] > 0).any()


@pytest.mark.parametrize(
    ("rule", "kind", "said"),
    [
        (
            "own.py:crashes",
            UserError,
            r"crashes failed on tick 0: ZeroDivisionError.*See line \d+ of .*own\.py",
        ),
        ("own.py:short", UserError, r"returned 'opinion' of shape \(\d+,\), not \(\d+,\)"),
        ("own.py:no_rule", UserError, r"no_rule\(anything\) is no social rule.*def rule\(view\)"),
        ("own.py:conforn", UserError, r"has no 'conforn'.*'conform'"),
        ("degrot-v1", NotFoundError, r"no social rule named 'degrot-v1'.*'degroot-v1'"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(folder, rule, kind, said):
    """A rule that cannot be found, asked or used ends in one message that says where and what to do."""
    settings = {"people.society.rules": [{"name": rule.replace("own.py", str(folder / "own.py"))}]}
    with pytest.raises(kind, match=said):
        model(folder / "mine.yaml", settings=settings).step()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"people.society.rules": [{"name": "degroot-v1", "settings": {"wieght": 1}}]},
            "no setting 'wieght'",
        ),
        ({"people.society.rules": [{"name": "sir-v1", "layer": "work"}]}, "layer 'work', which there is not"),
        (
            {
                "people.society.graph.kind": "none",
                "people.society.layers": {},
                "people.society.influences": [],
            },
            "passes along ties, and nobody knows anybody",
        ),
        (
            {"people.society.layers": {"friends": {"kind": "complete"}}},
            "'friends' is what society.graph says",
        ),
    ],
)
def test_a_society_that_makes_no_sense_is_refused(folder, changes, said):
    """Settings, layers and graphs that do not go together are a ScenarioError."""
    with pytest.raises(ScenarioError, match=said):
        model(folder / "mine.yaml", settings=changes).step()


def test_a_rule_file_may_not_lie_outside_the_scenario(folder):
    """A scenario is other people's text: it names rules in its own folder only."""
    inner = folder / "inner"
    inner.mkdir()
    (inner / "mine.yaml").write_text(SCENARIO.replace("own.py", "../own.py"))
    with pytest.raises(ScenarioError, match="out of the scenario's folder"):
        load(inner / "mine.yaml")


def test_columns_can_be_kept_in_64_bits(folder):
    """A scenario may ask for more bits: averages then agree to the twelfth digit."""
    settings = {"people.society.precise": ["opinion"], "people.society.influences": [], "people.churn": None}
    settings["people.society.rules"] = [{"name": "degroot-v1"}]
    made = model(folder / "mine.yaml", settings=settings, replicas=1)
    x, ties = made.people["opinion"].copy(), made.crowd.ties
    for _ in range(3):
        made.step()
        x = (x + ties.total(x)) / (1.0 + ties.degree)
    assert made.people["opinion"].dtype == np.float64
    assert made.people["opinion"] == pytest.approx(x, abs=1e-12)
    exact = settings | {"people.traits.susceptibility": 0.7, "people.society.precise": ["susceptibility"]}
    assert (model(folder / "mine.yaml", settings=exact).people["susceptibility"] == 0.7).all()
    with pytest.raises(ScenarioError, match=r"no column 'opinoin'.*'opinion'"):
        model(folder / "mine.yaml", settings={"people.society.precise": ["opinoin"]})


def test_people_of_a_scenario_may_be_tied_by_any_graph(folder):
    """In every replica rules work along the graph that was handed over, and no longer along the drawn one."""
    settings = {"people.society.influences": [{"what": "opinion", "weight": 1.0}], "people.churn": None}
    settings |= {"people.society.rules": [], "people.society.graph.kind": "none", "people.society.layers": {}}
    made = model(folder / "mine.yaml", settings=settings)
    x = made.people["opinion"].copy().reshape(2, 60)
    made.tie(nx.star_graph(59))
    made.step()
    assert made.people["opinion"].reshape(2, 60)[:, 0] == pytest.approx(x[:, 1:].mean(axis=1), abs=1e-6)
    assert made.people["opinion"].reshape(2, 60)[:, 1:] == pytest.approx(np.repeat(x[:, :1], 59, axis=1))
    with pytest.raises(ContractError, match="20 nodes for 60 people"):
        made.tie(nx.path_graph(20))
