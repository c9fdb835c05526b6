"""Lending against published results, with the public API only."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import rehearse
from rehearse.experiments.metrics import Measures, Part, find, series
from rehearse.record.reading import RunRecord
from rehearse.scenario.model import Scenario

pytestmark = pytest.mark.science
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FICO = DATA / "fico2003"
needs_fico = pytest.mark.skipif(not FICO.is_dir(), reason="needs shared/data/fico2003 beside the project")

BANDS = (2.1, 4.2, 5.4, 6.5, 7.9, 9.6, 12.0, 13.8, 17.0, 15.8, 5.7)
"""Percent of people in each 50 points of the FICO score from 300 on."""


def fico_score(percentile):
    """Return the FICO score, 300 to 850, of a TransRisk percentile."""
    reached = np.concatenate([[0.0], np.cumsum(BANDS)])
    return float(np.interp(percentile, reached, 300.0 + 50.0 * np.arange(len(reached))))


def fico_table(path):
    """Write the table of applicants (score, group, weight, repays) of the two groups of Liu et al."""
    told = {}
    for name in ("cdf", "performance"):
        with (FICO / f"transrisk_{name}_by_race_ssa.csv").open(encoding="utf-8") as file:
            told[name] = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["score", "group", "weight", "repays"])
        for group, column, share in (("Black", "Black", 1.0), ("White", "Non- Hispanic white", 1.0)):
            below = 0.0
            for cdf, bad in zip(told["cdf"], told["performance"], strict=True):
                weight, below = float(cdf[column]) - below, float(cdf[column])
                repays = 1.0 - float(bad[column]) / 100.0
                out.writerow([fico_score(float(cdf["Score"])), group, share * weight, repays])


def applicants(thresholds, count, ticks=1):
    """Return the scenario of Liu et al.: +75 and -150 points, a lender who gains 1 or loses 4."""
    return Scenario.model_validate(
        {
            "name": "delayed-impact",
            "world": {
                "name": "lending-v1",
                "settings": {
                    "groups": ["Black", "White"],
                    "table": "data",
                    "terms": {"grant": {"gain": 1.0, "loss": 4.0}},
                    "repayment": {"curve": {"table": "data", "by": "group"}},
                    "change": {"repaid": 75, "default": -150, "low": 300, "high": 850},
                },
            },
            "people": {
                "count": count,
                "source": {"table": "world", "weight": "weight"},
                "groups": {"trait": "group", "names": ["Black", "White"]},
                "tastes": {"each": 0.0},
                "visible": ["score"],
                "behaviour": {"choice": "always", "visit_trust": 0.0},
                "memory": {"on": False},
                "goals": [{"name": "borrow", "rate": 1.0, "at_start": 1.0, "deadline": 1}],
            },
            "policy": {"name": "threshold-v1", "settings": {"at": thresholds}},
            "time": {"ticks": ticks, "max_turns": 1},
            "replicas": 1,
            "seed": 5,
            "assumptions": ["As in Liu et al. 2018."],
            "limitations": ["As in Liu et al. 2018."],
        }
    )


@needs_fico
@pytest.mark.parametrize(
    ("thresholds", "change", "selected"),
    [
        ({"Black": 645.0, "White": 613.75}, 8.256636864575626, 0.1677),
        ({"Black": 557.291, "White": 630.960}, 5.8726246164757185, 0.3561),
        ({"Black": 480.103, "White": 649.170}, -16.48023662241752, 0.5709),
    ],
    ids=["max utility", "equal opportunity", "demographic parity"],
)
def test_one_round_of_lending_moves_scores_as_published(thresholds, change, selected, tmp_path):
    """Liu et al. (ICML 2018, section 5): 50,000 Black applicants, FICO tables of 2003, to 1.2 points."""
    fico_table(tmp_path / "fico.csv")
    rehearse.run(
        applicants(thresholds, 100_000), data=tmp_path / "fico.csv", out=tmp_path / "run", record="all"
    )
    record = RunRecord(tmp_path / "run")
    black = series(record, [find("mean:score_change"), find("selection_rate")], Part("group", "Black"))
    assert black["mean:score_change_n"][0] == pytest.approx(50_000, abs=1000)
    assert black["mean:score_change"][0] == pytest.approx(change, abs=1.2)
    assert black["selection_rate"][0] == pytest.approx(selected, abs=0.01)
    gap = Measures(record).interval(find("gap:selection_rate"), 0.95)
    assert 0.0 < gap.estimate < 1.0
