"""The queue: exact against a naive simulation, nothing lost, nobody served twice, fed by a table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.chance import Chance
from rehearse.columns import Columns, stacked
from rehearse.compiled import available, expect
from rehearse.environments.triage import build
from rehearse.environments.triage.arrivals import Arrivals, arrival_times
from rehearse.environments.triage.events import BLOCKED, GONE, SERVED, WAITING, Cases, Workers, run_queue
from rehearse.errors import DataError, ScenarioError, UserError
from rehearse.experiments.build import Props, assemble
from rehearse.scenario.model import Scenario
from rehearse.testing import check_world

WAITS, DONE, LEFT, HARMED, HOME, TURNED_AWAY = range(1, 7)
GRID = st.integers(0, 40).map(lambda n: n / 4.0)
CASE = st.tuples(GRID, st.integers(0, 2), GRID.map(lambda s: s + 0.25), GRID.map(lambda s: 2.0 * s + 0.25))


def scenario(world=None, traits=None, *, cases=60, ticks=6, societies=2, policy="random-v1", **people):
    """Return a small queue with everything that can happen to a case."""
    usual = {
        "classes": ["urgent", "soon", "late"],
        "home": "home",
        "workers": 2,
        "room": 8,
        "span": 5.0,
        "arrivals": {"rate": 2.0, "branching": 0.4},
        "error": 0.5,
        "waiting": 1.0,
        "care_after": 3.0,
    }
    law = {
        "urgency": {"discrete": {"values": [0, 1, 2, 3]}},
        "service": {"exponential": {"mean": 1.0}},
        "leaves_after": {"exponential": {"mean": 4.0}},
        "harmed_after": {"exponential": {"mean": 9.0}},
    }
    return Scenario.model_validate(
        {
            "name": "queue",
            "world": {"name": "triage-v1", "settings": usual | (world or {})},
            "people": {"model": "cases-v1", "count": cases, "traits": law | (traits or {})} | people,
            "policy": policy if isinstance(policy, dict) else {"name": policy},
            "time": {"ticks": ticks, "max_turns": 1},
            "replicas": societies,
            "seed": 5,
            "assumptions": ["None."],
            "limitations": ["All."],
        }
    )


def lived(given, data=None):
    """Return all turns of a scenario, and its cases at the end."""
    assembly = assemble(given, Props(data=data))
    pages = []
    recorder = assembly.new_recorder()
    recorder.keep = lambda _tick, turns, _society: pages.append(turns)
    assembly.simulation.watchers.append(recorder)
    for _ in range(given.time.ticks):
        assembly.simulation.advance()
    return stacked([page for page in pages if page.length]), assembly.simulation.users


def naively(cases, workers, room):
    """Return state, start and worker of each case, moment by moment: slow, and meant to be read."""
    n = len(cases)
    free = [(0.0, number) for number in range(workers)]
    busy, line = [], []
    state, start, server = [WAITING] * n, [np.nan] * n, [-1] * n

    def serve(case, now):
        worker = min(free)
        free.remove(worker)
        state[case], start[case], server[case] = SERVED, now, worker[1]
        busy.append((now + cases[case][2], worker[1]))

    moments = {case[0] for case in cases}
    while moments:
        now = min(moments)
        moments.remove(now)
        for worker in [worker for worker in busy if worker[0] == now]:
            busy.remove(worker)
            free.append(worker)
        for case in [case for case in line if cases[case][0] + cases[case][3] <= now]:
            line.remove(case)
            state[case] = GONE
        while free and line:
            case = min(line, key=lambda i: (cases[i][1], cases[i][0], i))
            line.remove(case)
            serve(case, now)
        for case in sorted((i for i in range(n) if cases[i][0] == now), key=lambda i: (cases[i][1], i)):
            if free and not line:
                serve(case, now)
            elif len(line) >= room:
                state[case] = BLOCKED
            else:
                line.append(case)
        moments |= {end for end, _ in busy} | {cases[i][0] + cases[i][3] for i in line}
        moments -= {moment for moment in moments if moment <= now}
    return state, start, server


@settings(max_examples=200, deadline=None)
@given(st.lists(CASE, max_size=25), st.integers(1, 3), st.sampled_from([0, 1, 3, 99]), st.integers(1, 4))
def test_the_event_queue_is_what_a_naive_simulation_says(cases, workers, room, pieces):
    """States, moments and workers agree to the bit, run in one piece or cut at any moment."""
    cases = sorted(cases, key=lambda case: (case[0], case[1]))
    table = np.array(cases, dtype=np.float64).reshape(-1, 4)
    team = Workers(np.zeros(workers), np.arange(workers))
    state, start, server = np.zeros(len(cases)), np.full(len(cases), np.nan), np.full(len(cases), -1)
    begin = 0.0
    for until in [*np.linspace(0.0, 20.0, pieces + 1)[1:], np.inf]:
        rows = np.flatnonzero((table[:, 0] < until) & (state == WAITING))
        some = Cases(
            table[rows, 0],
            table[rows, 1].astype(np.int64),
            table[rows, 2],
            table[rows, 0] + table[rows, 3],
            held=int((table[rows, 0] < begin).sum()),
        )
        found = run_queue(some, team, until, classes=3, room=room)
        state[rows], start[rows], server[rows] = found.state, found.start, found.server
        begin = until
    expected = naively(cases, workers, room)
    assert state.tolist() == expected[0]
    assert np.array_equal(start, expected[1], equal_nan=True)
    assert server.tolist() == expected[2]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from([None, 0, 5]),
    st.sampled_from([0.0, 0.6]),
    st.sampled_from(["random-v1", "greedy-v1"]),
)
def test_a_queue_keeps_its_laws(workers, room, branching, policy):
    """Nobody is served before arrival or by two, no worker idles while someone waits, nobody is lost."""
    world = {"workers": workers, "room": room, "arrivals": {"rate": 2.0, "branching": branching}}
    turns, users = lived(scenario(world, policy=policy))
    people = users.columns
    served = turns.take(np.flatnonzero(turns["status"] == DONE))
    assert (served["wait"] >= 0.0).all()
    begin = served.numbers("arrival") + served.numbers("wait")
    assert (np.floor(begin / 5.0 + 1e-6) >= np.floor(served.numbers("arrival") / 5.0)).all()
    for replica in (0, 1):
        for worker in range(workers):
            mine = np.flatnonzero((served["server"] == worker) & (served["replica"] == replica))
            order = mine[np.argsort(begin[mine], kind="stable")]
            ends = begin[order] + served.numbers("service")[order]
            assert (ends[:-1] <= begin[order][1:] + 1e-4).all()
    came = np.flatnonzero(people["due"] < 6)
    assert people["status"][came].min(initial=WAITS) >= WAITS
    assert (people["sessions"][people["due"] >= 6] == 0).all()
    census = users.summary()
    assert sum(census.values()).tolist() == [60.0, 60.0]
    assert census["cases_to_come"].sum() == (people["due"] >= 6).sum()


def test_no_worker_idles_while_someone_waits():
    """Whoever waited was taken at the moment at which a worker became free."""
    turns, _ = lived(scenario({"home": None}, {"urgency": 0.0, "leaves_after": 1e6, "harmed_after": 1e6}))
    served = turns.take(np.flatnonzero(turns["status"] == DONE))
    begin = served.numbers("arrival") + served.numbers("wait")
    ends = begin + served.numbers("service")
    waited = np.flatnonzero(served["wait"] > 1e-4)
    assert waited.size > 20
    for i in waited:
        there = served["replica"] == served["replica"][i]
        assert np.abs(ends[there] - begin[i]).min() < 1e-4


def test_nobody_acts_after_it_is_over():
    """A case has turns in consecutive ticks from its arrival on, and the last one alone says how it ended."""
    turns, _ = lived(scenario({"room": 3}))
    order = np.lexsort((turns["tick"], turns["user"], turns["replica"]))
    told = turns.take(order)
    same = (np.diff(told["user"]) == 0) & (np.diff(told["replica"]) == 0)
    assert (told["status"][:-1][same] == WAITS).all()
    assert (np.diff(told["tick"])[same] == 1).all()
    assert set(np.unique(told["status"])) == {WAITS, DONE, LEFT, HARMED, HOME, TURNED_AWAY}
    first = np.append(True, ~same)
    assert (told["tick"][first] == np.floor(told["arrival"][first] / 5.0)).all()
    assert (np.isnan(told["served"]) == (told["status"] == WAITS)).all()


@pytest.mark.parametrize("span", [0.5, 3.0, 1000.0])
def test_the_length_of_a_tick_changes_nothing_where_classes_stay(span):
    """With a class that follows from what is seen of a case, its wait is the same however long a tick is."""
    triage = {"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": [0.5, 1.5]}}
    known = scenario({"span": 60.0, "home": None}, {"urgency": 1.0}, ticks=1, policy=triage)
    other = scenario(
        {"span": span, "home": None}, {"urgency": 1.0}, ticks=int(np.ceil(60 / span)), policy=triage
    )
    first, again = lived(known)[1].columns, lived(other)[1].columns
    over = (first["status"] >= DONE) | (span < 60.0)  # a longer tick goes on where the first run stopped
    for name in ("status", "wait", "server"):
        assert np.array_equal(first[name][over], again[name][over], equal_nan=name == "wait")


def test_workers_come_and_go_as_scheduled():
    """A drift of workers holds from its tick until it ends; who goes finishes the case in hand."""
    change = {"tick": 2, "until": 4, "what": "workers", "add": 3, "note": "help arrives"}
    world = {"room": None, "workers": 2, "arrivals": {"rate": 3.0}}
    plain = scenario(world, cases=90)
    helped = Scenario.model_validate(plain.model_dump() | {"drift": [change]})
    turns, _ = lived(helped)
    used = [set(turns["server"][(turns["tick"] == tick) & (turns["server"] >= 0)]) for tick in range(6)]
    assert used[0] | used[1] | used[4] | used[5] == {0, 1}
    assert used[2] | used[3] == {0, 1, 2, 3, 4}
    simulation = assemble(helped).simulation
    for _ in range(5):
        simulation.advance()
    ended = "workers + 3 is over: help arrives"
    assert [sentence for _, sentence in simulation.marks] == ["workers + 3: help arrives", ended]
    before, usual = turns["tick"] < 2, lived(plain)[0]
    assert np.array_equal(usual["wait"][usual["tick"] < 2], turns["wait"][before], equal_nan=True)


@pytest.mark.parametrize(
    ("shape", "workers"),
    [
        ({"shape": "gradual", "over": 4}, [2, 3, 4, 5, 6, 6]),
        ({"shape": "recurring", "period": 3, "lasts": 1}, [2, 6, 2, 2, 6, 2]),
        ({"shape": "seasonal", "period": 4, "phase": 0.25}, [2, 6, 2, 1, 2, 6]),
    ],
)
def test_workers_change_in_every_shape_of_drift(shape, workers):
    """So many serve at once as the shape says, at least one, where more wait than they can serve."""
    always = {"room": None, "workers": 2, "arrivals": {"rate": 20.0}}
    first = {"name": "constant-v1", "settings": {"slate": "urgent"}}
    traits = {"urgency": 0, "service": 5.0, "leaves_after": 99.0, "harmed_after": 99.0}
    plain = scenario(always, traits, cases=400, societies=1, policy=first)
    change = {"tick": 1, "what": "workers", "add": 4} | shape
    turns, _ = lived(Scenario.model_validate(plain.model_dump() | {"drift": [change]}))
    began = (turns["server"] >= 0) & (turns["tick"] > 0)
    assert np.bincount(turns["tick"][began]).tolist()[1:] == workers[1:]


def test_what_cannot_drift_is_answered():
    """A path that does not drift is named."""
    change = {"tick": 2, "what": "worker"}
    with pytest.raises(ScenarioError, match="'worker'"):
        assemble(Scenario.model_validate(scenario().model_dump() | {"drift": [change]}))


def test_urgent_cases_wait_less_under_triage_and_groups_pay_for_bias():
    """Triage shortens the waits of the urgent; a group that seems less urgent than it is waits longer."""
    triage = {"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": [0.5, 1.5]}}
    world = {"home": None, "room": None, "workers": 1, "arrivals": {"rate": 0.9}, "span": 1e6, "error": 0.3}
    traits = {
        "urgency": {"discrete": {"values": [0, 1, 2]}},
        "leaves_after": 1e6,
        "harmed_after": 1e6,
        "region": {"discrete": {"values": [0, 1]}},
    }
    groups = {"trait": "region", "names": ["near", "far"]}

    def waits(policy, bias):
        given = scenario(world | {"bias": bias}, traits, cases=3000, ticks=1, policy=policy, groups=groups)
        people = lived(given)[1].columns
        return people.numbers("wait"), people["urgency"], people["group"]

    wait, urgency, group = waits(triage, [])
    blind, *_ = waits({"name": "constant-v1", "settings": {"slate": 0}}, [])
    assert np.nanmean(wait[urgency == 0]) < 0.5 * np.nanmean(blind[urgency == 0])
    biased, *_ = waits(triage, [0.0, 1.0])
    fair = np.nanmean(wait[group == 1]) / np.nanmean(wait[group == 0])
    unfair = np.nanmean(biased[group == 1]) / np.nanmean(biased[group == 0])
    assert unfair > 1.5 * fair


def test_harm_cost_and_regret_follow_the_truth():
    """Regret is what the class loses against the right one; cost is for the time waited in the tick."""
    turns, _ = lived(scenario({"loss": {"under": 2.0, "over": 0.5, "home": 7.0}, "severity": [8, 4, 2, 0]}))
    truth, action = turns["urgency"].astype(int), turns["action"].astype(int)
    expected = np.where(action > truth, 2.0 * (action - truth), 0.5 * (truth - action))
    expected = np.where((action == 3) & (truth < 3), 7.0 * (3 - truth), expected)
    assert np.allclose(turns["regret"], expected)
    assert ((turns["right"] == 1) == (action == truth)).all()
    assert (turns["ideal"] == truth).all()
    assert set(np.unique(turns["harm"][turns["status"] == HARMED])) <= {8.0, 4.0, 2.0, 0.0}
    assert (turns["harm"][(turns["status"] == DONE) | (turns["status"] == WAITS)] == 0.0).all()
    total = np.bincount(turns["user"] * 2 + turns["replica"], weights=turns["cost"])
    done = turns.take(np.flatnonzero(turns["status"] == DONE))
    assert np.allclose(total[done["user"] * 2 + done["replica"]], done["wait"], atol=1e-4)


def table(path, **columns):
    """Write a table of cases."""
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_a_table_of_cases_is_lived_as_it_stands(tmp_path):
    """Arrival, urgency by name, service and group come from the file, in the order of arrival."""
    given = table(
        tmp_path / "cases.csv",
        arrival=[3.0, 0.0, 1.0, 1.5],
        urgency=["urgent", "late", "late", "urgent"],
        service=[1.0, 2.0, 1.0, 1.0],
        ward=["b", "a", "a", "b"],
    )
    asked = scenario(
        {"workers": 1, "home": None, "error": 0.0, "span": 10.0},
        policy={"name": "bands-v1", "settings": {"feature": "urgency_seen", "cuts": [0.5, 1.5]}},
        cases=4,
        ticks=1,
        societies=1,
        source={"table": "world", "use": "as_is"},
        groups={"trait": "ward", "names": ["a", "b"]},
    )
    people = asked.people.model_copy(update={"traits": {}})
    _, users = lived(asked.model_copy(update={"people": people}), data=given)
    assert users.columns["arrival"].tolist() == [0.0, 1.0, 1.5, 3.0]
    assert users.columns["urgency"].tolist() == [2, 2, 0, 0]
    assert users.columns["group"].tolist() == [0, 0, 1, 1]
    assert users.columns["wait"].tolist() == [0.0, 2.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"time": [1.0]}, "'arrival'"),
        ({"arrival": [-1.0]}, "row 1"),
        ({"arrival": ["early"]}, "no numbers"),
        ({"arrival": [1.0], "urgency": ["dire"]}, "'dire'"),
    ],
)
def test_a_wrong_table_is_answered(tmp_path, columns, said):
    """The error names the column and what is wrong with it."""
    with pytest.raises(DataError) as caught:
        build(
            scenario().world.settings, data=table(tmp_path / "t.csv", **columns), drift=(), chance=Chance(1)
        )
    assert said in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"world": {"kind": "queu"}}, "world.settings.kind"),
        ({"world": {"classes": ["a", "a"]}}, "name one twice"),
        ({"world": {"severity": [1, 2]}}, "2 numbers for 4"),
        ({"traits": {"urgency": 9.0}}, "urgency is 9"),
        ({"traits": {"leaves_after": -1.0}}, "leaves_after"),
        ({"traits": {"service": {"normal": {"mean": 0.1, "sd": 1.0}}}}, "people.traits.service"),
        ({"model": "crowd-v1"}, "cases-v1"),
        ({"churn": {"rate": 0.1}}, "people.churn"),
        ({"society": {"graph": {"kind": "watts_strogatz"}}}, "people.society.graph"),
    ],
)
def test_what_does_not_fit_is_answered(changes, said):
    """Wrong settings, traits and people are said before anything runs, or at the first case."""
    with pytest.raises(UserError) as caught:
        lived(scenario(**changes))
    assert said in str(caught.value)


def test_cases_need_a_world_to_which_they_come():
    """The people of a queue in a world without arrivals are refused in words."""
    shop = {"items": ["a", "b"], "attributes": {"price": {"value": 1.0}}}
    world = {"name": "recommend-v1", "settings": shop}
    with pytest.raises(ScenarioError, match="no cases come"):
        assemble(Scenario.model_validate(scenario().model_dump() | {"world": world}))


def test_the_world_keeps_the_contract():
    """`check_world` finds nothing to say of a queue."""
    world = build(scenario().world.settings, data=None, drift=(), chance=Chance(5))
    n = 40
    times, due = world.comings(n // 2, np.arange(2, dtype=np.int32))
    people = Columns(
        {
            "user": np.tile(np.arange(n // 2), 2),
            "replica": np.repeat(np.arange(2), n // 2).astype(np.int32),
            "group": np.zeros(n, np.int8),
            "taste": np.zeros((n, 0), np.float32),
            "urgency": np.arange(n) % 4.0,
            "service": np.full(n, 0.5),
            "arrival": times.reshape(-1) % 5.0,
            "status": np.zeros(n, np.int8),
            "wait": np.full(n, np.nan, np.float32),
            "server": np.full(n, -1, np.int32),
        }
    )
    assert due.dtype == np.int32
    assert check_world(world, people) == []


@pytest.mark.skipif(not available(), reason="numba (extra fast) is not installed: there is one twin only")
def test_the_compiled_queue_and_stream_have_the_same_bits(monkeypatch):
    """A queue in bursts, lived plainly and compiled, ends in the same bits."""
    ended = []
    for switch in ("0", "1"):
        monkeypatch.setenv("REHEARSE_FAST", switch)
        people = lived(scenario(cases=300, ticks=30))[1].columns
        ended.append([people[name].tobytes() for name in ("arrival", "status", "wait", "server")])
    monkeypatch.undo()
    expect(0)
    assert ended[0] == ended[1]


def test_a_stream_does_not_depend_on_who_else_is_drawn():
    """The first cases of a society come when they come, however many others and societies there are."""
    law = Arrivals(rate=1.0, branching=0.5, decay=2.0)
    many = arrival_times(law, 50, Chance(3), np.arange(4, dtype=np.int32))
    few = arrival_times(law, 10, Chance(3), np.array([2], dtype=np.int32))
    assert np.array_equal(many[2:3, :10], few)
    assert (np.diff(many) > 0.0).all()
