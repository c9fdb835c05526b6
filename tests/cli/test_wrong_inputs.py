"""Whatever a user gets wrong ends in one clear message that names the place and the remedy.

Each case is one wrong input. Whatever is wrong before a run: exit code 2, one message, no traceback, and no
folder that looks like a result. What a model does wrong is recorded as its error, and the run goes on.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearse.experiments.cli import MISTAKE, NOT_COMPLETED, main
from rehearse.experiments.running import finished
from rehearse.record.reading import RunRecord

SMALL = ("--users", "20", "--ticks", "2", "--replicas", "2")
SCENARIO = """
name: small
extends: travel
people: {count: 20}
time: {ticks: 2}
replicas: 2
"""
PEOPLE = "individual,hinc,ttme_air\n1,20,3\n2,30,4\n"


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def rehearse(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str | Path) -> Said:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return run


def must_be_one_message(said: Said, code: int, *parts: str) -> None:
    """Hold a command to one line on stderr that says all of it, and nothing on stdout."""
    assert said.code == code, said.err
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith("Memory: ")]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("rehearse: ")
    assert "Traceback" not in said.err
    for part in parts:
        assert part in said.err


def no_result_in(folder: Path) -> bool:
    """Tell whether nothing in a folder looks like a finished run."""
    manifests = [json.loads(path.read_text()) for path in folder.rglob("manifest.json")]
    return all(manifest.get("status") != "finished" for manifest in manifests)


# ── What is typed ─────────────────────────────────────────────────────────────────────────────────

TYPED = {
    "a misspelt command": (
        ["rnu", "travel"],
        "No such command 'rnu'",
        "Did you mean 'run'",
        "rehearse --help",
    ),
    "a misspelt option": (["run", "travel", "--usres", "5"], "No such option: --usres", "--users"),
    "no scenario": (["run"], "Missing argument", "rehearse run --help"),
    "users that are no number": (["run", "travel", "--users", "many"], "--users many:", "whole number"),
    "a negative count of users": (["run", "travel", "--users", "-5"], "--users -5:", "at least 1, found -5"),
    "half a user": (["run", "travel", "--users", "2.5"], "people.count must be a whole number, found 2.5"),
    "no time at all": (["run", "travel", "--ticks", "0"], "--ticks 0:", "time.ticks must be at least 1"),
    "a huge count of users": (["run", "travel", "--users", "1e30"], "--users 1e30:", "people.count"),
    "more people than fit": (["run", "travel", "--users", "1e7"], "people.count × replicas", "more than"),
    "a number of 5,000 digits": (["run", "travel", "--seed", "9" * 5000], "is a huge number", "below 2**63"),
    "a negative seed": (["run", "travel", "--seed", "-1"], "--seed -1:", "at least 0"),
    "an infinite value": (["run", "travel", "--set", "people.memory.decay=.inf"], "not a finite number"),
    "a value that is not a number": (
        ["run", "travel", "--set", "people.memory.decay=.nan"],
        "not a finite number",
    ),
    "an edit without =": (["run", "travel", "--set", "people.count"], "key=value", "--set people.count=100"),
    "a misspelt key in an edit": (["run", "travel", "--set", "people.cuont=5"], "Did you mean 'count'"),
    "a place that a list has not": (
        ["run", "travel", "--set", "drift.9.tick=1"],
        "drift is a list with 1 entry",
    ),
    "broken YAML in an edit": (
        ["run", "travel", "--set", "drift=[{tick: 1"],
        "--set drift=[{tick: 1:",
        "expected",
    ),
    "a misspelt choice": (
        ["run", "travel", "--set", "people.behaviour.choice=logti"],
        "Did you mean 'logit'?",
    ),
    "a misspelt scenario": (["run", "travle"], "'travle'", "Did you mean 'travel'"),
    "a version there is not": (["run", "travel@99"], "no version '99'", "travel@1"),
    "a scenario file that is not there": (["run", "nobody.yaml"], "there is no file 'nobody.yaml'"),
    "a folder for a scenario": (["run", "./"], "is a folder, not a scenario"),
    "a misspelt policy": (["run", "travel", *SMALL, "--policy", "greedi-v1"], "Did you mean 'greedy-v1'"),
    "a misspelt world": (["run", "travel", "--set", "world.name=recomend-v1"], "Did you mean 'recommend-v1'"),
    "a misspelt setting of a policy": (
        ["run", "travel", *SMALL, "--policy", "epsilon-v1?epsilno=0.1"],
        "policy.settings.epsilno",
        "Did you mean 'epsilon'",
    ),
    "a misspelt setting of a world": (
        ["run", "travel", "--set", "world.settings.itmes=[a]"],
        "world.settings.itmes is not a known key",
        "Did you mean 'items'",
    ),
    "a drift of what is not there": (
        ["run", "travel", "--set", "drift.0.what=items.trian.gc"],
        "items.trian.gc",
        "Did you mean 'train'",
    ),
    "a misspelt trait": (
        ["run", "travel", "--set", "people.traits.patiense=3"],
        "patiense",
        "Did you mean 'patience'",
    ),
    "a taste for what no item has": (["run", "travel", "--set", "people.tastes.colour=1"], "colour"),
    "a column that the table has not": (
        ["run", "travel", "--set", "people.traits.age.column=aeg"],
        "aeg",
        "Known",
    ),
    "a matrix that is no correlation": (
        ["run", "travel", "--set", "people.correlations=[{of: [trust, opinion], matrix: [[1, 2], [2, 1]]}]"],
        "people.correlations",
    ),
    "segments of more than everybody": (
        ["run", "travel", "--set", "people.segments=[{name: a, share: .7}, {name: b, share: .7}]"],
        "add up to 1.4, more than 1",
    ),
    "a metric that there is not": (
        ["run", "travel", *SMALL, "--set", "criteria=[{metric: goal_completoin, at_least: .5}]"],
        "goal_completoin",
        "Did you mean 'goal_completion'",
    ),
    "a group that there is not": (
        ["run", "travel", *SMALL, "--set", "criteria=[{metric: regret, group: lo income, at_most: 1}]"],
        "lo income",
        "low income",
    ),
    "a criterion without a threshold": (
        ["run", "travel", "--set", "criteria+={metric: regret}"],
        "criteria.",
        "either at_least or at_most",
    ),
    "an item that nobody offers": (
        ["run", "travel", *SMALL, "--set", "guards=[{name: g, forbid: [plane]}]"],
        "plane",
    ),
    "data for a world that reads none": (["run", "feed", *SMALL, "--data", "x.csv"], "x.csv"),
    "a model's file that is not there": (
        ["run", "travel", *SMALL, "--policy", "nobody.py:decide"],
        "nobody.py",
    ),
    "a module that is not there": (["run", "travel", *SMALL, "--policy", "no.body:decide"], "no module"),
    "a name that cannot be one": (["new", "policy", "9 lives"], "'9 lives' cannot be the name"),
    "a kind that cannot be begun": (["new", "polisy", "x"], "polisy", "policy"),
    "a folder that is no run": (["replay", "."], "'.' is not a run folder", "rehearse run"),
    "a comparison of policies on nothing": (["compare", "greedy-v1", "random-v1"], "--scenario travel"),
}


@pytest.mark.parametrize("case", TYPED, ids=lambda case: case.replace(" ", "-"))
def test_what_is_typed_wrong(rehearse, tmp_path, case):
    """It is answered in one line, and nothing is run."""
    argv, *parts = TYPED[case]
    must_be_one_message(rehearse(*argv), MISTAKE, *parts)
    assert list(tmp_path.iterdir()) == []


# ── What stands in a scenario file ────────────────────────────────────────────────────────────────

WRITTEN: dict[str, tuple[str | bytes, ...]] = {
    "a tab": ("name: x\npeople:\n\tcount: 5\n", "s.yaml:3:1", "spaces, not tabs"),
    "a key given twice": ("name: x\nname: y\n", "s.yaml:2:1", "given twice, first in line 1"),
    "an open bracket": ("name: x\ndrift: [{tick: 1}\n", "s.yaml:", "brackets"),
    "an empty file": ("", "s.yaml: the document is empty"),
    "a list at the top": ("- name: x\n", "s.yaml:1:1", "found a list"),
    "bytes that are not UTF-8": (b"name: caf\xe9\n", "s.yaml:1:10: byte 0xe9", "Save the file as UTF-8"),
    "two documents": ("name: x\n---\nname: y\n", "s.yaml:2:1", "another document"),
    "a tag that makes objects": (
        "name: !!python/object:os.system x\n",
        "s.yaml:1:1",
        "Leave the tag (!) out",
    ),
    "aliases that multiply": (
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(
            f"{c}: &{c} [{', '.join(['*' + b] * 10)}]\n" for b, c in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "s.yaml:",
        "100,000 values",
    ),
    "a misspelt key": (SCENARIO + "polcy: {name: random-v1}\n", "s.yaml:7:1: polcy", "Did you mean 'policy'"),
    "no assumptions": ("name: x\nworld: {name: w}\npolicy: {name: p}\n", "assumptions is missing", "Add it"),
    "a word for a number": (SCENARIO.replace("20", "twenty"), "s.yaml:4:10: people.count", 'found "twenty"'),
    "an end before the beginning": (
        SCENARIO + "faults:\n  - {kind: error, start: 9, until: 3}\n",
        "s.yaml:8:5: faults.0",
        "ends (until 3) before it has begun",
    ),
    "a base that is not there": (SCENARIO.replace("travel", "travvel"), "s.yaml:3:1: extends", "'travel'"),
    "a circle of bases": (SCENARIO.replace("travel", "./s.yaml"), "circle", "s.yaml → s.yaml"),
    "a table by a link out of the folder": (
        SCENARIO.replace("{count: 20}", "{count: 20, source: {table: link.csv}}"),
        "s.yaml:4:30: 'link.csv' leads to",
        "out of the scenario's folder",
    ),
    "a model out of the folder": (
        SCENARIO + "policy: {name: ../model.py:decide}\n",
        "s.yaml:7:10: '../model.py' leads to",
        "--policy",
    ),
    "a table that is not there": (
        SCENARIO.replace("{count: 20}", "{count: 20, source: {table: nobody.csv}}"),
        "s.yaml:4:30: there is no file",
    ),
}


@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: case.replace(" ", "-"))
def test_what_is_written_wrong(rehearse, tmp_path, case):
    """It is answered with file, line and column, and nothing is run."""
    content, *parts = WRITTEN[case]
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "secret.csv").write_text(PEOPLE)
    (inner / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inner / "s.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    must_be_one_message(rehearse("run", inner / "s.yaml", "--out", "out"), MISTAKE, *parts)
    assert not (tmp_path / "out").exists()


# ── What stands in a table ────────────────────────────────────────────────────────────────────────


def ratings(change: Callable[[list[str]], list[str]]) -> bytes:
    """Return a small table of ratings, with some lines changed."""
    lines = ["userId,movieId,rating"]
    lines += [f"{u},{i},{1 + (u * i) % 5}" for u in range(1, 60) for i in range(1, 60)]
    return ("\n".join(change(lines)) + "\n").encode()


TABLES: dict[str, tuple[bytes, ...]] = {
    "an empty table": (b"", "empty"),
    "a table without rows": (b"userId,movieId,rating\n", "no rows"),
    "a table that lacks a column": (ratings(lambda t: ["userId,filmId,rating", *t[1:]]), "movieId"),
    "a table with words for numbers": (ratings(lambda t: [*t, "1,2,good"]), "rating"),
    "a table with a value that is not a number": (ratings(lambda t: [*t, "1,2,nan"]), "rating"),
    "a table with an infinite value": (ratings(lambda t: [*t, "1,2,inf"]), "rating"),
    "a table with a gap": (ratings(lambda t: [*t, "1,2,"]), "rating"),
    "a table with too few ratings": (ratings(lambda t: t[:30]), "ratings"),
}


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case.replace(" ", "-"))
def test_what_a_table_has_wrong(rehearse, tmp_path, case):
    """It is answered with the table's name and what it must hold, and nothing is run."""
    content, *parts = TABLES[case]
    (tmp_path / "ratings.csv").write_bytes(content)
    said = rehearse("run", "feed-ratings", *SMALL, "--data", "ratings.csv", "--out", "out")
    must_be_one_message(said, MISTAKE, *parts)
    assert not (tmp_path / "out").exists()


