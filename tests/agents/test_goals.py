"""Goals arise, are pursued, met, given up, and passed on, each in its stated way."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.agents.crowd import Crowd
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, End, Fault, Offer, Outcomes, Turn
from rehearse.errors import ScenarioError
from rehearse.scenario.people import GoalSpec, People
from rehearse.scenario.society import Influence, Society

MANY = 4000


def crowd_of(goals, n=1, ties=None, **people):
    """Return people with one taste, for whom an item is worth its one attribute."""
    traits = {"patience": 5.0, "noise": 0.001, "trust": 1.0, "susceptibility": 1.0, "threshold": 0.3}
    columns = {name: np.full(n, value, dtype=np.float32) for name, value in traits.items()}
    columns |= {"user": np.arange(n), "replica": np.zeros(n, dtype=np.int32)}
    columns |= {"group": np.zeros(n, dtype=np.int8), "segment": np.zeros(n, dtype=np.int8)}
    columns |= {"opinion": np.zeros(n, dtype=np.float32), "taste": np.ones((n, 1), dtype=np.float32)}
    people = {"memory": {"on": False}} | people
    scenario = People(count=n, goals=tuple(GoalSpec(**g) for g in goals), **people)
    return Crowd(scenario, Columns(columns), chance=Chance(4), items=("dull", "good"), ties=ties)


def meet(crowd, *, tick=0, turn=0, item=1, worth=(0.0, 10.0), fault=Fault.NONE, experience=0.5):
    """Let everybody take a turn in which one item is proposed; return turn and responses."""
    rows = np.arange(crowd.columns.length)
    now = Turn(rows, crowd.columns["replica"], crowd.columns["user"], tick, turn, Chance(4))
    offer = Offer(np.array(worth)[:, None], np.zeros((len(rows), 0), dtype=np.float32))
    slate = np.full((len(rows), 1), -1 if fault else item, dtype=np.int32)
    decisions = Decisions.of(slate, fault=fault)
    responses = crowd.respond(now, offer, decisions)
    lived = np.where(responses.choice >= 0, experience, np.nan).astype(np.float32)
    nothing = np.zeros(len(rows), dtype=np.float32)
    outcomes = Outcomes(nothing, lived, responses.choice, nothing, np.zeros(len(rows), dtype=np.int8))
    crowd.remember(now, decisions, responses, outcomes)
    return now, responses


def end_all(crowd, end, tick=0):
    """End everybody's session for a reason."""
    rows = np.arange(crowd.columns.length)
    turn = Turn(rows, crowd.columns["replica"], crowd.columns["user"], tick, 0, Chance(4))
    crowd.close(turn, np.full(len(rows), end, dtype=np.int8))


def kinds(crowd, row=0):
    """Return a person's goals by name, the one pursued first."""
    return [crowd.agenda.names[k] for k in crowd.columns["goal_kind"][row] if k >= 0]


def test_the_stated_share_begins_with_a_goal():
    """at_start .3 gives the goal to three in ten before the first tick."""
    crowd = crowd_of([{"name": "eat", "at_start": 0.3}], MANY)
    assert (crowd.columns["goal_kind"][:, 0] == 0).mean() == pytest.approx(0.3, abs=0.03)


def test_a_goal_arises_at_its_rate_in_those_who_lack_it():
    """After t ticks a goal of rate .2 is held by 1 − .8^t, as nobody holds it twice."""
    crowd = crowd_of([{"name": "eat", "rate": 0.2, "deadline": 100}], MANY)
    for tick in range(3):
        crowd.live(tick)
    held = crowd.columns["goal_kind"] == 0
    assert held.sum(axis=1).max() == 1
    assert held.any(axis=1).mean() == pytest.approx(1 - 0.8**3, abs=0.03)


def test_only_people_with_a_goal_open_sessions():
    """Who wants nothing stays away."""
    crowd = crowd_of([{"name": "eat", "at_start": 0.5}], 50)
    wants = np.flatnonzero(crowd.columns["goal_kind"][:, 0] >= 0)
    assert 0 < len(wants) < 50
    assert crowd.open(0).tolist() == wants.tolist()


