"""Programs as Mesa users write them: on plain agents and on people of ours they give the same."""

from __future__ import annotations

import copy
import pickle
import warnings
from random import Random

import mesa
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rehearse
from rehearse.agents.agentset import AgentSet
from rehearse.agents.luck import Luck
from rehearse.agents.model import Rehearsal
from rehearse.agents.order import shuffle
from rehearse.agents.user import User
from rehearse.chance import Chance
from rehearse.errors import ContractError
from rehearse.experiments.models import ScenarioModel

N = 20


class PlainPerson(mesa.Agent):
    """A person as Mesa has them."""

    def __init__(self, model, wealth=1, name=""):
        super().__init__(model)
        self.wealth, self.mood, self.name = wealth, 0.5, name

    def step(self):
        if self.wealth > 0:
            other = self.random.choice(self.model.agents)
            other.wealth += 1
            self.wealth -= 1
            self.mood = (self.mood + other.mood * self.random.random()) / 2.0


class Person(User):
    """The same person on columns."""

    wealth: int = 1
    mood: float = 0.5
    name: str = ""

    def __init__(self, model, wealth=1, name=""):
        super().__init__(model)
        self.wealth, self.name = wealth, name

    step = PlainPerson.step


class Dog(User):
    """Somebody else in the same society."""

    wealth: int = 7
    barks: bool = True


def both(n: int = N, seed: int = 3):
    """Return the same society on columns and on plain Mesa objects."""
    names = [f"n{i % 3}" for i in range(n)]
    models = Rehearsal(rng=seed), mesa.Model(rng=seed)
    for model, kind in zip(models, (Person, PlainPerson), strict=True):
        kind.create_agents(model, n, [i % 4 for i in range(n)], name=names)
    return models


def state(model):
    """Return everybody's attributes, in order."""
    return [(a.wealth, a.mood, a.name) for a in model.agents]


@pytest.fixture
def model() -> Rehearsal:
    """Return twenty people without a scenario."""
    return both()[0]


USES = {
    "do": lambda a: a.do("step"),
    "shuffle_do": lambda a: a.shuffle_do("step"),
    "do a function": lambda a: a.do(lambda user, more: setattr(user, "wealth", user.wealth + more), 2),
    "set": lambda a: a.set("wealth", 5),
    "select nobody": lambda a: a.select(lambda user: False).do("step"),
    "negative": lambda a: a.select(at_most=-2).do("step"),
    "negative share": lambda a: a.select(at_most=-0.5).do("step"),
    "two and a half": lambda a: a.select(at_most=2.5).do("step"),
    "none at most": lambda a: a.select(lambda user: True, at_most=0).do("step"),
    "all of it": lambda a: a.select(at_most=1.0).do("step"),
    "sorted": lambda a: a.sort("wealth").sort("name", ascending=True).do("step"),
    "shuffled": lambda a: a.shuffle().do("step"),
    "in groups": lambda a: a.groupby("name").do("do", "step"),
    "groups of a function": lambda a: a.groupby(lambda user: user.wealth % 2).do(
        lambda group: group.shuffle_do("step")
    ),
    "of a type": lambda a: a.select(agent_type=mesa.Agent, at_most=3).do("step"),
    "removed": lambda a: a.select(lambda user: user.wealth == 0).do("remove"),
}


@pytest.mark.filterwarnings("ignore:No Agents specified")  # Mesa's own empty sets
@pytest.mark.parametrize("use", USES)
def test_a_program_does_what_it_does_in_mesa(use):
    """Three rounds of the same program leave the same people with the same values and the same luck."""
    ours, theirs = both()
    for _ in range(3):
        for model in (ours, theirs):
            USES[use](model.agents)
    assert state(ours) == state(theirs)
    assert ours.random.random() == theirs.random.random()


