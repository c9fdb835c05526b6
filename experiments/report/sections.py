"""The sections of a report: words, tables and charts, gathered from the record for the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearse.experiments.intervals import Interval
from rehearse.experiments.metrics import METRICS
from rehearse.experiments.metrics.base import Kind, Scale
from rehearse.experiments.report import (
    answers,
    between,
    charts,
    emergence,
    facts,
    flow,
    judged,
    models,
    monitored,
    parts,
    population,
    portraits,
    society,
    stratified,
    words,
)
from rehearse.experiments.report.facts import Overall, Row
from rehearse.experiments.report.parts import EVERYBODY
from rehearse.experiments.sentences import amount, in_sample, refusals

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

Section = dict[str, Any]

MAX_LETTERED = 12
"""More marks of a kind than this are summed up in a sentence instead of drawn one by one."""
KINDS = {
    "drift": "the world changed",
    "people": "people changed",
    "fork": "the fork",
    "fault": "faults",
    "latency": "latency",
    "observation": "noise",
    "manner": "how some people act",
    "feedback": "late feedback",
    "learn": "the model learned",
    "split": "the split",
    "rollback": "rolled back",
    "alarm": "alarm",
}
SEEN = 0.1
"""A chart of answers is drawn where one of them is so large a share of them at some time."""
TRENDS = {
    "goal_completion": "share of sessions that met their goal",
    "satisfaction": "at the end of sessions, 0 to 1",
    "acceptance": "share of answers that people took",
    "regret": "utility lost against the truly best answer",
}
WATCHED_ELSEWHERE = (*TRENDS, "actions", "fault_rate")
"""Series that other charts or tables show."""
NUMBERS = {
    "goal_completion": "of sessions met their goal",
    "acceptance": "of answers were taken",
    "rightness": "of answers were the best",
    "regret": "utility lost per answer",
    "satisfaction": "at the end of sessions, 0 to 1",
}


SPREADS: dict[parts.Spread, tuple[str, str]] = {
    "satisfaction": ("Satisfaction", "at the end of sessions"),
    "regret": ("Regret", "of answers that were not the best; the last bin holds all above it"),
    "turns": ("Length of sessions", "in turns"),
}


class Figures:
    """The charts of the page: each gets an id, under which the page's script draws it."""

    def __init__(self) -> None:
        """Start without charts."""
        self.specs: dict[str, charts.Spec] = {}

    def add(self, spec: charts.Spec) -> str:
        """Take a chart and return its id."""
        name = f"chart-{len(self.specs) + 1}"
        self.specs[name] = spec
        return name


def page(record: RunRecord) -> dict[str, Any]:
    """Return everything the template shows."""
    figures = Figures()
    whole = facts.overall(record)
    lines = parts.table(record)
    items = _items(record)
    marks = _marks(record)
    return {
        "head": _head(record, whole),
        "numbers": _numbers(whole, lines[0]),
        "criteria": judged.criteria(record),
        "time": _time(record, whole, items, marks, figures),
        "models": models.section(record, figures.add, facts.bucket_size(whole), marks["list"]),
        "monitored": monitored.section(record, figures.add, marks["list"], WATCHED_ELSEWHERE),
        "population": population.section(record, facts.bucket_size(whole), figures.add),
        "people": _people(record, lines, figures),
        "answers": answers.section(record, items, figures.add),
        "between": between.sentences(record),
        "latency": _latency(record, figures),
        "troubles": _troubles(record),
        "refusals": refusals(record.manifest.get("sandbox", {})),
        "journeys": _journeys(record) if whole.kept else None,
        "emerged": emergence.section(record, figures.add, facts.bucket_size(whole), marks),
        "society": society.section(record, figures.add),
        "assumptions": record.scenario.assumptions,
        "limitations": record.scenario.limitations,
        "provenance": judged.provenance(record),
        "charts": {"config": charts.CONFIG, "specs": figures.specs},
        "words": words,
    }


def _items(record: RunRecord) -> list[tuple[int, str]]:
    drawn, more = facts.frequent_items(record, facts.MAX_ITEMS)
    named = [(item, record.items[item]) for item in sorted(drawn)]
    return [*named, (facts.OTHERS, "others")] if more else named


def _head(record: RunRecord, whole: Overall) -> Section:
    scenario, manifest = record.scenario, record.manifest
    policy = manifest.get("policy", {})
    unit = scenario.time.unit
    ticks = whole.last_tick - whole.first_tick + 1
    model = str(policy.get("name", scenario.policy.name))
    replicas = (
        f"{whole.replicas} independent replicas of the society" if whole.replicas > 1 else "one society"
    )
    return {
        "title": scenario.title or scenario.name,
        "name": f"{scenario.name}, version {scenario.version}",
        "description": scenario.description,
        "model": model,
        "model_version": str(policy.get("version", "")),
        "finished": words.moment(str(manifest.get("finished", ""))),
        "verdict": judged.verdict(record),
        "lede": (
            f"{words.plural(whole.people, 'simulated person', 'simulated people')} in {replicas} met "
            "the model in "
            f"{words.plural(whole.sessions, 'session')} of {words.plural(whole.turns, 'turn')} "
            f"over {words.units(ticks, unit)}.{_kept(record)}"
        ),
    }


