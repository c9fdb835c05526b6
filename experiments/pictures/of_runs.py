"""The charts and tables of a run: those of its report."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics import find
from rehearse.experiments.pictures import markup, plots
from rehearse.experiments.pictures.chart import Charts
from rehearse.experiments.report.facts import Row
from rehearse.experiments.sentences import UNITS, amount

if TYPE_CHECKING:
    from rehearse.experiments.deciding import Decision, Standing
    from rehearse.experiments.outcome import Finished

MARKS = {"pass": "✓", "fail": "✗", "unsure": "?"}
HEADS = ("", "criterion", "estimate", "interval", "asked", "")
ALARMS = 5


def charts(folder: Path, digest: str = "") -> Charts:
    """Return the charts of the report of a finished run; `digest` tells one run in a folder from the next."""
    return Charts(_charts(folder, digest))


@lru_cache(maxsize=4)
def _charts(folder: Path, digest: str) -> Charts:
    from rehearse.experiments.report.facts import Remembered
    from rehearse.experiments.report.sections import page

    del digest
    return Charts.of(page(Remembered(folder))["charts"]["specs"].values())


def text(run: Finished) -> str:
    """Return a run as lines to print: the verdict, a line a criterion, alarms, and where it is."""
    lines = [run.verdict.upper()]
    lines += [f"{MARKS[str(c['verdict'])]} {c['sentence']}" for c in run.criteria]
    lines += [f"! {alarm['sentence']}" for alarm in run.alarms[:ALARMS]]
    more = len(run.alarms) - ALARMS
    lines += [f"! {more} more alarms rang later: the report has them."] if more > 0 else []
    return "\n".join([*lines, f"{run.user_turns:,} turns; report: {run.folder / 'report.html'}"])


def tables(run: Finished) -> str:
    """Return the verdict, the criteria and where everything is, as HTML."""
    rows = [_line(criterion) for criterion in run.criteria]
    alarms = [markup.said(f"Alarm: {alarm['sentence']}") for alarm in run.alarms[:ALARMS]]
    where = f"{run.user_turns:,} turns in {run.seconds:,.1f} s; record, report.html and log in {run.folder}."
    parts = [markup.table(HEADS, rows)] if rows else []
    return markup.block(f"Verdict: {run.verdict}", [*parts, *alarms, markup.said(where)])


def margins(found: Decision) -> Charts:
    """Return how far each criterion lies on its good side, in half-widths of its interval, as one forest."""
    rows = [
        _margin(standing, (standing.low, standing.high))
        for standing in found.criteria
        if standing.low is not None and standing.high is not None and standing.low < standing.high
    ]
    title = "How far each criterion is on its good side"
    axis = "margin, in half-widths of the interval"
    return Charts.of([plots.forest(rows, "margins", title, axis)] if rows else [])


def _margin(standing: Standing, bounds: tuple[float, float]) -> Row:
    half = (bounds[1] - bounds[0]) / 2.0
    sign = 1.0 if standing.direction == "at_least" else -1.0
    value, *ends = (sign * (v - standing.threshold) / half for v in (standing.estimate or 0.0, *bounds))
    title = find(standing.metric).title
    return {
        "what": f"{standing.group}: {title}" if standing.group else title,
        "value": value,
        "low": min(ends),
        "high": max(ends),
        "word": {"pass": "better", "fail": "worse"}.get(standing.verdict, ""),
        "said": standing.verdict,
    }


def standing_tables(found: Decision) -> str:
    """Return the criteria of a decision as HTML."""
    rows = [_line(standing.model_dump()) for standing in found.criteria]
    runs = f"After {len(found.runs)} of at most {found.most} runs; intervals hold however often one looks."
    return markup.block(f"Verdict: {found.verdict}", [markup.table(HEADS, rows), markup.said(runs)])


def _line(criterion: dict[str, Any]) -> tuple[str, ...]:
    scale = find(criterion["metric"]).scale
    found, low, high = (
        "–" if criterion[name] is None else amount(criterion[name], scale)
        for name in ("estimate", "low", "high")
    )
    among = f" among {criterion['group']}" if criterion["group"] else ""
    side = criterion["direction"].replace("_", " ")
    return (
        MARKS[criterion["verdict"]],
        find(criterion["metric"]).title + among,
        found,
        f"{low.removesuffix(UNITS.get(scale, ''))} to {high}" if criterion["low"] is not None else "–",
        f"{side} {amount(criterion['threshold'], scale)}",
        criterion["verdict"],
    )
