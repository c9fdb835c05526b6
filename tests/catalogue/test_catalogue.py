"""The catalogue: every scenario says what it is for, and gives its references the verdicts that it says."""

from __future__ import annotations

import pytest

from rehearse.errors import ScenarioError
from rehearse.experiments.catalogue.references import measured, unexpected
from rehearse.scenario import catalogue, digest, from_yaml, load, to_yaml
from rehearse.scenario.about import LAYERS, SUITES
from rehearse.scenario.listing import packaged

ENTRIES = [entry for entry in catalogue() if entry.file.parent == packaged()]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_reference_policies_get_the_verdicts_that_are_expected(entry):
    """Each scenario names policies with the verdict it gives them, unless it needs data of one's own."""
    assert entry.about.references or entry.about.needs_data
    assert unexpected(entry, measured(entry)) == []


def test_what_the_catalogue_says_determines_nothing(tmp_path):
    """It is no part of a digest, reads back from the resolved text, and is not passed on by `extends`."""
    travel = load("travel")
    assert travel.about.owner == "Rehearse"
    assert digest(travel.model_copy(update={"about": None})) == digest(travel)
    assert from_yaml(to_yaml(travel)) == travel
    heir = tmp_path / "heir.yaml"
    heir.write_text("extends: travel\n")
    assert load(heir).about is None


def test_the_catalogue_is_layered_from_calm_to_hostile():
    """Each has an owner, a reason, risks and a layer; every layer has some, and all worlds a calm one."""
    told = [(load(entry.name).world.name, entry.about) for entry in ENTRIES]
    for name in ("category", "owner", "layer", "risk", "rationale", "last_audited"):
        assert all(getattr(about, name) for _, about in told)
    worlds = {"recommend-v1", "lending-v1", "triage-v1", "pricing-v1", "assist-v1"}
    assert {world for world, about in told if about.layer == "calm"} >= worlds
    assert {suite for _, about in told for suite in about.suites} == set(SUITES)
    assert set(LAYERS) == {about.layer for _, about in told}


def test_scenarios_of_ones_own_stand_beside_those_of_rehearse(tmp_path, monkeypatch):
    """What lies in REHEARSE_CATALOGUE is found by name; what is retired is not listed, and tells why."""
    (tmp_path / "mine.yaml").write_text("name: mine\nversion: 1\nextends: travel\n")
    (tmp_path / "old.yaml").write_text(
        "name: old\nextends: travel\nabout:\n  retired: nobody flies any more\n"
    )
    (tmp_path / "notes.yaml").write_text("- no scenario\n")
    (tmp_path / "travel.yaml").write_text("name: travel\nextends: feed\n")
    monkeypatch.setenv("REHEARSE_CATALOGUE", str(tmp_path))
    names = [entry.name for entry in catalogue()]
    assert "mine" in names
    assert "old" not in names
    assert names.count("travel") == 1
    assert "old" in [entry.name for entry in catalogue(retired=True)]
    assert (load("mine").name, load("travel").world.name) == ("mine", "recommend-v1")
    assert load("travel").people.count == 210
    with pytest.warns(UserWarning, match="nobody flies any more"):
        assert load("old").name == "old"


def test_a_risk_that_is_no_word_of_the_vocabulary_is_answered(tmp_path):
    """A misspelt risk names the line and the words that there are."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: travel\nabout: {risk: [unfairnes]}\n")
    with pytest.raises(ScenarioError, match=r"mine\.yaml:2.*unfairness"):
        load(path)
