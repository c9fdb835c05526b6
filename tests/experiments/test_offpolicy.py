"""Off-policy estimates: what they are on plain arrays, on runs and on logs, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rehearse
from rehearse.columns import Columns
from rehearse.contract import Decisions
from rehearse.errors import DataError, UserError
from rehearse.experiments.offpolicy import (
    Turns,
    dr,
    effective_sample_size,
    evaluate,
    ips,
    snips,
    weights,
)

SCENARIO = {
    "name": "small",
    "world": {
        "name": "bandit-v1",
        "settings": {"contexts": {"x": 1, "y": 1}, "arms": {"a": [0.9, 0.1], "b": [0.2, 0.7]}},
    },
    "people": {
        "count": 1500,
        "tastes": {"each": 0.0},
        "behaviour": {"choice": "always", "quits": False, "visit_trust": 0.0},
        "memory": {"on": False},
    },
    "policy": {"name": "table-v1", "settings": {"chances": [[0.5, 0.5], [0.3, 0.7]]}},
    "time": {"ticks": 1, "max_turns": 1},
    "replicas": 2,
    "assumptions": ["Known chances."],
    "limitations": ["Nobody is measured."],
}


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Return the folder of a run whose policy says how likely its answers are."""
    return rehearse.run(SCENARIO, out=tmp_path_factory.mktemp("logged") / "run", record="none").folder


def test_estimators_are_what_their_equations_say():
    """IPS, SNIPS, DR and the effective sample size of four turns, worked out by hand."""
    w = weights([0.5, 0.2, 0.8, 0.0], [0.25, 0.4, 0.4, 0.5])
    reward = np.array([1.0, 0.0, 1.0, 1.0])
    assert w == pytest.approx([2.0, 0.5, 2.0, 0.0])
    assert ips(reward, w) == pytest.approx(1.0)
    assert snips(reward, w) == pytest.approx(4.0 / 4.5)
    assert effective_sample_size(w) == pytest.approx(4.5**2 / 8.25)
    assert dr(reward, w, [0.5] * 4, [0.6] * 4) == pytest.approx(0.6 + (1.0 - 0.25 + 1.0) / 4)
    assert weights([0.5, 0.2], [0.25, 0.4], clip=1.5) == pytest.approx([1.5, 0.5])
    with pytest.raises(DataError, match="has the propensity nan"):
        weights([0.5], [np.nan])


def test_errors_are_those_of_independent_units():
    """Ten copies of every turn, said to be of one person each time, change no error; said apart they do."""
    rng = np.random.default_rng(2)
    p, pi = rng.uniform(0.2, 0.9, 400), rng.uniform(0.0, 1.0, 400)
    reward = rng.integers(0, 2, 400).astype(float)
    once = evaluate(Turns(reward=reward, propensity=p, target=pi))
    many = {name: np.repeat(a, 10) for name, a in (("reward", reward), ("propensity", p), ("target", pi))}
    copied = evaluate(Turns(**many, who=np.repeat(np.arange(400), 10)))
    blind = evaluate(Turns(**many))
    for name in ("ips", "snips"):
        assert copied[name].value == pytest.approx(once[name].value)
        assert copied[name].error == pytest.approx(once[name].error)
        assert blind[name].error == pytest.approx(once[name].error / np.sqrt(10), rel=0.01)


def test_intervals_hold_the_value_as_often_as_they_say():
    """Of 300 logs of 400 turns, 95 % intervals of IPS, SNIPS and DR hold the exact value in 91 to 99 %."""
    rng = np.random.default_rng(7)
    q, target, logging = np.array([0.2, 0.5, 0.8]), np.array([0.1, 0.3, 0.6]), np.array([0.5, 0.3, 0.2])
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    for _ in range(300):
        action = rng.choice(3, 400, p=logging)
        reward = (rng.random(400) < q[action]).astype(float)
        flat = {"predicted": np.full(400, 0.4), "expected": np.full(400, 0.4)}
        turns = Turns(reward=reward, propensity=logging[action], target=target[action], **flat)
        found = evaluate(turns)
        for name in held:
            held[name] += found[name].low <= q @ target <= found[name].high
    assert all(0.91 <= count / 300 <= 0.99 for count in held.values()), held


