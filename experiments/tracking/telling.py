"""What is said of a rehearsal to somebody who keeps track of many: plain names, numbers and texts."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rehearse.experiments.metrics import HEADLINES, METRICS, Measures, Metric, find, series
from rehearse.experiments.metrics.base import Ratio
from rehearse.experiments.verdict import Verdict
from rehearse.record.reading import MANIFEST, SCENARIO, VERDICT, RunRecord

FILES = ("report.html", MANIFEST, VERDICT, SCENARIO)
"""What of a run's folder is logged as artifacts; a replay needs no more than these and the model."""
NO_SETTINGS = {"name", "version", "title", "description", "criteria", "assumptions", "limitations", "columns"}
"""Parts of a scenario that are no parameters of it."""
LONGEST = 500
"""Characters of a parameter's value."""
MOST_STEPS = 1000
"""Points of a metric over time; longer runs are told every so many ticks."""
TOKEN = re.compile(r"[^\w\-. /]")
"""What MLflow does not take in the name of a parameter, metric or tag on every system."""
DIGEST_LENGTH = 36
"""Characters that MLflow keeps of a data set's digest; the whole one is a tag."""


class Value(NamedTuple):
    """A number that was measured, at a tick (0 for that of the whole run)."""

    name: str
    value: float
    tick: int = 0


class People(NamedTuple):
    """The people of a run, as a data set."""

    name: str
    digest: str
    source: str
    """JSON: where they come from."""
    profile: str
    """JSON: how many they are."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of a run."""

    name: str
    scenario: str
    """Its name, also that of the experiment where none is named."""
    started: int
    """Milliseconds since 1970."""
    finished: int
    complete: bool
    verdict: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    values: Sequence[Value]
    files: Sequence[Path]
    people: People | None = None
    models: Sequence[Mapping[str, Any]] = field(default=())
    """Origins of the registered models that were rehearsed."""


def told(record: RunRecord, params: Mapping[str, Any], files: Sequence[str]) -> Told:
    """Return what is said of a finished run; raises UserError where the folder is none."""
    manifest, scenario = record.manifest, record.scenario
    verdict = Verdict.model_validate(record.verdict)
    measures = Measures(record)
    return Told(
        name=str(manifest["run"]),
        scenario=scenario.name,
        started=_milliseconds(manifest["started"]),
        finished=_milliseconds(manifest["finished"]),
        complete="stopped" not in manifest,
        verdict=verdict.verdict,
        params=_params(record) | {_name(key): _text(value) for key, value in params.items()},
        tags=_tags(record, verdict),
        values=[*_values(verdict, manifest), *_over_time(record, measures, verdict)],
        files=[path for name in files if (path := record.folder / name).is_file()],
        people=_people(record),
        models=[source for source in manifest["policy"]["sources"] if source.get("kind") == "mlflow"],
    )


def both(name: str, runs: Sequence[Told], artifacts: Sequence[Path]) -> Told:
    """Return what is said of several runs together: when they were, and how often each verdict fell."""
    verdicts = Counter(run.verdict for run in runs)
    counted = [Value("runs", float(len(runs)))]
    counted += [Value(f"runs.{_name(word)}", float(n)) for word, n in sorted(verdicts.items())]
    return Told(
        name=name,
        scenario=runs[0].scenario,
        started=min(run.started for run in runs),
        finished=max(run.finished for run in runs),
        complete=all(run.complete for run in runs),
        verdict="",
        params={},
        tags={"rehearse.runs": str(len(runs))},
        values=counted,
        files=list(artifacts),
    )


def _params(record: RunRecord) -> dict[str, str]:
    """Return the model, and every setting that is not the default, under the path that `--set` takes."""
    manifest, scenario = record.manifest, record.scenario
    always = {
        "scenario": scenario.name,
        "scenario.version": scenario.version,
        "model": manifest["policy"]["name"],
        "model.version": manifest["policy"]["version"],
        "seed": scenario.seed,
        "replicas": scenario.replicas,
        "people.count": scenario.people.count,
        "time.ticks": scenario.time.ticks,
    }
    written = scenario.model_dump(mode="json", exclude=NO_SETTINGS, exclude_defaults=True)
    settings = {name: value for key, part in written.items() for name, value in _leaves(part, key)}
    return {_name(key): _text(value) for key, value in (settings | always).items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Go over the single values of a document, and its lists that are short, by their paths."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}")
    elif isinstance(value, list) and len(json.dumps(value)) > LONGEST:
        for place, part in enumerate(value):
            yield from _leaves(part, f"{path}.{place}")
    elif value is not None:
        yield path, value


