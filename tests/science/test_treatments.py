"""Few treatments on a contagion graph: known limits, and a program written apart.

Source: Atwood and others, "Fair treatment allocations in social networks" (arXiv:1911.05489): treatments
first, then infection with 1 − (1 − τ)^k and recovery with ρ, all at once. Tolerances are four standard
errors of the difference between independent runs.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import rehearse
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science
CLUB = nx.karate_club_graph()
TAU, RHO, SEEDS = 0.15, 0.3, 2
RULES = {
    "nobody": {"name": "constant-v1", "settings": {"slate": "wait"}},
    "random": {"name": "random-v1"},
    "degree": {
        "name": "linear-v1",
        "settings": {"weights": {"treat": {"degree": 1.0, "stage_seen": -100.0}, "wait": {"1": -1.0}}},
    },
}


def outbreak(policy, *, doses, societies, ticks=60, **society):
    """Return who was ever infected, shape (societies, people), and how many were treated to some effect."""
    count = society.pop("count", 34)
    settings = {"kind": "contagion", "doses": doses, "shows": ["degree"]} | society.pop("world", {})
    contagion = {"transmission": TAU, "recovery": RHO, "infected": SEEDS} | society.pop("contagion", {})
    scenario = Scenario.model_validate(
        {
            "name": "outbreak",
            "world": {"name": "triage-v1", "settings": settings},
            "people": {
                "count": count,
                "behaviour": {"choice": "always", "visit_trust": 0.0, "quits": False},
                "memory": {"on": False},
                "society": {
                    "graph": society.pop("graph", {"kind": "karate"}),
                    "rules": [{"name": "sir-v1", "settings": contagion}, {"name": "centrality-v1"}],
                },
            },
            "policy": policy if isinstance(policy, dict) else {"name": "constant-v1"},
            "time": {"ticks": ticks, "max_turns": 1},
            "replicas": societies,
            "seed": 17,
            "assumptions": ["People are on a graph."],
            "limitations": ["It is a small one."],
        }
    )
    model = rehearse.model(scenario, policy=None if isinstance(policy, dict) else policy)
    ever = model.people["infection"] == 1
    for _ in range(ticks):
        model.step()
        ever |= model.people["infection"] == 1
    return ever.reshape(societies, count)


def outbreak_in_numpy(rule, *, doses, runs, ticks=60):
    """Return how many were ever infected in each run of the published loop, with numpy's chance."""
    generator, ties = np.random.default_rng(9), nx.to_numpy_array(CLUB, weight=None)
    degree, ever = ties.sum(axis=1), np.zeros(runs)
    for run in range(runs):
        stage = np.zeros(34, dtype=int)
        stage[generator.choice(34, SEEDS, replace=False)] = 1
        reached = stage == 1
        for _ in range(ticks):
            if rule == "random":
                chosen = generator.choice(34, doses, replace=False)
            elif rule == "degree":
                healthy = np.flatnonzero(stage == 0)
                ranked = healthy[np.lexsort((generator.random(len(healthy)), -degree[healthy]))]
                chosen = ranked[:doses]
            else:
                chosen = np.zeros(0, dtype=int)
            stage[chosen[stage[chosen] == 0]] = 2
            caught = (stage == 0) & (generator.random(34) < 1.0 - (1.0 - TAU) ** (ties @ (stage == 1)))
            over = (stage == 1) & (generator.random(34) < RHO)
            stage[caught], stage[over] = 1, 2
            reached |= caught
        ever[run] = reached.sum()
    return ever


@pytest.mark.parametrize(("rule", "doses"), [("nobody", 0), ("random", 1), ("degree", 1), ("degree", 3)])
def test_outbreaks_are_those_of_a_program_written_apart(rule, doses):
    """The number ever infected on the karate club has the mean of an independent program."""
    theirs = outbreak_in_numpy(rule, doses=doses, runs=400)
    ours = outbreak(RULES[rule], doses=doses, societies=400, ticks=30).sum(axis=1)
    error = np.sqrt(ours.var(ddof=1) / 400 + theirs.var(ddof=1) / 400)
    assert abs(ours.mean() - theirs.mean()) < 4.0 * error


def test_treating_who_knows_most_spares_most():
    """One dose a tick by degree leaves fewer ill than at random, and that fewer than none."""
    ill = {rule: outbreak(RULES[rule], doses=1, societies=300, ticks=30).sum() for rule in RULES}
    assert ill["degree"] < 0.85 * ill["random"]
    assert ill["random"] < 0.95 * ill["nobody"]


def test_treated_people_change_before_it_spreads():
    """Doses for everybody in the first tick leave nobody ill but those who were at the start."""
    assert outbreak({"name": "constant-v1"}, doses=34, societies=50, ticks=5).sum() == 50 * SEEDS


def test_a_treatment_that_does_not_work_changes_nothing():
    """Without efficacy the outbreak is that of nobody treated, person by person."""
    vain = outbreak(RULES["random"], doses=5, societies=30, ticks=20, world={"efficacy": 0.0})
    assert np.array_equal(vain, outbreak(RULES["nobody"], doses=0, societies=30, ticks=20))


def test_treating_some_at_once_thins_the_graph():
    """A share v treated at the start of a random graph of mean degree 6: x = 1 − e^(−6 τ (1 − v) x)."""
    tau, share, people = 0.3, 0.2, 4000
    reached = 0.5
    for _ in range(200):
        reached = 1.0 - np.exp(-6.0 * tau * (1.0 - share) * reached)

    def first_tick_only(requests):
        return np.full(len(requests), "treat" if requests.tick == 0 else "wait")

    ever = outbreak(
        first_tick_only,
        doses=int(share * people),
        societies=5,
        ticks=30,
        count=people,
        graph={"kind": "erdos_renyi", "degree": 6},
        contagion={"transmission": tau, "recovery": 1.0, "infected": 20},
    )
    assert ever.mean() / (1.0 - share) == pytest.approx(reached, abs=0.02)
