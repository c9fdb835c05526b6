"""Lending as it is run: scenarios of the catalogue, tables, forks, shards."""

from __future__ import annotations

import numpy as np
import pytest

import rehearse
from rehearse.errors import UserError
from rehearse.record.reading import RunRecord

SMALL = {"users": 200, "ticks": 6, "replicas": 4}


def test_the_hard_scenario_has_one_digest_in_shards_forked_and_replayed(tmp_path):
    """Money, other lenders, learned cuts, people who answer to them: the same bits however it is run."""
    base = rehearse.run("lending-strategic", out=tmp_path / "base", keep_checkpoints=2, **SMALL)
    parted = rehearse.run("lending-strategic", out=tmp_path / "parted", shards=2, **SMALL)
    again = rehearse.fork(tmp_path / "base", 4, out=tmp_path / "again")
    assert base.digest == parted.digest == again.digest
    assert rehearse.replay(tmp_path / "base").same


def test_strategy_and_consequences_may_change_from_a_tick_on(tmp_path):
    """A fork under other costs of gaming and another recession differs from then on, and replays."""
    rehearse.run("lending-strategic", out=tmp_path / "base", keep_checkpoints=2, **SMALL)
    settings = {"people.strategy.gain": 0.0, "world.settings.change.repaid": 10}
    rehearse.fork(tmp_path / "base", 4, settings=settings, out=tmp_path / "fork")
    assert rehearse.replay(tmp_path / "fork").same
    turns = RunRecord(tmp_path / "fork").query("SELECT tick, effort, score_change FROM turns")
    late = turns["tick"] >= 4
    assert turns["effort"][late].max() == 0.0
    assert turns["score_change"][late].max() <= 30.0
    with pytest.raises(UserError, match="columns"):
        rehearse.fork(tmp_path / "base", 4, settings={"people.strategy": None}, out=tmp_path / "other")


def test_people_and_chances_come_from_a_table(tmp_path):
    """A row for each score of each group, with how many there are and how many of them repay."""
    table = tmp_path / "scores.csv"
    rows = [
        (300 + 50 * i, group, weight, min(0.99, 0.05 + 0.09 * i + shift))
        for group, weight, shift in (("Black", 1, 0.0), ("White", 3, 0.02))
        for i in range(12)
    ]
    table.write_text("score,group,weight,repays\n" + "\n".join(",".join(map(str, row)) for row in rows))
    rehearse.run("lending-table", data=table, out=tmp_path / "run", users=1000, ticks=1, replicas=1)
    turns = RunRecord(tmp_path / "run").query(
        """SELECT t.chance AS chance, t.score - t.score_change AS score, u."group" AS kind
        FROM turns t JOIN users u USING (replica, "user")"""
    )
    black = turns["kind"] == "Black"
    assert black.mean() == pytest.approx(0.25, abs=0.05)
    place = (turns["score"] - 300) / 50
    assert turns["chance"][black] == pytest.approx(np.minimum(0.99, 0.05 + 0.09 * place[black]), abs=1e-5)


def test_a_scenario_that_reads_no_table_says_so(tmp_path):
    """A data file that nothing would read is refused, with what to set."""
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match="table: data"):
        rehearse.run("lending", data=tmp_path / "x.csv", out=tmp_path / "run", **SMALL)


def test_whoever_is_refused_trusts_less_and_leaves():
    """With nobody granted a loan people lose trust and more of them leave than where loans are to be had."""
    trust, left = {}, {}
    for name, cut in (("usual", 620), ("shut", 900)):
        model = rehearse.model("lending", policy=f"threshold-v1?at={cut}", users=400, ticks=12, replicas=2)
        while model.running:
            model.step()
        trust[name], left[name] = model.people["trust"].mean(), (model.people["times_left"] > 0).sum()
    assert trust["shut"] < trust["usual"] - 0.1
    assert left["shut"] > left["usual"]
