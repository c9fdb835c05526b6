"""Suites: one sweep with one page and an exit code; as tests, one a criterion; silent where nobody asks."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from rehearse.errors import NotFoundError, UserError
from rehearse.experiments.cli import main
from rehearse.experiments.suites import members, suite

pytest_plugins = ["pytester"]
PLUGIN = "rehearse.experiments.pytest_plugin"
INSTALLED = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
TINY = """
name: {name}
extends: triage
people: {{count: 30}}
time: {{ticks: 2}}
replicas: 3
about:
  owner: us
  rationale: It is small.
  suites: [tiny]
criteria:
  - {{metric: served, at_least: {served}, why: people come to be served}}
  - {{metric: rightness, at_least: 0.0}}
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a folder of two scenarios, one of which nobody can pass."""
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "mild.yaml").write_text(TINY.format(name="mild", served=0.1))
    (folder / "strict.yaml").write_text(TINY.format(name="strict", served=1.1))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_suite_is_one_sweep_with_a_page_and_an_exit_code(own, capsys):
    """The worst scenario comes first, on the page too, and what failed has a report that is linked."""
    code = main(["suite", "tiny", "--policy", "random-v1", "--jobs", "0", "--out", "made", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (code, found["verdict"]) == (1, "fail")
    assert [one["scenario"] for one in found["scenarios"]] == ["strict", "mild"]
    page = (own.parent / "made" / "suite.html").read_text()
    assert page.index('id="strict"') < page.index('id="mild"')
    report = found["scenarios"][0]["report"].removeprefix("made/")
    assert f'href="{report}"' in page
    assert (own.parent / "made" / report).is_file()
    assert main(["suite", "tiny", "--only", "mild", "--jobs", "0", "--out", "mild", "-q"]) == 0


def test_a_suite_or_scenario_that_is_not_there_is_answered(own):
    """A misspelt suite names the nearest, a word without a match what there is, a misfit the scenario."""
    with pytest.raises(NotFoundError, match="Did you mean 'smoke'"):
        members("smok")
    with pytest.raises(NotFoundError, match="mild, strict"):
        members("tiny", ["travel*"])
    with pytest.raises(UserError, match=r"^mild: .*see.*--only"):
        suite("tiny", "threshold-v1?feature=score&at=3", jobs=0)


def run_pytest(pytester, *more):
    """Run pytest in the present folder with the plug-in."""
    loaded = () if INSTALLED else ("-p", PLUGIN)
    return pytester.runpytest_inprocess(*loaded, "-p", "no:cacheprovider", *more)


def test_each_criterion_is_a_test(pytester):
    """Failures tell the sentence, why it matters and the report; JUnit has a case a criterion."""
    folder = pytester.mkdir("catalogue")
    (folder / "mild.yaml").write_text(TINY.format(name="mild", served=0.1))
    (folder / "strict.yaml").write_text(TINY.format(name="strict", served=1.1))
    pytester.makepyfile("def test_of_their_own(): assert True")
    asked = ("--rehearse-suite", "tiny", "--rehearse-policy", "random-v1", "--rehearse-out", "made")
    result = run_pytest(pytester, *asked, "--junitxml", "junit.xml")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*of 100 cases were served*: fail.*", "Why: people come to be served", "Report: *report.html"]
    )
    result.stdout.fnmatch_lines(["Suite tiny: *suite.html"])
    junit = (pytester.path / "junit.xml").read_text()
    assert 'classname="tiny.strict" name="served at least 1.1"' in junit
    assert junit.count("<testcase") == 4
    alone = run_pytest(pytester, *asked, "-k", "mild and rightness")
    alone.assert_outcomes(passed=1, deselected=3)


def test_nothing_happens_where_no_suite_is_asked_for():
    """Loading the plug-in imports nothing heavy, neither Mesa nor the rest of Rehearse."""
    seen = "import sys, rehearse.experiments.pytest_plugin; print([m for m in sys.modules if m in "
    seen += "('mesa', 'numpy', 'pydantic', 'scipy', 'rehearse.experiments.suites', 'rehearse.scenario')])"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