VALUES = {
    "agg": lambda a: a.agg("wealth", sum),
    "agg of several": lambda a: a.agg("wealth", [min, max, len]),
    "get": lambda a: a.get("wealth"),
    "get several": lambda a: a.get(["wealth", "name"]),
    "get none of several": lambda a: a.get([]),
    "get a default": lambda a: a.get("tail", "default", 3),
    "get some defaults": lambda a: a.get(["tail", "wealth"], "default"),
    "map": lambda a: a.map(lambda user: user.wealth),
    "count": lambda a: a.groupby("name").count(),
    "agg of groups": lambda a: a.groupby("name").agg("wealth", sum),
    "map of groups": lambda a: a.groupby("wealth").map(lambda group: [user.name for user in group]),
    "lists of groups": lambda a: {
        key: [user.wealth for user in group] for key, group in a.groupby("name", result_type="list")
    },
    "len": len,
    "truth": bool,
    "slice": lambda a: [user.wealth for user in a[2:5]],
    "places": lambda a: [a[0].name, a[-1].name],
    "own people": lambda a: [user in a for user in a.select(at_most=2)],
    "iteration": lambda a: [user.wealth for user in a],
}


@pytest.mark.parametrize("use", VALUES)
def test_a_value_is_what_it_is_in_mesa(use):
    """Reading from the whole set gives what Mesa gives."""
    ours, theirs = both()
    assert VALUES[use](ours.agents) == VALUES[use](theirs.agents)