def _numbers(whole: Overall, everybody: parts.Line) -> list[tuple[str, str, str]]:
    means = [
        (amount(everybody.found[name].estimate, METRICS[name].scale), METRICS[name].title, note)
        for name, note in NUMBERS.items()
    ]
    if not whole.kept:
        return means
    return [*means, (words.whole(whole.failures), "failed answers", f"of {words.whole(whole.kept)}")]


def _kept(record: RunRecord) -> str:
    """Say what was not kept, and so is not on this page."""
    said = {
        "all": "",
        "sample": f" What follows is of {in_sample(record.scope)}, whose turns were kept.",
        "sessions": " One row a session was kept: what needs every turn is not on this page.",
        "none": " None of the turns were kept: what needs them is not on this page.",
    }
    return said[record.scope.kind]


def _marks(record: RunRecord) -> Section:
    found = [dict(m) for m in record.manifest.get("marks", ()) if _notable(m, record)]
    found += models.marks(record) + judged.alarms(record)
    lettered, summed = [], []
    for kind in dict.fromkeys(str(m["kind"]) for m in found):
        same = [m for m in found if m["kind"] == kind]
        if len(same) <= MAX_LETTERED:
            lettered += same
        else:
            first, last = same[0]["tick"], same[-1]["tick"]
            summed.append(
                f"{words.title(KINDS.get(kind, kind))}: {len(same)} times between {first} and {last}."
            )
    lettered.sort(key=lambda m: (m["tick"], str(m["kind"])))
    for place, mark in enumerate(lettered):
        mark["letter"] = chr(ord("A") + place) if place < 26 else str(place + 1)
        mark["word"] = KINDS.get(str(mark["kind"]), str(mark["kind"]))
    return {"list": lettered, "summed": summed, "periods": _periods(record)}


def _notable(mark: Mapping[str, Any], record: RunRecord) -> bool:
    """Leave out what holds from the start or never came, and a return to normal without a note."""
    returned = any(p["until"] == mark["tick"] - 0.5 for p in _periods(record))
    unnoted = mark["note"] == f"{mark['kind']} from tick {mark['tick']}"
    return 0 < mark["tick"] < record.scenario.time.ticks and not (returned and unnoted)


def _periods(record: RunRecord) -> list[Row]:
    """Return for how long something was put between people and the model, where not from the start."""
    scenario = record.scenario
    last = scenario.time.ticks - 1
    return [
        {"start": spec.start - 0.5, "until": min(spec.until - 0.5, last), "note": spec.note or kind}
        for kind, specs in (
            ("another latency", scenario.latency),
            ("injected faults", scenario.faults),
            ("noise", scenario.observation),
            ("odd people", scenario.people.manners),
        )
        for spec in specs
        if 0 < spec.start < scenario.time.ticks and spec.until is not None
    ]


def _time(
    record: RunRecord, whole: Overall, items: Sequence[tuple[int, str]], marks: Section, figures: Figures
) -> Section:
    step, unit = facts.bucket_size(whole), record.scenario.time.unit
    drawn = whole.turns and record.scope.kind != "none"
    series = facts.over_time(record, tuple(TRENDS), step) if drawn else {}
    panels = []
    for name, found in series.items():
        here = [m for m in marks["list"] if m.get("series", name) == name]
        spec = charts.trend(found, METRICS[name], unit, here, marks["periods"])
        title = words.title(name)
        drawn_as = charts.named(spec, name, f"{title}: {TRENDS[name]}")
        panels.append({"title": title, "note": TRENDS[name], "id": figures.add(drawn_as)})
    shares = facts.actions_over_time(record, [i for i, _ in items], step)
    here = [m for m in marks["list"] if m.get("series", "actions") == "actions"]
    stacked = charts.actions(shares, items, unit, here)
    seen = any(row["share"] >= SEEN for row in shares if row["item"] != facts.OTHERS)
    return {
        "panels": panels,
        "actions": figures.add(charts.named(stacked, "answers", "Share of each answer")) if seen else None,
        "answered": _answered(shares, seen=seen, unit=unit),
        "legend": [(charts.colour(place), name) for place, (_, name) in enumerate(items)],
        "marks": marks["list"],
        "summed": marks["summed"],
        "unit": unit,
        "step": step,
        "replicas": whole.replicas,
        "table": _table_of(series),
        "by_group": stratified.section(
            record, figures.add, step, marks["list"], marks["periods"], drawn=tuple(TRENDS)
        ),
    }


