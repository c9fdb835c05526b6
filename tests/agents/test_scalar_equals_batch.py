"""One person by the equations and thousands by columns: the same bits, whatever the scenario."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rehearse import exact
from rehearse.agents import choice, memory, patience, plain, scalar
from rehearse.agents.crowd import Crowd
from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Decisions, Fault, Offer, Outcomes, Turn
from rehearse.scenario.people import Behaviour, Drains, GoalSpec, MemorySpec, People

N, M, D, K = 24, 6, 5, 3
share = st.floats(0.0, 1.0)
few = st.floats(0.0, 3.0)
signed = st.floats(-3.0, 3.0)
number = st.floats(-50.0, 50.0, allow_subnormal=False)

drains = st.builds(
    Drains, turn=few, repeat=few, contradiction=few, bad_offer=few, error=few, wait_per_second=share
)
behaviours = st.builds(
    Behaviour,
    choice=st.sampled_from(["logit", "cascade", "always"]),
    repeats=st.booleans(),
    outside=signed,
    reservation=st.sampled_from(["fixed", "logsum"]),
    relax=share,
    position_bias=share,
    attention=share,
    bad_margin=few,
    satisfaction_rate=share,
    drains=drains,
    quits=st.booleans(),
    content=share,
    boredom=share,
    taste_change=signed,
)
memories = st.builds(
    MemorySpec, on=st.booleans(), size=st.integers(1, 7), weight=few, trust_rate=share, trust_weight=signed
)
goals = st.builds(
    GoalSpec,
    name=st.just("use"),
    need=st.floats(0.5, 4.0),
    bearable=st.none() | signed,
    deadline=st.integers(1, 6),
    revision=few,
    learning=signed,
    at_start=st.just(1.0),
)


def two(first, second):
    """Return two goals with names of their own."""
    return (first, second.model_copy(update={"name": "other"}))


scenarios = st.builds(
    People,
    count=st.just(N),
    behaviour=behaviours,
    memory=memories,
    goals=st.builds(two, goals, goals),
)


def crowd_of(people, seed):
    """Return people in the middle of their lives, every state drawn at random."""
    chance, users = Chance(seed), np.arange(N)

    def drawn(name, low=0.0, high=1.0, count=1):
        u = chance.uniform(f"test/{name}", 0, users, count=count)
        values = (low + (high - low) * u).astype(np.float32)
        return values[:, 0] if count == 1 else values

    columns = {"user": users, "replica": np.zeros(N, np.int32), "group": np.zeros(N, np.int8)}
    columns |= {name: drawn(name) for name in ("trust", "opinion", "satisfaction", "habit")}
    columns |= {"noise": drawn("noise", 0.001, 2.0), "patience": drawn("most", 1.0, 6.0)}
    columns |= {"reservation": drawn("reservation", -1.0, 1.0), "taste": drawn("taste", -1.5, 1.5, D)}
    crowd = Crowd(people, Columns(columns), chance=chance, items=tuple("abcdef"))
    state, size = crowd.columns, people.memory.size
    state["patience"] = drawn("left", 0.0, 1.0) * state["patience_max"]
    state["memory_item"] = drawn("item", -1.0, M - 0.01, max(size, 2))[:, :size].astype(np.int32)
    state["memory_value"] = drawn("value", 0.0, 1.0, max(size, 2))[:, :size]
    state["memory_weight"] = drawn("weight", 0.0, 1.0, max(size, 2))[:, :size] * (state["memory_item"] >= 0)
    state["memory_next"] = drawn("next", 0.0, size - 0.01).astype(np.int8)
    state["shown"][:, :2] = drawn("shown", -1.0, M - 0.01, 2).astype(np.int32)
    if not people.behaviour.repeats:
        state["had"][:] = (drawn("had", 0.0, 2.0**M, 2)[:, :1]).astype(np.uint8)
    state["refusals"][:] = drawn("refusals", 0.0, 4.0).astype(np.int16)
    state["goal_got"][:, 0] = drawn("got", 0.0, 2.0)
    return crowd


def situation(seed, *, personal, limited):
    """Return what a turn brings: attributes, availability, slates, faults, latencies, experiences."""
    chance, users = Chance(seed), np.arange(N)
    attributes = chance.normal("test/attributes", 0, np.arange(N * M), count=D).reshape(N, M, D)
    available = chance.uniform("test/available", 0, users, count=M) < 0.7 if limited else None
    slate = (chance.uniform("test/slate", 0, users, count=K) * (M + 1)).astype(np.int32) - 1
    failed = chance.uniform("test/failed", 0, users)[:, 0] < 0.2
    slate[failed] = -1
    fault = np.where(failed, Fault.RAISED, Fault.NONE)
    latency = chance.uniform("test/latency", 0, users)[:, 0] * 5000.0
    experience = chance.uniform("test/experience", 0, users)[:, 0].astype(np.float32)
    beside = chance.normal("test/beside", 0, users, count=M) if personal else None
    seen = np.zeros((N, 0), np.float32)
    offer = Offer(attributes if personal else attributes[0], seen, available, beside)
    return offer, Decisions.of(slate, fault=fault, latency=latency), experience


def proposal_to(row, offer, decisions, tick):
    """Return what reaches one person."""
    own = offer.attributes if offer.attributes.ndim == 2 else offer.attributes[row]
    return scalar.Proposal(
        slate=decisions.slate[row].tolist(),
        attributes=own.tolist(),
        available=None if offer.available is None else offer.available[row].tolist(),
        beside=None if offer.beside is None else offer.beside[row].tolist(),
        latency=float(decisions.latency[row]),
        failed=bool(decisions.fault[row]),
        tick=tick,
    )


@given(scenarios, st.integers(0, 2**32), st.booleans(), st.booleans(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_whole_turn_is_the_same_for_one_and_for_many(people, seed, personal, limited, tick):
    """Choice, end, and every state after responding and remembering have the same bits."""
    crowd = crowd_of(people, seed)
    persons = [scalar.Person.of(crowd.columns, row) for row in range(N)]
    offer, decisions, experience = situation(seed, personal=personal, limited=limited)
    turn = Turn(np.arange(N), crowd.columns["replica"], crowd.columns["user"], tick, 1, Chance(seed))
    places = K if people.behaviour.choice == "cascade" else 1
    draws = turn.uniform("respond", 2 + places).tolist()

    responses = crowd.respond(turn, offer, decisions)
    lived = np.where(responses.choice >= 0, experience, np.nan).astype(np.float32)
    nothing = np.zeros(N, np.float32)
    outcomes = Outcomes(nothing, lived, responses.choice, nothing, np.zeros(N, np.int8))
    crowd.remember(turn, decisions, responses, outcomes)

    for row, person in enumerate(persons):
        proposal = proposal_to(row, offer, decisions, tick)
        answer = scalar.respond(person, proposal, people, draws[row])
        scalar.remember(person, proposal, answer, float(experience[row]), people)
        assert answer.choice == responses.choice[row]
        assert answer.position == responses.position[row]
        assert answer.end == responses.end[row]
        assert answer.utility == responses.utility[row] or np.isnan(responses.utility[row])
        assert dataclasses.asdict(person) == dataclasses.asdict(scalar.Person.of(crowd.columns, row))


@given(scenarios, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_a_person_written_back_is_the_person_read(people, seed):
    """Saving a person into another row makes that row the same person, as far as a turn goes."""
    columns = crowd_of(people, seed).columns
    person = scalar.Person.of(columns, 3)
    person.save(columns, 3)
    again = scalar.Person.of(columns, 3)
    assert again == person
    person.satisfaction, person.shown = 0.25, [5] * len(person.shown)
    person.save(columns, 3)
    assert scalar.Person.of(columns, 3) == person


rows = hnp.arrays(np.float64, (5, 4), elements=number)
vector = hnp.arrays(np.float64, 5, elements=st.just(0.0) | st.floats(0.01, 6.0))
unit = hnp.arrays(np.float64, 5, elements=st.floats(0.0, 0.9999))


@given(rows, st.floats(0.0, 4.0), number, unit)
def test_choice_is_the_same_for_one_and_for_many(utilities, noise, outside, uniform):
    """The logit and the cascade take the same place for the same draws."""
    together = choice.logit_choice(utilities, outside, noise, uniform)
    alone = [scalar.logit_choice(u, outside, noise, d) for u, d in zip(utilities, uniform, strict=True)]
    assert together.tolist() == alone
    draws = np.repeat(uniform[:, None], 4, axis=1) * np.array([1.0, 0.7, 0.9, 0.5])
    together = choice.cascade_choice(choice.take_chances(utilities, outside, noise), 0.8, draws)
    alone = [scalar.cascade_choice(u, outside, noise, 0.8, d) for u, d in zip(utilities, draws, strict=True)]
    assert together.tolist() == alone


@given(
    vector,
    vector,
    hnp.arrays(np.bool_, (4, 5)),
    drains,
    hnp.arrays(np.float32, 5, elements=st.floats(0, 9000, width=32)),
)
def test_patience_is_the_same_for_one_and_for_many(left, most, happened, cost, latency):
    """Drains, setbacks, the chance to quit and recovery have the same bits."""
    together = patience.Setbacks(*happened)
    after = patience.drained(left, together, latency, cost)
    chances = patience.quit_chance(left, most)
    for i in range(5):
        alone = scalar.Setbacks(*happened[:, i].tolist())
        assert scalar.drained(left[i], alone, float(latency[i]), cost) == after[i]
        assert scalar.felt(alone, cost) == together.felt(cost)[i]
        assert scalar.quit_chance(left[i], most[i]) == chances[i]
        assert scalar.moved(left[i], most[i], 0.3) == patience.recovered(left, most, 0.3)[i]


@given(rows)
def test_satisfaction_is_the_same_for_one_and_for_many(surplus):
    """The impression of a turn has the same bits."""
    taken, failed = np.array([1, 1, 0, 0, 1], dtype=bool), np.array([0, 0, 0, 1, 0], dtype=bool)
    together = patience.impression(surplus[:, 0], taken, failed)
    for i in range(5):
        alone = scalar.impression(surplus[i, 0], taken=bool(taken[i]), failed=bool(failed[i]))
        assert alone == together[i]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1, width=32)), max_size=9), st.integers(1, 5), share
)
@settings(deadline=None)
def test_memory_is_the_same_for_one_and_for_many(events, size, decay):
    """Pushing, fading and recalling have the same bits."""
    columns, one = Columns(length=1), np.array([0])
    memory.add_columns(columns, size)
    person = scalar.Person.of(crowd_of(People(count=N, memory=MemorySpec(size=size)), 1).columns, 0)
    person.memory, person.memory_next = [scalar.Memory()] * size, 0
    for item, value in events:
        memory.push(columns, one, np.array([item], dtype=np.int32), np.array([value]))
        memory.fade(columns, slice(0, 1), decay)
        scalar.push(person, item, value)
        person.memory = scalar.faded(person.memory, decay)
    assert [m.weight for m in person.memory] == columns["memory_weight"][0].tolist()
    assert [m.item for m in person.memory] == columns["memory_item"][0].tolist()
    items = np.arange(4, dtype=np.int32)
    for item in items:
        known = memory.recall(columns, one, np.array([[item]], dtype=np.int32), weight=1.7, boredom=0.3)
        assert scalar.recalled(person.memory, int(item), 1.7, 0.3) == known.effect[0, 0]
        recalls = any(m.item == item for m in person.memory)
        assert (recalls and scalar.bitter(person.memory, int(item))) == known.bitter[0]


@given(st.lists(number, max_size=20))
def test_the_scalar_sum_is_the_exact_sum(numbers):
    """Adding halves onto halves in a list gives the bits of `exact.total`."""
    assert plain.total(numbers) == exact.total(np.array(numbers))
