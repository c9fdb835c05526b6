"""Shards: what a run dealt to two processes reaches beside two copies of the run, and beside Ray.

    python benchmarks/shards.py [--users 200000] [--ticks 5] [--quick]

The workload is W with the cheap model, where the engine dominates. Every arm is a process of its own;
its clock runs from the end of the first tick to the last turn on disk: making people, beginning
processes and what they load in their first tick are left out on both sides, as imports are elsewhere.
Two copies begin their first tick together, each in one thread, as a shard does.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

MODEL = f"{Path(__file__).with_name('w_models.py')}:Cheap"
USERS, TICKS, REPEATS = 200_000, 5, 3
WAIT_S = 120.0


def measure(users: int = USERS, ticks: int = TICKS, *, quick: bool = False) -> dict[str, float]:
    """Return `shards2_over_two_copies` (rates), `ray_over_local` (times), and what each arm took."""
    if quick:
        users, ticks = 10_000, 1
    best: dict[str, dict[str, float]] = {}
    ratios = []
    for nth in range(1 if quick else REPEATS):
        arms = _round(users, ticks, others=nth == 0 and not quick)
        ratios.append(arms["2 local"]["rate"] / arms["copies"]["rate"])
        for name, found in arms.items():
            if name not in best or found["rate"] > best[name]["rate"]:
                best[name] = found
    told = {"shards2_over_two_copies": statistics.median(ratios)}
    if "2 ray" in best:
        told["ray_over_local"] = best["2 ray"]["seconds"] / best["2 local"]["seconds"]
    for name, found in best.items():
        told |= {f"{name}: {what}": value for what, value in found.items()}
    return told


def _round(users: int, ticks: int, *, others: bool) -> dict[str, dict[str, float]]:
    """Measure the two arms that are compared one after the other, and the others if asked."""
    arms = {"2 local": _one(users, ticks, 2, "local"), "copies": _copies(users, ticks)}
    if others:
        arms |= {f"{shards} local": _one(users, ticks, shards, "local") for shards in (1, 4)}
    if others and importlib.util.find_spec("ray") is not None:
        arms["2 ray"] = _one(users, ticks, 2, "ray")
    return arms


def _one(users: int, ticks: int, shards: int, on: str) -> dict[str, float]:
    return _told(_begun(users, ticks, shards, on))


def _copies(users: int, ticks: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        both = [_begun(users, ticks, 1, "local", Path(place) / str(i)) for i in range(2)]
        told = [_told(process) for process in both]
    return {"rate": sum(t["rate"] for t in told), "seconds": max(t["seconds"] for t in told)}


def _begun(users: int, ticks: int, shards: int, on: str, beside: Path | None = None) -> Any:
    words = ["--users", users, "--ticks", ticks, "--shards", shards, "--on", on]
    words += [] if beside is None else ["--beside", beside]
    command = [sys.executable, __file__, "--arm", *map(str, words)]
    environment = {**os.environ, "REHEARSE_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603


def _told(process: Any) -> dict[str, float]:
    said, _ = process.communicate(timeout=900)
    if process.returncode:
        problem = f"an arm of the benchmark ended with {process.returncode}"
        raise RuntimeError(problem)
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def arm(users: int, ticks: int, shards: int, on: str, beside: Path | None) -> dict[str, float]:
    """Run W and a tick more; return user turns a second from the second tick to the last turn on disk."""
    for library in ("duckdb", "pyarrow.parquet"):  # loaded before the clock starts, as imports are left out
        with suppress(ImportError):
            importlib.import_module(library)
    from rehearse.experiments import running
    from rehearse.experiments.api import load
    from rehearse.experiments.composition import with_policy
    from rehearse.experiments.folder import RunFolder
    from rehearse.experiments.shards import Spread

    scenario = load("workload", users=users, ticks=ticks + 1, replicas=1)
    clock: list[float] = []
    begun: list[float] = []
    first: list[int] = []
    play, close = running.Production.play, RunFolder.close

    def begin(self: Any, *given: Any) -> None:
        if beside is not None:
            _together(beside)
        begun.append(time.perf_counter())
        play(self, *given)

    def end(self: Any, *given: Any) -> None:
        close(self, *given)
        clock.append(time.perf_counter())

    def tell(**said: float) -> None:
        if not clock:
            clock.append(time.perf_counter())
            first.append(int(said["user_turns"]))

    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(running.Production, "play", begin),
        patch.object(RunFolder, "close", end),
    ):
        out, spread = Path(folder) / "run", Spread(shards, on)
        record = running.run(
            with_policy(scenario, MODEL),
            out=out,
            tile=0,
            spread=spread,
            over_memory=True,
            progress=tell,
        ).turns
        spent = record.manifest["resources"]
    seconds = clock[1] - clock[0]
    return {
        "rate": (record.manifest["user_turns"] - first[0]) / seconds,
        "seconds": seconds,
        "seconds to begin": begun[0] - started,
        "cpu_s": spent["cpu_seconds"],
        "peak_memory_mb": spent["peak_memory_mb"],
    }


def _together(mine: Path) -> None:
    """Say that this copy is ready, and wait for the other."""
    mine.touch()
    deadline = time.monotonic() + WAIT_S
    while len(list(mine.parent.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)


def main() -> int:
    """Measure, or run one arm, and print a line of JSON."""
    parser = argparse.ArgumentParser(description="Measure runs in shards.")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--ticks", type=int, default=TICKS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arm", action="store_true")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--on", default="local")
    parser.add_argument("--beside", type=Path, default=None)
    asked = parser.parse_args()
    if asked.arm:
        found = arm(asked.users, asked.ticks, asked.shards, asked.on, asked.beside)
    else:
        found = measure(asked.users, asked.ticks, quick=asked.quick)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
