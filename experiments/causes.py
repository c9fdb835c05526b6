"""What may have caused a shift: what was scheduled, a version deployed, a version rolled back."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from rehearse.columns import Columns
from rehearse.experiments.metrics import Readable

JUST_BEFORE = 2
"""A change up to so many ticks before the onset of a shift is its most likely cause."""
EARLIER = 10
"""One up to so many ticks before may have worked slowly."""


class Cause(NamedTuple):
    """A change that came before a shift."""

    note: str
    tick: int
    likely: bool
    """Whether it came just before the onset, or until the alarm."""


def changes(record: Readable) -> list[Mapping[str, Any]]:
    """Return all that changed during a run and when: marks of its manifest, and what the turns tell."""
    told = record.query("SELECT * FROM turns LIMIT 0")
    return [*record.manifest.get("marks", ()), *versions(record, told), *_rollbacks(record, told)]


def cause_of(onset: int, rang: int, changed: Sequence[Mapping[str, Any]]) -> Cause | None:
    """Return the change that most likely caused a shift from `onset` on that rang at a tick."""
    just = [m for m in changed if onset - JUST_BEFORE <= int(m["tick"]) <= rang]
    near = just or [m for m in changed if onset - EARLIER <= int(m["tick"]) < onset]

    def order(mark: Mapping[str, Any]) -> tuple[bool, int, int]:
        # A model that learns every night would be to blame for everything: it comes last.
        tick = int(mark["tick"])
        return mark.get("kind") == "learn", abs(tick - onset), tick

    best = min(near, key=order, default=None)
    if best is None:
        return None
    note = str(best.get("note") or best.get("kind", "")).rstrip(".")
    return Cause(note, int(best["tick"]), bool(just))


def versions(record: Readable, told: Container[str]) -> list[dict[str, Any]]:
    """Return which versions of the model answered for the first time when, after the first tick."""
    if "version" not in told:
        return []
    found = record.query(
        "SELECT version, min(tick) AS tick FROM turns GROUP BY version ORDER BY tick, version"
    )
    numbered = zip(found["version"].tolist(), found["tick"].tolist(), strict=True)
    return [
        {"tick": int(tick), "kind": "learn", "note": f"version {version} of the model was deployed"}
        for version, tick in numbered
        if tick > 0
    ]


def _rollbacks(record: Readable, told: Columns) -> list[dict[str, Any]]:
    back = []
    for column in (name for name in told if name.endswith("rolled_back")):
        found = record.query(f'SELECT min(tick) AS tick FROM turns WHERE "{column}" = 1')
        if found.length and found.numbers("tick")[0] >= 0:
            tick = int(found.numbers("tick")[0])
            back.append({"tick": tick, "kind": "rollback", "note": "the previous version took over"})
    return back
