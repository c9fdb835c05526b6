"""The people as Mesa agents: handles, sets of them, and a model that a Mesa user recognises."""

from __future__ import annotations

import copy
import gc
import random
import statistics
import weakref
from dataclasses import dataclass, field
from types import SimpleNamespace

import mesa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.agents.agentset import AgentSet
from rehearse.agents.model import Rehearsal
from rehearse.agents.ties import freeze
from rehearse.agents.user import SOCIETY, Goal, Memory, User
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import NOTHING, Decisions, Fault, Turn
from rehearse.errors import ContractError, NotFoundError
from rehearse.experiments.build import assemble
from rehearse.scenario.model import Scenario, Time


def people(n: int, replicas: int) -> Columns:
    """Return societies of n people who know nothing and want one thing."""
    size = n * replicas
    trust = np.linspace(0.0, 1.0, size).astype(np.float32)
    return Columns(
        {
            "user": np.tile(np.arange(n), replicas),
            "replica": np.repeat(np.arange(replicas, dtype=np.int32), n),
            "alive": np.ones(size, dtype=np.bool_),
            "group": (np.arange(size) % 3).astype(np.int8),
            "trust": trust,
            "taste": np.zeros((size, 2), dtype=np.float32),
            "visits": np.zeros(size, dtype=np.int32),
            "goal_kind": np.tile(np.array([1, 0, -1], dtype=np.int8), (size, 1)),
            "goal_strength": np.full((size, 3), 0.5, dtype=np.float32),
            "goal_deadline": np.full((size, 3), 4, dtype=np.int32),
            "goal_got": np.zeros((size, 3), dtype=np.float32),
            "memory_item": np.tile(np.array([1, 0, 1, -1], dtype=np.int32), (size, 1)),
            "memory_value": np.tile(np.array([0.75, 0.25, 0.5, 0.0], dtype=np.float32), (size, 1)),
            "memory_weight": np.tile(np.array([1.0, 0.25, 0.5, 0.0], dtype=np.float32), (size, 1)),
            "memory_next": np.ones(size, dtype=np.int8),
        }
    )


@dataclass
class Stub:
    """A simulation in which trust grows by the tick."""

    users: SimpleNamespace
    world: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(items=("train", "car")))
    policy: SimpleNamespace = field(default_factory=SimpleNamespace)
    chance: Chance = field(default_factory=lambda: Chance(7))
    time: Time = field(default_factory=lambda: Time(ticks=3))
    tick: int = 0

    def advance(self):
        """Let a tick pass."""
        self.users.columns["trust"][:] *= 0.5
        self.tick += 1


def stub(n: int = 10, replicas: int = 1) -> Stub:
    """Return a simulation of a ring of friends."""
    one = np.arange(n * replicas)
    ties = freeze(n * replicas, one, np.roll(one, -1))
    agenda = SimpleNamespace(names=("eat", "arrive"))
    return Stub(SimpleNamespace(columns=people(n, replicas), ties=ties, agenda=agenda))


@pytest.fixture
def model() -> Rehearsal:
    """Return a model of ten people."""
    return Rehearsal(stub())


