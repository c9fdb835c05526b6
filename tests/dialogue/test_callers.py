"""What callers want, keep on their agenda, and make of answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rehearse
from rehearse.agents.dialogue.agenda import Agenda
from rehearse.agents.dialogue.behaviour import Goals
from rehearse.agents.dialogue.goals import GoalMaker, pick
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, End, Turn
from rehearse.dialogue.acts import Act, code, packed, says
from rehearse.dialogue.talk import Reply
from rehearse.environments.assist.domains import load
from rehearse.errors import ScenarioError
from rehearse.experiments import journey
from rehearse.experiments.build import assemble
from rehearse.testing.worlds import check_world

LODGING = load("lodging")
PLAIN = {
    "people.groups": None,
    "people.settings.behaviour": {
        "inform_combination": 1.0,
        "request_combination": 1.0,
        "greeting": 0.0,
        "alternatives_after_venue": 0.0,
        "change_after_venue": 0.0,
        "bye_once_complete": 1.0,
        "thank_ack": 0.0,
        "overrule_correction": 0.0,
    },
    "people.settings.goals": {"booking": 0.0},
    "people.traits": {},
    "criteria": [],
}


def table(users=300, **more):
    """Return a scenario's simulation, people at the table, and the domain."""
    scenario = rehearse.load("assist", users=users, ticks=1, replicas=1, settings=PLAIN | more)
    simulation = assemble(scenario).simulation
    return simulation, simulation.world.domain


class Scripted:
    """A model that says the same acts to everybody, turn after turn."""

    name, version, foreign = "scripted", "1", False

    def __init__(self, domain, *turns):
        self.turns, self.domain = turns, domain

    def decide(self, requests):
        """Say what the script says."""
        acts = self.turns[min(requests.turn, len(self.turns) - 1)](requests.talk)
        said = packed(np.stack(acts, axis=1).astype(np.int32))
        from rehearse.dialogue.menu import item_of

        silent = Reply.silent(len(requests))
        return Decisions(
            **{n: getattr(Decisions.of(item_of(self.domain, said)), n) for n in Decisions.columns()},
            reply=Reply(said, silent.calls, silent.text),
        )


def played(script, users=300, **more):
    """Return every exchange of a tick with a scripted model."""
    simulation, domain = table(users, **more)
    simulation.policy = Scripted(domain, *script(domain))
    seen = []
    simulation.watchers.append(type("W", (), {"on_turn": lambda _, x: seen.append(x), "on_tick": print})())
    simulation.advance()
    return seen, domain, simulation.users.columns


def each(number):
    """Return a script's line: the same act for all."""
    return lambda talk: [np.full(len(talk), int(number))]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), max_size=30))
def test_an_agenda_is_a_stack_without_duplicates(steps):
    """Pushing, dropping and popping ranks is what they are on a list that holds nothing twice."""
    agenda, lists = Agenda(np.zeros((3, 19), dtype=np.int16), 6), [[], [], []]
    for row, item in steps:
        if item == 5 and lists[row]:
            top = int(agenda.top()[row])
            assert top == lists[row].pop()
            agenda.drop(np.array([row]), np.array([top]))
        else:
            agenda.push(np.array([row]), np.array([item]))
            lists[row] = [i for i in lists[row] if i != item] + [item]
    assert agenda.top().tolist() == [found[-1] if found else -1 for found in lists]


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_one_of_the_places_is_picked(among, u):
    """What is picked is true, and nothing is picked where nothing is."""
    found = pick(np.array([among]), np.array([u]))[0]
    assert among[found] if any(among) else found == -1


@given(low=st.integers(1, 3), more=st.integers(0, 3), seed=st.integers(0, 99))
def test_goals_leave_as_many_entities_as_asked_for(low, more, seed):
    """Every goal has so many matches; who first wants what nothing has knows what would do instead."""
    goals = Goals(matches=(low, low + more), impossible=0.5, booking=0.5)
    replica, user = np.zeros(80, np.int32), np.arange(80)
    turn = Turn(user, replica, user, 0, 0, Chance(seed))
    goal = GoalMaker(LODGING, goals).draw(turn, Columns({"user": user}))
    final = np.where(goal.spare >= 0, goal.spare, goal.want)
    matches = LODGING.fits(final).sum(axis=1)
    assert ((matches >= low) & (matches <= low + more)).all()
    twisted = (goal.spare >= 0).any(axis=1)
    assert not LODGING.fits(goal.want)[twisted].any()
    assert abs(twisted.mean() - 0.5) < 5 * np.sqrt(0.25 / 80)
    details = goal.want[:, LODGING.constraints : LODGING.informable]
    assert ((details >= 0).all(axis=1) == goal.books).all()
    assert (goal.want[:, LODGING.informable :] < 0).all()


def test_people_tell_their_constraints_first_then_ask_then_say_goodbye():
    """In one breath each, a call takes three turns with an assistant that recommends and answers."""

    def script(domain):
        def recommend(talk):
            fits = domain.fits(talk.belief.known).argmax(axis=1)
            return [code(Act.INFORM, domain.name, fits)]

        def answer(talk):
            has = domain.table[talk.belief.venue]
            asked = talk.belief.asked
            return [code(np.where(asked[:, s], Act.INFORM, -1), s, has[:, s]) for s in range(domain.name)]

        return recommend, answer, each(code(Act.BYE))

    seen, _, people = played(script)
    first, second, third = seen
    assert says(first.responses.said.meant, Act.INFORM).all()
    assert not says(first.responses.said.meant, Act.REQUEST).any()
    assert says(second.responses.said.meant, Act.REQUEST).all()
    assert says(third.responses.said.meant, Act.BYE).all()
    assert (third.end == End.GOAL_MET).all()
    assert (third.outcomes.becomes["success"] == 1).all()
    assert (people["progress"] == 1.0).all()


