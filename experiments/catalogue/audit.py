"""An audit of the catalogue: every scenario run with its references, and what should be seen to.

What it finds: verdicts other than expected; scenarios nobody looked at for long, or that changed since;
those that nothing fails, or in which all policies fare the same; those that tell no more than another; risks
that no scenario covers; and scenarios that a search found and nobody has taken in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rehearse.errors import UserError
from rehearse.experiments.catalogue.shelf import fingerprint
from rehearse.experiments.sweep import conducting
from rehearse.experiments.sweep.results import Sweep
from rehearse.scenario.about import RISKS
from rehearse.scenario.listing import Listed, catalogue, own
from rehearse.scenario.load import load

if TYPE_CHECKING:
    from rehearse.experiments.sweep.conducting import Progress

AUDIT = Path("sweeps/catalogue-audit")
STALE_AFTER = 180
"""Days."""
NEAR = 0.05
"""Mean relative difference of their metrics at which two records are near-same."""
FOUND = ("found/*.yaml", "../searches/*/found.yaml")
"""Where scenarios lie that a search found, from the folder of your own."""
Kind = Literal[
    "unexpected",
    "incomplete",
    "stale",
    "never failed",
    "not discriminating",
    "redundant",
    "uncovered",
    "found",
]
MUST_SAY = ("owner", "rationale", "risk", "layer", "references")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to be seen to."""

    kind: Kind
    scenario: str
    """Empty where it is of the catalogue as a whole."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Lived:
    """What became of one policy in one scenario."""

    verdict: str
    """Of the criteria, or `failed` where the run could not be made."""
    metrics: dict[str, float] = field(default_factory=dict)


Table = dict[str, dict[str, Lived]]
"""By scenario and policy."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The state of the catalogue."""

    verdicts: dict[str, dict[str, str]]
    """By scenario and policy."""
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Return whether every reference got the verdict that is expected."""
        return all(finding.kind != "unexpected" for finding in self.findings)


def audit(
    policies: Sequence[str] = (),
    *,
    folder: Path | None = None,
    alone: bool = False,
    older_than: int = STALE_AFTER,
    today: date | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Run every scenario at its reduced size with its references and `policies`, and say what was found.

    A policy is left out of scenarios in which it cannot be run. Runs are kept in a sweep (`out`): an audit
    makes those alone that changed since the last. `folder` is that of your own scenarios, which are looked at
    `alone` or with those of Rehearse; `older_than` is in days.
    """
    entries = _newest(folder, alone=alone)
    pairs = [(entry, policy) for entry in entries for policy in _policies(entry, policies)]
    plan = {
        "name": "catalogue-audit",
        "axes": {"scenario": [e.ref for e, _ in pairs], "policy": [policy for _, policy in pairs]},
        "design": {"kind": "zip"},
        "reduced": True,
    }
    swept = conducting.sweep(plan, out=out or AUDIT, jobs=jobs, resume=True, progress=progress)
    table = _table(swept, pairs)
    day = today or datetime.now(UTC).date()
    findings = [
        *(one for entry in entries for one in _of_one(entry, table.get(entry.name, {}), day, older_than)),
        *_redundant(entries, table),
        *_uncovered(entries),
        *_found(folder, entries),
    ]
    verdicts = {name: {p: lived.verdict for p, lived in row.items()} for name, row in table.items()}
    return Audit(verdicts, tuple(findings))


def _newest(folder: Path | None, *, alone: bool) -> list[Listed]:
    """Return the newest version of each scenario that can be run as it is."""
    where = own(folder).resolve()
    newest = {entry.name: entry for entry in catalogue(folder)}
    known = [entry for entry in newest.values() if not entry.about.needs_data]
    return [entry for entry in known if not alone or entry.file.parent.resolve() == where]


def _policies(entry: Listed, more: Sequence[str]) -> list[str]:
    known = entry.about.references
    return [*known, *(policy for policy in more if policy not in known and _fits(entry, policy))]


def _fits(entry: Listed, policy: str) -> bool:
    from rehearse.experiments import composition, footprint
    from rehearse.experiments.build import assemble

    try:
        assemble(footprint.small(composition.with_policy(load(entry.file), policy))).close()
    except UserError:
        return False
    return True


