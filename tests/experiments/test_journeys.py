from __future__ import annotations

import json

import numpy as np
import pytest

from rehearse.errors import UserError
from rehearse.experiments import api, journeys
from rehearse.record.reading import RunRecord


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Return a small run of `travel`."""
    out = tmp_path_factory.mktemp("runs") / "travel"
    return RunRecord(api.run("travel", users=60, ticks=12, replicas=3, out=out).folder)


@pytest.fixture(scope="module")
def everybody(record):
    """Return what is found where nothing is asked for."""
    return journeys.find(record, None, 1000)


def test_a_condition_finds_people_by_who_they_are_and_how_they_fared(record):
    """Columns of users and of their lives can be asked for together; exactly those who match are found."""
    found = journeys.find(record, "hinc > 30 AND met >= 1", 1000)
    expected = record.query(
        """SELECT DISTINCT u.replica, u."user" FROM users u JOIN turns t ON t.replica = u.replica
        AND t."user" = u."user" WHERE u.hinc > 30 AND t."end" = 'goal_met' ORDER BY ALL"""
    )
    assert [(p.replica, p.user) for p in found.matching] == list(
        zip(expected["replica"].tolist(), expected["user"].tolist(), strict=True)
    )
    assert (found.found, found.of) == (expected.length, 180)
    assert all(person.met >= 1 for person in found.matching)


def test_the_funnel_narrows(record, everybody):
    """Each step holds at most as many sessions as the one before: from all opened to all goals met."""
    counts = [stage.count for stage in everybody.funnel]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == record.query("SELECT sum(sessions) AS n FROM ticks").numbers("n")[0]
    assert counts[-1] == record.query("SELECT count(*) AS n FROM turns WHERE \"end\" = 'goal_met'")["n"][0]
    assert everybody.funnel[2].of_previous == pytest.approx(counts[2] / counts[1])


def test_paths_hold_every_session(record, everybody):
    """The paths of all sessions add up to all sessions, the most frequent first, repeats counted."""
    counts = [path.count for path in everybody.paths]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == everybody.funnel[0].count
    assert sum(path.share for path in everybody.paths) == pytest.approx(1.0)
    direct = record.query(
        "SELECT count(*) AS n FROM turns WHERE turn = 0 AND choice >= 0 AND \"end\" = 'goal_met'"
    )
    assert next(p.count for p in everybody.paths if p.steps == ("took", "goal met")) == direct["n"][0]
    assert any("×" in step for path in everybody.paths for step in path.steps)


def test_limit_says_how_many_are_named(record):
    """No more people and paths are named than asked for, and what is counted stays the same."""
    few, many = (journeys.find(record, "opened > 0", limit) for limit in (2, 50))
    assert (len(few.matching), len(few.paths)) == (2, 2)
    assert few.found == many.found
    assert few.funnel == many.funnel
    assert many.matching[:2] == few.matching


def test_odd_lives_are_farther_off_than_typical_ones(record, everybody):
    """Those called odd lie farther from the average of all than those called typical."""
    found = record.query(
        """SELECT replica, "user", count(*) FILTER ("end" = 'goal_met') AS met,
        count(*) FILTER ("end" = 'abandoned') AS abandoned FROM turns GROUP BY ALL"""
    )
    mean = np.array([found.numbers("met").mean(), found.numbers("abandoned").mean()])

    def distance(people):
        return np.mean([np.abs(np.array([p.met, p.abandoned]) - mean).sum() for p in people])

    assert distance(everybody.odd) > distance(everybody.typical)
    assert not {(p.replica, p.user) for p in everybody.odd} & {(p.replica, p.user) for p in everybody.typical}


def test_the_worst_served_are_of_each_group(record, everybody):
    """Of every group some are named, those with the smallest share of goals met first."""
    groups = [person.group for person in everybody.worst]
    assert set(groups) == set(record.groups)
    for group in record.groups:
        share = [(p.met + 1) / (p.opened + 2) for p in everybody.worst if p.group == group]
        assert share == sorted(share)
        assert all(p.opened > 0 for p in everybody.worst)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("grup = 'low income'", "Did you mean 'group'"),
        ("met >", "cannot be used"),
        ("met = 'many'", "Columns: user, replica"),
        ("met > 1; DROP TABLE users", "holds a semicolon"),
        ("met > 1) --", "cannot be used"),
    ],
)
def test_a_condition_that_cannot_be_used_is_an_error(record, where, message):
    """A condition that DuckDB does not understand is refused with the columns there are."""
    with pytest.raises(UserError, match=message):
        journeys.find(record, where)


def test_no_life_at_all_cannot_be_asked_for(record):
    """A limit below one is refused."""
    with pytest.raises(UserError, match="at least 1"):
        journeys.find(record, None, 0)


def test_nobody_found_is_told(record):
    """Where nobody matches, the counts are zero, nobody is named, and the text says so."""
    found = journeys.find(record, "met > 1000")
    assert (found.found, found.typical, found.odd, found.worst, found.paths) == (0, (), (), (), ())
    assert found.text().startswith("0 of 180 people where met > 1000")


def test_the_tables_are_aligned(everybody):
    """In each table the rule is as wide as every line, and numbers end where their heading ends."""
    lines = everybody.text().splitlines()
    rules = [i for i, line in enumerate(lines) if "─" in line]
    assert len(rules) >= 5
    for i in rules:
        ends = [
            at for at, (a, b) in enumerate(zip(lines[i], f"{lines[i][1:]} ", strict=True)) if a == "─" != b
        ]
        assert all(len(line) <= len(lines[i]) for line in lines[i - 1 : i + 2])
        assert len(lines[i + 1].rstrip()) == ends[-1] + 1
    assert "Read one: rehearse journey" in lines[-1]


def test_everything_goes_into_json(everybody):
    """What is found is plain values that strict JSON can hold."""
    found = json.loads(json.dumps(everybody.to_json(), allow_nan=False))
    assert found["found"] == 180
    assert found["funnel"][0]["name"] == "opened"
