"""Attention to sites behaves as the published loop does, through `rehearse.model`.

The setting of D'Amour and others, "Fairness is not static" (FAT* 2020), section 4.2: five sites with rates
8, 6, 4, 3 and 1.5, six units, no misses. It is written down again here in numpy, with numpy's chance, and
has known limits besides. Tolerances are four standard errors of the difference between independent runs.
"""

from __future__ import annotations

from math import comb, exp, factorial

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

import rehearse
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science
RATES = np.array([8.0, 6.0, 4.0, 3.0, 1.5])
UNITS = 6


def sites(policy, *, ticks, societies, moves=0.0, miss=0.0):
    """Return what occurred and what was seen in all, (societies, sites), and the rates at the end."""
    names = ["a", "b", "c", "d", "e"]
    settings = {"kind": "sites", "sites": names, "rates": RATES.tolist(), "moves": moves, "miss": miss}
    scenario = Scenario.model_validate(
        {
            "name": "sites",
            "world": {"name": "triage-v1", "settings": settings},
            "people": {
                "count": UNITS,
                "behaviour": {"choice": "always", "visit_trust": 0.0, "quits": False},
                "memory": {"on": False},
            },
            "policy": {"name": "allocation-v1", "settings": policy},
            "time": {"ticks": ticks, "max_turns": 1},
            "replicas": societies,
            "seed": 11,
            "assumptions": ["Incidents are Poisson."],
            "limitations": ["Sites are made up."],
        }
    )
    model = rehearse.model(scenario)
    for _ in range(ticks):
        model.step()
    state = model.world.state()
    return state["all_occurred"], state["all_seen"], state["rate"]


def likeliest(sent, found):
    """Return the rate that makes finds most likely, or from which on a larger is as likely (slope .001)."""
    looked = sent > 0
    if not looked.any():
        return 0.0
    a, s = sent[looked], found[looked]

    def slope(r):
        return np.where(s < a, s / r - 1.0, poisson.pmf(a - 1, r) / poisson.sf(a - 1, r)).sum() - 1e-3

    return brentq(slope, 1e-9, 80.0) if slope(1e-9) > 0.0 else 0.0


def loop_in_numpy(rule, *, ticks, runs, moves, burn=25, refit=10, window=100):
    """Return occurred and seen, (runs, sites), of the published loop with numpy's chance."""
    generator = np.random.default_rng(5)
    occurred, seen = np.zeros((runs, 5)), np.zeros((runs, 5))
    for run in range(runs):
        rate, guess, sent, found = RATES.copy(), None, [], []
        for tick in range(ticks):
            if tick >= burn and tick % refit == 0:
                past = np.array(sent[-window:]), np.array(found[-window:])
                guess = np.array([likeliest(past[0][:, k], past[1][:, k]) for k in range(5)])
            if guess is None or rule == "uniform":
                units = generator.multinomial(UNITS, np.full(5, 0.2))
            elif rule == "proportional":
                units = generator.multinomial(UNITS, guess / guess.sum())
            else:
                units = np.zeros(5, dtype=int)
                for _ in range(UNITS):
                    units[np.argmax(poisson.sf(units, guess))] += 1
            happened = generator.poisson(rate)
            caught = np.minimum(happened, units)
            sent.append(units)
            found.append(caught)
            occurred[run] += happened
            seen[run] += caught
            rate = np.where(units == 0, rate + moves, np.maximum(rate - moves * units, 0.0))
    return occurred, seen


def gap(occurred, seen):
    """Return the largest difference of discovery rates between two sites, for each run."""
    share = seen / occurred
    return share.max(axis=1) - share.min(axis=1)


def alike(ours, theirs):
    """Tell whether two samples of runs have the same mean, within four standard errors."""
    error = np.sqrt(ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs))
    return abs(ours.mean() - theirs.mean()) <= 4.0 * error + 1e-9


