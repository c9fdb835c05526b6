"""Faults round a run: whatever goes wrong with calls, it ends with a verdict, and the model is not to blame.

`make faults` tries every kind, at every rate, with every scenario of the catalogue; the suite tries a draw.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from functools import cache
from typing import get_args

import pytest

import rehearse
from rehearse.policies import Cache, CircuitBreaker, Fallback, Faults, Rollback, Shadow, Split
from rehearse.scenario.load import catalogue
from rehearse.scenario.model import FaultKind

SMALL = {"users": 12, "ticks": 3, "replicas": 2}
DEADLINE_S = 120
KINDS = get_args(FaultKind)
LOSE_ALL = {"error", "timeout", "reset_peer", "nan", "wrong_action", "wrong_schema"}
"""At a rate of 1 these leave no call with an answer."""
RATES = (0.0, 0.01, 0.1, 1.0)
NEED_DATA = {"feed-ratings", "lending-table"}
NAMES = [entry.name for entry in catalogue() if entry.name not in NEED_DATA]
EVERY = [(name, kind, rate) for name in NAMES for kind in KINDS for rate in RATES]
WHOLE = "REHEARSE_FAULTS" in os.environ


def drawn():
    """Return a case for each kind, the scenarios in an order drawn once, the rates in turn; the most at 1."""
    names = random.Random(20261123).sample(NAMES, len(KINDS))
    rates = [(1.0, 0.1, 1.0, 0.01, 1.0, 0.0)[i % 6] for i in range(len(KINDS))]
    return list(zip(names, KINDS, rates, strict=True))


@cache
def small(name):
    """Return a scenario of the catalogue with few people and short sessions."""
    scenario = rehearse.load(name, **SMALL)
    short = {"time.max_turns": min(scenario.time.max_turns, 5), "columns": None}
    if "arrivals" in scenario.world.settings:
        short["world.settings.arrivals"] = {"rate": 0.5, "branching": 0.3, "decay": 0.5}
    return rehearse.load(scenario, settings=short)


def struck(name, kind, rate):
    """Return it with one fault: of the policy as a whole, or where only a model can have it, of the model."""
    scenario, fault = small(name), {"kind": kind, "rate": rate}
    if kind != "stale_features":
        return rehearse.load(scenario, settings={"faults": [fault]})
    inner = {"policy": scenario.policy.model_dump(mode="json"), "faults": [fault]}
    return rehearse.load(scenario, settings={"policy": {"name": "faulty-v1", "settings": inner}})


@pytest.fixture
def deadline():
    """End a test that hangs."""

    def hung(*_):
        problem = f"no verdict within {DEADLINE_S} seconds"
        raise TimeoutError(problem)

    before = signal.signal(signal.SIGUSR1, hung)  # the alarm belongs to the limit on the model's time
    main = threading.get_ident()
    timer = threading.Timer(DEADLINE_S, signal.pthread_kill, (main, signal.SIGUSR1))
    timer.start()
    yield
    timer.cancel()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(("name", "kind", "rate"), EVERY if WHOLE else drawn())
def test_every_scenario_ends_with_a_verdict_whatever_goes_wrong(name, kind, rate, tmp_path, deadline):
    """The run is judged and reported; faults are counted as injected, and none as the model's."""
    done = rehearse.run(struck(name, kind, rate), out=tmp_path / "run")
    assert done.verdict in {"pass", "fail", "unsure"}
    assert (done.folder / "report.html").is_file()
    faults = set(done.turns.query("SELECT DISTINCT fault FROM turns")["fault"].tolist())
    assert faults <= {"none", "injected"}
    assert faults == {"injected"} or rate < 1.0 or kind not in LOSE_ALL
    assert faults == {"none"} or rate > 0.0
    failed = {m["metric"]: m["estimate"] for m in done.turns.verdict["measures"]}.get("error_rate")
    assert not failed
    assert not done.problems
    if rate == 0.0 and kind != "stale_features":  # which adds a column
        assert done.digest == rehearse.run(small(name), out=tmp_path / "calm").digest


GOOD = "constant-v1?slate=1"


def composed(kind):
    """Return policies made of a good model and of one whose every call goes wrong."""
    bad = Faults("greedy-v1", faults=[{"kind": kind, "rate": 1.0}])
    return {
        "shadow": Shadow(GOOD, bad),
        "split": Split(GOOD, bad, share=0.5),
        "rollback": Rollback(bad, GOOD, monitor="failures", at_most=0.5, ticks=1, turns=1),
        "fallback": Fallback(bad, GOOD),
        "breaker": CircuitBreaker(bad, turns=1),
        "cache": Cache(bad),
    }


LOST = {
    "shadow": ("candidate_fault <> 'injected' OR fault <> 'none'", "false"),
    "split": ("(fault = 'injected') <> (model LIKE 'challenger%')", "fault = 'injected'"),
    "rollback": ("(fault = 'injected') <> (tick = 0)", "fault = 'injected'"),
    "fallback": ("fault <> 'none' OR fell_back <> 1", "false"),
    "breaker": ("fault <> CASE WHEN tick = 0 THEN 'injected' ELSE 'refused' END", "tick > 0"),
    "cache": ("fault <> 'injected' OR cached <> 0", "fault = 'injected'"),
}
"""For each: the turns that there must not be, and turns that there must be where people lose answers."""


@pytest.mark.parametrize("kind", KINDS if WHOLE else ["error"])
@pytest.mark.parametrize("how", LOST)
def test_what_guards_a_model_guards_it_when_every_call_fails(how, kind, tmp_path, deadline):
    """Each of the policies made of policies does what it is for, and the run ends with a verdict."""
    done = rehearse.run("travel", policy=composed(kind)[how], out=tmp_path / "run", **SMALL)
    assert done.verdict in {"pass", "fail", "unsure"}
    if kind not in LOSE_ALL:
        return
    never, some = LOST[how]
    assert done.turns.query(f"SELECT * FROM turns WHERE {never}").length == 0
    assert some == "false" or done.turns.query(f"SELECT * FROM turns WHERE {some}").length > 0


LONG = """
import os, sys
from pathlib import Path
from rehearse import load
from rehearse.experiments.resources import peak_memory_mb
from rehearse.experiments.running import run

faults = [{"kind": kind, "rate": 0.1} for kind in sys.argv[2:]]
peak = {}

def note(*, tick, **_):
    if tick in {200, 1000}:
        peak[tick] = peak_memory_mb()
    if tick == 1000:
        print(peak[1000] / peak[200], flush=True)
        os._exit(0)

scenario = load("travel", users=8, ticks=1001, replicas=1, settings={"faults": faults})
run(scenario, policy="epsilon-v1", out=Path(sys.argv[1]), progress=note)
"""


@pytest.mark.slow
def test_memory_stays_flat_over_a_thousand_ticks(tmp_path):
    """A run in which everything goes wrong holds at tick 1,000 what it held at tick 200, to a tenth."""
    kinds = [kind for kind in KINDS if kind != "stale_features"]
    command = [sys.executable, "-c", LONG, str(tmp_path / "run"), *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 1.1