@pytest.mark.parametrize("model", ["items", "table", "linear"])
def test_models_of_rewards_do_not_move_the_doubly_robust(logged, model):
    """The target earns .5·.9 + .5·.7 = .8: DR holds it to 4 SE, and a good model narrows it."""
    found = rehearse.off_policy(logged, OwnTable(), model=model, truth=False)
    assert found["dr"].value == pytest.approx(0.8, abs=4 * found["dr"].error)
    assert found.turns == 3000
    assert found.unit == "users"
    if model == "table":
        assert found["dr"].error < 0.75 * found["ips"].error
        assert found["dm"].value == pytest.approx(0.8, abs=0.05)


class OwnTable:
    """A model of one's own that says how likely its answers are."""

    def decide(self, requests):
        return Decisions.of(requests["context"].astype(int))

    def probabilities(self, requests):
        return np.eye(2)[requests["context"].astype(int)]


class Silent:
    """A model that draws, and does not say how likely."""

    def decide(self, requests):
        return (requests.uniform("mine")[:, 0] < 0.5).astype(int)


def test_a_model_that_says_nothing_is_told_by_its_answers(logged):
    """Even chances earn .475, and so say estimates and truth, to 4 SE."""
    found = rehearse.off_policy(logged, Silent(), model=None)
    for name in ("ips", "truth"):
        assert found[name].value == pytest.approx(0.475, abs=4 * found[name].error)
    assert [row["estimator"] for row in found.rows()] == ["truth", "ips", "snips", "logged"]


def test_a_target_evaluated_on_itself_earns_what_it_earned(logged):
    """The logging policy as target has weights of 1, and every estimate is its mean reward."""
    same = SCENARIO["policy"]["settings"]
    found = rehearse.off_policy(logged, "table-v1", settings=same, model=None)
    assert found.max_weight == found.mean_weight == 1.0
    assert found["ips"].value == found["logged"].value == found["truth"].value


def test_what_cannot_be_evaluated_is_refused(logged, tmp_path):
    """A target that learns, an unknown model of rewards, and a logging policy without propensities."""
    with pytest.raises(UserError, match="thompson-v1 learns"):
        rehearse.off_policy(logged, "thompson-v1")
    with pytest.raises(UserError, match="no model of rewards 'tabel'"):
        rehearse.off_policy(logged, "constant-v1", model="tabel")
    for wrong in ({"clip": 0.0}, {"clip": float("nan")}, {"confidence": 95}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            rehearse.off_policy(logged, "random-v1", truth=False, **wrong)
    silent = rehearse.run(SCENARIO, policy=Silent(), out=tmp_path / "run", record="none", users=20)
    with pytest.raises(DataError, match="has the propensity nan"):
        rehearse.off_policy(silent, "constant-v1", policy=Silent())


def test_a_log_names_the_column_of_the_target():
    """A log from elsewhere holds rewards, propensities and the target's chances."""
    table = Columns(
        {"who": np.arange(4), "pay": np.array([1, 0, 1, 1]), "p": np.array([0.25, 0.4, 0.4, 0.5])}
        | {"pi": np.array([0.5, 0.2, 0.8, 0.0])}
    )
    log = rehearse.read_log(
        table, {"user": "who", "reward": "pay", "propensity": "p", "chance_of_target": "pi"}
    )
    found = rehearse.off_policy(log, "chance_of_target", clip=1.5)
    assert found["ips"].value == pytest.approx(1.0)
    assert found["ips at 1.5"].value == pytest.approx(0.75)
    with pytest.raises(UserError, match="no column 'target'"):
        rehearse.off_policy(log, "target")


def test_the_command_prints_the_table_and_json(logged, capsys):
    """`rehearse evaluate` tells estimates, truth and what the weights are worth."""
    from rehearse.experiments.cli import main

    asked = ["evaluate", str(logged), "--policy", "constant-v1?slate=1", "--model", "0.3"]
    assert main(asked) == 0
    text = " ".join(capsys.readouterr().out.split())  # lines end where the terminal does
    assert "the target itself, run on the same people" in text
    assert "turns of the target itself" in text
    assert main([*asked, "--no-truth", "--clip", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["estimator"] for row in told["estimates"]} >= {"ips", "ips at 2", "dm", "dr"}
    assert main([*asked, "--clip", "x"]) == 2
