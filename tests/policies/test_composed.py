"""Policies made of others: who acts, who learns, what is recorded, and that nothing else leaves a trace."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import rehearse
from rehearse.columns import Columns
from rehearse.contract import Decisions, Stage
from rehearse.errors import PolicyLoadError, ScenarioError
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.composition import only_python, parts_of, with_policy
from rehearse.experiments.rebuilding import Leg
from rehearse.experiments.shards import Spread, assembled
from rehearse.policies import (
    Cache,
    CircuitBreaker,
    Fallback,
    Faults,
    Guard,
    Load,
    RateLimit,
    Rollback,
    Shadow,
    Split,
    load,
)
from rehearse.policies.faults import KINDS
from rehearse.policies.loading import kind_of
from rehearse.registry import entries
from rehearse.scenario.references import PARTS
from rehearse.testing import made_requests

STAGE = Stage(
    items=("air", "train", "bus", "car"),
    features=("x",),
    groups=("low", "high"),
    replicas=np.arange(2, dtype=np.int32),
)
FRAIL = RateLimit(
    Load(Faults("popular-v1", faults=[{"kind": kind, "rate": 0.1} for kind in KINDS]), background=10),
    person=3,
    society=40,
)
SAFE = Fallback(
    CircuitBreaker(Cache(Rollback("epsilon-v1", FRAIL, at_least=0.5, turns=5, ticks=1), digits=-1)),
    "popular-v1",
    after_ms=100,
)
NESTED = Split(
    Shadow(Guard("epsilon-v1?epsilon=0.3", items=("car",), at_most=1), Split("popular-v1", SAFE, share=0.4)),
    Split(FRAIL, SAFE, share=0.5),
    ramp=({"tick": 1, "share": 0.3}, {"tick": 3, "share": 0.6}),
)
"""All kinds within one another, with models that learn and that fail."""


class Taught:
    """A model that says which item it was told to, and keeps what it is told."""

    name, version = "taught", "1"

    def __init__(self, item: int, book: dict) -> None:
        self.item, self.book = item, book

    def __deepcopy__(self, memo: object) -> Taught:
        return Taught(self.item, self.book)

    def decide(self, requests):
        return np.full(len(requests), self.item)

    def learn(self, feedback):
        self.book.setdefault(self.item, []).append(feedback)


@pytest.fixture(scope="module")
def travel():
    """Return a small rehearsal of several turns a session."""
    return rehearse.load("travel", users=60, ticks=5, replicas=2)


def lived(scenario, policy, *, spread=None, **cut):
    """Return the digest and the turns of a scenario with a policy, run in memory."""
    whole = with_policy(scenario, policy)
    props = Props(policy=only_python(policy), **cut)
    with assembled([Leg(0, whole, props)], spread or Spread()) as assembly:
        recorder, pages = assembly.new_recorder(), []
        recorder.keep = lambda _tick, turns, _society: pages.append(turns)
        assembly.simulation.watchers.append(recorder)
        for _ in range(scenario.time.ticks):
            assembly.simulation.advance()
    pages = [page for page in pages if page.length]
    return recorder.digest, Columns({n: np.concatenate([p[n] for p in pages]) for n in pages[0]})


def test_a_split_is_sticky_and_grows(travel):
    """Nobody who was the challenger's goes back as its share grows, and its share is as said."""
    split = load(Split("constant-v1?slate=0", "constant-v1?slate=1", ramp=NESTED.ramp), STAGE)
    requests = made_requests(STAGE, 20_000)
    taken = [split.decide(replace(requests, tick=t, turn=t)).action for t in range(5)]
    assert [round(float(action.mean()), 1) for action in taken] == [0.0, 0.3, 0.3, 0.6, 0.6]
    assert all((before <= after).all() for before, after in pairwise(taken))
    # Splits within splits draw apart: half of either arm goes to either arm within.
    within = load(Split("random-v1", Split("random-v1", "random-v1", share=0.5), share=0.5), STAGE)
    detail = within.decide(requests).detail
    assert abs((detail["challenger_arm"][detail["arm"] == 1] == 1).mean() - 0.5) < 0.02
    assert (detail["challenger_arm"][detail["arm"] == 0] == -1).all()
    deep = load(Split("random-v1", Split("random-v1", Split("random-v1", "random-v1"))), STAGE)
    assert sum(name.endswith("arm") for name in deep.columns) == 3


def test_propensities_are_of_the_model_that_acts():
    """Inverse weighting by them gives back the share of each item in each arm, and over both."""
    split = load(Split("epsilon-v1?epsilon=0.4", "random-v1", share=0.25), STAGE)
    answer = split.decide(made_requests(STAGE, 40_000))
    for rows in (answer.detail["arm"] == 0, answer.detail["arm"] == 1, answer.action >= 0):
        for item in range(4):
            weight = np.where(answer.action == item, 1.0 / answer.propensity, 0.0)[rows]
            assert abs(weight.mean() - 1.0) < 0.06
    assert set(np.unique(answer.detail["arm_chance"])) == {np.float32(0.25), np.float32(0.75)}


