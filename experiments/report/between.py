"""What stood between people and the model, in sentences: noise, odd people, late feedback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rehearse.experiments.report import words
from rehearse.experiments.report.facts import columns_of, rows
from rehearse.scenario.base import Timed
from rehearse.scenario.distributions import law_of
from rehearse.scenario.feedback import Late
from rehearse.scenario.noise import DESCRIBED_BY, Manner, Observation
from rehearse.scenario.people import Distribution

if TYPE_CHECKING:
    from rehearse.record.reading import RunRecord

LASTS = {"turn": "anew each turn", "session": "anew each session", "ever": "once for ever"}
ANSWERS = {
    "sincerely": "",
    "at_random": "answer at random",
    "contrarily": "take what they like least",
    "always": "take whatever comes first",
}


def sentences(record: RunRecord) -> list[str]:
    """Return a sentence for each thing that stood between people and the model; none where nothing did."""
    scenario = record.scenario
    found = [_noise(spec) + _when(spec) for spec in scenario.observation] + list(_touched(record))
    for manner in scenario.people.manners:
        found.append(_manner(record, manner) + _when(manner))
    late = scenario.feedback
    if late is not None:
        found.append(_late(late) + _when(late))
    return found


def _noise(spec: Observation) -> str:
    how = {name: getattr(spec, name) for name in sorted(DESCRIBED_BY[spec.kind] - {"indicator"})}
    how = {name: value for name, value in how.items() if value != type(spec).model_fields[name].default}
    told = ", ".join(f"{name} {words.number(value)}" for name, value in how.items())
    seen = words.listed(spec.features)
    whose = f" of {spec.group}" if spec.group else ""
    often = (
        "" if spec.rate == 1.0 else f" in {words.percent(spec.rate, 0)} of cases, drawn {LASTS[spec.lasts]}"
    )
    return f"The model saw {seen}{whose} {spec.kind}{f' ({told})' if told else ''}{often}"


def _touched(record: RunRecord) -> Iterator[str]:
    if "noised" in columns_of(record, "turns"):
        counted = (
            "SELECT avg((noised > 0)::DOUBLE) AS share, avg(noised) FILTER (noised > 0) AS mean FROM turns"
        )
        found = rows(record.query(counted))[0]
        if found["share"]:
            yield (
                f"In {words.percent(found['share'])} of turns the model saw something other than it was, "
                f"{words.number(found['mean'])} features on average."
            )


def _manner(record: RunRecord, manner: Manner) -> str:
    counted = f"SELECT count(*) FILTER (manner = '{manner.name}') AS n, count(*) AS whole FROM users"
    found = rows(record.query(counted))[0]
    does = [ANSWERS[manner.answers], "say what is not so of themselves" if manner.says else ""]
    often = "" if manner.rate == 1.0 else f" in {words.percent(manner.rate, 0)} of their turns"
    who = f"{words.whole(found['n'])} of {words.whole(found['whole'])} people are {manner.name}"
    return f"{who}: they {words.listed([what for what in does if what])}{often}"


def _late(late: Late) -> str:
    told = "The labels that" if late.what == "labels" else "What"
    law = f"{_law(late.delay)} ticks" + (f", of positives {_law(late.positives)}" if late.positives else "")
    lost = "" if late.lost_after is None else f"; after more than {late.lost_after} it never came"
    return f"{told} a learning model is told came late, by {law}{lost}"


def _law(law: Distribution) -> str:
    name, value = law_of(law)
    if name == "constant":
        return words.number(value)
    parameters = ", ".join(f"{key} {words.number(x)}" for key, x in value if isinstance(x, float))
    return f"{name} ({parameters})"


def _when(spec: Timed) -> str:
    start = f", from tick {spec.start}" if spec.start else ""
    until = "" if spec.until is None else f", until tick {spec.until}"
    return f"{start}{until}{f': {spec.note}' if spec.note else ''}."
