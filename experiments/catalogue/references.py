"""The verdicts of a scenario's reference policies, measured at its reduced size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rehearse.experiments.sweep.listing import runs
from rehearse.experiments.sweep.plan import read
from rehearse.scenario.listing import Listed


def measured(entry: Listed, policies: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return what a run with each policy came to, at the scenario's reduced size: verdict, digest, lines.

    Without `policies` they are the references that the scenario names. Raises UserError where one cannot
    be run in it.
    """
    from rehearse.experiments.sweep.measuring import made

    asked = list(entry.about.references if policies is None else policies)
    if not asked:
        return {}
    planned = read({"scenario": entry.ref, "axes": {"policy": asked}, "reduced": True})
    with TemporaryDirectory() as aside:
        return {run.values[0]: made(run.task, run.name, Path(aside)) for run in runs(planned)}


def unexpected(entry: Listed, found: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence for each reference whose verdict is another than expected, with what decided it."""
    expected = entry.about.references
    off = {
        policy: run for policy, run in found.items() if run["verdict"] != expected.get(policy, run["verdict"])
    }
    return [
        f"{policy} was to {_do(expected[policy])}, and the verdict is {run['verdict']}{_because(run)}."
        for policy, run in off.items()
    ]


def _do(word: str) -> str:
    return "be unsure" if word == "unsure" else word


def _because(found: dict[str, Any]) -> str:
    """Return the criteria that did not pass, each with its estimate and interval."""
    told = [
        f"{line['metric']} {line['estimate']} ({line['low']} to {line['high']}): {line['verdict']}"
        for line in found["lines"]
        if line["verdict"] in {"fail", "unsure"}
    ]
    return f" ({'; '.join(told)})" if told else ""
