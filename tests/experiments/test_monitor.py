"""The monitor rings when something shifted, soon, and not when nothing did."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.experiments.monitor import watch
from rehearse.experiments.shifts import MATERIAL, Courses, cusum, noise, rings, threshold

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

CHECKS = Path(__file__).parents[3] / "shared" / "checks" / "science.json"


def normal(name, shape):
    """Return standard normal numbers of a shape, the same in every run."""
    return Chance(1).normal(name, 0, np.arange(int(np.prod(shape))))[:, 0].reshape(shape)


def steady(name, runs, replicas, ticks, memory):
    """Return levels around .5 whose noise of .1 is correlated from tick to tick."""
    new = normal(name, (runs, replicas, ticks))
    level = new.copy()
    for t in range(1, ticks):
        level[..., t] = memory * level[..., t - 1] + np.sqrt(1.0 - memory**2) * new[..., t]
    return 0.5 + 0.1 * level


def courses(values):
    """Return one course of (replicas, ticks) with a hundred turns everywhere."""
    return Courses(values[None], np.full(values.shape, 100.0))


@pytest.mark.parametrize(
    ("replicas", "memory", "allowed"), [(10, 0.0, 0.02), (10, 0.7, 0.025), (3, 0.5, 0.03), (1, 0.0, 0.02)]
)
def test_steady_noise_rings_as_seldom_as_promised(replicas, memory, allowed):
    """One run in a hundred rings falsely, also where the noise lasts from tick to tick."""
    runs = steady(f"steady {replicas} {memory}", 800, replicas, 40, memory)
    assert sum(bool(rings(courses(run), 1)) for run in runs) / 800 <= allowed


def test_a_shift_is_found_soon():
    """A fall of twice a replica's noise rings within two ticks in ten replicas, and tells when it began."""
    runs = steady("shift", 100, 10, 40, 0.3)
    runs[..., 20:] -= 0.2
    found = [next((ring for ring in rings(courses(run), 8) if ring.at >= 20), None) for run in runs]
    delays = np.array([ring.at - 20 for ring in found if ring is not None])
    assert len(delays) == 100
    assert delays.mean() < 2.0
    assert np.mean([abs(ring.onset - 20) <= 1 for ring in found if ring is not None]) > 0.9


def test_a_shift_that_does_not_matter_is_let_pass():
    """Without noise to speak of, a shift of a tenth of a point is certain, and not worth an alarm."""
    values = 0.5 + 1e-6 * normal("tiny", (10, 40))
    values[:, 20:] += 0.001
    assert rings(courses(values), 1) == []
    assert noise(values, np.full(values.shape, 100.0)).error == MATERIAL


def test_each_shift_rings_once():
    """After a ring the baseline begins anew: down and up again are two rings, not twenty."""
    values = 0.5 + 0.01 * normal("steps", (5, 60))
    values[:, 20:40] -= 0.2
    assert [ring.at for ring in rings(courses(values), 1)] == [20, 40]


def test_a_shift_common_to_all_replicas_is_no_noise():
    """What all replicas do together is taken off before the noise is measured."""
    values = 0.5 + 0.05 * normal("common", (8, 60))
    shifted = values + np.where(np.arange(60) < 30, 0.0, 5.0)
    sizes = np.full(values.shape, 100.0)
    assert noise(shifted, sizes).error == pytest.approx(noise(values, sizes).error)


def test_ticks_with_few_turns_are_noisier():
    """A course whose turns run dry does not ring because its last ticks scatter more."""
    sizes = np.where(np.arange(60) < 30, 1000.0, 20.0)
    false = 0
    for run in normal("dry", (200, 10, 60)):
        values = 0.5 + run / np.sqrt(sizes)
        false += bool(rings(Courses(values[None], np.tile(sizes, (10, 1))), 1))
    assert false / 200 <= 0.05


def test_holes_are_no_shifts():
    """Ticks in which nothing happened are passed over."""
    values = 0.5 + 0.01 * normal("holes", (5, 40))
    values[:, 10:20] = np.nan
    assert rings(courses(values), 1) == []
    assert rings(courses(np.full((3, 40), np.nan)), 1) == []


@pytest.mark.science
def test_run_lengths_are_the_published_ones():
    """A one-sided CUSUM with k = .5 runs 335 (h = 4) ticks without a shift and 8.4 with one of 1 sigma."""
    if not CHECKS.is_file():
        pytest.skip("shared/checks/science.json is not here")
    checks = {c["id"]: c["expected"] for c in json.loads(CHECKS.read_text())}
    lengths = checks["drift_alarms"]["cusum"]["k0.5_h4"]
    for shift, shape, tolerance in (("0", (1500, 2000), 0.07), ("1", (4000, 60), 0.03)):
        up, _ = cusum(normal(f"run length {shift}", shape) + float(shift))
        rung = up > 4.0
        first = np.where(rung.any(axis=1), rung.argmax(axis=1) + 1, up.shape[1])
        assert first.mean() == pytest.approx(lengths[shift]["one_sided"], rel=tolerance)