@pytest.mark.parametrize(("deadline", "ticks"), [(1, 1), (3, 3)])
def test_a_goal_is_given_up_after_its_deadline(deadline, ticks):
    """A goal that is not met is pursued for as many ticks as its deadline says."""
    crowd = crowd_of([{"name": "eat", "at_start": 1, "rate": 0, "deadline": deadline}])
    opened = 0
    for tick in range(6):
        opened += len(crowd.open(tick))
        crowd.live(tick)
    assert opened == ticks
    assert crowd.columns["goals_given_up"][0] == 1


def test_progress_is_the_share_got_of_what_is_needed_and_lasts_across_sessions():
    """Need 3: one item makes a third; the session ends as met with the third item."""
    crowd = crowd_of([{"name": "eat", "at_start": 1, "need": 3}], behaviour={"content": 0})
    for tick, (share, end) in enumerate([(1 / 3, End.NONE), (2 / 3, End.NONE), (1.0, End.GOAL_MET)]):
        crowd.open(tick)
        _, responses = meet(crowd, tick=tick)
        assert crowd.columns["progress"][0] == pytest.approx(share)
        assert responses.end[0] == end
        crowd.live(tick)


def test_a_met_goal_leaves_the_stack_and_is_counted():
    """After the session the goal is gone, and the next one down is pursued."""
    crowd = crowd_of([{"name": "eat", "at_start": 1}, {"name": "drink", "at_start": 1}])
    assert kinds(crowd) == ["drink", "eat"]
    end_all(crowd, End.GOAL_MET)
    assert kinds(crowd) == ["eat"]
    assert crowd.columns["goals_met"][0] == 1


def test_an_item_below_what_is_bearable_does_not_serve_the_goal():
    """With bearable 2, an item one above the outside option is taken and brings no progress."""
    goal = {"name": "eat", "at_start": 1, "bearable": 2.0, "strength": 0}
    poor, good = crowd_of([goal]), crowd_of([goal])
    _, poorly = meet(poor, worth=(0, 1.0))
    _, well = meet(good, worth=(0, 2.5))
    assert poorly.choice[0] == well.choice[0] == 1
    assert (poor.columns["progress"][0], good.columns["progress"][0]) == (0.0, 1.0)


def test_a_strong_wish_takes_more_readily():
    """The strength of the goal is added to what an item is worth."""
    weak = crowd_of([{"name": "eat", "at_start": 1, "strength": 0.5}])
    strong = crowd_of([{"name": "eat", "at_start": 1, "strength": 1.5}])
    assert [meet(c, worth=(0, -1.0))[1].choice[0] for c in (weak, strong)] == [-1, 1]


def test_strength_varies_from_person_to_person():
    """Where strength is a distribution, people differ by it."""
    goal = {"name": "eat", "at_start": 1, "strength": {"uniform": {"low": 1.0, "high": 3.0}}}
    strength = crowd_of([goal], MANY).columns["goal_strength"][:, 0]
    assert strength.min() < 1.1
    assert strength.max() > 2.9
    assert strength.mean() == pytest.approx(2.0, abs=0.05)


def test_one_goal_arises_after_another_was_met():
    """`after` puts the later goal on the stack when the earlier is met, and never at a rate."""
    goals = [{"name": "go", "at_start": 1, "rate": 0}, {"name": "return", "after": "go", "rate": 1.0}]
    crowd = crowd_of(goals)
    crowd.live(0)
    assert kinds(crowd) == ["go"]
    end_all(crowd, End.GOAL_MET, tick=1)
    assert kinds(crowd) == ["return"]


def test_a_full_stack_takes_no_further_goal():
    """A person holds no more goals than the stack has places."""
    goals = [{"name": name, "at_start": 1, "rate": 1, "deadline": 50} for name in ("a", "b", "c")]
    crowd = crowd_of(goals, stack=2)
    crowd.live(0)
    assert kinds(crowd) == ["b", "a"]