class TestUser:
    def test_attributes_are_columns(self, model):
        """Reading a handle reads its column, as a Python number; writing writes it."""
        user = model.user(4)
        user.trust = 0.25
        assert model.people["trust"][4] == 0.25
        model.people["visits"][4] = 6
        assert (user.trust, user.visits, user.alive) == (0.25, 6, True)
        assert type(user.visits) is int

    def test_vectors_are_views(self, model):
        """A column with several numbers a person gives the array itself."""
        model.user(4).taste[1] = 2.0
        assert model.people["taste"][4].tolist() == [0.0, 2.0]

    def test_an_undeclared_attribute_is_an_error(self, model):
        """A misspelt name is neither read nor lost in the handle, and the nearest name is told."""
        user = model.user(0)
        with pytest.raises(ContractError, match=r"no 'trsut'.*'trust'"):
            user.trsut = 1.0
        with pytest.raises(AttributeError, match="Did you mean 'trust'"):
            _ = user.trsut
        assert not hasattr(user, "mood")

    def test_a_value_that_does_not_fit_is_an_error(self, model):
        """What numpy would quietly cut down to a whole number is refused."""
        with pytest.raises(ContractError, match=r"'visits' holds values of type int32, got 2\.5"):
            model.user(0).visits = 2.5
        assert model.user(0).visits == 0

    def test_a_method_is_not_overwritten(self, model):
        """A value under the name of a method is refused: the handle that held it would be gone at once."""
        with pytest.raises(ContractError, match="no 'step'"):
            model.user(0).step = 3

    def test_handles_of_one_person_are_equal(self, model):
        """Two handles of a person are one key, and differ from others' and from another model's."""
        assert model.user(3) == model.user(3)
        assert len({model.user(3), model.user(3), model.user(4)}) == 2
        assert model.user(3) != Rehearsal(stub()).user(3)

    def test_unique_ids_tell_societies_apart(self):
        """A person's unique id is the user id, plus a round number for each further society."""
        model = Rehearsal(stub(n=5, replicas=3))
        ids = [user.unique_id for user in model.agents]
        assert ids[:5] == [0, 1, 2, 3, 4]
        assert ids[5] == SOCIETY
        assert len(set(ids)) == 15
        assert model.user(2, replica=1).unique_id == SOCIETY + 2

    def test_friends_are_along_the_ties(self, model):
        """Friends are handles of those whom the ties join to the person."""
        assert model.user(0).friends == [model.user(1), model.user(9)]

    def test_goals_are_told_in_words(self, model):
        """The goals are named, the pursued one first, without the empty places."""
        assert model.user(0).goals == (Goal("arrive", 0.5, 4, 0.0), Goal("eat", 0.5, 4, 0.0))

    def test_memories_are_told_latest_first(self, model):
        """The ring of memories is unrolled from the newest back, without the empty places."""
        assert model.user(0).memory == (
            Memory("car", 0.75, 1.0),
            Memory("car", 0.5, 0.5),
            Memory("train", 0.25, 0.25),
        )

    def test_a_handle_survives_copying(self, model):
        """A copied handle is the same person of the same model."""
        assert copy.copy(model.user(2)) == model.user(2)

    def test_nobody_is_made_out_of_nothing(self, model):
        """Mesa's ways to add agents are refused with a reason."""
        with pytest.raises(ContractError, match=r"4 more people.*drew"):
            User.create_agents(model, 4)
        for kind in (User, mesa.Agent):
            with pytest.raises(ContractError, match="drew"):
                kind(model)

    def test_remove_is_for_good(self, model):
        """A removed person is out of the model; removing twice does no harm."""
        user = model.user(2)
        user.remove()
        user.remove()
        assert user not in model.agents
        assert len(model.agents) == 9
        assert user.alive is False