def test_the_threshold_follows_the_run_length():
    """A steady score rings with a chance of 1 % over a run of a hundred ticks in five series."""
    limit = threshold(100, 5)
    runs = normal("threshold", (5 * 400, 100))
    up, down = cusum(runs)
    rung = (np.maximum(up, down) > limit).any(axis=1).reshape(400, 5).any(axis=1)
    assert rung.mean() <= 0.03
    assert 6.0 < limit < 12.0


def drifting(ticks=30, at=20, people=60):
    """Return a record whose sessions fail more often, and whose answers change, from a tick on."""
    shape = (6, people, ticks)
    draw = Chance(2).uniform("met", 0, np.arange(int(np.prod(shape))))[:, 0].reshape(shape)
    late = np.arange(ticks) >= at
    action = np.where(draw * 97 % 1 < np.where(late, 0.7, 0.3), 1, 0).astype(np.int32)
    goal = draw < np.where(late, 0.4, 0.8)
    return maker.sessions_of_one_turn(goal=goal, replicas=6, count=people, ticks=ticks, action=action)


def test_an_alarm_says_what_when_how_much_and_why():
    """A scheduled change rings for answers and outcomes, with its tick, its size and its likely cause."""
    record = drifting()
    record.manifest["marks"] = [
        {"tick": 5, "kind": "fault", "note": "Some calls fail."},
        {"tick": 20, "kind": "drift", "note": "Train fares rise."},
        {"tick": 20, "kind": "learn", "note": "The model learnt."},
    ]
    found = watch(record)
    alarms = {alarm.series: alarm for alarm in found.alarms}
    assert set(alarms) == {"acceptance", "actions", "goal_completion", "satisfaction"}
    assert len(found.alarms) == 4
    assert all(20 <= alarm.tick <= 22 and alarm.onset == 20 for alarm in found.alarms)
    assert {alarm.cause for alarm in found.alarms} == {"Train fares rise"}
    completion = alarms["goal_completion"]
    assert (completion.before, completion.after) == pytest.approx((0.8, 0.4), abs=0.05)
    assert completion.sentence.endswith("(since tick 20), most likely because: Train fares rise.")
    assert alarms["actions"].detail in {"air", "train"}


def test_a_shift_that_nobody_scheduled_has_no_cause():
    """Without a mark near the onset the alarm says that nothing was scheduled."""
    record = drifting()
    record.manifest["marks"] = [{"tick": 5, "kind": "fault", "note": "Some calls fail."}]
    alarm = watch(record).alarms[0]
    assert alarm.cause == ""
    assert "nothing was scheduled" in alarm.sentence


def test_divergence_is_near_0_before_the_shift_and_large_after():
    """PSI and Jensen–Shannon of answers and outcomes are told for every tick."""
    found = watch(drifting())
    for name in ("psi_actions", "js_actions", "psi_outcomes", "js_outcomes"):
        values = np.array(found.divergence[name])
        assert len(values) == 30
        assert values[:20].max() < values[20:].min()
    assert np.array(found.divergence["psi_actions"])[20:].mean() == pytest.approx(
        0.4 * np.log(0.7 / 0.3) * 2, rel=0.25
    )


def test_answers_that_never_settle_are_far_from_the_first_tick_on():
    """A model that answers something else every tick is as far from the first quarter within it as after."""
    action = np.broadcast_to(np.arange(24, dtype=np.int32), (3, 50, 24)).copy()
    record = maker.sessions_of_one_turn(goal=True, replicas=3, count=50, ticks=24, action=action)
    record.manifest["items"] = [str(i) for i in range(24)]
    record.manifest["monitors"] = [{"series": "js:actions", "detector": None}]
    assert watch(record).divergence["js_actions"] == (1.0,) * 24
    assert watch(record).alarms == ()


def test_many_items_are_watched_together():
    """With a thousand items a model that suddenly answers but one of them still rings."""
    draw = Chance(2).uniform("item", 0, np.arange(3 * 50 * 24))[:, 0].reshape(3, 50, 24)
    action = np.where(np.arange(24) >= 16, 7, draw * 1000).astype(np.int32)
    record = maker.sessions_of_one_turn(goal=True, replicas=3, count=50, ticks=24, action=action)
    record.manifest["items"] = [str(i) for i in range(1000)]
    assert [(alarm.series, alarm.tick, alarm.detail) for alarm in watch(record).alarms] == [
        ("actions", 16, "items 7, 19, …")
    ]
