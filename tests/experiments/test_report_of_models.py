"""The report of a policy made of others: who answered, when a version went back and why, who disagreed."""

from __future__ import annotations

import re

import pytest

import rehearse
from rehearse.experiments.verdict import judge
from rehearse.policies import Faults, Rollback, Shadow, Split
from rehearse.scenario.load import load

CAR = "constant-v1?slate=3"
POISONED = [{"kind": "poisoned", "rate": 1.0, "start": 2, "note": "bad from day 2"}]
PLAN = Rollback(
    Split(Shadow(CAR, "greedy-v1"), Faults("greedy-v1", faults=POISONED), ramp=[{"tick": 1, "share": 0.5}]),
    CAR,
    monitor="acceptance",
    of="challenger.policy",
    against="champion.live",
    at_most=-1.0,
    ticks=2,
    turns=1,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a run in which a bound is breached that no model could keep, from tick 1 on."""
    folder = tmp_path_factory.mktemp("models") / "run"
    return rehearse.run("travel", policy=PLAN, users=100, ticks=6, replicas=2, out=folder)


@pytest.fixture(scope="module")
def text(finished):
    """Return what the page says, without its tags."""
    page = (finished.folder / "report.html").read_text(encoding="utf-8").split("<noscript>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").split())


def test_the_page_tells_when_and_why_a_version_went_back(text):
    """From the second breach on the previous version serves, and the sentence says what had come to what."""
    assert "Models side by side" in text
    assert "rolled back: the previous version took over in 2 of 2 societies: acceptance" in text
    assert "acceptance of challenger.policy less that of champion.live had come to" in text
    assert "where at most -1 is asked for, 2 times on end" in text


def test_what_parts_schedule_is_marked(finished, text):
    """Steps of a ramp and the faults of one model stand in the manifest, where alarms look for causes."""
    marks = [(m["tick"], m["kind"], m["note"]) for m in finished.turns.manifest["marks"]]
    assert (1, "split", "the challenger serves 50 %") in marks
    assert (2, "fault", "bad from day 2") in marks
    assert "Day 2, faults: bad from day 2" in text


def test_each_model_and_who_disagrees_is_told(finished, text):
    """Every model that answered has a line; the candidate's disagreement is told by group."""
    for model in ("current.champion.live", "current.challenger.policy", "previous"):
        assert model in text
    assert "How often the candidate in the shadow would have answered otherwise" in text
    shown = finished.turns.query("SELECT avg((agrees = 0)::INT) FILTER (agrees >= 0) AS x FROM turns")
    assert f"everybody {100 * shown['x'][0]:.1f} %" in text


def test_disagreement_can_be_judged(finished):
    """It is a metric as any other: a criterion holds it against a bound."""
    scenario = load("travel", users=100, ticks=6, replicas=2)
    criterion = scenario.criteria[0].model_copy(
        update={"metric": "disagreement", "at_least": None, "at_most": 0.01}
    )
    verdict = judge(finished.turns, scenario.model_copy(update={"criteria": (criterion,)}))
    assert verdict.criteria[0].verdict == "fail"


def test_of_several_rollbacks_each_is_told_by_its_place(tmp_path):
    """Which one went back is said, for the same column of an inner one is called by its part."""
    inner = Rollback("greedy-v1", CAR, at_most=-100, ticks=1, turns=1)
    both = Rollback(inner, "random-v1", at_most=-100, ticks=2, turns=1)
    done = rehearse.run("travel", policy=both, users=20, ticks=4, replicas=2, out=tmp_path / "run")
    page = (done.folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert "Day 2: the previous version took over in 2 of 2 societies: " in page
    assert "Day 1: within current, the previous version took over in 2 of 2 societies: " in page


def test_another_policy_is_judged_by_what_it_has_no_part_for(tmp_path):
    """A criterion on the shadow's disagreement leaves a policy without a shadow unsure, and a report."""
    small = {"users": 12, "ticks": 2, "replicas": 2}
    done = rehearse.run("champion-challenger", policy="random-v1", out=tmp_path / "run", **small)
    assert {c["metric"]: c["verdict"] for c in done.criteria}["disagreement"] == "unsure"
    assert (done.folder / "report.html").is_file()


def test_a_rollback_that_cannot_judge_is_told(tmp_path, text):
    """With fewer turns in every tick than it asks for, the page says so; not where it could judge."""
    never = Rollback(CAR, "greedy-v1", at_least=0, turns=1000)
    done = rehearse.run("travel", policy=never, users=20, ticks=2, replicas=1, out=tmp_path / "run")
    told = "enough turns of a society for a rollback to judge by"
    assert told in (done.folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert told not in text
