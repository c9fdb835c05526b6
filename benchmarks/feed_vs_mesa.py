"""How fast the scenario `feed` runs, and what a person costs, beside plain Mesa objects.

Both are measured in one run on one machine, each arm in a process of its own with one thread: user
turns per CPU second from the first person drawn to the last turn on disk (without imports, verdict
and report), the best of some repeats; and how far the process grew, per person. Then it is checked
that both lived through the same: else they would not be twins, and the ratio would say nothing.

    python benchmarks/feed_vs_mesa.py            100,000 users, 20 ticks, three repeats: some minutes
    python benchmarks/feed_vs_mesa.py --quick    fewer of all: about a minute

Exit code 1: the two do not agree. A ratio below its target is printed and is no error, for it
depends on the machine and on who else uses it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

Result = TypeVar("Result")

TARGETS = {"greedy-v1": 10.0, "constant-v1": 20.0}
SETTINGS: dict[str, dict[str, Any]] = {"greedy-v1": {}, "constant-v1": {"slate": (0, 1, 2, 3, 4)}}
SEATED = 20_000
"""How many persons of the twin are made to weigh one."""
TOLERANCE = 0.05
"""How far apart, relative to its size, an outcome may lie in the two."""
LIVED = """
    SELECT avg(satisfaction) AS satisfaction, avg(CAST(choice >= 0 AS INT)) AS acceptance,
        count(*) / count(*) FILTER (turn = 0) AS "turns a session", avg(regret) AS regret,
        count(*) FILTER ("end" = 'goal_met') / count(*) FILTER (turn = 0) AS "goals met a session",
        count(*) FILTER (turn = 0) AS sessions
    FROM turns
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one arm took and what it came to."""

    user_turns: int
    cpu_s: float
    peak_bytes: float
    """How far the process had grown at most, per person."""
    lived: dict[str, float]

    @property
    def rate(self) -> float:
        """Return user turns per CPU second."""
        return self.user_turns / self.cpu_s


def run_ours(policy: str, users: int, ticks: int) -> Measured:
    """Run `feed` in the engine, recorded as any run is; a small run before it loads what runs load."""
    from rehearse.experiments.running import run

    with tempfile.TemporaryDirectory() as folder:
        with patch.dict(os.environ, {"REHEARSE_FAST": os.environ.get("REHEARSE_FAST", "1")}):
            run(_feed(policy, 50, 2), out=Path(folder) / "small")
        scenario, before = _feed(policy, users, ticks), _resident()
        record = run(scenario, out=Path(folder) / "run").turns
        spent = record.manifest["resources"]  # taken before the verdict and the report
        lived = record.query(LIVED)
    return Measured(
        user_turns=record.manifest["user_turns"],
        cpu_s=spent["cpu_seconds"],
        peak_bytes=(spent["peak_memory_mb"] * 2**20 - before) / users,
        lived=_per_person({name: float(lived.numbers(name)[0]) for name in lived}, users),
    )


def run_twin(policy: str, users: int, ticks: int) -> Measured:
    """Run the twin: the same items, people of its own, every turn a dict, all written at the end."""
    from feed_twin import POLICIES, Feed

    from rehearse.tables import query

    items, before = _items(policy), _resident()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        model = Feed(items, users, POLICIES[policy])
        for _ in range(ticks):
            model.step()
        model.write(Path(folder))
        spent, peak = time.process_time() - began, _peak()
        lived = query(LIVED, turns=Path(folder) / "turns.parquet")
    return Measured(
        user_turns=len(model.turns),
        cpu_s=spent,
        peak_bytes=(peak - before) / users,
        lived=_per_person({name: float(lived.numbers(name)[0]) for name in lived}, users),
    )


def seat_ours(users: int) -> float:
    """Return how many bytes a person holds, once seated with all ties, in the engine."""
    from rehearse.experiments.build import assemble

    scenario = _feed("constant-v1", users, 1)
    assemble(_feed("constant-v1", 100, 1))  # so that what is loaded once is there
    before = _resident()
    assembly = assemble(scenario)
    return _grown(before, users, keep=assembly)


def seat_twin(users: int) -> float:
    """Return how many bytes a person holds, once made with all friends, as an object."""
    from feed_twin import POLICIES, Feed

    items = _items("constant-v1")
    Feed(items, 100, POLICIES["constant-v1"])
    before = _resident()
    model = Feed(items, users, POLICIES["constant-v1"])
    return _grown(before, users, keep=model)


def apart(measure: Callable[..., Result], *given: object) -> Result:
    """Measure something in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *given).result()


def best_of(measure: Callable[..., Measured], repeats: int, *given: object) -> Measured:
    """Measure some times and return the quickest."""
    return max((apart(measure, *given) for _ in range(repeats)), key=lambda m: m.rate)


