"""A counterfactual as lines to print."""

from __future__ import annotations

from itertools import groupby

from rehearse.experiments.counterfactual.values import Counterfactual, Moved, Share
from rehearse.experiments.report import words

MEANT = {
    "decision": "the model answered otherwise",
    "asked": "a turn was held in one life only",
    "other": "the same answer, and something else came of it",
    "none": "nothing differs",
}


def table(found: Counterfactual) -> str:
    """Return who was touched, how outcomes moved, by what first, and through how many ties."""
    share = found.flipped / found.turns if found.turns else None
    answers = f"{found.flipped:,} of {found.turns:,} otherwise ({words.percent(share)})"
    lines = [
        f"What if: {found.change}",
        f"Same people, same luck: {found.touched:,} of {found.people:,} lives differ. Of the turns",
        f"that both have, the model answered {answers}.",
        "",
    ]
    head = ("", "before", "after", "after − before", f"{100 * found.confidence:g} % interval", "p")
    cells: list[tuple[str, ...]] = [head]
    for (_, name), rows in groupby(found.rows, lambda row: (row.kind, row.name)):
        told = list(rows)
        cells.append((_whom(name, told[0]), *("",) * 5))
        cells += [_line(row) for row in told]
    lines += _aligned(cells)
    lines.append(f"A person, over {found.unit}; p corrected for the {len(found.rows)} rows (Holm).")
    lines += _shares("What differs first", found.causes, MEANT)
    lines += _shares("Reached through ties", found.reach, {})
    return "\n".join(lines)


def _whom(name: str | None, row: Moved) -> str:
    who = "everybody" if name is None else f"{row.kind} {name}"
    return f"{who}: {words.percent(row.touched)} touched, {words.percent(row.flipped)} of answers flipped"


def _line(row: Moved) -> tuple[str, ...]:
    bounds = "–" if row.low is None else f"{_signed(row.low)} to {_signed(row.high)}"
    p = "–" if row.p_corrected is None else "<.001" if row.p_corrected < 0.001 else f"{row.p_corrected:.2g}"
    return (
        f"  {row.outcome}",
        words.number(row.before),
        words.number(row.after),
        _signed(row.difference),
        bounds,
        p,
    )


def _shares(title: str, rows: tuple[Share, ...], meant: dict[str, str]) -> list[str]:
    if not rows:
        return []
    names = list(rows[0].differences)
    cells: list[tuple[str, ...]] = [("", "people", "first tick", *names)]
    for row in rows:
        moved = [_signed(row.differences[name]) for name in names]
        first = "–" if row.first_tick is None else words.number(row.first_tick)
        cells.append((f"  {meant.get(row.name, row.name)}", f"{row.people:,}", first, *moved))
    return ["", f"{title} (sums over these people, after − before):", *_aligned(cells)]


def _signed(value: float | None) -> str:
    said = words.number(value)
    return f"+{said}" if value is not None and value > 0.0 else said.replace("-", "−")


def _aligned(cells: list[tuple[str, ...]]) -> list[str]:
    rows = [line for line in cells if line[1]]
    widths = [max(len(line[i]) for line in rows) for i in range(len(cells[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
