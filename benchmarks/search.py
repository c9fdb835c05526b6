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
HEAD = """# Planted defects that are found

Made by `python benchmarks/search.py` and `--table`: {budget} evaluations at most, {seeds} seeds. A cell
says with how many seeds a defect was found, and after how many evaluations in the median (over all seeds).
What the defects are: [docs/design/search.md](../docs/design/search.md).

"""


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
    """Return what was measured as Markdown, of the seeds that are finished with everything."""
    kept = {name: [json.loads(line) for line in _lines(KEPT / f"{name}.jsonl")] for name in DEFECTS}
    found = {(name, how, seed): at for name, rows in kept.items() for how, seed, _, at in rows}
    every = [seed for _, _, seed in found]
    whole = [s for s in sorted(set(every)) if every.count(s) == len(DEFECTS) * len(SEARCHERS)]
    budget = max(row[2] for rows in kept.values() for row in rows)
    lines = ["| defect | " + " | ".join(SEARCHERS) + " |", "|---|" + "---|" * len(SEARCHERS)]
    for name in DEFECTS:
        cells = [_cell([found[name, how, seed] for seed in whole], budget) for how in SEARCHERS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    counts = {how: [sum(found[n, how, s] is not None for n in DEFECTS) for s in whole] for how in SEARCHERS}
    totals = [f"**{median(n):g}** ({min(n)}–{max(n)}), mean {sum(n) / len(n):.2f}" for n in counts.values()]
    lines.append(f"| found of five, median over seeds (range) | {' | '.join(totals)} |")
    return HEAD.format(budget=budget, seeds=len(whole)) + "\n".join(lines) + "\n"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


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