class TestModel:
    def test_a_step_is_a_tick(self, model):
        """Each step advances the simulation by one, and running ends with the scenario."""
        model.step()
        assert (model.tick, model.running) == (1, True)
        model.run_model()
        assert (model.tick, model.steps, model.running) == (3, 3, False)

    def test_a_derived_step_is_called_once(self):
        """What a derived model does in its step happens once a tick."""

        class Nudged(Rehearsal):
            def step(self):
                self.agents.set("trust", 1.0)
                super().step()

        model = Nudged(stub())
        model.step()
        assert model.tick == 1
        assert model.agents.get("trust") == [0.5] * 10

    def test_mesas_generators_follow_the_seed(self):
        """Mesa's own generators are seeded by the scenario, unless a seed is given."""
        assert Rehearsal(stub()).random.random() == random.Random(7).random()
        assert Rehearsal(stub(), rng=3).random.random() == random.Random(3).random()

    def test_agents_by_type(self, model):
        """All agents are of the one class of handles, the derived one where there is one."""

        class Guest(User):
            pass

        model = Rehearsal(stub(), user_class=Guest)
        assert model.agent_types == [Guest]
        assert type(model.agents_by_type[Guest][0]) is Guest

    def test_declare_adds_an_attribute(self, model):
        """A declared attribute is a column of everybody's; a taken name is refused."""
        model.declare("mood", 0.5)
        model.agents[3].mood += 0.25
        assert model.agents.get("mood")[2:5] == [0.5, 0.75, 0.5]
        for taken in ("mood", "friends"):
            with pytest.raises(ContractError, match=f"already have '{taken}'"):
                model.declare(taken)

    def test_unknown_people_are_not_found(self, model):
        """Asking for an id that nobody has says which there are."""
        with pytest.raises(NotFoundError, match="no user 10 in replica 0"):
            model.user(10)

    def test_data_collector(self, model):
        """Mesa's DataCollector reports on the model and on each person, tick by tick."""
        collector = mesa.DataCollector(
            model_reporters={"trust": lambda m: m.agents.agg("trust", np.mean)},
            agent_reporters={"trust": "trust", "twice": lambda user: 2 * user.trust},
        )
        for _ in range(2):
            model.step()
            collector.collect(model)
        society = collector.get_model_vars_dataframe()
        persons = collector.get_agent_vars_dataframe()
        assert society["trust"].tolist() == pytest.approx([0.25, 0.125])
        assert persons.loc[2]["trust"].tolist() == pytest.approx(model.people["trust"].tolist())
        assert persons.loc[(1, 9), "twice"] == 1.0

    def test_a_model_can_be_forgotten(self):
        """Nothing keeps a model alive that nobody refers to any more."""
        model = Rehearsal(stub())
        model.step()
        model.agents.do(lambda user: user.unique_id)
        gone = weakref.ref(model)
        del model
        gc.collect()
        assert gone() is None

    def test_no_handles_are_made_unless_asked_for(self, monkeypatch):
        """What names columns makes no handle at all, however many people there are."""
        model = Rehearsal(stub(n=100_000))

        def refuse(model, row):
            pytest.fail("a handle was made")

        monkeypatch.setattr(User, "at", refuse)
        some = model.agents.select(where=lambda people: people["trust"] < 0.5).sort("trust")
        some.set("visits", 1)
        some.groupby("group").agg("visits", np.sum)
        some.shuffle().select(at_most=10).get(["trust", "group"])
        model.step()
        assert model.agents.agg("visits", sum) == 50_000


class Plain(mesa.Agent):
    """What a Mesa user would write, for comparison."""

    def __init__(self, model, trust, group):
        super().__init__(model)
        self.trust, self.group, self.number = trust, group, self.unique_id - 1


def twins(n: int, seed: int) -> tuple[AgentSet, mesa.agent.AgentSet]:
    """Return the same people as a set of ours and as plain Mesa agents."""
    ours = Rehearsal(stub(n), rng=seed)
    draws = np.random.default_rng(seed)
    ours.people["trust"] = draws.integers(0, 4, n).astype(np.float32)
    theirs = mesa.Model(rng=seed)
    Plain.create_agents(theirs, n, ours.people["trust"].tolist(), ours.people["group"].tolist())
    return ours.agents, theirs.agents


def ids(agents) -> list[int]:
    """Return who is in a set of either kind, in order."""
    return [user.row if isinstance(user, User) else user.number for user in agents]


USES = {
    "select": lambda a: a.select(lambda user: user.trust > 1),
    "select at most": lambda a: a.select(lambda user: user.trust > 0, at_most=3),
    "select a share": lambda a: a.select(at_most=0.5),
    "select one": lambda a: a.select(at_most=1),
    "sort": lambda a: a.sort("trust"),
    "sort ascending": lambda a: a.sort("trust", ascending=True),
    "sort by a function": lambda a: a.sort(lambda user: -user.trust),
    "shuffle": lambda a: a.shuffle(),
    "shuffle and sort": lambda a: a.shuffle().sort("group"),
    "copy": copy.copy,
    "union": lambda a: a.select(at_most=2) | a.select(lambda user: user.trust > 2),
    "intersection": lambda a: a.select(lambda user: user.trust > 0) & a.select(at_most=0.5),
    "difference": lambda a: a - a.select(lambda user: user.trust > 1),
}


