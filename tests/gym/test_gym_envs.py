"""Worlds as Gymnasium environments: what the learner meets is what `rehearse run` holds."""

from __future__ import annotations

import re
import warnings
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed (extra gym)")

from gymnasium.utils.env_checker import check_env  # noqa: E402

import rehearse  # noqa: E402
from rehearse.errors import NotFoundError, UserError  # noqa: E402
from rehearse.experiments.gym import SCENARIOS, as_policy, ids, observed  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "gym.md"
SCENARIO = "rehearse/Scenario-v1"
SMALL = {"users": 20, "ticks": 2, "replicas": 1}
WORLDS = [i for i in ids() if i != SCENARIO]
APART = ["assist", "feed", "lending", "pricing", "travel-storm"]
"""Scenarios whose sessions may be held one by one."""
CHECKED = ["choice", "action", "regret", "satisfaction", "reward", "latency", "fault", "end"]


OTHERS = """
def decide(requests):
    return (requests.user * 7 + requests.tick * 3 + requests.turn * 5) % len(requests.items)
"""


def made(name, **given):
    """Return the environment of a scenario, without Gymnasium's wrappers."""
    return gymnasium.make(SCENARIO, scenario=name, **given).unwrapped


def batched(name, count, **given):
    """Return the batch of a scenario."""
    return gymnasium.make_vec(SCENARIO, num_envs=count, scenario=name, **given)


def answer(user, tick, turn, items, slate):
    """Return a slate that follows from who asks when, shape (n, slate)."""
    first = np.asarray(user) * 7 + np.asarray(tick) * 3 + np.asarray(turn) * 5
    return (first[..., None] + np.arange(slate)) % items


def as_model(slate):
    """Return the same answers as a policy."""

    def decide(requests):
        return answer(requests.user, requests.tick, requests.turn, len(requests.items), slate)

    return decide


@cache
def of_a_run(name, slate):
    """Return the turns of one small run of a scenario with the same answers."""
    with TemporaryDirectory() as folder:
        return recorded(name, Path(folder), as_model(slate), **SMALL)


def recorded(name, folder, policy, **changes):
    """Return the turns of a run of the same scenario, by tick, user and turn."""
    done = rehearse.run(name, policy=policy, out=folder / "run", **changes)
    columns = ", ".join(f'"{name}"' for name in CHECKED)
    turns = done.turns.query(f"SELECT tick, user, turn, {columns} FROM turns")
    return {
        tuple(int(turns[k][i]) for k in ("tick", "user", "turn")): {c: turns[c][i] for c in CHECKED}
        for i in range(turns.length)
    }


def same(told, expected):
    """Tell whether two turns agree in every bit; what a turn has not is left out of infos."""
    return all(told[c] == expected[c] for c in CHECKED if c in told) and all(
        c in told or np.isnan(expected[c]) for c in CHECKED
    )


@pytest.mark.parametrize("name", WORLDS)
def test_every_world_passes_gymnasiums_own_check(name):
    """`check_env` finds nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, users=20, ticks=3).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("episode", ["session", "life"])
@pytest.mark.parametrize("scenario", ["travel", "feed"])
def test_any_scenario_passes_gymnasiums_own_check(scenario, episode):
    """`check_env` finds nothing to warn of in scenarios made by name, in sessions and in lives."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(SCENARIO, scenario=scenario, users=20, ticks=8, episode=episode)
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", APART)
def test_sessions_are_those_of_a_run(name):
    """One society, session after session: every turn is bit for bit that of a run with the same answers."""
    env = made(name, **{k: v for k, v in SMALL.items() if k != "replicas"})
    slate = env.unwrapped._table.stage.slate
    expected = dict(of_a_run(name, slate))
    for _ in range(len(expected)):
        if not env._table.taken[0]:
            _, info = env.reset()
        when = info["tick"], info["user"], info["turn"]
        action = answer(info["user"], info["tick"], info["turn"], len(env.items), slate)
        _, reward, terminated, truncated, info = env.step(action if slate > 1 else action[0])
        assert same(info, expected.pop(when)), when
        assert reward == info["reward"]
        assert (terminated or truncated) == (info["end"] != "none")
    assert not expected


