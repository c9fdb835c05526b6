"""The page of a suite: scenarios and their criteria in a table, the worst first, with links."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.experiments.metrics import find
from rehearse.experiments.report import fill
from rehearse.experiments.sentences import amount

if TYPE_CHECKING:
    from rehearse.experiments.suites import Stood, Suite
    from rehearse.experiments.verdict import Judgement

WORDS = ("fail", "not completed", "unsure", "pass")


def write(found: Suite) -> Path:
    """Write the page into the suite's folder, and return its path."""
    from rehearse.tables import write_text

    write_text(found.page, fill("suite.html.j2", page(found)))
    return found.page


def page(found: Suite) -> dict[str, Any]:
    """Return everything the template shows."""
    verdicts = [stood.verdict for stood in found.scenarios]
    return {
        "found": found,
        "counts": [(word, verdicts.count(word)) for word in WORDS if word in verdicts],
        "scenarios": [_told(stood, found.folder) for stood in found.scenarios],
    }


def _told(stood: Stood, folder: Path) -> dict[str, Any]:
    about = stood.entry.about
    order = {"fail": 0, "unsure": 1, "pass": 2}
    return {
        "name": stood.entry.name,
        "title": stood.entry.title,
        "verdict": stood.verdict,
        "key": "unsure" if stood.verdict == "not completed" else stood.verdict,
        "sentence": stood.sentence,
        "layer": about.layer or "",
        "risks": ", ".join(about.risk),
        "owner": about.owner,
        "rationale": about.rationale,
        "criteria": [_criterion(c) for c in sorted(stood.criteria, key=lambda c: order[c.verdict])],
        "report": _link(stood.report, folder),
        "record": _link(stood.folder, folder),
    }


def _criterion(judged: Judgement) -> dict[str, str]:
    scale = find(judged.metric).scale
    sign = "≥" if judged.direction == "at_least" else "≤"
    low, high = judged.low, judged.high
    bounded = low is not None and high is not None
    return {
        "metric": judged.metric + (f", {judged.group}" if judged.group else ""),
        "asked": f"{sign} {amount(judged.threshold, scale)}",
        "estimate": "–" if judged.estimate is None else amount(judged.estimate, scale),
        "bounds": f"{amount(low or 0.0, scale)} to {amount(high or 0.0, scale)}" if bounded else "–",
        "verdict": judged.verdict,
        "sentence": judged.sentence,
        "why": judged.why,
    }


def _link(path: Path | None, folder: Path) -> str:
    """Return a path as it is reached from the page, so that the folder can be moved."""
    return "" if path is None else Path(os.path.relpath(path, folder)).as_posix()