@pytest.mark.filterwarnings("ignore:No Agents specified")  # Mesa's own empty sets
@pytest.mark.parametrize("use", USES)
@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 30), seed=st.integers(0, 1000))
def test_sets_are_what_mesa_gives(use, n, seed):
    """Every method that gives a set gives the same people in the same order as Mesa's, in our type."""
    ours, theirs = twins(n, seed)
    found = USES[use](ours)
    assert isinstance(found, AgentSet)
    assert ids(found) == ids(list(USES[use](theirs)))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 30), seed=st.integers(0, 1000))
def test_values_are_what_mesa_gives(n, seed):
    """Groups, values and aggregates equal Mesa's, in the same order of keys."""
    ours, theirs = twins(n, seed)
    for agents in (ours, theirs):
        assert agents.agg("trust", [min, max, np.mean, statistics.median]) == [
            f([user.trust for user in agents]) for f in (min, max, np.mean, statistics.median)
        ]
    for by in ("trust", lambda user: user.trust > 1):
        mine, other = ours.groupby(by), theirs.groupby(by)
        assert list(mine.count().items()) == list(other.count().items())
        assert mine.agg("group", sum) == other.agg("group", sum)
        assert {k: ids(v) for k, v in mine} == {k: ids(v) for k, v in other}
        assert {k: ids(v) for k, v in ours.groupby(by, "list")} == {k: ids(v) for k, v in mine}
    assert ours.get(["trust", "group"]) == theirs.get(["trust", "group"])
    assert ours.map(lambda user: user.trust + 1) == theirs.map(lambda user: user.trust + 1)


