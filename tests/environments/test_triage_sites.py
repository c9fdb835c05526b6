"""Sites: what is not looked at stays unseen, and nothing is seen twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.chance import Chance
from rehearse.columns import Columns, stacked
from rehearse.contract import Feedback, Stage
from rehearse.environments.triage import build
from rehearse.environments.triage.sites import poisson
from rehearse.errors import PolicyLoadError, ScenarioError
from rehearse.experiments.build import assemble
from rehearse.policies import load
from rehearse.policies.allocation import allocation, censored_rates
from rehearse.scenario.edit import changed
from rehearse.scenario.load import load as scenario_of
from rehearse.testing import check_policy, check_world

SETTINGS = {"kind": "sites", "sites": ["a", "b", "c"], "rates": [3.0, 1.0, 0.2], "miss": 0.3, "reported": 0.5}


def lived(**edits):
    """Return all turns of the scenario `triage-sites` with some of it changed."""
    asked = {"time.ticks": 40, "replicas": 3} | {k.replace("__", "."): v for k, v in edits.items()}
    assembly = assemble(changed(scenario_of("triage-sites"), asked))
    pages = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(40):
        assembly.simulation.advance()
    return stacked(pages), assembly


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.2]), st.integers(1, 9))
def test_what_is_seen_is_what_inspectors_found(miss, moves, inspectors):
    """Finds add up to what was seen, which is no more than occurred, nor than who was sent."""
    edits = {"world.settings.miss": miss, "world.settings.moves": moves, "people.count": inspectors}
    turns, assembly = lived(**edits, **{"policy.settings.rule": "uniform"})
    moment = turns["replica"] * 40 + turns["tick"]
    names = assembly.stage.items
    for k, name in enumerate(names):
        went = turns["choice"] == k
        sent = np.bincount(moment, weights=went, minlength=120)
        found = np.bincount(moment, weights=went * turns["reward"], minlength=120)
        seen = np.zeros(120)
        seen[moment] = turns[f"seen_{name}"]
        occurred = np.zeros(120)
        occurred[moment] = turns[f"occurred_{name}"]
        assert (seen == found).all()
        assert (seen <= np.minimum(sent, occurred)).all()
        assert miss > 0.0 or (seen == np.minimum(sent, occurred)).all()
        assert miss < 1.0 or (seen == 0).all()
    assert (turns["regret"] >= 0.0).all()


def test_the_gap_is_that_of_all_that_was_seen():
    """`discovery_gap` is the largest difference of Σ seen / Σ occurred between sites, from the start."""
    turns, assembly = lived()
    first = turns.take(np.flatnonzero((turns["user"] == 0) & (turns["replica"] == 1)))
    names = assembly.stage.items
    shares = [np.cumsum(first[f"seen_{n}"]) / np.cumsum(first[f"occurred_{n}"]) for n in names]
    assert first["discovery_gap"][-1] == pytest.approx(np.ptp([share[-1] for share in shares]), abs=1e-6)


def test_a_model_sees_what_was_seen_and_no_more():
    """The features are the inspectors sent, the incidents seen and those reported in the tick before."""
    world = build(SETTINGS, data=None, drift=(), chance=Chance(1))
    assert world.features[:3] == ("sent_a", "sent_b", "sent_c")
    assert not any(name.startswith("occurred") for name in world.features)
    people = Columns({"user": np.arange(12), "replica": np.repeat([0, 5], 6).astype(np.int32)})
    people["taste"] = np.zeros((12, 0), np.float32)
    assert check_world(world, people) == []


def test_rates_drift_where_the_scenario_says():
    """A rate rises for the ticks of its change, and is what attention has made of it before and after."""
    drift = [
        {"tick": 9, "until": 20, "what": "rates.park", "times": 0, "add": 50, "shape": "gradual", "over": 5}
    ]
    usual, _ = lived()
    turns, assembly = lived(drift=drift)
    changed_ticks = (turns["tick"] >= 9) & (turns["tick"] < 20)
    assert (turns["occurred_park"][changed_ticks] > usual["occurred_park"][changed_ticks]).all()
    assert (turns["occurred_park"] == usual["occurred_park"])[~changed_ticks].all()
    assert (turns["occurred_market"] == usual["occurred_market"]).all()
    assert "rates.park" in assembly.simulation.marks[0][1]


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 60.0), min_size=1, max_size=5), st.floats(1e-9, 1.0 - 1e-9))
def test_counts_are_quantiles_of_poisson(rates, u):
    """The count is the first whose distribution function reaches u, as scipy says."""
    stats = pytest.importorskip("scipy.stats")
    found = poisson(np.array(rates), np.full(len(rates), u))
    low, high = stats.poisson.ppf(u - 1e-12, rates), stats.poisson.ppf(u + 1e-12, rates)
    assert ((low <= found) & (found <= high)).all()


def test_rates_are_the_likeliest_of_what_was_seen():
    """Where every find was below the number sent, the estimate is the mean; unseen places have none."""
    sent = np.array([[9, 3, 0], [9, 3, 0], [9, 0, 0]])
    found = np.array([[4, 3, 0], [2, 1, 0], [3, 0, 0]])
    rates = censored_rates(sent, found)
    assert rates[0] == pytest.approx(3.0, abs=0.01)
    assert rates[1] > 2.0
    assert rates[2] == 0.0


def test_greedy_and_fair_allocations():
    """Greedy sends everybody where most is found; with alpha the shares found must be alike."""
    rates = np.array([8.0, 6.0, 4.0, 3.0, 1.5])
    greedy = allocation(rates, 6)
    fair = allocation(rates, 6, alpha=0.35)
    assert greedy.sum() == fair.sum() == 6
    assert greedy.tolist() == [3, 2, 1, 0, 0]
    stats = pytest.importorskip("scipy.stats")

    def spread(plan):
        each = zip(plan, rates, strict=True)
        return np.ptp([stats.poisson.sf(np.arange(units), rate).sum() / rate for units, rate in each])

    assert spread(fair) <= 0.35 < spread(greedy)
    with pytest.raises(PolicyLoadError, match="too many"):
        allocation(np.ones(30), 40, alpha=0.5)


STAGE = Stage(
    items=("a", "b", "c"),
    features=("seen_a", "seen_b", "seen_c"),
    groups=("all",),
    replicas=np.arange(2, dtype=np.int32),
)


@pytest.mark.parametrize("rule", ["uniform", "proportional", "greedy"])
def test_allocations_keep_the_contract(rule):
    """`check_policy` finds nothing to say, before and after the first estimate."""
    for burn in (0, 100):
        policy = load("allocation-v1", STAGE, {"rule": rule, "burn": burn, "refit": 1, "epsilon": 0.2})
        assert check_policy(policy, STAGE) == []


def test_inspectors_are_sent_to_places_only():
    """A world whose items are no places refuses the policy when it is loaded."""
    with pytest.raises(PolicyLoadError, match=r"looks at places, and .x. is none"):
        load("allocation-v1", replace(STAGE, items=("a", "x")))


def test_a_society_learns_from_its_own_finds():
    """After the burn the greedy rule goes where its own society found something."""
    policy = load("allocation-v1", STAGE, {"burn": 3, "refit": 1})
    user, replica = np.tile(np.arange(4), 2), np.repeat([0, 1], 4).astype(np.int32)
    choice = np.tile([0, 0, 2, 2], 2).astype(np.int32)
    reward = np.where(replica == 0, choice == 0, choice == 2).astype(np.float32)
    for tick in range(3):
        policy.learn(
            Feedback(
                features=np.zeros((8, 3), np.float32),
                slate=choice[:, None],
                choice=choice,
                reward=reward,
                propensity=np.full(8, 1 / 3, np.float32),
                replica=replica,
                user=user,
                turn=np.zeros(8, np.int16),
                group=np.zeros(8, np.int8),
                tick=tick,
            )
        )
    assert policy.estimates[0].argmax() == 0
    assert policy.estimates[1].argmax() == 2
    assert (policy.estimates[:, 1] == 0.0).all()


@pytest.mark.parametrize(
    ("changes", "said"), [({"rates": [1.0]}, "1 rates for sites"), ({"miss": 2.0}, "world.settings.miss")]
)
def test_wrong_settings_are_answered(changes, said):
    """The error names the setting and what is wrong with it."""
    with pytest.raises(ScenarioError) as caught:
        build(SETTINGS | changes, data=None, drift=(), chance=Chance(1))
    assert said in caught.value.problem
