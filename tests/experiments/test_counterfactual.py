"""The same people but for one thing: what differs follows from it, and nothing else does."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pytest

import rehearse
from rehearse.errors import UserError
from rehearse.experiments.counterfactual import Change, attribute
from rehearse.record.reading import RunRecord


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """Return a small run of lending."""
    folder = tmp_path_factory.mktemp("lent") / "run"
    return rehearse.run("lending", users=150, ticks=6, replicas=2, out=folder).folder


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    """Return a small run of people who influence one another."""
    folder = tmp_path_factory.mktemp("travelled") / "run"
    return rehearse.run("travel", users=40, ticks=6, replicas=2, out=folder).folder


def people_of(found):
    """Return the table of a row a person."""
    file = found.b.removesuffix("/b") + "/attribution.parquet"
    return duckdb.sql(f"SELECT * FROM '{file}' ORDER BY replica, \"user\"").fetchnumpy()


def test_a_change_of_nothing_touches_nobody(lent, tmp_path):
    """Two runs that differ in words alone are the same lives."""
    found = rehearse.counterfactual(lent, settings={"title": "Another title"}, out=tmp_path / "cf")
    assert (found.touched, found.flipped) == (0, 0)
    assert all(row.difference == 0.0 for row in found.rows)
    assert [share.people for share in found.causes] == [300, 0, 0, 0]


def test_a_flipped_segment_is_told_for_both_sides(lent, tmp_path):
    """Who was blue is orange, with the same place among scores: one side gains, the other loses."""
    found = rehearse.counterfactual(lent, flip="segment", out=tmp_path / "cf")
    assert found.unit == "users"
    met = {row.name: row for row in found.rows if row.outcome == "goals met"}
    assert met["blue"].difference > 0.0 > met["orange"].difference
    assert met["blue"].p_corrected < 0.01
    assert met[None].people == met["blue"].people + met["orange"].people == 300
    people = people_of(found)
    moved = people["goals met_after"] - people["goals met_before"]
    assert met["blue"].difference == pytest.approx(moved[people["group"] == "blue"].mean())
    assert sum(share.differences["goals met"] for share in found.causes) == pytest.approx(moved.sum())
    assert found.flipped == people["flipped"].sum() > 0
    a, b = (
        RunRecord(side).query('SELECT "group", score FROM users ORDER BY replica, "user"')
        for side in (found.a, found.b)
    )
    assert (np.asarray(a["group"]) != np.asarray(b["group"])).all()
    assert "group blue" in found.table()


def test_a_trait_is_set_for_everybody(lent, tmp_path):
    """Higher scores, more loans: a decision turns only where the model sees enough of a change."""
    found = rehearse.counterfactual(lent, instead="score+60", out=tmp_path / "cf")
    assert found.touched > 0
    assert next(r for r in found.rows if r.outcome == "goals met").difference > 0.0


def test_a_tie_that_is_not_there_is_felt_through_ties(travelled, tmp_path):
    """Two friends apart: the first who differ are they, and others are reached through them alone."""
    model = rehearse.model("travel", users=40, ticks=6, replicas=2)
    friend = int(model.friends_of(0)[0])
    found = rehearse.counterfactual(travelled, without_tie=f"0-{friend}", out=tmp_path / "cf")
    people = people_of(found)
    assert set(people["user"][people["ties"] == 0].tolist()) == {0, friend}
    first = people["first_tick"]
    touched = first >= 0
    near = people["ties"] == 1
    if (touched & near).any():
        assert first[touched & near].min() >= first[touched].min()
    kept = json.loads((tmp_path / "cf" / "counterfactual.json").read_text())
    assert kept["change"] == f"without the tie 0-{friend}"
    again = rehearse.replay(found.b)
    assert again.same


def test_an_event_can_be_left_out(tmp_path):
    """Without its first fault, a scenario has one fault less, and lives differ from then on alone."""
    storm = rehearse.load("travel-storm", users=40, ticks=12, replicas=2)
    assert len(Change(without=["faults.0"]).of(storm).faults) == len(storm.faults) - 1
    found = rehearse.counterfactual(storm, without="faults.0", out=tmp_path / "cf")
    first = people_of(found)["first_tick"]
    assert first[first >= 0].min(initial=99) >= storm.faults[0].start


def test_events_are_left_out_by_their_numbers_of_before():
    """Of eleven faults the ninth and the eleventh are left out, in whatever order they are named."""
    faults = [{"kind": "error", "rate": 0.1, "note": f"fault {i}"} for i in range(11)]
    scenario = rehearse.load("travel", settings={"faults": faults})
    for without in (["faults.8", "faults.10"], ["faults.10", "faults.8"]):
        left = Change(without=without).of(scenario).faults
        assert [fault.note for fault in left] == [f"fault {i}" for i in (0, 1, 2, 3, 4, 5, 6, 7, 9)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change(), "nothing is to be otherwise"),
        (Change(without=["faults.9"]), "the list is empty"),
        (Change(without_ties=["0_3"]), "is no tie"),
        (Change(instead=["score~3"]), "does not say what people have instead"),
    ],
)
def test_what_cannot_be_otherwise_is_refused(change, said):
    """One sentence says what is wrong with what was asked."""
    with pytest.raises(UserError, match=said):
        change.of(rehearse.load("lending"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"flip": "group"}, "there are 3 of it, not two"),
        ({"flip": "income"}, "no 'income'|other values than 0 and 1"),
        ({"without_tie": "0-20"}, "do not know each other anyway.*User 0 knows"),
    ],
)
def test_what_people_do_not_have_is_refused(travelled, tmp_path, asked, said):
    """Groups that are three, traits that are no flags, ties that are none."""
    with pytest.raises(UserError, match=said):
        rehearse.counterfactual(travelled, out=tmp_path / "cf", **asked)


def test_runs_of_other_people_are_not_laid_side_by_side(lent, travelled):
    """Each row must be one person in both runs."""
    with pytest.raises(UserError, match="other people"):
        attribute(RunRecord(lent), RunRecord(travelled))