@pytest.mark.parametrize(("name", "chairs"), [*((name, 7) for name in APART), ("travel", 50)])
def test_a_batch_holds_the_same_sessions(name, chairs):
    """However many chairs there are, the turns of the first society are those of a run."""
    envs = batched(name, chairs, **{k: v for k, v in SMALL.items() if k != "replicas"})
    slate = envs.unwrapped._table.stage.slate
    expected = dict(of_a_run(name, slate))
    _, infos = envs.reset()
    while expected:
        who = {k: infos[k] for k in ("replica", "user", "tick", "turn")}
        slates = answer(who["user"], who["tick"], who["turn"], len(envs.unwrapped.items), slate)
        _, _, terminated, truncated, infos = envs.step(slates if slate > 1 else slates[:, 0])
        for i in np.flatnonzero(who["replica"] == 0):
            told = {c: infos[c][i] for c in CHECKED if infos[f"_{c}"][i]}
            assert same(told, expected.pop((who["tick"][i], who["user"][i], who["turn"][i])))
            assert (terminated[i] or truncated[i]) == (infos["end"][i] != "none")


def test_seeds_choose_the_society():
    """The same seed and answers give the same trajectory, another seed another; without, the next person."""
    env = made("travel", users=20)

    def trajectory(seed):
        seen, _ = env.reset(seed=seed)
        return [seen.tobytes()] + [env.step(2)[0].tobytes() for _ in range(1)]

    assert trajectory(5) == trajectory(5)
    assert trajectory(5) != trajectory(6)
    _, first = env.reset(seed=5)
    _, second = env.reset()
    assert second["user"] > first["user"]
    assert env.reset(seed=5)[1]["user"] == first["user"]


def test_without_a_seed_the_first_society_is_that_of_the_scenario():
    """The scenario's own seed is taken until a reset names one."""
    one, other = made("travel", users=20, seed=9), made("travel", users=20)
    assert np.array_equal(one.reset()[0], other.reset(seed=9)[0])


def test_a_life_is_all_sessions_of_a_person():
    """Lives come user after user, go through the ticks, and end with the person or with the scenario."""
    env, days = made("travel", users=10, ticks=6, episode="life"), []
    for user in range(4):
        _, info = env.reset()
        ticks, ended = set(), False
        while not ended:
            assert info["user"] == user
            ticks.add(info["tick"])
            _, _, terminated, truncated, info = env.step(2)
            ended = terminated or truncated
        alive = env._table._societies[0].engine.users.columns["alive"][user]
        assert terminated == (not alive)
        days.append(len(ticks))
    assert max(days) > 1


@pytest.mark.parametrize(("name", "users"), [("triage", 200), ("pricing-rivals", 40)])
def test_in_a_coupled_world_others_are_answered_by_a_policy(name, users, tmp_path):
    """Chairs are dealt to others at each tick; their turns are those of a run with such answers."""
    changes = {"users": users, "ticks": 3}
    model = tmp_path / "model.py"
    model.write_text(OTHERS, encoding="utf-8")
    expected = recorded(name, tmp_path, as_model(1), replicas=1, **changes)
    env, met = made(name, others=f"{model}:decide", **changes), []
    for _ in range(changes["ticks"]):
        _, info = env.reset()
        met.append((info["tick"], info["user"]))
        over = False
        while not over:
            when = info["tick"], info["user"], info["turn"]
            action = answer(info["user"], info["tick"], info["turn"], len(env.items), 1)[0]
            _, _, terminated, truncated, info = env.step(action)
            assert same(info, expected[when]), when
            over = terminated or truncated
    assert [tick for tick, _ in met] == list(range(changes["ticks"]))


