"""Where the time of a run goes, in nanoseconds of CPU a user turn.

    python benchmarks/phases.py --scenario feed --policy greedy-v1 --users 100000 --ticks 5

Each step of the turn is timed from outside, less the steps that it calls; what remains is the kernel's.
Work in other threads (the writer's) is what the process spent beyond the thread that runs the kernel.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch


class Stopwatch:
    """Adds up the time of steps that may call one another."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._within = [0.0]

    def timed(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, its time without that of other steps counted to one step."""

        @functools.wraps(function)
        def measured(*given: Any, **named: Any) -> Any:
            self._within.append(0.0)
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                whole = time.thread_time() - began
                self.spent[step] = self.spent.get(step, 0.0) + whole - self._within.pop()
                self._within[-1] += whole

        return measured


def run(scenario: Any, policy: str | None = None, tile: int | None = None) -> dict[str, float]:
    """Run a scenario and return nanoseconds a user turn by step."""
    from rehearse.experiments import running

    watch, play = Stopwatch(), running.Production.play
    whole: dict[str, float] = {}

    def watched(self: Any, *given: Any) -> None:
        thread, process = time.thread_time(), time.process_time()
        with ExitStack() as patches:
            for owner, name, step in _steps(self):
                timed = watch.timed(step, getattr(owner, name))
                patches.enter_context(patch.object(owner, name, timed))
            play(self, *given)
        whole["thread"] = time.thread_time() - thread
        whole["process"] = time.process_time() - process

    with tempfile.TemporaryDirectory() as folder, patch.object(running.Production, "play", watched):
        turns = running.run(scenario, policy=policy, out=Path(folder) / "run", tile=tile).user_turns
    spent = watch.spent | {"kernel and rest": whole["thread"] - sum(watch.spent.values())}
    spent |= {"other threads": whole["process"] - whole["thread"], "whole": whole["process"]}
    return {step: round(seconds / turns * 1e9, 1) for step, seconds in spent.items()}


def _steps(production: Any) -> list[tuple[Any, str, str]]:
    from rehearse.record import recorder

    simulation = production.assembly.simulation
    users, world, policy = (type(each) for each in (simulation.users, simulation.world, simulation.policy))
    steps: list[tuple[Any, str, str]] = [
        (policy, "decide", "policy"),
        (world, "offer", "offer"),
        (users, "ask", "ask"),
        (users, "respond", "respond"),
        (world, "settle", "settle"),
        (users, "remember", "remember"),
        (users, "close", "remember"),
        (users, "open", "open and live"),
        (users, "live", "open and live"),
        (users, "socialise", "social"),
        (type(production.recorder), "on_turn", "lay out"),
        (type(production.recorder), "on_tick", "lay out"),
        (type(production.folder), "keep", "write"),
        (recorder, "leaves_of", "digest"),
        (recorder, "next_links", "digest"),
    ]
    return [each for each in steps if hasattr(each[0], each[1])]


def main() -> int:
    """Run once and print the steps as a line of JSON."""
    from rehearse.experiments.api import load

    parser = argparse.ArgumentParser(description="Say where the time of a run goes.")
    parser.add_argument("--scenario", default="feed")
    parser.add_argument("--policy", default=None)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=5)
    asked = parser.parse_args()
    scenario = load(asked.scenario, users=asked.users, ticks=asked.ticks, replicas=1)
    print(json.dumps(run(scenario, asked.policy)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
