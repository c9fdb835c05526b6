"""Stopping by evidence: run after run, each with the next seed, until every criterion is decided.

A run gives one value for each criterion: the mean over its people and replicas. Runs with other seeds
share nothing, so that their values are independent, whatever couples the people in each. After every
run the interval of a confidence sequence is looked at; as it holds at all sizes at once, stopping when
it decides leaves the chance of a wrong word at most 1 − confidence for each criterion, however many
looks it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rehearse.errors import UserError
from rehearse.experiments import running, sentences
from rehearse.experiments.folder import refuse_used, run_name
from rehearse.experiments.intervals import Counts, Interval, Sample, interval
from rehearse.experiments.metrics import Measures, Metric, Part, Readable, find
from rehearse.experiments.metrics.base import Gap, Repeats, Resource, Whole
from rehearse.experiments.pictures.showing import Shown
from rehearse.experiments.sentences import Word
from rehearse.experiments.sequences import ANYTIME
from rehearse.experiments.verdict import rounded, worst
from rehearse.scenario.base import Strict
from rehearse.scenario.edit import changed
from rehearse.scenario.model import Criterion, Scenario
from rehearse.tables import write_text

if TYPE_CHECKING:
    from rehearse.experiments.pictures.chart import Charts

DECISION = "decision.json"
Said = Sequence[Sequence[Sample]]
"""What a run says: for each criterion a sample, or for a gap one of each group."""
MOST = 64
"""Runs at most, where nobody says another number."""


class Standing(Strict):
    """How a criterion stands after some runs."""

    metric: str
    group: str | None
    direction: str
    """`at_least` or `at_most`."""
    threshold: float
    confidence: float
    estimate: float | None
    """The mean over runs; None where there is none."""
    low: float | None
    high: float | None
    """The bounds that hold at every look; None while the evidence allows none."""
    runs: int
    """How many runs were heard when this was said."""
    verdict: Word
    sentence: str


class Decision(Shown, Strict):
    """What a rehearsal came to that went on until the evidence decided."""

    verdict: Word
    runs: tuple[str, ...]
    """The folders, in the order of their seeds."""
    seeds: tuple[int, ...]
    most: int
    criteria: tuple[Standing, ...]
    """Each as it stood when it was decided, or after the last run."""

    def table(self) -> str:
        """Return the criteria as lines to print, the verdict last."""
        marks = {"pass": "✓", "fail": "✗", "unsure": "?"}
        lines = [f"{marks[c.verdict]} {c.sentence}" for c in self.criteria]
        n = len(self.runs)
        after = f"{self.verdict.upper()}: after {n} run{'s' * (n != 1)} of at most {self.most}."
        return "\n".join([*lines, after])

    def charts(self) -> Charts:
        """Return the forest `margins`: how far each criterion is on its good side."""
        from rehearse.experiments.pictures.of_runs import margins

        return margins(self)

    def __str__(self) -> str:
        """Return the table."""
        return self.table()

    def markup(self) -> str:
        """Return the criteria as HTML."""
        from rehearse.experiments.pictures.of_runs import standing_tables

        return standing_tables(self)


@dataclass(slots=True)
class Evidence:
    """What runs say of some criteria, as they come in: `add` each, look at `standings` at any time.

    A criterion that was decided stays decided. Raises ScenarioError for a metric that there is not.
    """

    criteria: Sequence[Criterion]
    runs: int = 0
    _heard: list[list[list[Sample]]] = field(default_factory=list)
    _settled: dict[int, Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing heard."""
        for criterion in self.criteria:
            find(criterion.metric)
        self._heard = [[] for _ in self.criteria]

    def add(self, record: Readable) -> None:
        """Hear a finished run."""
        self.hear(said(record, self.criteria))

    def hear(self, told: Said) -> None:
        """Hear what a finished run says, where somebody has asked its record already (`said`)."""
        self.runs += 1
        for place, samples in enumerate(told):
            self._heard[place].append(list(samples))
            if place not in self._settled:
                standing = self._standing(place)
                if standing.verdict != "unsure":
                    self._settled[place] = standing

    @property
    def decided(self) -> bool:
        """Return whether no criterion is left to decide."""
        return len(self._settled) == len(self.criteria)

    @property
    def standings(self) -> tuple[Standing, ...]:
        """Return how each criterion stands."""
        return tuple(self._settled.get(i) or self._standing(i) for i in range(len(self.criteria)))

    @property
    def verdict(self) -> Word:
        """Return the word over all criteria."""
        return worst([standing.verdict for standing in self.standings])

    def _standing(self, place: int) -> Standing:
        criterion = self.criteria[place]
        found = _interval(self._heard[place], find(criterion.metric), criterion.confidence)
        return standing(criterion, found, self.runs)


def said(record: Readable, criteria: Sequence[Criterion]) -> Said:
    """Return what a finished run says of criteria."""
    metrics = [find(criterion.metric) for criterion in criteria]
    measures = Measures(record, metrics)
    return [_said(measures, criterion, metric) for criterion, metric in zip(criteria, metrics, strict=True)]


