"""The charts and tables of comparisons, counterfactuals and off-policy estimates: forests of intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rehearse.experiments.metrics import METRICS
from rehearse.experiments.metrics.base import Scale
from rehearse.experiments.pictures import markup, plots
from rehearse.experiments.pictures.chart import Charts
from rehearse.experiments.report import words
from rehearse.experiments.report.charts import Spec
from rehearse.experiments.report.facts import Row

if TYPE_CHECKING:
    from rehearse.experiments.compare import Comparison, Difference
    from rehearse.experiments.counterfactual.values import Counterfactual, Moved
    from rehearse.experiments.offpolicy.estimates import OffPolicy

AXES: dict[Scale, str] = {
    "share": "B − A, in points",
    "level": "B − A",
    "amount": "B − A",
    "index": "B − A",
    "rate": "B − A",
}
SCALED: dict[Scale, float] = {"share": 100.0}


def of_comparison(found: Comparison) -> Charts:
    """Return forests of B − A: everybody's, those of groups and segments; one for each unit of measure."""
    lots = (("differences", "Everybody", found.differences), ("groups", "Groups", found.groups))
    specs = [
        spec
        for name, who, rows in (*lots, ("segments", "Segments", found.segments))
        for spec in _forests(name, f"{who}: B ({found.b}) − A ({found.a})", rows)
    ]
    return Charts.of(specs)


def _forests(name: str, title: str, rows: Sequence[Difference]) -> Iterable[Spec]:
    known = [
        row for row in rows if row.low is not None and row.difference is not None and row.low != row.high
    ]
    by_scale: dict[Scale, list[Row]] = {}
    for row in known:
        by_scale.setdefault(METRICS[row.metric].scale, []).append(_drawn(row))
    for scale in sorted(by_scale, key=lambda scale: -len(by_scale[scale])):
        called = name if scale == "share" else f"{name} {scale}"
        yield plots.forest(by_scale[scale], called, title, AXES.get(scale, f"B − A, in {scale}"))


def _drawn(row: Difference) -> Row:
    from rehearse.experiments.compare import line

    metric, _, _, difference, bounds, *_ = line(row)
    times = SCALED.get(METRICS[row.metric].scale, 1.0)
    return {
        "what": f"{row.group}: {metric}" if row.group else metric,
        "value": times * (row.difference or 0.0),
        "low": times * (row.low or 0.0),
        "high": times * (row.high or 0.0),
        "word": row.change,
        "said": f"{difference} ({bounds})",
    }


def comparison_tables(found: Comparison) -> str:
    """Return the differences of everybody, groups and segments as HTML."""
    from rehearse.experiments.compare import line

    heads = ("metric", "A", "B", "B − A", f"{100 * found.confidence:g} % interval", "saved", "p", "")
    parts = []
    for who, rows in (
        ("Everybody", found.differences),
        ("Groups", found.groups),
        ("Segments", found.segments),
    ):
        moved = [row for row in rows if row.a != row.b or row.low != row.high]
        cells = [line(row) for row in moved]
        lines = [
            (
                f"{r.group}: {c[0]}" if r.group else c[0],
                *c[1:-1],
                r.change if r.change in markup.MARKED else "",
            )
            for r, c in zip(moved, cells, strict=True)
        ]
        parts += [markup.said(who), markup.table(heads, lines, most=60)] if lines else []
    for title, people in (("Gained most under B", found.gained), ("Lost most", found.lost)):
        parts += (
            [markup.said(title), markup.table(("person",), [(str(p),) for p in people])] if people else []
        )
    return markup.block(
        f"B: {found.b} compared with A: {found.a}", [*parts, *map(markup.said, found.notes())]
    )


def of_counterfactual(found: Counterfactual) -> Charts:
    """Return a forest for each outcome: after − before, for everybody, groups and segments."""
    specs = []
    for outcome in dict.fromkeys(row.outcome for row in found.rows):
        rows = [
            {
                "what": row.name or "everybody",
                "value": row.difference,
                "low": row.low,
                "high": row.high,
                "word": "",
                "said": f"{words.number(row.before)} before, {words.number(row.after)} after",
            }
            for row in found.rows
            if row.outcome == outcome and row.low is not None and row.low != row.high
        ]
        title = f"{words.title(outcome.replace('_', ' '))} if {found.change}"
        specs += [plots.forest(rows, outcome, title, "after − before, a person")] if rows else []
    return Charts.of(specs)


def counterfactual_tables(found: Counterfactual) -> str:
    """Return who was touched and how outcomes moved, as HTML."""
    share = found.flipped / found.turns if found.turns else None
    heads = ("who", "outcome", "before", "after", "after − before", "from", "to", "p")
    rows = [
        (
            r.name or "everybody",
            r.outcome,
            *map(words.number, (r.before, r.after, r.difference, r.low, r.high)),
            _p(r),
        )
        for r in found.rows
    ]
    lede = (
        f"{found.touched:,} of {found.people:,} lives differ; the model answered {found.flipped:,} of "
        f"{found.turns:,} turns otherwise ({words.percent(share)})."
    )
    return markup.block(f"What if: {found.change}", [markup.said(lede), markup.table(heads, rows, most=60)])


def _p(row: Moved) -> str:
    p = row.p_corrected
    return "–" if p is None else "<.001" if p < 0.001 else f"{p:.2g}"


def of_estimates(found: OffPolicy) -> Charts:
    """Return the forest of what each estimator says a turn earns, beside the logged and the true mean."""
    rows = [
        {
            "what": row["estimator"],
            "value": row["value"],
            "low": row["low"],
            "high": row["high"],
            "word": "",
            "said": f"{row['value']:.4g}",
        }
        for row in found.rows()
    ]
    title = "What the target would earn a turn"
    return Charts.of([plots.forest(rows, "estimates", title, "reward a turn", zero=False)])


def estimate_tables(found: OffPolicy) -> str:
    """Return the estimates as HTML."""
    rows = found.rows()
    names = [name for name in ("estimator", "value", "error", "low", "high") if name in rows[0]]
    worth = (
        f"{found.turns:,} turns tell as much as {found.ess:,.0f} of the target itself; "
        f"the largest weight is {found.max_weight:.3g}."
    )
    lines = [[row[name] for name in names] for row in rows]
    return markup.block(
        "Off-policy estimates", [markup.table(names, lines), *map(markup.said, (worth, *found.notes))]
    )
