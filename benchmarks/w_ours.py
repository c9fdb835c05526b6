"""Workload W in the engine: the scenario `workload`, run and recorded as any other.

    python benchmarks/w_ours.py --users 100000 --ticks 5 --model linear --columns w
    python benchmarks/w_ours.py --phases …          the same, with where the time goes
    python benchmarks/w_ours.py --seat --users N    only what people take before the first tick

Making people and ties is told apart; what is loaded once a process is loaded before the clock starts.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import phases

TILE = 0
"""The model is asked for all of a block at a time, sound where its answers do not depend on it."""
MODELS = Path(__file__).with_name("w_models.py")
LIVED = """
    SELECT avg(satisfaction) AS satisfaction, avg(reward) FILTER (choice >= 0) AS outcome,
        avg(CAST(choice < 0 AS INT)) AS "nothing taken",
        count(*) / count(*) FILTER (turn = 0) AS "turns a session"
    FROM turns
"""


def ours(
    users: int, ticks: int, model: str = "linear", columns: str = "w", tile: int | None = TILE
) -> dict[str, Any]:
    """Run W once: CPU from the first tick to the last turn in Parquet, and of making people and ties."""
    from rehearse.experiments import running

    _ready(model)
    began: list[float] = []
    play = running.Production.play

    def timed(self: running.Production, *given: Any) -> None:
        began.append(time.process_time())
        play(self, *given)

    scenario, before = _scenario(users, ticks, model, columns), _resident()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder, patch.object(running.Production, "play", timed):
        record = running.run(scenario, out=Path(folder) / "run", tile=tile).turns
        spent = record.manifest["resources"]  # taken before the verdict and the report
        lived = record.query(LIVED)
    setup = began[0] - start
    return {
        "turns": record.manifest["user_turns"],
        "cpu_s": spent["cpu_seconds"] - setup,
        "wall_s": spent["wall_seconds"],
        "setup_cpu_s": setup,
        "bytes_peak": (spent["peak_memory_mb"] * 2**20 - before) / users,
        "digest": record.manifest["digest"],
        "lived": {name: float(lived.numbers(name)[0]) for name in lived},
    }


def watch(users: int, model: str, out: Path) -> dict[str, float]:
    """Run one tick and write what the model saw of everybody to an .npy: (rows, 32) numbers."""
    import numpy as np

    from rehearse.experiments.build import assemble

    simulation = assemble(_scenario(users, 1, model, "w")).simulation
    seen: list[Any] = []
    decide = simulation.policy.decide

    def noted(requests: Any) -> Any:
        seen.append(requests.features.astype(np.float32))
        return decide(requests)

    with patch.object(type(simulation.policy), "decide", lambda _, requests: noted(requests)):
        simulation.advance()
    rows = np.concatenate(seen)
    np.save(out, rows)
    return {"rows": float(len(rows))}


def seat(users: int) -> dict[str, float]:
    """Return how many bytes a person holds before the first tick: with W's persona, and the standard one."""
    found: dict[str, float] = {}
    for name, scenario in (("workload", "workload"), ("standard", "feed")):
        found |= {f"{name}_{what}": size for what, size in _held(scenario, users).items()}
    return {"bytes_per_user": found["standard_columns"] + found["standard_ties"]} | found


def _held(scenario: str, users: int) -> dict[str, float]:
    from rehearse.experiments.api import load
    from rehearse.experiments.build import assemble

    people: Any = assemble(load(scenario, users=users, ticks=1, replicas=1)).simulation.users
    columns, ties = people.columns, people.ties
    tastes = columns["taste"].nbytes
    sizes = {
        "columns": sum(columns[name].nbytes for name in columns) - tastes,
        "tastes": tastes,
        "ties": ties.indptr.nbytes + ties.indices.nbytes,
    }
    return {name: size / users for name, size in sizes.items()}


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run workload W in the engine.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=5)
    parser.add_argument("--model", choices=("linear", "cheap"), default="linear")
    parser.add_argument("--columns", choices=("w", "all"), default="w")
    parser.add_argument("--tile", type=int, default=TILE, help="0: a block at a time; 256 is usual")
    parser.add_argument("--seat", action="store_true")
    parser.add_argument("--phases", action="store_true")
    parser.add_argument("--seen", type=Path, default=None, help="only write what the model sees here")
    asked = parser.parse_args()
    if asked.seen is not None:
        print(json.dumps(watch(asked.users, asked.model, asked.seen)))
        return 0
    if asked.seat:
        print(json.dumps(seat(asked.users)))
        return 0
    if asked.phases:
        _ready(asked.model)
        scenario = _scenario(asked.users, asked.ticks, asked.model, asked.columns)
        print(json.dumps(phases.run(scenario, tile=asked.tile)))
        return 0
    print(json.dumps(ours(asked.users, asked.ticks, asked.model, asked.columns, asked.tile)))
    return 0


def _ready(model: str) -> None:
    """Load all that is loaded once a process, compiled kernels among it, as imports are left out."""
    from rehearse.compiled import SWITCH, available, expect
    from rehearse.experiments import running

    chosen = os.environ.get(SWITCH)
    if available() and chosen is None:
        os.environ[SWITCH] = "1"
        expect(0)
    with tempfile.TemporaryDirectory() as folder:
        running.run(_scenario(200, 1, model, "w"), out=Path(folder) / "run")
    if chosen is None:
        os.environ.pop(SWITCH, None)


def _scenario(users: int, ticks: int, model: str, columns: str) -> Any:
    from rehearse.experiments.api import load
    from rehearse.experiments.composition import with_policy

    settings = {"columns": None} if columns == "all" else {}
    scenario = load("workload", users=users, ticks=ticks, replicas=1, settings=settings)
    return with_policy(scenario, f"{MODELS}:{model.capitalize()}")


def _resident() -> float:
    import psutil

    gc.collect()
    return float(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    sys.exit(main())