def test_a_truncated_parquet_for_data(rehearse, tmp_path):
    """A Parquet file that was cut off is no table."""
    (tmp_path / "ratings.parquet").write_bytes(b"PAR1 and then nothing")
    said = rehearse("run", "feed-ratings", *SMALL, "--data", "ratings.parquet", "--out", "out")
    must_be_one_message(said, MISTAKE, "ratings.parquet")
    assert not (tmp_path / "out").exists()


def test_a_table_without_the_column_of_weights(rehearse, tmp_path):
    """A scenario's own table must have what the scenario says of it."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    source = "people.source={table: people.csv, use: resample, weight: wieght}"
    must_be_one_message(rehearse("run", "travel", "--set", source, "--out", "out"), MISTAKE, "wieght")
    assert not (tmp_path / "out").exists()


# ── The model ─────────────────────────────────────────────────────────────────────────────────────

MODELS: dict[str, tuple[str, ...]] = {
    "a model with a syntax error": ("def decide(person:\n    return 1\n", "not valid Python", "line"),
    "a model that raises when imported": (
        "import nobody_has_this\ndef decide(person): ...\n",
        "nobody_has_this",
    ),
    "a model that exits when imported": ("import sys\nsys.exit(0)\ndef decide(person): ...\n", "SystemExit"),
    "a misspelt function": ("def decyde(person): ...\n", "'decide'", "Did you mean 'decyde'"),
    "a model that is a number": ("decide = 5\n", "which cannot be asked"),
    "a function of two arguments": ("def decide(a, b): ...\n", "takes 2 arguments"),
    "an async function": ("async def decide(person): ...\n", "async"),
    "an empty file": ("", "is empty"),
}


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.replace(" ", "-"))
def test_models_that_cannot_be_loaded(rehearse, tmp_path, case):
    """It is answered with the file and what is wrong in it, and nothing is run."""
    code, *parts = MODELS[case]
    (tmp_path / "model.py").write_text(code)
    said = rehearse("run", "travel", *SMALL, "--policy", "model.py:decide", "--out", "out")
    must_be_one_message(said, MISTAKE, "model", *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib"])
def test_a_pickle_without_trust(rehearse, tmp_path, name):
    """A file that could run code is not opened unless that is said."""
    (tmp_path / name).write_bytes(pickle.dumps({"a": 1}))
    said = rehearse("run", "travel", *SMALL, "--policy", name, "--out", "out")
    must_be_one_message(said, MISTAKE, name, "--trust")
    assert not (tmp_path / "out").exists()


def test_a_damaged_model_file(rehearse, tmp_path):
    """A saved model that was cut off is told by its name."""
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(list(range(1000)))[:50])
    said = rehearse("run", "travel", *SMALL, "--trust", "--policy", "model.pkl", "--out", "out")
    must_be_one_message(said, MISTAKE, "model.pkl", "could not be loaded")
    assert not (tmp_path / "out").exists()


NONSENSE = {
    "a model that raises": ("def decide(person): raise ValueError('no idea')", "raised"),
    "a model that exits": ("import sys\ndef decide(person): sys.exit(0)", "raised"),
    "a model that answers nothing": ("def decide(person): return None", "wrong_shape"),
    "a model that answers what is not there": ("def decide(person): return 'rocket'", "unknown_action"),
    "a model that answers a huge number": ("def decide(person): return 10**30", "unknown_action"),
    "a model that answers not-a-number": ("def decide(person): return float('nan')", "not_a_number"),
    "a model that answers another shape": ("def decide(requests): return [0]", "wrong_shape"),
    "a model that gives infinite scores": (
        "def decide(person): return {'action': 'car', 'score': float('inf')}",
        "not_a_number",
    ),
}


@pytest.mark.parametrize("case", NONSENSE, ids=lambda case: case.replace(" ", "-"))
def test_what_a_model_answers_wrong_is_recorded(rehearse, case):
    """The run is completed, every turn and the result tell the model's error; the verdict is not a pass."""
    code, fault = NONSENSE[case]
    Path("model.py").write_text(code)
    said = rehearse("run", "travel", *SMALL, "--policy", "model.py:decide", "--out", "out", "--json")
    assert said.code in {1, 3}, said.err
    assert "Traceback" not in said.err
    assert json.loads(said.out)["verdict"] in {"fail", "unsure"}
    found = RunRecord("out").query("SELECT DISTINCT fault FROM turns")["fault"].tolist()
    assert found == [fault]
    assert finished(Path("out")).problems


