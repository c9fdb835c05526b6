"""What is kept of a run: everything, a sample of the people, a row a session, or nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from rehearse.columns import Columns
from rehearse.errors import UserError
from rehearse.experiments import folder as folders
from rehearse.experiments.api import load
from rehearse.experiments.cli import main
from rehearse.experiments.metrics import METRICS, Measures
from rehearse.experiments.replaying import replay
from rehearse.experiments.running import resume, run
from rehearse.record.reading import RunRecord
from rehearse.record.scope import Scope, sessions_of
from rehearse.tables import query, write_table

KEPT = ("all", "sample:0.3", "sessions", "none")
SMALL = {"users": 120, "ticks": 5, "replicas": 3}
NOT_READ_OFF_TURNS = {"policy_cpu_per_1000", "policy_memory_mb"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return the folder of one rehearsal recorded in each way, by the way."""
    place = tmp_path_factory.mktemp("runs")
    made = {kept: place / kept.replace(":", "-") for kept in KEPT}
    for kept, out in made.items():
        run(load("travel", **SMALL), out=out, record=kept, keep_checkpoints=2)
    return made


def test_what_is_kept_does_not_touch_the_digest(runs):
    """The digest is that of everything that happened, whatever is kept of it."""
    assert len({RunRecord(folder).manifest["digest"] for folder in runs.values()}) == 1


@pytest.mark.parametrize("kept", KEPT)
def test_a_replay_proves_what_was_kept(runs, kept):
    """A replay finds the same digest and the same rows in every kind of record."""
    assert RunRecord(runs[kept]).manifest["record"] == kept
    assert replay(runs[kept]).same


@pytest.mark.parametrize("kept", ["sample:0.3", "sessions"])
def test_a_replay_finds_a_changed_row(runs, kept, tmp_path):
    """A row that was edited is found in a sample and among sessions too."""
    copy = tmp_path / "run"
    shutil.copytree(runs[kept], copy)
    part = min((copy / RunRecord(copy).scope.view).glob("*.parquet"))
    rows = dict(query("SELECT * FROM t", t=part))
    rows["satisfaction"] = np.where(np.arange(len(rows["turn"])) == 7, 0.123, rows["satisfaction"])
    write_table(part, Columns(rows))
    found = replay(copy)
    assert not found.same
    assert found.difference is not None
    assert found.difference.column == "satisfaction"


def test_a_sample_keeps_the_same_people_whole_everywhere(runs):
    """Who is in a sample is there with every turn, in every replica; others have none."""
    whole, some = RunRecord(runs["all"]), RunRecord(runs["sample:0.3"])
    sql = 'SELECT * EXCLUDE measured_ms FROM turns {} ORDER BY replica, tick, "user", turn'
    chosen = some.query('SELECT replica, "user" FROM users WHERE recorded ORDER BY ALL')
    by_replica = [chosen["user"][chosen["replica"] == r].tolist() for r in range(3)]
    assert by_replica[0] == by_replica[1] == by_replica[2]
    ids = ", ".join(map(str, by_replica[0]))
    found, expected = some.query(sql.format("")), whole.query(sql.format(f'WHERE "user" IN ({ids})'))
    assert found.length == expected.length > 0
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_strangers_do_not_change_who_is_chosen():
    """A person is chosen by number and seed alone, however many others there are."""
    few, many = (Scope.of("sample:0.1", 7).chooses(np.arange(n)) for n in (1000, 200_000))
    assert (few == many[:1000]).all()
    assert many.mean() == pytest.approx(0.1, abs=0.01)
    assert (Scope.of("sample:0.1", 8).chooses(np.arange(1000)) != few).any()


def test_session_rows_say_what_the_turns_say(runs):
    """Counts, sums and ends of sessions are those of their turns."""
    sessions, turns = (RunRecord(runs[kept]) for kept in ("sessions", "all"))
    asked = {
        "count(*)": "count(*) FILTER (\"end\" <> 'none')",
        "sum(turn + 1)": "count(*)",
        "sum(accepted)": "count(*) FILTER (choice >= 0)",
        'sum("right")': 'count(*) FILTER ("right" = 1)',
        "sum(judged)": 'count(*) FILTER ("right" >= 0)',
        "sum(faults)": "count(*) FILTER (fault <> 'none')",
        "sum(regret_sum)": "sum(CAST(regret AS DOUBLE))",
        "sum(latency_turns)": "count(latency)",
        "avg(satisfaction)": "avg(satisfaction) FILTER (\"end\" <> 'none')",
        "avg(satisfaction_before)": "avg(satisfaction_before) FILTER (turn = 0)",
    }
    for of_sessions, of_turns in asked.items():
        found = sessions.query(f"SELECT {of_sessions} AS x FROM sessions").numbers("x")[0]
        expected = turns.query(f"SELECT {of_turns} AS x FROM turns").numbers("x")[0]
        assert found == pytest.approx(expected, rel=1e-9), of_sessions


def test_no_turns_make_no_sessions():
    """A tick in which nobody came has no session rows, with the columns that they have."""
    assert sessions_of(Columns(length=0)).length == 0
    assert "satisfaction" in sessions_of(Columns(length=0))