class TestAgentSet:
    def test_where_takes_masks_and_functions_of_columns(self, model):
        """A mask over the population and a function that makes one select the same people."""
        shuffled = model.agents.shuffle()
        by_mask = shuffled.select(where=model.people["trust"] > 0.5)
        by_function = shuffled.select(where=lambda people: people["trust"] > 0.5)
        assert ids(by_mask) == ids(by_function) == [i for i in ids(shuffled) if i >= 5]

    @pytest.mark.parametrize("where", [np.ones(3, dtype=bool), np.arange(10)])
    def test_where_must_be_a_mask_of_everybody(self, model, where):
        """A mask of another length or type is refused with what was found."""
        with pytest.raises(ContractError, match="for 10 people"):
            model.agents.select(where=where)

    def test_inplace(self, model):
        """In-place forms change the set itself and give it back."""
        agents = model.agents
        assert agents.select(lambda user: user.row > 6, inplace=True) is agents
        assert agents.sort("trust", inplace=True) is agents
        assert ids(agents) == [9, 8, 7]

    def test_sets_can_be_changed(self, model):
        """Members are added last and once, left out, and missed when they are not there."""
        agents = model.agents.select(at_most=2)
        agents.add(model.user(7))
        agents.add(model.user(0))
        agents.discard(model.user(1))
        agents.discard(model.user(1))
        assert ids(agents) == [0, 7]
        with pytest.raises(KeyError):
            agents.remove(model.user(1))
        agents |= model.agents.select(at_most=2)
        agents -= [model.user(0)]
        assert ids(agents) == [7, 1]
        assert (agents.pop().row, ids(agents)) == (7, [1])
        agents.clear()
        assert not agents

    def test_membership_and_places(self, model):
        """People are in the set by person, and found by place as in a list."""
        agents = model.agents.sort("trust")
        assert model.user(3) in agents
        assert Rehearsal(stub()).user(3) not in agents
        assert "somebody" not in agents
        assert agents[0] == model.user(9)
        assert agents[-1] == model.user(0)
        assert agents[1:3] == [model.user(8), model.user(7)]
        assert agents.to_list()[1:3] == agents[1:3]

    def test_a_set_of_handles(self, model):
        """A set is made of handles, each person once, as Mesa's is."""
        assert ids(AgentSet([model.user(3), model.user(1), model.user(3)])) == [3, 1]
        with pytest.raises(ContractError, match="nobody"):
            AgentSet([])
        assert not AgentSet([], model=model)

    def test_do_calls_each_in_order(self, model):
        """A function or a named method is called for each, with its arguments, and the set comes back."""
        seen = []
        agents = model.agents.sort("trust")
        assert agents.do(lambda user, more: seen.append(user.row + more), 100) is agents
        assert seen == [109, 108, 107, 106, 105, 104, 103, 102, 101, 100]
        agents.do("remove")
        assert not len(model.agents)

    def test_do_skips_those_who_left_meanwhile(self, model):
        """Whoever is removed while the others act does not act any more."""
        acted = []

        def oust_next(user):
            acted.append(user.row)
            model.user((user.row + 1) % 10).remove()

        model.agents.do(oust_next)
        assert acted == [0, 2, 4, 6, 8]

    def test_do_uses_the_batch_twin(self):
        """A method with a twin in the model is done for all living members at once, to the same effect."""

        class Guest(User):
            def cheer(self, by):
                self.trust += by

        class Quick(Rehearsal):
            calls = 0

            def batch_cheer(self, rows, by):
                self.calls += 1
                self.people["trust"][rows] += np.float32(by)

        slow, quick = Rehearsal(stub(), user_class=Guest), Quick(stub(), user_class=Guest)
        for model in (slow, quick):
            chosen = model.agents.select(where=lambda people: people["group"] == 1)
            chosen[0].remove()
            chosen.do("cheer", 0.5)
        assert quick.calls == 1
        assert slow.agents.get("trust") == quick.agents.get("trust")
        quick.agents.shuffle_do("cheer", 0.5)
        assert quick.calls == 1

    def test_shuffle_do_takes_mesas_order(self):
        """Calls come in the order that Mesa's generator gives, one after another."""
        ours, theirs = twins(12, 5)
        orders = []
        for agents in (ours, theirs):
            order: list = []
            agents.shuffle_do(order.append)
            orders.append(ids(order))
        assert orders[0] == orders[1] != sorted(orders[0])

    def test_get_says_what_is_missing(self, model):
        """A missing attribute is an error, unless a default is asked for."""
        with pytest.raises(AttributeError, match="mood"):
            model.agents.get("mood")
        assert model.agents.get("mood", "default", 0) == [0] * 10
        with pytest.raises(ContractError, match="'ignore'"):
            model.agents.get("mood", "ignore")
        assert model.agents.get("unique_id") == list(range(10))

    def test_set_gives_one_value_or_each_their_own(self, model):
        """One value goes to all members; an array goes to them in the order of the set."""
        some = model.agents.select(where=lambda people: people["user"] < 3).shuffle()
        some.set("visits", 5)
        some.set("trust", np.array([0.0, 0.25, 0.5]))
        assert model.agents.get("visits") == [5] * 3 + [0] * 7
        assert some.get("trust") == [0.0, 0.25, 0.5]
        with pytest.raises(ContractError, match="no 'mood'"):
            some.set("mood", 1.0)

    def test_sums_are_in_double_precision(self):
        """Aggregating single-precision columns loses nothing that a list of floats would keep."""
        model = Rehearsal(stub(n=1000))
        model.people["trust"][:] = 0.1
        assert model.agents.agg("trust", np.sum) == pytest.approx(100.00000149, abs=1e-8)


def played(scenario: dict, tick: int) -> Rehearsal:
    """Return the societies of a scenario after some ticks, with the sessions of the next one opened."""
    model = Rehearsal(assemble(Scenario.model_validate(scenario)).simulation)
    for _ in range(tick):
        model.step()
    model.simulation.users.open(tick)
    return model


def at_the_table(model: Rehearsal, turn: int) -> Turn:
    """Return a turn with everybody."""
    people = model.people
    rows = np.arange(people.length)
    return Turn(rows, people["replica"], people["user"], model.tick, turn, model.simulation.chance)


