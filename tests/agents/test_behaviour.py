"""What each setting of behaviour changes in a turn, in its stated direction."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.agents import population
from rehearse.agents.crowd import Crowd
from rehearse.chance import Chance
from rehearse.contract import Decisions, End, Fault, Intent, Offer, Outcomes, Turn
from rehearse.errors import ContractError
from rehearse.scenario.people import People

WORTHS = (0.0, 1.0, -1.0, 0.5)
"""The one attribute of each of four items: what it is worth to a person of taste 1."""


def build_crowd(count, refusals=(), **given):
    """Return people each of whom likes items for what they are worth."""
    people = People(count=count, **({"tastes": {"x": 1.0}, "traits": {"trust": 1.0}} | given))
    which = np.zeros(1, dtype=np.int32)
    drawn = population.draw(people, attributes=("x",), needs=(), table=None, chance=Chance(6), replicas=which)
    return Crowd(people, drawn, chance=Chance(6), items=("a", "b", "c", "d"), refusals=refusals)


def respond(crowd, slate, *, worths=WORTHS, turn=0, tick=0, latency=0.0, fault=Fault.NONE, available=None):
    """Let everybody answer one slate; return the responses."""
    rows = np.arange(crowd.columns.length)
    now = Turn(rows, crowd.columns["replica"], crowd.columns["user"], tick, turn, Chance(6))
    shelf = None if available is None else np.tile(available, (len(rows), 1))
    offer = Offer(np.array(worths)[:, None], np.zeros((len(rows), 1), dtype=np.float32), shelf)
    slates = np.tile(np.array(slate, dtype=np.int32), (len(rows), 1))
    return crowd.respond(now, offer, Decisions.of(slates, latency=latency, fault=fault))


def test_the_intent_says_what_happened_last():
    """First, then more after something taken, another after nothing, and again after an error."""
    crowd = build_crowd(1, goals=[{"name": "use", "at_start": 1, "need": 9}], traits={"noise": 0.001})
    crowd.open(0)
    intents = [crowd.columns["intent"][0]]
    for worth, fault in ((9.0, Fault.NONE), (-9.0, Fault.NONE), (0.0, Fault.RAISED)):
        respond(crowd, [-1 if fault else 0], worths=(worth,), fault=fault)
        intents.append(crowd.columns["intent"][0])
    assert intents == [Intent.FIRST, Intent.MORE, Intent.ANOTHER, Intent.RETRY]


def test_what_was_shown_is_kept_newest_first_and_forgotten_with_the_session():
    """The ring of shown items holds this session's slates; an error adds nothing."""
    crowd = build_crowd(1)
    crowd.open(0)
    respond(crowd, [2, 1])
    respond(crowd, [-1, -1], turn=1, fault=Fault.RAISED)
    respond(crowd, [3, 0], turn=2)
    assert crowd.columns["shown"][0, :5].tolist() == [3, 0, 2, 1, -1]
    crowd.open(1)
    assert (crowd.columns["shown"] == -1).all()


def test_whoever_always_takes_takes_the_first_that_can_be_had():
    """With `choice: always` worth plays no part; what cannot be had is passed over."""
    crowd = build_crowd(3, behaviour={"choice": "always"})
    crowd.open(0)
    worst = respond(crowd, [2, 1], worths=(0.0, 9.0, -99.0, 0.5))
    assert worst.choice.tolist() == [2, 2, 2]
    assert respond(crowd, [2, 1], turn=1, available=[True, True, False, True]).choice.tolist() == [1, 1, 1]
    assert respond(crowd, [-1, -1], turn=2, fault=Fault.RAISED).choice.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("choice", ["logit", "cascade", "always"])
def test_nobody_takes_a_refusal(choice):
    """An item that the world calls a refusal is never taken, whatever it is worth."""
    crowd = build_crowd(50, behaviour={"choice": choice}, refusals=("b",))
    crowd.open(0)
    taken = respond(crowd, [1, 0], worths=(0.0, 99.0, 0.0, 0.0)).choice
    assert set(taken.tolist()) <= {-1, 0}
    assert (respond(crowd, [1], turn=1).choice == -1).all()


def test_people_become_what_the_world_says():
    """Values of `Outcomes.becomes` are people's from then on; an unknown column is refused."""
    crowd = build_crowd(3, traits={"score": 5.0})
    crowd.open(0)
    remember(crowd, becomes={"score": np.array([4, 5, 6])})
    assert crowd.columns["score"].tolist() == [4.0, 5.0, 6.0]
    with pytest.raises(ContractError, match="'scare' becomes"):
        remember(crowd, becomes={"scare": np.zeros(3)})


