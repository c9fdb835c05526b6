"""Queues and streams of arrivals have the laws that are known of them, through `rehearse.run`.

Sources: Erlang (1917); Cobham (1954), "Priority assignment in waiting line problems"; Pollaczek (1930) and
Khinchin (1932); Kleinrock (1965) for conservation; Hawkes (1971); Palm (1957) for impatience. Tolerances
are those that came with the expected values, or stated.
"""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science
LEFT, TURNED_AWAY = 3, 6
"""Positions in the world's `status`."""
EXPONENTIAL = {"exponential": {"mean": 1.0}}


def queue(world, cases, *, traits=None, societies=1, policy=None):
    """Return the cases of a queue, a row each, when one long tick has passed."""
    settings = {"kind": "queue", "classes": ["all"], "span": 1e7} | world
    scenario = Scenario.model_validate(
        {
            "name": "queue",
            "world": {"name": "triage-v1", "settings": settings},
            "people": {
                "model": "cases-v1",
                "count": cases,
                "traits": {"urgency": 0.0, "service": EXPONENTIAL} | (traits or {}),
            },
            "policy": policy or {"name": "constant-v1", "settings": {"slate": 0}},
            "time": {"ticks": 1, "max_turns": 1},
            "replicas": societies,
            "seed": 3,
            "assumptions": ["A queue of the textbooks."],
            "limitations": ["It is one."],
        }
    )
    model = rehearse.model(scenario)
    model.step()
    return model.people


def test_mm1_waits_as_erlang_says():
    """λ = .8, μ = 1, 200,000 arrivals: Wq = 4 ± .3, P(wait) = .8, and by Little Lq = λ Wq = 3.2."""
    cases = queue({"arrivals": {"rate": 0.8}}, 200_000)
    wait, arrival = cases.numbers("wait"), cases.numbers("arrival")
    assert wait.mean() == pytest.approx(4.0, abs=0.3)
    assert (wait + cases.numbers("service")).mean() == pytest.approx(5.0, abs=0.3)
    assert (wait > 0.0).mean() == pytest.approx(0.8, abs=0.01)
    assert wait.sum() / arrival[-1] == pytest.approx(3.2, abs=0.25)


def test_mm3_waits_as_erlang_says():
    """λ = 2.4, μ = 1, c = 3: P(wait) = .6472 ± .02 and Wq = 1.0787."""
    cases = queue({"arrivals": {"rate": 2.4}, "workers": 3}, 200_000)
    wait = cases.numbers("wait")
    assert (wait > 0.0).mean() == pytest.approx(0.6471910112359549, abs=0.02)
    assert wait.mean() == pytest.approx(1.078651685393258, rel=0.08)


@pytest.mark.parametrize("law", [EXPONENTIAL, 1.0, {"lognormal": {"mean": -0.5, "sd": 1.0}}])
def test_a_loss_system_turns_away_as_erlang_b_says(law):
    """Three workers, no place to wait, a = 2.4 erlangs: .2684 ± .01 are lost, whatever the law of service."""
    world = {"arrivals": {"rate": 2.4}, "workers": 3, "room": 0}
    cases = queue(world, 60_000, traits={"service": law})
    assert (cases["status"] == TURNED_AWAY).mean() == pytest.approx(0.2684063373718546, abs=0.01)
    assert np.nanmax(cases.numbers("wait")) == 0.0


def test_priority_is_cobhams_and_conserves_work():
    """λ = (.3, .5), μ = 1: Wq = 1.143 and 5.714 ± 8 %; Σ ρ Wq = ρ Wq(fifo) = 3.2."""
    traits = {"urgency": {"discrete": {"values": [0, 1], "shares": [0.375, 0.625]}}}
    world = {"classes": ["high", "low"], "arrivals": {"rate": 0.8}}
    triage = {"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": [0.5]}}
    cases = queue(world, 200_000, traits=traits, policy=triage)
    wait, low = cases.numbers("wait"), cases["urgency"] == 1
    assert wait[~low].mean() == pytest.approx(1.142857142857143, rel=0.08)
    assert wait[low].mean() == pytest.approx(5.714285714285716, rel=0.08)
    assert 0.3 * wait[~low].mean() + 0.5 * wait[low].mean() == pytest.approx(3.2, rel=0.08)


