"""The common workload: the laws that its README states, seen in what people do."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.contract import End
from rehearse.errors import ScenarioError
from rehearse.experiments.api import load
from rehearse.experiments.build import assemble
from rehearse.experiments.journey import tell
from rehearse.experiments.replaying import replay
from rehearse.experiments.running import run
from rehearse.record.reading import RunRecord


@pytest.fixture(scope="module")
def lived():
    """Return 4,000 people's turns of two ticks, the people, and the items."""
    scenario = load("workload", users=4000, ticks=2, replicas=1)
    assembly = assemble(scenario.model_copy(update={"columns": None}))
    pages = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(2):
        assembly.simulation.advance()
    turns = Columns({name: np.concatenate([page[name] for page in pages]) for name in pages[0]})
    return turns, assembly.simulation


def test_people_are_drawn_as_said(lived):
    """Tastes have a standard deviation of a quarter, patience is 5 to 10 turns, each as likely."""
    people = assemble(load("workload", users=4000, ticks=1, replicas=1)).simulation.users.columns
    assert np.std(people["taste"]) == pytest.approx(0.25, rel=0.02)
    values, counts = np.unique(people["patience_max"], return_counts=True)
    assert values.tolist() == [5, 6, 7, 8, 9, 10]
    assert counts.min() > 4000 / 6 * 0.85
    assert lived[0].length > 0


def test_choice_is_logit_over_the_slate_and_nothing(lived):
    """Where satisfaction is s, nothing is taken as often as weights e^(1 − s) against Σ e^u say."""
    turns, simulation = lived
    first = (turns["turn"] == 0) & (turns["session"] == 0)
    taken = (turns["choice"] >= 0)[first].mean()
    table = simulation.world.table_of_items
    names = ["action", *(f"slate_{i}" for i in range(1, 5))]
    slate = np.stack([turns[name][first] for name in names], axis=1)
    fresh = assemble(load("workload", users=4000, ticks=1, replicas=1)).simulation.users.columns
    tastes = fresh["taste"].take(turns["user"][first], axis=0).astype(float)
    utility = 2 * np.einsum("nd,nkd->nk", tastes, table[slate][:, :, :16]) + table[slate][:, :, 16]
    weights = np.exp(utility - 0.1 * np.arange(5))
    expected = (weights.sum(1) / (weights.sum(1) + np.exp(1 - 0.6))).mean()
    assert taken == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_satisfaction_moves_by_a_tenth(lived):
    """Satisfaction is nine tenths what it was and a tenth the outcome, or .3 where nothing was taken."""
    turns, _ = lived
    felt = np.where(turns["choice"] >= 0, turns["reward"], 0.3)
    expected = 0.9 * turns["satisfaction_before"] + 0.1 * felt
    np.testing.assert_allclose(turns["satisfaction"], expected, atol=1e-6)


def test_leaving_follows_the_hazard(lived):
    """Those with patience left leave with chance σ(−3.5 + 3 · (1 − satisfaction))."""
    turns, _ = lived
    patient = turns["patience"] > 0
    hazard = 1 / (1 + np.exp(3.5 - 3 * (1 - turns["satisfaction"][patient])))
    left = (turns["end"] == End.ABANDONED)[patient]
    assert left.mean() == pytest.approx(hazard.mean(), abs=4 * np.sqrt(hazard.mean() / patient.sum()))
    assert (turns["end"][~patient] != End.NONE).all()
    assert turns["turn"].max() <= 9


def test_outcomes_are_expectations_with_noise(lived):
    """What was taken turns out as σ(utility + noise), with noise uniform in ± one half."""
    turns, _ = lived
    took = turns["choice"] >= 0
    reward, utility = turns["reward"][took].astype(float), turns["utility"][took].astype(float)
    noise = np.log(reward / (1 - reward)) - utility
    assert np.abs(noise).max() < 0.5 + 1e-4
    assert noise.std() == pytest.approx(np.sqrt(1 / 12), rel=0.03)


def test_other_worlds_are_refused():
    """People of the workload cannot live among items of other dimensions, and are told so."""
    scenario = load("travel", users=20, ticks=1)
    people = scenario.people.model_copy(update={"model": "workload-v1"})
    with pytest.raises(ScenarioError, match="16 dimensions"):
        assemble(scenario.model_copy(update={"people": people}))


def test_lean_people_have_turns_to_tell_and_no_inner_life(tmp_path):
    """A run of the workload is judged and replayed like any other; a life is told by its turns alone."""
    scenario = load("workload", users=120, ticks=2, replicas=2)
    finished = run(scenario, out=tmp_path / "run")
    assert finished.verdict in {"pass", "fail", "unsure"}
    assert replay(finished.folder).same
    columns = set(finished.turns.query("SELECT * FROM turns LIMIT 1"))
    assert {"satisfaction", "choice", "regret"} <= columns
    told = tell(RunRecord(finished.folder), user=3)
    assert told.life is None
    assert "Day 0, session 1\n  turn 1  Turned to the model" in told.text()