def _table(swept: Sweep, pairs: Sequence[tuple[Listed, str]]) -> Table:
    runs = swept.query("SELECT point, status, verdict FROM runs ORDER BY point")
    lines = swept.query("""SELECT point, metric, estimate FROM results WHERE "group" = '' ORDER BY point""")
    metrics: list[dict[str, float]] = [{} for _ in pairs]
    for point, metric, estimate in zip(*(lines[n].tolist() for n in lines), strict=True):
        metrics[point][metric] = estimate
    table: Table = {}
    for point, status, verdict in zip(*(runs[n].tolist() for n in runs), strict=True):
        entry, policy = pairs[point]
        lived = Lived(verdict if status == "done" else "failed", metrics[point])
        table.setdefault(entry.name, {})[policy] = lived
    return table


def _of_one(entry: Listed, row: Mapping[str, Lived], today: date, older_than: int) -> Iterator[Finding]:
    about, name = entry.about, entry.name
    for policy, expected in about.references.items():
        if row[policy].verdict != expected:
            told = f"{policy} was to be {expected}, and is {row[policy].verdict}."
            yield Finding("unexpected", name, told)
    missing = [what for what in MUST_SAY if not getattr(about, what)]
    if missing:
        yield Finding("incomplete", name, f"It says no {', no '.join(missing)}.")
    stale = _stale(entry, today, older_than)
    if stale:
        yield Finding("stale", name, stale)
    words = {lived.verdict for lived in row.values()}
    if words == {"pass"}:
        yield Finding("never failed", name, f"{_all(row)} passed: nothing that it runs fails it.")
    elif len(row) > 1 and len(words) == 1:
        yield Finding("not discriminating", name, f"{_all(row)} came to {words.pop()}: it tells none apart.")


def _all(row: Mapping[str, Lived]) -> str:
    return f"All of {', '.join(row)}" if len(row) > 1 else next(iter(row))


def _stale(entry: Listed, today: date, older_than: int) -> str:
    about = entry.about
    if about.last_audited is None:
        return "Nobody has ever audited it."
    days = (today - about.last_audited).days
    if days > older_than:
        return f"It was last audited {days} days ago, on {about.last_audited}."
    if about.audited_as and about.audited_as != fingerprint(load(entry.file)):
        return f"It, or what it extends, has changed since it was audited on {about.last_audited}."
    return ""


def _redundant(entries: Sequence[Listed], table: Table) -> Iterator[Finding]:
    worlds = {entry.name: load(entry.file).world.name for entry in entries if entry.name in table}
    for a, b in combinations(worlds, 2):
        shared = [policy for policy in table[a] if policy in table[b]]
        if worlds[a] != worlds[b] or len(shared) < 2:
            continue
        same = all(table[a][p].verdict == table[b][p].verdict for p in shared)
        apart = max(_apart(table[a][p].metrics, table[b][p].metrics) for p in shared)
        if same and apart <= NEAR:
            told = f"{', '.join(shared)} get the same verdicts as in {a}, and metrics {apart:.1%} apart."
            yield Finding("redundant", b, told)


def _apart(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Return the mean relative difference of the metrics that both records hold."""
    pairs = np.array([(a[m], b[m]) for m in a if m in b], dtype=np.float64).reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    largest = np.abs(pairs).max(axis=1, initial=0.0)
    known = largest > 0.0
    if not known.any():
        return 0.0 if len(pairs) else 1.0
    return float(np.mean(np.abs(pairs[known, 0] - pairs[known, 1]) / largest[known]))


def _uncovered(entries: Sequence[Listed]) -> Iterator[Finding]:
    covered = {risk for entry in entries for risk in entry.about.risk}
    for risk, meaning in RISKS.items():
        if risk not in covered:
            yield Finding("uncovered", "", f"No scenario covers {risk}: {meaning}.")


def _found(folder: Path | None, entries: Sequence[Listed]) -> Iterator[Finding]:
    known = {fingerprint(load(entry.file).model_copy(update={"version": 1})) for entry in entries}
    for pattern in FOUND:
        for file in sorted(own(folder).glob(pattern)):
            try:
                scenario = load(file)
            except UserError as error:
                yield Finding("found", str(file), f"It cannot be read: {error.problem}")
                continue
            if fingerprint(scenario.model_copy(update={"version": 1})) not in known:
                told = f"A search found it. Take it in with `rehearse catalogue add {file}`."
                yield Finding("found", scenario.name, told)


def as_data(found: Audit) -> dict[str, Any]:
    """Return an audit as plain data."""
    told = [{"kind": f.kind, "scenario": f.scenario, "sentence": f.sentence} for f in found.findings]
    return {"verdicts": found.verdicts, "findings": told}
