from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearse.errors import NotFoundError, UserError
from rehearse.experiments import api, journey
from rehearse.experiments.journey.story import Friend, Influenced
from rehearse.record.reading import RunRecord

ALONE = {"people.society.graph.kind": "none", "people.society.influences": []}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Return a small run of `travel`."""
    out = tmp_path_factory.mktemp("runs") / "travel"
    return RunRecord(api.run("travel", users=40, ticks=14, replicas=2, out=out).folder)


@pytest.fixture(scope="module")
def user(record):
    """Return somebody of replica 1 with several sessions, one of them with several turns."""
    found = record.query(
        """SELECT "user", count(DISTINCT tick) AS sessions, count(*) AS turns FROM turns
        WHERE replica = 1 AND tick < 10 GROUP BY 1 HAVING sessions > 1 AND turns > sessions + 1
        ORDER BY sessions DESC, "user" LIMIT 1"""
    )
    return int(found["user"][0])


@pytest.fixture(scope="module")
def told(record, user):
    """Return that person's life."""
    return journey.tell(record, user, 1)


@pytest.fixture(scope="module")
def changed(record, told):
    """Return the life with the first answer changed to another item."""
    first = told.steps[0]
    other = next(item for item in record.items if item != first.answer)
    return journey.what_if(record, told.persona.user, 1, f"tick={first.tick},turn=1,action={other}"), other


def steps(life):
    """Return the turns of a life as plain values, so that what there was none of is equal to itself."""
    return life.to_json()["steps"]


def test_a_life_is_what_was_recorded(record, user, told):
    """Every recorded turn is told, in order, with what was proposed, taken and felt."""
    found = record.query(f'SELECT * FROM turns WHERE replica = 1 AND "user" = {user} ORDER BY tick, turn')
    items = np.array([*record.items, ""])
    assert [(s.tick, s.turn - 1) for s in told.steps] == list(zip(found["tick"], found["turn"], strict=True))
    assert [s.answer for s in told.steps] == items[found["action"]].tolist()
    assert [s.took for s in told.steps] == items[found["choice"]].tolist()
    assert [s.end for s in told.steps] == found["end"].tolist()
    assert [s.satisfaction[1] for s in told.steps] == pytest.approx(found.numbers("satisfaction").tolist())


def test_the_inner_life_is_that_of_the_record(record, user, told):
    """The life lived again ends where the recorded one did, and holds a moment for every tick."""
    assert told.note == ""
    assert [m.tick for m in told.life.moments] == list(range(record.scenario.time.ticks))
    final = record.query(f'SELECT * FROM users WHERE replica = 1 AND "user" = {user}')
    last = told.life.moments[-1]
    assert last.trust == pytest.approx(float(final["trust"][0]))
    assert last.goals_met == final["goals_met"][0]
    assert last.alive == final["alive"][0]


def test_goals_arise_and_are_met(told):
    """Somebody who opens a session wants something, and a met goal is gone afterwards."""
    met = [step for step in told.steps if step.end == "goal_met"]
    assert met
    for step in told.steps:
        assert told.life.at(step.tick - 1).goals
    for step in met:
        before, now = told.life.at(step.tick - 1), told.life.at(step.tick)
        assert now.goals_met == before.goals_met + 1
        assert (before.goals[0].name, before.goals[0].deadline) not in {
            (g.name, g.deadline) for g in now.goals
        }


def test_what_was_taken_is_remembered(told):
    """After a session the latest memory is what was taken last, with how it turned out."""
    for step in told.steps:
        taken = [s for s in told.session(step.tick) if s.took]
        if taken:
            latest = told.life.at(step.tick).memories[0]
            assert latest.item == taken[-1].took
            assert latest.experience == pytest.approx(taken[-1].experience)


def test_friends_who_move_somebody_are_friends(told):
    """Whoever is named as having moved a person is tied to that person, and pulls towards their own value."""
    influences = [i for moment in told.life.moments for i in moment.influenced]
    assert {i.what for i in influences} <= {"trust", "opinion"}
    assert influences
    for influence in influences:
        for friend in influence.friends:
            assert friend.user in told.persona.friends
            assert np.sign(friend.pull) == np.sign(friend.value - influence.before)


def test_pulls_of_friends_add_up_to_the_movement(record, user):
    """Where all friends of a person are named, their pulls are the whole movement."""
    scenario = {"people.society.graph.degree": 2, "people.society.graph.rewire": 0.0}
    done = api.run(
        "travel", users=20, ticks=3, replicas=1, out=record.folder.parent / f"two-{user}", settings=scenario
    )
    life = journey.tell(RunRecord(done.folder), 3).life
    moved = [i for moment in life.moments for i in moment.influenced if i.what == "trust"]
    assert moved
    for influence in moved:
        pulled = sum(friend.pull for friend in influence.friends)
        assert pulled == pytest.approx(influence.after - influence.before, abs=1e-5)


def test_the_text_tells_the_life(told):
    """The text names the person, each session, what was proposed and taken, and the ending."""
    text = told.text()
    assert f"User {told.persona.user} of replica 1" in text
    for step in told.steps:
        assert f"Day {step.tick}, session {step.session}" in text
        assert f"turn {step.turn}" in text
    assert "Turned to the model; it answered" in text
    assert "In the end:" in text
    assert max(len(line) for line in text.splitlines()) <= 96


def test_a_life_without_the_inner_one_needs_no_replay(record, user, told):
    """With inner=False the same turns are told, and nothing of memory, goals and friends."""
    bare = journey.tell(record, user, 1, inner=False)
    assert bare.life is None
    assert bare.persona.friends == ()
    assert steps(bare) == steps(told)
    assert "remembers" not in bare.text()


