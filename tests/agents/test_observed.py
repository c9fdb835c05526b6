"""Noise makes the model see other than what is: so often, so much and of whom the scenario says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import load
from rehearse.agents.observed import Observed
from rehearse.chance import Chance
from rehearse.contract import Turn
from rehearse.errors import ScenarioError
from rehearse.experiments.build import assemble

KINDS = {
    "missing": {},
    "stale": {"age": 1},
    "quantised": {"step": 7.0},
    "biased": {"times": 1.5, "add": 2.0},
    "noisy": {"sd": 10.0},
    "swapped": {},
}
"""Each kind with what describes it, so that it changes what is seen."""
ANEW = itertools.count()
"""What was seen in one test is not remembered in another."""
FARES = ("gc_air", "gc_train", "gc_bus", "gc_car")


@pytest.fixture(scope="module")
def simulation():
    """Return a rehearsal of travellers, at its first tick."""
    return assemble(load("travel", users=210, replicas=10)).simulation


def noise(kind, **described):
    """Return noise on what people would pay, as a scenario writes it."""
    return {"kind": kind, "features": [*FARES]} | KINDS[kind] | described


def seat(simulation, rows=None, tick=0, turn=0):
    """Return some people at the table, all by default."""
    people = simulation.users.columns
    rows = np.arange(people.length) if rows is None else rows
    return Turn(
        rows=rows,
        replica=people["replica"][rows],
        user=people["user"][rows],
        tick=tick,
        turn=turn,
        chance=Chance(5),
    )


def told(simulation, *specs, sessions=1, rows=None, tick=0, turn=0):
    """Return what the model is told, and what is true, in the last of some sessions."""
    scenario = load("travel", settings={"observation": [*specs]})
    people = simulation.users
    seen = Observed(people, scenario.observation, since=next(ANEW))
    for session in range(sessions):
        at = seat(simulation, rows, tick + session, turn)
        offer = simulation.world.offer(at, people.columns)
        true, noised = people.ask(at, offer), seen.ask(at, offer)
    return noised, true


def fares(requests):
    """Return the fares that were told."""
    return requests.features[:, [requests.names.index(name) for name in FARES]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_of_nothing_changes_nothing(simulation, kind):
    """Noise that never strikes leaves every bit as it is, and says so."""
    noised, true = told(simulation, noise(kind, rate=0.0), sessions=2)
    assert noised.features.tobytes() == true.features.tobytes()
    assert not noised.noised.any()


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_named_is_touched(simulation, kind):
    """Other features stay as they are, and so does all else that is asked."""
    noised, true = told(simulation, noise(kind), sessions=2)
    named = [noised.names.index(name) for name in FARES]
    others = np.delete(np.arange(len(noised.names)), named)
    assert noised.features[:, others].tobytes() == true.features[:, others].tobytes()
    for name in ("user", "replica", "intent", "group", "shown"):
        assert getattr(noised, name).tobytes() == getattr(true, name).tobytes()


@settings(max_examples=12, deadline=None)
@given(rate=st.sampled_from([0.1, 0.5, 0.9]), kind=st.sampled_from(["missing", "biased", "noisy"]))
def test_noise_strikes_at_its_rate(simulation, rate, kind):
    """So many of the features are other than they are, and `noised` counts them row by row."""
    noised, true = told(simulation, noise(kind, rate=rate))
    differs = fares(noised) != fares(true)
    assert abs(differs.mean() - rate) < 4.0 * np.sqrt(rate * (1 - rate) / differs.size)
    assert (noised.noised == differs.sum(axis=1)).all()


@settings(max_examples=12, deadline=None)
@given(st.sampled_from([*KINDS]), st.lists(st.integers(0, 2099), min_size=1, max_size=9, unique=True))
def test_rows_are_independent_of_one_another(simulation, kind, some):
    """What is seen of a person is the same whoever else is asked."""
    rows = np.sort(np.array(some))
    everybody, _ = told(simulation, noise(kind, rate=0.5), sessions=2)
    few, _ = told(simulation, noise(kind, rate=0.5), sessions=2, rows=rows)
    assert everybody.features[rows].tobytes() == few.features.tobytes()


def test_each_kind_does_what_it_says(simulation):
    """The arithmetic of every kind, on whole numbers of dollars."""
    seen = {kind: [fares(r) for r in told(simulation, noise(kind))] for kind in KINDS}
    assert np.isnan(seen["missing"][0]).all()
    true = seen["quantised"][1]
    assert (seen["quantised"][0] == np.rint(true / 7.0) * 7.0).all()
    assert (seen["biased"][0] == true * 1.5 + 2.0).all()
    assert (seen["swapped"][0] == true[:, [3, 0, 1, 2]]).all()
    error = seen["noisy"][0] - true
    assert abs(error.mean()) < 0.5
    assert abs(error.std() - 10.0) < 0.4


def test_a_missing_value_may_be_a_default_and_have_an_indicator(simulation):
    """The model sees the default, and one feature more for each that says where it stands for nothing."""
    noised, true = told(simulation, noise("missing", rate=0.5, value=-1.0, indicator=True))
    missing = noised.features[:, len(true.names) :].astype(bool)
    assert noised.names == (*true.names, *(f"missing_{name}" for name in FARES))
    assert (fares(noised) == np.where(missing, -1.0, fares(true))).all()
    assert 0.45 < missing.mean() < 0.55


def test_a_stale_value_is_of_an_earlier_session(simulation):
    """What people paid two sessions ago; in the first ones, what they paid in the first."""
    people = simulation.users.columns
    usual, paths = people["gc_air"].copy(), []
    scenario = load("travel", settings={"observation": [noise("stale", age=2, features=["gc_air"])]})
    seen = Observed(simulation.users, scenario.observation, since=next(ANEW))
    for session in range(5):
        people["gc_air"][:] = 100.0 + session
        for turn in (0, 1):
            at = seat(simulation, tick=session, turn=turn)
            requests = seen.ask(at, simulation.world.offer(at, people))
            paths.append(float(fares(requests)[0, 0]))
    people["gc_air"][:] = usual
    assert paths == [100, 100, 100, 100, 100, 100, 101, 101, 102, 102]


@pytest.mark.parametrize(("lasts", "moments"), [("turn", 4), ("session", 2), ("ever", 1)])
def test_what_befalls_lasts_as_long_as_said(simulation, lasts, moments):
    """Drawn anew each turn, each session, or once for ever."""
    spec = noise("noisy", lasts=lasts)
    seen = {
        fares(told(simulation, spec, tick=tick, turn=turn)[0]).tobytes() for tick in (1, 2) for turn in (0, 1)
    }
    assert len(seen) == moments


def test_noise_holds_for_its_group_and_time(simulation):
    """Only people of the group, from `start` until the tick before `until`."""
    spec = noise("biased", group="low income", start=2, until=4)
    for tick, holds in ((1, False), (2, True), (3, True), (4, False)):
        noised, true = told(simulation, spec, tick=tick)
        struck = (fares(noised) != fares(true)).any(axis=1)
        assert (struck == (holds & (true.group == 0))).all()


def test_noise_builds_on_noise(simulation):
    """One after another, in the order of the list."""
    specs = [noise("biased", times=1.0, add=3.0), noise("quantised", step=10.0)]
    noised, true = told(simulation, *specs)
    assert (fares(noised) == np.rint((fares(true) + 3.0) / 10.0) * 10.0).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "stale"}, "needs age"),
        ({"kind": "noisy"}, "needs sd"),
        ({"kind": "missing", "sd": 2.0}, "sd does not describe"),
        ({"kind": "biased", "add": 1.0, "start": 3, "until": 3}, "before it has begun"),
    ],
)
def test_noise_that_is_half_described_is_refused(wrong, said):
    """Each kind needs what describes it and nothing else."""
    with pytest.raises(ScenarioError, match=said):
        load("travel", settings={"observation": [{"features": ["hinc"]} | wrong]})


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [({"features": ["gc_plane"]}, "gc_"), ({"group": "rich"}, "income"), ({"features": ["hinc"]}, "two")],
)
def test_what_the_model_does_not_see_is_answered(simulation, wrong, hint):
    """The error tells the nearest feature or group; one feature cannot change places."""
    with pytest.raises(ScenarioError) as caught:
        told(simulation, noise("swapped", **wrong))
    assert hint in caught.value.remedy