def test_a_verdict_from_session_rows_is_the_one_from_turns(runs):
    """Every metric that session rows suffice for has the value and interval that the turns give it."""
    whole, rows = (
        {m["metric"]: m for m in RunRecord(runs[kept]).verdict["measures"]} for kept in ("all", "sessions")
    )
    shared = (whole.keys() & rows.keys()) - NOT_READ_OFF_TURNS
    assert {"goal_completion", "acceptance", "regret", "rightness", "reward", "return_rate"} <= shared
    assert "latency_p95" in whole.keys() - rows.keys()
    for name in shared:
        for end in ("estimate", "low", "high"):
            assert rows[name][end] == pytest.approx(whole[name][end], rel=1e-6), name


def test_a_verdict_from_a_sample_says_so_and_is_less_sure(runs):
    """Sentences say that they are about a sample, and the error of having chosen it is in the interval."""
    record = RunRecord(runs["sample:0.3"])
    told = record.verdict
    assert all("In a sample of 30 % of the people, " in c["sentence"] for c in told["criteria"])
    assert "concentration" not in {m["metric"] for m in told["measures"]}
    for name in ("goal_completion", "acceptance", "satisfaction", "regret"):
        sample = Measures(record).sample(METRICS[name])
        assert sample.error > replace(sample, chosen=None).error


def test_what_was_not_kept_is_unsure_and_says_what_to_do(runs):
    """Without turns every criterion on turns is unsure, and its sentence names the way out."""
    verdict = RunRecord(runs["none"]).verdict
    assert verdict["verdict"] == "unsure"
    for criterion in verdict["criteria"]:
        assert "none of the turns" in criterion["sentence"]
        assert "--record all" in criterion["sentence"]


@pytest.mark.parametrize("kept", KEPT)
def test_every_command_works_on_every_kind_of_record(runs, kept, tmp_path, monkeypatch, capsys):
    """No command meets a record with a traceback: it answers, or says in a sentence why it cannot."""
    monkeypatch.chdir(tmp_path)
    folder = str(runs[kept])
    chosen = Scope.of(kept, load("travel").seed).chooses(np.arange(120))
    outside = str(int(np.argmin(chosen)))
    commands = [
        ("report", folder),
        ("journey", folder, "--user", outside),
        ("journey", folder, "--user", str(int(np.argmax(chosen)))),
        ("query", folder, "SELECT count(*) FROM turns"),
        ("fork", folder, "--tick", "3", "--policy", "random-v1", "--out", "fork", "--quiet"),
        ("replay", "fork"),
        ("compare", folder, "fork"),
        ("compare", folder, "random-v1"),
    ]
    for argv in commands:
        assert main(list(argv)) in {0, 1, 3}, (argv, capsys.readouterr().err)
    assert main(["journeys", folder]) == (2 if kept == "none" else 0)
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert ("--record all" in said.err) == (kept == "none")


def test_a_life_outside_the_sample_is_lived_again(runs, capsys):
    """Somebody whose turns were not kept is told all the same, from a replay, and the journey says so."""
    chosen = Scope.of("sample:0.3", load("travel").seed).chooses(np.arange(120))
    who = str(int(np.argmin(chosen)))
    lives = []
    for kept in ("all", "sample:0.3"):
        assert main(["journey", str(runs[kept]), "--user", who, "--json"]) == 0
        lives.append(json.loads(capsys.readouterr().out))
    assert "lived again" in lives[1].pop("note")
    lives[0].pop("note")
    assert lives[1] == lives[0]


@pytest.mark.parametrize("kept", ["sample:0.3", "sessions", "none"])
def test_an_interrupted_run_keeps_what_was_asked_for(kept, runs, tmp_path, monkeypatch):
    """A run that is interrupted and resumed ends with the rows and the digest of one that was not."""
    monkeypatch.setattr(folders, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(folders, "CHECKPOINT_SHARE", 1e9)

    def interrupt(*, tick, **_):
        if tick == 3:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(load("travel", **SMALL), out=out, record=kept, progress=interrupt)
    assert resume(out).digest == RunRecord(runs[kept]).manifest["digest"]
    sql = f'SELECT * FROM {Scope.of(kept, 0).view} ORDER BY replica, tick, "user", turn'
    found, expected = RunRecord(out).query(sql), RunRecord(runs[kept]).query(sql)
    for name in set(expected) - {"measured_ms"}:
        np.testing.assert_array_equal(found[name], expected[name])


def test_runs_that_kept_different_things_are_not_paired(runs, capsys):
    """Comparing a sample with a whole record would compare different people: it is refused."""
    assert main(["compare", str(runs["all"]), str(runs["sample:0.3"])]) == 2
    assert "same --record" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked", ["some", "sample", "sample:", "sample:x", "sample:0", "sample:1.5", "sample:nan"]
)
def test_what_to_keep_is_asked_for_in_words_that_exist(asked):
    """Anything but all, sessions, none or a share of the people is refused with the ways to write it."""
    with pytest.raises(UserError, match=r"sample:0\.01"):
        Scope.of(asked, 0)


def test_a_sample_of_nobody_is_refused_before_the_run(tmp_path):
    """A share that chooses nobody is told at once, and nothing is written."""
    with pytest.raises(UserError, match="nobody"):
        run(load("travel", users=3), out=tmp_path / "run", record="sample:0.000001")
    assert not (tmp_path / "run").exists()