def remember(crowd, **outcomes):
    """Let everybody take item 0 and remember what came of it."""
    n = crowd.columns.length
    rows = np.arange(n)
    now = Turn(rows, crowd.columns["replica"], crowd.columns["user"], 0, 0, Chance(6))
    responses = respond(crowd, [0], worths=(9.0, 0.0, 0.0, 0.0))
    plain = {"experience": np.full(n, 0.5, np.float32), "reward": np.zeros(n, np.float32)}
    nothing = {
        "ideal": np.zeros(n, np.int32),
        "regret": np.zeros(n, np.float32),
        "right": np.ones(n, np.int8),
    }
    settled = Outcomes(**plain, **nothing, **outcomes)
    crowd.remember(now, Decisions.of(np.zeros((n, 1), np.int32)), responses, settled)


def patience_left(slates, **given):
    """Return the patience left of 5 after some slates of one session."""
    behaviour = {"outside": given.pop("outside", 0.0), "drains": given.pop("drains", {})}
    crowd = build_crowd(1, traits={"noise": 0.001, "trust": 0.5}, behaviour=behaviour)
    crowd.open(0)
    for number, slate in enumerate(slates):
        respond(crowd, slate, turn=number, **given)
    return float(crowd.columns["patience"][0])


def test_repeats_bad_offers_errors_and_waiting_cost_patience():
    """Each drains what the scenario says; what is new, fair and quick costs nothing."""
    assert patience_left([[0], [1]]) == 5.0
    assert patience_left([[0], [0]]) == 4.0
    assert patience_left([[0, 1], [1, 2]]) == 4.0
    assert patience_left([[2]], outside=4.0) == 4.5
    assert patience_left([[2, 1]], outside=3.5) == 5.0
    assert patience_left([[-1]], fault=Fault.RAISED) == 4.0
    assert patience_left([[-1]]) == 4.5
    assert patience_left([[0]], latency=6000.0) == 4.0
    assert patience_left([[0], [1]], drains={"turn": 0.5}) == 4.0


def leaving(behaviour=None, patience=4.0, slates=((0,), (0,)), **given):
    """Return the share of people who leave at the second of two slates, nobody taking anything."""
    behaviour = {"outside": 1.5, "bad_margin": 99.0} | (behaviour or {})
    traits = {"noise": 0.001, "trust": 0.5, "patience": patience}
    crowd = build_crowd(2000, traits=traits, behaviour=behaviour, **given)
    crowd.open(0)
    ends = [respond(crowd, slate, turn=number).end for number, slate in enumerate(slates)]
    return (ends[-1] == End.ABANDONED).mean()


def test_after_a_setback_people_leave_by_the_square_of_the_patience_lost():
    """One repeat of four turns of patience: (1 − 3/4)²; new slates: nobody; quits off: nobody."""
    assert leaving() == pytest.approx(0.0625, abs=0.02)
    assert leaving(behaviour={"drains": {"repeat": 2.0}}) == pytest.approx(0.25, abs=0.04)
    assert leaving(slates=((0,), (3,))) == 0.0
    assert leaving(behaviour={"quits": False}) == 0.0
    assert leaving(behaviour={"quits": False, "drains": {"repeat": 4.0}}) == 1.0


def test_patience_comes_back_between_sessions():
    """A tick gives back the stated part of what was lost."""
    crowd = build_crowd(1, behaviour={"recovery": 0.25})
    crowd.columns["patience"][0] = 1.0
    crowd.live(0)
    assert crowd.columns["patience"][0] == 2.0


def taking(**given):
    """Return the share of people who take something from a slate of two fair items."""
    turn, refusals = given.pop("slate", [0, 3]), given.pop("refusals", 0)
    worths, available = given.pop("worths", WORTHS), given.pop("available", None)
    goal = {"name": "use", "at_start": 1, "strength": 0.0, "need": 5}
    crowd = build_crowd(3000, goals=[goal], memory={"on": False}, **given)
    crowd.columns["refusals"][:] = refusals
    return (respond(crowd, turn, worths=worths, available=available).choice >= 0).mean()


def test_the_outside_option_holds_people_back():
    """The better it is to take nothing, the fewer take something; a reservation adds to it."""
    low, high = taking(behaviour={"outside": -1.0}), taking(behaviour={"outside": 2.0})
    assert low > high + 0.3
    assert taking(behaviour={"outside": 1.0}, traits={"reservation": 1.0}) == high