MISTAKES = {
    "a missing attribute": (AttributeError, lambda a: a.get("tail")),
    "a missing method": (AttributeError, lambda a: a.do("bark")),
    "a missing way": (ValueError, lambda a: a.get("wealth", handle_missing="ignore")),
    "a place that is not": (IndexError, lambda a: a[N]),
    "somebody else": (KeyError, lambda a: a.select(at_most=1).remove(a[3])),
    "a missing key": (AttributeError, lambda a: a.sort("tail")),
    "a missing group": (AttributeError, lambda a: a.groupby("tail")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_the_error_that_it_is_in_mesa(mistake):
    """What Mesa raises for a mistake is raised here too, in that type or one derived from it."""
    error, make = MISTAKES[mistake]
    for model in both():
        with pytest.raises(error):
            make(model.agents)


@pytest.mark.filterwarnings("error")
def test_sets_of_nobody():
    """A set of nobody does, gives and groups nothing, without a warning."""
    nobody = both()[0].agents.select(at_most=0)
    assert (len(nobody), bool(nobody), nobody.get("wealth"), nobody.agg("wealth", sum)) == (0, False, [], 0)
    assert nobody.do("no such method") is nobody.shuffle_do("step")
    assert isinstance(nobody.shuffle().sort("mood"), AgentSet)
    assert nobody.groupby("name").count() == {}
    assert nobody.map("step") == []
    assert not Rehearsal(rng=1).agents


def test_joining_is_as_in_mesa(model):
    """People join by being made: one by one, many at once, each with their own or the same values."""
    late = Person(model, wealth=9)
    assert (late.row, late.unique_id, late.wealth, late.mood, late.name) == (N, N, 9, 0.5, "")
    three = Person.create_agents(model, 3, wealth=np.array([1, 2, 3]), name="ab")
    assert isinstance(three, AgentSet)
    assert three.get(["wealth", "name"]) == [[1, "ab"], [2, "ab"], [3, "ab"]]
    assert len(Person.create_agents(model, 0)) == 0
    assert len(model.agents) == model.people.length == N + 4
    with pytest.raises(ContractError, match="-1 people"):
        Person.create_agents(model, -1)


def test_a_class_without_init_takes_its_attributes_by_name(model):
    """Where a class has no way of its own to be made, what it declares is given by name."""
    assert (Dog(model, wealth=3).wealth, Dog(model).wealth) == (3, 7)
    with pytest.raises(ContractError, match="no 'tail'"):
        Dog(model, tail=1)


def test_several_classes_live_together(model):
    """Each is of their own class, and is found by it; an attribute of the one is a column of all."""
    Dog.create_agents(model, 2)
    assert model.agent_types == [Person, Dog]
    assert [len(people) for people in model.agents_by_type.values()] == [N, 2]
    assert type(model.agents[-1]) is Dog
    assert model.agents.select(agent_type=Dog).get("wealth") == [7, 7]
    assert len(model.agents.select(agent_type=User)) == N + 2

    class Cat(User):
        wealth: float = 0.5

    with pytest.raises(ContractError, match=r"Cat\.wealth is float64, and int64"):
        Cat(model)


def test_a_person_is_one_object(model):
    """A person asked for twice is the same handle, as an agent of Mesa is; so is a copy."""
    first = model.agents[0]
    assert first is model.agents[0] is model.user(0) is copy.copy(first)
    assert next(iter(model.agents)) is first


def test_pickled_and_deeply_copied_people_live_in_a_model_of_their_own(model):
    """A model survives pickling with its people; a copy of a person belongs to a copy of the model."""
    twin = copy.deepcopy(model.agents[3])
    again = pickle.loads(pickle.dumps(model.people))  # noqa: S301 -- our own
    twin.wealth = 40
    assert twin.model.people["wealth"][3] == 40
    assert model.agents[3].wealth == 3
    assert again["wealth"].tolist() == model.people["wealth"].tolist()


def test_each_has_a_list_of_their_own(model):
    """A default that can change is not shared."""

    class Keeper(User):
        kept: list = []  # noqa: RUF012

    one, two = Keeper.create_agents(model, 2)
    one.kept.append(3)
    assert (one.kept, two.kept) == ([3], [])


def test_values_must_fit(model):
    """A value that a column cannot hold is refused, and leaves it as it was."""
    user = model.agents[1]
    for name, value in {"wealth": 0.5, "mood": "high", "alive": 3}.items():
        with pytest.raises(ContractError, match=f"'{name}' holds"):
            setattr(user, name, value)
    model.declare("tiny", 1, np.int8)
    with pytest.raises(ContractError, match="'tiny' holds values of type int8, got 300"):
        user.tiny = 300
    user.wealth, user.mood, user.alive = True, 2, False
    assert (user.wealth, user.mood, user.alive) == (1, 2.0, False)


def test_a_property_of_the_class_comes_before_a_column(model):
    """What a class defines under the name of a column is used, for reading and for writing."""

    class Modest(User):
        coins: int = 0

        @property
        def wealth(self):
            return self.coins // 10

        @wealth.setter
        def wealth(self, value):
            self.coins = 10 * value

    one = Modest(model)
    one.wealth = 4
    assert (one.coins, one.wealth, model.people["wealth"][one.row]) == (40, 4, 1)
    assert model.agents.get("wealth")[-1] == 4


def test_columns_that_are_replaced_are_seen(model):
    """A handle reads the column that the people have now, also one that was put there whole."""
    user = model.agents[2]
    model.people["wealth"] = np.arange(N) * 3
    assert user.wealth == 6
    model.people["luck"] = np.ones(N)
    user.luck += 1
    assert model.people["luck"][2] == 2.0


def test_friends_of_a_graph(model):
    """The people of a networkx graph know one another: friends are listed, neighbours are a set."""
    model.tie(nx.path_graph(N))
    user = model.agents[1]
    assert user.friends == [model.agents[0], model.agents[2]]
    assert user.neighbours.agg("wealth", sum) == 2
    assert model.agents[0] in user.neighbours
    assert Person(model).friends == []
    with pytest.raises(ContractError, match="50 nodes for 21 people"):
        model.tie(nx.path_graph(50))


@pytest.mark.filterwarnings("error")
def test_data_is_collected_as_in_mesa():
    """Model, agent and agent-type reporters tell the same as for plain agents, without a warning."""
    frames = []
    for model, kind in zip(both(), (Person, PlainPerson), strict=True):
        with warnings.catch_warnings():
            collector = mesa.DataCollector(
                model_reporters={"coins": lambda m: m.agents.agg("wealth", sum)},
                agent_reporters={"wealth": "wealth", "poor": lambda a: a.wealth == 0},
                agenttype_reporters={kind: {"mood": "mood"}},
            )
        for _ in range(2):
            model.agents.shuffle_do("step")
            collector.collect(model)
        frames.append(
            (
                collector.get_model_vars_dataframe().to_numpy().tolist(),
                collector.get_agent_vars_dataframe().to_numpy().tolist(),
                collector.get_agenttype_vars_dataframe(kind).to_numpy().tolist(),
            )
        )
    assert frames[0] == frames[1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 10_000))
def test_shuffling_is_pythons(n, seed):
    """Every length is shuffled as `random.shuffle` does, and leaves the generator where that would."""
    quick, plain = Random(seed), Random(seed)
    mine, other = list(range(n)), list(range(n))
    shuffle(mine, quick)
    plain.shuffle(other)
    assert mine == other
    assert quick.getstate() == plain.getstate()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 60_000), st.integers(0, 2**63 - 1), st.integers(0, 100_000))
