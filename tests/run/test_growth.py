"""A society that grows fivefold: determinism, what is recorded, and what its people tell."""

from __future__ import annotations

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments import journey, journeys
from rehearse.experiments.api import load
from rehearse.experiments.build import Props, assemble
from rehearse.experiments.forking import fork
from rehearse.experiments.replaying import replay
from rehearse.experiments.running import run
from rehearse.record.reading import RunRecord
from rehearse.record.recorder import Recorder

TICKS = 20
GROWTH = {
    "world.settings.items.count": 60,
    "people.arrivals.start": 50,
    "people.arrivals.rate": 0.02,
    "people.arrivals.waves": [{"tick": 6, "people": 0.2}],
    "people.churn.rate": 0.005,
    "people.churn.dissatisfaction": 0.01,
    "people.returns.rate": 0.2,
}


@pytest.fixture(scope="module")
def growing():
    """Return a rehearsal in which 50 people become more than 250, in all the ways that people come."""
    return load("feed-growth", users=320, ticks=TICKS, replicas=2, settings=GROWTH)


def watched(scenario, props=None, stop=None):
    """Return the digest, the columns of people and the turns; `stop`: the tick at which it is interrupted."""
    assembly = assemble(scenario, props or Props())
    pages: list[Columns] = []
    recorder = Recorder(assembly.stage.replicas, keep=lambda _tick, turns, _society: pages.append(turns))
    assembly.simulation.watchers.append(recorder)
    for tick in range(scenario.time.ticks):
        if tick == stop:
            state = {name: np.array(a) for name, a in assembly.simulation.state().items()}
            assembly = assemble(scenario, props or Props())
            assembly.simulation.restore(state, tick)
            assembly.simulation.watchers.append(recorder)
        assembly.simulation.advance()
    turns = Columns({n: np.concatenate([p[n] for p in pages if p.length]) for n in pages[0]})
    return recorder.digest, assembly.simulation.users.columns, turns


@pytest.fixture(scope="module")
def whole(growing):
    """Return the digest, people and turns of the society, not cut up."""
    return watched(growing)


def test_the_society_grows_fivefold(whole):
    """More than five times as many people are here at the end, and others have left and come back."""
    people = whole[1]
    assert people["alive"].sum() > 5 * 100
    assert (people["times_left"] > 0).sum() > 20
    assert (people["returned"] >= 0).any()


def test_nobody_acts_who_is_not_here(whole):
    """Every turn was taken by somebody who had arrived and had not left or was back."""
    _, people, turns = whole
    row = turns["replica"].astype(int) * 320 + turns["user"]
    assert (turns["tick"] >= people["arrived"][row]).all()
    once = people["times_left"][row] == 1
    away = once & (turns["tick"] > people["left"][row])
    assert (people["returned"][row[away]] >= 0).all()
    assert (turns["tick"][away] >= people["returned"][row[away]]).all()


@pytest.mark.parametrize("block", [64, 4096])
def test_blocks_leave_no_trace_in_a_growing_society(growing, whole, block):
    """People worked on in any number at once come and go alike."""
    assert watched(growing, Props(block=block))[0] == whole[0]


@pytest.mark.parametrize("tick", [1, 6, 13])
def test_an_interrupted_growth_goes_on_alike(growing, whole, tick):
    """Interrupted just before arrivals, or anywhere else, a run goes on to the same digest."""
    assert watched(growing, stop=tick)[0] == whole[0]


def test_a_growing_replica_lives_the_same_alone(growing, whole):
    """A society that is run alone grows as it does among others."""
    alone = watched(growing, Props(replicas=[1]))[1]
    assert all(np.array_equal(alone[n], whole[1][n][320:], equal_nan=True) for n in alone)


@pytest.fixture(scope="module")
def record(growing, tmp_path_factory):
    """Return the recorded run."""
    return RunRecord(run(growing, out=tmp_path_factory.mktemp("runs") / "growth").folder)


def test_the_record_counts_those_here(record, whole):
    """Ticks count who was here, came and left; users say when and why; nobody came after the end."""
    ticks = record.query("SELECT * FROM ticks ORDER BY replica, tick")
    users = record.query('SELECT * FROM users ORDER BY replica, "user"')
    here = ticks["here"].reshape(2, TICKS)
    assert here[:, 0].tolist() == [50, 50]
    assert here.sum(axis=1).tolist() == users["ticks_here"].reshape(2, -1).sum(axis=1).tolist()
    for tick in range(1, TICKS):
        arrived = ((users["arrived"] == tick) & (users["replica"] == 0)).sum()
        assert arrived == ticks["arrived"].reshape(2, TICKS)[0, tick]
    assert users["arrived"].max() < TICKS
    assert set(users["came_by"][users["arrived"] == 6]) >= {"schedule"}
    assert set(users["left_for"][users["left"] < 0]) == {""}
    assert not users["left_for"][(users["left"] >= 0)].tolist().count("")


