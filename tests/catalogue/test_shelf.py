"""Looking after the catalogue: adding, retiring, comparing versions, and what an audit finds."""

from __future__ import annotations

import json
from datetime import date

import pytest

from rehearse.errors import ScenarioError, UserError
from rehearse.experiments.catalogue import shelf
from rehearse.experiments.catalogue.audit import audit
from rehearse.experiments.cli import main
from rehearse.scenario import catalogue, digest, load

WRITTEN = """\
# Why it was written stays.
name: clinic
extends: triage
people: {count: 30}
time: {ticks: 2}
replicas: 3
criteria:
  - {metric: served, at_least: 0.1}
"""
SAID = {"owner": "us", "rationale": "Small clinics have no second doctor. " * 4}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder with a scenario that is in no catalogue yet, as the present folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clinic.yaml").write_text(WRITTEN)
    return tmp_path


def test_what_is_added_is_the_same_scenario_with_an_owner(here):
    """It keeps its comments and its digest, says whose it is, and is found by name."""
    wanted = digest(load("clinic.yaml"))
    where = shelf.add(here / "clinic.yaml", SAID)
    assert where == here.relative_to(here) / "catalogue" / "clinic.yaml"
    assert where.read_text().startswith("# Why it was written stays.\n")
    found = load("clinic")
    assert digest(found) == wanted
    assert (found.about.owner, found.about.rationale) == ("us", SAID["rationale"].strip())


def test_a_change_is_a_new_version_and_the_old_one_stays(here, capsys):
    """Adding the same again is refused; a change gets the next number, and both can be compared."""
    shelf.add(here / "clinic.yaml", SAID)
    with pytest.raises(UserError, match="clinic@1 of the catalogue is the same"):
        shelf.add(here / "clinic.yaml", SAID)
    (here / "clinic.yaml").write_text(WRITTEN.replace("count: 30", "count: 40"))
    shelf.add(here / "clinic.yaml", SAID)
    assert [entry.version for entry in catalogue() if entry.name == "clinic"] == [1, 2]
    assert (load("clinic").people.count, load("clinic@1").people.count) == (40, 30)
    assert main(["catalogue", "diff", "clinic@1", "clinic", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["differences"]
    assert {"field": "people.count", "a": 30, "b": 40} in told
    assert {one["field"] for one in told} == {"version", "people.count"}


def test_what_cannot_stand_in_a_catalogue_is_answered(here):
    """Without an owner, without a name, or with files that lie elsewhere, nothing is written."""
    with pytest.raises(UserError, match="must know owner"):
        shelf.add(here / "clinic.yaml", {"rationale": "why"})
    (here / "heir.yaml").write_text("extends: triage\n")
    with pytest.raises(ScenarioError, match="no name of its own"):
        shelf.add(here / "heir.yaml", SAID)
    (here / "lost.yaml").write_text("name: lost\nextends: clinic.yaml\n")
    with pytest.raises(UserError, match="Put what it names beside it"):
        shelf.add(here / "lost.yaml", SAID)
    assert not list(here.glob("catalogue/*.yaml"))


def test_a_retired_scenario_is_kept_with_the_reason(here, capsys):
    """It is listed no more, loads with a warning, and those of Rehearse are not ours to retire."""
    shelf.add(here / "clinic.yaml", SAID)
    assert main(["catalogue", "retire", "clinic", "--because", "the clinic closed"]) == 0
    assert "clinic" not in [entry.name for entry in catalogue()]
    with pytest.warns(UserWarning, match="the clinic closed"):
        load("clinic")
    assert main(["catalogue", "retire", "travel", "--because", "why not"]) == 2
    assert "not yours" in capsys.readouterr().err


def test_an_audit_finds_what_should_be_seen_to(here):
    """Twins are redundant, what all pass is toothless, what was found is proposed; age and change show."""
    today = date(2026, 1, 1)
    about = SAID | {"risk": ["scarcity"], "layer": "calm"}
    about |= {"references": {"bands-v1": "pass", "random-v1": "pass"}}
    shelf.add(here / "clinic.yaml", about | {"last_audited": "2025-01-01"})
    (here / "twin.yaml").write_text(WRITTEN.replace("clinic", "twin"))
    shelf.add(here / "twin.yaml", about | {"references": {"bands-v1": "pass", "random-v1": "fail"}})
    (here / "catalogue" / "found").mkdir()
    (here / "catalogue" / "found" / "worst.yaml").write_text("name: worst\nextends: triage\nseed: 7\n")
    shelf.stamp(next(entry for entry in catalogue() if entry.name == "twin"), today)
    found = audit(alone=True, today=today, jobs=0)
    told = {(finding.kind, finding.scenario) for finding in found.findings}
    assert {("never failed", "clinic"), ("redundant", "twin"), ("unexpected", "twin")} <= told
    assert {("found", "worst"), ("stale", "clinic"), ("uncovered", "")} <= told
    assert ("stale", "twin") not in told
    assert found.verdicts["twin"] == {"bands-v1": "pass", "random-v1": "pass"}
    assert not found.sound
    file = here / "catalogue" / "twin.yaml"
    file.write_text(file.read_text().replace("count: 30", "count: 31"))
    changed = audit(alone=True, today=today, jobs=0)
    assert any("has changed since" in finding.sentence for finding in changed.findings)
