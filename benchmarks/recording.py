"""What recording costs: CPU time and bytes a turn, for both writers and two widths of row.

    python benchmarks/recording.py        a minute; prints one line a figure

The turns are those of the scenario `feed` with 150,000 users, three ticks and the policy `greedy-v1`:
about 736,000 turns. `w` are the eleven columns of the common workload, `full` everything a feed fills.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rehearse.columns import Columns
from rehearse.compiled import SWITCH
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.composition import with_policy
from rehearse.record.parts import write_part
from rehearse.record.recorder import Recorder

USERS, TICKS, REPEATS = 150_000, 3, 5
NARROW = (
    *("user", "session", "turn", "action", "slate_1", "slate_2", "slate_3", "slate_4", "choice"),
    *("experience", "satisfaction"),
)
"""The common workload's: who, when, the slate of five, the choice, how it turned out, how content."""
WRITERS = {"pyarrow": "", "duckdb": "0"}
"""What REHEARSE_FAST must say for each."""


def measure() -> dict[str, float]:
    """Return ns of CPU time and bytes a turn: `ns_w_pyarrow`, `bytes_w_pyarrow`, … `bytes_full_duckdb`."""
    pages = turns_of_a_feed()
    narrow = [Columns({name: page[name] for name in NARROW}) for page in pages]
    found: dict[str, float] = {}
    for width, rows in (("w", narrow), ("full", pages)):
        for writer, switch in WRITERS.items():
            ns, size = _cost(rows, switch)
            found |= {f"ns_{width}_{writer}": round(ns, 1), f"bytes_{width}_{writer}": round(size, 2)}
    return found


def turns_of_a_feed(users: int = USERS, ticks: int = TICKS) -> list[Columns]:
    """Return the turns of a feed, a page a tick, as the recorder hands them over."""
    assembly = assemble(with_policy(load("feed", users=users, ticks=ticks, replicas=1), "greedy-v1"), Props())
    pages: list[Columns] = []
    recorder = Recorder(assembly.stage.replicas, keep=lambda _tick, turns, _society: pages.append(turns))
    assembly.simulation.watchers.append(recorder)
    for _ in range(ticks):
        assembly.simulation.advance()
    return pages


def _cost(pages: list[Columns], switch: str) -> tuple[float, float]:
    turns = sum(page.length for page in pages)
    before = os.environ.get(SWITCH, "")
    os.environ[SWITCH] = switch
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "turns.parquet"
            seconds = min(_seconds(path, pages) for _ in range(REPEATS))
            return seconds / turns * 1e9, path.stat().st_size / turns
    finally:
        os.environ[SWITCH] = before


def _seconds(path: Path, pages: list[Columns]) -> float:
    began = time.process_time()
    write_part(path, pages, {})
    return time.process_time() - began


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:20} {value:8.2f}")
