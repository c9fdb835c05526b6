"""People in a world with a model: sessions, endings, ticks, and what each setting changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from rehearse.agents.crowd import Crowd, build
from rehearse.agents.ties import freeze
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, End, Fault, Intent, Offer, Outcomes, Users
from rehearse.engine import Simulation
from rehearse.errors import ScenarioError
from rehearse.scenario.model import Time
from rehearse.scenario.people import People

WORTHS = (0.0, 1.0, -1.0, 0.5)
"""The one attribute of each of four items: what it is worth to a person of taste 1."""


@dataclass
class Shop:
    """A world of four items that turn out as expected, give or take chance."""

    name: str = "shop"
    items: tuple[str, ...] = ("a", "b", "c", "d")
    attributes: tuple[str, ...] = ("x",)
    features: tuple[str, ...] = ("hour",)
    needs: tuple[str, ...] = ()
    coupled: bool = False
    available: tuple[bool, ...] | None = None

    def offer(self, turn, people):
        hour = np.full((len(turn), 1), turn.tick, dtype=np.float32)
        open_now = None if self.available is None else np.tile(self.available, (len(turn), 1))
        return Offer(np.array(WORTHS)[:, None], hour, open_now)

    def settle(self, turn, people, offer, decisions, responses):
        luck = turn.uniform("shop/luck")[:, 0]
        lived = np.where(responses.choice >= 0, luck, np.nan).astype(np.float32)
        nothing = np.zeros(len(turn), dtype=np.float32)
        return Outcomes(nothing, lived, responses.choice, nothing, np.zeros(len(turn), dtype=np.int8))

    def truth(self, turn, people, offer):
        return np.tile(WORTHS, (len(turn), 1))

    def table(self):
        return None

    def drift(self, tick):
        return []

    def state(self):
        return {}

    def restore(self, state):
        """Keep nothing."""


@dataclass
class Shuffled:
    """A model that answers with a drawn slate of three and sometimes fails."""

    name: str = "shuffled"
    version: str = "1"
    asked: list = field(default_factory=list)

    def decide(self, requests):
        self.asked.append(requests)
        order = requests.uniform("order", 4).argsort(axis=1)[:, :3].astype(np.int32)
        failed = requests.uniform("fail")[:, 0] < 0.1
        order[failed] = -1
        return Decisions.of(order, fault=np.where(failed, Fault.RAISED, Fault.NONE), latency=1500.0)


def people_of(count=60, **given):
    """Return a scenario's people, each of whom likes items for what they are worth."""
    given = {"tastes": {"x": 1.0}, "traits": {"trust": 1.0}} | given
    return People(count=count, **given)


def build_crowd(count=60, world=None, replicas=(0,), only=None, seed=6, **given):
    """Return the people of a scenario."""
    chance, which = Chance(seed), np.array(replicas, dtype=np.int32)
    return build(people_of(count, **given), world or Shop(), chance, which, only)


def lived(count=60, ticks=4, block=1000, seed=6, world=None, **given):
    """Return people who lived through some ticks with the shuffled model, and all their turns."""
    world = world or Shop()
    crowd = build_crowd(count, world, seed=seed, **given)
    turns = Turns()
    simulation = Simulation(world, crowd, Shuffled(), Chance(seed), Time(max_turns=6), block=block)
    simulation.watchers.append(turns)
    for _ in range(ticks):
        simulation.advance()
    return crowd, turns


@dataclass
class Turns:
    """A watcher that keeps every turn."""

    all: list = field(default_factory=list)

    def on_turn(self, exchange):
        self.all.append(exchange)

    def on_tick(self, tick, users):
        """Keep nothing."""

    def ends(self):
        """Return the ends of all sessions."""
        ends = np.concatenate([e.end for e in self.all])
        return ends[ends != End.NONE]


def test_the_crowd_keeps_the_contract():
    """A crowd is a `Users`, with the columns that the contract names in their types."""
    crowd = build_crowd()
    assert isinstance(crowd, Users)
    kinds = {"user": "i8", "replica": "i4", "alive": "?", "group": "i1", "session": "i4", "adopted": "?"}
    kinds |= dict.fromkeys(("satisfaction", "progress", "patience", "taste", "trust"), "f4")
    assert {name: crowd.columns[name].dtype for name in kinds} == {n: np.dtype(k) for n, k in kinds.items()}


