"""Does the search find planted defects? Five models, three searchers, equal budgets, twenty seeds each.

    python benchmarks/search.py [--budget 60] [--seeds 20] [--only lender,seller]
    python benchmarks/search.py --table          # of all that was measured, into benchmarks/search.md

A defect is found where an evaluation fails, with its seed and two that no searcher had. A search ends with
that, or with its budget. Every searcher begins with the same twelve points. Runs and results are kept in
build/search, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from statistics import median

from rehearse.experiments.search.aims import aim
from rehearse.experiments.search.inspecting import evaluated, still
from rehearse.experiments.search.searchers import SEARCHERS, searcher
from rehearse.experiments.search.space import room
from rehearse.experiments.search.trials import Trials
from rehearse.experiments.sweep import keeping
from rehearse.scenario.load import load

HERE = Path(__file__).parent
PLANTED = HERE.parent / "tests" / "search" / "planted"
KEPT = HERE.parent / "build" / "search"
DEFECTS = ("lender", "recommender", "assistant", "seller", "clinic")
BATCH = 4


def first_found(defect: str, how: str, seed: int, budget: int, trials: Trials) -> int | None:
    """Return the number of the evaluation at which a searcher finds a defect; None within its budget."""
    space = room(load(PLANTED / f"{defect}.yaml"))
    target, one = aim(space.base), searcher(how, space.choices, seed)
    for start in range(0, budget, BATCH):
        points = one.ask(BATCH)
        batch = [space.values(point) for point in points]
        outcomes = evaluated(space, batch, target, trials)
        one.tell(points, [outcome.margin for outcome in outcomes])
        for place, (values, outcome) in enumerate(zip(batch, outcomes, strict=True)):
            if outcome.fails and still(space.scenario(values), target, trials):
                return start + place + 1
    return None


def measure(defects: list[str], budget: int, seeds: int) -> None:
    """Make the searches that are not made yet, and keep a line of each."""
    for defect in defects:
        folder, lines = KEPT / defect, KEPT / f"{defect}.jsonl"
        keeping.begin(folder, "search: planted\n", resume=True)
        there = (
            {tuple(json.loads(line)[:3]) for line in lines.read_text().splitlines()}
            if lines.exists()
            else set()
        )
        with Trials(folder) as trials, lines.open("a", encoding="utf-8") as file:
            for seed in range(1, seeds + 1):
                for how in SEARCHERS:
                    if (how, seed, budget) not in there:
                        found = first_found(defect, how, seed, budget, trials)
                        file.write(json.dumps([how, seed, budget, found]) + "\n")
                        file.flush()
        sys.stderr.write(f"{defect}: done\n")


def table() -> str:
    """Return all that was measured as Markdown."""
    kept = {
        name: [json.loads(line) for line in (KEPT / f"{name}.jsonl").read_text().splitlines()]
        for name in DEFECTS
    }
    budget = min(row[2] for rows in kept.values() for row in rows)
    cell = partial(_cell, budget=budget)
    lines = ["| defect | " + " | ".join(SEARCHERS) + " |", "|---|" + "---|" * len(SEARCHERS)]
    for name, rows in kept.items():
        lines.append(
            f"| {name} | " + " | ".join(cell([r[3] for r in rows if r[0] == how]) for how in SEARCHERS) + " |"
        )
    totals = []
    for how in SEARCHERS:
        seeds = sorted({row[1] for row in kept["lender"] if row[0] == how})
        found = [sum(any(r[:2] == [how, s] and r[3] for r in rows) for rows in kept.values()) for s in seeds]
        totals.append(f"**{median(found):g}** ({min(found)}–{max(found)})")
    lines.append("| found of five, median over seeds (range) | " + " | ".join(totals) + " |")
    return "\n".join(lines) + "\n"


def _cell(found: list[int | None], budget: int) -> str:
    """Return of how many seeds a defect was found, and after how many evaluations in the median."""
    needed = median(budget + 1 if number is None else number for number in found) if found else budget + 1
    after = f"after {needed:g}" if needed <= budget else f"more than {budget}"
    return f"{sum(number is not None for number in found)} of {len(found)}, {after}"


def main() -> None:
    """Measure, or write the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--budget", type=int, default=60)
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--only", default=",".join(DEFECTS))
    options.add_argument("--table", action="store_true")
    given = options.parse_args()
    if given.table:
        (HERE / "search.md").write_text(table(), encoding="utf-8")
        print(table())
    else:
        measure(given.only.split(","), given.budget, given.seeds)


if __name__ == "__main__":
    main()
