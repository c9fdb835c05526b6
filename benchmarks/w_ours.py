"""Workload W in the engine: the scenario `workload`, run and recorded as any other.

python benchmarks/w_ours.py --users 100000 --ticks 5 --model linear --columns w
python benchmarks/w_ours.py --phases …       the same, with where the time goes
python benchmarks/w_ours.py --seat --users N    only what people take before the first tick
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import phases

LIVED = """
    SELECT avg(satisfaction) AS satisfaction, avg(CAST(choice < 0 AS INT)) AS "nothing taken",
        count(*) / count(*) FILTER (turn = 0) AS "turns a session"
    FROM turns
"""


def ours(users: int, ticks: int, model: str = "linear", columns: str = "w") -> dict[str, Any]:
    """Run W once; CPU from the first tick to the last turn in Parquet, people and ties made before."""
    from rehearse.experiments import running
    from rehearse.tables import query

    query("SELECT 1 AS one")  # loads what reads and writes tables
    began: list[float] = []
    play = running.Production.play

    def timed(self: running.Production, *given: Any) -> None:
        began.append(time.process_time())
        play(self, *given)

    running.Production.play = timed  # type: ignore[method-assign]
    scenario, before = _scenario(users, ticks, model, columns), _resident()
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        record = running.run(scenario, out=Path(folder) / "run").turns
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


def seat(users: int) -> dict[str, float]:
    """Return how many bytes a person holds before the first tick, and in what."""
    from rehearse.experiments.build import assemble

    assemble(_scenario(100, 1, "cheap", "w"))  # so that what is loaded once is there
    before = _resident()
    assembly = assemble(_scenario(users, 1, "cheap", "w"))
    grown = (_resident() - before) / users
    columns = assembly.simulation.users.columns
    taste = columns["taste"].nbytes / users if "taste" in columns else 0.0
    return {
        "bytes_per_user": grown - taste,
        "columns": sum(columns[name].nbytes for name in columns) / users,
        "tastes": taste,
        "grown": grown,
    }


def main() -> int:
    """Run once and print what it took as a line of JSON."""
    parser = argparse.ArgumentParser(description="Run workload W in the engine.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=5)
    parser.add_argument("--model", choices=("linear", "cheap"), default="linear")
    parser.add_argument("--columns", choices=("w", "all"), default="w")
    parser.add_argument("--seat", action="store_true")
    parser.add_argument("--phases", action="store_true")
    asked = parser.parse_args()
    if asked.seat:
        print(json.dumps(seat(asked.users)))
        return 0
    if asked.phases:
        scenario = _scenario(asked.users, asked.ticks, asked.model, asked.columns)
        print(json.dumps(phases.run(scenario)))
        return 0
    print(json.dumps(ours(asked.users, asked.ticks, asked.model, asked.columns)))
    return 0


def _scenario(users: int, ticks: int, model: str, columns: str) -> Any:
    from rehearse.experiments.api import load

    settings: dict[str, Any] = {"policy.name": model} | ({"columns": None} if columns == "all" else {})
    return load("workload", users=users, ticks=ticks, replicas=1, settings=settings)


def _resident() -> float:
    import psutil

    gc.collect()
    return float(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    sys.exit(main())
