"""Right and wrong answers: by how much they were off, and what was answered where something else was best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics.base import Kind
from rehearse.experiments.report import charts, facts, parts, portraits, words
from rehearse.experiments.report.facts import Row
from rehearse.experiments.report.parts import EVERYBODY

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

Section = dict[str, Any]
Add = Callable[[charts.Spec], str]
RIGHT = ("right", "right", "var(--good)")


def section(record: RunRecord, items: Sequence[tuple[int, str]], add: Add) -> Section:
    """Return matrices for everybody and each part of them where items are few, and shares of misses."""
    kinds = parts.kinds(record)
    panels: list[Section] = []
    if (facts.OTHERS, "others") not in items:
        panels = _matrices(record, items, kinds[0] if kinds else parts.KINDS[0], add, overall=True)
        for kind in kinds[1:]:
            panels += _matrices(record, items, kind, add, overall=False)
    bounds = parts.bands(record)
    if bounds is None and panels:
        return {"panels": panels, "misses": None}
    return {"panels": panels, "misses": _misses(record, kinds, bounds, add)}


def _misses(
    record: RunRecord, kinds: Sequence[Kind], bounds: tuple[float, float] | None, add: Add
) -> Section | None:
    """Return how many answers were wrong, and by how much where that differs; None if none was judged."""
    told = _told(bounds)
    order: list[str] = [EVERYBODY]
    values: list[Row] = []
    for kind in kinds or parts.KINDS[:1]:
        names = parts.names(record, kind) if kind in kinds else []
        found = parts.misses(record, kind, *(bounds or (0.0, 0.0)))
        there = names if values else [EVERYBODY, *names]
        told_as = {name: f"{name} ({kind})" if name in order[1:] else name for name in there}
        values += [row | {"part": told_as[row["part"]]} for row in found if row["part"] in told_as]
        order += [told_as[name] for name in names]
    if not values:
        return None
    said = f"How far answers were off, in regret, for {words.listed(order)}."
    drawn = portraits.bars(values, order, told, said, "answers")
    return {
        "id": add(charts.named(drawn, "misses", "How far answers were off, in regret")),
        "legend": [(colour, name) for _, name, colour in told],
    }


def _told(bounds: tuple[float, float] | None) -> list[tuple[str, str, str]]:
    """Return kinds of answers with their words and colours; where all lost alike, wrong ones are one kind."""
    if bounds is None:
        return [RIGHT, ("much", "wrong", "var(--bad)")]
    low, high = (words.number(bound) for bound in bounds)
    return [
        RIGHT,
        ("little", f"wrong by less than {low}", "var(--left-soft)"),
        ("some", f"by {low} to {high}", "var(--left)"),
        ("much", f"by {high} or more", "var(--bad)"),
    ]


def _matrices(
    record: RunRecord, items: Sequence[tuple[int, str]], kind: Kind, add: Add, *, overall: bool
) -> list[Section]:
    found = facts.confusion(record, [item for item, _ in items], kind)
    names = parts.names(record, kind)
    wanted = [""] * overall + (names if len(names) > 1 else [])
    panels = []
    for name in wanted:
        values = [row for row in found if row["part"] == name]
        if values:
            who = name or EVERYBODY
            n, right = (sum(row[key] for row in values) for key in ("n", "good"))
            drawn = portraits.confusion(values, items, who)
            title = f"Answers and the truly best ones: {who}"
            panel = add(charts.named(drawn, f"confusion {who}", title))
            panels.append({"who": who, "n": n, "right": right, "id": panel})
    return panels
