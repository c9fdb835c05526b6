"""One run of a sweep: lived in memory, measured, and told as the lines of the table.

What is measured on the clock (CPU and memory of the model, measured latency) differs from run to run of
the same thing, and is left out, so that the same plan gives the same table, bit for bit. A run that is
too large to be held in memory, or whose record is kept, is made in a folder as `rehearse run` does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearse.columns import Columns, stacked
from rehearse.experiments import running, sentences
from rehearse.experiments.build import Assembly, Props
from rehearse.experiments.deciding import said
from rehearse.experiments.intervals import Interval
from rehearse.experiments.metrics import METRICS, Measures, Metric, Part, Readable, check, find
from rehearse.experiments.metrics.base import Gap, Resource
from rehearse.experiments.rebuilding import Leg, words_of
from rehearse.experiments.shards import assembled
from rehearse.experiments.society import table_of_users
from rehearse.experiments.sweep import evidence
from rehearse.experiments.sweep.listing import Task
from rehearse.experiments.verdict import CONFIDENCE, rounded
from rehearse.record.parts import readable
from rehearse.record.reading import RunRecord
from rehearse.record.recorder import Recorder, no_turns
from rehearse.scenario.bounds import Bounds
from rehearse.scenario.model import Criterion, Scenario
from rehearse.tables import Held

HELD = 2_000_000
"""Turns that a run may be expected to have at most to be held in memory (some hundred bytes each)."""
Line = dict[str, Any]
"""A line of the table without what the run itself says: metric, group, estimate, low, high, n, unit, …"""


def made(task: Task, name: str, records: Path) -> dict[str, Any]:
    """Make a run, and return what is kept of it: its lines and what it came to as a whole.

    The record, where it is kept, lies in `records` under the run's name.
    """
    scenario = Scenario.model_validate_json(task.scenario).model_copy(update={"seed": task.seed})
    folder = records / name
    if task.keep == "runs" or _must_lie_on_disk(scenario):
        found = _recorded(scenario, task, folder)
        if task.keep == "metrics" or (task.keep == "failing" and found["verdict"] != "fail"):
            shutil.rmtree(folder)
        return found
    found = _in_memory(scenario, task)
    if task.keep == "failing" and found["verdict"] == "fail":
        _recorded(scenario, task, folder)
    return found


def lines(record: Readable, scenario: Scenario, task: Task) -> list[Line]:
    """Return a line for every criterion, then one for every other metric that the record holds.

    The task says which are measured besides the built-in ones, or that the criteria are all that is asked.
    """
    more = task.metrics
    judged = [(criterion, find(criterion.metric)) for criterion in scenario.criteria]
    named = [METRICS.get(name) or find(name) for name in more]
    measures = Measures(record, (*(metric for _, metric in judged), *named))
    told = [_of_criterion(measures, criterion, metric) for criterion, metric in judged if repeats(metric)]
    if task.judged:
        return told
    of_all = {criterion.metric for criterion, _ in judged if criterion.group is None}
    others = {metric.name: metric for metric in (*METRICS.values(), *named) if metric.name not in of_all}
    there = [metric for metric in others.values() if repeats(metric) and measures.applies(metric)]
    return [*told, *(_line(metric, measures.interval(metric, CONFIDENCE), "") for metric in there)]


def repeats(metric: Metric) -> bool:
    """Return whether a metric is the same each time that the same run is made."""
    inner = metric.measure.of if isinstance(metric.measure, Gap) else metric
    return not isinstance(inner.measure, Resource) and "measured_ms" not in inner.needs


def _in_memory(scenario: Scenario, task: Task) -> dict[str, Any]:
    props = Props(data=None if task.data is None else Path(task.data), trust=task.trust)
    with lived(scenario, props) as (record, recorder):
        told = lines(record, scenario, task)
        heard = {} if task.judged else {"said": evidence.as_data(said(record, scenario.criteria))}
    return _summed(told, recorder.digest, recorder.user_turns) | heard


@contextmanager
def lived(scenario: Scenario, props: Props) -> Iterator[tuple[Readable, Recorder]]:
    """Live a scenario, and lend its record, which is held in memory, and what kept it."""
    from rehearse.agents.model import Rehearsal

    pages: list[Columns] = []
    society: list[Columns] = []
    with assembled([Leg(0, scenario, props)]) as assembly:
        check(scenario.criteria, assembly.stage.groups)
        recorder = assembly.new_recorder()

        def keep(_tick: int, turns: Columns, ticks: Columns) -> None:
            pages.append(turns)
            society.append(ticks)

        recorder.keep = keep
        simulation = assembly.simulation
        simulation.watchers.append(recorder)
        model = Rehearsal(simulation)
        while simulation.tick < scenario.time.ticks:
            model.step()
        manifest = {
            "items": list(assembly.stage.items),
            "groups": list(assembly.stage.groups),
            "coupled": assembly.coupled,
            "user_turns": recorder.user_turns,
            "seed": scenario.seed,
        }
        with Held() as tables:
            _hold(tables, assembly, scenario, [page for page in pages if page.length], society)
            yield _Lived(manifest, tables), recorder


def _hold(
    tables: Held, assembly: Assembly, scenario: Scenario, pages: list[Columns], society: list[Columns]
) -> None:
    turns, words = readable(pages or [no_turns()], words_of(assembly))
    tables.hold("turns", stacked(turns) if pages else turns[0], words)
    tables.hold("users", *table_of_users(assembly.simulation, scenario))
    tables.hold("ticks", stacked(society))


class _Lived:
    """A run that is held in memory, as a record that metrics read."""

    def __init__(self, manifest: dict[str, Any], tables: Held) -> None:
        self.manifest = manifest
        self.query = tables.query


def _recorded(scenario: Scenario, task: Task, folder: Path) -> dict[str, Any]:
    """Make a run in a folder of its own, which stands there whole or not at all."""
    aside = folder.with_name(f".{folder.name}.part")
    for left in (aside, folder):
        shutil.rmtree(left, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    data = None if task.data is None else Path(task.data)
    finished = running.run(scenario, data=data, trust=task.trust, out=aside, report=False)
    told = lines(RunRecord(aside), scenario, task)
    heard = evidence.as_data(said(RunRecord(aside), scenario.criteria))
    aside.replace(folder)
    found = _summed(told, finished.digest, finished.user_turns) | {"said": heard}
    return found | {"verdict": finished.verdict} if finished.verdict == "not completed" else found


def _summed(told: list[Line], digest: str, user_turns: int) -> dict[str, Any]:
    words = [line["verdict"] for line in told if line["verdict"]]
    verdict = "fail" if "fail" in words else "unsure" if "unsure" in words or not words else "pass"
    return {"digest": digest, "user_turns": user_turns, "verdict": verdict, "lines": told}


def _of_criterion(measures: Measures, criterion: Criterion, metric: Metric) -> Line:
    part = Part("group", criterion.group) if criterion.group else None
    found = measures.interval(metric, criterion.confidence, part)
    return _line(metric, found, sentences.verdict_of(criterion, found), criterion.group or "")


def _line(metric: Metric, found: Interval, verdict: str, group: str = "") -> Line:
    bounds = {name: rounded(getattr(found, name)) for name in ("estimate", "low", "high")}
    return {"metric": metric.name, "group": group, **bounds, "n": found.n, "unit": found.unit} | {
        "verdict": verdict
    }


def _must_lie_on_disk(scenario: Scenario) -> bool:
    """Return whether a run is not to be held in memory: it is large, or needs what only a folder has."""
    courses = "consumption" in scenario.people.society.emergence.measures
    if scenario.columns is not None:  # what is not recorded is filled in where a folder is read
        return True
    large = scenario.people_in_all * scenario.time.ticks > HELD
    return large or courses or scenario.bounds != Bounds()