def test_with_logsum_the_outside_option_is_everything_on_offer():
    """People who could have all items without the model take less of what it proposes."""
    wide, narrow = {"reservation": "logsum"}, {"reservation": "fixed"}
    assert taking(behaviour=wide) < taking(behaviour=narrow) - 0.2
    some = (True, False, False, True)
    assert taking(behaviour=wide, available=some) > taking(behaviour=wide) + 0.05


def test_turns_that_brought_nothing_make_people_settle_for_less():
    """With relax, more is taken after refusals."""
    assert taking(behaviour={"relax": 0.5}, refusals=4) > taking(behaviour={"relax": 0.5}) + 0.2
    assert taking(refusals=4) == taking()


def test_lower_places_are_taken_less():
    """Position bias (logit) and lack of attention (cascade) both favour the first place."""

    def first_share(**behaviour):
        crowd = build_crowd(4000, behaviour=behaviour)
        position = respond(crowd, [0, 1], worths=(0.0, 0.0)).position
        return (position == 0).sum() / (position >= 0).sum()

    assert first_share() == pytest.approx(0.5, abs=0.03)
    assert first_share(position_bias=1.0) == pytest.approx(1 / (1 + np.exp(-1)), abs=0.03)
    assert first_share(choice="cascade", attention=0.2) > first_share(choice="cascade", attention=1.0) + 0.05


def test_noise_decides_how_much_chance_there_is():
    """Without noise all take the better item; with much noise many do not."""
    shares = []
    for noise in (0.001, 1.0, 10.0):
        crowd = build_crowd(2000, traits={"noise": noise, "trust": 1.0})
        shares.append((respond(crowd, [2, 1]).choice == 1).mean())
    assert shares[0] == 1.0
    assert shares[0] > shares[1] > shares[2]


def test_where_nothing_can_be_had_the_session_is_infeasible():
    """With every item gone, nothing is taken and the reason is not the person's nor the model's."""
    responses = respond(build_crowd(5), [0, 1], available=(False,) * 4)
    assert (responses.choice == -1).all()
    assert (responses.end == End.INFEASIBLE).all()
    assert np.isnan(responses.utility).all()


def test_what_is_gone_is_never_taken():
    """An item that cannot be had is passed over even if it is by far the best."""
    choice = respond(build_crowd(500), [1, 0], worths=(0.0, 50.0), available=(True, False)).choice
    assert set(choice.tolist()) == {-1, 0}


def test_content_people_may_stop_before_the_goal_is_reached():
    """After taking something, the stated share leaves content though more is needed."""
    goal = {"name": "use", "at_start": 1, "need": 5, "strength": 50.0}
    shares = {}
    for content in (0.0, 0.3):
        crowd = build_crowd(2000, goals=[goal], behaviour={"content": content})
        shares[content] = (respond(crowd, [1]).end == End.USER_STOP).mean()
    assert shares[0.0] == 0.0
    assert shares[0.3] == pytest.approx(0.3, abs=0.04)


def test_satisfaction_follows_what_was_offered():
    """It rises with a good item taken, falls with nothing worth taking, and most with an error."""
    found = {}
    for name, worth, fault in (("good", 3.0, 0), ("poor", -9.0, 0), ("error", 0.0, Fault.RAISED)):
        crowd = build_crowd(1, traits={"noise": 0.001})
        respond(crowd, [-1 if fault else 0], worths=(worth,), fault=fault)
        found[name] = float(crowd.columns["satisfaction"][0])
    assert found["good"] > 0.5 > found["poor"] > found["error"]
    assert found["error"] == pytest.approx(0.5 - 0.3 * 0.5)
    still = build_crowd(1, behaviour={"satisfaction_rate": 0.0, "satisfaction_start": 0.8})
    respond(still, [0])
    assert still.columns["satisfaction"][0] == pytest.approx(0.8)


def test_tastes_move_towards_what_was_taken_and_turned_out_well():
    """The taste moves by taste_change · experience of the way to the item's attribute."""
    crowd = build_crowd(1, behaviour={"taste_change": 0.5}, traits={"noise": 0.001})
    rows = np.arange(1)
    turn = Turn(rows, crowd.columns["replica"], crowd.columns["user"], 0, 0, Chance(6))
    offer = Offer(np.array([[3.0]]), np.zeros((1, 1), dtype=np.float32))
    decisions = Decisions.of(np.zeros(1, dtype=np.int32))
    responses = crowd.respond(turn, offer, decisions)
    one = np.ones(1, dtype=np.float32)
    outcomes = Outcomes(one, 0.5 * one, responses.choice, one, np.ones(1, dtype=np.int8))
    crowd.remember(turn, decisions, responses, outcomes)
    assert crowd.columns["taste"][0, 0] == pytest.approx(1.0 + 0.25 * 2.0)