SMALL = {
    "name": "small",
    "world": {
        "name": "recommend-v1",
        "settings": {"items": {"count": 4}, "attributes": {"appeal": {"normal": {"sd": 1.0}}}},
    },
    "people": {
        "count": 40,
        "tastes": {"appeal": 1.0},
        "society": {"graph": {"kind": "watts_strogatz", "degree": 4}},
    },
    "policy": {"name": "random-v1"},
    "time": {"ticks": 3},
    "replicas": 2,
    "assumptions": ["People are alike."],
    "limitations": ["Nothing is learned from it."],
}


class TestSociety:
    """The façade over real people, a real world and the real kernel."""

    @pytest.fixture
    def society(self):
        """Return two societies of forty people at their first tick."""
        return Rehearsal(assemble(Scenario.model_validate(SMALL)).simulation)

    def test_a_run_by_steps_is_the_run_of_the_engine(self, society):
        """Stepping the model, and looking at it in between, leaves the people that the kernel alone does."""
        alone = assemble(Scenario.model_validate(SMALL)).simulation
        for _ in range(3):
            alone.advance()
            society.step()
            society.agents.shuffle().map(lambda user: (user.goals, user.memory, user.friends))
        assert not society.running
        for name, column in alone.users.columns.items():
            np.testing.assert_array_equal(society.people[name], column, err_msg=name)

    @pytest.mark.parametrize("choice", ["logit", "cascade"])
    @pytest.mark.parametrize("reservation", ["fixed", "logsum"])
    def test_handles_do_what_the_crowd_does(self, choice, reservation):
        """Two turns through handles, one by one, leave the same people to the bit as those of the crowd."""
        behaviour = {"choice": choice, "reservation": reservation, "boredom": 0.1, "taste_change": 0.05}
        scenario = SMALL | {"people": SMALL["people"] | {"behaviour": behaviour}}
        crowd, handles = played(scenario, tick=2), played(scenario, tick=2)
        draws = np.random.default_rng(4)
        n = crowd.people.length
        for turn in range(2):
            slate = draws.permuted(np.tile(np.arange(4, dtype=np.int32), (n, 1)), axis=1)[:, :3]
            fault = np.where(draws.random(n) < 0.1, Fault.RAISED, Fault.NONE)
            slate[fault != Fault.NONE] = NOTHING
            latency = draws.uniform(0, 4000, n).astype(np.float32)
            decisions = Decisions.of(slate, latency=latency, fault=fault)
            table, users = at_the_table(crowd, turn), crowd.simulation.users
            offer = crowd.world.offer(table, crowd.people)
            responses = users.respond(table, offer, decisions)
            outcomes = crowd.world.settle(table, crowd.people, offer, decisions, responses)
            users.remember(table, decisions, responses, outcomes)
            for user in handles.agents:
                i = user.row
                proposal = user.proposal(
                    slate[i].tolist(), turn=turn, latency=float(latency[i]), failed=bool(fault[i])
                )
                answer = user.respond(proposal, turn=turn)
                felt = float(outcomes.experience[i])
                user.remember(proposal, answer, None if np.isnan(felt) else felt)
                assert (answer.choice, answer.position) == (responses.choice[i], responses.position[i])
                assert answer.end == responses.end[i]
        assert 0 < np.count_nonzero(responses.choice >= 0) < n
        for name, column in crowd.people.items():
            np.testing.assert_array_equal(handles.people[name], column, err_msg=name)

    def test_people_live_as_they_are_told(self, society):
        """After a tick with sessions some people remember items of the world, the latest of them fresh."""
        society.step()
        remembering = society.agents.select(lambda user: bool(user.memory))
        assert len(remembering) > 10
        assert {event.item for user in remembering for event in user.memory} <= set(society.world.items)
        assert {goal.name for user in society.agents for goal in user.goals} == {"use"}

    def test_friends_are_of_the_same_society(self, society):
        """Ties join people of one society, and run both ways."""
        for user in society.agents:
            assert {friend.replica for friend in user.friends} == {user.replica}
            assert all(user in friend.friends for friend in user.friends)
