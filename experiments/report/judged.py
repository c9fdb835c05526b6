"""The verdict and the provenance as the report says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics import Metric, find
from rehearse.experiments.report import words
from rehearse.experiments.report.gauge import gauge

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

Section = dict[str, Any]

MAX_NAMED = 3
PHRASES = {
    "fail": ("does not hold", "do not hold"),
    "unsure": ("is left open by the evidence", "are left open by the evidence"),
}


def verdict(record: RunRecord) -> Section:
    """Return the verdict as a word, a symbol and a sentence."""
    found = record.verdict
    key = str(found["verdict"])
    symbol, word = words.VERDICTS[key]
    more = _told(found["criteria"], "unsure") if key == "fail" else ""
    return {
        "key": key.replace(" ", "-"),
        "symbol": symbol,
        "word": word,
        "sentence": found["sentence"] if key == "not completed" else _sentence(found["criteria"], key),
        "more": more,
    }


def _sentence(judged: Sequence[Mapping[str, Any]], key: str) -> str:
    if not judged:
        return "The scenario states no criteria, so there is nothing to judge by."
    if key == "pass":
        all_of = {1: "The one criterion holds.", 2: "Both criteria hold."}
        return all_of.get(len(judged), f"All {len(judged)} criteria hold.")
    return _told(judged, key)


def _told(judged: Sequence[Mapping[str, Any]], key: str) -> str:
    names = [_name(c) for c in judged if c["verdict"] == key]
    if not names:
        return ""
    if len(judged) == 1:
        return f"The one criterion {PHRASES[key][0]}: {names[0]}."
    subject = f"{len(names)} of" if len(names) < len(judged) else "All"
    more = [*names[:MAX_NAMED], f"{len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED + 1 else names
    return f"{subject} {len(judged)} criteria {PHRASES[key][len(names) > 1]}: {words.listed(more)}."


def _name(criterion: Mapping[str, Any]) -> str:
    group = criterion["group"]
    return metric(criterion).title + (f" of {group}" if group else "")


def metric(found: Mapping[str, Any]) -> Metric:
    """Return the metric that a criterion is about."""
    return find(str(found["metric"]))


def criteria(record: RunRecord) -> list[Section]:
    """Return each criterion with its sentence, its drawing and the turns that show it."""
    return [_criterion(c, record) for c in record.verdict["criteria"]]


def _criterion(found: Mapping[str, Any], record: RunRecord) -> Section:
    key = str(found["verdict"])
    symbol, word = words.VERDICTS[key]
    name = _name(found)
    return {
        "key": key,
        "symbol": symbol,
        "word": word,
        "name": name[:1].upper() + name[1:],
        "sentence": found["sentence"],
        "why": found["why"],
        "gauge": gauge(found, metric(found)),
        "turns": [_evidence(t, record) for t in found["evidence"]],
    }


def _evidence(turn: Mapping[str, Any], record: RunRecord) -> Section:
    unit = words.title(record.scenario.time.unit)
    where = f" of replica {turn['replica']}" if record.scenario.replicas > 1 else ""
    replica = f" --replica {turn['replica']}" if turn["replica"] else ""
    return {
        "where": f"{unit} {turn['tick']}, turn {turn['turn'] + 1}, user {turn['user']}{where}: {turn['why']}",
        "command": f"rehearse journey {record.folder.name} --user {turn['user']}{replica}",
    }


def alarms(record: RunRecord) -> list[Section]:
    """Return the alarms that monitors rang, as marks on the charts over time."""
    return [
        {
            "tick": int(a["tick"]),
            "kind": "alarm",
            "note": str(a["sentence"])
            .removeprefix(f"At tick {a['tick']} ")
            .replace("(since tick ", f"(since {record.scenario.time.unit} ")
            .replace("because, at tick ", f"because, on {record.scenario.time.unit} "),
            "series": str(a["series"]),
        }
        for a in record.verdict["alarms"]
    ]


def provenance(record: RunRecord) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what the run depends on, as titled lists of names and values."""
    m = record.manifest
    code = m.get("code") or {}
    dirty = " with changes that are not committed" if code.get("dirty") else ""
    first = {
        "run": m.get("run"),
        "digest": m.get("digest"),
        "seed": m.get("seed", record.scenario.seed),
        "replicas": record.scenario.replicas,
        "started": m.get("started"),
        "finished": m.get("finished"),
        "wall-clock time": words.seconds(m["seconds"]) if m.get("seconds") is not None else None,
        "spent on answers": m.get("spent"),
        "code": f"commit {code['commit']}{dirty}" if code.get("commit") else None,
        "command": " ".join(m["command"]) if m.get("command") else None,
    }
    blocks = [
        ("This run", first),
        ("Inputs (SHA-256)", m.get("inputs") or {}),
        ("Resources of the model", {k: _value(v) for k, v in (m.get("resources") or {}).items()}),
        ("Packages", m.get("packages") or {}),
        ("Machine", m.get("machine") or {}),
    ]
    kept = [
        (title, [(words.plain(str(k)), str(v)) for k, v in block.items() if v not in (None, "")])
        for title, block in blocks
        if isinstance(block, Mapping)
    ]
    return [(title, block) for title, block in kept if block]


def _value(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return words.whole(value) if isinstance(value, int) else words.number(value)
