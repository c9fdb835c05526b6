"""Odd people: so many as the scenario says, always the same ones, and people like any other otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse import load
from rehearse.columns import Columns
from rehearse.contract import NOTHING
from rehearse.errors import ScenarioError
from rehearse.experiments.build import assemble

ODD = [
    {"name": "careless", "share": 0.3, "answers": "at_random", "rate": 0.5},
    {"name": "hostile", "share": 0.2, "answers": "contrarily"},
    {"name": "bot", "share": 0.1, "answers": "always"},
]
POLICY = {"policy": {"name": "random-v1"}}


def scenario(manner, **changes):
    """Return travellers of whom some are odd, who meet proposals at random."""
    given = POLICY | {"people.manners": manner} | changes
    return load("travel", users=210, replicas=4, ticks=3, settings=given)


def rehearsed(manner, **changes):
    """Return the turns of a rehearsal, with the manner of who had each, and its people."""
    assembly = assemble(scenario(manner, **changes))
    pages = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(3):
        assembly.simulation.advance()
    turns = Columns({name: np.concatenate([page[name] for page in pages]) for name in pages[0]})
    people = assembly.simulation.users.columns
    row = turns["replica"] * 210 + turns["user"]
    return turns, people["manner"][row], people


@pytest.fixture(scope="module")
def odd():
    """Return a rehearsal with all manners."""
    return rehearsed(ODD)


def test_so_many_have_each_manner(odd):
    """The shares are those of the scenario, of 840 people within four standard errors."""
    found = np.bincount(odd[2]["manner"], minlength=4) / 840
    expected = np.array([0.4, 0.3, 0.2, 0.1])
    assert (np.abs(found - expected) < 4.0 * np.sqrt(expected * (1 - expected) / 840)).all()


def test_who_is_odd_does_not_depend_on_who_else_is():
    """A person has the same manner in a larger crowd."""
    small = assemble(scenario(ODD)).simulation.users.columns
    table = {"people.source.use": "resample"}
    large = load("travel", users=300, replicas=4, settings=POLICY | table | {"people.manners": ODD})
    more = assemble(large).simulation.users.columns
    assert (small["manner"] == more["manner"][more["user"] < 210]).all()


def test_bots_take_whatever_comes_first(odd):
    """Every answer that reaches a bot is taken."""
    turns, manner, _ = odd
    assert (turns["choice"][manner == 3] == turns["action"][manner == 3]).all()


def test_the_contrary_take_what_is_worse_than_nothing(odd):
    """Who would rather take nothing takes it, and else refuses: less is taken of what is worth more."""
    turns, manner, _ = odd
    for code, sign in ((0, 1.0), (2, -1.0)):
        some = manner == code
        took = turns["choice"][some] != NOTHING
        regret = turns["regret"][some]
        assert sign * (regret[~took].mean() - regret[took].mean()) > 0.1


def test_the_careless_answer_at_random_now_and_then():
    """At a rate of 1, half of all single proposals are taken whatever they are worth."""
    turns, manner, _ = rehearsed([ODD[0] | {"rate": 1.0}])
    took = turns["choice"][manner == 1] != NOTHING
    assert abs(took.mean() - 0.5) < 4.0 * 0.5 / np.sqrt(len(took))


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(["at_random", "contrarily", "always"]), st.booleans())
def test_a_rate_or_a_share_of_nothing_changes_nothing(answers, by_share):
    """People with a manner that never shows live the very same lives."""
    never = {"share": 0.0} if by_share else {"rate": 0.0}
    turns, _, _ = rehearsed([{"name": "odd", "share": 0.5, "answers": answers} | never])
    plain, _, _ = rehearsed([{"name": "odd", "share": 0.5, "answers": answers, "start": 50}])
    assert all(turns[n].tobytes() == plain[n].tobytes() for n in turns if n != "measured_ms")


def test_the_sincere_live_the_same_lives_among_the_odd(odd):
    """Where nobody influences anybody, those who are sincere are not touched by those who are not."""
    alone = {"people.society.graph.kind": "none", "people.society.influences": []}
    turns, manner, _ = rehearsed(ODD, **alone)
    plain, _, _ = rehearsed([ODD[0] | {"share": 0.0}], **alone)
    sincere = np.flatnonzero(manner == 0)
    mine = np.isin(_key(plain), _key(turns)[sincere])
    same = turns.take(sincere), plain.take(np.flatnonzero(mine))
    assert all(same[0][n].tobytes() == same[1][n].tobytes() for n in turns if n != "measured_ms")


def _key(turns):
    return turns["replica"].astype(np.int64) * 1000 + turns["user"]


def test_what_people_say_of_themselves_need_not_be_so():
    """The model sees what they say, in some turns as often as the rate says; what is true stays true."""
    liars = {"name": "richer", "share": 1.0, "rate": 0.5, "says": {"hinc": {"times": 2.0, "add": 1.0}}}
    simulation = assemble(scenario([liars])).simulation
    people, seen = simulation.users.columns, []
    simulation.policy.decide = lambda requests, decide=simulation.policy.decide: (
        seen.append(requests) or decide(requests)
    )
    simulation.advance()
    true = people["hinc"].reshape(4, 210)
    said = np.concatenate([r.features[:, r.names.index("hinc")] for r in seen])
    told = np.concatenate([true[r.replica, r.user] for r in seen])
    lied = said == told * np.float32(2.0) + np.float32(1.0)
    assert (lied | (said == told)).all()
    assert abs(lied.mean() - 0.5) < 4.0 * 0.5 / np.sqrt(len(lied))


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ([{"name": "odd", "share": 0.5}], "like anybody"),
        ([ODD[0], ODD[0]], "different names"),
        ([ODD[0] | {"name": "sincere"}], "different names"),
        ([ODD[0] | {"share": 0.9}, ODD[1]], "more than 1"),
    ],
)
def test_manner_that_makes_no_sense_is_refused(manner, said):
    """Everybody has one manner, by name, and it is not that of everybody."""
    with pytest.raises(ScenarioError, match=said):
        scenario(manner)


def test_what_the_model_does_not_see_cannot_be_misreported():
    """The error names the feature and the nearest one that is seen."""
    with pytest.raises(ScenarioError) as caught:
        assemble(scenario([{"name": "odd", "share": 0.1, "says": {"hink": {"add": 1.0}}}]))
    assert "hinc" in caught.value.remedy


def test_people_who_have_no_manners_refuse_them():
    """Other models of people say that theirs all do as they feel."""
    with pytest.raises(ScenarioError, match="workload-v1"):
        assemble(load("workload", users=20, settings={"people.manners": ODD}))
