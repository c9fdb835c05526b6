"""Cases to retrain on: what the model saw, answered and should have, and from which run they came."""

from __future__ import annotations

import csv
import json

import duckdb
import numpy as np
import pytest

import rehearse
from rehearse.errors import UserError


def sees(requests):
    """Grant from 600 on, and from 500 on in even months."""
    at = 500.0 if requests.tick % 2 == 0 else 600.0
    return np.where(requests["score"] >= at, "grant", "refuse")


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """Return a small run of lending."""
    folder = tmp_path_factory.mktemp("lent") / "run"
    return rehearse.run("lending", users=120, ticks=5, replicas=2, policy=sees, out=folder)


def test_failing_cases_hold_what_was_seen_and_what_was_right(lent, tmp_path):
    """Each case has the score that the model decided by, and reasons are counted as in the record."""
    found = rehearse.export(lent.folder, tmp_path / "cases.parquet", only=["wrong"], policy=sees)
    cases = duckdb.sql(f"SELECT * FROM '{found.file}'").fetchnumpy()
    wrong = lent.turns.query('SELECT count(*) AS n FROM turns WHERE "right" = 0')["n"][0]
    assert found.cases == len(cases["user"]) == found.reasons["wrong"] == wrong > 0
    granted = cases["sees_score"] >= np.where(cases["tick"] % 2 == 0, 500.0, 600.0)
    assert (np.where(granted, "grant", "refuse") == cases["decision"]).all()
    assert (cases["truth"] != cases["decision"]).all()
    assert set(cases["why"]) == {"wrong"}
    assert (cases["weight"] == 1.0).all()


def test_the_manifest_says_where_cases_come_from(lent, tmp_path):
    """The run, its digest and model, and the SQL of every reason stand beside the cases."""
    found = rehearse.export(lent.folder, tmp_path / "cases.csv", where="tick > 2", policy=sees)
    told = json.loads(found.manifest.read_text(encoding="utf-8"))
    assert told["digest"] == lent.digest
    assert told["policy"]["name"] == "sees"
    assert told["cases"] == found.cases
    assert told["reasons"]["harm"] == {"sql": "harm > 0", "cases": found.reasons["harm"]}
    with found.file.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found.cases
    assert {int(row["tick"]) for row in rows} == {3, 4}
    assert list(rows[0]) == told["columns"]


def test_all_cases_can_be_written(lent, tmp_path):
    """Not only those that failed: every turn is a labelled case."""
    found = rehearse.export(lent.folder, tmp_path / "all.parquet", failing=False, policy=sees)
    assert found.cases == lent.user_turns


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"only": ["wrnog"]}, "no reason 'wrnog'.*wrong"),
        ({"to": "cases.json"}, "neither a Parquet nor a CSV"),
        ({"where": "tick > 99"}, "no turn of .* fails"),
    ],
)
def test_what_cannot_be_exported_is_told(lent, asked, said):
    """A reason there is not, another kind of file, nothing to write."""
    with pytest.raises(UserError, match=said):
        rehearse.export(lent.folder, policy=sees, **asked)


def test_the_least_change_is_the_edge_of_the_rule(lent):
    """Who was refused at 600 needs a score of 600; the edge is found to the last digit of a float."""
    row = lent.turns.query('SELECT replica, "user", tick FROM turns WHERE tick = 3 AND action = 0 LIMIT 1')
    user, replica, tick = (int(row[name][0]) for name in ("user", "replica", "tick"))
    found = rehearse.least_change(
        lent.folder, user, replica, tick=tick, may_change=["score+"], to="grant", policy=sees
    )
    (step,) = found.found[0]
    assert (step.feature, step.after) == ("score", 600.0)
    assert step.before < 600.0
    assert found.text().startswith(f"The model answered refuse to user {user}")
    down = rehearse.least_change(
        lent.folder, user, replica, tick=tick, may_change=["score-"], to="grant", policy=sees
    )
    assert down.found == ()
    assert "No change of score gives grant" in down.text()


def strict(requests):
    """Grant who has a score of 640 and a steady income of .5."""
    near = (requests["score"] >= 640.0) & (requests["steady"] >= 0.5)
    return np.where(near, "grant", "refuse")


def test_two_features_are_changed_where_one_alone_does_not_do(tmp_path):
    """Who lacks both is granted a loan at the corner of the rule, by what the scenario says is actionable."""
    settings = {
        "people.traits.steady": {"uniform": {"low": 0.0, "high": 1.0}},
        "people.visible": ["score", "steady"],
        "people.actionable": ["score+", "steady+"],
    }
    out = tmp_path / "run"
    run = rehearse.run("lending", users=80, ticks=1, replicas=1, policy=strict, settings=settings, out=out)
    people = run.turns.query(
        """SELECT t."user" FROM turns t JOIN users u USING (replica, "user")
        WHERE u.steady < .4 AND u.score < 600 LIMIT 1"""
    )
    found = rehearse.least_change(run.folder, int(people["user"][0]), to="grant", policy=strict)
    assert len(found.found) == 1
    assert {step.feature: step.after for step in found.found[0]} == pytest.approx(
        {"score": 640.0, "steady": 0.5}
    )


def test_who_may_change_nothing_is_told_what_the_model_sees(lent):
    """Without a declaration or an argument there is nothing to search."""
    with pytest.raises(UserError, match=r"people\.actionable.*The model sees score"):
        rehearse.least_change(lent.folder, 1, to=None, policy=sees)
