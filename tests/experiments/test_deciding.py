"""Running until the evidence decides: it stops, says after how many runs, and never takes a word back."""

from __future__ import annotations

import json

import numpy as np
import pytest

import rehearse
from rehearse.errors import UserError
from rehearse.experiments.deciding import Evidence
from rehearse.experiments.metrics import Measures, find
from rehearse.experiments.running import finished
from rehearse.scenario.model import Criterion


def scenario(*criteria):
    """Return a small scenario with these criteria."""
    small = {"criteria": list(criteria)}
    return rehearse.load("lending", users=40, ticks=3, replicas=2, settings=small)


def test_runs_stop_as_soon_as_every_criterion_is_decided(tmp_path):
    """A claim that is far from the truth takes a few runs, and the runs are there to be read."""
    asked = {"metric": "abandonment", "at_least": -1.0}
    found = rehearse.decide(scenario(asked), most=8, out=tmp_path / "decided")
    assert found.verdict == "pass"
    assert 3 <= len(found.runs) < 8
    assert found.criteria[0].runs == len(found.runs)
    assert found.seeds == tuple(range(found.seeds[0], found.seeds[0] + len(found.runs)))
    kept = json.loads((tmp_path / "decided" / "decision.json").read_text())
    assert kept["verdict"] == "pass"
    record = finished(tmp_path / "decided" / f"seed-{found.seeds[0]}").turns
    assert Measures(record).interval(find("abandonment"), 0.95).estimate >= 0.0


def test_a_budget_that_does_not_do_leaves_it_unsure(tmp_path):
    """Two runs decide nothing, and that is said."""
    asked = {"metric": "abandonment", "at_most": 0.9}
    found = rehearse.decide(scenario(asked), most=2, out=tmp_path / "decided")
    assert found.verdict == "unsure"
    assert found.table().endswith("UNSURE: after 2 runs of at most 2.")
    with pytest.raises(UserError, match="no criteria"):
        rehearse.decide(scenario(), out=tmp_path / "none")


def test_a_word_that_was_given_stays(monkeypatch):
    """What comes in after a criterion was decided does not undo it."""
    from rehearse.experiments import deciding
    from rehearse.experiments.metrics.base import Metric

    def said(measures, criterion, metric: Metric):
        del criterion
        return [deciding._value(measures, metric)]

    monkeypatch.setattr(deciding, "Measures", lambda record, metrics: record)
    monkeypatch.setattr(deciding, "_said", said)
    evidence = Evidence([Criterion(metric="goal_completion", at_least=0.5)])
    for value in (0.9, 0.91, 0.92, 0.9):
        evidence.add(value)
    assert evidence.decided
    after = evidence.standings[0].runs
    for value in (0.0, 0.0, 0.1):
        evidence.add(value)
    assert evidence.standings[0].verdict == "pass"
    assert evidence.standings[0].runs == after == 3
    assert np.isfinite(evidence.standings[0].low)