def _answered(shares: Sequence[Row], *, seen: bool, unit: str) -> str:
    """Say what the chart of answers shows, or why there is none to look at."""
    named = [row["share"] for row in shares if row["item"] != facts.OTHERS]
    if seen or not named:
        return "share of each answer" if shares else ""
    return f"so many different ones that none made up more than {words.percent(max(named))} of a {unit}"


def _table_of(series: Mapping[str, facts.Series]) -> list[tuple[int, list[str]]]:
    first = next(iter(series.values()), None)
    if first is None or len(first.tick) < 2:
        return []
    return [
        (tick, [_said(found.mean[i], METRICS[name].scale) for name, found in series.items()])
        for i, tick in enumerate(first.tick)
    ]


def _people(record: RunRecord, lines: Sequence[parts.Line], figures: Figures) -> Section:
    kinds = parts.kinds(record)
    gaps = parts.widest_gaps(lines)
    return {
        "kinds": kinds,
        "blocks": [_part_charts(record, kind, figures) for kind in kinds or parts.KINDS[:1]],
        "heads": [METRICS[name].title for name in lines[0].found],
        "table": [
            (line, [_cell(found, METRICS[name].scale) for name, found in line.found.items()])
            for line in lines
        ],
        "gaps": [_gap(gaps.get(name), METRICS[name].scale) for name in lines[0].found] if gaps else [],
    }


def _cell(found: Interval, scale: Scale) -> tuple[str, str]:
    bounds = f"{_bare(found.low, scale)} – {_bare(found.high, scale)}" if found.known else ""
    return _said(found.estimate, scale), bounds


def _gap(gap: tuple[float, str] | None, scale: Scale) -> tuple[str, str]:
    if gap is None:
        return "", ""
    size = f"{words.fixed(100.0 * gap[0], 1)} points" if scale == "share" else words.fixed(gap[0])
    return size, f"worst: {gap[1]}" if gap[0] > 0.0 else ""


def _said(value: float | None, scale: Scale) -> str:
    return words.percent(value) if scale == "share" else words.fixed(value)


def _bare(value: float, scale: Scale) -> str:
    return words.fixed(100.0 * value, 1) if scale == "share" else words.fixed(value)


def _part_charts(record: RunRecord, kind: Kind, figures: Figures) -> Section:
    names = parts.names(record, kind)
    order = [EVERYBODY, *names] if len(names) > 1 else [EVERYBODY]
    ended = [row for row in parts.ends(record, kind) if row["part"] in order]
    present = [reason for reason in words.ENDS if any(row["ended"] == reason for row in ended)]
    most = record.scenario.time.max_turns
    ending = portraits.ends(ended, order, most)
    spreads = [measure for measure in SPREADS if measure != "turns" or most > 1]
    return {
        "kind": kind,
        "ends": figures.add(charts.named(ending, f"ends by {kind}", f"Why sessions ended, by {kind}"))
        if ended
        else None,
        "legend": [(portraits.END_COLOURS[reason], words.ended(reason, most)) for reason in present],
        "panels": [_spread(record, kind, measure, order, figures) for measure in spreads] if ended else [],
    }


def _spread(
    record: RunRecord, kind: Kind, measure: parts.Spread, order: Sequence[str], figures: Figures
) -> Section:
    title, note = SPREADS[measure]
    bins = parts.bins_for(record, measure)
    values = parts.spread(record, kind, measure, bins)
    spec = portraits.ridges(values, order, bins, measure)
    drawn = charts.named(spec, f"{title} spread by {kind}", f"{title} {note}, by {kind}")
    return {"title": title, "note": note, "id": figures.add(drawn)}


def _latency(record: RunRecord, figures: Figures) -> list[Section]:
    histogram = facts.latency(record)
    panels = []
    for levels in facts.latency_levels(record):
        values = [row for row in histogram if row["kind"] == levels["kind"]]
        if levels["n"]:
            drawn = _histogram(values, levels, figures) if values else None
            panels.append({**levels, "id": drawn})
    return panels


def _histogram(values: Sequence[Row], levels: Row, figures: Figures) -> str:
    kind = levels["kind"]
    return figures.add(charts.named(charts.latency(values, levels), f"latency {kind}", f"Latency, {kind}"))


def _journeys(record: RunRecord) -> flow.Flow:
    drawn, _ = facts.frequent_items(record, flow.MAX_ITEMS)
    named = {item: record.items[item] for item in drawn}
    return flow.layout(facts.flow(record, drawn), named, record.scenario.time.max_turns)


def _troubles(record: RunRecord) -> list[tuple[str, str, str]]:
    found = [(words.FAULTS[str(row["fault"])], row) for row in facts.failures(record)]
    found += [(f"guard {row['guard']!r} stepped in", row) for row in facts.guards(record)]
    return [(what, words.whole(row["n"]), words.percent(row["share"], 2)) for what, row in found]
