"""The verdict: criteria judged with intervals, in words, each with the turns that show it.

A criterion passes if the whole interval of its metric lies on the good side of the threshold and
fails if the whole of it lies on the bad side; else it is unsure. With two-sided intervals of 95 %
the evidence thus contradicts a passed or failed criterion in at most 2.5 of 100 rehearsals.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from rehearse.columns import Columns
from rehearse.experiments import sentences
from rehearse.experiments.intervals import Interval, Unit
from rehearse.experiments.metrics import HEADLINES, METRICS, Measures, Metric, Part, Readable, find
from rehearse.experiments.metrics.base import Cases, Gap, turns_of
from rehearse.experiments.metrics.society import first_quarter, ticks_of
from rehearse.experiments.monitor import Alarm, alarms
from rehearse.experiments.sentences import Word
from rehearse.scenario.base import Strict
from rehearse.scenario.model import Criterion, Scenario

MOST_ALARMS = 5
"""Of more alarms than this the first are told, and how many there are."""
SHOWN = 5
"""Turns shown for a criterion, of as many people."""
SEARCHED = 200
"""Turns looked through for them, so that one unlucky person does not fill the list."""
CONFIDENCE = 0.95
"""Of the intervals that no criterion asked for."""
DIGITS = 9
"""Significant digits kept: more are noise of the order of summation."""


class Evidence(Strict):
    """A turn that shows a criterion at its worst."""

    replica: int
    user: int
    tick: int
    session: int
    turn: int
    why: str


class Estimate(Strict):
    """A metric's value and the bounds of its interval; None where there is none."""

    metric: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    """How many independent units it rests on."""
    unit: Unit


class Judgement(Strict):
    """A criterion and what became of it."""

    metric: str
    group: str | None
    direction: str
    """`at_least` or `at_most`."""
    threshold: float
    estimate: float | None
    low: float | None
    high: float | None
    confidence: float
    n: int
    unit: Unit
    verdict: Word
    sentence: str
    why: str
    """Why the scenario asks for this."""
    evidence: tuple[Evidence, ...]


class GroupRow(Strict):
    """How it went for a group (or for everybody, where `group` is None)."""

    group: str | None
    people: int
    measures: tuple[Estimate, ...]


class Verdict(Strict):
    """What the rehearsal says about the model."""

    verdict: Word | Literal["not completed"]
    sentence: str
    unit: Unit
    n: int
    """How many independent units there are."""
    criteria: tuple[Judgement, ...]
    measures: tuple[Estimate, ...]
    """Every metric that the record holds, of everybody, at 95 % confidence."""
    groups: tuple[GroupRow, ...]
    alarms: tuple[Alarm, ...]
    refusals: tuple[str, ...] = ()
    """What the model tried that the sandbox does not allow, a sentence each."""

    def table(self) -> str:
        """Return the criteria as lines to print, the verdict last."""
        marks = {"pass": "✓", "fail": "✗", "unsure": "?"}
        lines = [f"{marks[c.verdict]} {c.sentence}" for c in self.criteria]
        lines += [f"! {alarm.sentence}" for alarm in self.alarms[:MOST_ALARMS]]
        if len(self.alarms) > MOST_ALARMS:
            lines.append(f"! {len(self.alarms) - MOST_ALARMS} more alarms rang later: the report has them.")
        lines += [f"! {sentence}" for sentence in self.refusals[:MOST_ALARMS]]
        judged = {c.metric for c in self.criteria}
        failed = next((m.estimate for m in self.measures if m.metric == "error_rate"), None)
        if failed and "error_rate" not in judged:
            lines.append(f"! {sentences.amount(failed, 'share')} of the calls failed through the model.")
        return "\n".join([*lines, f"{self.verdict.upper()}: {self.sentence}"])


def judge(record: Readable, scenario: Scenario) -> Verdict:
    """Judge a record by its scenario's criteria; raises ScenarioError for a metric that there is not."""
    criteria = [(criterion, find(criterion.metric)) for criterion in scenario.criteria]
    measures = Measures(record, (metric for _, metric in criteria))
    judged = tuple(_judgement(measures, criterion, metric) for criterion, metric in criteria)
    words: list[Word] = [j.verdict for j in judged]
    stopped = record.manifest.get("stopped", {}).get("sentence", "")
    return Verdict(
        verdict="not completed" if stopped else worst(words),
        sentence=f"{stopped} So far: {sentences.overall(words)}" if stopped else sentences.overall(words),
        unit=measures.unit,
        n=len(measures.replicas) if measures.unit == "replicas" else measures.people(),
        criteria=judged,
        measures=tuple(_estimate(measures, m) for m in METRICS.values() if measures.applies(m)),
        groups=tuple(_group_rows(measures)),
        alarms=() if measures.empty or not measures.scope.has_turns else alarms(measures.record),
        refusals=tuple(sentences.refusals(record.manifest.get("sandbox", {}))),
    )