def test_a_shadow_is_never_seen(travel):
    """With a candidate in the shadow people live the same lives, and its answers stand beside."""
    _, alone = lived(travel, "epsilon-v1")
    _, turns = lived(travel, Shadow("epsilon-v1", "constant-v1?slate=2"))
    assert all(np.array_equal(alone[n], turns[n], equal_nan=True) for n in alone if n != "measured_ms")
    assert (turns["candidate_action"] == 2).all()
    assert np.array_equal(turns["agrees"] == 1, turns["action"] == 2)
    assert (lived(travel, Shadow("epsilon-v1", "epsilon-v1"))[1]["agrees"] == 1).all()


def test_a_candidate_that_fails_harms_nobody(travel):
    """Its errors are its own: people get the live model's answer."""

    def broken(requests):
        raise ValueError

    plan = Shadow("constant-v1?slate=1", broken)
    _, turns = lived(travel, plan)
    assert not turns["fault"].any()
    assert (turns["candidate_fault"] == 1).all()
    assert (turns["agrees"] == -1).all()


def test_who_acted_learns(travel):
    """Each arm is told of its own turns and of no others; a candidate of the live model's."""
    book: dict[int, list] = {}
    plan = Split(Shadow(Taught(0, book), Taught(1, book)), Taught(2, book), share=0.4)
    _, turns = lived(travel, plan)
    told = {item: np.concatenate([f.slate[:, 0] for f in book[item]]) for item in book}
    assert (told[0] == 0).all()
    assert (told[2] == 2).all()
    assert np.array_equal(told[0], told[1])
    assert [len(told[item]) for item in (0, 2)] == [(turns["model"] == code).sum() for code in (0, 2)]
    assert not book[0][0].detail


def test_nothing_but_the_seed_leaves_a_trace(travel):
    """In blocks, tiles and shards nested policies that hear late live the same lives."""
    scenario = late(travel)
    digest, turns = lived(scenario, NESTED)
    assert {"model", "arm", "agrees", "candidate_model", "challenger_arm"} <= set(turns)
    assert {0, 1} <= set(turns["challenger_challenger_cached"])
    assert {0, 1} <= set(turns["candidate_rolled_back"])
    assert lived(scenario, NESTED, block=17, tile=11)[0] == digest
    assert lived(scenario, NESTED, spread=Spread(2))[0] == digest


def late(scenario):
    """Return the scenario with feedback that comes late."""
    settings = {"feedback": {"delay": {"exponential": {"mean": 1}}}}
    return rehearse.load(scenario.name, users=60, ticks=5, replicas=2, settings=settings)


def test_a_run_goes_on_where_it_stood(travel):
    """What nested policies keep is in the state of a simulation."""
    scenario = with_policy(late(travel), NESTED)
    one, other = assemble(scenario).simulation, assemble(scenario).simulation
    for _ in range(3):
        one.advance()
    other.restore({name: np.array(array) for name, array in one.state().items()}, one.tick)
    one.advance()
    other.advance()
    mine, theirs = one.state(), other.state()
    assert mine.keys() == theirs.keys()
    assert all(
        np.array_equal(mine[name], theirs[name], equal_nan=mine[name].dtype.kind == "f") for name in mine
    )


def test_a_record_tells_who_acted_and_can_be_replayed(travel, tmp_path):
    """Python's form is written into the scenario, codes are words, and disagreement is a metric."""
    finished = rehearse.run(travel, policy=NESTED, out=tmp_path / "run")
    who = finished.turns.query("SELECT DISTINCT model FROM turns ORDER BY model")["model"].tolist()
    assert "challenger.challenger.first.policy.policy.current" in who
    assert "champion.live.policy" in who
    assert all(not name.startswith("champion.candidate") for name in who)
    assert rehearse.replay(finished.folder).same
    shown = dict(parts_of(**finished.turns.scenario.policy.model_dump()))
    assert shown["challenger.challenger.first.policy"] == "cache-v1"
    assert set(who) - {""} <= shown.keys()
    assert finished.turns.scenario.policy.settings["ramp"][1] == {"tick": 3, "share": 0.6}
    assert with_policy(travel, NESTED) == finished.turns.scenario


