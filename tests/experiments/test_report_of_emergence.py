"""The report tells in words and few charts what emerged in the society."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rehearse.experiments import api
from rehearse.experiments.report import emergence, facts, write

ASKED = {
    "people.society.emergence.measures": ["clusters", "echo", "segregation", "cascades", "consumption"],
    "people.society.emergence.of": ["opinion", "trust"],
    "people.traits.adopted": {"uniform": {"low": 0.0, "high": 0.55}},
    "people.traits.threshold": 0.15,
    "people.society.influences": [
        {"what": "opinion", "how": "bounded", "weight": 0.5, "reach": 0.3},
        {"what": "adoption"},
    ],
    "world.settings.items": {"count": 30},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a small run in which everything is measured, long enough for an early warning."""
    out = tmp_path_factory.mktemp("runs") / "asked"
    return api.run("feed", users=60, ticks=40, replicas=3, out=out, settings=ASKED).folder


@pytest.fixture(scope="module")
def told(folder):
    """Return what the section tells, and the charts it adds."""
    drawn = []
    section = emergence.section(
        facts.Remembered(folder),
        lambda spec: drawn.append(spec) or f"chart-{len(drawn)}",
        1,
        {"list": [], "periods": []},
    )
    return section, drawn


def test_measures_are_told_in_words(told):
    """Each has a title without codes, a first and a last value, bounds, and a sentence."""
    section, _ = told
    titles = [line["title"] for line in (*section["lines"], *section["more"])]
    assert {"Polarisation", "Echo", "Echo of trust", "Structural virality", "Concentration"} <= set(titles)
    assert len(set(titles)) == len(titles)
    for line in section["lines"]:
        assert "_" not in line["title"]
        assert line["meaning"].endswith(".")
        assert line["bounds"]
    echo = next(line for line in section["lines"] if line["title"] == "Echo")
    assert re.search(r"By chance it would be [\d.]+ %\.", echo["meaning"])
    trust = next(line for line in section["lines"] if line["title"] == "Polarisation of trust")
    assert "trust" in trust["meaning"]


def test_few_charts_are_drawn_of_what_moved(told):
    """At most six courses and the sizes of cascades; an echo is drawn beside what chance gives."""
    section, drawn = told
    assert 4 <= len(section["panels"]) <= 6
    assert len(drawn) == len(section["panels"]) + 1
    titles = [panel["title"] for panel in section["panels"]]
    assert titles[:2] == ["Polarisation", "Echo"]
    assert not any("trust" in title for title in titles)
    echo = drawn[titles.index("Echo")]
    assert any(layer["mark"].get("strokeDash") == [2, 3] for layer in echo["layer"])


def test_sizes_of_cascades_are_a_falling_share(told):
    """All cascades have at least the smallest size, few the largest."""
    rows = told[1][-1]["data"]["values"]
    size, share = (np.array([row[name] for row in rows]) for name in ("size", "share"))
    assert share[0] == 1.0
    assert (np.diff(share) < 0.0).all()
    assert (np.diff(size) > 0).all()


def test_an_early_warning_is_told_either_way(told):
    """A run of 40 ticks says whether anything slowed down."""
    assert "arly warning" in told[0]["warning"]


def test_the_page_has_the_section_where_there_is_something_to_tell(folder, tmp_path):
    """It stands in the contents; a run of people whom nothing joins has none."""
    assert 'href="#emerged"' in write(folder).read_text(encoding="utf-8")
    alone = {"people.society.graph.kind": "none", "people.society.influences": []}
    settings = {**alone, "people.society.emergence.measures": []}
    other = api.run("feed", users=20, ticks=2, replicas=2, out=tmp_path / "alone", settings=settings)
    assert 'href="#emerged"' not in (other.folder / "report.html").read_text(encoding="utf-8")