def test_a_life_goes_into_json(told):
    """A journey is plain values that strict JSON can hold."""
    found = json.loads(json.dumps(told.to_json(), allow_nan=False))
    assert found["persona"]["user"] == told.persona.user
    assert len(found["life"]["moments"]) == told.ticks


def test_an_unknown_person_is_an_error(record):
    """Who is not there cannot be told of; the message says who is."""
    with pytest.raises(NotFoundError, match=r"Users go from 0 to 39, replicas from 0 to 1"):
        journey.tell(record, 40)
    with pytest.raises(NotFoundError, match="no user 3 in replica 2"):
        journey.tell(record, 3, 2)


def test_people_who_meet_nobody_are_replayed_alone(tmp_path):
    """Where nothing couples people only the one person is lived again, and the life is the recorded one."""
    record = RunRecord(
        api.run("travel", users=30, ticks=8, replicas=2, out=tmp_path / "alone", settings=ALONE).folder
    )
    user = int(record.query('SELECT "user" FROM turns WHERE replica = 1 LIMIT 1')["user"][0])
    told = journey.tell(record, user, 1)
    assert record.manifest["coupled"] is False
    assert told.note == ""
    assert told.steps
    assert told.persona.friends == ()


def test_what_if_changes_the_one_answer(changed, told):
    """The changed turn has the other item; what came before it is the same in both lives."""
    (was, would), other = changed
    assert steps(was) == steps(told)
    assert would.steps[0].answer == other
    assert (would.steps[0].wait_ms, would.steps[0].intent) == (was.steps[0].wait_ms, was.steps[0].intent)
    first = was.steps[0].tick
    assert was.life.moments[:first] == would.life.moments[:first]


def test_what_if_with_the_same_luck(record, user, told):
    """A change late in life leaves everything before it as it was."""
    last = told.steps[-1]
    other = next(item for item in record.items if item != last.answer)
    both = journey.what_if(record, user, 1, f"tick={last.tick},turn={last.turn},action={other}")
    assert both.first_difference == (last.tick, last.turn)
    before = len(told.steps) - 1
    assert steps(both.was)[:before] == steps(both.would)[:before]


def test_both_lives_stand_side_by_side(changed):
    """The text aligns both lives on ticks, marks the first difference and says what changed."""
    both, other = changed
    text = both.text(140)
    tick, turn = both.first_difference
    marked = [line for line in text.splitlines() if "▶" in line]
    assert len(marked) == 1
    assert marked[0].startswith(f"Day {tick},")
    assert f"Changed: day {tick}, turn {turn}: the model proposes {other}." in text
    assert f"The lives differ from day {tick}, turn {turn} on." in text
    bars = {line.index("│") for line in text.splitlines() if "│" in line}
    assert len(bars) == 1


@given(st.integers(0, 10**6), st.integers(1, 1000), st.from_regex(r"[a-z][a-z0-9_.]{0,10}", fullmatch=True))
def test_a_change_reads_back(tick, turn, action):
    """A change is read whatever the order of its parts and the spaces between them."""
    expected = journey.Change(tick, turn, action)
    assert journey.Change.parse(f"tick={tick},turn={turn},action={action}") == expected
    assert journey.Change.parse(f" action = {action} , turn={turn},tick= {tick}") == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("", "does not say tick, turn and action"),
        ("tick=3,turn=1", "does not say action"),
        ("tick=three,turn=1,action=air", "tick must be a whole number from 0, got 'three'"),
        ("tick=3,turn=-1,action=air", "turn must be a whole number from 1, got '-1'"),
        ("tock=3,turn=1,action=air", "Did you mean 'tick'"),
        ("tick 3", "not of the form key=value"),
        ("tick=3,turn=1,action=", "not of the form key=value"),
    ],
)
def test_a_change_that_cannot_be_read_is_an_error(record, user, change, message):
    """A change that is not written as it should says what is wrong and how to write it."""
    with pytest.raises(UserError, match=message):
        journey.what_if(record, user, 1, change)


def test_a_change_that_cannot_be_made_is_an_error(record, user, told):
    """An item, a turn or a session that is not there is named, with those that are."""
    tick, answer = told.steps[0].tick, told.steps[0].answer
    with pytest.raises(NotFoundError, match="Did you mean 'train'"):
        journey.what_if(record, user, 1, f"tick={tick},turn=1,action=trian")
    with pytest.raises(NotFoundError, match="has turns 1 to"):
        journey.what_if(record, user, 1, f"tick={tick},turn=99,action=train")
    with pytest.raises(NotFoundError, match=f"There are sessions in days {tick}"):
        journey.what_if(record, user, 1, "tick=999,turn=1,action=train")
    with pytest.raises(UserError, match="anyway"):
        journey.what_if(record, user, 1, f"tick={tick},turn=1,action={answer}")


def test_friends_of_bounded_confidence_are_those_within_reach(told, record):
    """Somebody whose opinion lies out of reach is never named as having moved an opinion."""
    reach = next(i.reach for i in record.scenario.people.society.influences if i.what == "opinion")
    named = [
        (influence, friend)
        for moment in told.life.moments
        for influence in moment.influenced
        if influence.what == "opinion"
        for friend in influence.friends
    ]
    assert all(abs(friend.value - influence.before) <= reach + 1e-6 for influence, friend in named)
    assert all(isinstance(i, Influenced) and isinstance(f, Friend) for i, f in named)
