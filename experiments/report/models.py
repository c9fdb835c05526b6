"""The models of a policy made of others: who answered, how they fared beside one another, what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearse.experiments.causes import versions
from rehearse.experiments.composition import settings_of
from rehearse.experiments.metrics import METRICS, Measures, Part
from rehearse.experiments.metrics.base import By, quoted
from rehearse.experiments.report import charts, facts, parts, words
from rehearse.experiments.report.facts import CONFIDENCE, Row, columns_of, rows
from rehearse.experiments.report.stratified import chart
from rehearse.experiments.sentences import amount

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

DRAWN = ("acceptance", "regret")
"""The metrics that are drawn for each model, and stand in the table."""
SHARES = {
    "cached": "{} of answers had been given before",
    "fell_back": "{} of answers were by a model that stood in for another",
    "limited": "{} of requests were refused, for there were too many",
}
"""What columns of 1 and 0 say, for the share of 1."""


def section(
    record: RunRecord, add: Callable[[charts.Spec], str], step: int, marks: Sequence[Row]
) -> dict[str, Any] | None:
    """Return the models side by side; None where the policy is one model, or no turns were kept."""
    if record.scope.kind == "none" or "model" not in columns_of(record, "turns"):
        return None
    counted = (
        "SELECT model, count(*) AS n, count(*) / sum(count(*)) OVER () AS share FROM turns "
        f"WHERE model <> '' GROUP BY model ORDER BY n DESC, model LIMIT {charts.COLOURS}"
    )
    found = rows(record.query(counted))
    names = [str(row["model"]) for row in found]
    series = {name: facts.over_time(record, DRAWN, step, By(name)) for name in names}
    unit = record.scenario.time.unit
    panels = []
    for metric in DRAWN if names else ():
        lines = {name: series[name][metric] for name in names}
        spec = chart(lines, METRICS[metric], unit, marks, (), by="model")
        title = words.title(METRICS[metric].title)
        drawn = charts.named(spec, f"{metric} by model", f"{title}, by model")
        panels.append({"title": title, "id": add(drawn)})
    return {
        "legend": [(charts.colour(place), name) for place, name in enumerate(names)],
        "shares": add(_shares(record, names, step, marks)) if names else None,
        "panels": panels,
        "heads": [METRICS[name].title for name in DRAWN],
        "table": [
            (
                row["model"],
                words.whole(row["n"]),
                words.percent(row["share"]),
                _means(record, By(str(row["model"]))),
            )
            for row in found
        ],
        "disagreement": _disagreement(record),
        "sentences": [sentence for sentence in _sentences(record) if sentence],
    }


def marks(record: RunRecord) -> list[Row]:
    """Return which versions were deployed, or went back to the one before, as marks on charts over time."""
    if record.scope.kind == "none":
        return []
    known = columns_of(record, "turns")
    if "model" not in known:
        return versions(record, known)
    return [{"tick": tick, "kind": "rollback", "note": note} for tick, note in _rollbacks(record)]


def _shares(record: RunRecord, names: Sequence[str], step: int, marks: Sequence[Row]) -> charts.Spec:
    listed = ", ".join(quoted(name) for name in names)
    found = record.query(
        f"""WITH counted AS (SELECT tick // {step} * {step} AS tick, model, count(*) AS n FROM turns
        WHERE model IN ({listed}) GROUP BY ALL)
        SELECT tick, list_position([{listed}], model) - 1 AS item,
        n / sum(n) OVER (PARTITION BY tick) AS share FROM counted ORDER BY ALL"""
    )
    unit = record.scenario.time.unit
    drawn = charts.actions(rows(found), list(enumerate(names)), unit, marks, what="model's answers")
    return charts.named(drawn, "models", "Share of each model's answers")


def _means(record: RunRecord, by: By) -> list[str]:
    """Return what came of a model's answers over the whole run."""
    whole = facts.over_time(record, DRAWN, record.scenario.time.ticks, by)
    return [_said(whole[name].mean[0], name) for name in DRAWN]


def _said(mean: float | None, name: str) -> str:
    return words.fixed(mean) if mean is None else amount(mean, METRICS[name].scale)