def test_the_verdict_judges_growth(record):
    """Churn, retention and growth are criteria with intervals over replicas."""
    found = {c["metric"]: c for c in record.verdict["criteria"]}
    ticks = record.query("SELECT * FROM ticks ORDER BY replica, tick")
    here = ticks.numbers("here").reshape(2, TICKS)
    assert found["growth"]["estimate"] == pytest.approx((here[:, -1] / here[:, 0]).mean())
    left = ticks.numbers("left").reshape(2, TICKS).sum(axis=1)
    assert found["churn"]["estimate"] == pytest.approx((left / here.sum(axis=1)).mean())


def test_a_journey_tells_of_coming_and_going(record):
    """The day of the arrival, of the departure and of the return are told with their reasons."""
    found = record.query(
        'SELECT * FROM users WHERE arrived > 0 AND returned > 0 AND times_left = 1 ORDER BY replica, "user"'
    )
    life = journey.tell(record, int(found["user"][0]), int(found["replica"][0]))
    text = life.text()
    assert life.note == ""
    assert "At first: not here yet" in text
    arrived, left, back = (int(found[name][0]) for name in ("arrived", "left", "returned"))
    moments = life.life.moments
    assert moments[back].returned == found["came_by"][0]
    assert moments[left].left == found["left_for"][0]
    assert "rrives " in text
    assert "eaves " in text
    assert "omes back " in text
    assert [m.alive for m in moments[left : left + 2]] == [False, False]
    assert moments[arrived].alive or left == arrived
    assert not moments[arrived - 1].alive


def test_the_report_shows_who_came_and_went(record):
    """The page has the section with its numbers; a society in which nobody comes or goes has none."""
    page = (record.folder / "report.html").read_text()
    ticks = record.query("SELECT tick, avg(here) AS here FROM ticks GROUP BY tick ORDER BY tick")
    assert "Who came and went" in page
    assert f"50 people were here in the first day and {ticks['here'][-1]:,.0f} in the last" in page
    assert "Left dissatisfied" in page
    assert "Came because of friends who are here" in page


def test_lives_are_those_of_people_who_came(record):
    """Whoever never came is not among the lives worth reading."""
    came = record.query("SELECT count(*) AS n FROM users WHERE arrived >= 0")["n"][0]
    found = journeys.find(record, where="sessions >= 0", limit=1)
    assert (found.of, found.found) == (came, came)
    assert came < 640


def test_the_sampled_ties_are_those_of_people_here(record):
    """The graph of the report shows nobody who is not here at the end."""
    ties = record.query("SELECT a, b FROM ties")
    users = record.query('SELECT "user" FROM users WHERE replica = 0 AND alive')
    assert ties.length
    assert set(ties["a"]) | set(ties["b"]) <= set(users["user"])


def test_a_fork_may_change_hazards_but_not_who_was_there(record, tmp_path):
    """From tick 10 on nobody leaves any more; what was settled at the start is refused."""
    done = fork(record.folder, 10, settings={"people.churn": None}, out=tmp_path / "calm")
    ticks = RunRecord(done.folder).query('SELECT tick, sum("left") AS gone FROM ticks GROUP BY 1 ORDER BY 1')
    assert ticks["gone"][:10].sum() > 0
    assert ticks["gone"][10:].sum() == 0
    for settled in ({"people.arrivals.start": 60}, {"people.returns.forgets": ["trust"]}):
        with pytest.raises(UserError, match="settled before the first tick"):
            fork(record.folder, 10, settings=settled, out=tmp_path / "no")


def test_a_fork_may_let_people_leave_where_nobody_did(tmp_path):
    """Hazards may begin at a tick in a society that was closed before it."""
    still = {"people.arrivals": None, "people.churn": None, "people.returns": None}
    closed = load("feed-growth", users=60, ticks=6, replicas=1, settings=GROWTH | still)
    parent = run(closed, out=tmp_path / "closed")
    done = fork(parent.folder, 3, settings={"people.churn": {"rate": 0.5}}, out=tmp_path / "open")
    found = RunRecord(done.folder)
    ticks = found.query('SELECT here, "left" FROM ticks ORDER BY tick')
    assert np.isnan(ticks["here"][:3]).all()
    assert ticks["here"][3] == 60
    assert ticks["left"][3] == pytest.approx(30, abs=15)
    assert replay(done.folder).same
    with pytest.raises(UserError, match=r"people\.arrivals\.start cannot be changed"):
        fork(parent.folder, 3, settings={"people.arrivals": {"start": 30}}, out=tmp_path / "no")
