"""RecSim's users (Ie and others, arXiv:1909.04847, 2019) against the closed forms of their equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import rehearse

pytestmark = pytest.mark.science

USERS = 2000


def turns(
    name: str, folder: Path, sql: str, policy: str | None = None, **more: Any
) -> dict[str, NDArray[Any]]:
    """Return what a query says of the turns of one session of everybody."""
    changes = {"replicas": 1, "ticks": 1, "users": USERS, **more}
    return dict(rehearse.run(name, policy=policy, out=folder / "run", **changes).turns.query(sql))


def test_exposure_tends_to_its_stationary_law(tmp_path: Path) -> None:
    """NPE' = .7 NPE − 2 (c − .5) + N(0, .05) with items at random: the mean and the variance are known.

    The items are 100, so the mean and the variance of c are theirs; 5 standard errors.
    """
    sql = "SELECT action, exposure, satisfaction FROM turns WHERE turn = 40"
    found = turns("long-term-satisfaction", tmp_path, sql)
    c = rehearse.model("long-term-satisfaction", users=1).world.offer(_nobody(), {}).attributes[:, 0]
    mean = -2.0 * (c.mean() - 0.5) / 0.3
    variance = (4.0 * c.var() + 0.05**2) / (1.0 - 0.7**2)
    assert found["exposure"].mean() == pytest.approx(mean, abs=5 * (variance / USERS) ** 0.5)
    assert found["exposure"].var() == pytest.approx(variance, rel=5 * (2 / USERS) ** 0.5)
    expected = 1 / (1 + np.exp(-0.01 * found["exposure"]))
    assert found["satisfaction"] == pytest.approx(expected, abs=1e-6)


def test_engagement_has_log_means_that_grow_with_satisfaction(tmp_path: Path) -> None:
    """ln engagement ~ N((5 c + 4 (1 − c)) · satisfaction, 1), satisfaction before the turn."""
    sql = "SELECT action, reward, satisfaction_before FROM turns WHERE turn < 5"
    settings = {"people.laws.satisfaction.exposure.sensitivity": 0.25}
    found = turns("long-term-satisfaction", tmp_path, sql, settings=settings)
    c = rehearse.model("long-term-satisfaction", users=1).world.offer(_nobody(), {}).attributes[:, 0]
    rest = np.log(found["reward"]) - (4.0 + c[found["action"]]) * found["satisfaction_before"]
    assert rest.mean() == pytest.approx(0.0, abs=5 / len(rest) ** 0.5)
    assert rest.std() == pytest.approx(1.0, abs=5 / (2 * len(rest)) ** 0.5)


def test_a_budget_of_sixty_is_sixty_turns(tmp_path: Path) -> None:
    """Every session of long-term satisfaction has 60 turns and ends for lack of time."""
    sql = 'SELECT max(turn) + 1 AS turns, arg_max("end", turn) AS ended FROM turns GROUP BY replica, "user"'
    found = turns("long-term-satisfaction", tmp_path, sql)
    assert set(found["turns"].tolist()) == {60}
    assert set(found["ended"].tolist()) == {"time_budget"}


def test_clicks_of_interest_exploration_are_a_logit(tmp_path: Path) -> None:
    """The mean chance of a click by the utilities of RecSim is how often people click."""
    sql = 'SELECT "user", action, slate_1, choice FROM turns WHERE turn < 10 ORDER BY "user", turn'
    found = turns("interest-exploration", tmp_path, sql, policy="random-v1")
    model = rehearse.model("interest-exploration", users=USERS, replicas=1)
    items = model.world.offer(_nobody(), {}).attributes
    weights = np.exp(
        [
            (model.people["taste"][found["user"]] * items[found[place]]).sum(axis=1)
            for place in ("action", "slate_1")
        ]
    )
    click = weights.sum(axis=0) / (weights.sum(axis=0) + np.exp(5.0))
    spread = (click * (1 - click)).sum() ** 0.5 / len(click)
    assert (found["choice"] >= 0).mean() == pytest.approx(click.mean(), abs=5 * spread)


def test_time_used_up_is_the_time_there_was(tmp_path: Path) -> None:
    """Interest evolution: 200 − Σ watched (1 − .9/3.4 · quality) − .5 · turns without is the budget left."""
    sql = 'SELECT "user", choice, watched, budget FROM turns ORDER BY "user", turn'
    found = turns("interest-evolution", tmp_path, sql, users=200)
    offer = rehearse.model("interest-evolution", users=1).world.offer(_nobody(), {})
    quality = offer.attributes[:, 20]
    gives = 0.26471 * quality[np.maximum(found["choice"], 0)]
    before = np.where(np.diff(found["user"], prepend=-1) != 0, 200.0, np.roll(found["budget"], 1))
    used = np.where(found["choice"] >= 0, found["watched"] * (1.0 - gives), 0.5)
    assert found["budget"] == pytest.approx(np.maximum(before - used, 0.0), abs=1e-4)
    taken = found["choice"] >= 0
    assert found["watched"][taken] == pytest.approx(np.minimum(4.0, before[taken]), abs=1e-4)


def test_interests_move_to_or_from_what_was_watched() -> None:
    """Δu = ± .3 (1 − |u|) d (d − u) per topic, upwards with chance d · (u + 1) / 2 (5 standard errors)."""
    u, d = np.array([0.2, -0.6]), np.array([0.5, 0.5])
    scenario = {
        "name": "interests",
        "world": {
            "name": "recommend-v1",
            "settings": {"items": ["film"], "attributes": {f"topic_{k}": {"value": 0.5} for k in (1, 2)}},
        },
        "people": {
            "count": 10 * USERS,
            "tastes": {"topic_1": 0.2, "topic_2": -0.6},
            "behaviour": {"choice": "always", "visit_trust": 0.0},
            "memory": {"on": False},
            "laws": {"tastes": {"reinforcement": {"of": "topic", "rate": 0.3}}},
        },
        "policy": {"name": "random-v1"},
        "time": {"ticks": 1, "max_turns": 1},
        "assumptions": ["One film is watched once."],
        "limitations": ["It is one step."],
    }
    model = rehearse.model(scenario, replicas=1)
    model.step()
    moved = np.asarray(model.people["taste"], dtype=np.float64) - u
    step = 0.3 * (1.0 - np.abs(u)) * d * (d - u)
    grew = moved[:, 0] > 0.0
    assert moved == pytest.approx(np.where(grew[:, None], step, -step), abs=1e-6)
    likely = float(d @ (u + 1.0) / 2.0)
    assert grew.mean() == pytest.approx(likely, abs=5.0 * (likely * (1.0 - likely) / len(grew)) ** 0.5)


def _nobody() -> Any:
    """Return a turn at which nobody sits: what the world offers is the same for all."""
    from rehearse.chance import Chance
    from rehearse.contract import Turn

    none = np.zeros(0, dtype=np.int64)
    return Turn(none, none.astype(np.int32), none, tick=0, turn=0, chance=Chance(0))