def test_luck_is_addressed(user, replica, seed, tick):
    """One person's luck is the same numbers that `Chance` draws for everybody at once."""
    luck = Luck(seed, "give", replica, user, tick)
    drawn = Chance(seed).uniform("give", [replica], [user], tick=tick, count=6)[0]
    assert [luck.random() for _ in range(6)] == drawn.tolist()


def test_luck_has_the_methods_of_random(model):
    """It chooses, shuffles and draws bits as a generator of Python does, and never depends on the rest."""
    user = model.agents[4]
    first = user.chance("walk").choice(model.agents), user.chance("walk").sample(range(100), 5)
    model.agents.shuffle_do("step")
    again = user.chance("walk").choice(model.agents), user.chance("walk").sample(range(100), 5)
    assert first == again
    bits = [user.chance(f"{i}").getrandbits(70) for i in range(50)]
    assert max(bits).bit_length() in {69, 70}
    assert user.chance("none").getrandbits(0) == 0
    with pytest.raises(ValueError, match="non-negative"):
        user.chance("none").getrandbits(-1)


class Moody(User):
    """A person of a scenario, with a mood besides."""

    mood: float = 0.0

    def step(self):
        heard = [friend.mood for friend in self.friends]
        self.mood = 0.5 * self.satisfaction + 0.5 * (sum(heard) / len(heard) if heard else self.mood)


class MoodyTravel(ScenarioModel):
    """The scenario, and after each tick people infect one another with their mood."""

    def step(self):
        super().step()
        self.agents.do("step")


def test_python_behaviour_mixes_with_that_of_a_scenario():
    """Attributes and a step of one's own go along with the built-in life, which goes on as without them."""
    small = {"name": "travel", "users": 40, "ticks": 4, "replicas": 2}
    plain, moody = ScenarioModel(**small), MoodyTravel(**small, user_class=Moody, attributes="mood")
    plain.run_model()
    moody.run_model()
    for name, column in plain.people.items():
        np.testing.assert_array_equal(moody.people[name], column, err_msg=name)
    assert moody.people["mood"].std() > 0.0
    assert "people/mood" in moody.simulation.state()
    moods = moody.datacollector.get_agent_vars_dataframe()["mood"]
    assert moods.loc[1].tolist() == [0.0] * len(moods.loc[1])
    one = moody.agents[3]
    assert min(one.neighbours.get("mood")) <= one.neighbours.agg("mood", np.mean)
    made = rehearse.model("travel", users=20, replicas=1, user_class=Moody)
    assert (type(made.agents[0]), made.agents[0].mood) == (Moody, 0.0)


def test_columns_that_a_tick_gathers_anew_are_seen():
    """Where a tick puts another table in the place of the old one, as shards do, handles read the new one."""
    model = ScenarioModel(name="travel", users=20, ticks=2, replicas=1)
    user, users = model.agents[3], model.simulation.users
    advance = users.live

    def live(tick):
        advance(tick)
        whole = users.columns.take(np.arange(20))
        whole["trust"][3] = 0.125
        users.columns = whole

    users.live = live
    model.step()
    assert user.trust == 0.125