def _disagreement(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return how often a candidate in the shadow disagreed: everybody, then by group, segment and manner."""
    metric, measures = METRICS["disagreement"], Measures(record)
    if not measures.applies(metric):
        return []
    some = [Part(kind, name) for kind in parts.kinds(record) for name in parts.names(record, kind)]
    lines = []
    for part in (None, *some):
        found = measures.interval(metric, CONFIDENCE, part)
        bounds = f"{words.percent(found.low)} – {words.percent(found.high)}" if found.known else ""
        lines.append((part.name if part else parts.EVERYBODY, words.percent(found.estimate), bounds))
    return lines


def _sentences(record: RunRecord) -> Iterator[str]:
    there = columns_of(record, "turns")
    for column in there:
        for name, sentence in SHARES.items():
            if column == name or column.endswith(f"_{name}"):
                share = f'SELECT avg("{column}") FILTER ("{column}" >= 0) AS share FROM turns'
                yield sentence.format(words.percent(rows(record.query(share))[0]["share"])) + "."
    for column in (name for name in there if name.endswith("injected")):
        counted = f"""SELECT "{column}" AS kind, count(*) AS n FROM turns
            WHERE "{column}" <> '' GROUP BY 1 ORDER BY n DESC"""
        kinds = [f"{words.plain(str(r['kind']))} {words.whole(r['n'])}" for r in rows(record.query(counted))]
        yield f"Calls to one model that went wrong on purpose: {words.listed(kinds)}." if kinds else ""
    for column in (name for name in there if name.endswith("breaker")):
        opened = f"""SELECT count(DISTINCT replica) AS n, min(tick) AS first FROM turns
            WHERE "{column}" = 'open'"""
        found = rows(record.query(opened))[0]
        if found["n"]:
            often = words.plural(int(found["n"]), "society", "societies")
            yield f"The circuit opened in {often}, first at {record.scenario.time.unit} {found['first']}."
    yield from (
        f"{words.title(record.scenario.time.unit)} {tick}: {note}." for tick, note in _rollbacks(record)
    )
    yield from _unjudged(record)


def _unjudged(record: RunRecord) -> Iterator[str]:
    """Say which rollbacks could never have come about, for too few turns told of what they watch."""
    for column in (name for name in columns_of(record, "turns") if name.endswith("monitored")):
        judged = f'SELECT count(*) FILTER (isfinite("{column}")) AS n, max(tick) AS last FROM turns'
        found = rows(record.query(judged))[0]
        if found["last"] and not found["n"]:
            yield (
                f"What {column} tells never came to be known: in no {record.scenario.time.unit} were there "
                "enough turns of a society for a rollback to judge by (its setting turns)."
            )


def _rollbacks(record: RunRecord) -> Iterator[tuple[int, str]]:
    """Say when societies went back to the previous version, and why."""
    specs = settings_of(record.scenario, "rollback-v1")
    for column in (name for name in columns_of(record, "turns") if name.endswith("rolled_back")):
        watched = f"{column.removesuffix('rolled_back')}monitored"
        found = rows(
            record.query(
                f"""SELECT count(*) AS n, min(tick) AS first, max(tick) AS last, min(value) AS low,
                max(value) AS high, (SELECT count(DISTINCT replica) FROM turns) AS whole FROM (
                SELECT replica, min(tick) AS tick, arg_min("{watched}", tick) AS value FROM turns
                WHERE "{column}" = 1 GROUP BY replica)"""
            )
        )[0]
        if found["n"]:
            unit, within = record.scenario.time.unit, column.removesuffix("rolled_back").strip("_")
            told = _told(found, specs[0] if len(specs) == 1 else {}, unit)
            yield int(found["first"]), f"within {within}, {told}" if within else told


def _told(found: Row, spec: Mapping[str, Any], unit: str) -> str:
    last = f", in the last on {unit} {found['last']}" if found["last"] > found["first"] else ""
    who = f"the previous version took over in {found['n']} of {found['whole']} societies{last}"
    ends = list(dict.fromkeys(words.fixed(found[end]) for end in ("low", "high")))
    values = f"between {ends[0]} and {ends[1]}" if len(ends) > 1 else ends[0]
    what = f"{spec.get('monitor', 'reward')}" if spec else "what was watched"
    of = f" of {spec['of']}" if spec.get("of") else ""
    less = f" less that of {spec['against']}" if spec.get("against") else ""
    bound = [
        f", where {name.replace('_', ' ')} {spec[name]} is asked for, {spec.get('ticks', 3)} times on end"
        for name in ("at_least", "at_most")
        if spec.get(name) is not None
    ]
    detector = spec.get("detector")
    if detector is not None:
        name = detector if isinstance(detector, str) else detector["name"]
        bound.append(f", and the detector {name} rang")
    return f"{who}: {what}{of}{less} had come to {values}{''.join(bound)}"