def test_a_model_that_hangs(rehearse, tmp_path):
    """After the limit on the wall clock the run is not completed, and says how long it waited."""
    (tmp_path / "model.py").write_text("import time\ndef decide(person): time.sleep(60)\n")
    limit = ("--set", "time.wall_limit_s=1")
    said = rehearse("run", "travel", *SMALL, *limit, "--policy", "model.py:decide", "--out", "out")
    must_be_one_message(said, NOT_COMPLETED, "model:decide", "within 1 second", "wall_limit_s")
    assert no_result_in(tmp_path)


def test_a_model_that_hangs_when_it_is_loaded_is_not_waited_for_in_vain(rehearse, tmp_path, monkeypatch):
    """Importing a model has its limit too."""
    monkeypatch.setattr("rehearse.policies.files.LOAD_LIMIT_S", 1.0)
    (tmp_path / "model.py").write_text("import time\ntime.sleep(60)\ndef decide(person): ...\n")
    said = rehearse("run", "travel", *SMALL, "--policy", "model.py:decide", "--out", "out")
    must_be_one_message(said, NOT_COMPLETED, "model.py", "within 1 second")
    assert no_result_in(tmp_path)


# ── Where it is written ───────────────────────────────────────────────────────────────────────────


def test_a_folder_that_is_in_use(rehearse, tmp_path):
    """Nothing is ever overwritten."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    must_be_one_message(
        rehearse("run", "travel", *SMALL, "--out", "out"), MISTAKE, "'out' already holds something"
    )
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_a_file_where_a_folder_is_needed(rehearse, tmp_path):
    """A file is not a place for a run."""
    (tmp_path / "out").write_text("a file")
    must_be_one_message(rehearse("run", "travel", *SMALL, "--out", "out/run"), MISTAKE, "out", "written")


def test_a_read_only_folder(rehearse, tmp_path):
    """A place where nobody may write is told by its name."""
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    if os.geteuid() == 0:  # root may write anywhere but here
        place = Path("/proc/self")
    said = rehearse("run", "travel", *SMALL, "--out", place / "run")
    must_be_one_message(said, MISTAKE, str(place), "could not be written", "Choose a folder")


def test_a_full_disk(tmp_path):
    """When no more can be written the run breaks off with a message, and nothing looks finished."""
    command = "import sys; from rehearse.experiments.cli import main; sys.exit(main(sys.argv[1:]))"
    argv = ["run", "travel", "--users", "400", "--ticks", "6", "--out", "out", "--quiet"]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-c", command, *argv],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=little_room,
        capture_output=True,
        text=True,
        check=False,
    )
    must_be_one_message(Said(done.returncode, done.stdout, done.stderr), MISTAKE, "out/", "written")
    assert no_result_in(tmp_path)


def test_a_skeleton_that_would_overwrite(rehearse, tmp_path):
    """`rehearse new` writes nothing where one of its files is there already."""
    (tmp_path / "test_mine.py").write_text("my own")
    must_be_one_message(rehearse("new", "policy", "mine"), MISTAKE, "test_mine.py", "--out")
    assert [p.name for p in tmp_path.iterdir()] == ["test_mine.py"]


# ── Runs that were made ───────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a small finished run."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert main(["run", "travel", *SMALL, "--out", str(folder), "--quiet"]) in {0, 1, 3}
    return folder


@pytest.fixture
def run(made, tmp_path):
    """Return a copy of that run, to be damaged."""
    return shutil.copytree(made, tmp_path / "run")


ASKED = {
    "a person that there is not": (["journey", "RUN", "--user", "4711"], "4711"),
    "a person that is no number": (["journey", "RUN", "--user", "Ann"], "--user Ann"),
    "a society that there is not": (["journey", "RUN", "--user", "1", "--replica", "9"], "9"),
    "a what-if that says nothing": (
        ["journey", "RUN", "--user", "1", "--what-if", "x"],
        "tick=3,turn=1,action=train",
    ),
    "a what-if of what is not there": (
        ["journey", "RUN", "--user", "1", "--what-if", "tick=0,turn=1,action=rocket"],
        "rocket",
    ),
    "a condition that is no SQL": (["journeys", "RUN", "--where", "trust <"], "trust <"),
    "a condition on what is not there": (["journeys", "RUN", "--where", "trsut < 1"], "trsut", "trust"),
    "a query that is no SQL": (["query", "RUN", "SELEKT 1"], "SELEKT"),
    "a query of what is not there": (["query", "RUN", "SELECT regrett FROM turns"], "regrett"),
    "a comparison with nothing": (["compare", "RUN", "nobody-v1"], "nobody-v1"),
    "a comparison of other people": (
        ["compare", "RUN", "random-v1", "--scenario", "travel", *SMALL, "--seed", "5"],
        "seed",
    ),
}


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.replace(" ", "-"))
def test_what_a_record_cannot_answer(rehearse, made, case):
    """It is answered in one line that names what was asked for."""
    argv, *parts = ASKED[case]
    said = rehearse(*(str(made) if word == "RUN" else word for word in argv))
    must_be_one_message(said, MISTAKE, *parts)


def test_a_killed_run_is_not_read_as_a_finished_one(rehearse, run):
    """Whoever asks it is told to resume it."""
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"status": "running", "tick": 1}))
    for command in (["replay", run], ["report", run], ["journeys", run], ["query", run, "SELECT 1"]):
        must_be_one_message(rehearse(*command), MISTAKE, "was interrupted at tick 1", "rehearse resume")


def test_a_truncated_parquet(rehearse, run):
    """A part of the record that was cut off is found, not read past."""
    part = next((run / "turns").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    must_be_one_message(rehearse("query", run, "SELECT count(*) FROM turns"), MISTAKE, part.name)
    must_be_one_message(rehearse("replay", run), MISTAKE, part.name)


@pytest.mark.parametrize("name", ["manifest.json", "verdict.json"])
def test_a_damaged_file_of_a_run(rehearse, run, name):
    """A file that is not what it was is told by its name."""
    (run / name).write_text('{"half": ')
    must_be_one_message(rehearse("report", run), MISTAKE, name, "damaged")


def test_a_record_that_was_altered_does_not_replay(rehearse, run):
    """A replay that differs says so, with exit code 1."""
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"digest": "0" * 64}))
    said = rehearse("replay", run)
    assert said.code == 1
    assert "0000000000" in said.out


def test_an_input_that_has_changed(rehearse, tmp_path):
    """A run is not resumed or replayed with another model than it was begun with."""
    model = tmp_path / "model.py"
    model.write_text("def decide(person): return 'car'\n")
    assert rehearse("run", "travel", *SMALL, "--policy", "model.py:decide", "--out", "run").code in {0, 1, 3}
    model.write_text("def decide(person): return 'bus'\n")
    must_be_one_message(rehearse("replay", "run"), MISTAKE, "model.py", "has changed")


def test_there_are_at_least_forty():
    """The specification asks for forty wrong inputs."""
    assert sum(map(len, (TYPED, WRITTEN, TABLES, MODELS, NONSENSE, ASKED))) >= 40