@pytest.mark.parametrize(
    ("law", "wait"), [(1.0, 2.0), ({"lognormal": {"mean": -0.5, "sd": 1.0}}, 2.0 * np.e)]
)
def test_general_services_wait_as_pollaczek_and_khinchin_say(law, wait):
    """λ = .8, mean service 1: Wq = λ E[S²] / 2(1 − ρ); 2 where services are constant, within 8 %."""
    cases = queue({"arrivals": {"rate": 0.8}}, 300_000, traits={"service": law})
    assert cases.numbers("wait").mean() == pytest.approx(wait, rel=0.08)


def test_impatience_is_that_of_palm():
    """M/M/1 + M with λ = 1.2, μ = 1, θ = .5: the share that leaves, from the birth-death chain."""
    states = np.arange(60)
    weights = np.cumprod(np.concatenate([[1.0], 1.2 / (1.0 + 0.5 * states[:-1])]))
    law = weights / weights.sum()
    leaves = 0.5 * (law[1:] * (states[1:] - 1)).sum() / 1.2
    traits = {"leaves_after": {"exponential": {"mean": 2.0}}}
    cases = queue({"arrivals": {"rate": 1.2}}, 100_000, traits=traits)
    assert (cases["status"] == LEFT).mean() == pytest.approx(leaves, abs=0.01)


def test_patience_can_tire():
    """Where one is served for ever, the others leave by the Weibull law of shape 1.5 and scale 10."""
    traits = {"service": 1e9, "leaves_after": {"weibull": {"shape": 1.5, "scale": 10.0}}}
    cases = queue({"arrivals": {"rate": 1.0}}, 50_000, traits=traits)
    left = cases["leaves_after"][cases["status"] == LEFT]
    assert len(left) >= 49_999
    assert left.mean() == pytest.approx(9.027452929509337, abs=4.0 * 6.13 / np.sqrt(50_000))
    for time, share in {1: 0.9688719943400754, 5: 0.7021885013265596, 10: 0.36787944117144233}.items():
        assert (left > time).mean() == pytest.approx(share, abs=4.0 * 0.5 / np.sqrt(50_000))


def test_bursts_are_those_of_hawkes():
    """μ = 1, n = .5, β = 2, T = 100, 4,000 runs: mean 200 ± 1.8 and variance 794 ± 75 of the counts."""
    world = {"arrivals": {"rate": 1.0, "branching": 0.5, "decay": 2.0}, "span": 100.0}
    cases = queue(world | {"workers": 50}, 400, societies=4000)
    counts = (cases["due"] == 0).reshape(4000, 400).sum(axis=1)
    assert counts.max() < 400
    assert counts.mean() == pytest.approx(200.0, abs=1.8)
    assert counts.var() == pytest.approx(794.0, abs=75.0)


def test_a_stream_without_bursts_is_poisson():
    """With n = 0 counts in T = 100 have mean and variance 200, and gaps are exponential."""
    world = {"arrivals": {"rate": 2.0}, "span": 100.0, "workers": 50}
    cases = queue(world, 300, societies=2000)
    counts = (cases["due"] == 0).reshape(2000, 300).sum(axis=1)
    assert counts.mean() == pytest.approx(200.0, abs=4.0 * np.sqrt(200.0 / 2000))
    assert counts.var() == pytest.approx(200.0, rel=0.13)
    first = cases.numbers("arrival")[cases["user"] == 0]
    assert first.mean() == pytest.approx(0.5, abs=4.0 * 0.5 / np.sqrt(2000))
