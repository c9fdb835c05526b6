"""The command line: what each command prints, and what its exit code means."""

from __future__ import annotations

import importlib
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rehearse.errors import ContractError, NotCompletedError
from rehearse.experiments import running
from rehearse.experiments.cli import COMMANDS, app, main
from rehearse.experiments.commands.printing import as_data, table_of, whole
from rehearse.experiments.commands.progress import Bar
from rehearse.log import log_to
from rehearse.registry import Entry, entries
from rehearse.scenario import from_yaml, load

SMALL = ("--users", "20", "--ticks", "2", "--replicas", "2")


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command line in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        capsys.readouterr()
        code = main([str(word) for word in argv])
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a small finished run."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert main(["run", "travel", *SMALL, "--out", str(folder), "--quiet"]) in {0, 1, 3}
    return folder


def finished(verdict):
    """Return what a run came to, without the run."""
    return SimpleNamespace(
        folder=Path("x"), digest="d", verdict=verdict, user_turns=1, seconds=0.5, criteria=[], turns=None
    )


def test_every_command_explains_itself(cli):
    """`rehearse`, `rehearse --help` and `rehearse COMMAND --help` say what can be asked."""
    top = cli("--help")
    assert top.code == 0
    assert cli().out == top.out
    for name, _, summary in COMMANDS:
        assert name in top.out
        assert summary in top.out
        told = cli(name, "--help")
        assert told.code == 0
        assert f"rehearse {name}" in told.out


def test_the_help_shows_every_option_of_run(cli):
    """The options are those that the specification names."""
    told = cli("run", "--help").out
    for option in [
        "policy",
        "data",
        "users",
        "ticks",
        "seed",
        "replicas",
        "set",
        "out",
        "json",
        "trust",
        "quiet",
    ]:
        assert f"--{option}" in told
    assert "--no-trust" not in told


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("unsure", 3)])
def test_the_verdict_is_the_exit_code(cli, monkeypatch, verdict, code):
    """Pass is 0, fail is 1, unsure is 3."""
    monkeypatch.setattr(running, "run", lambda *_, **__: finished(verdict))
    assert cli("run", "travel", "--quiet").code == code


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotCompletedError("it broke off.", "Try again."), 4, "rehearse: it broke off. Try again.\n"),
        (ContractError("the world lies.", "Mend it."), 4, "rehearse: the world lies. Mend it.\n"),
        (PermissionError(13, "Permission denied", "a/b"), 2, "'a/b' cannot be used: Permission denied."),
        (MemoryError(), 4, "not enough memory. Lower --users"),
        (SystemExit(0), 4, "called sys.exit(0)"),
        (SystemExit("bye"), 4, "called sys.exit('bye')"),
    ],
)
def test_what_breaks_a_run_has_its_exit_code(cli, monkeypatch, error, code, said):
    """Infrastructure and broken contracts are 4, a place that cannot be used is 2; never 0 or 1."""

    def broken(*_, **__):
        raise error

    monkeypatch.setattr(running, "run", broken)
    found = cli("run", "travel")
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert len(found.err.splitlines()) == 1


def test_an_internal_error_is_one_line_and_its_traceback_is_kept(cli, monkeypatch, tmp_path):
    """The line names the error and the log in which the traceback stands."""

    def broken(*_, **__):
        with log_to(tmp_path / "log.jsonl"):
            raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(running, "run", broken)
    found = cli("run", "travel")
    assert found.code == 4
    assert "internal error, ZeroDivisionError: by nothing" in found.err
    assert str(tmp_path / "log.jsonl") in found.err
    assert "ZeroDivisionError" in json.loads((tmp_path / "log.jsonl").read_text())["exception"]
    assert len(found.err.splitlines()) == 1


def test_an_interrupted_run_says_how_to_go_on(cli, monkeypatch, tmp_path):
    """Ctrl-C ends with 130 and names the command that finishes the run."""

    def interrupted(*_, **__):
        (tmp_path / "run").mkdir()
        with log_to(tmp_path / "run" / "log.jsonl"):
            raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", interrupted)
    found = cli("run", "travel")
    assert found.code == 130
    assert found.err == f"rehearse: interrupted. Go on with `rehearse resume {tmp_path / 'run'}`.\n"


def test_a_reader_that_has_gone_is_no_error(monkeypatch):
    """`rehearse list | head` ends quietly."""

    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Gone())
    assert main(["list"]) == 141


