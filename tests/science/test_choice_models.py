"""Choice and click models against their closed forms, and calibration on the travellers of 1987.

Multinomial logit with the independence of irrelevant alternatives (McFadden 1974; RecSim's
choice_model_test.py), the cascade (Craswell and others 2008), the dynamic Bayesian network (Chapelle and
Zhang 2009), and Greene's table of 210 travellers (Econometric Analysis; statsmodels `modechoice`).
Tolerances: 1e-9 for closed forms, four standard errors for what is sampled, 1e-4 for estimates.
"""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.agents.choice import cascade_probabilities, dbn_probabilities, logit_probabilities
from rehearse.experiments.calibrate import calibrate
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science

ALPHA = np.array([0.3, 0.2, 0.5, 0.1, 0.4])
EXACT = 1e-9


@pytest.mark.parametrize(
    ("utilities", "outside", "expected"),
    [
        ([1.0, 0.96], -np.inf, [0.5099986668799655, 0.4900013331200346, 0.0]),
        ([1.0, 0.96], 1.0, [0.3377477596942189, 0.32450448061156223, 0.3377477596942189]),
        ([0.3, 0.3], -np.inf, [0.5, 0.5, 0.0]),
        ([0.3, 0.3, 0.3], -np.inf, [1 / 3, 1 / 3, 1 / 3, 0.0]),
        (
            [2.0, 1.0, 0.0],
            0.0,
            [0.6102956854136231, 0.22451523569930604, 0.08259453944353537, 0.08259453944353537],
        ),
    ],
)
def test_the_logit_has_its_closed_form(utilities, outside, expected):
    """Probabilities are those of the multinomial logit; a second bus takes from all alike."""
    found = logit_probabilities(np.array([utilities]), np.array([outside]))[0]
    assert found == pytest.approx(expected, abs=EXACT)


def test_the_cascade_and_the_network_have_their_closed_forms():
    """Clicks of the cascade, of RecSim's with attention .8, and of the network with γ = .9."""
    found = cascade_probabilities(ALPHA[None])[0]
    assert found == pytest.approx([0.3, 0.14, 0.28, 0.028, 0.1008, 0.1512], abs=EXACT)
    found = cascade_probabilities(0.8 * ALPHA[None])[0]
    recsim = [0.24, 0.1216, 0.25536, 0.0306432, 0.112766976, 0.239629824]
    assert found == pytest.approx(recsim, abs=EXACT)
    satisfied = np.array([[0.5, 0.5, 0.7, 0.2, 0.6]])
    looked, clicked = (found[0] for found in dbn_probabilities(ALPHA[None], satisfied, 0.9))
    assert looked == pytest.approx([1.0, 0.765, 0.61965, 0.36249525, 0.3197208105], abs=EXACT)
    assert clicked == pytest.approx([0.3, 0.153, 0.309825, 0.036249525, 0.1278883242], abs=EXACT)
    assert clicked.sum() == pytest.approx(0.9269628492, abs=EXACT)


def taken(folder, worth, outside, people=None):
    """Return which part of 40,000 people took each item of a slate, and last nothing."""
    items = [f"item-{n}" for n in range(len(worth))]
    scenario = Scenario.model_validate(
        {
            "name": "choice",
            "world": {
                "name": "recommend-v1",
                "settings": {
                    "items": items,
                    "attributes": {"worth": {"per_item": dict(zip(items, worth, strict=True))}},
                },
            },
            "people": {
                "count": 40_000,
                "tastes": {"worth": 1.0},
                "traits": {"noise": 1.0},
                "behaviour": {"outside": outside, "visit_trust": 0.0, "quits": False}
                | (people or {}).get("behaviour", {}),
                "goals": [{"name": "use", "at_start": 1.0, "strength": 0.0}],
                "memory": {"on": False},
                "laws": (people or {}).get("laws"),
            },
            "policy": {"name": "constant-v1", "settings": {"slate": items}},
            "slate": len(items),
            "columns": ["choice"],
            "time": {"ticks": 1, "max_turns": 1},
            "replicas": 1,
            "assumptions": ["Everybody chooses once."],
            "limitations": ["It is a closed form."],
        }
    )
    run = rehearse.run(scenario, out=folder)
    choice = RunRecord(run.folder).query("SELECT choice FROM turns")["choice"]
    counts = np.bincount(np.asarray(choice) + 1, minlength=len(items) + 1)
    return np.append(counts[1:], counts[0]) / counts.sum()


