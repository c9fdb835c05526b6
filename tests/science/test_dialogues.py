"""Dialogues follow the laws of their parts, through `rehearse.run`.

Sources: Schatzmann and others (2007) and PyDial's parameters (Ultes and others 2017) for who says how much in
one breath: with p to tell one more, k of c constraints come first with chance (1 − p) p^(k − 1), and all c
with p^(c − 1). Tolerances are four standard errors.
"""

from __future__ import annotations

import numpy as np
import pytest

import rehearse

pytestmark = pytest.mark.science
OF_ONE_MIND = {"change_after_venue": 0.0, "alternatives_after_venue": 0.0, "repeat_when_asked_new": 0.0}


def calls(out, *, people=500, ticks=1, drift=(), **goals):
    """Return the record of some calls by patient people who do not change their minds."""
    given = {
        "drift": list(drift),
        "people.traits": {"patience": 20.0},
        "people.groups": None,
        "people.settings": {"behaviour": OF_ONE_MIND, "goals": {"booking": 0.5} | goals},
        "criteria": [],
    }
    size = {"users": people, "ticks": ticks, "replicas": 1}
    return rehearse.run("assist", out=out, settings=given, seed=3, **size).turns


def ends(turns):
    """Return the share of success and the mean number of turns of sessions, tick by tick."""
    means = "SELECT tick, avg(success) AS s, avg(turn + 1) AS t FROM turns"
    found = turns.query(means + " WHERE \"end\" <> 'none' GROUP BY tick ORDER BY tick")
    return found["s"], found["t"]


def test_on_a_clear_line_a_rule_serves_everybody_and_first_words_are_geometric(tmp_path):
    """Every one of 1,500 sessions is a success; 1, 2, 3 of 3 constraints come first with .4, .24, .36."""
    turns = calls(tmp_path / "run", people=1500, constraints=[0.0, 0.0, 0.0, 1.0])
    assert ends(turns)[0].tolist() == [1.0]
    sql = "SELECT informs, count(*) / 1500 AS share FROM turns WHERE turn = 0 GROUP BY ALL ORDER BY 1"
    first = turns.query(sql)
    expected = np.array([0.4, 0.24, 0.36])
    assert first["informs"].tolist() == [1, 2, 3]
    assert (np.abs(first["share"] - expected) < 4 * np.sqrt(expected * (1 - expected) / 1500)).all()


@pytest.mark.parametrize("kind", ["slot", "value", "drop"])
def test_the_worse_the_line_the_rarer_is_success(tmp_path, kind):
    """Success falls and calls grow as none, one in five and two in five acts are confused or lost."""
    worse = {"tick": 1, "what": f"noise.{kind}", "add": 0.4, "shape": "gradual", "over": 2}
    success, length = ends(calls(tmp_path / "run", ticks=3, drift=[worse]))
    assert success[0] > success[1] > success[2]
    assert length[0] < length[1] < length[2]


def test_who_tells_nothing_unasked_needs_a_turn_for_each_constraint(tmp_path):
    """With three constraints of which none is told unasked, the assistant asks, and calls grow longer."""
    turns = calls(tmp_path / "run", people=300, constraints=[0.0, 0.0, 0.0, 1.0], disclosure=0.0)
    told = turns.query("SELECT max(informs) AS most FROM turns WHERE turn = 0")
    assert told["most"].tolist() == [0]
    served = turns.query("SELECT min(turn + 1) AS least FROM turns WHERE \"end\" <> 'none' AND success = 1")
    assert served["least"][0] >= 4