def differences(ours: Measured, twin: Measured) -> dict[str, float]:
    """Return how far each outcome of the engine lies from the twin's, relative to its size."""
    return {name: ours.lived[name] / value - 1.0 for name, value in twin.lived.items()}


def compare(policy: str, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure both with a decision model and print what came of it."""
    ours = best_of(run_ours, asked.repeats, policy, asked.users, asked.ticks)
    twin = best_of(run_twin, asked.repeats, policy, asked.twin_users, asked.ticks)
    ratio, apart_by = ours.rate / twin.rate, differences(ours, twin)
    worst = max(apart_by, key=lambda name: abs(apart_by[name]))
    rates = f"{ours.rate:>11,.0f} {twin.rate:>11,.0f} {ratio:>6.1f} {TARGETS[policy]:>6.0f}"
    memory = f"{ours.peak_bytes / 1024:>9.2f} {twin.peak_bytes / 1024:>9.2f}"
    print(f"{policy:<12} {rates} {memory}   {worst} {apart_by[worst]:+.1%}")
    return {"ours": asdict(ours), "twin": asdict(twin), "ratio": ratio, "apart": apart_by}


def main() -> int:
    """Measure, print a table, and say whether both lived through the same."""
    asked = _arguments()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the processes that measure inherit it
    print(f"feed, {asked.ticks} ticks, best of {asked.repeats}: {asked.users:,} users in the engine,")
    print(f"{asked.twin_users:,} in the twin, whose rate does not grow with more of them\n")
    print(f"{'':<12} {'user turns / CPU second':^23} {'':>6} {'':>6} {'peak KiB / user':^19}   outcome that")
    heads = f"{'engine':>11} {'twin':>11} {'ratio':>6} {'target':>6} {'engine':>9} {'twin':>9}"
    print(f"{'policy':<12} {heads}   differs most")
    found: dict[str, Any] = {policy: compare(policy, asked) for policy in TARGETS}
    seats = {"ours": apart(seat_ours, asked.users), "twin": apart(seat_twin, SEATED)}
    print(f"\nBefore the first tick a user takes {seats['ours']:,.0f} bytes in the engine,", end=" ")
    print(f"{seats['twin']:,.0f} in the twin, ties among them.")
    agree = all(abs(d) <= TOLERANCE for each in found.values() for d in each["apart"].values())
    print(f"Outcomes {'agree within' if agree else 'differ by more than'} {TOLERANCE:.0%}.")
    if asked.json:
        whole = {"asked": {k: v for k, v in vars(asked).items() if k != "json"}, "seated": seats} | found
        asked.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return 0 if agree else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the engine with plain Mesa objects on `feed`.")
    parser.add_argument("--users", type=int, default=None, help="in the engine (100,000; quick: 20,000)")
    parser.add_argument("--twin-users", type=int, default=None, help="in the twin (3,000; quick: 1,500)")
    parser.add_argument("--ticks", type=int, default=None, help="simulated days (20; quick: 10)")
    parser.add_argument("--repeats", type=int, default=None, help="the best counts (3; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="less of all")
    parser.add_argument("--json", type=Path, default=None, help="write everything measured to this file")
    asked = parser.parse_args()
    usual = {"users": (100_000, 20_000), "twin_users": (3_000, 1_500), "ticks": (20, 10), "repeats": (3, 1)}
    for name, (whole, quick) in usual.items():
        if getattr(asked, name) is None:
            setattr(asked, name, quick if asked.quick else whole)
    return asked


def _feed(policy: str, users: int, ticks: int) -> Any:
    from rehearse.experiments.api import load
    from rehearse.scenario.model import Part

    scenario = load("feed", users=users, ticks=ticks, replicas=1)
    return scenario.model_copy(update={"policy": Part(name=policy, settings=SETTINGS[policy])})


def _items(policy: str) -> Any:
    """Return the attributes of the scenario's items, so that both choose from the same."""
    import numpy as np

    from rehearse.contract import Turn
    from rehearse.experiments.build import assemble

    simulation = assemble(_feed(policy, 100, 1)).simulation
    nobody = np.zeros(0, dtype=np.int64)
    turn = Turn(nobody, nobody.astype(np.int32), nobody, tick=0, turn=0, chance=simulation.chance)
    return simulation.world.offer(turn, simulation.users.columns).attributes


def _per_person(lived: dict[str, float], users: int) -> dict[str, float]:
    sessions = lived.pop("sessions")
    return lived | {"sessions a user": sessions / users}


def _grown(before: float, users: int, *, keep: object) -> float:
    gc.collect()
    grown = _resident() - before
    del keep
    return grown / users


def _resident() -> float:
    import psutil

    gc.collect()
    return float(psutil.Process().memory_info().rss)


def _peak() -> float:
    from rehearse.experiments.resources import peak_memory_mb

    return peak_memory_mb() * 2**20


if __name__ == "__main__":
    sys.exit(main())