@pytest.mark.parametrize(
    ("worth", "outside", "people", "expected"),
    [
        ([2.0, 1.0, 0.0], 0.0, {}, [0.6102956854136231, 0.22451523569930604, *[0.08259453944353537] * 2]),
        (
            np.log(ALPHA / (1.0 - ALPHA)),
            0.0,
            {"behaviour": {"choice": "cascade", "attention": 1.0}},
            [0.3, 0.14, 0.28, 0.028, 0.1008, 0.1512],
        ),
        (
            np.log(ALPHA / (1.0 - ALPHA)),
            0.0,
            {"laws": {"choice": {"sequential": {"of": "sigmoid", "attention": 0.8}}}},
            [0.24, 0.1216, 0.25536, 0.0306432, 0.112766976, 0.239629824],
        ),
    ],
)
def test_people_of_a_run_choose_by_the_closed_form(tmp_path, worth, outside, people, expected):
    """Shares among 40,000 choices lie within four standard errors."""
    found = taken(tmp_path / "run", list(worth), outside, people)
    expected = np.array(expected)
    assert (np.abs(found - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / 40_000)).all()


ESTIMATES = {
    "gc": -0.015501530053846716,
    "ttme": -0.0961248495778477,
    "air": 5.207447286799557,
    "train": 3.8690446639253677,
    "bus": 3.163196320522521,
    "air_income": 0.013287007946575943,
}
LONGER = {"drift": [{"tick": 0, "what": "items.air.ttme", "add": 10.0}]}
COUNTERFACTUAL = {
    "air": 0.17632953521705946,
    "train": 0.3296342201982376,
    "bus": 0.15769489986248295,
    "car": 0.33634134472222016,
}


@pytest.fixture(scope="module")
def found():
    """Return what the travellers' choices say."""
    return calibrate("travel")


def test_calibration_finds_the_published_estimates(found):
    """Estimates, log-likelihood and shares with ten minutes more at the airport are the published ones."""
    assert found.tastes == pytest.approx(ESTIMATES, abs=1e-4)
    assert found.log_likelihood == pytest.approx(-199.12836871599706, abs=1e-4)
    assert found.shares() == pytest.approx(
        {"air": 58 / 210, "train": 0.3, "bus": 1 / 7, "car": 59 / 210}, abs=1e-6
    )
    assert found.shares(LONGER) == pytest.approx(COUNTERFACTUAL, abs=1e-6)


def test_rehearsed_travellers_make_the_counterfactual_choices(found, tmp_path):
    """People with these tastes, offered everything, choose within four standard errors of the shares."""
    settings = LONGER | {
        "people.behaviour": {"outside": -1e6, "visit_trust": 0.0, "quits": False},
        "people.memory.on": False,
        "people.churn": None,
        "people.returns": None,
        "people.society": {},
        "people.goals": [{"name": "travel", "at_start": 1.0, "rate": 1.0, "strength": 0.0}],
        "policy": {"name": "constant-v1", "settings": {"slate": ["air", "train", "bus", "car"]}},
        "slate": 4,
        "time": {"ticks": 20, "max_turns": 1},
        "latency": [],
        "faults": [],
        "criteria": [],
        "columns": ["choice"],
    }
    run = rehearse.run(found.scenario, out=tmp_path / "run", users=210, replicas=5, settings=settings)
    choice = np.asarray(RunRecord(run.folder).query("SELECT choice FROM turns")["choice"])
    assert len(choice) == 21_000
    shares, expected = np.bincount(choice, minlength=4) / len(choice), np.array(list(COUNTERFACTUAL.values()))
    assert (np.abs(shares - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / len(choice))).all()