@pytest.mark.parametrize("end", [End.ABANDONED, End.POLICY_ERROR])
def test_leaving_in_vain_can_disappoint(end):
    """With disappointment .4, four in ten of those who leave in vain give the goal up; others keep it."""
    goals = [{"name": "eat", "at_start": 1, "disappointment": 0.4}]
    vain, content = crowd_of(goals, MANY), crowd_of(goals, MANY)
    end_all(vain, end)
    end_all(content, End.USER_STOP)
    assert vain.columns["goals_given_up"].mean() == pytest.approx(0.4, abs=0.03)
    assert content.columns["goals_given_up"].sum() == 0


def test_a_friends_goal_met_makes_it_arise():
    """Only those with a friend who met the goal in this tick catch it, at the stated chance."""
    n = 2001
    hub = freeze(n, np.zeros(1000, dtype=np.int64), np.arange(1, 1001))
    goal = {"name": "eat", "rate": 0, "contagion": 0.5}
    crowd = crowd_of([goal], n, ties=hub)
    assert crowd.coupled
    crowd.columns["goal_just_met"][0] = 0
    crowd.live(0)
    wants = crowd.columns["goal_kind"][:, 0] >= 0
    assert wants[1:1001].mean() == pytest.approx(0.5, abs=0.06)
    assert not wants[1001:].any()
    before = wants.copy()
    crowd.live(1)
    assert (crowd.columns["goal_kind"][:, 0] >= 0).tolist() == before.tolist()


def test_people_settle_for_less_as_the_deadline_comes_near():
    """Revision 2 over 3 ticks marks the outside option down by 0, 1 and 2."""
    goal = {"name": "eat", "at_start": 1, "rate": 0, "deadline": 3, "revision": 2.0}
    taken = {worth: [] for worth in (-1.5, -2.5)}
    for worth, choices in taken.items():
        for tick in range(3):
            _, responses = meet(crowd_of([goal]), tick=tick, worth=(0, worth))
            choices.append(int(responses.choice[0]))
    assert taken == {-1.5: [-1, 1, 1], -2.5: [-1, -1, 1]}


def test_what_was_experienced_changes_the_wish():
    """New information: with learning, a good experience strengthens the wish and a bad one weakens it."""
    for experience, sign in ((1.0, 1), (0.0, -1)):
        crowd = crowd_of([{"name": "eat", "at_start": 1, "need": 5, "learning": 0.4}])
        meet(crowd, experience=experience)
        assert crowd.columns["goal_strength"][0, 0] == pytest.approx(1.0 + sign * 0.2)


def test_the_dead_get_no_goals():
    """Who left for good wants nothing new."""
    crowd = crowd_of([{"name": "eat", "rate": 1}], 2)
    crowd.columns["alive"][0] = False
    crowd.live(0)
    assert (kinds(crowd, 0), kinds(crowd, 1)) == ([], ["eat"])


def test_goals_in_the_middle_of_the_stack_expire_and_leave_the_rest_in_order():
    """Each goal keeps its own deadline, wherever it lies."""
    goals = [{"name": n, "at_start": 1, "rate": 0, "deadline": d} for n, d in (("a", 9), ("b", 1), ("c", 9))]
    crowd = crowd_of(goals)
    crowd.live(0)
    assert kinds(crowd) == ["c", "a"]


@pytest.mark.parametrize(
    ("goals", "words"),
    [
        ([{"name": "eat"}, {"name": "eat"}], "two goals named 'eat'"),
        ([{"name": "eat", "after": "drnk"}, {"name": "drink"}], "Did you mean 'drink'"),
        ([{"name": "eat", "strength": {"column": "hunger"}}], "strength cannot be a column"),
    ],
)
def test_goals_that_cannot_be_right_are_refused_by_place(goals, words):
    """The message names the path in the scenario and what is wrong."""
    with pytest.raises(ScenarioError, match=words) as caught:
        crowd_of(goals)
    assert "people.goals." in str(caught.value)


def test_influences_couple_people_only_where_they_know_one_another():
    """Ties alone do not couple; an influence along them does."""
    ties = freeze(2, np.array([0]), np.array([1]))
    goal = [{"name": "eat"}]
    spoken = Society(influences=(Influence(what="opinion"),))
    assert not crowd_of(goal, 2, ties=ties).coupled
    assert crowd_of(goal, 2, ties=ties, society=spoken).coupled
    assert not crowd_of(goal, 2, society=spoken).coupled