def _tags(record: RunRecord, verdict: Verdict) -> dict[str, str]:
    manifest = record.manifest
    tags = {
        "rehearse.verdict": verdict.verdict,
        "rehearse.digest": manifest["digest"],
        "rehearse.run": manifest["run"],
        "rehearse.scenario": manifest["scenario"]["name"],
        "rehearse.scenario_digest": manifest["scenario"]["digest"],
        "rehearse.people_digest": manifest["people_digest"],
        "rehearse.environment_digest": manifest["environment_digest"],
        "rehearse.version": manifest["packages"].get("rehearse", "unreleased"),
        "rehearse.model": manifest["policy"]["reference"],
        "mlflow.note.content": f"```\n{verdict.table()}\n```",
        "mlflow.source.name": "rehearse",
        "mlflow.source.type": "LOCAL",
    }
    code = manifest["code"]
    if code["commit"]:
        tags |= {"mlflow.source.git.commit": code["commit"], "rehearse.code_changed": _text(code["dirty"])}
    return {key: str(value) for key, value in tags.items()}


def _values(verdict: Verdict, manifest: Mapping[str, Any]) -> Iterator[Value]:
    """Go over the metrics of the whole run: of everybody, and of each group, with their intervals."""
    yield Value("user_turns", float(manifest["user_turns"]))
    yield Value("seconds", float(manifest["seconds"]))
    judged = Counter(criterion.verdict for criterion in verdict.criteria)
    for word in ("pass", "fail", "unsure"):
        yield Value(f"criteria.{word}", float(judged[word]))
    found: dict[str, tuple[float | None, ...]] = {}
    for measure in verdict.measures:
        found[_name(measure.metric)] = (measure.estimate, measure.low, measure.high)
    for row in verdict.groups:
        for measure in row.measures if row.group is not None else ():
            found[_of_group(row.group, measure.metric)] = (measure.estimate, measure.low, measure.high)
    for criterion in verdict.criteria:
        name = _of_group(criterion.group, criterion.metric)
        found[name] = (criterion.estimate, criterion.low, criterion.high)
    for name, numbers in found.items():
        for what, number in zip(("", ".low", ".high"), numbers, strict=True):
            if number is not None:
                yield Value(f"{name}{what}", number)


def _over_time(record: RunRecord, measures: Measures, verdict: Verdict) -> Iterator[Value]:
    """Go over the metrics tick by tick, as means over the replicas."""
    names = dict.fromkeys([*(criterion.metric for criterion in verdict.criteria), *HEADLINES])
    told_by_tick = [metric for name in names if _by_tick(metric := _metric(name), measures)]
    if measures.empty or not told_by_tick or not measures.scope.has_turns:
        return
    found = series(record, told_by_tick)
    ticks, place = np.unique(found["tick"], return_inverse=True)
    kept = range(0, len(ticks), max(1, math.ceil(len(ticks) / MOST_STEPS)))
    for metric in told_by_tick:
        values = found.numbers(metric.name)
        known = np.isfinite(values)
        count = np.bincount(place[known], minlength=len(ticks))
        total = np.bincount(place[known], weights=values[known], minlength=len(ticks))
        for i in kept:
            if count[i]:
                yield Value(f"tick/{_name(metric.name)}", float(total[i] / count[i]), int(ticks[i]))


def _by_tick(metric: Metric, measures: Measures) -> bool:
    measure = metric.measure
    return isinstance(measure, Ratio) and measure.per == "turn" and measures.applies(metric)


def _metric(name: str) -> Metric:
    return METRICS[name] if name in METRICS else find(name)


def _people(record: RunRecord) -> People:
    scenario, manifest = record.scenario, record.manifest
    table = None if scenario.people.source is None else scenario.people.source.table
    source = {"scenario": scenario.name, "version": scenario.version, "seed": scenario.seed}
    source |= {"table": table, "data": manifest["data"], "files": manifest["inputs"]}
    profile = {"people": scenario.people_in_all, "replicas": scenario.replicas, "groups": manifest["groups"]}
    profile["features"] = manifest["features"]
    digest = str(manifest["people_digest"])[:DIGEST_LENGTH]
    return People(f"people of {scenario.name}", digest, json.dumps(source), json.dumps(profile))


def _of_group(group: str | None, metric: str) -> str:
    return _name(metric if group is None else f"group/{group}/{metric}")


def _name(text: str) -> str:
    """Return a name as every store takes it: `gap:harm` becomes `gap/harm`."""
    return TOKEN.sub("_", text.replace(":", "/").replace("@", "_at_"))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
