"""The world bandit-v1: contexts, chances, rewards and expected regret."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.environments.bandit import build
from rehearse.errors import ScenarioError
from rehearse.experiments.api import model
from rehearse.scenario.model import Drift
from rehearse.testing import check_world

BANDIT = {
    "name": "arms",
    "world": {
        "name": "bandit-v1",
        "settings": {
            "contexts": {"calm": 3, "busy": 1},
            "arms": {"a": [0.9, 0.2], "b": [0.5, 0.8], "c": 0.1},
        },
    },
    "people": {
        "count": 3000,
        "tastes": {"each": 0.0},
        "behaviour": {"choice": "always", "quits": False, "visit_trust": 0.0},
        "memory": {"on": False},
    },
    "policy": {"name": "random-v1"},
    "time": {"ticks": 1, "max_turns": 1},
    "replicas": 1,
    "assumptions": ["Chances are known."],
    "limitations": ["Nobody is measured."],
}


def made(settings, drift=()):
    """Return the world alone."""
    return build(settings, data=None, drift=drift, chance=Chance(3))


def test_the_world_keeps_the_contract():
    """With and without contexts, `check_world` has nothing to say."""
    user = np.arange(40, dtype=np.int64)
    people = Columns(
        {"user": user, "replica": (user // 20).astype(np.int32), "taste": np.zeros((40, 1), np.float32)}
    )
    assert check_world(made(BANDIT["world"]["settings"]), people) == []
    assert check_world(made({"arms": {"a": 0.9, "b": 0.8}}), people) == []


def held(scenario, **given):
    """Return what a tick was like: context, action, reward and regret of every turn."""
    told = model(scenario, **given)
    seen = []
    watcher = SimpleNamespace(on_turn=seen.append, on_tick=lambda *_: None)
    told.simulation.watchers.append(watcher)
    told.step()
    exchange = seen[0]
    outcomes = exchange.outcomes
    return outcomes.detail["context"].astype(int), exchange.decisions.action, outcomes.reward, outcomes.regret


def test_arms_pay_by_their_chances_and_regret_is_expected():
    """Rewards by context and arm are those written, to 4 SE; regret is the best chance less the arm's."""
    context, action, reward, regret = held(BANDIT)
    chances = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.1]])
    assert (context == 0).mean() == pytest.approx(0.75, abs=4 * 0.44 / np.sqrt(3000))
    for c in range(2):
        for a in range(3):
            here = (context == c) & (action == a)
            error = 0.5 / np.sqrt(here.sum())
            assert reward[here].mean() == pytest.approx(chances[c, a], abs=4 * error)
    assert regret == pytest.approx(chances.max(axis=1)[context] - chances[context, action])


def test_an_oracle_has_no_regret():
    """greedy-v1 knows the chances of the context."""
    assert held(BANDIT, policy="greedy-v1")[3].max() == 0.0


def test_chances_can_drift():
    """A scheduled change of an arm is said, and holds from its tick on."""
    world = made({"arms": {"a": 0.9, "b": 0.8}}, (Drift(tick=2, what="chance.a", add=-0.5),))
    assert [bool(world.drift(tick)) for tick in range(4)] == [False, False, True, False]
    assert world.state()["tick"].tolist() == [3]
    with pytest.raises(ScenarioError, match=r"chance\.z"):
        made({"arms": {"a": 0.9}}, (Drift(tick=2, what="chance.z", add=-0.5),))


def test_chances_must_fit_the_contexts():
    """The message names the arm and both counts."""
    with pytest.raises(ScenarioError, match="arm 'a' has 3 chances for 1 contexts"):
        made({"arms": {"a": [0.1, 0.2, 0.3]}})
