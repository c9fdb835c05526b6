"""Regret of bandits against published curves, through scenarios of `bandit-v1`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import rehearse

pytestmark = pytest.mark.science


def arms(policy, settings, replicas, chances):
    """Return the scenario of docs/howto/learners.md: one person a society, one turn a tick."""
    return {
        "name": "two-arms",
        "world": {"name": "bandit-v1", "settings": {"arms": chances}},
        "people": {
            "count": 1,
            "tastes": {"each": 0.0},
            "behaviour": {"choice": "always", "quits": False, "visit_trust": 0.0},
            "memory": {"on": False},
        },
        "policy": {"name": policy, "settings": settings},
        "time": {"ticks": 1000, "max_turns": 1},
        "replicas": replicas,
        "seed": 11,
        "assumptions": ["Arms pay independently."],
        "limitations": ["As in Auer et al. 2002."],
    }


def regret(policy, replicas, ticks, settings=None, chances=None):
    """Return the expected regret of each society after so many turns."""
    model = rehearse.model(arms(policy, settings or {}, replicas, chances or {"a": 0.9, "b": 0.8}))
    whole = np.zeros(replicas)

    def note(exchange):
        whole[:] += exchange.outcomes.regret

    model.simulation.watchers.append(SimpleNamespace(on_turn=note, on_tick=lambda *_: None))
    for _ in range(ticks):
        model.step()
    return whole


@pytest.mark.parametrize(
    ("policy", "settings", "expected", "replicas"),
    [
        ("ucb-v1", {}, 24.9268, 100),
        ("ucb-v1", {"alpha": 0.5}, 13.0353, 100),
        ("thompson-v1", {}, 6.1449, 100),
        ("epsilon-v1", {"epsilon": 0.1, "prior": 1.0}, 10.5067, 200),
    ],
)
def test_regret_of_two_arms_is_the_published_one(policy, settings, expected, replicas):
    """Bernoulli (.9, .8) after 1,000 turns: UCB1, UCB of alpha .5, Thompson, epsilon-greedy, to 4 SE.

    The curves are those of Auer et al. 2002 and Kaufmann 2012 as recomputed with SMPyBandits.
    """
    found = regret(policy, replicas, 1000, settings)
    assert found.mean() == pytest.approx(expected, abs=4 * found.std(ddof=1) / np.sqrt(replicas))


def test_regret_of_chance_grows_by_half_the_gap():
    """Uniform choice loses (.9 − .8) / 2 a turn, exactly in the mean; to 4 SE."""
    found = regret("random-v1", 400, 100)
    assert found.mean() == pytest.approx(5.0, abs=4 * found.std(ddof=1) / np.sqrt(400))