def test_whoever_hears_the_same_thing_again_and_again_hangs_up():
    """The third time in a row patience is at its end; nobody acts after leaving."""
    seen, *_ = played(lambda _: (each(code(Act.HELLO)),))
    assert [len(x.turn) for x in seen] == [300, 300, 300]
    assert (seen[-1].end == End.ABANDONED).all()
    assert not any((x.end > 0).any() for x in seen[:-1])


def test_what_is_not_wanted_is_corrected():
    """Recommend with a wrong area: those who care say no, say the area again, or both (.45, .4, .15)."""

    def script(domain):
        def wrong(talk):
            known = talk.belief.known[:, 0]
            return [
                code(Act.INFORM, domain.name, np.zeros(len(talk))),
                code(Act.INFORM, 0, np.where(known >= 0, (known + 1) % 5, 0)),
            ]

        return (wrong,)

    seen, _, _ = played(script, 2000, **{"people.settings.drains": {"contradiction": 0.0}})
    cares = seen[0].requests.talk.belief.known[:, 0] >= 0
    stays = np.isin(seen[1].turn.rows, seen[0].turn.rows[cares & (seen[0].end == 0)])
    reply = seen[1].responses.said.meant[stays]
    no = says(reply, Act.NEGATE)
    area = ((reply >> 24 == Act.INFORM) & (reply >> 16 & 0xFF == 0)).any(axis=1)
    assert (no & area).mean() == pytest.approx(0.45, abs=0.05)
    assert (~no & area).mean() == pytest.approx(0.40, abs=0.05)
    assert (no & ~area).mean() == pytest.approx(0.15, abs=0.05)


def test_where_nothing_fits_people_relax_a_constraint_or_change_it():
    """After `nooffer` two thirds of the people drop one constraint, others want another value."""
    seen, domain, _ = played(lambda _: (each(code(Act.NOOFFER)), each(code(Act.BYE))), 2000)
    before, after = (x.responses.said for x in seen[:2])
    told = after.meant
    area = (told >> 24 == Act.INFORM) & ((told >> 16 & 0xFF) < domain.constraints)
    assert area.any(axis=1).all()
    dropped = (area & ((told & 0xFFFF) == 0xFFFE)).any(axis=1)
    assert dropped.mean() == pytest.approx(0.667, abs=0.04)
    assert (seen[1].end == End.POLICY_STOP).all()
    assert before.goal.shape == after.goal.shape


def test_groups_speak_as_their_trait_says():
    """A behaviour may be a trait: the terse tell fewer constraints in a breath than the talkative."""
    scenario = rehearse.load("assist", users=1000, ticks=1, replicas=1)
    simulation = assemble(scenario).simulation
    seen = []
    simulation.watchers.append(type("W", (), {"on_turn": lambda _, x: seen.append(x), "on_tick": print})())
    simulation.advance()
    told, group = seen[0].outcomes.detail["informs"], seen[0].requests.group
    assert told[group == 0].mean() + 0.3 < told[group == 1].mean()


def test_the_world_keeps_the_rules():
    """`check_world` finds nothing to say, with people who are in the middle of a call."""
    simulation, _ = table(40)
    simulation.users.open(0)
    turn = simulation._seat(np.arange(40))
    simulation.users.ask(turn, simulation.world.offer(turn, simulation.users.columns))
    assert check_world(simulation.world, simulation.users.columns) == []


def test_a_journey_tells_a_call_with_its_words(tmp_path):
    """What was wanted, said, called and answered can be read."""
    run = rehearse.run("assist", out=tmp_path / "run", users=5, ticks=1, replicas=1)
    text = " ".join(journey.tell(run.turns, user=3).text().split())
    assert "wants" in text
    assert "Says: “" in text
    assert "The model calls find(" in text
    assert "It answers: “I can recommend" in text


def test_callers_refuse_friends_and_settings_that_make_no_sense():
    """What they know nothing of is said by its path."""
    with pytest.raises(ScenarioError, match=r"people\.society"):
        table(10, **{"people.society.graph": {"kind": "erdos_renyi", "degree": 2}})
    with pytest.raises(ScenarioError, match="matches"):
        table(10, **{"people.settings.goals": {"matches": [3, 1]}})
    with pytest.raises(ScenarioError, match="no constraints"):
        table(10, **{"people.settings.goals": {"matches": [60, 60]}})
    with pytest.raises(ScenarioError, match=r"add up to 1\.2"):
        table(10, **{"world.settings.noise": {"slot": 0.6, "value": 0.6}})


def test_several_blocks_may_take_turns():
    """Two halves whose turns alternate live the same calls as both together."""
    whole, _ = table(40)
    apart, _ = table(40)
    rows = np.arange(40)
    for simulation, parts in ((whole, [rows]), (apart, [rows[:15], rows[15:]])):
        simulation.users.open(0)
        tables = [simulation._seat(part) for part in parts]
        for number in range(3):
            asked = []
            for turn in tables:
                now = replace(turn, turn=number)
                offer = simulation.world.offer(now, simulation.users.columns)
                asked.append((now, offer, simulation.users.ask(now, offer)))
            for now, offer, requests in asked:
                simulation.users.respond(now, offer, simulation.policy.decide(requests))
    for name, column in whole.users.columns.items():
        assert (column == apart.users.columns[name]).all(), name
