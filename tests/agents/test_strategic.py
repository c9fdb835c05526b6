"""People who show what serves them."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.contract import Decisions
from rehearse.errors import ScenarioError
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario


def applicants(strategy, policy, ticks=1, **more):
    """Return a scenario of 200 people with a score between 0 and 1, in two groups."""
    return Scenario.model_validate(
        {
            "name": "strategic",
            "world": {"name": "lending-v1", "settings": {"repayment": {"qualifies": 0.5}, **more}},
            "people": {
                "count": 200,
                "groups": {"trait": "kind", "cuts": [0.5], "names": ["poor", "rich"]},
                "traits": {"score": {"uniform": {}}, "kind": {"uniform": {}}},
                "tastes": {"each": 0.0},
                "visible": ["score"],
                "behaviour": {"choice": "always", "visit_trust": 0.0},
                "memory": {"on": False},
                "goals": [{"name": "borrow", "rate": 1.0, "at_start": 1.0, "deadline": 1}],
                "strategy": strategy,
            },
            "policy": {"name": policy[0], "settings": policy[1]},
            "time": {"ticks": ticks, "max_turns": 1},
            "replicas": 2,
            "assumptions": ["None."],
            "limitations": ["All."],
        }
    )


def people_after(scenario, policy=None):
    """Return the people's columns after a tick."""
    model = rehearse.model(scenario, policy=policy)
    model.step()
    return model.people


def test_people_go_up_to_a_threshold_where_that_is_worth_it():
    """x' = t where cost · (t − x) ≤ gain; the poor pay four times as much, and give up sooner."""
    strategy = {"features": ["score"], "to": "threshold", "cost": {"poor": 8.0, "rich": 2.0}}
    people = people_after(applicants(strategy, ("threshold-v1", {"at": 0.7})))
    true, shown, cost = people["score"], people["shown_score"], np.where(people["group"] == 0, 8.0, 2.0)
    needed = np.maximum(np.float32(0.7) - true.astype(float), 0.0) * cost
    moves = (needed > 0) & (needed <= 1.0)
    assert np.array_equal(shown, np.where(moves, np.float32(0.7), true))
    assert np.array_equal(people["true_score"], true)
    assert people["effort"] == pytest.approx(np.where(moves, needed, 0.0), abs=1e-6)
    assert people["burden"] == pytest.approx(needed, abs=1e-6)
    assert 0 < moves.sum() < len(moves)


def test_what_was_shown_and_what_is_true_are_recorded_with_the_turn(tmp_path):
    """The answer follows what is shown, the consequence what is true."""
    strategy = {"features": ["score"], "to": "threshold", "cost": 2.0}
    rehearse.run(applicants(strategy, ("threshold-v1", {"at": 0.7})), out=tmp_path / "run")
    turns = RunRecord(tmp_path / "run").query("SELECT * FROM turns")
    assert np.array_equal(turns["selected"] == 1, turns["shown_score"] >= np.float32(0.7))
    assert np.array_equal(turns["qualified"] == 1, turns["true_score"] >= 0.5)
    assert (turns["shown_score"] > turns["true_score"]).any()


def test_people_go_along_published_weights_as_far_as_the_bound():
    """x' = x + strength · w, at most so far, at the cost step² / (2 · strength)."""
    strategy = {"features": ["score"], "to": "weights", "strength": 0.5, "most": 0.2}
    policy = ("logistic-v1", {"features": ["score"], "weights": {"score": 0.3, "1": 0.0}})
    people = people_after(applicants(strategy, policy))
    assert people["shown_score"] == pytest.approx(people["score"] + 0.15, abs=1e-6)
    assert people["effort"] == pytest.approx(0.15**2 / 1.0, abs=1e-6)
    policy[1]["weights"]["score"] = 3.0
    assert people_after(applicants(strategy, policy))["shown_score"] == pytest.approx(
        people["score"] + 0.2, abs=1e-6
    )


def test_a_model_that_tells_nothing_is_shown_the_truth():
    """Nobody can answer to what nobody knows; only a share of the people answers at all."""
    strategy = {"features": ["score"], "to": "threshold", "cost": 0.1, "share": 0.5}
    people = people_after(applicants(strategy, ("random-v1", {})))
    assert np.array_equal(people["shown_score"], people["score"])
    some = people_after(applicants(strategy, ("threshold-v1", {"at": 1.0})))
    assert (some["shown_score"] == 1.0).mean() == pytest.approx(0.5, abs=0.1)


class Open:
    """A model of somebody else that says what it wants."""

    name = "open"
    version = "1"

    def decide(self, requests):
        return Decisions.of((requests.features[:, 0] >= 0.9).astype(int))

    def published(self):
        return {"threshold.score": np.array(0.9)}


def test_any_model_may_publish():
    """An object with `published` is answered to like a built-in policy."""
    strategy = {"features": ["score"], "to": "threshold", "cost": 2.0}
    people = people_after(applicants(strategy, ("threshold-v1", {"at": 0.1})), policy=Open())
    assert (people["shown_score"] == np.float32(0.9)).any()


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        ({"features": ["kind"], "to": "threshold"}, "people.visible"),
        ({"features": ["score"], "to": "threshold", "cost": {"poor": 1.0}}, "poor, rich"),
    ],
)
def test_features_and_groups_that_are_not_there_are_refused(strategy, word):
    """The message names what there is."""
    with pytest.raises(ScenarioError, match=word):
        rehearse.model(applicants(strategy, ("threshold-v1", {"at": 0.5})))


def test_resuming_and_sharding_change_nothing(tmp_path):
    """A learner, and people who answer to it, give the same digest in shards of people and of societies."""
    strategy = {"features": ["score"], "to": "weights", "strength": 0.1}
    scenario = applicants(strategy, ("logistic-v1", {"window": 2}), ticks=4, labels="always")
    digests = {
        rehearse.run(scenario, out=tmp_path / f"run{shards}", shards=shards).digest for shards in (1, 2, 3)
    }
    assert len(digests) == 1


def test_a_model_sees_what_people_show_through_its_noise(tmp_path):
    """Noise blurs what was shown; what was shown and what is true are recorded as they were."""
    strategy = {"features": ["score"], "to": "threshold", "cost": 2.0}
    scenario = applicants(strategy, ("threshold-v1", {"at": 0.7}))
    noise = {"kind": "quantised", "features": ["score"], "step": 0.5}
    blurred = Scenario.model_validate(scenario.model_dump() | {"observation": [noise]})
    rehearse.run(blurred, out=tmp_path / "run")
    turns = RunRecord(tmp_path / "run").query("SELECT * FROM turns")
    assert (turns["shown_score"] == np.float32(0.7)).any()
    assert np.array_equal(turns["selected"] == 1, turns["shown_score"] > 0.75)
