"""The table of `docs/performance.md`: what was promised, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEASURED, WORLDS = "measured", "worlds"
"""What is written by the benchmarks: the parts of the page between markers of these names."""
BEGIN, END = f"<!-- {MEASURED}: begin -->", f"<!-- {MEASURED}: end -->"


@dataclass(frozen=True)
class Promise:
    """A figure of latest.json and what it should be."""

    key: str
    target: float
    words: str
    at_least: bool = False
    digits: int = 2

    def met(self, value: float) -> bool:
        """Tell whether a figure is as good as promised."""
        return value >= self.target if self.at_least else value <= self.target

    def row(self, value: float | None, why: str) -> str:
        """Return the line of the table."""
        bound = f"{'≥' if self.at_least else '≤'} {self._shown(self.target)}"
        if value is None:
            return f"| {self.words} | {bound} | – | not measured: {why} |"
        verdict = "met" if self.met(value) else "**missed**"
        return f"| {self.words} | {bound} | {self._shown(value)} | {verdict} |"

    def _shown(self, value: float) -> str:
        return f"{value:,.{self.digits}f}" if value < 1000 else f"{value:,.0f}"


PROMISES = (
    Promise("overhead_w_100k", 1.4, "Whole run ÷ bare decision model, 100,000 users"),
    Promise("overhead_w_1m", 1.4, "Whole run ÷ bare decision model, 1,000,000 users"),
    Promise(
        "cheap_turns_per_cpu_s", 2.5e6, "User turns a CPU second with the cheap model, all recorded", True, 0
    ),
    Promise("x_mesa_objects", 50, "Times the rate of plain Mesa objects (cheap model)", True, 1),
    Promise("x_mesa_frames", 4, "Times the rate of mesa-frames (cheap model)", True, 1),
    Promise("x_trecs", 300, "Times the rate of T-RECS, content filtering", True, 0),
    Promise("x_recsim", 150, "Times the rate of RecSim, interest evolution", True, 0),
    Promise("scale_1m_over_10k", 1.25, "Cost of a user turn at 1,000,000 users ÷ at 10,000"),
    Promise("bytes_per_user", 300, "Bytes a user: standard persona and ties, beside tastes", digits=0),
    Promise("influence_over_csr", 1.5, "A tick of influence, 1,000,000 people ÷ bare CSR product"),
    Promise(
        "handles_over_mesa", 1.0, "Scalar behaviour through handles ÷ plain Mesa objects (time), at worst"
    ),
    Promise("shards2_over_two_copies", 0.9, "Two shards ÷ two independent copies (rate)", at_least=True),
)
BESIDE = {
    "overhead_without_making_people": "Overhead at 100,000 users without making people and ties",
    "overhead_w_100k_full_row": "Overhead at 100,000 users with all columns recorded",
    "cost_of_the_full_row_cheap": "Cost of a turn with all columns ÷ with W's, cheap model",
    "cost_of_the_usual_tile_linear": "Cost of a turn asked in tiles of 256 ÷ a block at a time, linear model",
    "cost_of_the_usual_tile_cheap": "The same, cheap model",
    "x_mesa_objects_linear": "Times the rate of plain Mesa objects, linear model",
    "x_trecs_linear": "Times the rate of T-RECS, linear model",
    "influence_over_csr_float64": "Influence ÷ a bare product in double precision",
    "handles_over_mesa_opinions": "Handles ÷ plain Mesa (time): opinions",
    "handles_over_mesa_boltzmann": "Handles ÷ plain Mesa (time): Boltzmann wealth",
    "handles_over_mesa_attributes": "Handles ÷ plain Mesa (time): reading and writing attributes alone",
    "feed_over_mesa_greedy": "Times the rate of plain Mesa on `feed`, greedy-v1 (aim: 10)",
    "feed_over_mesa_constant": "Times the rate of plain Mesa on `feed`, constant-v1 (aim: 20)",
}
"""Other figures that the page shows."""
KEYS = tuple(promise.key for promise in PROMISES)


def table(found: Mapping[str, Any]) -> str:
    """Return the table in Markdown."""
    head = "| What | Target | Measured | |\n|---|---|---|---|"
    notes = found.get("notes", {})
    rows = [p.row(found.get(p.key), notes.get(p.key, "no reason given")) for p in PROMISES]
    return "\n".join([head, *rows])


def beside(found: Mapping[str, Any]) -> str:
    """Return the table of the other figures in Markdown; those of pieces stand under `measured`."""
    known: dict[str, Any] = {}
    for each in found.get("measured", {}).values():
        known |= each if isinstance(each, Mapping) else {}
    known |= found
    rows = [f"| {words} | {known[key]:,.2f} |" for key, words in BESIDE.items() if known.get(key) is not None]
    return "\n".join(["| Beside these | Measured |", "|---|---|", *rows])


def where_it_goes(found: Mapping[str, Any]) -> str:
    """Return the table of phases in Markdown."""
    phases: Mapping[str, Mapping[str, float]] = found.get("measured", {}).get("phases", {})
    if not phases:
        return "Where the time goes was not measured in this run."
    names = list(dict.fromkeys(name for each in phases.values() for name in each))
    head = ["| ns a user turn | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    rows = [
        f"| {arm} | " + " | ".join(f"{each[n]:,.0f}" if n in each else "" for n in names) + " |"
        for arm, each in phases.items()
    ]
    return "\n".join(head + rows)


def measured_on(found: Mapping[str, Any]) -> str:
    """Return the sentence that says when and on what it was measured."""
    on = found["machine"]
    libraries = ", ".join(
        f"{name} {on[name]}" for name in ("numpy", "scipy", "numba", "pyarrow", "mesa") if on.get(name)
    )
    where = f"{on['cores']} cores of {on['processor']}, {on['system']}, Python {on['python']}, {libraries}"
    when = f"Measured {found['date']}, version {found['version']}"
    return f"{when}, on {where}; load before: {on['load before']:.1f}."


def rewritten(page: str, found: Mapping[str, Any]) -> str:
    """Return the page with the measured part replaced; ValueError where its markers are not."""
    return between(page, "\n\n".join((table(found), measured_on(found), beside(found), where_it_goes(found))))


def between(page: str, middle: str, part: str = MEASURED) -> str:
    """Return the page with what stands between the markers of a part replaced; ValueError without them."""
    opening, closing = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, begin, rest = page.partition(opening)
    _, end, after = rest.partition(closing)
    if not begin or not end:
        problem = f"the page lacks {opening} or {closing}"
        raise ValueError(problem)
    return f"{before}{opening}\n{middle}\n{closing}{after}"
