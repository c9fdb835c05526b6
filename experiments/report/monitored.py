"""What was watched for drift: how far it moved by tick, and the alarms in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics import METRICS
from rehearse.experiments.metrics.base import Scale
from rehearse.experiments.monitor import CALIBRATED, Alarm, Watch, watch
from rehearse.experiments.report import charts, words
from rehearse.experiments.report.facts import Row
from rehearse.experiments.sentences import amount
from rehearse.experiments.streams import ACTIONS, title_of

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

INDEX = METRICS["drift:actions"]
WHAT = {"actions": "answers", "outcomes": "outcomes", "score": "scores"}
HOW = {"psi": "PSI", "ks": "KS distance", "js": "Jensen–Shannon"}
MOST_SERIES = 4
"""So many series of a scenario's own are drawn, of those that no other chart shows."""


def section(
    record: RunRecord, add: Callable[[charts.Spec], str], marks: Sequence[Row], drawn: Sequence[str]
) -> dict[str, Any] | None:
    """Return charts and alarms; None where no turns were kept, or there are too few ticks to compare."""
    if not record.scope.has_turns or not record.manifest.get("user_turns"):
        return None
    found = watch(record)
    if len(found.ticks) < 2:
        return None
    unit = record.scenario.time.unit
    panels = [_distances(found, what, unit, marks, add) for what in WHAT if f"psi_{what}" in found.divergence]
    own = [name for name in found.outcomes if name not in drawn and name.partition(":")[0] not in HOW]
    panels += [_series(found, name, unit, marks, add) for name in own[:MOST_SERIES]]
    return {
        "panels": panels,
        "legend": [(charts.colour(place), name) for place, name in enumerate(HOW.values())],
        "unit": unit,
        "heads": ("What", "Detector", "From", "To", "Since", "Likely cause"),
        "table": [(alarm.tick, _cells(alarm)) for alarm in found.alarms],
        "missing": words.listed(found.missing) if found.missing else "",
    }


def _distances(
    found: Watch, what: str, unit: str, marks: Sequence[Row], add: Callable[[charts.Spec], str]
) -> dict[str, str]:
    lines = {label: found.divergence[f"{how}_{what}"] for how, label in HOW.items()}
    title = f"How far {WHAT[what]} moved"
    here = [m for m in marks if m.get("series") in {None, f"psi:{what}"}]
    return {
        "title": title,
        "note": "against the first quarter of the run (its own ticks against the others of it)",
        "id": add(charts.named(_chart(title, lines, unit, here), f"drift of {WHAT[what]}", title)),
    }


def _series(
    found: Watch, name: str, unit: str, marks: Sequence[Row], add: Callable[[charts.Spec], str]
) -> dict[str, str]:
    title = words.title(title_of(name))
    here = [m for m in marks if m.get("series", name) == name]
    spec = _chart(title, {title: found.outcomes[name]}, unit, here)
    return {"title": title, "note": f"by {unit}", "id": add(charts.named(spec, name, title))}


def _chart(
    title: str, lines: Mapping[str, Sequence[float | None]], unit: str, marks: Sequence[Row]
) -> charts.Spec:
    values = [
        {"tick": tick, "group": name, "mean": value, "low": value, "high": value}
        for name, line in lines.items()
        for tick, value in enumerate(line)
    ]
    shade = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": list(lines), "range": [charts.colour(place) for place in range(len(lines))]},
    }
    said = f"{title}, by {unit}: {', '.join(lines)}."
    return charts.compared(said, values, metric=INDEX, unit=unit, shade=shade, marks=marks, periods=())


def _cells(alarm: Alarm) -> list[str]:
    scale = _scale(alarm.series)
    what = f"share of {alarm.detail} among the answers" if alarm.series == ACTIONS else title_of(alarm.series)
    by = "sets its own threshold" if alarm.detector == CALIBRATED else alarm.detector
    ends = [amount(value, scale) for value in (alarm.before, alarm.after)]
    return [what, by, *ends, str(alarm.onset), alarm.cause or "nothing was scheduled"]


def _scale(name: str) -> Scale:
    known = METRICS.get(name)
    return "share" if name == ACTIONS else "index" if known is None else known.scale
