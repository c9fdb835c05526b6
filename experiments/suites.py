"""Suites: scenarios of the catalogue that belong together, run as one sweep, with one page of results.

Which scenarios a suite has is said in them (`about.suites`). `smoke` runs each at its reduced size; any
other runs them as they are written. Every run leaves its record in the sweep's folder; what did not pass
has a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.sweep import conducting
from rehearse.experiments.sweep.keeping import RECORDS
from rehearse.experiments.sweep.plan import read
from rehearse.experiments.sweep.results import Sweep
from rehearse.experiments.verdict import Judgement, Verdict
from rehearse.scenario.listing import Listed, catalogue

if TYPE_CHECKING:
    from rehearse.experiments.sweep.conducting import Progress

SMOKE = "smoke"
SUITES = Path("suites")
NOT_COMPLETED = "not completed"
WORST_FIRST = (NOT_COMPLETED, "fail", "unsure", "pass")
COUNTS_FIRST = ("fail", NOT_COMPLETED, "unsure", "pass")
"""What a suite came to: the first of these words that any of its scenarios has."""
MARKS = {"pass": "✓", "fail": "✗", "unsure": "?", NOT_COMPLETED: "!"}


@dataclass(frozen=True, slots=True)
class Stood:
    """How the model stood in a scenario."""

    entry: Listed
    verdict: str
    criteria: tuple[Judgement, ...] = ()
    sentence: str = ""
    """Of the whole verdict, or why there is none."""
    folder: Path | None = None
    """The record of the run."""
    report: Path | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """How the model stood in a suite."""

    name: str
    policy: str
    """The reference; empty where each scenario ran its own."""
    folder: Path
    scenarios: tuple[Stood, ...]
    """The worst first."""

    @property
    def verdict(self) -> str:
        """Return fail, not completed, unsure or pass: the first that any scenario came to."""
        words = {stood.verdict for stood in self.scenarios}
        return next(word for word in COUNTS_FIRST if word in words)

    @property
    def page(self) -> Path:
        """Return where the page of results lies."""
        return self.folder / "suite.html"

    def table(self) -> str:
        """Return a line a scenario, with the sentences of what did not pass, the verdict last."""
        lines = []
        for stood in self.scenarios:
            lines.append(f"{MARKS[stood.verdict]} {stood.entry.name}: {stood.verdict}. {stood.sentence}")
            lines += [f"    {MARKS[c.verdict]} {c.sentence}" for c in stood.criteria if c.verdict != "pass"]
        passed = sum(stood.verdict == "pass" for stood in self.scenarios)
        return "\n".join(
            [*lines, f"{self.verdict.upper()}: {passed} of {len(self.scenarios)} scenarios passed."]
        )


def members(name: str, only: Sequence[str] = (), folder: Path | None = None) -> list[Listed]:
    """Return the scenarios of a suite, of those the ones whose name, category or layer matches any of `only`.

    `folder` is that of your own scenarios. Raises NotFoundError where there is none.
    """
    listed = [entry for entry in catalogue(folder) if entry.about.suites]
    suites = {suite for entry in listed for suite in entry.about.suites}
    if name not in suites:
        problem = f"no scenario of the catalogue is in a suite {name!r}."
        raise NotFoundError(problem, did_you_mean(name, suites))
    found = [entry for entry in listed if name in entry.about.suites and _matches(entry, only)]
    if not found:
        problem = f"no scenario of the suite {name!r} matches --only {', '.join(only)}."
        there = ", ".join(entry.name for entry in listed if name in entry.about.suites)
        raise NotFoundError(problem, f"Name some of {there}; a category; or a layer.")
    return found


def suite(
    name: str,
    policy: str | None = None,
    *,
    only: Sequence[str] = (),
    catalogue: Path | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    on: str = "local",
    resume: bool = False,
    trust: bool = False,
    progress: Progress | None = None,
) -> Suite:
    """Run a suite of the catalogue as one sweep, and return how the model stood, with its page written.

    Without `policy` every scenario runs its own. `only`, `catalogue` as of `members`; the rest as of `sweep`.
    Raises UserError where the policy cannot be run in one of the scenarios.
    """
    entries = members(name, only, catalogue)
    folder = out or new_folder(name)
    return rehearsed(
        name,
        policy,
        entries,
        folder,
        {"jobs": jobs, "on": on, "resume": resume, "trust": trust, "progress": progress},
    )


def new_folder(name: str) -> Path:
    """Return where a suite that is begun now is kept, unless somebody says where."""
    return SUITES / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def rehearsed(
    name: str, policy: str | None, entries: Sequence[Listed], folder: Path, how: dict[str, Any]
) -> Suite:
    """Run these scenarios of a suite in a folder; `how` are arguments of a sweep."""
    from rehearse.experiments.report import suite as pages

    try:
        swept = conducting.sweep(plan(name, policy, entries), out=folder, **how)
    except UserError as error:
        if policy is None or len(entries) == 1:
            raise
        where = next((e.name for e in entries if not _can_run(plan(name, policy, [e]), how)), name)
        remedy = f"{error.remedy} Or leave out the scenarios that it is not made for (--only)."
        problem = f"{where}: {error.problem}"
        raise type(error)(problem, remedy) from None
    order = {word: i for i, word in enumerate(WORST_FIRST)}
    stood = sorted(_stood(swept, entries), key=lambda one: (order[one.verdict], one.entry.name))
    found = Suite(name, policy or "", folder, tuple(stood))
    pages.write(found)
    return found


def plan(name: str, policy: str | None, entries: Sequence[Listed]) -> dict[str, Any]:
    """Return the plan of the sweep that a suite is."""
    axes = {"scenario": [entry.ref for entry in entries]} | ({"policy": [policy]} if policy else {})
    return {"name": name, "axes": axes, "reduced": name == SMOKE, "keep": "runs"}


def _can_run(asked: dict[str, Any], how: dict[str, Any]) -> bool:
    try:
        conducting.listed_runs(read(asked), trust=bool(how.get("trust")))
    except UserError:
        return False
    return True


def _stood(swept: Sweep, entries: Sequence[Listed]) -> list[Stood]:
    found = swept.query("SELECT point, run, status, error FROM runs ORDER BY point")
    rows = zip(*(found[name].tolist() for name in ("point", "run", "status", "error")), strict=True)
    return [
        _one(entries[point], swept.folder / RECORDS / run, status, error)
        for point, run, status, error in rows
    ]


def _one(entry: Listed, record: Path, status: str, error: str) -> Stood:
    if status != "done":
        return Stood(entry, NOT_COMPLETED, sentence=error or "It was not run.")
    from rehearse.experiments.report import REPORT, write
    from rehearse.record.reading import RunRecord

    verdict = Verdict.model_validate(RunRecord(record).verdict)
    report = record / REPORT
    if verdict.verdict != "pass" and not report.is_file():
        write(record)
    there = report if report.is_file() else None
    return Stood(entry, verdict.verdict, verdict.criteria, verdict.sentence, record, there)


def _matches(entry: Listed, only: Sequence[str]) -> bool:
    told = (entry.name, entry.about.category, entry.about.layer or "")
    return not only or any(fnmatchcase(word, pattern) for pattern in only for word in told)
