"""The page of a comparison: differences in a table, and the lives that changed most, side by side."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.experiments.fates import Person, lives
from rehearse.experiments.report import fill

if TYPE_CHECKING:
    from rehearse.experiments.compare import Comparison, Difference
    from rehearse.record.reading import RunRecord

PAGE = "compare.html"
WIDTH = 132
"""Characters that fit beside each other on the page."""
KEYS = {"better": "pass", "worse": "fail"}
REACH = 46.0
"""Percent of a bar to either side of no difference that the farthest bound takes."""


def write(found: Comparison, a: RunRecord, b: RunRecord, folder: Path) -> Path:
    """Write `compare.html` into a folder, made where there is none, and return its path."""
    from rehearse.tables import write_text

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PAGE, fill("compared.html.j2", page(found, a, b)))
    return folder / PAGE


def page(found: Comparison, a: RunRecord, b: RunRecord) -> dict[str, Any]:
    """Return everything the template shows."""
    return {
        "found": found,
        "runs": [str(record.folder) for record in (a, b)],
        "scenarios": [f"{record.scenario.title} ({record.scenario.name})" for record in (a, b)],
        "lots": [("Everybody", _lines(found.differences))]
        + [(str(name), _lines(rows)) for name, rows in groupby(found.groups, lambda row: row.group)]
        + [(str(name), _lines(rows)) for name, rows in groupby(found.segments, lambda row: row.group)],
        "notes": found.notes(),
        "people": [
            (title, [(str(person), _life(a, b, person)) for person in people])
            for title, people in (("Who gained most under B", found.gained), ("Who lost most", found.lost))
            if people
        ],
    }


def _life(a: RunRecord, b: RunRecord, person: Person) -> str:
    return lives(a, b, person, WIDTH) if a.scope.keeps_turns_of(person.user) and a.scope.has_turns else ""


def _lines(rows: Any) -> list[dict[str, Any]]:
    from rehearse.experiments.compare import line

    return [
        dict(zip(("metric", "a", "b", "difference", "bounds", "saved", "p", "word"), line(row), strict=True))
        | {
            "key": KEYS.get(row.change, ""),
            "word": row.change if row.change in KEYS else "",
            "bar": _bar(row),
        }
        for row in rows
        if row.a != row.b or row.low != row.high
    ]


def _bar(row: Difference) -> dict[str, float] | None:
    """Return where a difference and its bounds lie on a bar with no difference in the middle, in percent."""
    if row.low is None or row.high is None or row.difference is None:
        return None
    farthest = max(abs(row.low), abs(row.high))
    scale = REACH / farthest if farthest > 0.0 else 0.0
    ends = {"low": row.low, "high": row.high, "at": row.difference}
    return {name: round(50.0 + scale * value, 2) for name, value in ends.items()}