def test_a_real_run_prints_its_verdict_and_where_it_is(cli):
    """The criteria in words, the verdict, the digest, the record and the report."""
    found = cli("run", "travel", *SMALL, "--out", "r")
    assert found.code in {0, 1, 3}
    assert found.err.startswith("Memory: about ")
    assert found.err.count("\n") == 1
    digest = json.loads(Path("r/manifest.json").read_text())["digest"]
    assert digest in found.out
    assert "r/report.html" in found.out
    assert ("PASS", "FAIL", "?", "UNSURE")[found.code] in found.out


def test_json_is_one_object_on_stdout_even_if_the_model_talks(cli):
    """What a model prints goes to stderr; stdout is the result alone."""
    Path("model.py").write_text(
        "print('loading')\ndef decide(person):\n    print('hello')\n    return 'car'\n"
    )
    found = cli("run", "travel", *SMALL, "--policy", "model.py:decide", "--out", "r", "--json")
    result = json.loads(found.out)
    assert set(result) >= {"run", "digest", "verdict", "user_turns", "seconds", "criteria"}
    assert result["run"] == "r"
    assert found.err.startswith("loading\nhello\n")


def test_quiet_prints_nothing(cli):
    """Only the exit code speaks."""
    found = cli("run", "travel", *SMALL, "--out", "r", "--quiet")
    assert (found.out, found.err) == ("", "")


def test_options_reach_the_scenario_of_the_run(cli):
    """The resolved scenario in the run folder holds every change."""
    cli(
        "run",
        "travel",
        *SMALL,
        "--seed",
        "7",
        "--set",
        "people.memory.size=3",
        "--policy",
        "random-v1",
        "--out",
        "r",
    )
    kept = from_yaml(Path("r/scenario.yaml").read_text())
    expected = load("travel", users=20, ticks=2, replicas=2, seed=7, sets=["people.memory.size=3"])
    assert kept.model_copy(update={"policy": expected.policy}) == expected
    assert kept.policy.name == "random-v1"


def test_a_finished_run_is_resumed_to_itself(cli, made):
    """Resuming what is finished says the same verdict and digest again."""
    found = cli("resume", made, "--json")
    manifest = json.loads((made / "manifest.json").read_text())
    assert json.loads(found.out)["digest"] == manifest["digest"]


def test_a_run_replays(cli, made):
    """Exit code 0, and the digest."""
    found = cli("replay", made, "--json")
    assert found.code == 0
    assert json.loads(found.out)["same"] is True
    assert "same digest" in cli("replay", made).out


def test_a_report_can_be_written_again(cli, made):
    """The path that is printed is the report."""
    (made / "report.html").unlink()
    found = cli("report", made)
    assert found.code == 0
    assert Path(found.out.strip()).read_text().lower().startswith("<!doctype html>")


def test_a_record_answers_sql(cli, made):
    """As an aligned table, or as JSON."""
    sql = 'SELECT "end", count(*) AS n FROM turns GROUP BY ALL ORDER BY ALL'
    head, rule, *rows = cli("query", made, sql).out.splitlines()
    assert head.split() == ["end", "n"]
    assert set(rule) <= {"─", " "}
    found = json.loads(cli("query", made, sql, "--json").out)
    assert found["columns"] == ["end", "n"]
    assert [[end, str(n)] for end, n in found["rows"]] == [row.split() for row in rows]


def test_a_life_is_told_and_lived_again(cli, made):
    """In words, as JSON, and beside what would have been."""
    sql = 'SELECT "user", tick, action FROM turns WHERE replica = 0 ORDER BY tick, "user" LIMIT 1'
    ((user, tick, action),) = json.loads(cli("query", made, sql, "--json").out)["rows"]
    assert f"User {user}" in cli("journey", made, "--user", user).out
    told = json.loads(cli("journey", made, "--user", user, "--json").out)
    assert told["persona"]["user"] == user
    items = json.loads((made / "manifest.json").read_text())["items"]
    other = items[(action + 1) % len(items)]
    change = f"tick={tick},turn=1,action={other}"
    assert other in cli("journey", made, "--user", user, "--what-if", change).out
    assert set(json.loads(cli("journey", made, "--user", user, "--what-if", change, "--json").out)) == {
        "was",
        "would",
    }


