"""Tests of a suite: collected from the catalogue, one a criterion, told by what was rehearsed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rehearse.errors import RehearseError
from rehearse.experiments import suites
from rehearse.experiments.suites import Stood
from rehearse.scenario.listing import Listed
from rehearse.scenario.load import load
from rehearse.scenario.model import Criterion


class NotMetError(Exception):
    """A criterion did not pass; what is to be read is the message."""


class Rehearsals:
    """The suite that one pytest session was asked for."""

    def __init__(self, config: pytest.Config) -> None:
        """Take the options; raises pytest.UsageError for a suite that there is not."""
        self._config = config
        own = config.getoption("--rehearse-catalogue")
        self.name = str(config.getoption("--rehearse-suite"))
        self.policy: str | None = config.getoption("--rehearse-policy")
        try:
            only = config.getoption("--rehearse-only") or ()
            self.entries = suites.members(self.name, only, Path(own) if own else None)
        except RehearseError as error:
            raise pytest.UsageError(str(error)) from None
        given = config.getoption("--rehearse-out")
        self.folder = Path(given or suites.new_folder(self.name)).absolute()
        self._stood: dict[str, Stood] = {}
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = []  # the suite alone, unless paths of other tests are given too

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the tests of the suite to those that were found."""
        whole = Part.from_parent(session, name=self.name, nodeid=self.name)
        for entry in self.entries:
            part = Part.from_parent(whole, name=entry.name)
            items.extend(self._tests(part, entry))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the page of what was rehearsed, and say where it is."""
        if self._stood:
            done = [entry for entry in self.entries if entry.ref in self._stood]
            found = self._rehearsed(done)
            terminalreporter.write_line(f"Suite {self.name}: {found.page}")

    def stood(self, entry: Listed) -> Stood:
        """Return how the model stands in a scenario, which is run when it is asked for first."""
        if entry.ref not in self._stood:
            self._stood[entry.ref] = self._rehearsed([entry]).scenarios[0]
        return self._stood[entry.ref]

    def _rehearsed(self, entries: list[Listed]) -> suites.Suite:
        how: dict[str, Any] = {"jobs": 0, "resume": True}
        return suites.rehearsed(self.name, self.policy, entries, self.folder, how)

    def _tests(self, part: Part, entry: Listed) -> Iterable[pytest.Item]:
        for i, criterion in enumerate(load(entry.ref).criteria):
            yield Test.from_parent(part, name=_called(criterion), suite=self, entry=entry, which=i)


class Part(pytest.Collector):
    """The suite, or a scenario of it; its tests are handed out by `Rehearsals`."""

    def collect(self) -> list[pytest.Item]:
        """Return nothing: nobody asks."""
        return []


class Test(pytest.Item):
    """A criterion of a scenario."""

    def __init__(self, *, suite: Rehearsals, entry: Listed, which: int, **given: Any) -> None:
        """Take the suite, the scenario and which of its criteria this is."""
        super().__init__(**given)
        self._suite, self._entry, self._which = suite, entry, which

    def runtest(self) -> None:
        """Rehearse the scenario, if that has not been done, and look at this criterion."""
        stood = self._suite.stood(self._entry)
        if not stood.criteria:
            raise NotMetError(stood.sentence)
        judged = stood.criteria[self._which]
        why = f"Why: {judged.why}" if judged.why else ""
        told = [judged.sentence, why, f"Report: {stood.report or stood.folder}"]
        if judged.verdict == "unsure" and self.config.getoption("--rehearse-unsure") == "skip":
            pytest.skip(judged.sentence)
        if stood.verdict == suites.NOT_COMPLETED:
            told.insert(0, stood.sentence)
        elif judged.verdict == "pass":
            return
        raise NotMetError("\n".join(line for line in told if line))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentence of the criterion, without a traceback."""
        if isinstance(excinfo.value, NotMetError | RehearseError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where it is written and what it is called."""
        return self._entry.file, None, f"{self._entry.name}: {self.name}"


def _called(criterion: Criterion) -> str:
    least = criterion.at_least is not None
    bound = criterion.at_least if least else criterion.at_most
    of = f"[{criterion.group}]" if criterion.group else ""
    return f"{criterion.metric}{of} {'at least' if least else 'at most'} {bound:g}"