def expected_finds(rate, units):
    """Return E[min(units, Y)] for Y Poisson: the sum of P(Y ≥ a)."""
    return sum(1.0 - sum(exp(-rate) * rate**y / factorial(y) for y in range(a)) for a in range(1, units + 1))


@pytest.mark.parametrize("rule", ["uniform", "proportional", "greedy"])
@pytest.mark.parametrize("moves", [0.0, 0.05])
def test_the_loop_is_the_one_written_down_in_numpy(rule, moves):
    """Finds in all and the gap in discovery have the means of an independent program."""
    ours = sites({"rule": rule}, ticks=120, societies=60, moves=moves)
    theirs = loop_in_numpy(rule, ticks=120, runs=12, moves=moves)
    assert alike(ours[1].sum(axis=1), theirs[1].sum(axis=1))
    assert alike(ours[0].sum(axis=1), theirs[0].sum(axis=1))
    assert alike(gap(*ours[:2]), gap(*theirs))


def test_uniform_attention_finds_what_a_binomial_number_of_units_finds():
    """A site with a rate r is seen E[min(B, Y)] times a tick, B binomial (6, 1/5)."""
    ticks, societies = 150, 60
    _, seen, _ = sites({"rule": "uniform"}, ticks=ticks, societies=societies)
    law = [comb(UNITS, a) * 0.2**a * 0.8 ** (UNITS - a) for a in range(UNITS + 1)]
    told = [sum(p * expected_finds(r, a) for a, p in enumerate(law)) for r in RATES]
    error = seen.std(axis=0, ddof=1) / np.sqrt(societies) / ticks
    assert (np.abs(seen.mean(axis=0) / ticks - told) < 4.0 * error).all()


def test_greedy_attention_comes_to_find_what_is_possible():
    """With still rates the greedy allocation tends to the best one: the quietest site is left to itself."""
    best = np.zeros(5, dtype=int)
    for _ in range(UNITS):
        best[np.argmax(poisson.sf(best, RATES))] += 1
    possible = sum(expected_finds(r, a) for r, a in zip(RATES, best, strict=True))
    _, early, _ = sites({"rule": "greedy"}, ticks=60, societies=25)
    _, late, _ = sites({"rule": "greedy"}, ticks=240, societies=25)
    found = (late.sum() - early.sum()) / (25 * 180)
    assert 0.97 * possible < found < 1.01 * possible


def test_rates_rise_where_nobody_looks_and_fall_where_many_do():
    """Under uniform attention a rate moves by d (P(B = 0) − E[B]) a tick, on average."""
    _, _, rate = sites({"rule": "uniform"}, ticks=100, societies=200, moves=0.005)
    drift = 0.005 * (0.8**UNITS - UNITS * 0.2) * 100
    error = rate.std(axis=0, ddof=1) / np.sqrt(200)
    assert (np.abs(rate.mean(axis=0) - RATES - drift) < 4.0 * error).all()


def test_misses_thin_what_is_seen():
    """One unit at a time on a site with rate r finds anything with chance 1 − e^{−r (1 − miss)}."""
    occurred, seen, _ = sites({"rule": "uniform"}, ticks=120, societies=60, miss=0.2)
    _, clear, _ = sites({"rule": "uniform"}, ticks=120, societies=60)
    assert (seen.sum(axis=0) < clear.sum(axis=0)).all()
    assert (seen <= occurred).all()
    generator = np.random.default_rng(3)
    told = np.zeros(5)
    for k, rate in enumerate(RATES):
        units = generator.binomial(UNITS, 0.2, 100_000)
        left, happened = units.copy(), generator.poisson(rate, 100_000)
        for number in range(happened.max()):
            left -= (number < happened) & (generator.random(100_000) < 1.0 - 0.2**left)
        told[k] = (units - left).mean()
    error = seen.std(axis=0, ddof=1) / np.sqrt(60) / 120 + 0.004
    assert (np.abs(seen.mean(axis=0) / 120 - told) < 4.0 * error).all()