def worst(words: list[Word]) -> Word:
    """Return the word over several criteria: that of the one which fared worst."""
    if "fail" in words:
        return "fail"
    return "unsure" if "unsure" in words or not words else "pass"


def _judgement(measures: Measures, criterion: Criterion, metric: Metric) -> Judgement:
    part = Part("group", criterion.group) if criterion.group else None
    found = measures.interval(metric, criterion.confidence, part)
    applies = measures.applies(metric)
    least = criterion.at_least is not None
    threshold = criterion.at_least if criterion.at_least is not None else criterion.at_most
    return Judgement(
        **_numbers(metric, found),
        group=criterion.group,
        direction="at_least" if least else "at_most",
        threshold=float(threshold or 0.0),
        confidence=criterion.confidence,
        verdict=sentences.verdict_of(criterion, found),
        sentence=_sentence(measures, criterion, metric, found),
        why=criterion.why,
        evidence=tuple(evidence(measures, metric, part)) if applies else (),
    )


def _sentence(measures: Measures, criterion: Criterion, metric: Metric, found: Interval) -> str:
    if not measures.kept(metric):
        return sentences.not_kept(criterion, measures.scope)
    if not measures.applies(metric):
        return sentences.not_there(criterion, metric)
    judged = sentences.judged(criterion, metric, found)
    return sentences.from_sample(judged, measures.scope) if measures.sampled(metric) else judged


def _group_rows(measures: Measures) -> list[GroupRow]:
    names = measures.names("group")
    if len(names) < 2 or measures.empty:
        return []
    parts = [None, *(Part("group", name) for name in names)]
    told = [METRICS[name] for name in HEADLINES if measures.applies(METRICS[name])]
    return [
        GroupRow(
            group=part.name if part else None,
            people=measures.people(part),
            measures=tuple(_estimate(measures, metric, part) for metric in told),
        )
        for part in parts
    ]


def _estimate(measures: Measures, metric: Metric, part: Part | None = None) -> Estimate:
    return Estimate(**_numbers(metric, measures.interval(metric, CONFIDENCE, part)))


def _numbers(metric: Metric, found: Interval) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "estimate": rounded(found.estimate),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "n": found.n,
        "unit": found.unit,
    }


def rounded(value: float) -> float | None:
    """Return a number as it is kept in JSON: None for NaN, else its first nine digits."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def evidence(measures: Measures, metric: Metric, part: Part | None = None) -> list[Evidence]:
    """Return the turns that show a metric at its worst, of different people, the worst first.

    For a gap they are those of the group that fares worst.
    """
    if isinstance(metric.measure, Gap):
        return evidence(measures, metric.measure.of, _worst_group(measures, metric.measure.of))
    if metric.cases is None or not measures.scope.has_turns:
        return []
    found = _cases(measures.record, metric.cases, part)
    items = list(measures.record.manifest["items"])
    shown: list[Evidence] = []
    seen: set[tuple[int, int]] = set()
    for i in range(found.length):
        row = {name: found[name][i].item() for name in found}
        person = (int(row["replica"]), int(row["user"]))
        if person not in seen:
            seen.add(person)
            shown.append(_shown(row, metric.cases.why, items))
        if len(shown) == SHOWN:
            break
    return shown


def _worst_group(measures: Measures, metric: Metric) -> Part | None:
    parts = [Part("group", name) for name in measures.names("group")]
    means = np.array([measures.sample(metric, part).mean for part in parts])
    if not np.isfinite(means).any():
        return None
    return parts[int(np.nanargmin(means) if metric.better == "higher" else np.nanargmax(means))]


def _cases(record: Readable, cases: Cases, part: Part | None) -> Columns:
    ticks = ticks_of(record)
    window = first_quarter(ticks)
    where = cases.where.replace("{quarter}", str(window)).replace("{late}", str(ticks - window))
    return record.query(
        f"""SELECT * FROM {turns_of(part)} WHERE {where}
        ORDER BY {cases.order}, replica, tick, "user", turn LIMIT {SEARCHED}"""
    )


def _shown(row: dict[str, Any], why: str, items: list[str]) -> Evidence:
    said = dict(row)
    for name in ("action", "choice", "ideal"):
        said[name] = items[row[name]] if 0 <= row[name] < len(items) else "nothing"
    said["turn"] = row["turn"] + 1
    for name in ("end", "fault"):
        said[name] = str(row[name]).replace("_", " ")
    place = {name: int(row[name]) for name in ("replica", "user", "tick", "session", "turn")}
    return Evidence(why=why.format(**said), **place)