def test_lives_worth_reading_are_found(cli, made):
    """With a condition and a limit, in words and as JSON."""
    found = cli("journeys", made, "--where", '"user" < 5', "--limit", "2")
    assert found.code == 0
    assert "10 of 40 people" in found.out
    told = json.loads(cli("journeys", made, "--where", '"user" < 5', "--limit", "2", "--json").out)
    assert (told["found"], len(told["matching"])) == (10, 2)


def test_policies_and_runs_are_compared(cli, made):
    """Two policies on a scenario, or a recorded run with another policy on the same people."""
    found = cli("compare", "random-v1", "greedy-v1", "--scenario", "travel", *SMALL, "--out", "both")
    assert found.code == 0, found.err
    assert "A  random-v1" in found.out
    assert {p.name for p in Path("both").iterdir()} == {"a", "b", "compare.html"}
    assert [line.split() for line in found.out.splitlines()[-3:-1]] == [["A", "both/a"], ["B", "both/b"]]
    again = json.loads(cli("compare", "both/a", "both/b", "--json").out)
    assert again["runs"] == {"a": "both/a", "b": "both/b"}
    page = Path("both/compare.html").read_text(encoding="utf-8")
    assert "greedy-v1" in page
    assert '<th scope="row">goal completion</th>' in page
    assert "│" in page
    mixed = cli("compare", made, "greedy-v1", "--out", "mixed")
    assert mixed.code == 0, mixed.err
    assert Path("mixed/b/report.html").is_file()


def test_a_run_is_asked_what_would_have_been(cli, made):
    """Another segment, the least change, cases to retrain on: as text, and as JSON."""
    found = cli("counterfactual", made, "--instead", "patience+1", "--out", "would")
    assert found.code == 0, found.err
    assert "What if: patience+1" in found.out
    assert {p.name for p in Path("would").iterdir()} == {"b", "attribution.parquet", "counterfactual.json"}
    told = json.loads(cli("counterfactual", made, "--set", "title=Same", "--out", "same", "--json").out)
    assert (told["touched"], told["people"]) == (0, 40)
    cases = json.loads(cli("export", made, "--only", "wrong", "--to", "wrong.csv", "--json").out)
    assert cases["cases"] == cases["reasons"]["wrong"] == len(Path("wrong.csv").read_text().splitlines()) - 1
    least = cli("journey", made, "--user", "3", "--least-change", "--may-change", "ttme_air,gc_air")
    assert least.code == 0, least.err
    assert least.out.startswith("The model answered")
    refused = cli("counterfactual", made, "--flip", "group", "--users", "3")
    assert (refused.code, "keeps its people" in refused.err) == (2, True)


def test_a_scenario_is_run_until_it_is_decided(cli):
    """With a budget that cannot do, the exit code says unsure, and both runs are there."""
    found = cli("decide", "travel", "--most", "2", *SMALL, "--out", "until", "--quiet")
    assert (found.code, found.out) == (3, "")
    assert len(list(Path("until").glob("seed-*/verdict.json"))) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["compare", "RUN", "RUN", "--scenario", "travel"], "would not be used"),
        (["compare", "RUN", "greedy-v1", "--users", "5"], "a recorded run cannot be changed"),
    ],
)
def test_what_a_comparison_would_not_use_is_refused(cli, made, argv, said):
    """An option that has no effect is a mistake, not a silence."""
    found = cli(*(made if word == "RUN" else word for word in argv))
    assert found.code == 2
    assert said in found.err


def test_what_there_is_can_be_listed(cli):
    """Scenarios, worlds and policies, in words and as JSON."""
    found = cli("list")
    for name in ("travel@1", "feed@1", "recommend-v1", "greedy-v1"):
        assert name in found.out
    assert {s["name"] for s in json.loads(cli("list", "--json").out)["scenarios"]} >= {"travel", "feed"}


def test_a_part_is_shown_with_its_settings(cli):
    """A world or a policy tells its equations, and what can be set, by path, with what holds if it is not."""
    world, policy = cli("show", "lending-v1").out, cli("show", "group-epsilon-v1").out
    assert "p' = σ(ln(p / (1 − p)) − burden · A · r)" in world
    assert re.search(r"^  bank\.term +Ticks after which a loan comes back", world, re.MULTILINE)
    assert re.search(r"^  epsilon +[^\]]*\[0\.1\]", policy, re.MULTILINE)


