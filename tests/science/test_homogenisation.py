"""Recommenders trained on what they caused make people more alike: Chaney's simulation, replicated.

Chaney, Stewart and Engelhardt ("How algorithmic confounding in recommendation systems increases
homogeneity and decreases utility", RecSys 2018) as replicated with T-RECS (sunnymatt/t-recs-experiments,
replication_sim.py at 8c14a31, with repeated training): 100 people and 20 topics, ten new items a step, ten
steps of new items only and 90 of everything ranked with the new items mixed in, attention ∝ rank^-.8,
nobody takes an item twice. Measured is the mean Jaccard overlap of what 800 random pairs of people took.

T-RECS gives popularity .396, social .308, random .176, ideal .153, content .142 (three simulations; the
standard deviation between them is .01 to .04, for people and items are drawn anew for each, and all arms
share them). So differences within a simulation are compared: popularity − ideal = .243 ± .06, social −
ideal = .155 ± .08, |content − ideal| < .04, in the order popularity > social > random > ideal ≈ content.
Random is T-RECS's: products of random vectors, which give people orders that are alike.
"""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.chance import Chance
from rehearse.experiments.metrics.consumption import mean_overlap, random_pairs
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario

pytestmark = [pytest.mark.science, pytest.mark.slow]

PEOPLE, TOPICS, NEW, STARTUP, STEPS = 100, 20, 10, 10, 90
NAMES = [f"topic_{k}" for k in range(TOPICS)]
ARMS = {
    "ideal": ("greedy-v1", {"avoid_shown": False}),
    "content": ("content-v1", {"avoid_shown": False, "ties": "random"}),
    "social": ("social-v1", {"avoid_shown": False, "ties": "random", "own": 1.0}),
    "popularity": ("popular-v1", {"avoid_shown": False, "ties": "random"}),
    "random": ("random-v1", {"vectors": TOPICS}),
}


def write(folder, seed):
    """Draw the people, the items and who knows whom of one simulation, as the replication does."""
    rng = np.random.default_rng(seed)
    people = rng.dirichlet(10.0 * rng.dirichlet(np.ones(TOPICS)), size=PEOPLE)
    items = rng.dirichlet(0.1 * rng.dirichlet(100.0 * np.ones(TOPICS)), size=NEW * (STARTUP + STEPS))
    header = ",".join(NAMES)
    np.savetxt(folder / "people.csv", people, delimiter=",", header=header, comments="")
    rows = [f"i{n}," + ",".join(map(repr, row.tolist())) for n, row in enumerate(items)]
    (folder / "items.csv").write_text("\n".join([f"item,{header}", *rows]))
    covariance = np.cov(people)
    for threshold in np.sort(covariance.ravel())[::-1][PEOPLE:]:
        if (covariance >= threshold).any(axis=1).all():
            break
    pairs = np.argwhere(np.triu(covariance >= threshold, 1))
    np.savetxt(folder / "friends.txt", pairs, fmt="%d")


def scenario(folder, seed, policy, settings):
    """Return the simulation of one arm."""
    return Scenario.model_validate(
        {
            "name": "homogenisation",
            "world": {
                "name": "recommend-v1",
                "settings": {
                    "items": {"table": str(folder / "items.csv")},
                    "catalogue": NAMES,
                    "creators": {"each_tick": NEW},
                    "utility": {"law": "beta", "sd": 1e-5, "known": {"mean": 0.98, "sd": 1e-5}},
                },
            },
            "people": {
                "count": PEOPLE,
                "source": {"table": str(folder / "people.csv"), "use": "as_is"},
                "tastes": {name: {"column": name} for name in NAMES},
                "behaviour": {"repeats": False, "visit_trust": 0.0, "quits": False},
                "goals": [{"name": "use", "rate": 1.0, "at_start": 1.0, "strength": 0.0}],
                "laws": {"choice": {"attention": {"exponent": -0.8}}},
                "memory": {"on": False},
                "society": {"graph": {"kind": "edges", "path": str(folder / "friends.txt")}},
            },
            "policy": {
                "name": "interleaved-v1",
                "settings": {
                    "policy": policy,
                    "settings": settings,
                    "count": NEW,
                    "of": "newest",
                    "startup": STARTUP,
                },
            },
            "slate": NEW * (STARTUP + STEPS),
            "columns": ["choice"],
            "time": {"ticks": STARTUP + STEPS, "max_turns": 1},
            "replicas": 1,
            "seed": seed,
            "assumptions": ["Everybody takes one item a step."],
            "limitations": ["It is a replication."],
        }
    )


def overlap(folder, seed, arm):
    """Return the mean overlap of what people took under a recommender."""
    run = rehearse.run(scenario(folder, seed, *ARMS[arm]), out=folder / arm)
    turns = RunRecord(run.folder).query('SELECT "user", choice FROM turns')
    sets = np.zeros((PEOPLE, NEW * (STARTUP + STEPS)), dtype=bool)
    sets[turns["user"], turns["choice"]] = True
    assert sets.sum(axis=1).tolist() == [STARTUP + STEPS] * PEOPLE
    return mean_overlap(sets, random_pairs(PEOPLE, 800, Chance(seed)))


def test_recommenders_make_people_alike_in_the_published_order(tmp_path):
    """Differences to ideal lie within the stated tolerances, and the order is the published one."""
    found = {arm: [] for arm in ARMS}
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(folder, seed)
        for arm in ARMS:
            found[arm].append(overlap(folder, seed, arm))
    mean = {arm: float(np.mean(values)) for arm, values in found.items()}
    assert mean["popularity"] - mean["ideal"] == pytest.approx(0.243, abs=0.06)
    assert mean["social"] - mean["ideal"] == pytest.approx(0.155, abs=0.08)
    assert abs(mean["content"] - mean["ideal"]) < 0.04
    assert mean["popularity"] > mean["social"] > mean["random"] > max(mean["ideal"], mean["content"])
