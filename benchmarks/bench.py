"""Measure everything in one go: writes `benchmarks/latest.json` and the table of `docs/performance.md`.

    python benchmarks/bench.py --peers     all of it, with the peers installed beside: some 20 minutes
    python benchmarks/bench.py --quick     a smoke run in one process; writes nothing without --out

Every figure that the project promises is a ratio, and both sides of a ratio are measured in this run,
one after the other and repeatedly, each in a process of its own on one thread; the best repetition
counts. CPU seconds are compared, not wall-clock. What cannot be measured is null, with the reason
under `notes`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import measuring
import performance
import sections
from measuring import HERE, NotMeasured, machine, written

LATEST = HERE / "latest.json"
PAGE = HERE.parent / "docs" / "performance.md"


@dataclass
class Ledger:
    """What was found so far."""

    keys: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(performance.KEYS))
    notes: dict[str, str] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)

    def enter(self, name: str, measure: Callable[[], sections.Found]) -> None:
        """Measure one section, or note why it could not be measured."""
        began = time.perf_counter()
        try:
            found = measure()
        except NotMeasured as reason:
            found = sections.Found(notes={sections.OF.get(name, name): str(reason)})
        self.keys |= found.keys
        self.notes |= found.notes
        self.detail |= found.detail
        told = {k: f"{v:.3g}" for k, v in found.keys.items() if v is not None} | dict(found.notes)
        print(f"{name:<12} {time.perf_counter() - began:6.0f} s   {told}", flush=True)

    def whole(self, asked: argparse.Namespace) -> dict[str, Any]:
        """Return everything, the promised keys first."""
        missing = {key: "not measured in this run" for key, value in self.keys.items() if value is None}
        return {
            **{k: None if v is None else float(f"{v:.4g}") for k, v in self.keys.items()},
            "notes": missing | self.notes,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "version": _version(),
            "quick": asked.quick,
            "machine": asked.machine,
            "measured": self.detail,
        }


def main() -> int:
    """Measure, write, and print the table."""
    asked = _arguments()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if asked.quick:
        os.environ["REHEARSE_FAST"] = "0"  # making kernels ready would take longer than all the rest
        measuring.IN_THIS_PROCESS = True
    ledger, asked.machine = Ledger(), machine()
    chosen = sections.all_of(quick=asked.quick, make_peers=asked.peers, repeats=asked.repeats)
    out, page = asked.out, asked.page
    if not asked.quick and not asked.only:
        out, page = out or LATEST, page or PAGE
    for name, measure in chosen.items():
        if not asked.only or name in asked.only:
            ledger.enter(name, measure)
            if out is not None:  # so that an interrupted run leaves what it found
                written(out, json.dumps(ledger.whole(asked), indent=2, ensure_ascii=False) + "\n")
    whole = ledger.whole(asked)
    if page is not None:
        written(page, performance.rewritten(page.read_text(encoding="utf-8"), whole))
    print("\n" + performance.table(whole))
    return 0


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rehearse")
    except PackageNotFoundError:
        return "from the tree"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure everything that docs/performance.md promises.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it all work?")
    parser.add_argument("--peers", action="store_true", help="make environments for the peers that lack one")
    parser.add_argument("--repeats", type=int, default=None, help="runs of each arm; the best counts")
    parser.add_argument("--only", nargs="*", default=(), help="only these sections")
    parser.add_argument("--out", type=Path, default=None, help="where to write, instead of latest.json")
    parser.add_argument("--page", type=Path, default=None, help="whose table to rewrite")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