def test_a_scenario_is_shown(cli):
    """In words, resolved as YAML, as JSON, and with changes."""
    told = cli("show", "travel").out
    scenario = load("travel")
    assert scenario.title in told
    assert scenario.criteria[0].metric in told
    assert from_yaml(cli("show", "travel", "--resolved").out) == scenario
    changed = json.loads(cli("show", "travel", "--json", "--set", "people.count=7").out)
    assert changed["people"]["count"] == 7


def test_the_schema_is_printed(cli):
    """It is JSON that an editor can read."""
    assert "people" in json.loads(cli("schema").out)["properties"]


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("policy", {"corner.py", "test_corner.py"}),
        ("world", {"corner.py", "test_corner.py"}),
        ("scenario", {"corner.yaml", "test_corner.py"}),
    ],
)
def test_a_skeleton_works_as_it_is(cli, tmp_path, monkeypatch, kind, files):
    """What `rehearse new` writes passes the test that it writes beside it."""
    found = cli("new", kind, "corner", "--out", "new")
    assert found.code == 0
    assert {Path(line).name for line in found.out.split()} == files == {p.name for p in Path("new").iterdir()}
    assert "pytest new/test_corner.py" in found.err
    monkeypatch.syspath_prepend(str(tmp_path / "new"))
    for name in ("corner", "test_corner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("test_corner")
    (test,) = (value for name, value in vars(module).items() if name.startswith("test_"))
    test(*([tmp_path] if kind == "scenario" else []))
    sys.modules.pop("test_corner")
    sys.modules.pop("corner", None)


def test_a_new_policy_and_a_new_world_run(cli, tmp_path, monkeypatch):
    """The skeletons go through a rehearsal: the policy in `travel`, the world in a scenario of its own."""
    cli("new", "policy", "my_model")
    found = cli("run", "travel", *SMALL, "--policy", "my_model.py:decide", "--out", "one", "--json")
    assert json.loads(found.out)["user_turns"] > 0
    cli("new", "world", "my_shop")
    monkeypatch.syspath_prepend(str(tmp_path))
    known = entries("worlds") | {"my_shop-v1": Entry("my_shop-v1", "my_shop:build")}
    monkeypatch.setattr(
        "rehearse.registry.entries", lambda kind: known if kind == "worlds" else entries(kind)
    )
    Path("shop.yaml").write_text(
        "name: shop\nworld: {name: my_shop-v1}\npolicy: {name: greedy-v1}\n"
        "people: {count: 20, tastes: {each: {normal: {mean: 0.5, sd: 1}}}}\ntime: {ticks: 3}\nreplicas: 2\n"
        "drift: [{tick: 1, what: price, times: 2}]\nassumptions: [one]\nlimitations: [two]\n"
    )
    found = cli("run", "shop.yaml", "--out", "two", "--json")
    assert json.loads(found.out)["user_turns"] > 0, found.err
    sys.modules.pop("my_shop", None)


def test_the_bar_is_drawn_on_a_terminal_only(monkeypatch):
    """On a terminal it tells users, turns a second and time left; elsewhere it is silent."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "160")
    for stream, quiet, drawn in (
        (Terminal(), False, True),
        (Terminal(), True, False),
        (io.StringIO(), False, False),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        with Bar("travel", quiet=quiet) as bar:
            bar(tick=1, ticks=4, users=20, user_turns=1000, seconds=0.5)
        assert ("tick 1/4 · 20 users · 1,000 turns · 2,000 turns/s" in stream.getvalue()) is drawn
        assert bool(stream.getvalue()) is drawn


def test_tables_are_aligned():
    """Numbers stand to the right, words to the left, and a table may be empty."""
    lines = table_of(["name", "n"], [["a", 1], ["long", 10]])
    assert lines == ["name   n", "────  ──", "a      1", "long  10"]
    assert table_of(["x"], []) == ["x", "─"]


def test_whole_numbers_are_read_strictly():
    """Only digits count."""
    assert whole("--user", "042") == 42
    for text in ("", "-1", "1.0", "٣", "9" * 30):
        with pytest.raises(Exception, match="no whole number"):
            whole("--user", text)


def test_nested_results_become_plain_data():
    """Dataclasses in tuples in dicts are all dicts and lists in the end."""
    entry = Entry("a", "b:c")
    assert as_data({"x": (entry,)}) == {"x": [{"name": "a", "target": "b:c", "summary": ""}]}


def test_the_app_has_exactly_the_commands_of_the_table():
    """No command is registered besides."""
    assert [command.name for command in app.registered_commands] == [name for name, _, _ in COMMANDS]