def standing(criterion: Criterion, found: Interval, runs: int) -> Standing:
    """Return how a criterion stands with an interval that holds at every look."""
    least = criterion.at_least is not None
    threshold = criterion.at_least if criterion.at_least is not None else criterion.at_most
    return Standing(
        metric=criterion.metric,
        group=criterion.group,
        direction="at_least" if least else "at_most",
        threshold=float(threshold or 0.0),
        confidence=criterion.confidence,
        estimate=rounded(found.estimate),
        low=rounded(found.low),
        high=rounded(found.high),
        runs=runs,
        verdict=sentences.verdict_of(criterion, found),
        sentence=_sentence(criterion, found, runs),
    )


def decide(
    scenario: Scenario,
    *,
    most: int = MOST,
    out: Path | None = None,
    look: Callable[[Evidence], None] | None = None,
    **given: Any,
) -> Decision:
    """Run a scenario with one seed after another until each criterion is decided, or `most` runs are made.

    The runs lie in `out`, each in a folder named after its seed, and the decision beside them. `given`
    is handed to `running.run`: policy, data, trust, record. `look` is called after every run. Raises
    UserError where there is no criterion to decide or no run to make.
    """
    if not scenario.criteria or most < 1:
        what = "the scenario states no criteria" if not scenario.criteria else f"{most} runs are asked for"
        problem = f"there is nothing to decide: {what}."
        raise UserError(problem, "Give the scenario criteria, and at least one run.")
    folder = out if out is not None else running.RUNS / f"decide-{run_name(scenario)}"
    refuse_used(folder)
    evidence = Evidence(scenario.criteria)
    made: list[tuple[int, str]] = []
    while len(made) < most and not evidence.decided:
        seed = scenario.seed + len(made)
        finished = running.run(changed(scenario, {"seed": seed}), out=folder / f"seed-{seed}", **given)
        made.append((seed, str(finished.folder)))
        evidence.add(finished.turns)
        if look is not None:
            look(evidence)
    decision = Decision(
        verdict=evidence.verdict,
        runs=tuple(path for _, path in made),
        seeds=tuple(seed for seed, _ in made),
        most=most,
        criteria=evidence.standings,
    )
    write_text(folder / DECISION, decision.model_dump_json(indent=2) + "\n")
    return decision


def _said(measures: Measures, criterion: Criterion, metric: Metric) -> list[Sample]:
    """Return what one run says: a sample, or for a gap one of each group."""
    if not measures.applies(metric):
        return [_value(math.nan, metric)]
    if isinstance(metric.measure, Gap):
        whole = metric.measure.of
        return [_of(measures, whole, Part("group", name)) for name in measures.names("group")]
    if isinstance(metric.measure, Resource | Whole):
        return [_value(measures.interval(metric, criterion.confidence).estimate, metric)]
    return [_of(measures, metric, Part("group", criterion.group) if criterion.group else None)]


def _of(measures: Measures, metric: Metric, part: Part | None) -> Sample:
    found = measures.sample(metric, part)
    told = found.values[np.isfinite(found.values)]
    pooled = isinstance(metric.measure, Repeats) and len(told) > 0
    return _value(float(told.mean()) if pooled else found.mean, metric, found.counts)


def _value(value: float, metric: Metric, counts: Counts | None = None) -> Sample:
    return Sample.of_replicas(np.array([value]), bounded=metric.bounded, counts=counts or Counts())


def _interval(heard: Sequence[Sequence[Sample]], metric: Metric, confidence: float) -> Interval:
    """Return the interval over runs that holds at every look."""
    groups = [_joined([said[i] for said in heard]) for i in range(min(len(said) for said in heard))]
    if isinstance(metric.measure, Gap):
        return metric.measure.between(groups, confidence, ANYTIME)
    return interval(groups[0], confidence, ANYTIME)


def _joined(samples: Sequence[Sample]) -> Sample:
    counts = Counts(
        people=sum(s.counts.people for s in samples),
        events=sum(s.counts.events for s in samples),
        misses=sum(s.counts.misses for s in samples),
    )
    values = np.concatenate([s.values for s in samples])
    found = Sample.of_replicas(values, bounded=samples[0].bounded, counts=counts)
    # Where nobody was counted, runs that all agree are held to what so many people would allow.
    alone = found.bounded and not counts.people and found.constant
    return Sample.of_replicas(values, bounded=True, counts=Counts(found.size)) if alone else found


def _sentence(criterion: Criterion, found: Interval, runs: int) -> str:
    metric = find(criterion.metric)
    after = f"after {runs} run{'s' * (runs != 1)}"
    if not found.known:
        return f"{metric.title}: {after} the evidence allows no interval: unsure."
    said = sentences.judged(criterion, metric, found).split(" About ")[0]
    return f"{said} {after.capitalize()}."
