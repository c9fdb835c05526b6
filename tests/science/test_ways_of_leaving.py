"""How sessions end, against what is known exactly: absorbing chains and Weibull lengths of stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rehearse
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science

USERS = 20_000
Q = np.array([[0.5, 0.3, 0.0], [0.1, 0.4, 0.3], [0.0, 0.2, 0.5]])
R = np.array([[0.0, 0.2], [0.05, 0.15], [0.25, 0.05]])
STATES, ENDS = ("landing", "browsing", "basket"), ("convert", "abandon")


def sessions(leaving: dict[str, Any], tmp_path: Any, **more: Any) -> dict[str, NDArray[Any]]:
    """Return, by user, how many turns their one session had, why it ended, and what else is asked for."""
    scenario = Scenario.model_validate(
        {
            "name": "leaving",
            "world": {
                "name": "recommend-v1",
                "settings": {"items": ["a", "b"], "attributes": {"quality": {"value": 0.0}}},
            },
            "people": {
                "count": USERS,
                "tastes": {"quality": 1.0},
                "memory": {"on": False},
                "laws": {"leaving": {"usual": False, **leaving}},
            },
            "policy": {"name": "constant-v1"},
            "time": {"ticks": 1, "max_turns": 400},
            "replicas": 1,
            "seed": 4,
            "assumptions": ["Nothing but chance makes people leave."],
            "limitations": ["Nothing else ever happens."],
            **more,
        }
    )
    record = rehearse.run(scenario, out=tmp_path / "run").turns
    return record.query(
        "SELECT user, count(*) AS turns, arg_max(\"end\", turn) AS ended, any_value(COLUMNS('stay|state')) "
        "FROM turns GROUP BY user ORDER BY user"
    )


@pytest.mark.parametrize("start", [0, 1, 2])
def test_a_journey_is_the_absorbing_chain(start: int, tmp_path: Any) -> None:
    """Expected turns, their variance, the chance of converting (Kemeny and Snell 1960): 5 standard errors."""
    states = {
        name: {"to": {to: p for to, p in zip((*STATES, *ENDS), (*q, *r), strict=True) if p > 0}}
        for name, q, r in zip(STATES, Q, R, strict=True)
    }
    ends = {"convert": "goal_met", "abandon": "abandoned"}
    journey = {"start": {STATES[start]: 1.0}, "states": states, "ends": ends}
    found = sessions({"journey": journey}, tmp_path)

    visits = np.linalg.inv(np.eye(3) - Q)
    turns = visits.sum(axis=1)
    variance = (2 * visits - np.eye(3)) @ turns - turns**2
    converts = (visits @ R)[:, 0]
    assert found["turns"].mean() == pytest.approx(turns[start], abs=5 * (variance[start] / USERS) ** 0.5)
    assert found["turns"].var() == pytest.approx(variance[start], rel=0.1)
    spread = (converts[start] * (1 - converts[start]) / USERS) ** 0.5
    assert (found["ended"] == "goal_met").mean() == pytest.approx(converts[start], abs=5 * spread)


def test_a_journey_may_turn_on_what_was_taken(tmp_path: Any) -> None:
    """Where only what was taken converts, the chance is that of taking at least once before giving up.

    With chances a of taking and g of giving up after a turn without, it is a / (a + (1 − a) g).
    """
    start = {"to": {"looking": 0.8, "abandon": 0.2}, "taken": {"convert": 1.0}}
    ends = {"convert": "goal_met", "abandon": "abandoned"}
    journey = {"start": {"looking": 1.0}, "states": {"looking": start}, "ends": ends}
    found = sessions({"journey": journey}, tmp_path)
    takes = 1 / (1 + np.exp(-1.0))  # by default the wish for something adds 1 to what it is worth
    expected = takes / (takes + (1 - takes) * 0.2)
    spread = (expected * (1 - expected) / USERS) ** 0.5
    assert (found["ended"] == "goal_met").mean() == pytest.approx(expected, abs=5 * spread)


def test_people_stay_as_long_as_a_weibull_law_says(tmp_path: Any) -> None:
    """With shape 1.5 and scale 10, S(1, 5, 10, 20) of turns and the mean intended: 5 standard errors."""
    found = sessions({"stay": {"shape": 1.5, "scale": 10.0}}, tmp_path)
    for turns, survives in {1: 0.96887, 5: 0.70219, 10: 0.36788, 20: 0.059106}.items():
        spread = (survives * (1 - survives) / USERS) ** 0.5
        assert (found["turns"] > turns).mean() == pytest.approx(survives, abs=5 * spread)
    assert found["stay"].mean() == pytest.approx(9.027452929509337, abs=5 * 6.13 / USERS**0.5)


def test_seconds_are_told_by_peoples_own_clock(tmp_path: Any) -> None:
    """A stay in seconds ends with the turn in which the clock passes it: S at the seconds of a turn."""
    laws = {"leaving": {"usual": False, "stay": {"shape": 1.0, "scale": 30.0, "unit": "second"}}}
    laws["seconds"] = {"session": 6.0, "turn": 3.0}
    people = {"count": USERS, "tastes": {"quality": 1.0}, "memory": {"on": False}, "laws": laws}
    found = sessions({}, tmp_path, people=people)
    for turns in (1, 4):
        survives = np.exp(-(6.0 + 3.0 * turns) / 30.0)
        spread = (survives * (1 - survives) / USERS) ** 0.5
        assert (found["turns"] > turns).mean() == pytest.approx(survives, abs=5 * spread)
