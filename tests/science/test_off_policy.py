"""Off-policy estimates against exact values, and against the log of a real shop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.experiments.offpolicy import Turns, evaluate

pytestmark = pytest.mark.science

OBD = Path(__file__).parents[3] / "shared" / "data" / "obd_small"
needs_obd = pytest.mark.skipif(
    not OBD.is_dir(), reason="needs obd_small in shared/data beside the project (Open Bandit data)"
)
BEHAVIOUR = [[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [1 / 3, 1 / 3, 1 / 3], [0.2, 0.2, 0.6]]
TARGET = [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]]
SCENARIO = {
    "name": "four-contexts",
    "world": {
        "name": "bandit-v1",
        "settings": {
            "contexts": {"one": 0.4, "two": 0.3, "three": 0.2, "four": 0.1},
            "arms": {"a": [0.1, 0.6, 0.3, 0.05], "b": [0.3, 0.2, 0.3, 0.5], "c": [0.5, 0.1, 0.4, 0.2]},
        },
    },
    "people": {
        "count": 60_000,
        "tastes": {"each": 0.0},
        "behaviour": {"choice": "always", "quits": False, "visit_trust": 0.0},
        "memory": {"on": False},
    },
    "policy": {"name": "table-v1", "settings": {"chances": BEHAVIOUR}},
    "time": {"ticks": 1, "max_turns": 1},
    "replicas": 1,
    "seed": 5,
    "assumptions": ["Contexts are independent."],
    "limitations": ["Dudik et al. 2011, with numbers of our own."],
}


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Return the run of the logging policy."""
    return rehearse.run(SCENARIO, out=tmp_path_factory.mktemp("ope") / "run", record="none")


@pytest.fixture(scope="module")
def by_constant(logged):
    """Return the estimates with a model of rewards that says .3 of everything."""
    return rehearse.off_policy(logged, "table-v1", settings={"chances": TARGET}, model=0.3)


def test_the_value_of_the_target_is_the_exact_one(logged, by_constant):
    """V = .4355: IPS, SNIPS and DR to 4 SE, the target itself too; the logging policy earns .2837."""
    for name in ("ips", "snips", "dr", "sndr", "truth"):
        found = by_constant[name]
        assert found.value == pytest.approx(0.4355, abs=4 * found.error)
    logs = by_constant["logged"]
    assert logs.value == pytest.approx(0.2836666666666667, abs=4 * logs.error)
    assert by_constant["dm"].value - 0.4355 == pytest.approx(-0.1355, abs=1e-9)


def test_variances_are_the_exact_ones(logged, by_constant):
    """Of a turn: IPS 1.3023, DR .8502 (constant) and .7422 (oracle), on-policy .2458; to 5 %."""
    oracle = rehearse.off_policy(
        logged, "table-v1", settings={"chances": TARGET}, model="oracle", truth=False
    )
    assert by_constant["ips"].variance == pytest.approx(1.30228975, rel=0.05)
    assert by_constant["dr"].variance == pytest.approx(0.85018975, rel=0.05)
    assert oracle["dr"].variance == pytest.approx(0.7422464166666667, rel=0.05)
    assert by_constant["truth"].variance == pytest.approx(0.24583975, rel=0.05)
    assert by_constant["ips"].error == pytest.approx(np.sqrt(1.30228975 / 60_000), rel=0.05)


def test_weights_are_the_exact_ones(by_constant):
    """The largest weight is 7 and the effective sample .3312 of the turns, to 5 %."""
    assert by_constant.max_weight == pytest.approx(7.0, rel=1e-6)
    assert by_constant.ess_fraction == pytest.approx(0.3311623799536373, rel=0.05)
    assert by_constant.mean_weight == pytest.approx(1.0, abs=0.02)


@needs_obd
def test_the_log_of_a_shop_is_read_as_published():
    """Open Bandit data, men (Saito et al. 2021): on-policy values, clicks by position, IPW.

    The target is what Thompson sampling did in its own log: the share of each item at each position.
    """
    columns = {
        "user": '"column00"',
        "action": "item_id",
        "position": "position - 1",
        "reward": "click",
        "propensity": "propensity_score",
    }
    random, bts = (rehearse.read_log(OBD / name / "men" / "men.csv", columns) for name in ("random", "bts"))
    for log, value in ((random, 0.0046), (bts, 0.0069)):
        assert log.query("SELECT avg(reward) AS value FROM turns")["value"][0] == pytest.approx(value)
        assert log.manifest["user_turns"] == 10_000
    by_position = random.query("SELECT avg(reward) AS ctr FROM turns GROUP BY position ORDER BY position")
    assert by_position["ctr"] == pytest.approx([0.0030450669914738123, 0.006493506493506494, 0.004206730769])
    rows = random.query("SELECT action, position, reward, propensity FROM turns")
    own = bts.query("SELECT action, position FROM turns")
    often = np.zeros((3, 34))
    np.add.at(often, (own["position"].astype(int), own["action"].astype(int)), 1.0)
    often /= often.sum(axis=1, keepdims=True)
    found = evaluate(
        Turns(
            reward=rows.numbers("reward"),
            propensity=rows.numbers("propensity"),
            target=often[rows["position"].astype(int), rows["action"].astype(int)],
        )
    )
    assert 0.002 < found["ips"].value < 0.009
    assert found["ips"].value == pytest.approx(0.0069, abs=3 * found["ips"].error)
    assert found["snips"].value == pytest.approx(found["ips"].value, rel=0.1)
