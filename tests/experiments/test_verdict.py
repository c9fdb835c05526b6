"""The verdict: pass, fail or unsure, in words, with the turns that show it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.errors import ScenarioError
from rehearse.experiments.intervals import Interval, Sample, interval
from rehearse.experiments.sentences import amount, out_of, plain, span, verdict_of
from rehearse.experiments.verdict import Verdict, judge
from rehearse.scenario.model import Criterion

_spec = importlib.util.spec_from_file_location("record_maker", Path(__file__).with_name("record_maker.py"))
maker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maker)

REPLICAS, PEOPLE, TICKS = 10, 60, 4


def made(share=0.7, *, replicas=REPLICAS, people=PEOPLE, **columns):
    """Return a record in which each session meets the goal with this chance."""
    size = (replicas, people, TICKS)
    met = Chance(3).uniform("met", 0, np.arange(int(np.prod(size))))[:, 0].reshape(size) < share
    return maker.sessions_of_one_turn(goal=met, replicas=replicas, count=people, ticks=TICKS, **columns)


def only(record, **criterion):
    """Return the one judgement of one criterion."""
    return judge(record, maker.scenario(criterion)).criteria[0]


@pytest.mark.parametrize(("asked", "word"), [(0.6, "pass"), (0.7, "unsure"), (0.8, "fail")])
def test_the_interval_decides(asked, word):
    """A threshold below, within and above the interval of a share of .7 gives pass, unsure and fail."""
    found = only(made(), metric="goal_completion", at_least=asked)
    assert found.verdict == word
    assert f": {word}." in found.sentence
    assert (found.low < asked < found.high) == (word == "unsure")


@pytest.mark.parametrize(("allowed", "word"), [(0.2, "fail"), (0.4, "pass")])
def test_a_limit_is_judged_the_other_way_round(allowed, word):
    """`at_most` passes below the limit and fails above it."""
    assert only(made(), metric="abandonment", at_most=allowed).verdict == word


def test_the_sentence_is_plain():
    """The sentence says what was counted, the interval, the threshold and the verdict."""
    met = np.zeros((10, 50, 2), dtype=bool)
    met[:, :36] = True
    met[:5, 36:38] = True  # five replicas with 76 of 100, five with 72
    record = maker.sessions_of_one_turn(goal=met, replicas=10, count=50, ticks=2)
    sentence = only(record, metric="goal_completion", at_least=0.6).sentence
    assert sentence == (
        "74 of 100 sessions ended with the goal met (95 % interval 72.5–75.5 %), "
        "above the 60 % asked for: pass."
    )


def test_nothing_asked_is_nothing_decided():
    """Without criteria the verdict is unsure and says why."""
    found = judge(made(), maker.scenario())
    assert found.verdict == "unsure"
    assert "states no criteria" in found.sentence


def test_the_whole_is_as_good_as_its_worst_part():
    """One fail makes a fail; without it one unsure makes unsure; else it is a pass."""
    good = {"metric": "goal_completion", "at_least": 0.5}
    open_ = {"metric": "goal_completion", "at_least": 0.7}
    bad = {"metric": "goal_completion", "at_least": 0.9}
    record = made(people=30)
    words = [judge(record, maker.scenario(*cs)).verdict for cs in ([good], [good, open_], [good, open_, bad])]
    assert words == ["pass", "unsure", "fail"]


def test_one_replica_of_people_who_know_each_other_decides_nothing():
    """A single coupled society has an estimate, no interval, and a sentence that says what to do."""
    found = only(made(replicas=1), metric="goal_completion", at_least=0.1)
    assert (found.verdict, found.low, found.n) == ("unsure", None, 1)
    assert "Rehearse two or more replicas." in found.sentence


def test_one_replica_of_strangers_decides():
    """Where nothing couples people they are the units, and one replica is enough."""
    record = made(replicas=1)
    record.manifest["coupled"] = False
    found = judge(record, maker.scenario({"metric": "goal_completion", "at_least": 0.5}))
    assert (found.verdict, found.unit, found.n) == ("pass", "users", PEOPLE)
    assert found.criteria[0].unit == "users"


def test_alike_replicas_do_not_make_people_certain():
    """Societies that differ widely leave the mean open, however many turns each has."""
    met = np.zeros((4, 500, 2), dtype=bool)
    met[:2] = True  # two replicas in which all goes well, two in which nothing does
    found = only(
        maker.sessions_of_one_turn(goal=met, replicas=4, count=500, ticks=2),
        metric="goal_completion",
        at_least=0.3,
    )
    assert found.verdict == "unsure"
    assert found.high - found.low > 0.5


def test_an_error_budget_without_errors_depends_on_how_many_were_served():
    """No error among 600 people keeps a budget of 1 %, not one of 1 in 1,000."""
    record = made()
    assert only(record, metric="error_rate", at_most=0.01).verdict == "pass"
    assert only(record, metric="error_rate", at_most=0.001).verdict == "unsure"


def test_an_error_budget_can_be_overdrawn():
    """Errors of the model beyond the budget fail, with turns that show them; they are told without one."""
    fault = np.full((REPLICAS, PEOPLE, TICKS), "none", dtype="U8")
    fault[:, ::10] = "raised"
    record = made(fault=fault)
    found = only(record, metric="error_rate", at_most=0.05)
    assert "! 10 % of the calls failed through the model." in judge(record, maker.scenario()).table()
    assert found.verdict == "fail"
    assert {e.user % 10 for e in found.evidence} == {0}
    assert "raised" in found.evidence[0].why


def test_injected_faults_are_never_the_models():
    """Calls that the scenario made fail count in what people met, not in what the model did."""
    fault = np.full((REPLICAS, PEOPLE, TICKS), "none", dtype="U8")
    fault[:, ::10] = "injected"
    record = made(fault=fault)
    assert only(record, metric="error_rate", at_most=0.05).estimate == 0.0
    assert only(record, metric="fault_rate", at_most=0.05).estimate == pytest.approx(0.1)


def test_a_measure_of_the_machine_is_judged_as_measured():
    """CPU per 1,000 decisions is one number: it passes or fails by itself."""
    found = only(made(), metric="policy_cpu_per_1000", at_most=1.0)
    assert (found.verdict, found.unit) == ("pass", "run")
    assert "measured once" in found.sentence


def test_what_was_not_recorded_is_unsure():
    """A criterion about harm in a world without harm is unsure and says so."""
    found = only(made(), metric="harm", at_most=0.1)
    assert (found.verdict, found.estimate) == ("unsure", None)
    assert "did not record" in found.sentence


def test_a_group_is_judged_by_itself():
    """A criterion for one group sees that group only, and its evidence is of that group."""
    goal = np.ones((REPLICAS, PEOPLE, TICKS), dtype=bool)
    goal[:, 1::2, :] = Chance(1).uniform("met", 0, np.arange(1200))[:, 0].reshape(10, 30, 4) < 0.4
    record = maker.sessions_of_one_turn(goal=goal, replicas=REPLICAS, count=PEOPLE, ticks=TICKS)
    low, high, gap = judge(
        record,
        maker.scenario(
            {"metric": "goal_completion", "group": "low", "at_least": 0.9},
            {"metric": "goal_completion", "group": "high", "at_least": 0.9},
            {"metric": "gap:goal_completion", "at_most": 0.1},
        ),
    ).criteria
    assert (low.verdict, high.verdict, gap.verdict) == ("pass", "fail", "fail")
    assert high.sentence.startswith("Among high: ")
    assert gap.estimate == pytest.approx(low.estimate - high.estimate)
    assert {e.user % 2 for e in (*high.evidence, *gap.evidence)} == {1}
    assert not low.evidence


def test_evidence_is_the_worst_of_different_people():
    """Regret is shown by the five people with the worst answers, the worst first, one turn each."""
    regret = np.zeros((2, 8, TICKS), dtype=np.float32)
    regret[1, :, 2] = np.arange(8)
    regret[1, 7, 3] = 6.5
    found = only(made(replicas=2, people=8, regret=regret, ideal=np.int32(1)), metric="regret", at_most=9.0)
    assert [(e.replica, e.user, e.tick) for e in found.evidence] == [(1, u, 2) for u in (7, 6, 5, 4, 3)]
    assert found.evidence[0].why == "was offered air, where train was better by 7.00"


def test_groups_are_told_with_their_sizes():
    """The table has everybody and each group, with people and intervals."""
    rows = judge(made(), maker.scenario()).groups
    assert [(row.group, row.people) for row in rows] == [(None, 600), ("low", 300), ("high", 300)]
    completion = next(m for m in rows[1].measures if m.metric == "goal_completion")
    assert completion.low < 0.7 < completion.high


def test_the_verdict_goes_to_json_and_back():
    """What is written is what was judged."""
    found = judge(made(), maker.scenario({"metric": "goal_completion", "at_least": 0.6}))
    assert Verdict.model_validate_json(found.model_dump_json()) == found
    assert found.table().splitlines()[0].startswith("✓ 69 of 100 sessions")
    assert found.table().endswith("PASS: All criteria passed.")


def test_a_run_without_a_turn_is_unsure():
    """Where nobody ever came there is nothing to judge, and no error."""
    record = made()
    record.manifest["user_turns"] = 0
    found = judge(record, maker.scenario({"metric": "goal_completion", "at_least": 0.6}))
    assert (found.verdict, found.alarms) == ("unsure", ())


def test_an_unknown_metric_is_the_callers_mistake():
    """A criterion about what nobody knows is refused with a hint."""
    with pytest.raises(ScenarioError, match="Did you mean 'goal_completion'"):
        judge(made(), maker.scenario({"metric": "goal_completon", "at_least": 0.6}))


@pytest.mark.science
def test_a_true_claim_fails_no_more_often_than_stated():
    """At a threshold that is exactly the truth, 95 % intervals fail it in about 2.5 of 100 rehearsals."""
    claim = Criterion(metric="regret", at_most=0.0)
    draws = Chance(5).normal("runs", 0, np.arange(20_000))[:, 0].reshape(2000, 10)
    words = [verdict_of(claim, interval(Sample.of_replicas(run), 0.95)) for run in draws]
    assert words.count("fail") / 2000 == pytest.approx(0.025, abs=0.01)
    assert words.count("pass") / 2000 == pytest.approx(0.025, abs=0.01)


@pytest.mark.parametrize(
    ("value", "said"), [(0.734, "73 of 100"), (0.0004, "4 of 10,000"), (0.0, "0 of 100"), (1.0, "100 of 100")]
)
def test_shares_are_told_as_counts(value, said):
    """A share is so many of a round number, larger the rarer it is."""
    assert out_of(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1234.5, "1,234"),
        (12.34, "12.3"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.00123, "0.0012"),
        (-0.001, "-0.001"),
        (0, "0"),
    ],
)
def test_numbers_are_told_shortly(value, said):
    """Numbers keep what matters and no more."""
    assert plain(value) == said


def test_a_narrow_interval_is_told_with_the_digits_that_part_its_ends():
    """`0.51–0.51` would tell nothing."""
    narrow = Interval(0.51, 0.5072, 0.5129, 0.95, 10, "replicas")
    assert span(narrow, "level") == "95 % interval 0.507–0.513"


def test_what_does_not_vary_is_said_to_be_the_same():
    """An interval without width is told in words."""
    assert span(Interval(1.0, 1.0, 1.0, 0.95, 10, "replicas"), "turns") == "the same in all 10 replicas"


def test_nothing_is_unknown():
    """NaN is told as unknown."""
    assert amount(float("nan"), "ms") == "unknown"