def test_faults_come_as_in_a_run():
    """An item that cannot be had, or one twice in a slate, is a policy error and not an exception."""
    env = made("feed", users=20)
    env.reset(seed=1)
    assert env.step([3, 3, 4, 5, 6])[4]["fault"] == "wrong_shape"


def test_a_step_needs_a_reset():
    """Stepping before the first reset, or after the end, is Gymnasium's own complaint."""
    env = made("travel", users=20)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)


def test_what_is_missing_is_replaced():
    """NaN becomes the number that was asked for, and infinities the largest that there are."""
    features = np.array([[np.nan, np.inf, 1.5]], dtype=np.float32)
    assert observed(features, -9.0).tolist() == [[-9.0, float(np.finfo(np.float32).max), 1.5]]


def test_those_who_leave_are_told_of_in_the_same_step():
    """Final observations and infos hold for those whose episode ended; the others have none."""
    envs = batched("travel", 16, users=200)
    assert envs.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP
    seen, _ = envs.reset(seed=3)
    for _ in range(20):
        before = seen
        seen, _, terminated, truncated, infos = envs.step(np.zeros(16, dtype=int))
        over = terminated | truncated
        if over.any() and not over.all():
            break
    assert np.array_equal(infos["_final_obs"], over)
    assert np.array_equal(infos["final_obs"][over], before[over])
    assert np.array_equal(infos["final_info"]["_end"], over)
    assert (infos["final_info"]["end"][over] != "none").all()
    assert (infos["turn"][over] == 0).all()
    assert (infos["turn"][~over] > 0).all()


def test_a_trained_learner_is_rehearsed_as_it_was_trained(tmp_path):
    """`as_policy` shows a model in a run what the environment shows a learner."""
    env, seen = made("travel", users=10, ticks=1), []
    _, info = env.reset()

    def act(observations, masks):
        seen.append((observations.copy(), masks.copy()))
        return masks.argmax(axis=1)

    rehearse.run("travel", policy=as_policy(act), users=10, ticks=1, replicas=1, out=tmp_path / "run")
    first, masks = seen[0]
    assert first.dtype == np.float32
    assert env.observation_space.contains(first[0])
    assert np.array_equal(first[0], env._table.features[0])
    assert np.array_equal(masks[0], info["action_mask"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"user": 3}, "Did you mean 'users'"),
        ({"episode": "day"}, "An episode is one of"),
    ],
)
def test_wrong_arguments_are_said(given, said):
    """What cannot be had is refused in words."""
    with pytest.raises(UserError, match=said):
        made("travel", **given)


def test_unknown_scenarios_are_said():
    """A scenario that is not there names the nearest."""
    with pytest.raises(NotFoundError, match="travel"):
        made("travle")


def test_lives_and_lists_of_seeds_are_refused_in_a_batch():
    """A batch says what it cannot do."""
    with pytest.raises(UserError, match="keep step"):
        batched("travel", 2, episode="life")
    with pytest.raises(UserError, match="one whole number"):
        batched("travel", 2, users=10).reset(seed=[1, 2])


def test_a_society_without_sessions_is_said():
    """Where nobody ever opens a session, there is no episode to begin."""
    env = made("travel", users=10, ticks=1, settings={"people.behaviour.visit_rate": 0.0})
    with pytest.raises(UserError, match="nobody opened a session"):
        env.reset()


def test_ids_are_those_of_worlds_that_are_there():
    """Every id stands for a scenario of the catalogue, and Gymnasium knows it."""
    assert set(WORLDS) <= {f"rehearse/{name}" for name in SCENARIOS}
    assert set(ids()) <= set(gymnasium.registry)


def test_the_programs_of_the_page_run(tmp_path, monkeypatch):
    """The Python of docs/howto/gym.md runs, one piece after another."""
    pieces = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    told = {}
    exec("\n".join(pieces).replace("users=2000", "users=200"), told)  # noqa: S102 - the page is ours
    assert told["result"].verdict in {"pass", "fail", "unsure"}