def test_a_fork_may_change_a_part(travel, tmp_path):
    """The champion goes on with what it learned; a challenger that is another model begins afresh."""
    plan = Split("popular-v1", "random-v1", share=0.5)
    parent = rehearse.run(travel, policy=plan, out=tmp_path / "parent")
    change = {"policy.settings.challenger": "epsilon-v1?epsilon=0"}
    fork = rehearse.fork(parent.folder, 3, settings=change, out=tmp_path / "fork")
    told = "SELECT arm, min(version) AS least, max(score) AS most FROM turns WHERE tick = 3"
    found = fork.turns.query(f"{told} GROUP BY arm ORDER BY arm")
    assert found["arm"].tolist() == ["challenger", "champion"]
    assert found["least"].tolist() == [0, 3]
    assert found["most"][0] == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"champion": "greedy-v1"}, "challenger"),
        ({"champion": None, "challenger": "greedy-v1"}, "^champion of split-v1 is null"),
        ({"champion": "greedy-v1", "challenger": "gredy-v1"}, "^challenger of split-v1: .*greedy-v1"),
        ({"champion": "greedy-v1", "challenger": {"nam": "greedy-v1"}}, "name"),
        ({"champion": "greedy-v1", "challenger": "greedy-v1", "share": 2}, "share"),
        (
            {"champion": "greedy-v1", "challenger": "greedy-v1", "ramp": [{"tick": 3, "share": 0.1}] * 2},
            "ascend",
        ),
    ],
)
def test_what_cannot_be_composed_is_refused_in_words(settings, says):
    """A part that is missing, null or unknown, which is named; a share above one; a ramp back in time."""
    with pytest.raises(PolicyLoadError, match=says):
        load("split-v1", STAGE, settings)


def test_decisions_hold_their_details_together():
    """Taking rows and joining answers take the columns of detail along."""
    answer = replace(Decisions.of(np.arange(4)), detail={"arm": np.arange(4, dtype=np.int8)})
    joined = Decisions.join([answer.take(np.array([3, 1])), answer])
    assert joined.detail["arm"].tolist() == [3, 1, 0, 1, 2, 3]


def test_the_challenger_of_the_catalogue_goes_bad_and_is_rolled_back():
    """It serves more and more, better than the champion, until it is poisoned; days later nobody meets it."""
    _, turns = lived(rehearse.load("champion-challenger", replicas=2), None)
    tick, challenger = turns["tick"], turns["arm"] == 1
    for day, share in ((3, 0.01), (9, 0.05), (15, 0.1), (21, 0.25), (27, 0.5)):
        near = abs(tick - day) <= 2
        assert abs(challenger[near].mean() - share) < 0.04
    back = turns["rolled_back"] == 1
    for replica in (0, 1):
        first = tick[back & (turns["replica"] == replica)].min()
        assert 33 <= first <= 44
        assert not challenger[(turns["replica"] == replica) & (tick >= first)].any()
    regret = [np.nanmean(turns["regret"][challenger & days]) for days in (tick < 30, tick >= 30)]
    usual = np.nanmean(turns["regret"][turns["arm"] == 0])
    assert regret[0] < usual - 0.3
    assert regret[1] > usual + 0.3


CACHED = {"name": "cache-v1", "settings": {"policy": "mine.py:decide"}}
WRITTEN = {"name": "split-v1", "settings": {"champion": "greedy-v1", "challenger": CACHED}}


def test_the_files_of_parts_are_found_wherever_a_policy_is_written(tmp_path, monkeypatch):
    """Beside the scenario and nowhere else; in a map or an object from where one is; by a replay, too."""
    (tmp_path / "mine.py").write_text("def decide(request):\n    return 'bus'\n")
    document = {"extends": "travel", "name": "mine", "policy": WRITTEN}
    (tmp_path / "mine.yaml").write_text(json.dumps(document))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "mine.yaml").write_text(json.dumps(document).replace("mine.py", "../mine.py"))
    small = {"users": 20, "ticks": 2, "replicas": 2}
    beside = rehearse.load(tmp_path / "mine.yaml", **small)
    with pytest.raises(ScenarioError, match="out of the scenario's folder"):
        rehearse.load(tmp_path / "deeper" / "mine.yaml")
    monkeypatch.chdir(tmp_path)
    written = with_policy(rehearse.load("travel"), WRITTEN)
    inner = Cache("mine.py:decide")
    assert (
        written.policy
        == with_policy(rehearse.load("travel"), Split("greedy-v1", inner)).policy
        == beside.policy
    )
    run = rehearse.run(beside, policy=WRITTEN, out=tmp_path / "run")
    monkeypatch.chdir("/")
    assert rehearse.replay(run.folder).same


def test_every_setting_that_holds_a_part_is_searched_for_files():
    """A new policy of policies must be among those whose parts a scenario's folder confines."""
    kinds = [kind_of(name) for name in entries("policies")]
    assert {word for kind in kinds if kind is not None for word in kind.parts} <= PARTS
