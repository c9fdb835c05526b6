"""Estimators that are fitted again on what they caused: schedule, versions, resuming, what they learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rehearse.contract import NOTHING, Feedback, Stage
from rehearse.errors import ContractError, PolicyLoadError
from rehearse.experiments.api import model, run
from rehearse.policies import load, refitted
from rehearse.testing import made_requests

pytest.importorskip("sklearn", reason="needs the extra sklearn")
STAGE = Stage(
    items=("no", "yes"), features=("x",), groups=("all",), replicas=np.array([1, 4], dtype=np.int32), seed=3
)
TREE = "sklearn.tree:DecisionTreeClassifier"
SCENARIO = {
    "name": "refit",
    "world": {
        "name": "bandit-v1",
        "settings": {"contexts": {"x": 1, "y": 1}, "arms": {"a": [0.9, 0.1], "b": [0.2, 0.7]}},
    },
    "people": {
        "count": 200,
        "tastes": {"each": 0.0},
        "behaviour": {"choice": "always", "quits": False, "visit_trust": 0.0},
        "memory": {"on": False},
    },
    "policy": {"name": "random-v1"},
    "time": {"ticks": 4, "max_turns": 1},
    "replicas": 2,
    "assumptions": ["Known chances."],
    "limitations": ["Nobody is measured."],
}


class Mean:
    """An estimator that predicts the mean."""

    def fit(self, x, y):
        self.mean = y.mean()

    def predict(self, x):
        return np.full(len(x), self.mean)


def told(x, item, reward, label=None, replica=1):
    """Return feedback about turns of one society."""
    n = len(x)
    return Feedback(
        features=np.asarray(x, np.float32).reshape(n, 1),
        slate=np.asarray(item, np.int32).reshape(n, 1),
        choice=np.asarray(item, np.int32),
        reward=np.asarray(reward, np.float32),
        propensity=np.ones(n, np.float32),
        replica=np.full(n, replica, np.int32),
        user=np.arange(n),
        turn=np.zeros(n, np.int16),
        group=np.zeros(n, np.int8),
        tick=0,
        label=None if label is None else np.asarray(label, np.int8),
    )


def asked(x, replica=1):
    """Return requests with these features."""
    n = len(x)
    return replace(
        made_requests(STAGE, n),
        features=np.asarray(x, np.float32).reshape(n, 1),
        replica=np.full(n, replica, np.int32),
        shown=np.full((n, 1), NOTHING, np.int32),
        available=None,
    )


def lesson():
    """Return turns in which yes pays above 0 and no below."""
    x = np.linspace(-1, 1, 80)
    item = np.arange(80) % 2
    return told(x, item, (item == (x > 0)).astype(float))


def test_it_is_fitted_on_schedule_and_every_fit_is_a_version():
    """Every second tick a new version serves; before the first, each item is as likely."""
    policy = load("refitted-v1", STAGE, {"estimator": TREE, "every": 2, "epsilon": 0.0})
    versions = []
    for _ in range(4):
        answer = policy.decide(asked([-0.5, 0.5]))
        versions.append(int(answer.version[0]))
        if versions[-1] == 0:
            assert answer.propensity.tolist() == [0.5, 0.5]
        policy.learn(lesson())
    assert versions == [0, 0, 1, 1]
    assert policy.decide(asked([-0.5, 0.5])).action.tolist() == [0, 1]
    assert policy.decide(asked([-0.5, 0.5], replica=4)).propensity.tolist() == [0.5, 0.5]


def test_it_learns_labels_and_says_yes_from_the_cut():
    """With labels one estimator says how likely a good outcome is; unknown labels teach nothing."""
    given = {"estimator": TREE, "learns": "label", "cut": 0.5, "epsilon": 0.2}
    policy = load("refitted-v1", STAGE, given)
    x = np.linspace(-1, 1, 60)
    label = np.where(np.arange(60) % 3 == 0, -1, x > 0.2)
    policy.learn(told(x, np.ones(60), np.zeros(60), label))
    chances = policy.probabilities(asked([-0.8, 0.8]))
    assert chances == pytest.approx(np.array([[0.9, 0.1], [0.1, 0.9]]))
    with pytest.raises(ContractError, match="this world has none"):
        policy.learn(told(x, np.ones(60), np.zeros(60)))


@pytest.mark.parametrize("estimator", [TREE, "sklearn.ensemble:RandomForestRegressor"])
def test_it_resumes_with_the_model_in_service(estimator):
    """State taken, given to a fresh copy, gives the same answers, also of estimators that draw."""
    given = {"estimator": estimator, "every": 2}
    given["parameters"] = {"n_estimators": 5} if "Forest" in estimator else {}
    policy, fresh = load("refitted-v1", STAGE, given), load("refitted-v1", STAGE, given)
    for _ in range(3):
        policy.learn(lesson())
    fresh.restore({name: np.array(a) for name, a in policy.state().items()})
    for one in (policy, fresh):
        one.learn(told([0.1, 0.2], [1, 0], [0.3, 0.9]))
    x = np.linspace(-1, 1, 30)
    assert policy.decide(asked(x)).score.tobytes() == fresh.decide(asked(x)).score.tobytes()


def test_an_estimator_given_in_python_serves_a_run():
    """`refitted(estimator, every=…)` is a policy: a bandit's people come to be served right."""
    from sklearn.linear_model import LogisticRegression

    rehearsal = model(SCENARIO, policy=refitted(LogisticRegression(), every=1, epsilon=0.1))
    for _ in range(3):
        rehearsal.step()
    requests = []
    watcher = type("W", (), {"on_turn": lambda _, e: requests.append(e), "on_tick": lambda *_: None})()
    rehearsal.simulation.watchers.append(watcher)
    rehearsal.step()
    right = np.concatenate([exchange.outcomes.right for exchange in requests])
    assert right.mean() > 0.9
    assert {int(v) for exchange in requests for v in exchange.decisions.version} == {3}


def test_what_cannot_be_fitted_is_refused():
    """The message names the setting."""
    with pytest.raises(PolicyLoadError, match="cannot be fitted"):
        load("refitted-v1", STAGE, {"estimator": "math:pi"})
    with pytest.raises(PolicyLoadError, match="could not be made"):
        load("refitted-v1", STAGE, {"estimator": TREE, "parameters": {"depth": 3}})
    with pytest.raises(PolicyLoadError, match=r"estimator is 'tree'"):
        load("refitted-v1", STAGE, {"estimator": "tree"})


def test_the_report_marks_when_a_version_was_deployed(tmp_path):
    """A fit every second tick is a mark on the page, with the number of the version."""
    made = refitted(Mean(), every=2)
    finished = run(SCENARIO, policy=made, out=tmp_path / "run", users=20)
    page = (finished.folder / "report.html").read_text(encoding="utf-8").split("<noscript>")[0]
    assert "version 1 of the model was deployed" in page
    assert finished.turns.query("SELECT DISTINCT version FROM turns ORDER BY 1")["version"].tolist() == [0, 1]