def test_everybody_ends_each_session_for_a_reason():
    """Every session opened has one end; sessions met are as many as goals met."""
    crowd, turns = lived()
    ends = turns.ends()
    assert len(ends) == crowd.columns["sessions"].sum() > 0
    assert (ends == End.GOAL_MET).sum() == crowd.columns["goals_met"].sum()
    assert (crowd.columns["session"] == crowd.columns["sessions"] - 1).all()


def test_people_end_sessions_in_all_their_ways():
    """Over many lives people meet goals, abandon, stop content, and leave over errors."""
    goal = {"name": "use", "rate": 1, "at_start": 1, "need": 2}
    _, turns = lived(400, 5, goals=[goal], traits={"trust": 1.0, "patience": 2.0}, behaviour={"outside": 1})
    expected = {End.GOAL_MET, End.ABANDONED, End.USER_STOP, End.POLICY_ERROR}
    assert expected <= {End(e) for e in turns.ends()}


@pytest.mark.parametrize("block", [1, 7])
def test_blocks_change_nothing(block):
    """The people are the same to the bit whatever the size of blocks."""
    whole, parts = lived(block=1000)[0].columns, lived(block=block)[0].columns
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_others_change_nothing():
    """The first forty people live the same lives with twenty more beside them."""
    few, many = lived(40)[0].columns, lived(60)[0].columns
    assert all(np.array_equal(few[name], many[name][:40]) for name in few)


def test_one_person_alone_lives_the_same_life():
    """`only` keeps a person's life as it was among all the others."""
    everybody = lived(30)[0].columns
    alone = lived(30, only=np.array([17]))[0].columns
    assert alone.length == 1
    assert all(np.array_equal(alone[name][0], everybody[name][17]) for name in alone)


def test_only_some_of_those_who_meet_cannot_be_run():
    """Whoever is influenced by others cannot live without them."""
    society = {"graph": {"kind": "watts_strogatz", "degree": 2}, "influences": [{"what": "trust"}]}
    assert build_crowd(society=society).coupled
    with pytest.raises(ScenarioError, match="influenced by others"):
        build_crowd(society=society, only=np.array([3]))


def test_a_life_goes_on_from_copied_columns():
    """The columns are all there is: another crowd that takes them over goes on alike."""
    straight = lived(ticks=4)[0]
    half = lived(ticks=2)[0]
    other = build_crowd()
    for name in half.columns:
        other.columns[name] = half.columns[name].copy()
    simulation = Simulation(Shop(), other, Shuffled(), Chance(6), Time(max_turns=6), tick=2)
    for _ in range(2):
        simulation.advance()
    assert all(np.array_equal(straight.columns[n], other.columns[n]) for n in straight.columns)


def test_the_model_sees_the_situation_the_visible_traits_and_the_session():
    """Features come in the stated order; trust and tastes are not among them."""
    world, model = Shop(), Shuffled()
    crowd = build_crowd(8, world, visible=("patience", "opinion"), traits={"patience": 7.0, "trust": 1.0})
    Simulation(world, crowd, model, Chance(6), Time(max_turns=3), tick=5).advance()
    first, second = model.asked[0], model.asked[1]
    assert crowd.feature_names == first.names == ("hour", "patience", "opinion", "turn", "refusals")
    assert first.features[:, 0].tolist() == [5.0] * 8
    assert first.features[:, 1].tolist() == [7.0] * 8
    assert first.features[:, 2].tolist() == crowd.columns["opinion"].tolist()
    assert set(second.features[:, 3]) == {1.0}
    assert (second.features[:, 4] == (second.intent != Intent.MORE)).all()


@pytest.mark.parametrize(
    ("visible", "words"),
    [
        (("patiense",), "Did you mean 'patience'"),
        (("trust",), "no model can see 'trust'"),
        (("turn",), "turn"),
    ],
)
def test_what_a_model_cannot_see_is_refused(visible, words):
    """A misspelt trait, a state of mind and a name that stands for something else are named."""
    with pytest.raises(ScenarioError, match=words) as caught:
        build_crowd(visible=visible)
    assert "people.visible" in str(caught.value)


def test_a_trait_cannot_take_the_name_of_a_state():
    """A trait called `alive` would be lost, so it is refused."""
    with pytest.raises(ScenarioError, match="'alive' is the name of something"):
        build_crowd(traits={"alive": 1.0})


def test_distrust_makes_people_leave_for_good():
    """The chance to leave is churn.distrust · (1 − trust²); those who left open no session."""
    crowd = build_crowd(4000, churn={"distrust": 0.4})
    crowd.columns["trust"][:2000], crowd.columns["trust"][2000:] = 0.0, 0.5
    crowd.live(0)
    gone = ~crowd.columns["alive"]
    assert gone[:2000].mean() == pytest.approx(0.4, abs=0.04)
    assert gone[2000:].mean() == pytest.approx(0.3, abs=0.04)
    assert not gone[crowd.open(1)].any()


def test_where_adoption_is_a_trait_only_adopters_come():
    """Others come once friends have moved them; without the trait everybody may come and has then adopted."""
    society = {"graph": {"kind": "karate"}, "influences": [{"what": "adoption", "how": "threshold"}]}
    spread = build_crowd(34, society=society, traits={"trust": 1.0, "adopted": 0.0, "threshold": 0.3})
    assert len(spread.open(0)) == 0
    spread.columns["adopted"][[0, 33]] = True
    assert spread.open(1).tolist() == [0, 33]
    spread.socialise(1)
    assert len(spread.open(2)) > 2
    free = build_crowd(34)
    assert len(free.open(0)) == 34
    assert free.columns["adopted"].all()


def test_influences_pass_along_ties():
    """Word of mouth: trust moves towards that of friends, and only where there are ties."""
    society = {"graph": {"kind": "karate"}, "influences": [{"what": "trust", "weight": 0.5}]}
    tied, apart = (
        build_crowd(34, society=society),
        build_crowd(34, society={"influences": [{"what": "trust"}]}),
    )
    for crowd in (tied, apart):
        crowd.columns["trust"][0] = 0.0
        crowd.socialise(0)
    assert tied.columns["trust"][0] == 0.5
    assert tied.columns["trust"][1] < 1.0
    assert apart.columns["trust"][:2].tolist() == [0.0, 1.0]


def test_the_summary_measures_each_society():
    """One number a replica; polarisation is 1 for two camps and 0 for agreement."""
    crowd = build_crowd(10, replicas=(0, 4))
    crowd.columns["opinion"][:10] = [0.0, 1.0] * 5
    crowd.columns["opinion"][10:] = 0.7
    crowd.columns["alive"][10:15] = False
    crowd.columns["trust"][15:] = 0.25
    found = crowd.summary()
    assert {v.shape for v in found.values()} == {(2,)}
    assert found["polarisation"] == pytest.approx([1.0, 0.0], abs=1e-12)
    assert found["alive"].tolist() == [1.0, 0.5]
    assert found["trust"].tolist() == [1.0, 0.25]
    assert "assortativity_of_satisfaction" not in found


def test_assortativity_tells_whether_the_satisfied_know_one_another():
    """It is 1 where friends are alike, -1 where they are opposite, and NaN where all are the same."""
    ties = freeze(4, np.array([0, 2]), np.array([1, 3]))
    drawn = {"user": np.arange(4), "replica": np.zeros(4, np.int32), "group": np.zeros(4, np.int8)}
    drawn |= {"patience": np.ones(4, np.float32), "noise": np.ones(4), "taste": np.ones((4, 1))}
    crowd = Crowd(people_of(4), Columns(drawn), chance=Chance(1), items=("a",), ties=ties)
    found = []
    for satisfaction in ((0.2, 0.2, 0.8, 0.8), (0.2, 0.8, 0.8, 0.2), (0.5, 0.5, 0.5, 0.5)):
        crowd.columns["satisfaction"][:] = satisfaction
        found.append(crowd.summary()["assortativity_of_satisfaction"][0])
    assert found == pytest.approx([1.0, -1.0, np.nan], nan_ok=True)


def test_replicas_differ_and_do_not_depend_on_one_another():
    """Society 4 is the same whether or not society 0 is there, and differs from it."""
    both = build_crowd(50, replicas=(0, 4))
    alone = build_crowd(50, replicas=(4,))
    for crowd in (both, alone):
        for tick in range(3):
            crowd.open(tick)
            crowd.live(tick)
    assert all(np.array_equal(both.columns[n][50:], alone.columns[n]) for n in alone.columns)
    assert not np.array_equal(both.columns["opinion"][:50], both.columns["opinion"][50:])
